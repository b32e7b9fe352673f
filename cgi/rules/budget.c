/* budget.c - rules, their ledgers by window and key, and holds over them.
 *
 * Rules are few and looked through one by one; ledgers may be many and are
 * found by hash. Ledgers are named by number, so that holds survive their
 * array's growth. */
#include "rules/budget.h"

#include <stdlib.h>
#include <string.h>

#include "base/broken.h"
#include "base/mem.h"
#include "rules/idmap.h"

enum { PRUNE_FROM = 4096 };
#define DAY_MS INT64_C(86400000)

struct rule {
    struct budget_rule r;
    struct budget_span span;             /* asked for last */
};

struct ledger_of {
    uint32_t rule;
    uint32_t next;                       /* of the same hash, or the next free one */
    uint64_t hash;
    char *key;                           /* owned; NULL: free */
    struct budget_span span;
    int64_t spent, held;
    int64_t lost, lost_until_ms;         /* not part of held */
    uint32_t holds;
};

/* A ledger that counts the call which is looked at. */
struct match {
    uint32_t rule, ledger;               /* ledger: IDMAP_NONE while it has counted nothing */
    const char *key;
    int64_t cost;                        /* of the dearest way it counts */
};

struct budget_book {
    budget_calendar *calendar;
    void *ctx;
    struct rule *rule;
    struct match *match;
    uint32_t match_cap;
    uint32_t rules;
    struct ledger_of *ledger;
    uint32_t ledgers, cap, free, used;
    uint32_t prune_at;                   /* so many in use: those of windows long past are thrown away */
    struct idmap by_hash;
};

struct budget_hold {
    uint32_t n;
    struct {
        uint32_t ledger;
        int64_t cost;
    } part[];
};

/* --- names --- */

static const char *const scopes[] = {"all", "user", "session", "token", "model"};
static const char *const windows[] = {"day", "week", "month", "total"};

const char *budget_scope_name(enum budget_scope s) { return scopes[s]; }
const char *budget_window_name(enum budget_window w) { return windows[w]; }

static int index_of(const char *s, const char *const *names, int n)
{
    int i = 0;

    while (i < n && strcmp(s, names[i]) != 0)
        i++;
    return i;
}

bool budget_is_shared(const struct budget_rule *r)
{
    return r->scope == BUDGET_ALL || r->scope == BUDGET_MODEL;
}

bool budget_scope_parse(const char *s, enum budget_scope *out)
{
    int i = index_of(s, scopes, BUDGET_SCOPES);

    if (i < BUDGET_SCOPES)
        *out = (enum budget_scope)i;
    return i < BUDGET_SCOPES;
}

bool budget_window_parse(const char *s, enum budget_window *out)
{
    int i = index_of(s, windows, BUDGET_WINDOWS);

    if (i < BUDGET_WINDOWS)
        *out = (enum budget_window)i;
    return i < BUDGET_WINDOWS;
}

/* --- the book --- */

struct budget_book *budget_book_new(budget_calendar *calendar, void *ctx)
{
    struct budget_book *b = mem_zalloc(1, sizeof *b);

    b->calendar = calendar;
    b->ctx = ctx;
    b->free = IDMAP_NONE;
    b->prune_at = PRUNE_FROM;
    return b;
}

void budget_book_free(struct budget_book *b)
{
    if (!b)
        return;
    for (uint32_t i = 0; i < b->ledgers; i++)
        free(b->ledger[i].key);
    idmap_done(&b->by_hash);
    free(b->ledger);
    free(b->rule);
    free(b->match);
    free(b);
}

size_t budget_book_add(struct budget_book *b, const struct budget_rule *r)
{
    b->rule = mem_grow(b->rule, b->rules + 1, sizeof *b->rule);
    b->rule[b->rules] = (struct rule){.r = *r, .span = {INT64_MAX, INT64_MIN}};
    return b->rules++;
}

size_t budget_book_count(const struct budget_book *b)
{
    return b->rules;
}

static struct budget_span span_at(struct budget_book *b, uint32_t rule, int64_t at_ms)
{
    struct rule *r = &b->rule[rule];

    if (at_ms < r->span.from_ms || at_ms >= r->span.to_ms)
        r->span = b->calendar(b->ctx, rule, at_ms);
    return r->span;
}

/* FNV-1a (Fowler, Noll, Vo). */
static uint64_t hash_of(uint32_t rule, const char *key, int64_t from_ms)
{
    uint64_t h = idmap_mix((uint64_t)from_ms, rule);

    for (; *key; key++)
        h = (h ^ (unsigned char)*key) * UINT64_C(1099511628211);
    return h;
}

