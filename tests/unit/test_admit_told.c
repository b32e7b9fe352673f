/* Admission when providers refuse, fail or say how much is left, and over a
 * restart: what is retried, what is cut, what is remembered. */
#include "unit.h"

#include <string.h>

#include "flow/admit_state.h"

#define SEC INT64_C(1000000)
#define START (1000 * SEC)

static struct admit *admit_of(const struct admit_upstream *u, size_t n)
{
    struct admit_config c = {.upstreams = u, .upstream_count = n, .queue_max = 1000, .retry_budget_ppm = 100000};

    return admit_new(&c, 1, START);
}

#define PATIENCE {3, SEC, 60 * SEC, 900 * SEC}
static const struct admit_upstream one = {.name = "one", .limit = {60, 0, 6000, 0, 0, 0}, .max_concurrent = 32,
                                          .patience = PATIENCE};

static struct ask an_ask(uint64_t upstreams, int64_t now)
{
    return (struct ask){.upstreams = upstreams, .priority = PRIORITY_MEDIUM, .user = 1, .model = 7, .prompt_tokens = 100,
                        .max_tokens = 10, .arrived_us = now, .deadline_us = now + 600 * SEC};
}

/* Put one in line and let it start. */
static struct admit_grant started(struct admit *a, uint64_t upstreams, int64_t now)
{
    struct ask ask = an_ask(upstreams, now);
    struct admit_ticket *t;
    struct admit_grant g;
    int64_t wait;

    ck_assert_int_eq(admit_enqueue(a, &ask, now, &t, &wait), WEIR_OK);
    ck_assert(admit_next(a, now, &g));
    ck_assert_ptr_eq(g.ticket, t);
    return g;
}

static void keep_place(void *ctx, void *job, const struct admit_place *p)
{
    (void)job;
    *(struct admit_place *)ctx = *p;
}

START_TEST(a_429_cuts_pauses_and_is_retried_after_what_was_asked_for)
{
    struct admit *a = admit_of(&one, 1);
    struct admit_grant g = started(a, 1, START);
    struct admit_upstream_view v;
    struct admit_counters n;
    int64_t delay;

    ck_assert(admit_retry(a, g.ticket, FAULT_RATE_LIMIT, DIM_REQUESTS_PER_MINUTE, 7 * SEC, START + SEC, &delay));
    ck_assert_int_ge(delay, 7 * SEC);
    admit_view(a, 0, START + SEC, &v);
    ck_assert_int_eq(v.status, ADMIT_ERROR);
    ck_assert_int_eq(v.cooldown_until_us, START + 8 * SEC);
    ck_assert(v.stabilizing);
    ck_assert_int_eq(v.rate_ppm, 500000);
    ck_assert_int_eq(v.dim[DIM_REQUESTS_PER_MINUTE].allowed, 30);
    ck_assert_int_eq(v.dim[DIM_REQUESTS_PER_MINUTE].capacity, 1);     /* of ten: it was refused while much was left */
    ck_assert_int_eq(v.dim[DIM_TOKENS_PER_MINUTE].allowed, 6000);
    ck_assert_int_eq(v.dim[DIM_REQUESTS_PER_MINUTE].used, 1);         /* the refused one counts, its tokens do not */
    ck_assert_int_eq(v.dim[DIM_TOKENS_PER_MINUTE].used, 0);
    ck_assert_int_eq(v.provider_429s_24h, 1);
    ck_assert_int_eq(v.waiting, 1);
    ck_assert(!admit_next(a, START + SEC + delay - 1, &g));
    ck_assert(admit_next(a, START + SEC + delay, &g));
    ck_assert_int_eq(gate_longest(g.wait.held_us), GATE_BACKOFF);
    admit_view(a, 0, START + 9 * SEC, &v);
    ck_assert_int_eq(v.status, ADMIT_WARNING);
    admit_counters(a, &n);
    ck_assert_int_eq(n.retries, 1);
    ck_assert_int_eq(n.admitted, 2);
    admit_settle(a, g.ticket, 100, 5, START + 10 * SEC);
    admit_view(a, 0, START + 902 * SEC, &v);
    ck_assert_int_eq(v.status, ADMIT_HEALTHY);
    admit_free(a);
}
END_TEST

