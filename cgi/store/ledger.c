/* ledger.c - names to numbers, and roll-ups once per transaction.
 *
 * Deltas are kept one by one, so that an undone operation's are simply cut off
 * the end; before COMMIT they are sorted and each roll-up row is written once.
 * Cached numbers may be of rows the undone operation had made: all are
 * forgotten then, which costs a look-up each. */
#include "store/ledger.h"

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "rules/hist.h"
#include "store/keymap.h"
#include "store/spans.h"

struct ledger {
    struct keymap words, users, tokens, rates, combos;
    struct ledger_delta *delta;
    size_t count, cap;
};

static void forget_numbers(struct ledger *l)
{
    keymap_clear(&l->words);
    keymap_clear(&l->users);
    keymap_clear(&l->tokens);
    keymap_clear(&l->rates);
    keymap_clear(&l->combos);
}

static size_t on_mark(void *ctx)
{
    return ((struct ledger *)ctx)->count;
}

static void on_back_to(void *ctx, size_t mark)
{
    struct ledger *l = ctx;

    l->count = mark;
    forget_numbers(l);
}

static void on_free(void *ctx)
{
    struct ledger *l = ctx;

    forget_numbers(l);
    free(l->delta);
    free(l);
}

static enum weir_err on_flush(struct db *db, void *ctx);

static struct ledger *ledger_of(struct db *db)
{
    struct ledger *l = db_gather_ctx(db);

    if (!l) {
        struct db_gather g = {on_flush, on_mark, on_back_to, on_free, NULL};

        g.ctx = l = mem_zalloc(1, sizeof *l);
        db_set_gather(db, &g);
    }
    return l;
}

/* The number a SELECT finds; 0 if none. Consumes the query. */
static enum weir_err one_number(struct query *q, int64_t *id)
{
    *id = query_row(q) ? query_col_i64(q, 0) : 0;
    return query_stop(q);
}

enum weir_err ledger_word(struct db *db, const char *text, int64_t *id)
{
    struct ledger *l = ledger_of(db);
    size_t n = text ? strlen(text) : 0;
    struct query q;
    enum weir_err e;

    *id = n ? keymap_get(&l->words, text, n) : 0;
    if (!n || *id)
        return WEIR_OK;
    q = query(db, "SELECT id FROM words WHERE text = ?1");
    query_text(&q, text);
    e = one_number(&q, id);
    if (!e && !*id) {
        q = query(db, "INSERT INTO words(text) VALUES (?1) RETURNING id");
        query_text(&q, text);
        *id = query_row(&q) ? query_col_i64(&q, 0) : 0;
        e = query_end(&q);
        if (!e)
            e = seal_name(db, SEAL_WORDS, *id);
    }
    if (!e)
        keymap_put(&l->words, text, n, *id);
    return e;
}

static enum weir_err number_of(struct db *db, struct keymap *m, const char *sql, const char *text, int64_t *id)
{
    struct query q;
    enum weir_err e;

    *id = keymap_get(m, text, strlen(text));
    if (*id)
        return WEIR_OK;
    q = query(db, sql);
    query_text(&q, text);
    e = one_number(&q, id);
    if (!e && !*id)
        e = WEIR_E_NOT_FOUND;
    if (!e)
        keymap_put(m, text, strlen(text), *id);
    return e;
}

enum weir_err ledger_user(struct db *db, const char *user_id, int64_t *id)
{
    return number_of(db, &ledger_of(db)->users, "SELECT id FROM users WHERE user_id = ?1", user_id, id);
}

enum weir_err ledger_token(struct db *db, const char *token_id, int64_t *id)
{
    *id = 0;
    if (!token_id || !*token_id)
        return WEIR_OK;
    return number_of(db, &ledger_of(db)->tokens, "SELECT id FROM tokens WHERE token_id = ?1", token_id, id);
}

void ledger_forget_people(struct db *db)
{
    keymap_clear(&ledger_of(db)->users);
    keymap_clear(&ledger_of(db)->tokens);
}

/* Numbers in, number out: found in the cache, in the table, or made. `select` and `insert` take them in order; what is made
 * is in the table's seal. */
