/* tuner.c - what to try, whether it is a gain, and the words for it. */
#include "flow/tuner.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "flow/admission.h"
#include "store/traffic.h"
#include "store/upkeep.h"

enum {
    STEP = 64,                     /* events of a replay; one takes a forecast of the whole queue at most */
    ADMISSION_MAX = 16 * 1024 * 1024,
    REFUSED_PERCENT = 1,           /* of an upstream's attempts: more 429s than that, and its safety margin is too small */
    LOST_PERCENT = 1,              /* of requests: so many fewer lost are a gain … */
    WAIT_PERCENT = 20,             /* … as is a p95 wait shorter by this part … */
    WORSE_PERCENT = 10             /* … while High waits no longer than by this */
};

#define WAIT_GAIN_US (200 * USEC_PER_MS)      /* less is nothing anybody would notice */
#define WAIT_MATTERS_US (500 * USEC_PER_MS)
#define MARGIN_STEP INT64_C(50)
#define MARGIN_MAX INT64_C(500)
#define BURST_MAX_US (60 * USEC_PER_SEC)
#define WAIT_MAX_US (3600 * USEC_PER_SEC)
#define CONCURRENT_MAX INT64_C(10000)
#define QUEUE_MAX INT64_C(100000)

struct trial {
    char *setting, *current, *proposed;
    int64_t refused, attempts;     /* by the provider, where that is the reason; else 0 */
};

struct tuner {
    const struct settings *s;
    struct traffic traffic;
    int64_t (*told)[DIM_COUNT];
    int64_t now_ms;
    struct replay_result before;
    bool has_before;
    struct trial *trial;
    size_t trials, next;           /* next: the one at work, if any is */
    struct replay *running;        /* or NULL */
    struct settings copy;          /* it goes by these */
    struct suggestion *found;
    size_t found_n;
};

int64_t (*tuner_told(const struct settings *s, struct db *ro))[DIM_COUNT]
{
    size_t count = s->n_upstreams;
    int64_t (*told)[DIM_COUNT] = mem_zalloc(count, sizeof *told);
    struct sb saved = sb_make(ADMISSION_MAX);

    if (upkeep_get(ro, UPKEEP_ADMISSION, &saved) == WEIR_OK && saved.len && sb_ok(&saved)) {
        for (size_t i = 0; i < count; i++)
            admit_saved_told(sb_str(&saved), saved.len, s->upstreams[i].name, told[i]);
    }
    sb_done(&saved);
    return told;
}

struct tuner *tuner_new(const struct settings *s, struct db *ro, int64_t now_ms)
{
    struct tuner *t = mem_zalloc(1, sizeof *t);

    t->s = s;
    t->now_ms = now_ms;
    if (traffic_load(ro, now_ms - TUNER_RANGE_MS, now_ms + 1, TUNER_REQUESTS, &t->traffic)) {
        free(t);
        return NULL;
    }
    t->told = tuner_told(s, ro);
    return t;
}

void tuner_free(struct tuner *t)
{
    if (!t)
        return;
    for (size_t i = 0; i < t->trials; i++) {
        free(t->trial[i].setting);
        free(t->trial[i].current);
        free(t->trial[i].proposed);
    }
    for (size_t i = 0; i < t->found_n; i++)
        free(t->found[i].text);
    if (t->running) {
        replay_end(t->running, NULL);
        free(t->copy.upstreams);
    }
    free(t->trial);
    free(t->found);
    free(t->told);
    replay_done(&t->before);
    traffic_done(&t->traffic);
    free(t);
}

int64_t tuner_requests(const struct tuner *t)
{
    return (int64_t)t->traffic.n;
}

size_t tuner_found(const struct tuner *t, const struct suggestion **out)
{
    *out = t->found;
    return t->found_n;
}

/* --- what to try --- */

/* The settings with one number other than it is. The copy borrows all texts; only its list of upstreams is freed. */
static struct settings copy_of(const struct settings *s)
{
    struct settings c = *s;

    c.upstreams = mem_zalloc(s->n_upstreams, sizeof *c.upstreams);
    memcpy(c.upstreams, s->upstreams, s->n_upstreams * sizeof *c.upstreams);
    return c;
}

/* Put a trial on the list: the setting's number becomes `value`, in the unit it is stored in. */
static struct trial *try_value(struct tuner *t, const char *upstream, const char *key, int64_t value)
{
    struct sb setting = sb_make(300), current = sb_make(100), proposed = sb_make(100);
    struct settings copy = copy_of(t->s);
    const struct cfg_option *o;
    struct trial *trial = NULL;
    void *base;

