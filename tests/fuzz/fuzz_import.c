/* fuzz_import.c - files that Weir reads back: settlements that waited, recorded
 * traffic, the limits' state, an anchor of the audit log, prices. What was
 * damaged is refused; what is accepted is written the same again.
 *
 * The first byte says which; for settlements and state the harness can mend the
 * checksum, or what is read would never be more than that. */
#include <inttypes.h>
#include <string.h>

#include "flow/admit.h"
#include "fuzz.h"
#include "rules/price.h"
#include "store/audit.h"
#include "store/spill_line.h"
#include "store/traffic.h"

const size_t fuzz_neighbours = 1000;

enum { OUT_MAX = 1 << 24 };

/* FNV-1a, as the line's last member has it. */
static void mend(struct sb *line, const char *p, size_t n)
{
    uint64_t h = UINT64_C(0xcbf29ce484222325);

    for (size_t i = 0; i < n; i++)
        h = (h ^ (unsigned char)p[i]) * UINT64_C(0x100000001b3);
    sb_put(line, p, n);
    sb_putf(line, ",\"sum\":\"%016" PRIx64 "\"}", h);
}

static bool spill_accepts(const char *p, size_t n)
{
    struct sb out = sb_make(OUT_MAX), again = sb_make(OUT_MAX);
    struct spill_line l, m;

    if (!spill_line_read(p, n, &l))
        return false;
    must(memchr(l.rec.request_id, '\0', sizeof l.rec.request_id));
    if (l.rec.attempt_count <= CALL_ATTEMPTS_MAX) {
        spill_line_put(&out, &l.rec, true);
        must(spill_line_read(sb_str(&out), out.len, &m));
        spill_line_put(&again, &m.rec, true);
        must(out.len == again.len && memcmp(out.p, again.p, out.len) == 0);
        spill_line_done(&m);
    }
    spill_line_done(&l);
    sb_done(&out);
    sb_done(&again);
    return true;
}

static void check_spill(const char *p, size_t n, bool mended)
{
    struct sb line = sb_make(OUT_MAX);

    if (!mended) {
        (void)spill_accepts(p, n);
        return;
    }
    mend(&line, p, n);
    /* A good line with any one bit changed is none. */
    if (spill_accepts(sb_str(&line), line.len))
        for (size_t at = 0; at < line.len; at += line.len / 16 + 1) {
            line.p[at] ^= 4;
            must(!spill_accepts(line.p, line.len));
            line.p[at] ^= 4;
        }
    sb_done(&line);
}

static void check_traffic(const char *p, size_t n)
{
    struct sb out = sb_make(OUT_MAX), again = sb_make(OUT_MAX), why = sb_make(1000);
    struct traffic t, u;

    if (!traffic_read(p, n, &t, &why)) {
        must(strstr(sb_str(&why), "line ") && !t.call && !t.n);
        goto out;
    }
    for (size_t i = 0; i < t.n; i++) {
        must(t.call[i].user < t.users.n && t.call[i].model < t.models.n);
        must(t.call[i].upstream == TRAFFIC_NONE || t.call[i].upstream < t.upstreams.n);
        must(i == 0 || t.call[i].at_us >= t.call[i - 1].at_us);
    }
    traffic_write(&t, &out);
    must(traffic_read(sb_str(&out), out.len, &u, &why));
    traffic_write(&u, &again);
    must(out.len == again.len && memcmp(sb_str(&out), sb_str(&again), out.len) == 0);
    traffic_done(&t);
    traffic_done(&u);
out:
    sb_done(&out);
    sb_done(&again);
    sb_done(&why);
}

/* State that was damaged changes nothing; what is taken back leaves limits that can be used. */
static void check_state(const char *p, size_t n)
{
    static const int64_t now_us = INT64_C(1000000000000), utc_ms = INT64_C(1795327200000);
    struct admit_upstream up = {.name = "openai", .limit = {60, 3000, 1500, 100000, 0, 900}, .max_concurrent = 4,
                                .patience = {3, 1000, 100000, 60000000}};
    struct admit_config c = {.upstreams = &up, .upstream_count = 1, .queue_max = 10, .retry_budget_ppm = 100000};
    struct admit *a = admit_new(&c, 1, now_us);
    struct sb before = sb_make(OUT_MAX), after = sb_make(OUT_MAX);
    struct admit_upstream_view v;
    struct admit_grant g;

    admit_save(a, now_us, utc_ms, &before);
    if (!admit_load(a, p, n, now_us, utc_ms)) {
        admit_save(a, now_us, utc_ms, &after);
        must(before.len == after.len && memcmp(sb_str(&before), sb_str(&after), before.len) == 0);
    }
    admit_view(a, 0, now_us, &v);
    must(v.running == 0 && v.waiting == 0 && v.rate_ppm >= 0 && v.rate_ppm <= 1000000);
    for (int d = 0; d < DIM_COUNT; d++)
        must(v.dim[d].used >= 0 && v.dim[d].reserved == 0 && v.dim[d].allowed <= v.dim[d].limit);
    must(!admit_expire(a, now_us) && !admit_next(a, now_us, &g) && admit_wake_us(a, now_us) > now_us);
    admit_free(a);
    sb_done(&before);
    sb_done(&after);
}

static void check_anchor(const char *p, size_t n)
{
    char *text = strndup(p, n), again[AUDIT_HEAD_SIZE];
    struct audit_head h, same;

    must(text);
    if (audit_head_parse(text, &h)) {
        audit_head_text(&h, again);
        must(audit_head_parse(again, &same) && same.seq == h.seq && memcmp(same.mac, h.mac, sizeof h.mac) == 0);
    }
    free(text);
}

static void check_prices(const char *p, size_t n)
{
    static const char base[] = "{\"as_of\":\"2026-11-10\",\"models\":{}}";
    struct usage_tokens u = {.prompt = 1000, .cached = 100, .completion = 50, .reasoning = 10};
    struct price_table *t;
    char why[PRICE_WHY] = "";

    if (price_table_load(p, n, NULL, 0, &t, why))
        must(!t && *why);
    else {
        for (size_t i = 0; i < price_table_count(t); i++) {
            const struct price *price = price_table_at(t, i);
            struct cost cost;

            must(price->tiers >= 1 && price->tiers <= PRICE_TIERS_MAX && price->tier[0].in >= 0 && price->tier[0].out >= 0);
            if (price_cost(price, &u, &cost))
                must(cost.total >= 0 && price_worst_case(price, 1000, 50) >= 0);
        }
        price_table_free(t);
    }
    if (!price_table_load(base, sizeof base - 1, p, n, &t, why))
        price_table_free(t);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    char *text;

    if (n == 0)
        return 0;
    text = malloc(n);
    memcpy(text, data + 1, n - 1);
    switch (data[0] % 6) {
    case 0: check_spill(text, n - 1, false); break;
    case 1: check_spill(text, n - 1, true); break;
    case 2: check_traffic(text, n - 1); break;
    case 3: check_state(text, n - 1); break;
    case 4: check_anchor(text, n - 1); break;
    default: check_prices(text, n - 1); break;
    }
    free(text);
    return 0;
}
