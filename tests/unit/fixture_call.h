/* fixture_call.h - records of calls for tests of the ledger and its reports. */
#ifndef WEIR_TESTS_FIXTURE_CALL_H
#define WEIR_TESTS_FIXTURE_CALL_H

#include <string.h>

#include "fixture_db.h"
#include "store/account.h"
#include "store/usage.h"

#define FIXTURE_NOW INT64_C(1795328400000)      /* 2026-11-22T06:20:00Z */

static inline void fixture_user(struct db *db, const char *user_id)
{
    const struct account_user u = {.user_id = user_id, .name = user_id, .max_priority = PRIORITY_HIGH};

    ck_assert_int_eq(account_user_add(db, &u, FIXTURE_NOW), WEIR_OK);
}

/* A call as the acceptor hands it over: first message of a new session. */
static inline struct call_record fixture_call(const char *user_id, int64_t at_ms)
{
    struct call_record r;

    memset(&r, 0, sizeof r);
    rand_id_at(r.request_id, "req", at_ms);
    rand_id(r.session_id, "ses");
    rand_short_id(r.user_message_id, "msg");
    rand_short_id(r.message_id, "msg");
    r.user_id = user_id;
    r.api_endpoint = "/chat/complete";
    r.priority = PRIORITY_MEDIUM;
    r.model = "gpt-4o-mini";
    r.new_session = true;
    r.session_title = "A title";
    r.user_text = "A question";
    r.accepted_at_ms = at_ms;
    r.prompt_tokens_counted = 10;
    r.max_tokens = 100;
    r.cost.priced = true;
    r.cost.rate_in = 150000;
    r.cost.rate_out = 600000;
    memcpy(r.cost.price_version, "v1", 3);
    return r;
}

/* The next message of the same session. */
static inline struct call_record fixture_next(const struct call_record *before)
{
    struct call_record r = fixture_call(before->user_id, before->accepted_at_ms + 1000);

    memcpy(r.session_id, before->session_id, sizeof r.session_id);
    memcpy(r.parent_id, before->message_id, sizeof r.parent_id);
    r.new_session = false;
    return r;
}

/* It was answered: 12 tokens in, 34 out. */
static inline void fixture_answered(struct call_record *r)
{
    r->upstream = "openai";
    r->attempt_count = 1;
    r->attempts[0].upstream = "openai";
    r->attempts[0].started_at_ms = r->accepted_at_ms + 5;
    r->attempts[0].http_status = 200;
    r->status = CALL_SUCCESS;
    r->finish_reason = "stop";
    r->usage.prompt = 12;
    r->usage.completion = 34;
    r->cost.input = 12 * r->cost.rate_in;
    r->cost.output = 34 * r->cost.rate_out;
    r->cost.total = r->cost.input + r->cost.output;
    r->attempts[0].usage = r->usage;
    r->attempts[0].priced = r->cost.priced;
    r->attempts[0].cost_in = r->cost.input;
    r->attempts[0].cost_out = r->cost.output;
    r->answer = "An answer";
    r->answer_bytes = 9;
    r->answer_chars = 9;
    r->queue_us = 1500;
    r->ttft_us = 310000;
    r->writing_us = 580000;
    r->duration_us = 891500;
    r->ended_at_ms = r->accepted_at_ms + 892;
}

/* Run one usage_* function in a transaction of its own. */
static inline enum weir_err fixture_commit(struct db *db, enum weir_err e)
{
    enum weir_err done;

    if (e) {
        db_rollback(db);
        return e;
    }
    done = db_commit(db);
    return done;
}

static inline enum weir_err fixture_accept(struct db *db, const struct call_record *r, bool sent)
{
    ck_assert_int_eq(db_begin(db), WEIR_OK);
    return fixture_commit(db, usage_accept(db, r, sent));
}

static inline enum weir_err fixture_settle(struct db *db, const struct call_record *r)
{
    ck_assert_int_eq(db_begin(db), WEIR_OK);
    return fixture_commit(db, usage_settle(db, r));
}

/* A whole answered call. */
static inline void fixture_run(struct db *db, struct call_record *r)
{
    ck_assert_int_eq(fixture_accept(db, r, true), WEIR_OK);
    fixture_answered(r);
    ck_assert_int_eq(fixture_settle(db, r), WEIR_OK);
}

#endif
