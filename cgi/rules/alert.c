/* alert.c - the alerts that are open or about to open, as a short list. */
#include "rules/alert.h"

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"

struct alert {
    struct alert_id id;
    bool open;                   /* else it fires, but not yet for long enough */
    int64_t since_us;            /* fires since */
    int64_t seen_us;             /* a signal last kept it here */
};

struct alert_book {
    struct alert *alert;
    size_t n;
};

static const char *const names[ALERT_KINDS] = {
    [ALERT_COST] = "cost", [ALERT_BUDGET] = "budget", [ALERT_LIMIT_USE] = "limit_use", [ALERT_ERROR_RATE] = "error_rate",
    [ALERT_QUEUE_WAIT] = "queue_wait", [ALERT_STORAGE] = "storage", [ALERT_UPSTREAM_DOWN] = "upstream_down",
    [ALERT_LEDGER_CHECK] = "ledger_check", [ALERT_ANOMALY] = "anomaly", [ALERT_USAGE_SUSPECT] = "usage_suspect",
};

const char *alert_kind_name(enum alert_kind k)
{
    return names[k];
}

bool alert_kind_parse(const char *s, enum alert_kind *out)
{
    for (int k = 0; k < ALERT_KINDS; k++) {
        if (strcmp(s, names[k]) == 0) {
            *out = (enum alert_kind)k;
            return true;
        }
    }
    return false;
}

struct alert_book *alert_book_new(void)
{
    struct alert_book *b = mem_zalloc(1, sizeof *b);

    b->alert = mem_zalloc(ALERTS_MAX, sizeof *b->alert);
    return b;
}

void alert_book_free(struct alert_book *b)
{
    if (!b)
        return;
    free(b->alert);
    free(b);
}

static bool same(const struct alert_id *a, const struct alert_id *b)
{
    return a->rule == b->rule && a->window_ms == b->window_ms && a->level == b->level && strcmp(a->key, b->key) == 0;
}

static struct alert *find(struct alert_book *b, const struct alert_id *id)
{
    for (size_t i = 0; i < b->n; i++) {
        if (same(&b->alert[i].id, id))
            return &b->alert[i];
    }
    return NULL;
}

static struct alert *add(struct alert_book *b, const struct alert_id *id, int64_t now_us)
{
    struct alert *a = b->n < ALERTS_MAX ? &b->alert[b->n++] : NULL;

    if (a)
        *a = (struct alert){.id = *id, .since_us = now_us, .seen_us = now_us};
    return a;
}

static void drop(struct alert_book *b, struct alert *a)
{
    *a = b->alert[--b->n];
}

void alert_book_open(struct alert_book *b, const struct alert_id *id, int64_t now_us)
{
    struct alert *a = add(b, id, now_us);

    if (a)
        a->open = true;
}

/* A signal is there: true if its alert opens. */
static bool heard(struct alert_book *b, const struct alert_signal *s, int64_t now_us)
{
    struct alert *a = find(b, &s->id);

    if (!a && s->firing)
        a = add(b, &s->id, now_us);
    if (!a || (!a->open && !s->firing))
        return false;
    a->seen_us = now_us;
    return !a->open && now_us - a->since_us >= s->for_us;
}

size_t alert_round(struct alert_book *b, const struct alert_signal *signal, size_t n, int64_t now_us, struct alert_change *out,
                   size_t max)
{
    size_t changes = 0;

    for (size_t i = 0; i < n; i++) {
        const struct alert_signal *s = &signal[i];

        if (heard(b, s, now_us) && changes < max)
            out[changes++] = (struct alert_change){.id = s->id, .opens = true, .value = s->value, .threshold = s->threshold};
    }
    for (size_t i = b->n; i-- > 0;) {
        struct alert *a = &b->alert[i];

        if (!a->open && a->seen_us != now_us)
            drop(b, a);
        else if (a->open && now_us - a->seen_us >= ALERT_CALM_US && changes < max)
            out[changes++] = (struct alert_change){.id = a->id};
    }
    return changes;
}

void alert_confirm(struct alert_book *b, const struct alert_change *c)
{
    struct alert *a = find(b, &c->id);

    if (a && c->opens)
        a->open = true;
    else if (a)
        drop(b, a);
}

size_t alert_book_count(const struct alert_book *b)
{
    size_t open = 0;

    for (size_t i = 0; i < b->n; i++)
        open += b->alert[i].open;
    return open;
}