static enum weir_err number_of_key(struct db *db, struct keymap *m, const char *select, const char *insert,
                                   const int64_t *key, size_t n, int64_t seal, int64_t *id)
{
    enum weir_err e = WEIR_OK;

    *id = keymap_get(m, key, n * sizeof *key);
    if (*id)
        return WEIR_OK;
    for (int step = 0; !e && !*id && step < 2; step++) {
        struct query q = query(db, step == 0 ? select : insert);

        for (size_t i = 0; i < n; i++)
            query_i64(&q, key[i]);
        *id = query_row(&q) ? query_col_i64(&q, 0) : 0;
        e = query_end(&q);
        if (!e && step == 1)
            e = seal_name(db, seal, *id);
    }
    if (!e)
        keymap_put(m, key, n * sizeof *key, *id);
    return e;
}

enum weir_err ledger_rate(struct db *db, const char *version, int64_t rate_in, int64_t rate_out, int64_t *id)
{
    int64_t key[3] = {0, rate_in, rate_out};
    enum weir_err e = ledger_word(db, *version ? version : "?", &key[0]);

    if (e)
        return e;
    return number_of_key(db, &ledger_of(db)->rates,
                         "SELECT id FROM rates WHERE version = ?1 AND rate_in = ?2 AND rate_out = ?3",
                         "INSERT INTO rates(version, rate_in, rate_out) VALUES (?1, ?2, ?3) RETURNING id", key, 3,
                         SEAL_RATES, id);
}

enum weir_err ledger_combo(struct db *db, const struct ledger_dims *d, int64_t *id)
{
    const int64_t key[6] = {d->user, d->model, d->upstream, d->endpoint, d->priority, d->status};

    return number_of_key(db, &ledger_of(db)->combos,
                         "SELECT id FROM combos WHERE user = ?1 AND model = ?2 AND upstream = ?3 AND endpoint = ?4"
                         " AND priority = ?5 AND status = ?6",
                         "INSERT INTO combos(user, model, upstream, endpoint, priority, status)"
                         " VALUES (?1, ?2, ?3, ?4, ?5, ?6) RETURNING id", key, 6, SEAL_COMBOS, id);
}

void ledger_add(struct db *db, const struct ledger_delta *d)
{
    struct ledger *l = ledger_of(db);

    if (l->count == l->cap) {
        l->cap = l->cap ? l->cap * 2 : 64;
        l->delta = mem_grow(l->delta, l->cap, sizeof *l->delta);
    }
    l->delta[l->count++] = *d;
}

/* --- before COMMIT --- */

static int by_number(int64_t a, int64_t b)
{
    return (a > b) - (a < b);
}

static int by_combo(const void *a, const void *b)
{
    const struct ledger_delta *x = a, *y = b;
    int c = by_number(x->quarter, y->quarter);

    if (!c)
        c = by_number(x->combo, y->combo);
    return c ? c : by_number(x->minute, y->minute);
}

static int by_session(const void *a, const void *b)
{
    const struct ledger_delta *x = a, *y = b;
    int c = by_number(x->quarter, y->quarter);

    return c ? c : by_number(x->session, y->session);
}

static void add_up(struct ledger_delta *sum, const struct ledger_delta *d)
{
    sum->prompt += d->prompt;
    sum->cached += d->cached;
    sum->cache_write += d->cache_write;
    sum->completion += d->completion;
    sum->reasoning += d->reasoning;
    sum->chars += d->chars;
    sum->cost_in += d->cost_in;
    sum->cost_out += d->cost_out;
    sum->unpriced += d->unpriced;
    sum->unpriced_tokens += d->unpriced_tokens;
    sum->estimated += d->estimated;
    sum->retries += d->retries;
    sum->queue_us += d->queue_us;
    sum->retry_us += d->retry_us;
    sum->ttft_us += d->ttft_us;
    sum->writing_us += d->writing_us;
}

