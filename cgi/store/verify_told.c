/* verify_told.c - what a check found, for programs and for people, and what is kept of it. */
#include <inttypes.h>
#include <jansson.h>
#include <string.h>

#include "store/upkeep.h"
#include "store/verify_impl.h"

#define KEY "ledger_check"

static void time_or_null(struct sb *out, const char *name, int64_t ms)
{
    sb_putf(out, ",\"%s\":", name);
    if (!ms) {
        sb_puts(out, "null");
        return;
    }
    sb_putc(out, '"');
    sb_time(out, ms);
    sb_putc(out, '"');
}

void verify_json(const struct verify *v, struct sb *out)
{
    const struct verify_result *r = &v->r;

    sb_putf(out, "{\"holds\":%s", r->failures ? "false" : "true");
    time_or_null(out, "at", v->s.now_ms);
    sb_putf(out, ",\"events\":%" PRId64 ",\"attempts\":%" PRId64 ",\"messages\":%" PRId64 ",\"sessions\":%" PRId64 ",\"quarters\":%" PRId64
            ",\"unsealed_quarters\":%" PRId64 ",\"pruned_quarters\":%" PRId64 ",\"checks\":[",
            r->events, r->attempts, r->messages, r->sessions, r->quarters, r->unsealed, r->pruned);
    for (int c = 0; c < VERIFY_CHECKS; c++)
        sb_putf(out, "%s{\"check\":\"%s\",\"compared\":%" PRId64 ",\"failed\":%" PRId64 "}", c ? "," : "", verify_check_name((enum verify_check)c),
                r->compared[c], r->failed[c]);
    sb_puts(out, "],\"findings\":[");
    for (size_t i = 0; i < r->findings; i++) {
        sb_putf(out, "%s{\"check\":\"%s\",\"where\":", i ? "," : "", verify_check_name(r->finding[i].check));
        sb_json(out, r->finding[i].where);
        sb_puts(out, ",\"text\":");
        sb_json(out, r->finding[i].text);
        sb_putc(out, '}');
    }
    sb_putf(out, "],\"orphan_count\":%" PRId64 ",\"orphans\":[", r->orphan_count);
    for (size_t i = 0; i < r->orphans; i++) {
        sb_puts(out, i ? ",{\"request_id\":" : "{\"request_id\":");
        sb_json(out, r->orphan[i].request_id);
        time_or_null(out, "at", r->orphan[i].at_ms);
        sb_puts(out, ",\"text\":");
        sb_json(out, r->orphan[i].text);
        sb_putc(out, '}');
    }
    sb_puts(out, "]}\n");
}

void verify_print(const struct verify *v, struct sb *out)
{
    const struct verify_result *r = &v->r;
    char time[VERIFY_TIME_SIZE];

    for (size_t i = 0; i < r->orphans; i++)
        sb_putf(out, "orphan: %s of %s: %s\n", r->orphan[i].request_id, verify_time(time, r->orphan[i].at_ms), r->orphan[i].text);
    if (r->orphan_count > (int64_t)r->orphans)
        sb_putf(out, "orphans: %" PRId64 " more, older\n", r->orphan_count - (int64_t)r->orphans);
    for (size_t i = 0; i < r->findings; i++)
        sb_putf(out, "%s: %s: %s\n", verify_check_name(r->finding[i].check), r->finding[i].where, r->finding[i].text);
    if (r->failures > (int64_t)r->findings)
        sb_putf(out, "%" PRId64 " more that are not listed\n", r->failures - (int64_t)r->findings);
    for (int c = 0; c < VERIFY_CHECKS; c++) {
        if (r->compared[c] || r->failed[c])
            sb_putf(out, "%-16s %10" PRId64 " compared, %" PRId64 " failed\n", verify_check_name((enum verify_check)c), r->compared[c], r->failed[c]);
    }
    if (r->unsealed)
        sb_putf(out, "%" PRId64 " quarters of an hour have events from before seals were kept: their sums were compared, their bytes cannot be.\n", r->unsealed);
    if (r->pruned)
        sb_putf(out, "%" PRId64 " quarters of an hour have been removed by retention; their roll-ups were compared with the seals.\n", r->pruned);
    sb_putf(out, r->failures ? "The ledger does not add up: %" PRId64 " findings" : "The ledger adds up", r->failures);
    sb_putf(out, " (%" PRId64 " events, %" PRId64 " attempts, %" PRId64 " answers, %" PRId64 " sessions).\n", r->events, r->attempts, r->messages, r->sessions);
}

/* --- kept --- */

enum weir_err verify_last_read(struct db *db, struct verify_last *out)
{
    struct sb text = sb_make(1000);
    enum weir_err e = upkeep_get(db, KEY, &text);
    json_t *kept = e ? NULL : json_loadb(sb_str(&text), text.len, 0, NULL);

    memset(out, 0, sizeof *out);
    if (kept) {
        out->complete = true;
        out->checked_ms = json_integer_value(json_object_get(kept, "checked_ms"));
        out->held_ms = json_integer_value(json_object_get(kept, "held_ms"));
        out->failures = json_integer_value(json_object_get(kept, "failures"));
        out->events = json_integer_value(json_object_get(kept, "events"));
    }
    json_decref(kept);
    sb_done(&text);
    return e;
}

enum weir_err verify_last_keep(struct db *db, const struct verify_result *r, int64_t now_ms)
{
    struct verify_last before;
    enum weir_err e = verify_last_read(db, &before);
    struct sb text = sb_make(1000);

    sb_putf(&text, "{\"checked_ms\":%" PRId64 ",\"held_ms\":%" PRId64 ",\"failures\":%" PRId64 ",\"events\":%" PRId64 "}", now_ms,
            r->failures ? before.held_ms : now_ms, r->failures, r->events);
    if (!e)
        e = upkeep_put(db, KEY, sb_str(&text), now_ms);
    sb_done(&text);
    return e;
}

void verify_last_json(const struct verify_last *l, struct sb *out)
{
    if (!l->complete) {
        sb_puts(out, "null");
        return;
    }
    sb_putf(out, "{\"holds\":%s", l->failures ? "false" : "true");
    time_or_null(out, "checked_at", l->checked_ms);
    time_or_null(out, "held_at", l->held_ms);
    sb_putf(out, ",\"failures\":%" PRId64 ",\"events\":%" PRId64 "}", l->failures, l->events);
}
