/* content.c - the table contents. */
#include "store/content.h"

#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"

static atomic_bool dropped;      /* text is not kept */

void content_keep(bool keep)
{
    atomic_store(&dropped, !keep);
}

bool content_kept(void)
{
    return !atomic_load(&dropped);
}

const char *content_title(const char *title)
{
    return !title ? "" : content_kept() ? title : "New chat";
}

enum weir_err content_add(struct db *db, int64_t id, const struct content *c)
{
    struct query q;

    if (!content_kept())
        return WEIR_OK;
    q = query(db, "INSERT INTO contents(id, text, reasoning) VALUES (?1, ?2, ?3)");
    query_i64(&q, id);
    query_text_n(&q, c->text, c->text_bytes);
    if (c->reasoning)
        query_text_n(&q, c->reasoning, c->reasoning_bytes);
    else
        query_null(&q);
    return query_end(&q);
}

/* --- reading --- */

static char *copy(const struct query *q, int col, size_t *n)
{
    const char *p = query_col_blob(q, col, n);
    char *out = mem_zalloc(*n + 1, 1);

    if (*n)
        memcpy(out, p, *n);
    return out;
}

enum weir_err content_read(struct db *ro, int64_t id, struct content_found *out)
{
    struct query q = query(ro, "SELECT text, reasoning FROM contents WHERE id = ?1");

    memset(out, 0, sizeof *out);
    query_i64(&q, id);
    if (query_row(&q)) {
        out->kept = true;
        out->text = copy(&q, 0, &out->text_bytes);
        if (!query_col_null(&q, 1))
            out->reasoning = copy(&q, 1, &out->reasoning_bytes);
    }
    return query_stop(&q);
}

void content_done(struct content_found *f)
{
    free(f->text);
    free(f->reasoning);
    memset(f, 0, sizeof *f);
}