START_TEST(after_a_429_work_moves_to_the_other_upstream_at_once)
{
    const struct admit_upstream two[2] = {one, {.name = "two", .limit = {60}, .max_concurrent = 32, .patience = PATIENCE}};
    struct admit *a = admit_of(two, 2);
    struct admit_grant g = started(a, 3, START);
    int64_t delay;
    int first = g.upstream;

    ck_assert(admit_retry(a, g.ticket, FAULT_RATE_LIMIT, DIM_REQUESTS_PER_MINUTE, 60 * SEC, START, &delay));
    ck_assert_int_le(delay, SEC);                                      /* its own jitter, not the other's Retry-After */
    ck_assert(admit_next(a, START + delay, &g));
    ck_assert_int_ne(g.upstream, first);
    admit_settle(a, g.ticket, 100, 5, START + 2 * SEC);
    g = started(a, 3, START + 3 * SEC);
    ck_assert_int_ne(g.upstream, first);
    admit_free(a);
}
END_TEST

START_TEST(a_refused_key_takes_its_upstream_out_and_a_lone_one_is_not_retried)
{
    const struct admit_upstream two[2] = {one, {.name = "two", .limit = {60}, .max_concurrent = 32, .patience = PATIENCE}};
    struct admit *a = admit_of(two, 2);
    struct admit_grant g = started(a, 3, START);
    struct admit_upstream_view v;
    int64_t delay;
    int first = g.upstream;

    ck_assert(admit_retry(a, g.ticket, FAULT_AUTH, DIM_COUNT, -1, START, &delay));
    admit_view(a, first, START, &v);
    ck_assert(v.down);
    ck_assert_int_eq(v.status, ADMIT_ERROR);
    ck_assert(admit_next(a, START + delay, &g));
    ck_assert_int_ne(g.upstream, first);
    ck_assert(!admit_retry(a, g.ticket, FAULT_QUOTA, DIM_COUNT, -1, START + delay, &delay));
    ck_assert_int_eq(admit_wake_us(a, START + 2 * SEC), START + 2 * SEC);
    ck_assert(!admit_next(a, START + 2 * SEC, &g));
    admit_free(a);
}
END_TEST

START_TEST(retries_end_with_their_number_or_when_the_deadline_would_be_missed)
{
    struct admit *a = admit_of(&one, 1);
    struct admit_grant g = started(a, 1, START);
    int64_t delay, now = START;

    for (int i = 0; i < 3; i++) {
        ck_assert(admit_retry(a, g.ticket, FAULT_SERVER, DIM_COUNT, -1, now, &delay));
        now += delay;
        ck_assert(admit_next(a, now, &g));
    }
    ck_assert(!admit_retry(a, g.ticket, FAULT_SERVER, DIM_COUNT, -1, now, &delay));
    g = started(a, 1, now + 60 * SEC);
    ck_assert(!admit_retry(a, g.ticket, FAULT_OVERLOADED, DIM_COUNT, 3600 * SEC, now + 370 * SEC, &delay));
    admit_free(a);
}
END_TEST

START_TEST(a_message_waits_for_the_one_before_it_in_its_session_over_retries_too)
{
    struct admit *a = admit_of(&one, 1);
    struct ask ask = an_ask(1, START);
    struct admit_ticket *first, *second;
    struct admit_place place;
    struct admit_grant g;
    int64_t wait, delay;

    ask.session = 5;
    ck_assert_int_eq(admit_enqueue(a, &ask, START, &first, &wait), WEIR_OK);
    ck_assert(admit_next(a, START, &g));
    ck_assert_int_eq(admit_enqueue(a, &ask, START, &second, &wait), WEIR_OK);
    ck_assert(!admit_next(a, START, &g));
    admit_place(a, second, START, &place);
    ck_assert_int_eq(place.reason, GATE_SESSION);
    ck_assert_int_gt(place.eta_us, 0);
    ck_assert(admit_retry(a, first, FAULT_SERVER, DIM_COUNT, -1, START + SEC, &delay));
    ck_assert(admit_next(a, START + SEC + delay, &g));
    ck_assert_ptr_eq(g.ticket, first);
    ck_assert(!admit_next(a, START + 5 * SEC, &g));
    admit_settle(a, first, 100, 5, START + 6 * SEC);
    ck_assert(admit_next(a, START + 6 * SEC, &g));
    ck_assert_ptr_eq(g.ticket, second);
    ck_assert_int_eq(gate_longest(g.wait.held_us), GATE_SESSION);
    admit_free(a);
}
END_TEST

