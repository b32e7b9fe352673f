/* What one configuration changes against another, and how it takes its place:
 * upstreams stay where they are, what needs a restart waits, secrets stay hidden. */
#include "unit.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/settings.h"
#include "store/budgets.h"

static char path[64];
static struct settings *now;
static struct settings_changes changes;

static struct settings *load(const char *json)
{
    struct sb why = sb_make(4000);
    struct settings *s;
    FILE *f;
    int fd;

    if (!*path) {
        ck_assert_int_eq(clearenv(), 0);
        snprintf(path, sizeof path, "/tmp/weir-change-XXXXXX");
        fd = mkstemp(path);
        ck_assert_int_ge(fd, 0);
        close(fd);
    }
    f = fopen(path, "w");
    ck_assert_ptr_nonnull(f);
    fputs(json, f);
    fclose(f);
    s = settings_load(path, &why);
    ck_assert_msg(s != NULL, "%s", sb_str(&why));
    sb_done(&why);
    return s;
}

/* From what is in force to this; the former is left alone, as in a running Weir. */
static void follow(const char *json)
{
    struct sb why = sb_make(4000);
    struct settings *fresh = load(json);

    settings_changes_done(&changes);
    ck_assert_msg(settings_follow(fresh, now, &changes, &why), "%s", sb_str(&why));
    settings_free(now);
    now = fresh;
    sb_done(&why);
}

static void given(const char *json)
{
    now = load(json);
}

static void tidy(void)
{
    settings_changes_done(&changes);
    settings_free(now);
    unlink(path);
}

static const struct settings_change *change(const char *key)
{
    for (size_t i = 0; i < changes.n; i++)
        if (strcmp(changes.v[i].key, key) == 0)
            return &changes.v[i];
    ck_abort_msg("no change of %s among %zu", key, changes.n);
    return NULL;
}

#define assert_change(key_, before_, after_, restart_)               \
    do {                                                             \
        const struct settings_change *c_ = change(key_);             \
        ck_assert_str_eq(c_->before, before_);                       \
        ck_assert_str_eq(c_->after, after_);                         \
        ck_assert_int_eq(c_->restart, restart_);                     \
    } while (0)

#define A "{\"name\":\"a\",\"base_url\":\"http://127.0.0.1:1/v1\"}"
#define B "{\"name\":\"b\",\"base_url\":\"http://127.0.0.1:2/v1\",\"api_key\":\"sk-old\"}"
#define C "{\"name\":\"c\",\"base_url\":\"http://127.0.0.1:3/v1\"}"

START_TEST(the_same_file_changes_nothing)
{
    char before[SETTINGS_HASH_SIZE], after[SETTINGS_HASH_SIZE];

    given("{\"upstreams\":[" A "," B "],\"budgets\":[{\"scope\":\"all\",\"window\":\"day\",\"limit_usd\":1}]}");
    settings_hash(now, before);
    follow("{\"upstreams\":[" A "," B "],\"budgets\":[{\"scope\":\"all\",\"window\":\"day\",\"limit_usd\":1.0}]}");
    ck_assert_uint_eq(changes.n, 0);
    settings_hash(now, after);
    ck_assert_str_eq(before, after);
    tidy();
}
END_TEST

START_TEST(each_difference_is_named_with_both_values)
{
    given("{\"upstreams\":[" A "]}");
    follow("{\"queue\":{\"max_size\":5},\"retry\":{\"budget\":0.2},\"default_model\":\"m\",\"upstreams\":[{\"name\":\"a\","
           "\"base_url\":\"http://127.0.0.1:9/v1\",\"limits\":{\"requests_per_minute\":7},\"models\":[\"x\",\"y\"]}]}");
    ck_assert_uint_eq(changes.n, 6);
    assert_change("queue.max_size", "1000", "5", false);
    assert_change("retry.budget", "0.1", "0.2", false);
    assert_change("default_model", "null", "\"m\"", false);
    assert_change("upstreams.a.base_url", "\"http://127.0.0.1:1/v1\"", "\"http://127.0.0.1:9/v1\"", false);
    assert_change("upstreams.a.limits.requests_per_minute", "60", "7", false);
    assert_change("upstreams.a.models", "null", "[\"x\", \"y\"]", false);
    ck_assert(settings_changes_apply(&changes));
    tidy();
}
END_TEST

