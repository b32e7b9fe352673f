/* admit_save.c - limits, debts and stabilization across a restart.
 *
 * Written as JSON with ages instead of times, since the monotonic clock starts
 * anew: {"at":utc_ms,"unseen":µs,"groups":[{"name":…,"dims":[…]}],"learned":[…]}.
 * What was set aside at the moment of saving is counted as used: the calls may
 * have reached the provider. Of what was sent after a save that was not the last
 * nothing is known: as much as the limits could have let pass is counted, as of now. Time that
 * passed in between is taken from the calendar and never below zero. A limit
 * that a provider told is believed for a day. Of the lengths of answers those
 * used last are kept. */
#include "flow/admit.h"

#include <inttypes.h>
#include <string.h>

#include "base/json.h"
#include "flow/admit_state.h"

#define UNSEEN_MOST_US (INT64_C(60) * 1000000)

static const struct json_limits saved_limits = {.max_depth = 8, .max_values = 1000000};

/* An upstream's limits are saved under the name of the first of its group, which it also is at the next start. */
static const char *group_name(const struct admit *a, uint32_t group)
{
    const struct admit_upstream *first = admit_leader(a, group);

    return first ? first->name : a->upstream[__builtin_ctzll(a->pick.group_mask[group])].name;
}

/* [[age in µs, amount], …] of what is in the window, oldest first. */
static void save_window(const struct window *w, int64_t held, int64_t now_us, struct sb *out)
{
    const char *comma = "";

    sb_putc(out, '[');
    for (int64_t n = w->current - WINDOW_SPAN + 1; n <= w->current; n++) {
        int64_t amount = w->slot[n & (WINDOW_RING - 1)] + (n == w->current ? held : 0);
        int64_t age = now_us - (n + 1) * w->slot_us + 1;

        if (!amount)
            continue;
        sb_putf(out, "%s[%" PRId64 ",%" PRId64 "]", comma, age > 0 ? age : 0, amount);
        comma = ",";
    }
    sb_putc(out, ']');
}

static void save_dim(const struct limits *l, enum dim i, struct sb *out)
{
    const struct limits_dim *d = &l->dim[i];

    sb_putf(out, "{\"dim\":\"%s\",\"level\":%" PRId64 ",\"used\":", dim_name(i), bucket_tokens(&d->bucket));
    save_window(&d->window, d->held, l->now_us, out);
    if (d->stab.until_us)
        sb_putf(out, ",\"cut\":{\"since\":%" PRId64 ",\"until\":%" PRId64 ",\"calm\":%" PRId64 ",\"from_ppm\":%d,\"burst_ppm\":%d}",
                d->stab.since_us - l->now_us, d->stab.until_us - l->now_us, d->stab.calm_us - l->now_us,
                (int)d->stab.from_ppm, (int)d->stab.burst_ppm);
    if (d->told_limit > 0 && !d->told_longer)
        sb_putf(out, ",\"told\":%" PRId64 ",\"told_age\":%" PRId64, d->told_limit, l->now_us - d->told_us);
    sb_putc(out, '}');
}

/* [[key, sample, …], …], the oldest sample first. */
static void save_learned(const struct learned *l, struct sb *out)
{
    const struct learned_row *row[LEARNED_KEPT];
    uint32_t n = learned_recent(l, row);

    for (uint32_t i = 0; i < n; i++) {
        sb_putf(out, "%s[%" PRId64, i ? "," : "", (int64_t)row[i]->key);
        for (int32_t k = 0; k < row[i]->n; k++) {
            int32_t at = row[i]->n < LEARNED_SAMPLES ? k : (row[i]->next + k) % LEARNED_SAMPLES;

            sb_putf(out, ",%d", (int)row[i]->sample[at]);
        }
        sb_putc(out, ']');
    }
}

void admit_save(const struct admit *a, int64_t now_us, int64_t utc_ms, struct sb *out)
{
    admit_save_running(a, 0, now_us, utc_ms, out);
}