/* Each is told another start in the same turn, and starts when the simulation after the cut says: not as if nothing had been. */
START_TEST(after_a_cut_who_waits_is_told_a_start_that_comes_true)
{
    enum { BURST = 10, WAITING = 8 };
    const struct admit_upstream paced = {.name = "one", .limit = {60}, .max_concurrent = 32, .patience = PATIENCE};
    struct admit *a = admit_of(&paced, 1);
    struct admit_ticket *running[BURST], *waiting[WAITING];
    struct admit_place before[WAITING], after[WAITING];
    int64_t wait, delay, now = START + SEC / 2;
    struct ask ask = an_ask(1, START);
    struct admit_grant g;
    int begun = 0;

    for (int i = 0; i < BURST; i++)
        running[i] = started(a, 1, START).ticket;
    for (int i = 0; i < WAITING; i++)
        ck_assert_int_eq(admit_enqueue(a, &ask, START, &waiting[i], &wait), WEIR_OK);
    for (int i = 1; i < BURST; i++)
        admit_settle(a, running[i], 100, 5, now);
    for (int i = 0; i < WAITING; i++)
        admit_place(a, waiting[i], now, &before[i]);
    ck_assert_int_eq(before[0].eta_us, SEC / 2);
    ck_assert_int_eq(before[WAITING - 1].eta_us, SEC / 2 + (WAITING - 1) * SEC);

    ck_assert(admit_retry(a, running[0], FAULT_RATE_LIMIT, DIM_REQUESTS_PER_MINUTE, 7 * SEC, now, &delay));
    for (int i = 0; i < WAITING; i++) {
        admit_place(a, waiting[i], now, &after[i]);
        ck_assert_int_ge(after[i].eta_us, 7 * SEC);
        ck_assert_int_ge(after[i].eta_us, i ? after[i - 1].eta_us + 3 * SEC / 2 : 0);      /* at half the pace */
    }
    for (int64_t at = now; begun < WAITING; at = admit_wake_us(a, at)) {
        while (admit_next(a, at, &g)) {
            if (g.ticket != running[0]) {
                ck_assert_ptr_eq(g.ticket, waiting[begun]);
                ck_assert_msg(at - now >= after[begun].eta_us - SEC / 10 && at - now <= after[begun].eta_us + SEC / 10,
                              "%d was told %lld us and starts after %lld", begun, (long long)after[begun].eta_us, (long long)(at - now));
                begun++;
            }
            admit_settle(a, g.ticket, 100, 5, at);
        }
    }
    admit_free(a);
}
END_TEST

/* For a day after a 429, long after its rate is back. */
START_TEST(who_waits_for_the_pace_is_told_how_much_may_go_at_once_now)
{
    const int64_t later = START + 1000 * SEC;
    struct admit *a = admit_of(&one, 1);
    struct ask ask = an_ask(1, later);
    struct admit_ticket *t;
    struct admit_grant g = started(a, 1, START);
    struct admit_place place;
    int64_t wait, delay;
    int begun = 0;

    ck_assert(admit_retry(a, g.ticket, FAULT_RATE_LIMIT, DIM_REQUESTS_PER_MINUTE, 7 * SEC, START, &delay));
    ck_assert(admit_next(a, START + 20 * SEC, &g));
    admit_settle(a, g.ticket, 100, 5, START + 20 * SEC);
    for (int i = 0; i < 6; i++)
        ck_assert_int_eq(admit_enqueue(a, &ask, later, &t, &wait), WEIR_OK);
    while (admit_next(a, later, &g))
        begun++;
    ck_assert_int_eq(begun, 1);                       /* not ten, a sixth of sixty: that one was refused while much was left */
    admit_place(a, t, later, &place);
    ck_assert_int_eq(place.reason, (enum gate)(GATE_SPREAD + DIM_REQUESTS_PER_MINUTE));
    ck_assert_int_eq(place.spread.limit, 60);
    ck_assert_int_eq(place.spread.capacity, 1);
    admit_free(a);
}
END_TEST

/* What came between may go while it rests; from then on it is the oldest, and waits for its limits like any other. */
START_TEST(a_retry_keeps_its_age_and_waits_for_its_limits)
{
    const struct admit_upstream narrow = {.name = "one", .max_concurrent = 1, .patience = PATIENCE};
    struct admit *a = admit_of(&narrow, 1);
    struct admit_ticket *old = started(a, 1, START).ticket, *between, *later;
    struct ask ask = an_ask(1, START + SEC);
    struct admit_place place;
    struct admit_grant g;
    int64_t wait, delay;

    ck_assert_int_eq(admit_enqueue(a, &ask, START + SEC, &between, &wait), WEIR_OK);
    ask.arrived_us = START + 2 * SEC;
    ck_assert_int_eq(admit_enqueue(a, &ask, START + 2 * SEC, &later, &wait), WEIR_OK);
    ck_assert(admit_retry(a, old, FAULT_SERVER, DIM_COUNT, -1, START + 3 * SEC, &delay));
    ck_assert_int_le(delay, SEC);
    ck_assert(admit_next(a, START + 3 * SEC, &g));
    ck_assert_ptr_eq(g.ticket, between);                   /* the room is not kept for it */
    ck_assert(!admit_next(a, START + 5 * SEC, &g));        /* it is due, and there is no room */
    admit_place(a, old, START + 5 * SEC, &place);
    ck_assert_int_eq(place.position, 1);
    admit_place(a, later, START + 5 * SEC, &place);
    ck_assert_int_eq(place.position, 2);
    admit_settle(a, between, 100, 5, START + 6 * SEC);
    ck_assert(admit_next(a, START + 6 * SEC, &g));
    ck_assert_ptr_eq(g.ticket, old);                       /* before who came first of those that never began */
    ck_assert(!admit_next(a, START + 6 * SEC, &g));
    admit_settle(a, old, 100, 5, START + 7 * SEC);
    ck_assert(admit_next(a, START + 7 * SEC, &g));
    ck_assert_ptr_eq(g.ticket, later);
    admit_settle(a, later, 100, 5, START + 8 * SEC);
    admit_free(a);
}
END_TEST