START_TEST(what_needs_a_restart_keeps_its_value_and_is_named_every_time)
{
    given("{\"http\":{\"port\":8080,\"acceptors\":4},\"upstreams\":[" A "]}");
    for (int i = 0; i < 2; i++) {
        follow("{\"state\":\"/tmp/elsewhere\",\"http\":{\"port\":8081,\"acceptors\":9,\"hosts\":[\"x\"]},\"upstreams\":["
               "{\"name\":\"a\",\"base_url\":\"http://127.0.0.1:1/v1\",\"quota_group\":\"org\"}]}");
        assert_change("http.port", "8080", "8081", true);
        assert_change("state", "\"./var\"", "\"/tmp/elsewhere\"", true);
        assert_change("http.hosts", "null", "[\"x\"]", true);
        assert_change("upstreams.a.quota_group", "null", "\"org\"", true);
        ck_assert_int_eq(now->http.port, 8080);
        ck_assert_int_eq(now->http.acceptors, 4);
        ck_assert_str_eq(now->state, "./var");
        ck_assert_uint_eq(now->http.hosts.n, 0);
        ck_assert_ptr_null(now->upstreams[0].quota_group);
        ck_assert(!settings_changes_apply(&changes));
    }
    tidy();
}
END_TEST

START_TEST(a_key_is_a_change_that_is_not_shown)
{
    char before[SETTINGS_HASH_SIZE], after[SETTINGS_HASH_SIZE];

    given("{\"upstreams\":[" A "," B "]}");
    settings_hash(now, before);
    follow("{\"upstreams\":[" A ",{\"name\":\"b\",\"base_url\":\"http://127.0.0.1:2/v1\",\"api_key\":\"sk-new\"}]}");
    ck_assert_uint_eq(changes.n, 1);
    assert_change("upstreams.b.api_key", "\"(not shown)\"", "\"(not shown)\"", false);
    ck_assert_str_eq(now->upstreams[1].api_key, "sk-new");
    settings_hash(now, after);
    ck_assert_str_ne(before, after);
    follow("{\"upstreams\":[" A ",{\"name\":\"b\",\"base_url\":\"http://127.0.0.1:2/v1\"}]}");
    assert_change("upstreams.b.api_key", "\"(not shown)\"", "null", false);
    tidy();
}
END_TEST

START_TEST(upstreams_keep_their_places_and_one_that_returns_takes_its_own)
{
    given("{\"upstreams\":[" A "," B "]}");
    follow("{\"upstreams\":[" C "," B "," A "]}");
    assert_change("upstreams", "[\"a\",\"b\",\"builtin\"]", "[\"c\",\"b\",\"a\",\"builtin\"]", false);
    ck_assert_uint_eq(now->n_upstreams, 4);
    ck_assert_str_eq(now->upstreams[0].name, "a");
    ck_assert_str_eq(now->upstreams[1].name, "b");
    ck_assert_str_eq(now->upstreams[2].name, "builtin");
    ck_assert_str_eq(now->upstreams[3].name, "c");
    ck_assert_uint_eq(now->upstreams[3].rank, 0);
    ck_assert_uint_eq(now->upstreams[0].rank, 2);
    follow("{\"upstreams\":[" A "," C "]}");
    assert_change("upstreams", "[\"c\",\"b\",\"a\",\"builtin\"]", "[\"a\",\"c\",\"builtin\"]", false);
    ck_assert_uint_eq(now->n_upstreams, 4);
    ck_assert_str_eq(now->upstreams[1].name, "b");
    ck_assert(!now->upstreams[1].enabled);
    ck_assert_ptr_null(now->upstreams[1].api_key);
    ck_assert_str_eq(now->upstreams[1].base_url, "http://127.0.0.1:2/v1");
    follow("{\"upstreams\":[" A "," C "]}");
    ck_assert_uint_eq(changes.n, 0);
    follow("{\"upstreams\":[" A "," B "," C "]}");
    ck_assert_uint_eq(now->n_upstreams, 4);
    ck_assert(now->upstreams[1].enabled);
    ck_assert_str_eq(now->upstreams[1].api_key, "sk-old");
    tidy();
}
END_TEST

START_TEST(another_protocol_waits_for_a_restart_with_all_that_belongs_to_it)
{
    given("{\"upstreams\":[" A "]}");
    follow("{\"upstreams\":[{\"name\":\"a\",\"protocol\":\"anthropic\",\"base_url\":\"http://127.0.0.1:5\",\"max_concurrent\":3}]}");
    assert_change("upstreams.a.protocol", "\"openai\"", "\"anthropic\"", true);
    assert_change("upstreams.a.base_url", "\"http://127.0.0.1:1/v1\"", "\"http://127.0.0.1:5\"", true);
    assert_change("upstreams.a.max_concurrent", "32", "3", true);
    ck_assert_str_eq(now->upstreams[0].base_url, "http://127.0.0.1:1/v1");
    ck_assert_int_eq(now->upstreams[0].protocol, PROTOCOL_OPENAI);
    follow("{}");
    ck_assert(!now->upstreams[0].enabled);
    follow("{\"upstreams\":[{\"name\":\"a\",\"protocol\":\"anthropic\",\"base_url\":\"http://127.0.0.1:5\"}]}");
    assert_change("upstreams.a.protocol", "\"openai\"", "\"anthropic\"", true);
    ck_assert(!now->upstreams[0].enabled);
    tidy();
}
END_TEST