/* The histogram stored so far, with these durations added. */
static enum weir_err merged_hist(struct db *db, int64_t id, const struct ledger_delta *d, size_t n,
                                 unsigned char *packed, size_t *packed_n)
{
    struct query q = query(db, "SELECT hist FROM rollups WHERE id = ?1");
    struct hist h;
    bool whole = true;
    enum weir_err e;

    memset(&h, 0, sizeof h);
    query_i64(&q, id);
    if (query_row(&q)) {
        size_t len;
        const void *p = query_col_blob(&q, 0, &len);

        whole = hist_unpack(&h, p, len);
    }
    e = query_stop(&q);
    if (!e && !whole)
        e = WEIR_E_STORAGE;
    for (size_t i = 0; i < n; i++) {
        hist_add(&h, HIST_DURATION, d[i].duration_us);
        hist_add(&h, HIST_WAIT, d[i].queue_us + d[i].retry_us);
        if (d[i].completion > 0)                   /* a first token came, perhaps within the millisecond */
            hist_add(&h, HIST_TTFT, d[i].ttft_us);
    }
    *packed_n = hist_pack(&h, packed);
    return e;
}

static enum weir_err write_quarter(struct db *db, const struct ledger_delta *d, size_t n)
{
    static const char sql[] =
        "INSERT INTO rollups VALUES (?1,?2,?3,?4,?5,?6,?7,?8,?9,?10,?11,?12,?13,?14,?15,?16,?17,?18,?19)"
        " ON CONFLICT(id) DO UPDATE SET requests = requests + ?2, prompt = prompt + ?3, cached = cached + ?4,"
        " cache_write = cache_write + ?5, completion = completion + ?6, reasoning = reasoning + ?7, chars = chars + ?8,"
        " cost_in = cost_in + ?9, cost_out = cost_out + ?10, unpriced = unpriced + ?11,"
        " unpriced_tokens = unpriced_tokens + ?12, estimated = estimated + ?13, retries = retries + ?14,"
        " queue_us = queue_us + ?15, retry_us = retry_us + ?16, ttft_us = ttft_us + ?17,"
        " writing_us = writing_us + ?18, hist = ?19";
    unsigned char packed[HIST_PACKED_MAX];
    size_t packed_n = 0;
    int64_t id = d->quarter << COMBO_BITS | d->combo;
    struct ledger_delta sum = d[0];
    struct query q;
    enum weir_err e = merged_hist(db, id, d, n, packed, &packed_n);

    if (e)
        return e;
    for (size_t i = 1; i < n; i++)
        add_up(&sum, &d[i]);
    q = query(db, sql);
    query_i64(&q, id);
    query_i64(&q, (int64_t)n);
    query_i64(&q, sum.prompt);
    query_i64(&q, sum.cached);
    query_i64(&q, sum.cache_write);
    query_i64(&q, sum.completion);
    query_i64(&q, sum.reasoning);
    query_i64(&q, sum.chars);
    query_i64(&q, sum.cost_in);
    query_i64(&q, sum.cost_out);
    query_i64(&q, sum.unpriced);
    query_i64(&q, sum.unpriced_tokens);
    query_i64(&q, sum.estimated);
    query_i64(&q, sum.retries);
    query_i64(&q, sum.queue_us);
    query_i64(&q, sum.retry_us);
    query_i64(&q, sum.ttft_us);
    query_i64(&q, sum.writing_us);
    query_blob(&q, packed, packed_n);
    return query_end(&q);
}

static enum weir_err write_minute(struct db *db, const struct ledger_delta *d, size_t n)
{
    static const char sql[] =
        "INSERT INTO minute_rollups VALUES (?1,?2,?3,?4,?5,?6,?7,?8)"
        " ON CONFLICT(id) DO UPDATE SET requests = requests + ?2, prompt = prompt + ?3, completion = completion + ?4,"
        " reasoning = reasoning + ?5, chars = chars + ?6, cost = cost + ?7, unpriced = unpriced + ?8";
    struct ledger_delta sum = d[0];
    struct query q;

    for (size_t i = 1; i < n; i++)
        add_up(&sum, &d[i]);
    q = query(db, sql);
    query_i64(&q, d->minute << COMBO_BITS | d->combo);
    query_i64(&q, (int64_t)n);
    query_i64(&q, sum.prompt);
    query_i64(&q, sum.completion);
    query_i64(&q, sum.reasoning);
    query_i64(&q, sum.chars);
    query_i64(&q, sum.cost_in + sum.cost_out);
    query_i64(&q, sum.unpriced);
    return query_end(&q);
}