START_TEST(upstreams_of_one_quota_group_share_their_limits)
{
    const struct admit_upstream two[2] = {
        {.name = "a", .quota_group = "org", .limit = {60}, .burst_requests = 5, .max_concurrent = 1},
        {.name = "b", .quota_group = "org", .limit = {60}, .burst_requests = 5, .max_concurrent = 32}};
    struct admit *a = admit_of(two, 2);
    struct admit_upstream_view v;
    struct admit_grant g;
    struct ask ask = an_ask(3, START);
    struct admit_ticket *t;
    int64_t wait;
    int n = 0;

    for (int i = 0; i < 8; i++)
        ck_assert_int_eq(admit_enqueue(a, &ask, START, &t, &wait), WEIR_OK);
    while (admit_next(a, START, &g))
        n++;
    ck_assert_int_eq(n, 5);
    for (int i = 0; i < 2; i++) {
        admit_view(a, i, START, &v);
        ck_assert_int_eq(v.dim[DIM_REQUESTS_PER_MINUTE].used, 5);
        ck_assert_int_eq(v.waiting, 3);
    }
    ck_assert_int_eq(admit_wake_us(a, START), START + SEC);
    admit_free(a);
}
END_TEST

START_TEST(foreign_traffic_shows_in_the_headers_and_holds_us_back)
{
    struct admit *a = admit_of(&one, 1);
    struct admit_grant g = started(a, 1, START);
    struct admit_upstream_view v;
    struct provider_word w;
    struct ask ask = an_ask(1, START);
    struct admit_ticket *t;
    int64_t wait;

    memset(&w, 0xff, sizeof w);
    w.limit[DIM_TOKENS_PER_MINUTE] = 6000;
    w.remaining[DIM_TOKENS_PER_MINUTE] = 50;
    admit_provider_word(a, 0, &w, START);
    admit_view(a, 0, START, &v);
    ck_assert_int_eq(v.dim[DIM_TOKENS_PER_MINUTE].provider_remaining, 50);
    ck_assert_int_eq(v.dim[DIM_TOKENS_PER_MINUTE].remaining, 50);
    ck_assert_int_eq(v.dim[DIM_REQUESTS_PER_MINUTE].provider_remaining, -1);
    ck_assert_int_eq(admit_enqueue(a, &ask, START, &t, &wait), WEIR_OK);
    ck_assert(!admit_next(a, START, &g));
    ck_assert_int_gt(wait, 59 * SEC);
    admit_free(a);
}
END_TEST