void admit_save_running(const struct admit *a, int64_t unseen_us, int64_t now_us, int64_t utc_ms, struct sb *out)
{
    sb_putf(out, "{\"at\":%" PRId64 ",\"unseen\":%" PRId64 ",\"groups\":[", utc_ms, unseen_us);
    for (uint32_t g = 0; g < a->pick.groups; g++) {
        struct limits l = a->pick.limits[g];
        const char *comma = "";

        limits_tick(&l, now_us);
        sb_puts(out, g ? ",{\"name\":" : "{\"name\":");
        sb_json(out, group_name(a, g));
        sb_putf(out, ",\"cooldown\":%" PRId64 ",\"dims\":[", l.cooldown_us > now_us ? l.cooldown_us - now_us : 0);
        for (int d = 0; d < DIM_COUNT; d++) {
            if (!l.dim[d].limit)
                continue;
            sb_puts(out, comma);
            save_dim(&l, (enum dim)d, out);
            comma = ",";
        }
        sb_puts(out, "]}");
    }
    sb_puts(out, "],\"learned\":[");
    save_learned(&a->learned, out);
    sb_puts(out, "]}");
}

/* --- back again; `gone_us` is how long ago it was saved --- */

static bool dim_parse(const char *name, enum dim *out)
{
    for (int d = 0; d < DIM_COUNT; d++) {
        if (strcmp(name, dim_name((enum dim)d)) == 0) {
            *out = (enum dim)d;
            return true;
        }
    }
    return false;
}

static void load_window(struct window *w, const json_t *used, int64_t gone_us, int64_t now_us)
{
    const json_t *pair;
    size_t i;

    json_array_foreach((json_t *)used, i, pair) {
        int64_t age = json_integer_value(json_array_get(pair, 0));
        int64_t n = json_integer_value(json_array_get(pair, 1));

        if (age >= 0 && n > 0 && n <= LIMITS_MAX && age <= INT64_MAX / 2 - gone_us)
            window_restore(w, now_us - age - gone_us, n);
    }
}

static void load_cut(struct stabilize *s, const json_t *cut, int64_t gone_us, int64_t now_us)
{
    int64_t from = json_int(cut, "from_ppm", 0), burst = json_int(cut, "burst_ppm", 0);
    int64_t since = json_int(cut, "since", 0), until = json_int(cut, "until", 0), calm = json_int(cut, "calm", 0);
    int64_t most = STABILIZE_DAY_US;

    if (from < STABILIZE_LEAST_PPM || from > STABILIZE_FULL_PPM || burst < STABILIZE_BURST_PACED_PPM ||
        burst > STABILIZE_FULL_PPM || since > 0 || since < -most || until < since || until > most || calm < since || calm > most)
        return;
    *s = (struct stabilize){.since_us = now_us + since - gone_us, .until_us = now_us + until - gone_us,
                            .calm_us = now_us + calm - gone_us, .from_ppm = (int32_t)from, .burst_ppm = (int32_t)burst};
}

/* A limit that a provider told binds until the next answer tells it anew, unless it is old: a smaller one may have been
 * raised meanwhile, and would refuse for good what it takes for too large. */
static void load_told(struct limits_dim *d, struct admit_told *told, const json_t *entry, int64_t gone_us, int64_t now_us)
{
    int64_t limit = json_int(entry, "told", 0), age = json_int(entry, "told_age", -1);

    if (limit <= 0 || limit > LIMITS_MAX || age < 0 || age > LIMITS_TOLD_US - gone_us)
        return;
    d->told_limit = limit;
    d->told_us = told->at_us = now_us - age - gone_us;
}

