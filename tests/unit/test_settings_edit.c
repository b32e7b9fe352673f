/* test_settings_edit.c - a setting tried, and written into weir.json without touching the rest. */
#include <ftw.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "base/settings_edit.h"
#include "unit.h"

static char dir[64], path[128], before[160];

static int remove_one(const char *name, const struct stat *st, int type, struct FTW *w)
{
    (void)st, (void)type, (void)w;
    return remove(name);
}

static void done(void)
{
    nftw(dir, remove_one, 8, FTW_DEPTH | FTW_PHYS);
}

static void write_file(const char *text)
{
    FILE *f;

    snprintf(dir, sizeof dir, "/tmp/weir-unit-XXXXXX");
    ck_assert_ptr_nonnull(mkdtemp(dir));
    atexit(done);
    snprintf(path, sizeof path, "%s/weir.json", dir);
    snprintf(before, sizeof before, "%s.before-tune", path);
    f = fopen(path, "w");
    ck_assert_ptr_nonnull(f);
    fputs(text, f);
    fclose(f);
    ck_assert_int_eq(chmod(path, 0640), 0);
}

static void assert_file(const char *file, const char *text)
{
    struct sb is = sb_make(1 << 20), why = sb_make(1000);

    ck_assert(file_read(file, &is, &why));
    ck_assert_str_eq(sb_str(&is), text);
    sb_done(&is);
    sb_done(&why);
}

static void assert_refused(const char *key, const char *value, const char *says)
{
    const struct settings_edit c = {key, value};
    struct sb why = sb_make(4096);

    ck_assert_msg(!settings_write(path, &c, 1, &why), "%s=%s", key, value);
    ck_assert_msg(strstr(sb_str(&why), says) != NULL, "%s=%s: %s", key, value, sb_str(&why));
    sb_done(&why);
}

#define OLD                                                                                                                    \
    "{\"drain\": 0.1, \"upstreams\": [{\"name\": \"b.c\", \"base_url\": \"http://b.test\"},"                                \
    " {\"base_url\": \"http://a.test\", \"name\": \"a\", \"limits\": {\"rpm\": 5}, \"api_key\": \"sk-1\"}], \"queue\": {\"max_size\": 7}}"

START_TEST(changes_take_their_places_and_the_rest_keeps_its_order)
{
    static const struct settings_edit c[] = {
        {"upstreams.a.limits.requests_per_minute", "9"}, {"upstreams.a.burst", "20"}, {"queue.max_wait", "2.5"},
        {"upstreams.b.c.limits.tokens_per_minute", "10000"}, {"log.level", "warn"}, {"reserve", "0.05"},
    };
    struct sb why = sb_make(4096);
    struct stat st;

    write_file(OLD);
    ck_assert_msg(settings_write(path, c, 6, &why), "%s", sb_str(&why));
    assert_file(path, "{\n  \"drain\": 0.1,\n  \"upstreams\": [\n"
                "    {\n      \"name\": \"b.c\",\n      \"base_url\": \"http://b.test\",\n      \"limits\": {\n        \"tokens_per_minute\": 10000\n      }\n    },\n"
                "    {\n      \"base_url\": \"http://a.test\",\n      \"name\": \"a\",\n      \"limits\": {\n        \"rpm\": 9\n      },\n"
                "      \"api_key\": \"sk-1\",\n      \"burst\": 20\n    }\n  ],\n"
                "  \"queue\": {\n    \"max_size\": 7,\n    \"max_wait\": 2.5\n  },\n  \"log\": {\n    \"level\": \"warn\"\n  },\n  \"reserve\": 0.05\n}\n");
    assert_file(before, OLD);
    ck_assert_int_eq(stat(path, &st), 0);
    ck_assert_int_eq(st.st_mode & 0777, 0640);
    ck_assert_int_eq(stat(before, &st), 0);
    ck_assert_int_eq(st.st_mode & 0777, 0640);
    sb_done(&why);
}
END_TEST