static uint32_t ledger_find(const struct budget_book *b, uint32_t rule, const char *key, struct budget_span span, uint64_t hash)
{
    uint32_t i = idmap_get(&b->by_hash, hash);

    for (; i != IDMAP_NONE; i = b->ledger[i].next) {
        const struct ledger_of *l = &b->ledger[i];

        if (l->rule == rule && l->span.from_ms == span.from_ms && strcmp(l->key, key) == 0)
            break;
    }
    return i;
}

static void ledger_drop(struct budget_book *b, uint32_t at)
{
    struct ledger_of *l = &b->ledger[at];
    uint32_t i = idmap_get(&b->by_hash, l->hash);

    if (i == at && l->next == IDMAP_NONE) {
        idmap_remove(&b->by_hash, l->hash);
    } else if (i == at) {
        idmap_set(&b->by_hash, l->hash, l->next);
    } else {
        while (b->ledger[i].next != at)
            i = b->ledger[i].next;
        b->ledger[i].next = l->next;
    }
    free(l->key);
    *l = (struct ledger_of){.next = b->free};
    b->free = at;
    b->used--;
}

/* Windows that ended more than a day before are history, which the records keep. */
static void prune(struct budget_book *b, int64_t at_ms)
{
    for (uint32_t i = 0; i < b->ledgers; i++) {
        const struct ledger_of *l = &b->ledger[i];

        if (l->key && l->holds == 0 && l->span.to_ms < at_ms - DAY_MS)
            ledger_drop(b, i);
    }
    b->prune_at = b->used * 2 > PRUNE_FROM ? b->used * 2 : PRUNE_FROM;
}

static uint32_t ledger_make(struct budget_book *b, uint32_t rule, const char *key, int64_t at_ms)
{
    struct budget_span span = span_at(b, rule, at_ms);
    uint64_t hash = hash_of(rule, key, span.from_ms);
    uint32_t at = ledger_find(b, rule, key, span, hash);

    if (at != IDMAP_NONE)
        return at;
    if (b->used >= b->prune_at)
        prune(b, at_ms);
    at = b->free;
    if (at != IDMAP_NONE) {
        b->free = b->ledger[at].next;
    } else {
        if (b->ledgers == b->cap) {
            b->cap = b->cap ? b->cap * 2 : 16;
            b->ledger = mem_grow(b->ledger, b->cap, sizeof *b->ledger);
        }
        at = b->ledgers++;
    }
    b->ledger[at] = (struct ledger_of){.rule = rule, .next = idmap_get(&b->by_hash, hash), .hash = hash,
                                       .key = mem_strdup(key), .span = span};
    idmap_set(&b->by_hash, hash, at);
    b->used++;
    return at;
}

/* --- one ledger --- */

static int64_t added(int64_t a, int64_t b)
{
    int64_t sum;

    return __builtin_add_overflow(a, b, &sum) ? INT64_MAX : sum;
}

static int64_t left_of(int64_t limit, int64_t spent, int64_t held)
{
    return spent < limit && held < limit - spent ? limit - spent - held : 0;
}

static int64_t lost_at(const struct ledger_of *l, int64_t at_ms)
{
    return at_ms < l->lost_until_ms ? l->lost : 0;
}

static int64_t held_at(const struct ledger_of *l, int64_t at_ms)
{
    return added(l->held, lost_at(l, at_ms));
}

static struct budget_view view_of(const struct rule *r, const struct ledger_of *l, int64_t at_ms)
{
    int64_t spent = l->spent, held = held_at(l, at_ms);
    struct budget_view v = {.rule = &r->r, .number = l->rule, .key = r->r.key, .span = l->span, .spent = spent, .held = held,
                            .lost = lost_at(l, at_ms), .lost_until_ms = l->lost_until_ms, .left = left_of(r->r.limit, spent, held)};

    for (int i = 0; i < r->r.warns; i++)                 /* spent / limit >= level, without passing int64 */
        if ((__int128)spent * BUDGET_WARN_ALL >= (__int128)r->r.limit * r->r.warn[i])
            v.warned = r->r.warn[i];
    return v;
}

static int64_t room_at(const struct budget_book *b, const struct match *m, int64_t at_ms)
{
    const struct ledger_of *l = m->ledger == IDMAP_NONE ? NULL : &b->ledger[m->ledger];

    return left_of(b->rule[m->rule].r.limit, l ? l->spent : 0, l && !BROKEN("check-then-add") ? held_at(l, at_ms) : 0);
}

