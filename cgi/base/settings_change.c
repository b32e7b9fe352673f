/* settings_change.c - what a reload changes: two settings compared along the tables, and the new one arranged so that
 * it can take the old one's place while Weir runs.
 *
 * An upstream's place is its number for as long as Weir runs: masks of waiting requests and the engine's own arrays go
 * by it. One that is gone keeps its place, and gets it back when it returns. */
#include "base/settings_options.h"

#include <sodium.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"

enum { KEY_MAX = 400, VALUE_MAX = 1 << 17, SHOW_MAX = 1 << 21 };

static struct settings_change *note(struct settings_changes *c, const char *prefix, const char *key, bool restart)
{
    struct sb name = sb_make(KEY_MAX);
    struct settings_change *v;

    c->v = mem_grow(c->v, c->n + 1, sizeof *c->v);
    v = &c->v[c->n++];
    sb_putf(&name, "%s%s", prefix, key);
    *v = (struct settings_change){.key = mem_strdup(sb_str(&name)), .restart = restart};
    sb_done(&name);
    return v;
}

/* NULL: there is no such thing on this side. */
static char *shown(const struct cfg_option *o, const void *base)
{
    struct sb out = sb_make(VALUE_MAX);
    char *text;

    if (!base)
        sb_puts(&out, "null");
    else if (o->type == CFG_SECRET)
        sb_puts(&out, *(char *const *)(const void *)((const char *)base + o->at) ? "\"(not shown)\"" : "null");
    else
        cfg_value_json(o, base, &out);
    text = mem_strdup(sb_str(&out));
    sb_done(&out);
    return text;
}

/* Note what differs between the structs of a table; with `hold`, or where the table says so, the new one keeps the old value. */
static void compare(const struct cfg_bind *fresh, const void *now, const char *prefix, bool hold, struct settings_changes *out)
{
    for (size_t i = 0; i < fresh->n; i++) {
        const struct cfg_option *o = &fresh->options[i];
        struct settings_change *c;

        if (cfg_equal(o, fresh->base, now))
            continue;
        c = note(out, prefix, o->key, hold || o->restart);
        c->before = shown(o, now);
        c->after = shown(o, fresh->base);
        if (c->restart)
            cfg_copy(o, fresh->base, now);
    }
}

static void copy_table(const struct cfg_bind *to, const void *from)
{
    for (size_t i = 0; i < to->n; i++)
        cfg_copy(&to->options[i], to->base, from);
}

/* --- upstreams --- */

/* What is kept of one that is gone: all that may still be looked up for what runs there, but not its key. */
static struct upstream_settings retired(const struct upstream_settings *now)
{
    struct upstream_settings u = {0};
    struct cfg_bind b = settings_bind_upstream(&u), t = settings_bind_tuning(&u.tune);

    copy_table(&b, now);
    copy_table(&t, &now->tune);
    cfg_copy(cfg_find(&b, "api_key"), &u, &(struct upstream_settings){0});
    u.enabled = false;
    u.rank = SETTINGS_UPSTREAMS;
    return u;
}

static struct upstream_settings *enabled_named(struct upstream_settings *list, size_t n, const char *name)
{
    for (size_t i = 0; i < n; i++)
        if (list[i].enabled && strcmp(list[i].name, name) == 0)
            return &list[i];
    return NULL;
}

/* The upstream that was here before comes again, changed or not. False: its protocol is another and it was gone in
 * between; there is nothing to fall back on, so it stays gone. */
static bool follow_upstream(struct upstream_settings *u, const struct upstream_settings *now, struct settings_changes *out)
{
    struct cfg_bind b = settings_bind_upstream(u), t = settings_bind_tuning(&u->tune);
    struct sb prefix = sb_make(KEY_MAX);
    bool other = u->protocol != now->protocol, comes = now->enabled || !other;

    sb_putf(&prefix, "upstreams.%s.", now->name);
    if (now->enabled) {
        compare(&b, now, sb_str(&prefix), other, out);
        compare(&t, &now->tune, sb_str(&prefix), other, out);
    } else {
        for (size_t i = 0; i < b.n; i++) {
            const struct cfg_bind one = {&b.options[i], 1, u};

            if (b.options[i].restart)
                compare(&one, now, sb_str(&prefix), false, out);
        }
    }
    sb_done(&prefix);
    return comes;
}

static char *names_of(const struct settings *s)
{
    struct sb out = sb_make(VALUE_MAX);
    char *text;

    sb_putc(&out, '[');
    for (size_t rank = 0; rank < SETTINGS_UPSTREAMS; rank++)
        for (size_t i = 0; i < s->n_upstreams; i++)
            if (s->upstreams[i].enabled && s->upstreams[i].rank == rank) {
                sb_puts(&out, out.len > 1 ? "," : "");
                sb_json(&out, s->upstreams[i].name);
            }
    sb_putc(&out, ']');
    text = mem_strdup(sb_str(&out));
    sb_done(&out);
    return text;
}

