/* audit.c - hash = SHA-256(hash before, then each field as length and bytes). */
#include "store/audit.h"

#include <sodium.h>
#include <string.h>

static void add_bytes(crypto_hash_sha256_state *s, const void *p, size_t n)
{
    unsigned char len[8];

    for (int i = 0; i < 8; i++)
        len[i] = (unsigned char)(n >> (56 - 8 * i));
    crypto_hash_sha256_update(s, len, sizeof len);
    crypto_hash_sha256_update(s, p, n);
}

/* NULL and "" differ. */
static void add_text(crypto_hash_sha256_state *s, const char *text)
{
    add_bytes(s, text ? "+" : "-", 1);
    add_bytes(s, text, text ? strlen(text) : 0);
}

static void hash_entry(const unsigned char before[crypto_hash_sha256_BYTES], int64_t seq, const struct audit_entry *a,
                       unsigned char out[crypto_hash_sha256_BYTES])
{
    const char *const text[] = {a->actor, a->action, a->object, a->detail, a->request_id};
    crypto_hash_sha256_state s;

    crypto_hash_sha256_init(&s);
    add_bytes(&s, before, crypto_hash_sha256_BYTES);
    add_bytes(&s, &seq, sizeof seq);
    add_bytes(&s, &a->at_ms, sizeof a->at_ms);
    for (size_t i = 0; i < sizeof text / sizeof *text; i++)
        add_text(&s, text[i]);
    crypto_hash_sha256_final(&s, out);
}

enum weir_err audit_add(struct db *db, const struct audit_entry *a)
{
    unsigned char before[crypto_hash_sha256_BYTES] = {0}, hash[crypto_hash_sha256_BYTES];
    struct query q = query(db, "SELECT seq, hash FROM audit ORDER BY seq DESC LIMIT 1");
    int64_t seq = 1;
    enum weir_err e;

    if (query_row(&q)) {
        size_t n;
        const void *p = query_col_blob(&q, 1, &n);

        seq = query_col_i64(&q, 0) + 1;
        if (n == sizeof before)
            memcpy(before, p, n);
    }
    e = query_stop(&q);
    if (e)
        return e;
    hash_entry(before, seq, a, hash);
    q = query(db, "INSERT INTO audit(seq, at_ms, actor, action, object, detail, request_id, hash)"
                  " VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)");
    query_i64(&q, seq);
    query_i64(&q, a->at_ms);
    query_text(&q, a->actor);
    query_text(&q, a->action);
    query_text(&q, a->object);
    query_text(&q, a->detail);
    query_text(&q, a->request_id);
    query_blob(&q, hash, sizeof hash);
    return query_end(&q);
}

enum weir_err audit_verify(struct db *db, int64_t *rows, int64_t *bad)
{
    unsigned char before[crypto_hash_sha256_BYTES] = {0}, hash[crypto_hash_sha256_BYTES];
    struct query q = query(db, "SELECT seq, at_ms, actor, action, object, detail, request_id, hash FROM audit ORDER BY seq");

    *rows = *bad = 0;
    while (!*bad && query_row(&q)) {
        const struct audit_entry a = {.at_ms = query_col_i64(&q, 1), .actor = query_col_text(&q, 2),
                                      .action = query_col_text(&q, 3), .object = query_col_text(&q, 4),
                                      .detail = query_col_text(&q, 5), .request_id = query_col_text(&q, 6)};
        int64_t seq = query_col_i64(&q, 0);
        size_t n;
        const void *stored = query_col_blob(&q, 7, &n);

        hash_entry(before, seq, &a, hash);
        if (seq != ++*rows || n != sizeof hash || memcmp(stored, hash, n) != 0)
            *bad = seq;
        memcpy(before, hash, sizeof before);
    }
    return query_stop(&q);
}