START_TEST(what_cannot_be_is_refused_and_nothing_is_written)
{
    write_file(OLD);
    assert_refused("upstreams.a.max_concurrent", "none", "must be");
    assert_refused("upstreams.a.max_concurrent", "0", "must be");
    assert_refused("upstreams.nobody.max_concurrent", "3", "upstreams.nobody.max_concurrent is not a setting");
    assert_refused("upstreams.a.name", "z", "is not a setting");
    assert_refused("queue.colour", "3", "queue.colour is not a setting");
    assert_refused("upstreams", "3", "is not a setting");
    assert_file(path, OLD);
    ck_assert_int_ne(access(before, F_OK), 0);
}
END_TEST

START_TEST(what_the_environment_decides_is_said_by_name)
{
    write_file(OLD);
    setenv("WEIR_UPSTREAM_A_MAX_CONCURRENT", "3", 1);
    setenv("WEIR_QUEUE_MAX_WAIT", "9", 1);
    assert_refused("upstreams.a.max_concurrent", "64", "WEIR_UPSTREAM_A_MAX_CONCURRENT");
    assert_refused("queue.max_wait", "240", "WEIR_QUEUE_MAX_WAIT");
    assert_file(path, OLD);
    ck_assert_int_ne(access(before, F_OK), 0);
}
END_TEST

START_TEST(an_upstream_of_the_environment_gets_an_entry)
{
    const struct settings_edit c = {"upstreams.openai.max_concurrent", "64"};
    struct sb why = sb_make(4096);
    struct settings *s;

    write_file("{}");
    setenv("OPENAI_API_KEY", "sk-1", 1);
    ck_assert_msg(settings_write(path, &c, 1, &why), "%s", sb_str(&why));
    assert_file(path, "{\n  \"upstreams\": [\n    {\n      \"name\": \"openai\",\n      \"max_concurrent\": 64\n    }\n  ]\n}\n");
    s = settings_load(path, &why);
    ck_assert_ptr_nonnull(s);
    ck_assert_int_eq(settings_upstream(s, "openai")->tune.max_concurrent, 64);
    ck_assert_str_eq(settings_upstream(s, "openai")->api_key, "sk-1");
    settings_free(s);
    sb_done(&why);
}
END_TEST

START_TEST(trying_writes_nothing_and_more_specific_values_win)
{
    const struct settings_edit c[] = {{"queue.max_wait", "7"}, {"limits.requests_per_minute", "33"}};
    struct sb why = sb_make(4096);
    struct settings *s;

    write_file(OLD);
    s = settings_load_with(path, c, 2, &why);
    ck_assert_msg(s != NULL, "%s", sb_str(&why));
    ck_assert_int_eq(s->queue.max_wait_us, 7000000);
    ck_assert_int_eq(settings_upstream(s, "a")->tune.limits.requests_per_minute, 5);
    ck_assert_int_eq(settings_upstream(s, "b.c")->tune.limits.requests_per_minute, 33);
    settings_free(s);
    assert_file(path, OLD);
    sb_done(&why);
}
END_TEST

START_TEST(variables_have_keys)
{
    static const struct {
        const char *variable, *key;
    } all[] = {
        {"WEIR_QUEUE_MAX_SIZE", "queue.max_size"},
        {"WEIR_MAX_CONCURRENT", "max_concurrent"},
        {"WEIR_UPSTREAM_B_C_BURST", "upstreams.b.c.burst"},
        {"WEIR_COLOUR", ""},
        {"PATH", ""},
    };
    struct sb why = sb_make(4096);
    struct settings *s;

    write_file(OLD);
    s = settings_load(path, &why);
    ck_assert_ptr_nonnull(s);
    for (size_t i = 0; i < sizeof all / sizeof *all; i++) {
        struct sb key = sb_make(300);

        ck_assert_int_eq(settings_env_key(s, all[i].variable, &key), *all[i].key != '\0');
        ck_assert_str_eq(sb_str(&key), all[i].key);
        sb_done(&key);
    }
    settings_free(s);
    sb_done(&why);
}
END_TEST

UNIT_MAIN("settings_edit", changes_take_their_places_and_the_rest_keeps_its_order, what_cannot_be_is_refused_and_nothing_is_written,
          what_the_environment_decides_is_said_by_name, an_upstream_of_the_environment_gets_an_entry,
          trying_writes_nothing_and_more_specific_values_win, variables_have_keys)