static void load_dims(struct limits *l, struct admit_told told[DIM_COUNT], const json_t *dims, int64_t gone_us)
{
    const json_t *entry;
    size_t i;

    json_array_foreach((json_t *)dims, i, entry) {
        int64_t level = json_int(entry, "level", 0);
        enum dim d;

        if (level < -LIMITS_MAX)
            level = -LIMITS_MAX;
        if (!dim_parse(json_str(entry, "dim", ""), &d) || !l->dim[d].limit)
            continue;
        load_window(&l->dim[d].window, json_object_get(entry, "used"), gone_us, l->now_us);
        load_cut(&l->dim[d].stab, json_object_get(entry, "cut"), gone_us, l->now_us);
        load_told(&l->dim[d], &told[d], entry, gone_us, l->now_us);
        limits_restore(l, d, level, gone_us);
    }
}

static void load_learned(struct learned *l, const json_t *rows)
{
    const json_t *row;
    size_t i;

    json_array_foreach((json_t *)rows, i, row) {
        uint64_t key = (uint64_t)json_integer_value(json_array_get(row, 0));

        for (size_t k = 1; k < json_array_size(row) && k <= LEARNED_SAMPLES && i < LEARNED_KEPT; k++) {
            int64_t n = json_integer_value(json_array_get(row, k));

            if (n >= 0 && n <= INT32_MAX)
                learned_restore(l, key, (int32_t)n);
        }
    }
}

bool admit_load(struct admit *a, const char *text, size_t n, int64_t now_us, int64_t utc_ms)
{
    const json_t *group;
    json_t *root = NULL;
    char why[160];
    int64_t gone_us, unseen_us;
    size_t i;

    if (json_parse_object(text, n, &saved_limits, &root, why) != WEIR_OK)
        return false;
    if (!json_is_integer(json_object_get(root, "at")) || !json_is_array(json_object_get(root, "groups"))) {
        json_decref(root);
        return false;
    }
    gone_us = utc_ms - json_int(root, "at", 0);
    gone_us = gone_us < 0 ? 0 : gone_us > STABILIZE_DAY_US / 1000 ? STABILIZE_DAY_US : gone_us * 1000;
    unseen_us = json_int(root, "unseen", 0);
    unseen_us = unseen_us < 0 ? 0 : unseen_us > UNSEEN_MOST_US ? UNSEEN_MOST_US : unseen_us;
    json_array_foreach(json_object_get(root, "groups"), i, group) {
        for (uint32_t g = 0; g < a->pick.groups; g++) {
            struct limits *l = &a->pick.limits[g];
            int64_t cooldown = json_int(group, "cooldown", 0);

            if (strcmp(group_name(a, g), json_str(group, "name", "")) != 0)
                continue;
            limits_tick(l, now_us);
            if (cooldown > 0 && cooldown <= RETRY_AFTER_MAX_US)
                limits_cool(l, now_us + cooldown - gone_us);
            load_dims(l, a->told[g], json_object_get(group, "dims"), gone_us);
            if (unseen_us)
                limits_assume(l, unseen_us);
        }
    }
    load_learned(&a->learned, json_object_get(root, "learned"));
    json_decref(root);
    admit_changed(a);
    return true;
}

void admit_saved_told(const char *text, size_t n, const char *upstream, int64_t limit[DIM_COUNT])
{
    const json_t *group, *entry;
    json_t *root = NULL;
    char why[160];
    size_t i, k;

    for (int d = 0; d < DIM_COUNT; d++)
        limit[d] = -1;
    if (json_parse_object(text, n, &saved_limits, &root, why) != WEIR_OK)
        return;
    json_array_foreach(json_object_get(root, "groups"), i, group) {
        if (strcmp(json_str(group, "name", ""), upstream) != 0)
            continue;
        json_array_foreach(json_object_get(group, "dims"), k, entry) {
            int64_t told = json_int(entry, "told", -1);
            enum dim d;

            if (told > 0 && dim_parse(json_str(entry, "dim", ""), &d))
                limit[d] = told;
        }
    }
    json_decref(root);
}