START_TEST(use_debt_and_stabilization_outlive_a_restart_and_what_was_running_counts)
{
    struct admit *a = admit_of(&one, 1), *b;
    struct admit_grant g = started(a, 1, START);
    struct admit_upstream_view v;
    struct sb saved = sb_make(1 << 20);
    struct ask ask = an_ask(1, START);
    struct admit_ticket *t;
    int64_t wait;

    admit_settle(a, g.ticket, 4000, 500, START + SEC);
    g = started(a, 1, START + 40 * SEC);
    ck_assert(!admit_retry(a, started(a, 1, START + 45 * SEC).ticket, FAULT_RATE_LIMIT, DIM_TOKENS_PER_MINUTE, 10 * SEC,
                           START + 641 * SEC + 1, &wait));
    admit_save(a, START + 642 * SEC, 1000000, &saved);
    ck_assert(sb_ok(&saved));

    b = admit_of(&one, 1);                            /* another clock, a second later by the calendar */
    ck_assert(admit_load(b, sb_str(&saved), saved.len, START, 1001000));
    admit_view(b, 0, START, &v);
    ck_assert(v.stabilizing);
    ck_assert_int_eq(v.rate_ppm, 500000);
    ck_assert_int_eq(v.dim[DIM_REQUESTS_PER_MINUTE].allowed, 60);
    ck_assert_int_eq(v.dim[DIM_TOKENS_PER_MINUTE].allowed, 3000);
    ck_assert_int_eq(v.cooldown_until_us, START + 8 * SEC + 1);
    ck_assert_int_eq(v.dim[DIM_TOKENS_PER_MINUTE].used, 10);          /* output set aside by the call that was running */
    ask.deadline_us = START + 5 * SEC;
    ck_assert_int_eq(admit_enqueue(b, &ask, START, &t, &wait), WEIR_E_QUEUE_TIMEOUT);
    admit_free(b);

    b = admit_of(&one, 1);                            /* the same an hour later: all is well again */
    ck_assert(admit_load(b, sb_str(&saved), saved.len, START, 1000000 + 3600000));
    admit_view(b, 0, START, &v);
    ck_assert_int_eq(v.status, ADMIT_HEALTHY);
    ck_assert_int_eq(v.dim[DIM_TOKENS_PER_MINUTE].used, 0);
    admit_free(b);
    admit_free(a);
    sb_done(&saved);
}
END_TEST

START_TEST(what_headers_said_of_limits_can_be_read_from_what_was_saved)
{
    const struct admit_upstream one = {.name = "one", .max_concurrent = 100,
                                       .limit = {[DIM_REQUESTS_PER_MINUTE] = 60, [DIM_TOKENS_PER_MINUTE] = 6000}};
    struct admit *a = admit_of(&one, 1);
    struct provider_word w;
    struct sb saved = sb_make(1 << 20);
    int64_t limit[DIM_COUNT];

    memset(&w, 0xff, sizeof w);
    w.limit[DIM_REQUESTS_PER_MINUTE] = 500;
    w.remaining[DIM_REQUESTS_PER_MINUTE] = 499;
    admit_provider_word(a, 0, &w, START);
    admit_save(a, START + SEC, 1000000, &saved);
    admit_saved_told(sb_str(&saved), saved.len, "one", limit);
    ck_assert_int_eq(limit[DIM_REQUESTS_PER_MINUTE], 500);
    ck_assert_int_eq(limit[DIM_TOKENS_PER_MINUTE], -1);
    admit_saved_told(sb_str(&saved), saved.len, "two", limit);
    ck_assert_int_eq(limit[DIM_REQUESTS_PER_MINUTE], -1);
    admit_saved_told("{", 1, "one", limit);
    ck_assert_int_eq(limit[DIM_REQUESTS_PER_MINUTE], -1);
    admit_free(a);
    sb_done(&saved);
}
END_TEST

/* The age is that of the provider's last word, over as many restarts as there are. */
START_TEST(a_limit_that_headers_told_binds_after_restarts_and_is_believed_for_a_day)
{
    const int64_t told_ms = 1000000, hour_ms = 3600000, now = 2 * START;
    struct admit *a = admit_of(&one, 1);
    struct sb saved = sb_make(1 << 20);
    struct admit_upstream_view v;
    struct provider_word w;

    memset(&w, 0xff, sizeof w);
    w.limit[DIM_TOKENS_PER_MINUTE] = 2000;
    w.limit[DIM_REQUESTS_PER_MINUTE] = 500;           /* more than is configured: changes nothing */
    admit_provider_word(a, 0, &w, START);
    admit_save(a, START + 60 * SEC, told_ms + 60000, &saved);
    for (int64_t hours = 8; hours <= 32; hours += 8) {
        struct admit *b = admit_of(&one, 1);
        bool believed = hours <= 24;

        ck_assert(admit_load(b, sb_str(&saved), saved.len, now, told_ms + hours * hour_ms));
        admit_view(b, 0, now, &v);
        ck_assert_int_eq(v.dim[DIM_TOKENS_PER_MINUTE].allowed, believed ? 2000 : 6000);
        ck_assert_int_eq(v.dim[DIM_TOKENS_PER_MINUTE].provider_limit, believed ? 2000 : -1);
        ck_assert_int_eq(v.dim[DIM_TOKENS_PER_MINUTE].provider_ago_us, believed ? hours * 3600 * SEC : 0);
        ck_assert_int_eq(v.dim[DIM_REQUESTS_PER_MINUTE].allowed, 60);
        sb_reset(&saved);
        admit_save(b, now, told_ms + hours * hour_ms, &saved);
        admit_free(b);
    }
    admit_free(a);
    sb_done(&saved);
}
END_TEST

