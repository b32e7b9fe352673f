/* test_snapshot_json.c - the engine's snapshot in the words of /monitoring. */
#include "web/snapshot_json.h"

#include <jansson.h>
#include <string.h>

#include "base/json.h"
#include "unit.h"

static struct admit_upstream_view up[2];
static struct snapshot_entry entries[3];
static struct snapshot snap;

/* One healthy upstream with a limit on requests, one without limits; three asks of two users wait. */
static void set_up(void)
{
    up[0] = (struct admit_upstream_view){.name = "openai", .rate_ppm = 1000000, .max_concurrent = 4, .provider_429s_24h = 2};
    up[0].dim[DIM_REQUESTS_PER_MINUTE] = (struct admit_dim_view){.limit = 60, .used = 20, .reserved = 10, .remaining = 30,
                                                                 .resets_in_us = 1500001};
    up[1] = (struct admit_upstream_view){.name = "builtin", .rate_ppm = 1000000};
    for (int u = 0; u < 2; u++) {
        for (int d = 0; d < DIM_COUNT; d++)
            up[u].dim[d].provider_limit = up[u].dim[d].provider_remaining = -1;
    }
    entries[0] = (struct snapshot_entry){.request_id = "req_1", .session_id = "ses_1", .user_id = "usr_a", .model = "m",
                                         .priority = PRIORITY_HIGH, .position = 1, .waited_ms = 5, .eta_ms = -1,
                                         .reason = GATE_CONCURRENCY};
    entries[1] = entries[2] = entries[0];
    strcpy(entries[1].user_id, "usr_b");
    entries[2].priority = PRIORITY_LOW;
    entries[2].waited_ms = 90;
    snap = (struct snapshot){.upstream_count = 2, .upstreams = up, .entry_count = 3, .entries = entries, .running = 4,
                             .max_concurrent = 4, .oldest_wait_ms = 100, .at_ms = 1000};
    snap.waiting[PRIORITY_HIGH] = 2;
    snap.waiting[PRIORITY_LOW] = 1;
}

static json_t *parsed(struct sb *text)
{
    json_t *v = json_loadb(sb_str(text), text->len, 0, NULL);

    ck_assert_msg(v != NULL, "not JSON: %s", sb_str(text));
    sb_done(text);
    return v;
}

static json_t *queue_of(const char *user_id, size_t max)
{
    struct sb out = sb_make(65536);

    snapshot_queue_json(&snap, user_id, max, &out);
    return parsed(&out);
}

START_TEST(a_limit_is_told_with_its_share_and_a_missing_one_as_null)
{
    struct sb out = sb_make(65536);
    json_t *list, *d;

    set_up();
    snapshot_limits_json(&snap, &out);
    list = parsed(&out);
    ck_assert_uint_eq(json_array_size(list), 2);
    d = json_object_get(json_array_get(list, 0), "dimensions");
    ck_assert_uint_eq(json_object_size(d), DIM_COUNT);
    ck_assert(json_is_null(json_object_get(d, "tokens_per_hour")));
    d = json_object_get(d, "requests_per_minute");
    ck_assert_int_eq(json_int(d, "remaining", -1), 30);
    ck_assert_int_eq(json_int(d, "resets_in_ms", -1), 1501);
    ck_assert(json_number_value(json_object_get(d, "utilization")) == 0.5);
    ck_assert(json_is_null(json_object_get(json_array_get(list, 0), "provider_reported")));
    json_decref(list);
}
END_TEST

START_TEST(what_the_provider_said_is_told_where_it_said_something)
{
    struct sb out = sb_make(65536);
    json_t *list, *said;

    set_up();
    up[0].dim[DIM_TOKENS_PER_MINUTE].provider_remaining = 7;
    up[0].dim[DIM_TOKENS_PER_MINUTE].provider_ago_us = 1000 * 1000;
    up[0].dim[DIM_TOKENS_PER_MINUTE].drift = 12;
    up[0].dim[DIM_TOKENS_PER_MINUTE].limit = 0;
    up[0].dim[DIM_REQUESTS_PER_MINUTE].provider_limit = 60;
    up[0].dim[DIM_REQUESTS_PER_MINUTE].drift = 12;
    snapshot_limits_json(&snap, &out);
    list = parsed(&out);
    said = json_object_get(json_array_get(list, 0), "provider_reported");
    ck_assert_uint_eq(json_object_size(said), 2);
    ck_assert_int_eq(json_int(json_object_get(said, "requests_per_minute"), "drift", -1), 12);
    said = json_object_get(said, "tokens_per_minute");
    ck_assert_str_eq(json_str(said, "at", ""), "1970-01-01T00:00:00.000Z");
    ck_assert(json_is_null(json_object_get(said, "drift")));          /* it has no limit here, so nothing is counted */
    ck_assert(json_is_null(json_object_get(said, "limit")));
    ck_assert_int_eq(json_int(said, "remaining", -1), 7);
    json_decref(list);
}
END_TEST

START_TEST(stabilizing_is_told_with_its_end)
{
    struct sb out = sb_make(65536);
    json_t *list, *s;

    set_up();
    up[0].stabilizing = true;
    up[0].stabilizing_until_us = 60 * 1000 * 1000;
    up[0].rate_ppm = 500000;
    snapshot_limits_json(&snap, &out);
    list = parsed(&out);
    s = json_object_get(json_array_get(list, 0), "stabilization");
    ck_assert(json_is_true(json_object_get(s, "active")));
    ck_assert_str_eq(json_str(s, "until", ""), "1970-01-01T00:01:01.000Z");
    ck_assert(json_number_value(json_object_get(s, "rate_factor")) == 0.5);
    json_decref(list);
}
END_TEST

