/* blob.c - see blob.h. */
#include "store/blob.h"

#include <stdlib.h>

#include "store/content_key.h"

enum weir_err blob_bind(struct query *q, int64_t user, const char *what, const void *p, size_t n, struct sb *kept)
{
    bool seal = content_key_set();
    enum weir_err e = WEIR_OK;

    *kept = sb_make(n + CONTENT_SEAL_BYTES + 1);
    if (seal)
        e = content_key_seal(user, what, p, n, kept);
    query_i64(q, seal);
    query_blob(q, seal ? sb_str(kept) : p, seal ? kept->len : n);
    return e ? e : sb_ok(kept) ? WEIR_OK : WEIR_E_OVERLOADED;
}

enum weir_err blob_read(const struct query *q, int col, int64_t user, const char *what, struct sb *out)
{
    size_t n;
    const void *stored = query_col_blob(q, col + 1, &n);
    char *text = NULL;
    enum weir_err e = WEIR_OK;

    if (!query_col_i64(q, col))
        sb_put(out, stored, n);
    else {
        e = content_key_open(user, what, stored, n, &text, &n);
        if (text)
            sb_put(out, text, n);
        free(text);
    }
    return e ? e : sb_ok(out) ? WEIR_OK : WEIR_E_OVERLOADED;
}