static struct match match_of(struct budget_book *b, uint32_t rule, const char *key, int64_t at_ms)
{
    struct budget_span span = span_at(b, rule, at_ms);

    return (struct match){rule, ledger_find(b, rule, key, span, hash_of(rule, key, span.from_ms)), key, 0};
}

/* As it stands; one that has counted nothing yet need not be there. */
static struct budget_view view_at(struct budget_book *b, const struct match *m, int64_t at_ms)
{
    struct budget_view v;
    struct ledger_of none = {.rule = m->rule, .span = span_at(b, m->rule, at_ms)};

    v = view_of(&b->rule[m->rule], m->ledger == IDMAP_NONE ? &none : &b->ledger[m->ledger], at_ms);
    if (v.rule->each)
        v.key = m->key;
    return v;
}

void budget_book_spent(struct budget_book *b, size_t rule, const char *key, int64_t at_ms, int64_t cost)
{
    uint32_t at = ledger_make(b, (uint32_t)rule, key, at_ms);      /* may move the ledgers */

    b->ledger[at].spent = added(b->ledger[at].spent, cost);
}

void budget_book_lost(struct budget_book *b, size_t rule, const char *key, int64_t at_ms, int64_t cost, int64_t until_ms)
{
    uint32_t at = ledger_make(b, (uint32_t)rule, key, at_ms);

    b->ledger[at].lost = added(b->ledger[at].lost, cost);
    b->ledger[at].lost_until_ms = until_ms;
}

/* --- calls --- */

/* The key of the rule's ledger that counts this call; NULL: none does. */
static const char *counts(const struct budget_rule *r, const struct budget_call *c)
{
    const char *who = NULL;

    switch (r->scope) {
    case BUDGET_ALL: return "";
    case BUDGET_USER: who = c->user; break;
    case BUDGET_SESSION: who = c->session; break;
    case BUDGET_TOKEN: who = c->token; break;
    case BUDGET_MODEL: who = c->model; break;
    case BUDGET_SCOPES: break;
    }
    if (!who || !*who)
        return NULL;
    if (r->each)
        return who;
    return strcmp(who, r->key) == 0 ? "" : NULL;
}

bool budget_applies(const struct budget_book *b, const struct budget_call *c)
{
    for (uint32_t i = 0; i < b->rules; i++)
        if (counts(&b->rule[i].r, c))
            return true;
    return false;
}

static void room_for_matches(struct budget_book *b, uint32_t n)
{
    if (n <= b->match_cap)
        return;
    b->match_cap = n;
    b->match = mem_grow(b->match, n, sizeof *b->match);
}

/* The ledgers that count the call, into b->match; gives how many. */
static uint32_t scan(struct budget_book *b, const struct budget_call *c)
{
    uint32_t n = 0;

    room_for_matches(b, b->rules);
    for (uint32_t i = 0; i < b->rules; i++) {
        const char *key = counts(&b->rule[i].r, c);

        if (key)
            b->match[n++] = match_of(b, i, key, c->at_ms);
    }
    return n;
}

/* The same for a call that may be served in several ways: each ledger once, with the dearest way it counts. */
static uint32_t scan_ways(struct budget_book *b, const struct budget_call *c, const struct budget_way *ways, size_t n_ways)
{
    struct budget_call as = *c;
    uint32_t n = 0;

    room_for_matches(b, b->rules * (uint32_t)n_ways);
    for (uint32_t i = 0; i < b->rules; i++) {
        uint32_t first = n;

        for (size_t w = 0; w < n_ways; w++) {
            const char *key;
            uint32_t at = first;

            as.model = ways[w].model;
            key = counts(&b->rule[i].r, &as);
            if (!key)
                continue;
            while (at < n && strcmp(b->match[at].key, key) != 0)
                at++;
            if (at == n)
                b->match[n++] = match_of(b, i, key, c->at_ms);
            if (ways[w].cost > b->match[at].cost)
                b->match[at].cost = ways[w].cost;
        }
    }
    return n;
}

/* The match with least left; the first of several. */
static const struct match *tightest(struct budget_book *b, uint32_t n, int64_t at_ms, int64_t *left)
{
    const struct match *least = NULL;

    for (uint32_t i = 0; i < n; i++) {
        const struct match *m = &b->match[i];
        int64_t room = room_at(b, m, at_ms);

        if (!least || room < *left) {
            least = m;
            *left = room;
        }
    }
    return least;
}

bool budget_least(struct budget_book *b, const struct budget_call *c, struct budget_view *least)
{
    int64_t left = INT64_MAX;
    const struct match *m = tightest(b, scan(b, c), c->at_ms, &left);

    if (m)
        *least = view_at(b, m, c->at_ms);
    return m != NULL;
}