    if (upstream)
        sb_putf(&setting, "upstreams.%s.", upstream);
    sb_puts(&setting, key);
    o = settings_find(&copy, sb_str(&setting), &base);
    if (o) {
        int64_t *at = (int64_t *)(void *)((char *)base + o->at);

        cfg_value_text(o, base, &current);
        if (*at != value) {
            *at = value;
            cfg_value_text(o, base, &proposed);
            t->trial = mem_grow(t->trial, t->trials + 1, sizeof *t->trial);
            trial = &t->trial[t->trials++];
            *trial = (struct trial){sb_take(&setting), sb_take(&current), sb_take(&proposed), 0, 0};
        }
    }
    free(copy.upstreams);
    sb_done(&setting);
    sb_done(&current);
    sb_done(&proposed);
    return trial;
}

static int64_t least(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

/* What an upstream was sent, and refused. */
struct sent {
    int64_t attempts, refused;
    bool high;                     /* somebody asked with priority High */
};

static struct sent sent_to(const struct traffic *t, const char *upstream)
{
    struct sent n = {0};

    for (size_t i = 0; i < t->n; i++) {
        const struct traffic_call *c = &t->call[i];

        n.high = n.high || c->priority == PRIORITY_HIGH;
        if (c->upstream == TRAFFIC_NONE || strcmp(t->upstreams.v[c->upstream], upstream) != 0)
            continue;
        n.attempts += c->attempts;
        n.refused += c->refused;
    }
    return n;
}

/* Too many refusals: more distance. That costs waiting, which the replay tells. */
static void try_more_margin(struct tuner *t, const struct upstream_settings *u, const struct sent *n)
{
    struct trial *trial = try_value(t, u->name, "safety_margin", least(u->tune.safety_margin_permille + MARGIN_STEP, MARGIN_MAX));

    if (trial) {
        trial->refused = n->refused;
        trial->attempts = n->attempts;
    }
}

static void try_limits(struct tuner *t, const struct upstream_settings *u, const int64_t told[DIM_COUNT])
{
    const int64_t limit[DIM_COUNT] = {u->tune.limits.requests_per_minute, u->tune.limits.requests_per_hour,
                                      u->tune.limits.tokens_per_minute, u->tune.limits.tokens_per_hour,
                                      u->tune.limits.input_tokens_per_minute, u->tune.limits.output_tokens_per_minute};

    for (int d = 0; d < DIM_COUNT; d++) {
        struct sb key = sb_make(100);

        sb_putf(&key, "limits.%s", dim_name((enum dim)d));
        if (limit[d] > 0 && told[d] > limit[d])
            (void)try_value(t, u->name, sb_str(&key), told[d]);
        sb_done(&key);
    }
}

static void try_upstream(struct tuner *t, size_t i, bool slow)
{
    const struct upstream_settings *u = &t->s->upstreams[i];
    const struct tuning_settings *tune = &u->tune;
    struct sent n = sent_to(&t->traffic, u->name);

    if (!n.attempts || !settings_is_called(u))
        return;
    if (n.refused * 100 > n.attempts * REFUSED_PERCENT) {
        try_more_margin(t, u, &n);
        return;
    }
    if (!slow)
        return;
    try_limits(t, u, t->told[i]);
    (void)try_value(t, u->name, "max_concurrent", least(tune->max_concurrent * 2, CONCURRENT_MAX));
    (void)try_value(t, u->name, "burst", least(tune->burst_us * 2, BURST_MAX_US));
    (void)try_value(t, u->name, "reserve", n.high ? tune->reserve_permille / 2 : 0);
    if (!n.refused)
        (void)try_value(t, u->name, "safety_margin", tune->safety_margin_permille / 2);
}

static int64_t lost(const struct replay_result *r)
{
    return r->refused - r->unserved + r->timed_out + r->failed;
}

static void plan(struct tuner *t)
{
    bool slow = t->before.wait.p95_us >= WAIT_MATTERS_US || lost(&t->before) > 0;

    for (size_t i = 0; i < t->s->n_upstreams; i++)
        try_upstream(t, i, slow);
    if (lost(&t->before) > 0) {
        (void)try_value(t, NULL, "queue.max_wait", least(t->s->queue.max_wait_us * 2, WAIT_MAX_US));
        (void)try_value(t, NULL, "queue.max_size", least(t->s->queue.max_size * 2, QUEUE_MAX));
    }
}

/* --- whether it helps --- */

static bool high_suffers(const struct replay_result *before, const struct replay_result *after)
{
    int64_t was = before->by_priority[PRIORITY_HIGH].p95_us, is = after->by_priority[PRIORITY_HIGH].p95_us;

    return is > was + was * WORSE_PERCENT / 100 + WAIT_GAIN_US;
}

static bool is_gain(const struct replay_result *before, const struct replay_result *after)
{
    int64_t won_us = before->wait.p95_us - after->wait.p95_us, saved = lost(before) - lost(after);

    if (after->answers_429 > before->answers_429 || high_suffers(before, after) || saved < 0)
        return false;
    return (saved > 0 && saved * 100 >= before->requests * LOST_PERCENT) ||
           (won_us >= WAIT_GAIN_US && won_us * 100 >= before->wait.p95_us * WAIT_PERCENT);
}

/* 8.2 s */
static void put_seconds(struct sb *out, int64_t us)
{
    int64_t tenths = ((us > 0 ? us : 0) + 50000) / 100000;

    sb_putf(out, "%" PRId64 ".%" PRId64 " s", tenths / 10, tenths % 10);
}

static void put_text(const struct tuner *t, const struct trial *trial, const struct replay_result *after, struct sb *out)
{
    const struct replay_result *before = &t->before;

    sb_putf(out, "%s from %s to %s: ", trial->setting, trial->current, trial->proposed);
    if (trial->refused)
        sb_putf(out, "the provider refused %" PRId64 " of %" PRId64 " calls with 429, and more distance to its limits avoids that; ",
                trial->refused, trial->attempts);
    sb_puts(out, "p95 wait ");
    put_seconds(out, before->wait.p95_us);
    sb_puts(out, " -> ");
    put_seconds(out, after->wait.p95_us);
    if (lost(before) || lost(after))
        sb_putf(out, ", refused or timed out %" PRId64 " -> %" PRId64, lost(before), lost(after));
    sb_putf(out, " over %" PRId64 " requests of the last 24 h.", before->requests);
}

static void keep(struct tuner *t, const struct trial *trial, const struct replay_result *after)
{
    struct sb text = sb_make(2000);

    put_text(t, trial, after, &text);
    t->found = mem_grow(t->found, t->found_n + 1, sizeof *t->found);
    t->found[t->found_n++] = (struct suggestion){
        .severity = trial->refused || lost(&t->before) * 100 >= t->before.requests * LOST_PERCENT ? "warning" : "info",
        .setting = trial->setting, .current = trial->current, .proposed = trial->proposed, .text = sb_take(&text),
        .wait_before = t->before.wait, .wait_after = after->wait, .lost_before = lost(&t->before), .lost_after = lost(after),
    };
}

/* Begin to replay with the settings as they are, or with the next trial's. */
static void begin(struct tuner *t)
{
    struct replay_setup setup = {.settings = &t->copy, .provider = (const int64_t (*)[DIM_COUNT])t->told, .seed = 1};
    void *base;

    t->copy = copy_of(t->s);
    if (t->has_before) {
        const struct trial *trial = &t->trial[t->next];
        const struct cfg_option *o = settings_find(&t->copy, trial->setting, &base);
        struct sb why = sb_make(1000);

        if (!o || !cfg_set(o, base, trial->proposed, trial->setting, &why))
            log_error("tuner: %s", sb_str(&why));    /* then nothing changes, and that is no gain */
        sb_done(&why);
    }
    t->running = replay_new(&t->traffic, &setup);
}

static void conclude(struct tuner *t)
{
    struct replay_result after = {0};

    replay_end(t->running, t->has_before ? &after : &t->before);
    t->running = NULL;
    free(t->copy.upstreams);
    if (!t->has_before) {
        t->has_before = true;
        plan(t);
        return;
    }
    if (t->trial[t->next].refused || is_gain(&t->before, &after))
        keep(t, &t->trial[t->next], &after);
    replay_done(&after);
    t->next++;
}

bool tuner_step(struct tuner *t)
{
    if (t->traffic.n < TUNER_ENOUGH || (t->has_before && t->next == t->trials))
        return false;
    if (!t->running)
        begin(t);
    if (!replay_step(t->running, STEP))
        conclude(t);
    return !t->has_before || t->next < t->trials;
}

/* --- as JSON --- */

static void put_pair(struct sb *out, const char *name, int64_t before, int64_t after)
{
    sb_putf(out, ",\"%s\":{\"current\":%" PRId64 ",\"proposed\":%" PRId64 "}", name, before, after);
}

void tuner_json(const struct tuner *t, struct sb *out)
{
    for (size_t i = 0; i < t->found_n; i++) {
        const struct suggestion *f = &t->found[i];

        sb_putf(out, "%s{\"severity\":\"%s\",\"text\":", i ? "," : "", f->severity);
        sb_json(out, f->text);
        sb_puts(out, ",\"setting\":");
        sb_json(out, f->setting);
        sb_puts(out, ",\"current\":");
        sb_json(out, f->current);
        sb_puts(out, ",\"proposed\":");
        sb_json(out, f->proposed);
        sb_putf(out, ",\"evidence\":{\"requests\":%" PRId64 ",\"from\":\"", t->before.requests);
        sb_time(out, t->traffic.from_ms);
        sb_puts(out, "\",\"computed_at\":\"");
        sb_time(out, t->now_ms);
        sb_putc(out, '"');
        put_pair(out, "wait_p50_ms", f->wait_before.p50_us / 1000, f->wait_after.p50_us / 1000);
        put_pair(out, "wait_p95_ms", f->wait_before.p95_us / 1000, f->wait_after.p95_us / 1000);
        put_pair(out, "refused", f->lost_before, f->lost_after);
        sb_puts(out, "}}");
    }
}
