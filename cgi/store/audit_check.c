/* audit_check.c - the whole chain is read and each MAC made anew. */
#include <sodium.h>
#include <stdlib.h>
#include <string.h>

#include "store/audit_chain.h"

enum { CHECK_MS = 3600 * 1000 };

/* Where the log begins: behind what retention took out last, with the MAC of that row. The row that says so is itself in
 * the chain, so this is only believed if the rest fits. */
static enum weir_err find_start(struct db *db, int64_t *through, unsigned char mac[AUDIT_MAC_BYTES])
{
    struct query q = query(db, "SELECT object, detail FROM audit WHERE action = 'audit.pruned' ORDER BY seq DESC LIMIT 1");
    static const char name[] = "\"mac\":\"";
    size_t got;

    *through = 0;
    memset(mac, 0, AUDIT_MAC_BYTES);
    if (query_row(&q)) {
        const char *object = query_col_text(&q, 0), *detail = query_col_text(&q, 1);
        const char *hex = detail ? strstr(detail, name) : NULL;

        *through = object ? strtoll(object, NULL, 10) : 0;
        if (hex)
            (void)sodium_hex2bin(mac, AUDIT_MAC_BYTES, hex + sizeof name - 1, strcspn(hex + sizeof name - 1, "\""), NULL, &got, NULL);
    }
    return query_stop(&q);
}

struct check {
    int64_t seq;                            /* of the row before */
    unsigned char before[AUDIT_MAC_BYTES];
    bool any_signed, any_plain;
};

static const char *check_row(struct check *c, const struct query *q)
{
    const struct audit_entry a = {.at_ms = query_col_i64(q, 1), .actor = query_col_text(q, 2), .action = query_col_text(q, 3),
                                  .object = query_col_text(q, 4), .detail = query_col_text(q, 5), .request_id = query_col_text(q, 6)};
    unsigned char stored[AUDIT_MAC_BYTES], mac[AUDIT_MAC_BYTES];
    int64_t seq = query_col_i64(q, 0);
    bool is_signed;

    if (seq != c->seq + 1)
        return "rows before this one are missing";
    if (!audit_column(q, 7, stored, &is_signed))
        return "it has no MAC";
    if (is_signed && !audit_mac(c->before, seq, &a, mac))
        return "there is no key to check it with";
    if (!is_signed)
        audit_old_hash(c->before, seq, &a, mac);
    if (sodium_memcmp(stored, mac, sizeof mac) != 0)
        return "it, or the one before it, is not what was written";
    if (!is_signed && c->any_signed)
        return "it is not signed";
    if (is_signed && !c->any_signed && c->any_plain && strcmp(a.action, AUDIT_SEALED) != 0)
        return "the unsigned rows before it were not sealed";
    c->any_signed = c->any_signed || is_signed;
    c->any_plain = c->any_plain || !is_signed;
    c->seq = seq;
    memcpy(c->before, mac, sizeof mac);
    return NULL;
}

static enum weir_err check_rows(struct db *db, struct check *c, const struct audit_head *anchor, struct audit_found *out)
{
    struct query q = query(db, "SELECT seq, at_ms, actor, action, object, detail, request_id, mac FROM audit ORDER BY seq");
    int64_t first = 0;

    while (!out->bad && query_row(&q)) {
        out->rows++;
        first = first ? first : query_col_i64(&q, 0);
        out->why = check_row(c, &q);
        if (!out->why && anchor && anchor->seq == c->seq && sodium_memcmp(anchor->mac, c->before, sizeof c->before) != 0)
            out->why = "it is not the row the anchor was made from";
        if (out->why)
            out->bad = query_col_i64(&q, 0);
    }
    if (!out->bad && c->any_plain && !c->any_signed) {
        out->bad = first;
        out->why = "nothing is signed";
    }
    return query_stop(&q);
}

enum weir_err audit_verify(struct db *db, const struct audit_head *anchor, struct audit_found *out)
{
    struct check c = {0};
    enum weir_err e = db_read_begin(db, CHECK_MS);

    memset(out, 0, sizeof *out);
    if (!e)
        e = find_start(db, &out->pruned, c.before);
    c.seq = out->pruned;
    if (!e && anchor && anchor->seq == out->pruned && sodium_memcmp(anchor->mac, c.before, sizeof c.before) != 0) {
        out->bad = anchor->seq;
        out->why = "it is not the row the anchor was made from";
    }
    if (!e && !out->bad)
        e = check_rows(db, &c, anchor, out);
    if (!e && !out->bad && anchor && anchor->seq > c.seq) {
        out->bad = c.seq + 1;
        out->why = "it and what followed are missing; the anchor has seen them";
    }
    db_read_end(db);
    return e;
}