START_TEST(learned_lengths_outlive_a_restart_and_what_is_saved_of_them_is_bounded)
{
    struct admit *a = admit_of(&one, 1), *b = admit_of(&one, 1);
    struct admit_grant before, after;
    struct sb saved = sb_make(1 << 20);

    for (int i = 0; i < 1000; i++)
        learned_tell(&a->learned, 5, 1000 + (uint64_t)i, 70);
    for (int i = 0; i < 40; i++) {
        before = started(a, 1, START + i * 61 * SEC);
        admit_settle(a, before.ticket, 1, 3 + i % 5, START + i * 61 * SEC);
    }
    before = started(a, 1, START + 4000 * SEC);
    admit_save(a, START + 4000 * SEC, 1000000, &saved);
    ck_assert(sb_ok(&saved));
    ck_assert_uint_lt(saved.len, 32 * 1024);
    ck_assert(admit_load(b, sb_str(&saved), saved.len, START, 1000000 + 3600000));
    after = started(b, 1, START);
    ck_assert_int_eq(after.reserved_output, before.reserved_output);
    ck_assert_uint_le(b->learned.count, LEARNED_KEPT);
    admit_free(a);
    admit_free(b);
    sb_done(&saved);
}
END_TEST

/* Nothing goes there that could hear of another limit: what was refused as too large would be for ever. */
START_TEST(a_limit_that_headers_told_is_forgotten_after_a_day_also_where_nothing_was_sent_since)
{
    const struct provider_word thousand = {.limit = {-1, -1, 1000, -1, -1, -1}, .remaining = {-1, -1, -1, -1, -1, -1}},
                               more = {.limit = {-1, -1, 3000, -1, -1, -1}, .remaining = {-1, -1, -1, -1, -1, -1}};
    const int64_t day_us = INT64_C(86400) * SEC;

    for (int heard = 0; heard < 3; heard++) {
        struct admit *a = admit_of(&one, 1);
        struct ask large = an_ask(1, START);
        struct admit_prospect p;
        struct admit_upstream_view v;
        struct admit_ticket *t;
        int64_t wait, again = START + 3600 * SEC;

        large.prompt_tokens = 2000;
        admit_provider_word(a, 0, &thousand, START);
        ck_assert_int_eq(admit_enqueue(a, &large, START, &t, &wait), WEIR_E_REQUEST_TOO_LARGE_FOR_LIMIT);
        if (heard == 1)                                            /* an answer says more … */
            admit_provider_word(a, 0, &more, again);
        else if (heard == 2)                                       /* … or the same again */
            admit_provider_word(a, 0, &thousand, again);
        ck_assert_int_eq(admit_forecast(a, &large, START + day_us, &p), heard == 1 ? WEIR_OK : WEIR_E_REQUEST_TOO_LARGE_FOR_LIMIT);
        ck_assert_int_eq(admit_forecast(a, &large, START + day_us + 1, &p), heard == 2 ? WEIR_E_REQUEST_TOO_LARGE_FOR_LIMIT : WEIR_OK);
        ck_assert_int_eq(admit_enqueue(a, &large, again + day_us + 1, &t, &wait), WEIR_OK);
        admit_view(a, 0, again + day_us + 1, &v);
        ck_assert_int_eq(v.dim[DIM_TOKENS_PER_MINUTE].provider_limit, -1);
        ck_assert_int_eq(v.dim[DIM_TOKENS_PER_MINUTE].allowed, 6000);
        admit_free(a);
    }
}
END_TEST

START_TEST(after_a_kill_all_that_could_have_been_sent_since_the_save_counts)
{
    struct admit *a = admit_of(&one, 1), *b = admit_of(&one, 1);
    struct admit_upstream_view v;
    struct sb saved = sb_make(1 << 20);

    admit_save_running(a, 6 * SEC, START, 1000000, &saved);
    ck_assert(admit_load(b, sb_str(&saved), saved.len, START, 1000000 + 86400000));     /* even after a day: it may have run on */
    admit_view(b, 0, START, &v);
    ck_assert_int_eq(v.dim[DIM_TOKENS_PER_MINUTE].used, 6000 / 6 + 600);                /* a burst, and six seconds' worth */
    admit_view(b, 0, START + 61 * SEC, &v);
    ck_assert_int_eq(v.dim[DIM_TOKENS_PER_MINUTE].used, 0);
    admit_free(a);
    admit_free(b);
    sb_done(&saved);
}
END_TEST

