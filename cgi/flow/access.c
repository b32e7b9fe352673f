/* access.c - users and tokens, as the engine knows them: limits of their own, and
 * those that count no more.
 *
 * What runs with an access that was ended ends at once, and what was let in before
 * and is still on its way here ends when it arrives. */
#include <inttypes.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include "flow/engine_impl.h"

struct end_question {
    struct question q;
    const char *id;
    int64_t at_us;
};

static bool is_of(const struct job *j, const char *id)
{
    return strcmp(j->rec.user_id, id) == 0 || (j->rec.token_id && strcmp(j->rec.token_id, id) == 0);
}

static void on_end(struct engine *e, struct mail *m)
{
    struct end_question *a = OF(struct end_question, q.mail, m);
    struct closed *keep = &e->closed[e->closed_count++ % CLOSED_KEPT];

    (void)snprintf(keep->id, sizeof keep->id, "%s", a->id);
    keep->at_us = a->at_us;
    for (struct job *j = e->jobs, *next; j; j = next) {
        next = j->next;
        if (is_of(j, a->id))
            conduct_end(e, j, (struct job_end){.err = WEIR_E_ACCESS_ENDED, .status = j->sent_us ? CALL_CANCELLED : CALL_REJECTED,
                                               .retry_after_ms = -1});
    }
    sem_post(&a->q.answered);
}

void engine_end_access(struct engine *e, const char *user_id, const char *token_id)
{
    struct end_question a = {.id = user_id ? user_id : token_id, .at_us = clock_mono_us()};

    engine_ask(e, &a.q, on_end);
}

bool access_was_ended(const struct engine *e, const struct job *j)
{
    for (size_t i = 0; i < CLOSED_KEPT && e->closed[i].at_us; i++) {
        if (e->closed[i].at_us >= j->ask.arrived_us && is_of(j, e->closed[i].id))
            return true;
    }
    return false;
}

/* --- limits of their own --- */

static int64_t limit_of(const struct caller *c, enum gate g)
{
    return g == (enum gate)DIM_REQUESTS_PER_MINUTE ? c->requests_per_minute : c->tokens_per_minute;
}

static void refuse(const struct caller *c, int which, enum gate why, int64_t wait_us, struct job_end *no)
{
    static const char *const whose[CALLERS] = {[CALLER_USER] = "user", [CALLER_TOKEN] = "token"};
    const char *what = why == (enum gate)DIM_REQUESTS_PER_MINUTE ? "requests" : "tokens";
    struct sb text = sb_make(512), extra = sb_make(512);
    int64_t limit = limit_of(c, why);

    if (wait_us == CALLERS_NEVER)
        sb_putf(&text, "This request alone has more than the %" PRId64 " tokens a minute of this %s. Shorten it.", limit, whose[which]);
    else
        sb_putf(&text, "This %s may send %" PRId64 " %s a minute, and has.", whose[which], limit, what);
    sb_putf(&extra, ",\"limit\":{\"scope\":\"%s\",\"name\":\"%s\",\"limit\":%" PRId64 "}", whose[which], gate_name(why), limit);
    no->err = wait_us == CALLERS_NEVER ? WEIR_E_REQUEST_TOO_LARGE_FOR_LIMIT : WEIR_E_RATE_LIMITED;
    no->message = sb_take(&text);
    no->extra = sb_take(&extra);
    no->retry_after_ms = wait_us > 0 && wait_us != LIMITS_NOT_BY_TIME ? (wait_us + USEC_PER_MS - 1) / USEC_PER_MS : -1;
}

bool access_may(struct engine *e, const struct job *j, struct job_end *no)
{
    for (int i = 0; i < CALLERS; i++) {
        enum gate why;
        int64_t wait_us = callers_wait_us(&e->callers, &j->caller[i], j->ask.prompt_tokens, e->now_us, &why);

        if (wait_us != 0) {
            refuse(&j->caller[i], i, why, wait_us, no);
            return false;
        }
    }
    return true;
}

void access_hold(struct engine *e, struct job *j)
{
    int64_t output = admit_expects(e->admit, j->ticket) - j->ask.prompt_tokens;

    for (int i = 0; i < CALLERS; i++)
        j->caller_hold[i] = callers_take(&e->callers, &j->caller[i], j->ask.prompt_tokens, output > 0 ? output : 0, e->now_us);
    j->caller_held = true;
}

void access_settle(struct engine *e, struct job *j)
{
    for (int i = 0; i < CALLERS && j->caller_held; i++)
        callers_settle(&e->callers, &j->caller[i], &j->caller_hold[i], j->rec.usage.prompt, j->rec.usage.completion, e->now_us);
    j->caller_held = false;
}

void access_release(struct engine *e, struct job *j)
{
    for (int i = 0; i < CALLERS && j->caller_held; i++)
        callers_release(&e->callers, &j->caller[i], &j->caller_hold[i], e->now_us);
    j->caller_held = false;
}
