/* list.c - what every paged list has in common. */
#include "store/list.h"

#include <stdio.h>

int64_t list_after(const char *cursor)
{
    long long n = 0;

    return cursor && sscanf(cursor, "%lld", &n) == 1 ? n : 0;
}

enum weir_err list_rows(struct query *q, int64_t limit, void (*item)(struct sb *, const struct query *), struct sb *out)
{
    int64_t n = 0, last = 0;
    bool more = false;

    sb_puts(out, "{\"items\":[");
    while (query_row(q)) {
        more = n == limit;
        if (more)
            break;
        if (n++)
            sb_putc(out, ',');
        last = query_col_i64(q, 0);
        item(out, q);
    }
    sb_puts(out, "],\"next_cursor\":");
    if (more)
        sb_putf(out, "\"%lld\"", (long long)last);
    else
        sb_puts(out, "null");
    sb_putc(out, '}');
    return query_stop(q);
}

void list_time(struct sb *out, const char *name, const struct query *q, int col)
{
    sb_putf(out, ",\"%s\":", name);
    if (query_col_null(q, col)) {
        sb_puts(out, "null");
        return;
    }
    sb_putc(out, '"');
    sb_time(out, query_col_i64(q, col));
    sb_putc(out, '"');
}

enum weir_err list_one(struct query *q, void (*item)(struct sb *, const struct query *), struct sb *out)
{
    bool found = query_row(q);
    enum weir_err e;

    if (found)
        item(out, q);
    e = query_stop(q);
    return e ? e : found ? WEIR_OK : WEIR_E_NOT_FOUND;
}