START_TEST(when_every_place_was_used_a_new_name_is_refused)
{
    struct sb text = sb_make(1 << 20), why = sb_make(4000);
    struct settings *fresh;

    given("{}");
    for (int round = 0; round < 2; round++) {
        sb_reset(&text);
        sb_puts(&text, "{\"upstreams\":[");
        for (int i = 0; i < 40; i++)
            sb_putf(&text, "%s{\"name\":\"u%d-%d\",\"base_url\":\"http://127.0.0.1:1/v1\"}", i ? "," : "", round, i);
        sb_puts(&text, "]}");
        if (round == 0)
            follow(sb_str(&text));
    }
    fresh = load(sb_str(&text));
    settings_changes_done(&changes);
    ck_assert(!settings_follow(fresh, now, &changes, &why));
    ck_assert_msg(strstr(sb_str(&why), "64") && strstr(sb_str(&why), "restart"), "%s", sb_str(&why));
    settings_free(fresh);
    sb_done(&text);
    sb_done(&why);
    tidy();
}
END_TEST

START_TEST(budgets_are_told_apart_by_scope_key_and_window)
{
    given("{\"budgets\":[{\"scope\":\"all\",\"window\":\"day\",\"limit_usd\":1},"
          "{\"scope\":\"user\",\"key\":\"usr_1\",\"window\":\"month\",\"limit_usd\":0.0000001},"
          "{\"scope\":\"model\",\"each\":true,\"window\":\"total\",\"limit_usd\":3}]}");
    ck_assert_int_eq(now->budgets[1].limit_pico, 100000);
    follow("{\"budgets\":[{\"scope\":\"model\",\"each\":true,\"window\":\"total\",\"limit_usd\":3,\"warn\":[0.9]},"
           "{\"scope\":\"all\",\"window\":\"day\",\"limit_usd\":2.5,\"tz\":\"Europe/Berlin\"},"
           "{\"scope\":\"user\",\"each\":true,\"window\":\"month\",\"limit_usd\":4}]}");
    assert_change("budgets.all.day.limit_usd", "1", "2.5", false);
    assert_change("budgets.all.day.tz", "\"UTC\"", "\"Europe/Berlin\"", false);
    assert_change("budgets.model.each.total.warn", "[0.500000,0.800000,0.950000]", "[0.900000]", false);
    assert_change("budgets.user.each.month.limit_usd", "null", "4", false);
    assert_change("budgets.user.usr_1.month.limit_usd", "0.0000001", "null", false);
    ck_assert_uint_eq(changes.n, 5);
    tidy();
}
END_TEST

START_TEST(a_budget_of_the_file_has_the_same_id_whatever_its_limit)
{
    static const char *const scopes[] = {"all", "user", "session", "token", "model"};
    static const char *const windows[] = {"day", "week", "month", "total"};
    struct budget_row r, other;

    given("{\"budgets\":[{\"scope\":\"user\",\"key\":\"each\",\"window\":\"month\",\"limit_usd\":1}]}");
    budgets_from_file(&now->budgets[0], &r);
    follow("{\"budgets\":[{\"scope\":\"user\",\"key\":\"each\",\"window\":\"month\",\"limit_usd\":2}]}");
    budgets_from_file(&now->budgets[0], &other);
    ck_assert_str_eq(r.rule.id, other.rule.id);
    ck_assert_int_eq(other.rule.limit, INT64_C(2000000000000));
    ck_assert(r.from_file);
    follow("{\"budgets\":[{\"scope\":\"user\",\"each\":true,\"window\":\"month\",\"limit_usd\":2}]}");
    budgets_from_file(&now->budgets[0], &other);
    ck_assert_str_ne(r.rule.id, other.rule.id);
    for (int s = 0; s < BUDGET_SCOPES; s++)               /* the words stand in the enums' order */
        for (int w = 0; w < BUDGET_WINDOWS; w++) {
            char json[200];

            snprintf(json, sizeof json, "{\"budgets\":[{\"scope\":\"%s\",%s\"window\":\"%s\",\"limit_usd\":1}]}", scopes[s],
                     s ? "\"key\":\"k\"," : "", windows[w]);
            follow(json);
            budgets_from_file(&now->budgets[0], &other);
            ck_assert_str_eq(budget_scope_name(other.rule.scope), scopes[s]);
            ck_assert_str_eq(budget_window_name(other.rule.window), windows[w]);
        }
    tidy();
}
END_TEST

UNIT_MAIN("settings_change", the_same_file_changes_nothing, each_difference_is_named_with_both_values,
          what_needs_a_restart_keeps_its_value_and_is_named_every_time, a_key_is_a_change_that_is_not_shown,
          upstreams_keep_their_places_and_one_that_returns_takes_its_own,
          another_protocol_waits_for_a_restart_with_all_that_belongs_to_it, when_every_place_was_used_a_new_name_is_refused,
          budgets_are_told_apart_by_scope_key_and_window, a_budget_of_the_file_has_the_same_id_whatever_its_limit)
