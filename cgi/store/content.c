/* content.c - the table contents. */
#include "store/content.h"

#include <inttypes.h>
#include <sodium.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "store/content_key.h"
#include "store/convo_tree.h"

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

/* --- sealed --- */

enum { HEAD_BYTES = 9, TITLE_MAX = 64 * 1024, TEXT_MAX = 256 << 20 };
#define TITLE_SEALED '\x1e'                    /* begins a sealed title; no title has control characters */

static void name_of(int64_t id, char out[40])
{
    (void)snprintf(out, 40, "message %" PRId64, id);
}

static enum weir_err owner_of(struct db *db, int64_t id, int64_t *user)
{
    struct query q = query(db, "SELECT user FROM sessions WHERE id = ?1 >> 20");
    enum weir_err e;

    query_i64(&q, id);
    *user = query_row(&q) ? query_col_i64(&q, 0) : 0;
    e = query_stop(&q);
    return e ? e : *user ? WEIR_OK : WEIR_E_NOT_FOUND;
}

/* The length of the text, whether there is a reasoning, then both. */
static void pack(const struct content *c, struct sb *out)
{
    unsigned char head[HEAD_BYTES];

    for (int i = 0; i < 8; i++)
        head[i] = (unsigned char)((uint64_t)c->text_bytes >> (56 - 8 * i));
    head[8] = c->reasoning != NULL;
    sb_put(out, head, sizeof head);
    sb_put(out, c->text, (size_t)c->text_bytes);
    if (c->reasoning)
        sb_put(out, c->reasoning, (size_t)c->reasoning_bytes);
}

static char *part(const char *from, size_t n)
{
    char *out = mem_zalloc(n + 1, 1);

    if (n)
        memcpy(out, from, n);
    return out;
}

static enum weir_err unpack(const char *p, size_t n, struct content_found *out)
{
    uint64_t text = 0;

    for (int i = 0; i < 8 && n >= HEAD_BYTES; i++)
        text = text << 8 | (unsigned char)p[i];
    if (n < HEAD_BYTES || text > n - HEAD_BYTES)
        return WEIR_E_STORAGE;
    out->kept = true;
    out->text_bytes = (size_t)text;
    out->text = part(p + HEAD_BYTES, out->text_bytes);
    if (p[8]) {
        out->reasoning_bytes = n - HEAD_BYTES - out->text_bytes;
        out->reasoning = part(p + HEAD_BYTES + out->text_bytes, out->reasoning_bytes);
    }
    return WEIR_OK;
}

static enum weir_err add_sealed(struct db *db, int64_t id, const struct content *c)
{
    struct sb plain = sb_make(TEXT_MAX), sealed = sb_make(TEXT_MAX);
    char what[40];
    int64_t user;
    enum weir_err e = owner_of(db, id, &user);

    name_of(id, what);
    pack(c, &plain);
    if (!e)
        e = sb_ok(&plain) ? content_key_seal(user, what, sb_str(&plain), plain.len, &sealed) : WEIR_E_OVERLOADED;
    if (!e) {
        struct query q = query(db, "INSERT INTO contents(id, text, sealed) VALUES (?1, '', ?2)");

        query_i64(&q, id);
        query_blob(&q, sb_str(&sealed), sealed.len);
        e = query_end(&q);
    }
    sb_done(&plain);
    sb_done(&sealed);
    return e;
}

static enum weir_err open_sealed(int64_t user, int64_t id, const void *sealed, size_t n, struct content_found *out)
{
    char what[40], *plain;
    size_t len;
    enum weir_err e;

    name_of(id, what);
    e = content_key_open(user, what, sealed, n, &plain, &len);
    if (!e && plain)
        e = unpack(plain, len, out);
    free(plain);
    return e;
}

/* --- writing --- */

enum weir_err content_forget(struct db *db, int64_t from, int64_t to)
{
    static const char *const sql[] = {"INSERT INTO contents_words(contents_words, rowid, text) SELECT 'delete', id, text FROM contents"
                                      " WHERE id BETWEEN ?1 AND ?2 AND sealed IS NULL AND marked IS NULL",
                                      "DELETE FROM contents WHERE id BETWEEN ?1 AND ?2"};
    enum weir_err e = WEIR_OK;

    for (int i = 0; !e && i < 2; i++) {
        struct query q = query(db, sql[i]);

        query_i64(&q, from);
        query_i64(&q, to);
        e = query_end(&q);
    }
    return e;
}

static enum weir_err add_words(struct db *db, int64_t id, const struct content *c)
{
    struct query q = query(db, "INSERT INTO contents_words(rowid, text) VALUES (?1, ?2)");

    query_i64(&q, id);
    query_text_n(&q, c->text, c->text_bytes);
    return query_end(&q);
}

enum weir_err content_merge_words(struct db *db, int64_t pages, bool *left)
{
    int64_t before = db_changes(db);
    struct query q = query(db, "INSERT INTO contents_words(contents_words, rank) VALUES ('merge', ?1)");
    enum weir_err e;

    query_i64(&q, -pages);
    e = query_end(&q);
    *left = db_changes(db) - before > 1;                         /* as FTS5 documents it: one is the command itself */
    return e;
}

static enum weir_err add_plain(struct db *db, int64_t id, bool whole, const struct content *c)
{
    struct query q = query(db, "INSERT INTO contents(id, text, reasoning, marked) VALUES (?1, ?2, ?3, iif(?4, NULL, 1))");
    enum weir_err e;

    query_i64(&q, id);
    query_text_n(&q, c->text, c->text_bytes);
    if (c->reasoning)
        query_text_n(&q, c->reasoning, c->reasoning_bytes);
    else
        query_null(&q);
    query_i64(&q, whole);
    e = query_end(&q);
    return e || !whole ? e : add_words(db, id, c);
}