static enum weir_err write_session(struct db *db, const struct ledger_delta *d, size_t n)
{
    static const char sql[] =
        "INSERT INTO session_rollups VALUES (?1,?2,?3,?4,?5,?6)"
        " ON CONFLICT(id) DO UPDATE SET requests = requests + ?2, prompt = prompt + ?3, completion = completion + ?4,"
        " cost = cost + ?5, unpriced = unpriced + ?6";
    struct ledger_delta sum = d[0];
    struct query q;

    if (!d->session)
        return WEIR_OK;
    for (size_t i = 1; i < n; i++)
        add_up(&sum, &d[i]);
    q = query(db, sql);
    query_i64(&q, d->quarter << SESSION_BITS | d->session);
    query_i64(&q, (int64_t)n);
    query_i64(&q, sum.prompt);
    query_i64(&q, sum.completion);
    query_i64(&q, sum.cost_in + sum.cost_out);
    query_i64(&q, sum.unpriced);
    return query_end(&q);
}

static enum weir_err write_seal(struct db *db, const struct ledger_delta *d, size_t n)
{
    struct seal sum = d[0].seal;

    for (size_t i = 1; i < n; i++)
        seal_plus(&sum, &d[i].seal);
    return seal_add(db, d->quarter, &sum);
}

/* Call `write` for each run of sorted deltas that share a row. */
static enum weir_err each_row(struct db *db, struct ledger *l, int (*differ)(const void *, const void *),
                              enum weir_err (*write)(struct db *, const struct ledger_delta *, size_t))
{
    enum weir_err e = WEIR_OK;

    for (size_t from = 0, to; !e && from < l->count; from = to) {
        for (to = from + 1; to < l->count && differ(&l->delta[from], &l->delta[to]) == 0; to++)
            ;
        e = write(db, l->delta + from, to - from);
    }
    return e;
}

static int same_quarter(const void *a, const void *b)
{
    const struct ledger_delta *x = a, *y = b;

    return x->quarter != y->quarter || x->combo != y->combo;
}

/* The spans that the deltas' quarters are in already, each once; deltas are sorted by quarter. */
static enum weir_err write_spans(struct db *db, const struct ledger *l, int64_t mark)
{
    int64_t done = -1;
    enum weir_err e = WEIR_OK;

    for (size_t i = 0; !e && i < l->count && l->delta[i].quarter < mark; i++) {
        if (l->delta[i].quarter / span_quarters[1] == done)
            continue;
        done = l->delta[i].quarter / span_quarters[1];
        e = spans_refold(db, l->delta[i].quarter);
    }
    return e;
}

static int other_quarter(const void *a, const void *b)
{
    const struct ledger_delta *x = a, *y = b;

    return x->quarter != y->quarter;
}

static enum weir_err on_flush(struct db *db, void *ctx)
{
    struct ledger *l = ctx;
    int64_t mark = 0;
    struct query q;
    enum weir_err e;

    if (!l->count)
        return WEIR_OK;
    q = query(db, "UPDATE ledger SET settled = settled + ?1 RETURNING folded");
    query_i64(&q, (int64_t)l->count);
    if (query_row(&q))
        mark = query_col_i64(&q, 0);
    e = query_end(&q);
    qsort(l->delta, l->count, sizeof *l->delta, by_combo);
    if (!e)
        e = each_row(db, l, same_quarter, write_quarter);
    if (!e)
        e = write_spans(db, l, mark);
    if (!e)
        e = each_row(db, l, by_combo, write_minute);
    if (!e)
        e = each_row(db, l, other_quarter, write_seal);
    qsort(l->delta, l->count, sizeof *l->delta, by_session);
    if (!e)
        e = each_row(db, l, by_session, write_session);
    l->count = 0;
    return e;
}

enum weir_err ledger_write(struct db *db)
{
    return on_flush(db, ledger_of(db));
}