/* Put the fresh upstreams where they are in `now`; new ones come behind. */
static bool follow_upstreams(struct settings *fresh, const struct settings *now, struct settings_changes *out, struct sb *why)
{
    struct upstream_settings *was = fresh->upstreams;
    size_t n = fresh->n_upstreams;
    struct settings_change *order;

    fresh->upstreams = mem_zalloc(now->n_upstreams + n, sizeof *fresh->upstreams);
    fresh->n_upstreams = now->n_upstreams;
    for (size_t i = 0; i < now->n_upstreams; i++) {
        struct upstream_settings *u = enabled_named(was, n, now->upstreams[i].name);

        if (u && follow_upstream(u, &now->upstreams[i], out)) {
            fresh->upstreams[i] = *u;
            *u = (struct upstream_settings){0};
            continue;
        }
        fresh->upstreams[i] = retired(&now->upstreams[i]);
        if (u)
            settings_upstream_done(u);
        if (u)
            *u = (struct upstream_settings){0};
    }
    for (size_t i = 0; i < n; i++)
        if (was[i].enabled)
            fresh->upstreams[fresh->n_upstreams++] = was[i];
    free(was);
    if (fresh->n_upstreams > SETTINGS_UPSTREAMS) {
        sb_putf(why, "%s: upstreams: with those that were there since the start there are more than %d; restart Weir to make room.",
                fresh->config ? fresh->config : "The environment", SETTINGS_UPSTREAMS);
        return false;
    }
    order = note(out, "", "upstreams", false);
    order->before = names_of(now);
    order->after = names_of(fresh);
    if (strcmp(order->before, order->after) == 0) {
        free(order->key);
        free(order->before);
        free(order->after);
        out->n--;
    }
    return true;
}

/* --- budgets --- */

static const struct budget_settings *budget_like(const struct settings *s, const struct budget_settings *b)
{
    struct sb name = sb_make(KEY_MAX), other = sb_make(KEY_MAX);
    const struct budget_settings *found = NULL;

    settings_budget_name(b, &name);
    for (size_t i = 0; i < s->n_budgets && !found; i++) {
        sb_reset(&other);
        settings_budget_name(&s->budgets[i], &other);
        if (s->budgets[i].each == b->each && strcmp(sb_str(&name), sb_str(&other)) == 0)
            found = &s->budgets[i];
    }
    sb_done(&name);
    sb_done(&other);
    return found;
}

static char *warn_of(const struct budget_settings *b)
{
    struct sb out = sb_make(KEY_MAX);
    char *text;

    sb_putc(&out, '[');
    for (int i = 0; i < b->warns; i++)
        sb_putf(&out, "%s%d.%06d", i ? "," : "", (int)b->warn_ppm[i] / 1000000, (int)b->warn_ppm[i] % 1000000);
    sb_putc(&out, ']');
    text = mem_strdup(sb_str(&out));
    sb_done(&out);
    return text;
}

/* One that is on both sides, or (the other NULL) on one. */
static void compare_budget(const struct budget_settings *fresh, const struct budget_settings *now, struct settings_changes *out)
{
    const struct budget_settings *any = fresh ? fresh : now;
    struct cfg_bind b = settings_bind_budget((struct budget_settings *)(uintptr_t)any);
    const struct cfg_option *limit = cfg_find(&b, "limit_usd");
    struct sb prefix = sb_make(KEY_MAX);
    struct settings_change *c;

    sb_puts(&prefix, "budgets.");
    settings_budget_name(any, &prefix);
    sb_putc(&prefix, '.');
    if (!fresh || !now) {
        c = note(out, sb_str(&prefix), limit->key, false);
        c->before = shown(limit, now);
        c->after = shown(limit, fresh);
    } else {
        compare(&b, now, sb_str(&prefix), false, out);
        if (fresh->warns != now->warns || memcmp(fresh->warn_ppm, now->warn_ppm, sizeof now->warn_ppm) != 0) {
            c = note(out, sb_str(&prefix), "warn", false);
            c->before = warn_of(now);
            c->after = warn_of(fresh);
        }
    }
    sb_done(&prefix);
}

bool settings_follow(struct settings *fresh, const struct settings *now, struct settings_changes *out, struct sb *why)
{
    struct cfg_bind top = settings_bind_global(fresh);

    compare(&top, now, "", false, out);
    if (!follow_upstreams(fresh, now, out, why))
        return false;
    for (size_t i = 0; i < fresh->n_budgets; i++)
        compare_budget(&fresh->budgets[i], budget_like(now, &fresh->budgets[i]), out);
    for (size_t i = 0; i < now->n_budgets; i++)
        if (!budget_like(fresh, &now->budgets[i]))
            compare_budget(NULL, &now->budgets[i], out);
    return true;
}

bool settings_changes_apply(const struct settings_changes *c)
{
    for (size_t i = 0; i < c->n; i++)
        if (!c->v[i].restart)
            return true;
    return false;
}

void settings_changes_done(struct settings_changes *c)
{
    for (size_t i = 0; i < c->n; i++) {
        free(c->v[i].key);
        free(c->v[i].before);
        free(c->v[i].after);
    }
    free(c->v);
    *c = (struct settings_changes){0};
}

void settings_hash(const struct settings *s, char out[SETTINGS_HASH_SIZE])
{
    unsigned char digest[crypto_hash_sha256_BYTES];
    struct sb text = sb_make(SHOW_MAX);
    crypto_hash_sha256_state h;
    char *order = names_of(s);

    settings_show(s, &text);
    crypto_hash_sha256_init(&h);
    crypto_hash_sha256_update(&h, (const unsigned char *)sb_str(&text), text.len);
    crypto_hash_sha256_update(&h, (const unsigned char *)order, strlen(order));
    for (size_t i = 0; i < s->n_upstreams; i++) {
        const char *key = s->upstreams[i].enabled ? s->upstreams[i].api_key : NULL;

        if (key)
            crypto_hash_sha256_update(&h, (const unsigned char *)key, strlen(key) + 1);
    }
    crypto_hash_sha256_final(&h, digest);
    sodium_bin2hex(out, SETTINGS_HASH_SIZE, digest, SETTINGS_HASH_SIZE / 2);
    sb_done(&text);
    free(order);
}
