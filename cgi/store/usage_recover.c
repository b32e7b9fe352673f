/* usage_recover.c - what a dead process left open is closed at the next start:
 * every call that reached a provider gets its record, as an estimate. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "base/mem.h"
#include "base/utf8.h"
#include "store/content.h"
#include "store/db.h"
#include "store/ledger.h"
#include "store/usage.h"

enum { BATCH = 500 };

struct left_open {
    char request_id[128], upstream[128], model[128], version[sizeof ((struct call_cost *)0)->price_version];
    bool sent;
    int64_t message;                                     /* the answer's */
    struct content_found answer;                         /* what was marked of it */
    int64_t at_ms, counted, attempts, rate_in, rate_out;
    int64_t prompt, completion, cost_in, cost_out;       /* of attempts that had failed before */
    bool priced, operation;
};

static void copy_text(char *to, size_t size, const char *from)
{
    (void)snprintf(to, size, "%s", from ? from : "");
}

static enum weir_err read_open(struct db *db, struct left_open *left, size_t *count)
{
    static const char sql[] =
        "SELECT e.request_id, u.text, e.state, e.at_ms, e.counted, e.attempts, v.text, r.rate_in, r.rate_out, m.text,"
        " e.prompt, e.completion, e.cost_in, e.cost_out, CASE WHEN e.session > 0 AND e.answer > 0 THEN e.session << 20 | e.answer ELSE 0 END,"
        " EXISTS (SELECT 1 FROM leases l WHERE l.event = e.id)"
        " FROM events e LEFT JOIN words u ON u.id = e.upstream LEFT JOIN rates r ON r.id = e.rate"
        " LEFT JOIN words v ON v.id = r.version LEFT JOIN words m ON m.id = e.model WHERE e.state < 2"
        " AND NOT (e.state = 1 AND EXISTS (SELECT 1 FROM leases l WHERE l.event = e.id)) LIMIT ?1";
    struct query q = query(db, sql);

    *count = 0;
    query_i64(&q, BATCH);
    while (query_row(&q)) {
        struct left_open *o = &left[(*count)++];

        copy_text(o->request_id, sizeof o->request_id, query_col_text(&q, 0));
        copy_text(o->upstream, sizeof o->upstream, query_col_text(&q, 1));
        o->sent = query_col_i64(&q, 2) == 1;
        o->at_ms = query_col_i64(&q, 3);
        o->counted = query_col_i64(&q, 4);
        o->attempts = query_col_i64(&q, 5);
        o->priced = !query_col_null(&q, 7);
        copy_text(o->version, sizeof o->version, query_col_text(&q, 6));
        o->rate_in = query_col_i64(&q, 7);
        o->rate_out = query_col_i64(&q, 8);
        copy_text(o->model, sizeof o->model, query_col_text(&q, 9));
        o->prompt = query_col_i64(&q, 10);
        o->completion = query_col_i64(&q, 11);
        o->cost_in = query_col_i64(&q, 12);
        o->cost_out = query_col_i64(&q, 13);
        o->message = query_col_i64(&q, 14);
        o->operation = query_col_i64(&q, 15) != 0;
    }
    return query_end(&q);
}

/* The prompt was read by the provider and is charged, and of the answer what was marked; what came after is lost with the
 * process. */
static void estimate(const struct left_open *o, struct call_record *r, int64_t now_ms)
{
    r->status = o->sent ? CALL_ERROR : CALL_CANCELLED;
    r->error_code = "interrupted";
    r->operation = o->operation;
    r->cost.priced = o->priced;
    r->cost.rate_in = o->rate_in;
    r->cost.rate_out = o->rate_out;
    copy_text(r->cost.price_version, sizeof r->cost.price_version, o->version);
    r->ended_at_ms = now_ms;
    if (!o->sent)
        return;
    r->upstream = o->upstream;
    r->estimated = true;
    r->usage.prompt = o->prompt + o->counted;
    r->usage.completion = o->completion;
    r->cost.input = o->cost_in + (o->priced ? o->counted * o->rate_in : 0);
    r->cost.output = o->cost_out;
    r->cost.total = r->cost.input + r->cost.output;
    if (o->answer.kept) {
        r->answer = o->answer.text;
        r->answer_bytes = (int64_t)o->answer.text_bytes;
        r->answer_chars = utf8_count(r->answer, o->answer.text_bytes);
        r->reasoning = o->answer.reasoning;
        r->reasoning_bytes = (int64_t)o->answer.reasoning_bytes;
        rand_short_id(r->message_id, "msg");
    }
    r->attempt_count = 1;
    r->attempts[0] = (struct call_attempt){.upstream = o->upstream, .model = o->model, .error_code = "interrupted",
                                           .started_at_ms = o->at_ms, .usage = r->usage, .estimated = true, .priced = o->priced,
                                           .cost_in = r->cost.input, .cost_out = r->cost.output};
}

enum weir_err usage_recover(struct db *db, int64_t now_ms, int64_t *never_sent, int64_t *interrupted)
{
    struct left_open *left = mem_zalloc(BATCH, sizeof *left);
    enum weir_err e;
    size_t count;

    *never_sent = *interrupted = 0;
    do {
        e = read_open(db, left, &count);
        if (!e)
            e = db_begin(db);
        if (e)
            break;
        for (size_t i = 0; !e && i < count; i++) {
            struct call_record r;

            memset(&r, 0, sizeof r);
            copy_text(r.request_id, sizeof r.request_id, left[i].request_id);
            if (left[i].message && content_read(db, left[i].message, &left[i].answer) != WEIR_OK)
                log_warn("%s: what was marked of its answer cannot be read", left[i].request_id);
            estimate(&left[i], &r, now_ms);
            e = usage_settle(db, &r);
            content_done(&left[i].answer);
            *(left[i].sent ? interrupted : never_sent) += 1;
        }
        if (e)
            db_rollback(db);
        else
            e = db_commit(db);
    } while (!e && count == BATCH);
    free(left);
    return e;
}