int64_t budget_room(struct budget_book *b, const struct budget_call *c)
{
    int64_t left = INT64_MAX;

    (void)tightest(b, scan(b, c), c->at_ms, &left);
    return left;
}

/* Over the n ledgers in b->match. */
static struct budget_hold *hold(struct budget_book *b, const struct budget_call *c, uint32_t n)
{
    struct budget_hold *h = mem_zalloc(1, sizeof *h + n * sizeof *h->part);

    h->n = n;
    for (uint32_t i = 0; i < n; i++) {
        const struct match *m = &b->match[i];
        uint32_t at = m->ledger != IDMAP_NONE ? m->ledger : ledger_make(b, m->rule, m->key, c->at_ms);

        h->part[i].ledger = at;
        h->part[i].cost = m->cost;
        b->ledger[at].held += m->cost;       /* NOLINT(clang-analyzer-*): `at` is in it, so it is there */
        b->ledger[at].holds++;
    }
    return h;
}

struct budget_hold *budget_reserve_any(struct budget_book *b, const struct budget_call *c, const struct budget_way *ways, size_t n,
                                       struct budget_view *binds)
{
    uint32_t count = scan_ways(b, c, ways, n);
    const struct match *least = NULL;
    int64_t least_room = 0;

    for (uint32_t i = 0; i < count; i++) {
        const struct match *m = &b->match[i];
        int64_t room = room_at(b, m, c->at_ms);

        if (m->cost > room && (!least || room < least_room)) {
            least = m;
            least_room = room;
        }
    }
    if (least) {
        *binds = view_at(b, least, c->at_ms);
        return NULL;
    }
    return hold(b, c, count);
}

struct budget_hold *budget_hold_any(struct budget_book *b, const struct budget_call *c, const struct budget_way *ways, size_t n)
{
    uint32_t count = scan_ways(b, c, ways, n);

    for (uint32_t i = 0; i < count; i++) {
        struct match *m = &b->match[i];

        if (m->ledger != IDMAP_NONE && b->ledger[m->ledger].held > INT64_MAX - m->cost)
            m->cost = 0;                 /* more is held already than any limit has room for */
    }
    return hold(b, c, count);
}

struct budget_hold *budget_reserve(struct budget_book *b, const struct budget_call *c, int64_t cost, struct budget_view *binds)
{
    return budget_reserve_any(b, c, &(struct budget_way){c->model, cost}, 1, binds);
}

void budget_settle(struct budget_book *b, struct budget_hold *h, int64_t cost)
{
    for (uint32_t i = 0; i < h->n; i++) {
        struct ledger_of *l = &b->ledger[h->part[i].ledger];

        l->held -= h->part[i].cost;
        l->holds--;
        l->spent = added(l->spent, cost);
    }
    free(h);
}

void budget_release(struct budget_book *b, struct budget_hold *h)
{
    budget_settle(b, h, 0);
}

void budget_spend(struct budget_book *b, const struct budget_call *c, int64_t cost)
{
    budget_settle(b, budget_hold_any(b, c, &(struct budget_way){c->model, 0}, 1), cost);
}

/* --- looking --- */

size_t budget_each(struct budget_book *b, int64_t at_ms, size_t max, void (*visit)(void *ctx, const struct budget_view *v), void *ctx)
{
    size_t n = 0;

    for (uint32_t r = 0; r < b->rules; r++) {
        struct match m = match_of(b, r, "", at_ms);
        struct budget_view v = view_at(b, &m, at_ms);

        if (!b->rule[r].r.each && n++ < max)
            visit(ctx, &v);
    }
    for (uint32_t i = 0; i < b->ledgers; i++) {
        const struct ledger_of *l = &b->ledger[i];
        struct budget_view v;

        if (!l->key || !b->rule[l->rule].r.each || l->span.from_ms != span_at(b, l->rule, at_ms).from_ms)
            continue;
        v = view_of(&b->rule[l->rule], l, at_ms);
        v.key = l->key;
        if (n++ < max)
            visit(ctx, &v);
    }
    return n;
}

int64_t budget_prompt(int64_t counted, bool exact)
{
    return exact ? counted : counted + counted / 4;
}

int64_t budget_output_for(const struct price *p, int64_t prompt, int64_t room)
{
    int64_t in = price_worst_case(p, prompt, 0), one = price_worst_case(p, prompt, 1);

    if (in > room)
        return -1;
    return one == in ? INT64_MAX : (room - in) / (one - in);
}
