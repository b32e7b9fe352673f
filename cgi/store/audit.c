/* audit.c - rows are added, listed and taken out at the front; audit_check.c reads the chain.
 *
 * MAC = HMAC-SHA-256(key, MAC before, then each field as length and bytes). */
#include "store/audit.h"

#include <inttypes.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "store/audit_chain.h"
#include "store/list.h"

static struct {
    unsigned char bytes[AUDIT_KEY_BYTES];
    bool set;
} key;

void audit_set_key(const unsigned char bytes[AUDIT_KEY_BYTES])
{
    memcpy(key.bytes, bytes, sizeof key.bytes);
    key.set = true;
}

/* --- one row --- */

/* Either of the two; the bytes that are covered are the same but for how numbers are written. */
struct cover {
    crypto_auth_hmacsha256_state mac;
    crypto_hash_sha256_state sha;
    bool keyed;
};

static void put(struct cover *c, const void *p, size_t n)
{
    if (c->keyed)
        crypto_auth_hmacsha256_update(&c->mac, p, n);
    else
        crypto_hash_sha256_update(&c->sha, p, n);
}

static void big_endian(uint64_t v, unsigned char out[8])
{
    for (int i = 0; i < 8; i++)
        out[i] = (unsigned char)(v >> (56 - 8 * i));
}

static void put_bytes(struct cover *c, const void *p, size_t n)
{
    unsigned char len[8];

    big_endian(n, len);
    put(c, len, sizeof len);
    put(c, p, n);
}

static void put_number(struct cover *c, int64_t v)
{
    unsigned char bytes[8];

    if (c->keyed)
        big_endian((uint64_t)v, bytes);
    else
        memcpy(bytes, &v, sizeof v);
    put_bytes(c, bytes, sizeof bytes);
}

static void put_row(struct cover *c, const unsigned char before[AUDIT_MAC_BYTES], int64_t seq, const struct audit_entry *a)
{
    const char *const text[] = {a->actor, a->action, a->object, a->detail, a->request_id};

    put_bytes(c, before, AUDIT_MAC_BYTES);
    put_number(c, seq);
    put_number(c, a->at_ms);
    for (size_t i = 0; i < sizeof text / sizeof *text; i++) {
        put_bytes(c, text[i] ? "+" : "-", 1);               /* NULL and "" differ */
        put_bytes(c, text[i], text[i] ? strlen(text[i]) : 0);
    }
}

bool audit_mac(const unsigned char before[AUDIT_MAC_BYTES], int64_t seq, const struct audit_entry *a,
               unsigned char out[AUDIT_MAC_BYTES])
{
    struct cover c = {.keyed = true};

    if (!key.set)
        return false;
    crypto_auth_hmacsha256_init(&c.mac, key.bytes, sizeof key.bytes);
    put_row(&c, before, seq, a);
    crypto_auth_hmacsha256_final(&c.mac, out);
    return true;
}

void audit_old_hash(const unsigned char before[AUDIT_MAC_BYTES], int64_t seq, const struct audit_entry *a,
                    unsigned char out[AUDIT_MAC_BYTES])
{
    struct cover c = {.keyed = false};

    crypto_hash_sha256_init(&c.sha);
    put_row(&c, before, seq, a);
    crypto_hash_sha256_final(&c.sha, out);
}

bool audit_column(const struct query *q, int col, unsigned char out[AUDIT_MAC_BYTES], bool *is_signed)
{
    size_t n;
    const unsigned char *p = query_col_blob(q, col, &n);

    *is_signed = n == AUDIT_STORED_BYTES && p[0] == 1;
    if (!*is_signed && n != AUDIT_MAC_BYTES)
        return false;
    memcpy(out, *is_signed ? p + 1 : p, AUDIT_MAC_BYTES);
    return true;
}

/* --- the head --- */

static enum weir_err read_head(struct db *db, struct audit_head *out, bool *is_signed)
{
    struct query q = query(db, "SELECT seq, mac FROM audit ORDER BY seq DESC LIMIT 1");

    memset(out, 0, sizeof *out);
    *is_signed = false;
    if (query_row(&q)) {
        out->seq = query_col_i64(&q, 0);
        if (!audit_column(&q, 1, out->mac, is_signed))
            memset(out->mac, 0, sizeof out->mac);
    }
    return query_stop(&q);
}

enum weir_err audit_head(struct db *db, struct audit_head *out)
{
    bool is_signed;

    return read_head(db, out, &is_signed);
}

void audit_head_text(const struct audit_head *h, char out[AUDIT_HEAD_SIZE])
{
    int n = snprintf(out, AUDIT_HEAD_SIZE, "%" PRId64 ":", h->seq);

    (void)sodium_bin2hex(out + n, AUDIT_HEAD_SIZE - (size_t)n, h->mac, sizeof h->mac);
}

