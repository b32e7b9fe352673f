/* report_list.c - folding, ordering, naming. */
#include "store/report_list.h"

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "rules/gate.h"

void report_sums_json(struct sb *out, const struct report_sums *s)
{
    sb_puts(out, "\"requests\":");
    sb_i64(out, s->requests);
    sb_puts(out, ",\"prompt_tokens\":");
    sb_i64(out, s->prompt);
    sb_puts(out, ",\"completion_tokens\":");
    sb_i64(out, s->completion);
    sb_puts(out, ",\"total_tokens\":");
    sb_i64(out, s->prompt + s->completion);
    sb_puts(out, ",\"cost_usd\":");
    if (s->requests && s->unpriced == s->requests)
        sb_puts(out, "null");
    else
        sb_usd(out, s->cost);
}

static int by_key(const void *a, const void *b)
{
    const struct report_entry *x = a, *y = b;

    return (x->key > y->key) - (x->key < y->key);
}

static int by_cost(const void *a, const void *b)
{
    const struct report_entry *x = a, *y = b;
    int64_t left[] = {y->sums.cost, y->sums.requests, x->key}, right[] = {x->sums.cost, x->sums.requests, y->key};

    for (int i = 0; i < 3; i++) {
        if (left[i] != right[i])
            return left[i] < right[i] ? -1 : 1;
    }
    return 0;
}

void report_list_add(struct report_list *l, int64_t key, const struct report_sums *s)
{
    if (l->count == l->cap) {
        l->cap = l->cap ? l->cap * 2 : 32;
        l->entry = mem_grow(l->entry, l->cap, sizeof *l->entry);
    }
    l->entry[l->count++] = (struct report_entry){key, *s};
}

void report_list_merge(struct report_list *l)
{
    size_t n = 0;

    if (l->count)
        qsort(l->entry, l->count, sizeof *l->entry, by_key);
    for (size_t i = 0; i < l->count; i++) {
        if (n && l->entry[n - 1].key == l->entry[i].key)
            report_sums_add(&l->entry[n - 1].sums, &l->entry[i].sums);
        else
            l->entry[n++] = l->entry[i];
    }
    l->count = n;
}

static int64_t key_of(const struct ledger_dims *d, enum report_by by)
{
    switch (by) {
    case BY_MODEL:
        return d->model;
    case BY_UPSTREAM:
        return d->upstream;
    case BY_USER:
        return d->user;
    case BY_ENDPOINT:
        return d->endpoint;
    case BY_PRIORITY:
        return d->priority + 1;          /* 0 is "none" */
    case BY_SESSION:
        break;
    }
    return 0;
}

void report_list_fold(struct report_list *l, const struct report_scan *s, enum report_by by)
{
    for (size_t i = 0; i < s->combo_count; i++) {
        if (s->combo[i].sums.requests)
            report_list_add(l, key_of(&s->combo[i].dims, by), &s->combo[i].sums);
    }
}

/* Keep the `limit` - 1 dearest and fold the rest, if there are more than `limit`. */
static void fold_rest(struct report_list *l, int64_t limit)
{
    struct report_entry rest = {0, {0}};

    if (l->count <= (size_t)limit)
        return;
    for (size_t i = (size_t)limit - 1; i < l->count; i++)
        report_sums_add(&rest.sums, &l->entry[i].sums);
    l->count = (size_t)limit - 1;
    report_list_add(l, 0, &rest.sums);
    report_list_merge(l);
    qsort(l->entry, l->count, sizeof *l->entry, by_cost);
}

enum weir_err report_name_json(struct db *ro, enum report_by by, int64_t key, struct sb *out)
{
    const char *sql = by == BY_USER ? "SELECT user_id FROM users WHERE id = ?1"
                    : by == BY_SESSION ? "SELECT session_id FROM sessions WHERE id = ?1"
                                       : "SELECT text FROM words WHERE id = ?1";
    struct query q;

    if (key == 0 || by == BY_PRIORITY) {
        sb_json(out, key ? priority_name((enum priority)(key - 1)) : NULL);
        return WEIR_OK;
    }
    q = query(ro, sql);
    query_i64(&q, key);
    sb_json(out, query_row(&q) ? query_col_text(&q, 0) : NULL);
    return query_stop(&q);
}

enum weir_err report_list_json(struct report_list *l, struct db *ro, enum report_by by, int64_t limit, struct sb *out)
{
    enum weir_err e = WEIR_OK;

    report_list_merge(l);
    if (l->count)
        qsort(l->entry, l->count, sizeof *l->entry, by_cost);
    fold_rest(l, limit);
    sb_putc(out, '[');
    for (size_t i = 0; !e && i < l->count; i++) {
        sb_puts(out, i ? ",{\"key\":" : "{\"key\":");
        e = report_name_json(ro, by, l->entry[i].key, out);
        sb_putc(out, ',');
        report_sums_json(out, &l->entry[i].sums);
        sb_putc(out, '}');
    }
    sb_putc(out, ']');
    return e;
}

void report_list_done(struct report_list *l)
{
    free(l->entry);
    memset(l, 0, sizeof *l);
}
