/* session.h - the one place where what a request calls a session becomes its id. Acceptor threads. */
#ifndef WEIR_SESSION_H
#define WEIR_SESSION_H

#include "web/web.h"

/* *name becomes the id of the session that `owner` calls so (convo_name.h), kept in x->session_id until the next; NULL stays.
 * Whoever may look at other people's numbers finds by its id what an older Weir let somebody name, if `owner` has none of that name. */
enum weir_err session_find(struct exchange *x, const char *owner, const char **name) __attribute__((warn_unused_result));

/* The same of what stands for {session} in the path, if there is one: x->arg[0]. */
enum weir_err session_of_path(struct exchange *x) __attribute__((warn_unused_result));

#endif
