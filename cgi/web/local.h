/* local.h - a request to Weir from the command line, with an administrator's
 * rights: to the Weir that runs, over its socket, and where none runs to the same
 * handlers on the database itself. */
#ifndef WEIR_LOCAL_H
#define WEIR_LOCAL_H

#include <jansson.h>
#include <stdbool.h>

#include "base/settings.h"

struct local;

/* Does a Weir answer on the socket of these settings? */
bool local_runs(const struct settings *s);

/* `s` is borrowed. NULL, and a sentence on stderr with *status an exit status: no Weir runs and the database cannot be opened. */
struct local *local_open(const struct settings *s, int *status) __attribute__((warn_unused_result));
void local_close(struct local *l);      /* NULL is fine */

/* Send `body` (takes; NULL: none). The answer's JSON, new; NULL if it has none or was a refusal. *status is an exit status: for a
 * refusal its sentence was written to stderr. */
json_t *local_call(struct local *l, const char *method, const char *path, json_t *body, int *status) __attribute__((warn_unused_result));

#endif