START_TEST(the_queue_is_told_whole_or_only_ones_own)
{
    json_t *q;

    set_up();
    q = queue_of(NULL, 10);
    ck_assert_int_eq(json_int(json_object_get(q, "depth"), "High", -1), 2);
    ck_assert_int_eq(json_int(q, "oldest_wait_ms", -1), 100);
    ck_assert_uint_eq(json_array_size(json_object_get(q, "entries")), 3);
    json_decref(q);
    q = queue_of("usr_a", 10);
    ck_assert_int_eq(json_int(json_object_get(q, "depth"), "High", -1), 1);
    ck_assert_int_eq(json_int(json_object_get(q, "depth"), "Low", -1), 1);
    ck_assert_int_eq(json_int(q, "oldest_wait_ms", -1), 90);
    ck_assert_uint_eq(json_array_size(json_object_get(q, "entries")), 2);
    json_decref(q);
    q = queue_of("usr_c", 10);
    ck_assert_int_eq(json_int(json_object_get(q, "depth"), "High", -1), 0);
    ck_assert_uint_eq(json_array_size(json_object_get(q, "entries")), 0);
    json_decref(q);
}
END_TEST

START_TEST(entries_are_as_many_as_asked_for)
{
    json_t *q;

    set_up();
    q = queue_of(NULL, 2);
    ck_assert_uint_eq(json_array_size(json_object_get(q, "entries")), 2);
    ck_assert(json_is_null(json_object_get(json_array_get(json_object_get(q, "entries"), 0), "eta_ms")));
    json_decref(q);
    q = queue_of(NULL, 0);
    ck_assert_ptr_null(json_object_get(q, "entries"));
    json_decref(q);
}
END_TEST

static const char *health(void)
{
    static char status[32];
    struct sb out = sb_make(1024);
    json_t *h;

    snapshot_health_json(&snap, &out);
    h = parsed(&out);
    strcpy(status, json_str(h, "status", ""));
    json_decref(h);
    return status;
}

START_TEST(health_is_the_worst_that_is_true)
{
    set_up();
    ck_assert_str_eq(health(), "healthy");
    up[0].status = ADMIT_WARNING;
    ck_assert_str_eq(health(), "warning");
    up[0].stabilizing = true;
    ck_assert_str_eq(health(), "stabilizing");
    up[0].status = ADMIT_ERROR;
    ck_assert_str_eq(health(), "limited");
    up[0].down = true;
    ck_assert_str_eq(health(), "limited");
    up[1].down = true;
    ck_assert_str_eq(health(), "down");
    set_up();
    snap.draining = true;
    ck_assert_str_eq(health(), "down");
}
END_TEST

START_TEST(budgets_are_listed_by_ledger_and_a_user_sees_only_their_own)
{
    static const struct { enum budget_scope scope; const char *key; } rows[] = {{BUDGET_ALL, ""}, {BUDGET_USER, "usr_a"}, {BUDGET_USER, "usr_b"}};
    static struct snapshot_budget b[3];
    struct snapshot s = {.budget_count = 3, .budgets = b};
    struct sb out = sb_make(65536), own = sb_make(65536);
    json_t *list, *first;

    for (int i = 0; i < 3; i++) {
        b[i].rule = (struct budget_rule){.id = "bud_1", .scope = rows[i].scope, .window = BUDGET_DAY, .limit = INT64_C(5000000000000)};
        strcpy(b[i].key, rows[i].key);
        b[i].view = (struct budget_view){.rule = &b[i].rule, .key = b[i].key, .span = {0, 86400000}, .spent = INT64_C(4000000000001),
                                         .held = 1, .left = INT64_C(999999999998), .warned = 800000};
    }
    snapshot_budgets_json(&s, NULL, &out);
    ck_assert_msg(strstr(sb_str(&out), "{\"id\":\"bud_1\",\"scope\":\"all\",\"window\":\"day\",\"limit_usd\":5,\"spent_usd\":4.000000000001,"
                         "\"reserved_usd\":0.000000000001,\"resets_at\":\"1970-01-02T00:00:00.000Z\",\"key\":null,\"each\":false,"
                         "\"left_usd\":0.999999999998,\"warned\":0.8}") != NULL, "%s", sb_str(&out));
    list = parsed(&out);
    ck_assert_uint_eq(json_array_size(list), 3);
    json_decref(list);
    snapshot_budgets_json(&s, "usr_b", &own);
    list = parsed(&own);
    first = json_array_get(list, 0);
    ck_assert_uint_eq(json_array_size(list), 1);
    ck_assert_str_eq(json_str(first, "key", ""), "usr_b");
    json_decref(list);
}
END_TEST

UNIT_MAIN("snapshot_json", a_limit_is_told_with_its_share_and_a_missing_one_as_null,
          what_the_provider_said_is_told_where_it_said_something, stabilizing_is_told_with_its_end,
          the_queue_is_told_whole_or_only_ones_own, entries_are_as_many_as_asked_for, health_is_the_worst_that_is_true, budgets_are_listed_by_ledger_and_a_user_sees_only_their_own)
