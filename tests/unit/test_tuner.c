/* test_tuner.c - suggestions are what a replay of the ledger shows to help. */
#include <inttypes.h>
#include <jansson.h>
#include <string.h>

#include "base/settings_options.h"
#include "fixture_call.h"
#include "flow/tuner.h"
#include "store/upkeep.h"
#include "unit.h"

static struct db *db;

static struct settings *settings_of(const char *text)
{
    struct sb why = sb_make(4096);
    json_t *root = json_loads(text, 0, NULL);
    struct settings *s;

    ck_assert_ptr_nonnull(root);
    s = settings_make("test.json", root, &why);
    ck_assert_msg(s != NULL, "%s", sb_str(&why));
    json_decref(root);
    sb_done(&why);
    return s;
}

#define SETTINGS(tune)                                                                                                           \
    "{\"queue\":{\"max_wait\":3600},\"upstreams\":[{\"name\":\"openai\",\"models\":[\"gpt-4o-mini\"],\"safety_margin\":0.2,\"limits\":{\"requests_per_hour\":0," \
    "\"tokens_per_minute\":0,\"tokens_per_hour\":0,\"requests_per_minute\":60}," tune "}]}"

/* n calls, ten a second, of which every `refused`-th got a 429 first (0: none). */
static void fill(int n, int refused)
{
    db = fixture_db();
    fixture_user(db, "usr_ann");
    for (int i = 0; i < n; i++) {
        struct call_record r = fixture_call("usr_ann", FIXTURE_NOW - 600000 + i * 100);

        ck_assert_int_eq(fixture_accept(db, &r, true), WEIR_OK);
        fixture_answered(&r);
        if (refused && i % refused == 0) {
            r.attempts[1] = r.attempts[0];
            r.attempts[0].http_status = 429;
            r.attempt_count = 2;
        }
        ck_assert_int_eq(fixture_settle(db, &r), WEIR_OK);
    }
}

static void told(int64_t requests_per_minute)
{
    struct sb state = sb_make(1000);

    sb_putf(&state, "{\"at\":1,\"groups\":[{\"name\":\"openai\",\"dims\":[{\"dim\":\"requests_per_minute\",\"told\":%" PRId64 "}]}]}",
            requests_per_minute);
    ck_assert_int_eq(db_begin(db), WEIR_OK);
    ck_assert_int_eq(fixture_commit(db, upkeep_put(db, UPKEEP_ADMISSION, sb_str(&state), FIXTURE_NOW)), WEIR_OK);
    sb_done(&state);
}

static struct tuner *tuned(const struct settings *s)
{
    struct tuner *t = tuner_new(s, db, FIXTURE_NOW);

    ck_assert_ptr_nonnull(t);
    while (tuner_step(t)) {
    }
    return t;
}

static const struct suggestion *find(const struct tuner *t, const char *setting)
{
    const struct suggestion *f;
    size_t n = tuner_found(t, &f);

    for (size_t i = 0; i < n; i++)
        if (strcmp(f[i].setting, setting) == 0)
            return &f[i];
    return NULL;
}

START_TEST(too_few_requests_prove_nothing)
{
    struct settings *s = settings_of(SETTINGS("\"max_concurrent\":1"));
    struct tuner *t;

    fill(TUNER_ENOUGH - 1, 0);
    t = tuner_new(s, db, FIXTURE_NOW);
    ck_assert(!tuner_step(t));
    ck_assert_int_eq(tuner_requests(t), TUNER_ENOUGH - 1);
    tuner_free(t);
    settings_free(s);
    db_close(db);
}
END_TEST

START_TEST(without_waiting_nothing_is_suggested)
{
    struct settings *s = settings_of(SETTINGS("\"limits\":{\"requests_per_minute\":0,\"requests_per_hour\":0,\"tokens_per_minute\":0,\"tokens_per_hour\":0}"));
    const struct suggestion *f;
    struct tuner *t;

    fill(100, 0);
    t = tuned(s);
    ck_assert_uint_eq(tuner_found(t, &f), 0);
    tuner_free(t);
    settings_free(s);
    db_close(db);
}
END_TEST