static enum weir_err add(struct db *db, int64_t id, int64_t at_ms, bool whole, const struct content *c)
{
    enum weir_err e;
    struct query q;

    if (!content_kept())
        return WEIR_OK;
    e = content_key_set() ? add_sealed(db, id, c) : add_plain(db, id, whole, c);
    if (e)
        return e;
    q = query(db, "UPDATE sessions SET texts_ms = ?2 WHERE id = ?1 AND (texts_ms IS NULL OR texts_ms > ?2)");
    query_i64(&q, id >> SEQ_BITS);
    query_i64(&q, at_ms);
    return query_end(&q);
}

enum weir_err content_add(struct db *db, int64_t id, int64_t at_ms, const struct content *c)
{
    return add(db, id, at_ms, true, c);
}

enum weir_err content_mark(struct db *db, int64_t id, int64_t at_ms, const struct content *c)
{
    enum weir_err e = content_forget(db, id, id);

    return e ? e : add(db, id, at_ms, false, c);
}

enum weir_err content_reseal(struct db *db, int64_t id, int64_t from, int64_t to)
{
    struct query q = query(db, "SELECT sealed FROM contents WHERE id = ?1");
    struct sb sealed = sb_make(TEXT_MAX);
    char what[40], *plain = NULL;
    size_t n, len = 0;
    enum weir_err e = WEIR_OK, ended;

    name_of(id, what);
    query_i64(&q, id);
    if (query_row(&q)) {
        const void *p = query_col_blob(&q, 0, &n);

        e = content_key_open(from, what, p, n, &plain, &len);
    }
    ended = query_stop(&q);
    e = e ? e : ended;
    if (!e && !plain)
        e = content_forget(db, id, id);            /* its key was destroyed: nobody can read it */
    else if (!e)
        e = content_key_seal(to, what, plain, len, &sealed);
    if (!e && plain) {
        q = query(db, "UPDATE contents SET sealed = ?2 WHERE id = ?1");
        query_i64(&q, id);
        query_blob(&q, sb_str(&sealed), sealed.len);
        e = query_end(&q);
    }
    if (plain)
        sodium_memzero(plain, len);
    free(plain);
    sb_done(&sealed);
    return e;
}

enum weir_err content_oldest(struct db *db, int64_t session)
{
    struct query q = query(db, "UPDATE sessions SET texts_ms = (SELECT min(m.at_ms) FROM contents c JOIN messages m ON m.id = c.id"
                               " WHERE c.id >= ?1 << 20 AND c.id < (?1 + 1) << 20) WHERE id = ?1");

    query_i64(&q, session);
    return query_end(&q);
}

enum weir_err content_title_put(int64_t user, const char *session_id, const char *title, struct sb *out)
{
    struct sb sealed = sb_make(TITLE_MAX);
    char *text;
    size_t n;
    enum weir_err e;

    if (!content_key_set() || !*title) {
        sb_puts(out, title);
        return WEIR_OK;
    }
    e = content_key_seal(user, session_id, title, strlen(title), &sealed);
    if (!e) {
        n = sodium_base64_encoded_len(sealed.len, sodium_base64_VARIANT_ORIGINAL);
        text = mem_zalloc(n, 1);
        sb_putc(out, TITLE_SEALED);
        sb_puts(out, sodium_bin2base64(text, n, (const unsigned char *)sb_str(&sealed), sealed.len, sodium_base64_VARIANT_ORIGINAL));
        free(text);
    }
    sb_done(&sealed);
    return e;
}

/* --- reading --- */

enum weir_err content_title_get(int64_t user, const char *session_id, const char *stored, struct sb *out)
{
    size_t max = strlen(stored), n = 0, len;
    unsigned char *sealed;
    char *title = NULL;
    enum weir_err e = WEIR_E_STORAGE;

    if (*stored != TITLE_SEALED) {
        sb_puts(out, stored);
        return WEIR_OK;
    }
    sealed = mem_zalloc(max, 1);
    if (sodium_base642bin(sealed, max, stored + 1, max - 1, NULL, &n, NULL, sodium_base64_VARIANT_ORIGINAL) == 0)
        e = content_key_open(user, session_id, sealed, n, &title, &len);
    sb_puts(out, title);
    free(title);
    free(sealed);
    return e;
}

static char *copy(const struct query *q, int col, size_t *n)
{
    const char *p = query_col_blob(q, col, n);

    return part(p, *n);
}

enum weir_err content_read(struct db *ro, int64_t id, struct content_found *out)
{
    struct query q = query(ro, "SELECT c.text, c.reasoning, c.sealed, s.user FROM contents c LEFT JOIN sessions s ON s.id = c.id >> 20"
                               " WHERE c.id = ?1");
    enum weir_err e = WEIR_OK, ended;

    memset(out, 0, sizeof *out);
    query_i64(&q, id);
    if (query_row(&q) && !query_col_null(&q, 2)) {
        size_t n;
        const void *sealed = query_col_blob(&q, 2, &n);

        e = open_sealed(query_col_i64(&q, 3), id, sealed, n, out);
    } else if (q.rc == SQLITE_ROW) {
        out->kept = true;
        out->text = copy(&q, 0, &out->text_bytes);
        if (!query_col_null(&q, 1))
            out->reasoning = copy(&q, 1, &out->reasoning_bytes);
    }
    ended = query_stop(&q);
    return e ? e : ended;
}

void content_done(struct content_found *f)
{
    free(f->text);
    free(f->reasoning);
    memset(f, 0, sizeof *f);
}
