/* list.h - rows as a page of JSON: {"items":[…],"next_cursor":…}. Internal to
 * store/; the thread that owns the connection. */
#ifndef WEIR_LIST_H
#define WEIR_LIST_H

#include <stdint.h>

#include "base/sb.h"
#include "store/db.h"

/* A cursor is the number of the last row of the page before; 0: the first page. */
int64_t list_after(const char *cursor);
/* Run a query whose column 0 is the number to page by. It was asked for one row more than `limit`, to know if there is a
 * next page. `item` writes one row. */
enum weir_err list_rows(struct query *q, int64_t limit, void (*item)(struct sb *, const struct query *), struct sb *out)
    __attribute__((warn_unused_result));
/* The one row of a query, by the same `item`. E_NOT_FOUND: there is none. */
enum weir_err list_one(struct query *q, void (*item)(struct sb *, const struct query *), struct sb *out) __attribute__((warn_unused_result));
/* ,"name":"2026-…" of a column of milliseconds, or null. */
void list_time(struct sb *out, const char *name, const struct query *q, int col);

#endif