START_TEST(calls_that_wait_for_each_other_want_more_at_a_time)
{
    struct settings *s = settings_of(SETTINGS("\"max_concurrent\":4,\"limits\":{\"requests_per_minute\":0,\"requests_per_hour\":0,\"tokens_per_minute\":0,\"tokens_per_hour\":0}"));
    const struct suggestion *f;
    struct tuner *t;
    struct sb json = sb_make(1 << 16);
    json_t *list;

    fill(200, 0);
    t = tuned(s);
    f = find(t, "upstreams.openai.max_concurrent");
    ck_assert_ptr_nonnull(f);
    ck_assert_str_eq(f->current, "4");
    ck_assert_str_eq(f->proposed, "8");
    ck_assert_int_lt(f->wait_after.p95_us * 5, f->wait_before.p95_us * 4);
    ck_assert_ptr_nonnull(strstr(f->text, "over 200 requests of the last 24 h"));
    ck_assert_ptr_null(find(t, "upstreams.openai.burst"));
    sb_putc(&json, '[');
    tuner_json(t, &json);
    sb_putc(&json, ']');
    list = json_loads(sb_str(&json), 0, NULL);
    ck_assert_str_eq(json_string_value(json_object_get(json_array_get(list, 0), "setting")), "upstreams.openai.max_concurrent");
    ck_assert_int_eq(json_integer_value(json_object_get(json_object_get(json_array_get(list, 0), "evidence"), "requests")), 200);
    json_decref(list);
    sb_done(&json);
    tuner_free(t);
    settings_free(s);
    db_close(db);
}
END_TEST

START_TEST(a_limit_is_raised_to_what_the_provider_said_and_never_beyond)
{
    struct settings *s = settings_of(SETTINGS("\"max_concurrent\":100"));
    const struct suggestion *f;
    struct tuner *t;

    fill(200, 0);
    t = tuned(s);
    ck_assert_ptr_null(find(t, "upstreams.openai.limits.requests_per_minute"));    /* it said nothing */
    tuner_free(t);
    told(240);
    t = tuned(s);
    f = find(t, "upstreams.openai.limits.requests_per_minute");
    ck_assert_ptr_nonnull(f);
    ck_assert_str_eq(f->current, "60");
    ck_assert_str_eq(f->proposed, "240");
    tuner_free(t);
    told(60);
    t = tuned(s);
    ck_assert_ptr_null(find(t, "upstreams.openai.limits.requests_per_minute"));
    tuner_free(t);
    settings_free(s);
    db_close(db);
}
END_TEST

START_TEST(refusals_of_the_provider_ask_for_a_larger_margin)
{
    struct settings *s = settings_of(SETTINGS("\"max_concurrent\":100"));
    const struct suggestion *f;
    struct tuner *t;

    fill(200, 10);
    t = tuned(s);
    f = find(t, "upstreams.openai.safety_margin");
    ck_assert_ptr_nonnull(f);
    ck_assert_str_eq(f->current, "0.2");
    ck_assert_str_eq(f->proposed, "0.25");
    ck_assert_str_eq(f->severity, "warning");
    ck_assert_ptr_nonnull(strstr(f->text, "refused 20 of 220 calls"));
    tuner_free(t);
    settings_free(s);
    db_close(db);
}
END_TEST

START_TEST(the_same_ledger_gives_the_same_suggestions)
{
    struct settings *s = settings_of(SETTINGS("\"max_concurrent\":4,\"limits\":{\"requests_per_minute\":0,\"requests_per_hour\":0,\"tokens_per_minute\":0,\"tokens_per_hour\":0}"));
    struct sb one = sb_make(1 << 16), two = sb_make(1 << 16);
    struct tuner *t;

    fill(150, 0);
    t = tuned(s);
    tuner_json(t, &one);
    tuner_free(t);
    t = tuned(s);
    tuner_json(t, &two);
    tuner_free(t);
    ck_assert_uint_gt(one.len, 0);
    ck_assert_str_eq(sb_str(&one), sb_str(&two));
    sb_done(&one);
    sb_done(&two);
    settings_free(s);
    db_close(db);
}
END_TEST

UNIT_MAIN("tuner", too_few_requests_prove_nothing, without_waiting_nothing_is_suggested, calls_that_wait_for_each_other_want_more_at_a_time,
          a_limit_is_raised_to_what_the_provider_said_and_never_beyond, refusals_of_the_provider_ask_for_a_larger_margin,
          the_same_ledger_gives_the_same_suggestions)