/* At full use there is little that can have been sent unseen: nobody waits for six seconds' worth of it. */
START_TEST(after_a_kill_at_full_use_the_next_call_waits_two_seconds_and_is_told_so)
{
    static const struct admit_upstream sixty = {.name = "one", .limit = {60}, .max_concurrent = 32, .patience = PATIENCE};
    struct admit *a = admit_of(&sixty, 1), *b = admit_of(&sixty, 1);
    struct ask ask = an_ask(1, START);
    struct sb saved = sb_make(1 << 20);
    struct admit_place place = {0};
    struct admit_upstream_view v;
    struct admit_ticket *t;
    struct admit_grant g;
    enum dim d;
    int64_t wait;

    for (int i = 0; i < 10; i++)
        admit_settle(a, started(a, 1, START).ticket, 100, 5, START);
    admit_save_running(a, 6 * SEC, START, 1000000, &saved);
    ck_assert(admit_load(b, sb_str(&saved), saved.len, START, 1000000));
    admit_view(b, 0, START, &v);
    ck_assert_int_eq(v.dim[DIM_REQUESTS_PER_MINUTE].used, 10 + 6);
    ck_assert_int_eq(admit_enqueue(b, &ask, START, &t, &wait), WEIR_OK);
    ck_assert(!admit_next(b, START, &g));
    admit_each_waiting(b, START, keep_place, &place);
    ck_assert(gate_spreads(place.reason, &d));
    ck_assert_int_eq(d, DIM_REQUESTS_PER_MINUTE);
    ck_assert_int_eq(place.eta_us, 2 * SEC);
    ck_assert(!admit_next(b, START + 2 * SEC - 1, &g));
    ck_assert(admit_next(b, START + 2 * SEC, &g));
    ck_assert_int_eq(gate_longest(g.wait.held_us), place.reason);
    admit_free(a);
    admit_free(b);
    sb_done(&saved);
}
END_TEST

START_TEST(damaged_state_is_refused_or_ignored_and_changes_nothing_it_should_not)
{
    static const char *const bad[] = {"", "[]", "{", "{\"at\":1}", "{\"at\":\"x\",\"groups\":[]}", "{\"groups\":[]}"};
    static const char *const odd[] = {
        "{\"at\":0,\"groups\":[{\"name\":\"other\",\"dims\":[{\"dim\":\"tokens_per_minute\",\"level\":-5}]}]}",
        "{\"at\":0,\"groups\":[7,{},{\"name\":\"one\",\"dims\":[7,{\"dim\":\"nonsense\"},{\"dim\":\"tokens_per_minute\",\"level\":9000,"
        "\"used\":[[-5,10],[1,-10],[0,9223372036854775807],\"x\",[9223372036854775807,1]],"
        "\"told\":-1,\"told_age\":9223372036854775807,\"cut\":{\"since\":-1,\"until\":9223372036854775807,\"calm\":1,\"from_ppm\":1,\"burst_ppm\":0}}]}]}",
    };
    struct admit *a = admit_of(&one, 1);
    struct admit_upstream_view v;

    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        ck_assert(!admit_load(a, bad[i], strlen(bad[i]), START, 0));
    for (size_t i = 0; i < sizeof odd / sizeof *odd; i++)
        ck_assert(admit_load(a, odd[i], strlen(odd[i]), START, 0));
    admit_view(a, 0, START, &v);
    ck_assert_int_eq(v.status, ADMIT_HEALTHY);
    ck_assert_int_eq(v.dim[DIM_TOKENS_PER_MINUTE].used, 0);
    ck_assert_int_eq(v.dim[DIM_TOKENS_PER_MINUTE].remaining, 6000);
    admit_free(a);
}
END_TEST

START_TEST(a_refusal_in_mid_answer_cuts_or_takes_out_like_any_other)
{
    static const struct admit_upstream two[] = {
        {.name = "one", .limit = {60, 0, 6000, 0, 0, 0}, .max_concurrent = 32, .patience = PATIENCE},
        {.name = "other", .limit = {60, 0, 6000, 0, 0, 0}, .max_concurrent = 32, .patience = PATIENCE},
    };
    struct admit *a = admit_of(two, 2);
    struct admit_grant g = started(a, 1, START), h = started(a, 2, START);
    struct admit_upstream_view v;

    admit_failed(a, g.ticket, FAULT_RATE_LIMIT, DIM_TOKENS_PER_MINUTE, 7 * SEC, START + SEC);
    admit_settle(a, g.ticket, 100, 5, START + SEC);
    admit_view(a, 0, START + SEC, &v);
    ck_assert_int_eq(v.cooldown_until_us, START + 8 * SEC);
    ck_assert_int_eq(v.dim[DIM_TOKENS_PER_MINUTE].allowed, 3000);
    ck_assert_int_eq(v.dim[DIM_REQUESTS_PER_MINUTE].allowed, 60);
    ck_assert_int_eq(v.dim[DIM_TOKENS_PER_MINUTE].used, 105);
    ck_assert_int_eq(v.provider_429s_24h, 1);
    admit_failed(a, h.ticket, FAULT_QUOTA, DIM_COUNT, -1, START + SEC);
    admit_settle(a, h.ticket, 100, 5, START + SEC);
    admit_view(a, 1, START + SEC, &v);
    ck_assert(v.down);
    ck_assert(!v.stabilizing);
    ck_assert_int_eq(v.running, 0);
    admit_free(a);
}
END_TEST

