/* verify.c - the order of the steps, and what was found. */
#include "store/verify_impl.h"

#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"

enum { STEP_MAX_MS = 600 * 1000, TEXT_MAX = 1000 };

static const char *const names[VERIFY_CHECKS] = {
    [VERIFY_SEALS] = "seals", [VERIFY_PARTS] = "parts", [VERIFY_ATTEMPTS] = "attempts", [VERIFY_ROLLUPS] = "rollups",
    [VERIFY_MINUTES] = "minute_rollups", [VERIFY_SESSION_ROLLUPS] = "session_rollups", [VERIFY_SPANS] = "span_rollups",
    [VERIFY_HOURS] = "hour_rollups", [VERIFY_SESSIONS] = "sessions",
    [VERIFY_MESSAGES] = "messages", [VERIFY_SETTLED] = "settled", [VERIFY_NAMES] = "names", [VERIFY_BUDGETS] = "budgets",
    [VERIFY_INTENTS] = "intents", [VERIFY_STORAGE] = "storage",
};

const char *verify_check_name(enum verify_check c)
{
    return names[c];
}

struct verify *verify_new(const struct verify_setup *s)
{
    struct verify *v = mem_zalloc(1, sizeof *v);

    v->s = *s;
    v->phase = s->part == VERIFY_TOTALS ? PHASE_SPANS : PHASE_NAMES;
    v->end = s->part == VERIFY_EVENTS ? PHASE_SPANS : PHASE_END;
    return v;
}

void verify_free(struct verify *v)
{
    if (!v)
        return;
    for (size_t i = 0; i < v->r.findings; i++) {
        free(v->r.finding[i].where);
        free(v->r.finding[i].text);
    }
    for (size_t i = 0; i < v->r.orphans; i++) {
        free(v->r.orphan[i].request_id);
        free(v->r.orphan[i].text);
    }
    for (int i = 0; i < VERIFY_ROLLED; i++)
        keysum_done(&v->keysum[i]);
    free(v->r.finding);
    free(v->r.orphan);
    free(v->combos.slot);
    free(v);
}

void verify_add(struct verify *to, struct verify *from)
{
    struct verify_result *r = &to->r;
    const struct verify_result *f = &from->r;

    r->events += f->events;
    r->attempts += f->attempts;
    r->messages += f->messages;
    r->sessions += f->sessions;
    r->quarters += f->quarters;
    r->failures += f->failures;
    r->unsealed += f->unsealed;
    r->pruned += f->pruned;
    r->orphan_count += f->orphan_count;
    for (int c = 0; c < VERIFY_CHECKS; c++) {
        r->compared[c] += f->compared[c];
        r->failed[c] += f->failed[c];
    }
    for (size_t i = 0; i < f->findings && r->findings < VERIFY_FINDINGS_MAX; i++) {
        r->finding = mem_grow(r->finding, r->findings + 1, sizeof *r->finding);
        r->finding[r->findings++] = f->finding[i];
        f->finding[i] = (struct verify_finding){.where = NULL};
    }
    for (size_t i = 0; i < f->orphans && r->orphans < VERIFY_ORPHANS_MAX; i++) {
        r->orphan = mem_grow(r->orphan, r->orphans + 1, sizeof *r->orphan);
        r->orphan[r->orphans++] = f->orphan[i];
        f->orphan[i] = (struct verify_orphan){.text = NULL};
    }
    verify_free(from);
}

const struct verify_result *verify_result(const struct verify *v)
{
    return &v->r;
}

void verify_fail(struct verify *v, enum verify_check c, const char *where, const char *fmt, ...)
{
    struct sb text = sb_make(TEXT_MAX);
    va_list ap;

    v->r.failed[c]++;
    v->r.failures++;
    if (v->r.findings < VERIFY_FINDINGS_MAX) {
        va_start(ap, fmt);
        sb_vputf(&text, fmt, ap);
        va_end(ap);
        v->r.finding = mem_grow(v->r.finding, v->r.findings + 1, sizeof *v->r.finding);
        v->r.finding[v->r.findings++] = (struct verify_finding){c, mem_strdup(where), sb_take(&text)};
    }
    sb_done(&text);
}

void verify_fail_order(struct verify *v, const char *table)
{
    verify_fail(v, VERIFY_STORAGE, table, "Its keys are out of order: the file is damaged, and not all of it was compared. Restore a backup.");
}

const char *verify_time(char out[VERIFY_TIME_SIZE], int64_t utc_ms)
{
    struct sb text = sb_make(VERIFY_TIME_SIZE);

    sb_time(&text, utc_ms);
    (void)snprintf(out, VERIFY_TIME_SIZE, "%s", sb_str(&text));
    sb_done(&text);
    return out;
}

static enum weir_err work(struct verify *v, bool *more)
{
    switch (v->phase) {
    case PHASE_NAMES:
        *more = false;
        return verify_names(v);
    case PHASE_QUARTERS: return verify_quarter(v, more);
    case PHASE_SPANS: return verify_spans(v, more);
    case PHASE_HOURS: return verify_hours(v, more);
    case PHASE_SESSIONS: return verify_sessions(v, more);
    case PHASE_REST: return verify_rest(v, more);
    case PHASE_END: break;
    }
    return WEIR_OK;
}

bool verify_step(struct verify *v)
{
    bool more = true;
    enum weir_err e;

    if (v->phase == v->end)
        return false;
    e = db_read_begin(v->s.ro, STEP_MAX_MS);
    if (!e)
        e = work(v, &more);
    db_read_end(v->s.ro);
    if (e) {
        verify_fail(v, VERIFY_STORAGE, db_path(v->s.ro), "The database cannot be read any further (%s); restore a backup. The log has SQLite's words.",
                    err_text(e));
        v->phase = v->end;
    } else if (!more) {
        v->phase++;
    }
    return v->phase != v->end;
}
