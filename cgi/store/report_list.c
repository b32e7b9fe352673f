/* report_list.c - folding, ordering, naming. */
#include "store/report_list.h"

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "rules/gate.h"
#include "store/record.h"

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

void report_efficiency_json(struct report_scan *s, struct sb *out)
{
    int64_t chars = 0, visible = 0;

    report_scan_own(s);
    for (size_t i = 0; i < s->combo_count; i++) {
        chars += s->combo[i].sums.chars;
        visible += s->combo[i].sums.completion - s->combo[i].sums.reasoning;
    }
    sb_puts(out, ",\"efficiency\":{\"chars_per_token\":");
    record_ratio_json(out, chars, visible, 2);
    sb_putc(out, '}');
}

static int by_cost(const void *a, const void *b)
{
    const struct report_entry *x = a, *y = b;

    if (x->sums.cost != y->sums.cost)
        return x->sums.cost < y->sums.cost ? 1 : -1;
    if (x->sums.requests != y->sums.requests)
        return x->sums.requests < y->sums.requests ? 1 : -1;
    return (x->key > y->key) - (x->key < y->key);
}

void report_list_add(struct report_list *l, int64_t key, const struct report_sums *s)
{
    uint32_t at = idmap_get(&l->at, (uint64_t)key);

    if (at != IDMAP_NONE) {
        report_sums_add(&l->entry[at].sums, s);
        return;
    }
    if (l->count == l->cap) {
        l->cap = l->cap ? l->cap * 2 : 32;
        l->entry = mem_grow(l->entry, l->cap, sizeof *l->entry);
    }
    idmap_set(&l->at, (uint64_t)key, (uint32_t)l->count);
    l->entry[l->count++] = (struct report_entry){key, *s};
}

void report_list_replace(struct report_list *l, size_t at, int64_t key, const struct report_sums *s)
{
    idmap_remove(&l->at, (uint64_t)l->entry[at].key);
    idmap_set(&l->at, (uint64_t)key, (uint32_t)at);
    l->entry[at] = (struct report_entry){key, *s};
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

void report_list_order(struct report_list *l, int64_t limit)
{
    struct report_sums rest = {0};
    size_t kept = 0;

    if (l->count)
        qsort(l->entry, l->count, sizeof *l->entry, by_cost);
    if (l->count <= (size_t)limit)
        return;
    for (size_t i = 0; i < l->count; i++) {
        if (l->entry[i].key && kept < (size_t)limit - 1)
            l->entry[kept++] = l->entry[i];
        else
            report_sums_add(&rest, &l->entry[i].sums);
    }
    l->entry[kept] = (struct report_entry){0, rest};
    l->count = kept + 1;
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

    report_list_order(l, limit);
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
    idmap_done(&l->at);
    free(l->entry);
    memset(l, 0, sizeof *l);
}
