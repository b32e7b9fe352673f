/* admin.h - what the handlers of /admin have in common: a change with its line
 * in the audit log, and the query of a list. Acceptors. */
#ifndef WEIR_ADMIN_H
#define WEIR_ADMIN_H

#include "store/audit.h"
#include "web/web.h"

enum { ADMIN_PAGE_BYTES = 4 * 1024 * 1024 };

struct admin_change {
    struct write_op op;
    enum weir_err (*make)(struct db *db, const struct admin_change *c);
    const void *what;                  /* the maker's */
    struct audit_entry entry;
};

/* Make a change and write it into the audit log, in one transaction; the body of the request, without
 * passwords, is its detail. `make` gives
 * what the change came to; unless OK nothing was changed. */
enum weir_err admin_apply(struct exchange *x, const char *action, const char *object,
                          enum weir_err (*make)(struct db *db, const struct admin_change *c), const void *what)
    __attribute__((warn_unused_result));

/* state, limit (1 … 1000, 100 unless given) and cursor of a list's query. Borrowed from the request. */
struct admin_page {
    const char *state;                 /* NULL: all */
    const char *cursor;                /* NULL: the first page */
    int64_t limit;
};
/* `states`: those there are, separated by blanks. Refuses others, and what is no limit or cursor. */
enum weir_err admin_page_read(struct exchange *x, const char *states, struct admin_page *out) __attribute__((warn_unused_result));

#endif