START_TEST(what_others_send_with_the_same_key_is_drift)
{
    struct admit *a = admit_of(&one, 1);
    struct admit_grant g = started(a, 1, START);
    struct provider_word w;
    struct admit_upstream_view v;

    for (int d = 0; d < DIM_COUNT; d++)
        w.limit[d] = w.remaining[d] = w.reset_us[d] = -1;
    admit_settle(a, g.ticket, 100, 5, START);
    admit_view(a, 0, START, &v);
    ck_assert_int_eq(v.dim[DIM_TOKENS_PER_MINUTE].drift, 0);
    w.limit[DIM_TOKENS_PER_MINUTE] = 6000;
    w.remaining[DIM_TOKENS_PER_MINUTE] = 6000 - 105;                  /* ours alone */
    admit_provider_word(a, 0, &w, START);
    admit_view(a, 0, START, &v);
    ck_assert_int_eq(v.dim[DIM_TOKENS_PER_MINUTE].drift, 0);
    w.remaining[DIM_TOKENS_PER_MINUTE] -= 2001;                       /* others' */
    admit_provider_word(a, 0, &w, START + SEC);
    admit_provider_word(a, 0, &w, START + 2 * SEC);                   /* said again, not more of them */
    w.remaining[DIM_TOKENS_PER_MINUTE] -= 500;
    admit_provider_word(a, 0, &w, START + 3 * SEC);
    admit_view(a, 0, START + 4 * SEC, &v);
    ck_assert_int_eq(v.dim[DIM_TOKENS_PER_MINUTE].drift, 2501);
    ck_assert_int_eq(v.dim[DIM_TOKENS_PER_MINUTE].used, 105 + 2501);
    ck_assert_int_eq(v.dim[DIM_TOKENS_PER_MINUTE].provider_ago_us, SEC);
    ck_assert_int_eq(v.dim[DIM_REQUESTS_PER_MINUTE].drift, 0);
    admit_view(a, 0, START + 62 * SEC, &v);
    ck_assert_int_eq(v.dim[DIM_TOKENS_PER_MINUTE].drift, 500);
    admit_view(a, 0, START + 120 * SEC, &v);
    ck_assert_int_eq(v.dim[DIM_TOKENS_PER_MINUTE].drift, 0);
    admit_free(a);
}
END_TEST

UNIT_MAIN("admit_told", a_refusal_in_mid_answer_cuts_or_takes_out_like_any_other, what_others_send_with_the_same_key_is_drift,
          a_429_cuts_pauses_and_is_retried_after_what_was_asked_for,
          after_a_429_work_moves_to_the_other_upstream_at_once,
          a_refused_key_takes_its_upstream_out_and_a_lone_one_is_not_retried,
          retries_end_with_their_number_or_when_the_deadline_would_be_missed,
          a_message_waits_for_the_one_before_it_in_its_session_over_retries_too,
          after_a_cut_who_waits_is_told_a_start_that_comes_true,
          who_waits_for_the_pace_is_told_how_much_may_go_at_once_now,
          a_retry_keeps_its_age_and_waits_for_its_limits, upstreams_of_one_quota_group_share_their_limits, foreign_traffic_shows_in_the_headers_and_holds_us_back,
          use_debt_and_stabilization_outlive_a_restart_and_what_was_running_counts,
          what_headers_said_of_limits_can_be_read_from_what_was_saved,
          a_limit_that_headers_told_binds_after_restarts_and_is_believed_for_a_day,
          a_limit_that_headers_told_is_forgotten_after_a_day_also_where_nothing_was_sent_since,
          learned_lengths_outlive_a_restart_and_what_is_saved_of_them_is_bounded,
          after_a_kill_all_that_could_have_been_sent_since_the_save_counts,
          after_a_kill_at_full_use_the_next_call_waits_two_seconds_and_is_told_so,
          damaged_state_is_refused_or_ignored_and_changes_nothing_it_should_not)