bool audit_head_parse(const char *text, struct audit_head *out)
{
    char *end;
    size_t got = 0;

    memset(out, 0, sizeof *out);
    out->seq = strtoll(text, &end, 10);
    return *text >= '1' && *text <= '9' && end - text < 19 && *end == ':' && strlen(end + 1) == 2 * AUDIT_MAC_BYTES
           && sodium_hex2bin(out->mac, sizeof out->mac, end + 1, 2 * AUDIT_MAC_BYTES, NULL, &got, NULL) == 0
           && got == sizeof out->mac;
}

/* --- adding --- */

enum weir_err audit_add(struct db *db, const struct audit_entry *a)
{
    unsigned char stored[AUDIT_STORED_BYTES] = {1};
    struct audit_head head;
    bool is_signed;
    struct query q;
    enum weir_err e = read_head(db, &head, &is_signed);

    if (e)
        return e;
    if (!audit_mac(head.mac, head.seq + 1, a, stored + 1)) {
        log_error("audit: there is no key to sign with");
        return WEIR_E_INTERNAL;
    }
    q = query(db, "INSERT INTO audit(seq, at_ms, actor, action, object, detail, request_id, mac)"
                  " VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)");
    query_i64(&q, head.seq + 1);
    query_i64(&q, a->at_ms);
    query_text(&q, a->actor);
    query_text(&q, a->action);
    query_text(&q, a->object);
    query_text(&q, a->detail);
    query_text(&q, a->request_id);
    query_blob(&q, stored, sizeof stored);
    return query_end(&q);
}

enum weir_err audit_seal(struct db *db, int64_t now_ms)
{
    const struct audit_entry a = {.at_ms = now_ms, .actor = "weir", .action = AUDIT_SEALED, .object = "", .detail = "{}"};
    struct audit_head head;
    bool is_signed;
    enum weir_err e = read_head(db, &head, &is_signed);

    return e || !head.seq || is_signed ? e : audit_add(db, &a);
}

/* --- taking out at the front --- */

/* The last row to go and its MAC; *through 0: none. Rows go in order, so what stands before one that stays is all there is. */
static enum weir_err find_prefix(struct db *db, int64_t before_ms, int64_t most, int64_t *through, int64_t *rows,
                                 unsigned char mac[AUDIT_MAC_BYTES])
{
    struct query q = query(db, "SELECT seq, at_ms, mac FROM audit ORDER BY seq LIMIT ?1");
    bool is_signed;

    *through = *rows = 0;
    query_i64(&q, most);
    while (query_row(&q) && query_col_i64(&q, 1) < before_ms && audit_column(&q, 2, mac, &is_signed)) {
        *through = query_col_i64(&q, 0);
        ++*rows;
    }
    return query_stop(&q);
}

enum weir_err audit_prune(struct db *db, int64_t before_ms, int64_t now_ms, int64_t most, int64_t *gone)
{
    char object[24], detail[128], hex[2 * AUDIT_MAC_BYTES + 1];
    unsigned char mac[AUDIT_MAC_BYTES];
    const struct audit_entry a = {.at_ms = now_ms, .actor = "weir", .action = AUDIT_PRUNED, .object = object, .detail = detail};
    int64_t through;
    struct query q;
    enum weir_err e = find_prefix(db, before_ms, most, &through, gone, mac);

    if (e || !through)
        return e;
    (void)snprintf(object, sizeof object, "%" PRId64, through);
    (void)sodium_bin2hex(hex, sizeof hex, mac, sizeof mac);
    (void)snprintf(detail, sizeof detail, "{\"rows\":%" PRId64 ",\"mac\":\"%s\"}", *gone, hex);
    e = audit_add(db, &a);
    if (e)
        return e;
    q = query(db, "DELETE FROM audit WHERE seq <= ?1");
    query_i64(&q, through);
    return query_end(&q);
}

/* --- the list --- */

static void item(struct sb *out, const struct query *q)
{
    sb_putf(out, "{\"seq\":%" PRId64, query_col_i64(q, 0));
    list_time(out, "at", q, 1);
    sb_puts(out, ",\"actor\":");
    sb_json(out, query_col_text(q, 2));
    sb_puts(out, ",\"action\":");
    sb_json(out, query_col_text(q, 3));
    sb_puts(out, ",\"object\":");
    sb_json(out, query_col_text(q, 4));
    sb_puts(out, ",\"detail\":");
    sb_puts(out, query_col_i64(q, 7) ? query_col_text(q, 5) : "null");
    sb_puts(out, ",\"request_id\":");
    sb_json(out, query_col_text(q, 6));
    sb_putc(out, '}');
}

enum weir_err audit_json(struct db *ro, const char *cursor, int64_t limit, struct sb *out)
{
    struct query q = query(ro, "SELECT seq, at_ms, actor, action, object, detail, request_id, json_valid(detail) FROM audit"
                               " WHERE ?1 = 0 OR seq < ?1 ORDER BY seq DESC LIMIT ?2");

    query_i64(&q, list_after(cursor));
    query_i64(&q, limit + 1);
    return list_rows(&q, limit, item, out);
}
