/* Settings: what the file, the environment and the defaults make together, and
 * what is said about a wrong value. Each case runs in a process of its own (Check
 * forks), so the environment it sets is its own too. */
#include "unit.h"

#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/settings.h"
#include "store/report_export.h"

extern char **environ;

static char dir[] = "/tmp/weir-settings-XXXXXX";
static char path[64];

static void write_file(const char *name, const char *text, mode_t mode)
{
    FILE *f = fopen(name, "w");

    ck_assert_ptr_nonnull(f);
    ck_assert_int_ge(fputs(text, f), 0);
    ck_assert_int_eq(fclose(f), 0);
    ck_assert_int_eq(chmod(name, mode), 0);
}

/* A clean environment and, unless NULL, a weir.json with this text. */
static void given(const char *json)
{
    ck_assert_int_eq(clearenv(), 0);
    if (!*path) {
        ck_assert_ptr_nonnull(mkdtemp(dir));
        snprintf(path, sizeof path, "%s/weir.json", dir);
    }
    if (json) {
        write_file(path, json, 0600);
        setenv("WEIR_CONFIG", path, 1);
    }
}

static void tidy(void)
{
    unlink(path);
    rmdir(dir);
}

static struct settings *load(void)
{
    struct sb why = sb_make(4000);
    struct settings *s = settings_load(NULL, &why);

    ck_assert_msg(s != NULL, "refused: %s", sb_str(&why));
    ck_assert_str_eq(sb_str(&why), "");
    tidy();
    sb_done(&why);
    return s;
}

/* The load is refused and each of the texts (up to NULL) is in the sentence. */
static void refused(const char *a, const char *b, const char *c)
{
    struct sb why = sb_make(4000);
    struct settings *s = settings_load(NULL, &why);
    const char *parts[] = {a, b, c};

    tidy();
    ck_assert_msg(s == NULL, "accepted, though expected: %s %s", a, b);
    for (size_t i = 0; i < 3 && parts[i]; i++)
        ck_assert_msg(strstr(sb_str(&why), parts[i]) != NULL, "'%s' is not in: %s", parts[i], sb_str(&why));
    ck_assert_msg(strchr(sb_str(&why), '\n') == NULL, "more than one line: %s", sb_str(&why));
    sb_done(&why);
}

START_TEST(with_nothing_set_the_built_in_model_answers_without_limits)
{
    given(NULL);
    struct settings *s = load();

    ck_assert_ptr_null(s->config);
    ck_assert_str_eq(s->http.address, "127.0.0.1");
    ck_assert_int_eq(s->http.port, 8080);
    ck_assert_str_eq(s->state, "./var");
    ck_assert_str_eq(s->socket, "./var/weir.sock");
    ck_assert_int_eq(s->queue.max_size, 1000);
    ck_assert_int_eq(s->queue.max_wait_us, 120 * USEC_PER_SEC);
    ck_assert_int_eq(s->http.max_body_bytes, 1 << 20);
    ck_assert_int_eq(s->http.max_body_v1_bytes, 32 << 20);
    ck_assert_int_eq(s->retry_budget_permille, 100);
    ck_assert_uint_eq(s->n_upstreams, 1);
    ck_assert_str_eq(s->upstreams[0].name, "builtin");
    ck_assert_int_eq(s->upstreams[0].protocol, PROTOCOL_BUILTIN);
    ck_assert_int_eq(s->upstreams[0].tune.limits.requests_per_minute, 0);
    ck_assert_int_eq(s->upstreams[0].tune.limits.tokens_per_hour, 0);
    ck_assert_int_eq(s->upstreams[0].tune.max_concurrent, 32);
    settings_free(s);
}
END_TEST

START_TEST(a_key_in_the_environment_makes_openai_with_the_seed_limits)
{
    given(NULL);
    setenv("OPENAI_API_KEY", "sk-secret", 1);
    struct settings *s = load();
    const struct upstream_settings *u = settings_upstream(s, "openai");

    ck_assert_ptr_eq(u, &s->upstreams[0]);
    ck_assert_str_eq(s->upstreams[1].name, "builtin");
    ck_assert_str_eq(u->base_url, "https://api.openai.com/v1");
    ck_assert_str_eq(u->api_key, "sk-secret");
    ck_assert_uint_eq(u->models.n, 0);
    ck_assert_int_eq(u->tune.limits.requests_per_minute, 60);
    ck_assert_int_eq(u->tune.limits.requests_per_hour, 3000);
    ck_assert_int_eq(u->tune.limits.tokens_per_minute, 150000);
    ck_assert_int_eq(u->tune.limits.tokens_per_hour, 1000000);
    ck_assert_int_eq(u->tune.limits.input_tokens_per_minute, 0);
    ck_assert_int_eq(u->tune.retry.max_retries, 5);
    ck_assert_int_eq(u->tune.retry.base_delay_us, USEC_PER_SEC);
    ck_assert_int_eq(u->tune.retry.max_delay_us, 300 * USEC_PER_SEC);
    ck_assert_int_eq(u->tune.stabilization_us, 15 * 60 * USEC_PER_SEC);
    ck_assert_int_eq(u->tune.burst_us, 10 * USEC_PER_SEC);
    ck_assert_int_eq(u->tune.reserve_permille, 150);
    settings_free(s);
}
END_TEST

START_TEST(the_seed_names_of_the_environment_are_known)
{
    given(NULL);
    setenv("OPENAI_BASE_URL", "http://127.0.0.1:11434/v1/", 1);
    setenv("OPENAI_REQUESTS_PER_MINUTE", "7", 1);
    setenv("OPENAI_REQUESTS_PER_HOUR", "70", 1);
    setenv("OPENAI_TOKENS_PER_MINUTE", "700", 1);
    setenv("OPENAI_TOKENS_PER_HOUR", "0", 1);
    setenv("OPENAI_INPUT_TOKENS_PER_MINUTE", "8", 1);
    setenv("OPENAI_OUTPUT_TOKENS_PER_MINUTE", "9", 1);
    setenv("OPENAI_MAX_RETRIES", "2", 1);
    setenv("OPENAI_BASE_DELAY", "0.05", 1);
    setenv("OPENAI_MAX_DELAY", "1.5", 1);
    setenv("OPENAI_STABILIZATION_MINUTES", "0.5", 1);
    setenv("OPENAI_CONNECT_TIMEOUT", "3", 1);
    setenv("ANTHROPIC_API_KEY", "a", 1);
    setenv("ANTHROPIC_REQUESTS_PER_MINUTE", "50", 1);
    setenv("WEIR_MAX_CONCURRENT", "3", 1);
    setenv("WEIR_QUEUE_MAX_SIZE", "4", 1);
    setenv("WEIR_QUEUE_MAX_WAIT", "2.5", 1);
    setenv("WEIR_HTTP_PORT", "8099", 1);
    setenv("WEIR_HTTP_ADDRESS", "::1", 1);
    setenv("WEIR_STATE", "/tmp/w", 1);
    struct settings *s = load();
    const struct upstream_settings *u = settings_upstream(s, "openai"), *a = settings_upstream(s, "anthropic");

    ck_assert_str_eq(u->base_url, "http://127.0.0.1:11434/v1");
    ck_assert_ptr_null(u->api_key);
    ck_assert_int_eq(u->tune.limits.requests_per_minute, 7);
    ck_assert_int_eq(u->tune.limits.requests_per_hour, 70);
    ck_assert_int_eq(u->tune.limits.tokens_per_minute, 700);
    ck_assert_int_eq(u->tune.limits.tokens_per_hour, 0);
    ck_assert_int_eq(u->tune.limits.input_tokens_per_minute, 8);
    ck_assert_int_eq(u->tune.limits.output_tokens_per_minute, 9);
    ck_assert_int_eq(u->tune.retry.max_retries, 2);
    ck_assert_int_eq(u->tune.retry.base_delay_us, 50 * USEC_PER_MS);
    ck_assert_int_eq(u->tune.retry.max_delay_us, 1500 * USEC_PER_MS);
    ck_assert_int_eq(u->tune.stabilization_us, 30 * USEC_PER_SEC);
    ck_assert_int_eq(u->tune.timeouts.connect_us, 3 * USEC_PER_SEC);
    ck_assert_int_eq(u->tune.max_concurrent, 3);
    ck_assert_int_eq(a->protocol, PROTOCOL_ANTHROPIC);
    ck_assert_str_eq(a->base_url, "https://api.anthropic.com");
    ck_assert_int_eq(a->tune.limits.requests_per_minute, 50);
    ck_assert_int_eq(settings_upstream(s, "builtin")->tune.max_concurrent, 3);
    ck_assert_int_eq(s->queue.max_size, 4);
    ck_assert_int_eq(s->queue.max_wait_us, 2500 * USEC_PER_MS);
    ck_assert_int_eq(s->http.port, 8099);
    ck_assert_str_eq(s->http.address, "::1");
    ck_assert_str_eq(s->socket, "/tmp/w/weir.sock");
    settings_free(s);
}
END_TEST

START_TEST(the_environment_wins_over_the_file)
{
    given("{\"http\": {\"port\": 9000, \"address\": \"0.0.0.0\"}, \"upstreams\": [{\"name\": \"openai\","
          " \"api_key\": \"from-file\", \"limits\": {\"rpm\": 10, \"tpm\": 20}}]}");
    setenv("WEIR_HTTP_PORT", "9001", 1);
    setenv("OPENAI_API_KEY", "from-env", 1);
    setenv("OPENAI_REQUESTS_PER_MINUTE", "11", 1);
    struct settings *s = load();
    const struct upstream_settings *u = settings_upstream(s, "openai");

    ck_assert_int_eq(s->http.port, 9001);
    ck_assert_str_eq(s->http.address, "0.0.0.0");
    ck_assert_str_eq(u->api_key, "from-env");
    ck_assert_int_eq(u->tune.limits.requests_per_minute, 11);
    ck_assert_int_eq(u->tune.limits.tokens_per_minute, 20);
    ck_assert_uint_eq(s->n_upstreams, 2);
    settings_free(s);
}
END_TEST

START_TEST(a_key_in_the_environment_replaces_the_way_the_file_gives_it)
{
    given("{\"upstreams\": [{\"name\": \"openai\", \"enabled\": false, \"key_file\": \"/nowhere\"},"
          " {\"name\": \"my-llm\", \"base_url\": \"http://h\", \"key_env\": \"UNSET\"}]}");
    setenv("OPENAI_API_KEY", "k1", 1);
    setenv("WEIR_UPSTREAM_MY_LLM_API_KEY", "k2", 1);
    struct settings *s = load();

    ck_assert_str_eq(settings_upstream(s, "openai")->api_key, "k1");
    ck_assert_str_eq(settings_upstream(s, "my-llm")->api_key, "k2");
    settings_free(s);
}
END_TEST

START_TEST(values_at_the_top_are_the_defaults_of_every_upstream)
{
    given("{\"limits\": {\"requests_per_minute\": 12}, \"pause\": 1.2, \"timeouts\": {\"idle\": \"2m\"},"
          " \"upstreams\": [{\"name\": \"b\", \"base_url\": \"http://b\", \"pause\": \"300ms\"},"
          " {\"name\": \"builtin\", \"limits\": {\"tokens_per_minute\": 5}}, {\"name\": \"c\", \"base_url\": \"http://c\"}]}");
    struct settings *s = load();

    ck_assert_uint_eq(s->n_upstreams, 3);
    ck_assert_str_eq(s->upstreams[2].name, "builtin");
    ck_assert_int_eq(s->upstreams[0].tune.pause_us, 300 * USEC_PER_MS);
    ck_assert_int_eq(s->upstreams[1].tune.pause_us, 1200 * USEC_PER_MS);
    ck_assert_int_eq(s->upstreams[1].tune.timeouts.idle_us, 120 * USEC_PER_SEC);
    for (size_t i = 0; i < 3; i++)
        ck_assert_int_eq(s->upstreams[i].tune.limits.requests_per_minute, 12);
    ck_assert_int_eq(s->upstreams[1].tune.limits.requests_per_hour, 3000);
    ck_assert_int_eq(s->upstreams[2].tune.limits.requests_per_hour, 0);
    ck_assert_int_eq(s->upstreams[2].tune.limits.tokens_per_minute, 5);
    settings_free(s);
}
END_TEST

START_TEST(the_other_spellings_mean_the_same)
{
    given("{\"safety\": {\"margin\": 0.125}, \"rate_limits\": {\"requests_per_minute\": 1, \"tokens_per_hour\": 2},"
          " \"limits\": {\"itpm\": 3, \"otpm\": 4, \"tpm\": 5, \"rph\": 6}}");
    struct settings *s = load();
    const struct tuning_settings *t = &s->defaults;

    ck_assert_int_eq(t->safety_margin_permille, 125);
    ck_assert_int_eq(t->limits.requests_per_minute, 1);
    ck_assert_int_eq(t->limits.tokens_per_hour, 2);
    ck_assert_int_eq(t->limits.input_tokens_per_minute, 3);
    ck_assert_int_eq(t->limits.output_tokens_per_minute, 4);
    ck_assert_int_eq(t->limits.tokens_per_minute, 5);
    ck_assert_int_eq(t->limits.requests_per_hour, 6);
    settings_free(s);
}
END_TEST

START_TEST(single_values_win_over_the_preset_beside_them)
{
    given("{\"preset\": \"development\", \"upstreams\": ["
          "{\"name\": \"a\", \"base_url\": \"http://a\", \"preset\": \"anthropic-50\", \"limits\": {\"rpm\": 40}},"
          "{\"name\": \"b\", \"base_url\": \"http://b\"}]}");
    struct settings *s = load();
    const struct tuning_settings *a = &s->upstreams[0].tune, *b = &s->upstreams[1].tune;

    ck_assert_str_eq(a->preset, "anthropic-50");
    ck_assert_int_eq(a->limits.requests_per_minute, 40);
    ck_assert_int_eq(a->limits.input_tokens_per_minute, 40000);
    ck_assert_int_eq(a->limits.output_tokens_per_minute, 8000);
    ck_assert_int_eq(a->limits.tokens_per_hour, 0);
    ck_assert_str_eq(b->preset, "development");
    ck_assert_int_eq(b->limits.requests_per_minute, 20);
    ck_assert_int_eq(b->pause_us, 1200 * USEC_PER_MS);
    settings_free(s);
}
END_TEST

START_TEST(durations_are_decimal_seconds_or_have_a_unit)
{
    static const struct { const char *text; int64_t us; } rows[] = {
        {"1", 1000000}, {"1.2", 1200000}, {"0.25", 250000}, {"250ms", 250000}, {"90 s", 90000000},
        {"5m", 300000000}, {"5min", 300000000}, {"1h", INT64_C(3600000000)}, {"0.000001h", 3600}, {"0.01", 10000},
    };
    static const char *const wrong[] = {"", "-1", "1e3", "1.", ".5", "1 x", "1s2", "1.2.3", "nan", "99999999999999999999",
                                        "0.0000001", "1 s ", " 1", "2h"};
    static int64_t got;
    const struct cfg_option o = {.key = "k", .type = CFG_SECONDS, .min = 1000, .max = INT64_C(3600000000)};

    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct sb why = sb_make(500);

        ck_assert_msg(cfg_set(&o, &got, rows[i].text, "k", &why), "%s", sb_str(&why));
        ck_assert_int_eq(got, rows[i].us);
        sb_done(&why);
    }
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        struct sb why = sb_make(500);

        got = 77;
        ck_assert_msg(!cfg_set(&o, &got, wrong[i], "k", &why), "'%s' was taken as %lld", wrong[i], (long long)got);
        ck_assert_int_eq(got, 77);
        sb_done(&why);
    }
}
END_TEST

START_TEST(a_wrong_value_is_named_with_its_key_and_what_is_allowed)
{
    static const struct { const char *json, *key, *value, *allowed; } rows[] = {
        {"{\"http\": {\"port\": 0}}", "http.port", "\"0\"", "a whole number from 1 to 65535"},
        {"{\"http\": {\"port\": 65536}}", "http.port", "\"65536\"", "65535"},
        {"{\"http\": {\"port\": \"80\"}}", "http.port", "\"80\"", "a whole number"},
        {"{\"http\": {\"port\": 80.5}}", "http.port", "80.5", "a whole number"},
        {"{\"http\": {\"port\": true}}", "http.port", "true", "a whole number"},
        {"{\"http\": {\"port\": [1]}}", "http.port", "[1]", "a whole number"},
        {"{\"http\": {\"address\": \"localhost\"}}", "http.address", "\"localhost\"", "an IPv4 or IPv6 address"},
        {"{\"http\": {\"hosts\": [\"a b; c\"]}}", "http.hosts", "a b; c", "a list of at most 256 host names"},
        {"{\"http\": 80}", "http", "must be an object", NULL},
        {"{\"queue\": {\"max_wait\": \"2 fortnights\"}}", "queue.max_wait", "2 fortnights", "a duration from 0.01 to 3600"},
        {"{\"queue\": {\"max_wait\": -1}}", "queue.max_wait", "-1", "a duration"},
        {"{\"queue\": {\"max_size\": -1}}", "queue.max_size", "-1", "from 0 to 100000"},
        {"{\"reserve\": 0.6}", "reserve", "0.6", "a number from 0 to 0.5"},
        {"{\"reserve\": \"0.1\"}", "reserve", "0.1", "a number from 0 to 0.5"},
        {"{\"reserve\": 0.1234}", "reserve", "0.1234", "three decimals"},
        {"{\"reserve_output\": \"all\"}", "reserve_output", "\"all\"", "one of expected, max"},
        {"{\"log\": {\"level\": \"loud\"}}", "log.level", "\"loud\"", "one of error, warn, info, debug"},
        {"{\"preset\": \"prod\"}", "preset", "\"prod\"", "the name of a preset"},
        {"{\"state\": \"\"}", "state", "\"\"", "a path"},
        {"{\"state\": \"a;b\"}", "state", "a;b", "a path without"},
        {"{\"default_model\": 3}", "default_model", "3", "text"},
        {"{\"upstreams\": {}}", "upstreams", "must be a list", NULL},
        {"{\"upstreams\": [3]}", "upstreams[0]", "must be an object", NULL},
        {"{\"upstreams\": [{\"base_url\": \"http://x\"}]}", "upstreams[0].name", "missing", NULL},
        {"{\"upstreams\": [{\"name\": \"Open AI\"}]}", "upstreams[0].name", "Open AI", "lower-case"},
        {"{\"upstreams\": [{\"name\": \"x\"}]}", "upstreams[0].base_url", "missing", NULL},
        {"{\"upstreams\": [{\"name\": \"x\", \"base_url\": \"ftp://x\"}]}", "upstreams[0].base_url", "ftp://x", "http://"},
        {"{\"upstreams\": [{\"name\": \"x\", \"base_url\": \"http://u:p@x\"}]}", "upstreams[0].base_url", "u:p@x", "without user"},
        {"{\"upstreams\": [{\"name\": \"x\", \"base_url\": \"http://x\", \"enabled\": \"no\"}]}", "upstreams[0].enabled",
         "no", "true or false"},
        {"{\"upstreams\": [{\"name\": \"x\", \"base_url\": \"http://x\", \"models\": []}]}", "upstreams[0].models", "[]",
         "a list"},
        {"{\"upstreams\": [{\"name\": \"x\", \"base_url\": \"http://x\", \"models\": [\"a\", 1]}]}", "upstreams[0].models",
         "[\"a\",1]", "a list"},
        {"{\"upstreams\": [{\"name\": \"x\", \"base_url\": \"http://x\", \"protocol\": \"grpc\"}]}", "upstreams[0].protocol",
         "grpc", "one of openai, anthropic, builtin"},
        {"{\"upstreams\": [{\"name\": \"x\", \"protocol\": \"builtin\"}]}", "upstreams[0].protocol", "named builtin", NULL},
        {"{\"upstreams\": [{\"name\": \"builtin\", \"enabled\": false}]}", "no upstream is left", NULL, NULL},
        {"{\"upstreams\": [{\"name\": \"openai\"}, {\"name\": \"openai\"}]}", "upstreams[1].name", "\"openai\"", "another"},
        {"{\"http\": {\"tls_certificate\": \"/c.pem\"}}", "http.tls_key", "not set", NULL},
        {"{\"http\": {\"tls_certificate\": \"c.pem\", \"tls_key\": \"/k.pem\"}}", "http.tls_certificate", "an absolute path", NULL},
        {"{\"upstreams\": [{\"name\": \"openai\", \"key_env\": \"NOT_THERE\"}]}", "upstreams[0].key_env", "NOT_THERE",
         "not set"},
        {"{\"upstreams\": [{\"name\": \"openai\", \"key_env\": \"A\", \"key_file\": \"b\"}]}", "upstreams[0]",
         "more than one of api_key, key_file and key_env", NULL},
        {"{\"upstreams\": [{\"name\": \"openai\", \"retry\": {\"base_delay\": 9, \"max_delay\": 8}}]}", "upstreams[0]",
         "retry.base_delay", "retry.max_delay"},
        {"{\"auto\": \"a\"}", "auto", "\"a\"", "a list of at most 16 model ids"},
        {"{\"auto\": [\"a\", \"b\", \"a\"]}", "auto names \"a\" twice", NULL, NULL},
        {"{\"auto\": [\"auto\"]}", "auto names \"auto\"", "no model", NULL},
        {"{\"auto\": [\"1\",\"2\",\"3\",\"4\",\"5\",\"6\",\"7\",\"8\",\"9\",\"10\",\"11\",\"12\",\"13\",\"14\",\"15\",\"16\",\"17\"]}",
         "auto has 17 models", "at most 16", NULL},
        {"{\"default_model\": \"auto\"}", "default_model is \"auto\"", "auto lists no models", NULL},
        {"{\"fallbacks\": [\"a\"]}", "fallbacks", "[\"a\"]", "an object of lists"},
        {"{\"fallbacks\": {}}", "fallbacks", "{}", "an object of lists"},
        {"{\"fallbacks\": {\"a\": \"b\"}}", "fallbacks", "\"b\"", "an object of lists"},
        {"{\"fallbacks\": {\"a\": []}}", "fallbacks", "[]", "an object of lists"},
        {"{\"fallbacks\": {\"a\": [1]}}", "fallbacks", "[1]", "an object of lists"},
        {"{\"fallbacks\": {\"a;b\": [\"c\"]}}", "fallbacks", "a;b", "an object of lists"},
        {"{\"fallbacks\": {\"a\": [\"b\", \"b\"]}}", "fallbacks.a names \"b\" twice", NULL, NULL},
        {"{\"fallbacks\": {\"a\": [\"auto\"]}}", "fallbacks.a names \"auto\"", NULL, NULL},
        {"{\"fallbacks\": {\"auto\": [\"a\"]}}", "fallbacks.auto", "needs no fallbacks", NULL},
        {"{\"fallbacks\": {\"a\": [\"a\"]}}", "fallbacks.a leads back", "stand in for itself", NULL},
        {"{\"fallbacks\": {\"x\": [\"a\"], \"a\": [\"b\"], \"b\": [\"c\", \"a\"]}}", "fallbacks.a leads back", NULL, NULL},
        {"{\"upstreams\": [{\"name\": \"x\", \"base_url\": \"http://x\", \"models\": [\"auto\"]}]}", "x.models", "\"auto\"", "own name"},
        {"{\"http\": {\"port\": 1, \"port\": 2}}", "weir.json", "not valid JSON", "line 1"},
        {"{\"http\"", "not valid JSON", "line 1", NULL},
        {"[]", "one JSON object", NULL, NULL},
    };

    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct sb why = sb_make(4000);
        const char *parts[] = {"weir.json", rows[i].key, rows[i].value, rows[i].allowed};

        given(NULL);
        ck_assert(*path);
        if (access(dir, F_OK) != 0)
            ck_assert_int_eq(mkdir(dir, 0700), 0);
        write_file(path, rows[i].json, 0600);
        ck_assert_msg(settings_load(path, &why) == NULL, "accepted: %s", rows[i].json);
        for (size_t j = 0; j < 4; j++)
            ck_assert_msg(!parts[j] || strstr(sb_str(&why), parts[j]), "'%s' is not in: %s", parts[j], sb_str(&why));
        sb_done(&why);
    }
    tidy();
}
END_TEST

START_TEST(models_that_stand_in_for_others_are_lists_by_name)
{
    struct settings *s;

    given("{\"auto\": [\"a\", \"b/c\"], \"default_model\": \"auto\", \"fallbacks\": {\"a\": [\"b\", \"c\"], \"b\": [\"c\"]}}");
    s = load();
    ck_assert_uint_eq(s->automatic.n, 2);
    ck_assert_str_eq(s->automatic.items[1], "b/c");
    ck_assert_uint_eq(s->fallbacks.n, 2);
    ck_assert_uint_eq(settings_fallbacks(s, "a")->n, 2);
    ck_assert_str_eq(settings_fallbacks(s, "a")->items[0], "b");
    ck_assert_str_eq(settings_fallbacks(s, "b")->items[0], "c");
    ck_assert_ptr_null(settings_fallbacks(s, "c"));
    settings_free(s);
}
END_TEST

START_TEST(in_the_environment_they_are_one_text)
{
    struct settings *s;

    given("{\"fallbacks\": {\"a\": [\"b\"]}}");
    setenv("WEIR_AUTO", "x,y", 1);
    setenv("WEIR_FALLBACKS", "m:1 = n, o ; p=q", 1);
    s = load();
    ck_assert_uint_eq(s->automatic.n, 2);
    ck_assert_ptr_null(settings_fallbacks(s, "a"));
    ck_assert_str_eq(settings_fallbacks(s, "m:1")->items[1], "o");
    ck_assert_str_eq(settings_fallbacks(s, "p")->items[0], "q");
    settings_free(s);
    for (const char *const *bad = (const char *const[]){"a", "a=", "=b", "a=b;", "a=b;a=c", "a=b=c", NULL}; *bad; bad++) {
        struct sb why = sb_make(1000);

        given(NULL);
        setenv("WEIR_FALLBACKS", *bad, 1);
        ck_assert_msg(settings_load(NULL, &why) == NULL, "accepted: %s", *bad);
        ck_assert_msg(strstr(sb_str(&why), "WEIR_FALLBACKS (environment) is") != NULL, "%s", sb_str(&why));
        sb_done(&why);
    }
}
END_TEST

START_TEST(an_unknown_key_is_refused_with_the_nearest_one)
{
    given("{\"http\": {\"prot\": 80}}");
    refused("http.prot is not a setting", "did you mean http.port?", NULL);
}
END_TEST

START_TEST(an_unknown_key_of_an_upstream_is_refused_with_the_nearest_one)
{
    given("{\"upstreams\": [{\"name\": \"openai\", \"max_concurent\": 2}]}");
    refused("upstreams[0].max_concurent is not a setting", "did you mean upstreams[0].max_concurrent?", NULL);
}
END_TEST

START_TEST(a_key_like_no_other_is_refused_without_a_guess)
{
    given("{\"colour_of_the_sky\": 1}");
    refused("colour_of_the_sky is not a setting", "docs/settings.md", NULL);
}
END_TEST

START_TEST(a_wrong_value_in_the_environment_is_named)
{
    given(NULL);
    setenv("OPENAI_API_KEY", "k", 1);
    setenv("OPENAI_REQUESTS_PER_MINUTE", "lots", 1);
    refused("OPENAI_REQUESTS_PER_MINUTE (environment)", "\"lots\"", "a whole number from 0");
}
END_TEST

START_TEST(a_mistyped_environment_name_is_refused_and_a_foreign_one_is_not)
{
    given(NULL);
    setenv("WEIR_SOMETHING_ELSE", "1", 1);
    setenv("WEIR_HTTP_PROT", "80", 1);
    refused("WEIR_HTTP_PROT", "did you mean WEIR_HTTP_PORT?", NULL);
    unsetenv("WEIR_HTTP_PROT");
    settings_free(load());
}
END_TEST

START_TEST(a_variable_of_an_upstream_must_be_one_of_its_settings)
{
    given("{\"upstreams\": [{\"name\": \"my-llm\", \"base_url\": \"http://h\", \"enabled\": false}]}");
    setenv("WEIR_UPSTREAM_MY_LLM_PAUSE", "1", 1);
    setenv("WEIR_UPSTREAM_BUILTIN_REQUESTS_PER_MINUTE", "9", 1);
    struct settings *s = load();

    ck_assert_int_eq(settings_upstream(s, "builtin")->tune.limits.requests_per_minute, 9);
    settings_free(s);
    setenv("WEIR_UPSTREAM_BUILTIN_REQUEST_PER_MINUTE", "9", 1);
    unsetenv("WEIR_UPSTREAM_MY_LLM_PAUSE");
    unsetenv("WEIR_CONFIG");
    refused("WEIR_UPSTREAM_BUILTIN_REQUEST_PER_MINUTE (environment)", "did you mean WEIR_UPSTREAM_BUILTIN_REQUESTS_PER_MINUTE?",
            NULL);
}
END_TEST

START_TEST(a_variable_of_no_upstream_is_refused)
{
    given(NULL);
    setenv("WEIR_UPSTREAM_OTHER_API_KEY", "k", 1);
    refused("WEIR_UPSTREAM_OTHER_API_KEY", "no such upstream", NULL);
}
END_TEST

START_TEST(an_empty_environment_variable_counts_as_unset)
{
    given(NULL);
    setenv("OPENAI_API_KEY", "", 1);
    setenv("WEIR_HTTP_PORT", "", 1);
    struct settings *s = load();

    ck_assert_uint_eq(s->n_upstreams, 1);
    ck_assert_int_eq(s->http.port, 8080);
    settings_free(s);
}
END_TEST

START_TEST(a_config_file_that_is_named_must_be_there)
{
    given(NULL);
    setenv("WEIR_CONFIG", "/nowhere/weir.json", 1);
    refused("/nowhere/weir.json", "cannot be read", "No such file");
}
END_TEST

START_TEST(a_secret_is_never_in_a_sentence)
{
    given("{\"upstreams\": [{\"name\": \"openai\", \"api_key\": [\"sk-canary\"]}]}");
    struct sb why = sb_make(4000);

    ck_assert_ptr_null(settings_load(NULL, &why));
    ck_assert_ptr_null(strstr(sb_str(&why), "canary"));
    given("{\"upstreams\": [{\"name\": \"openai\", \"api_key\": \"sk-canary\\n\"}]}");
    ck_assert_ptr_null(settings_load(NULL, &why));
    ck_assert_ptr_null(strstr(sb_str(&why), "canary"));
    given("{\"upstreams\": [{\"name\": \"openai\", \"api_key\": \"sk-canary\"}]}");
    struct settings *s = load();
    settings_show(s, &why);
    ck_assert_ptr_null(strstr(sb_str(&why), "canary"));
    ck_assert_ptr_nonnull(strstr(sb_str(&why), "upstreams.openai.limits.requests_per_minute=60\n"));
    settings_free(s);
    sb_done(&why);
}
END_TEST

START_TEST(a_key_file_must_be_its_owners_alone)
{
    struct sb why = sb_make(4000), json = sb_make(400);
    char key[64];
    struct settings *s;

    given("{}");
    snprintf(key, sizeof key, "%s/key", dir);
    sb_putf(&json, "{\"upstreams\": [{\"name\": \"openai\", \"key_file\": \"%s\"}]}", key);
    write_file(path, sb_str(&json), 0600);
    write_file(key, "sk-from-file\n", 0644);
    ck_assert_ptr_null(settings_load(path, &why));
    ck_assert_ptr_nonnull(strstr(sb_str(&why), "others may read"));
    ck_assert_int_eq(chmod(key, 0600), 0);
    sb_reset(&why);
    s = settings_load(path, &why);
    ck_assert_msg(s != NULL, "%s", sb_str(&why));
    ck_assert_str_eq(settings_upstream(s, "openai")->api_key, "sk-from-file");
    settings_free(s);
    write_file(key, "\n", 0600);
    ck_assert_ptr_null(settings_load(path, &why));
    ck_assert_ptr_nonnull(strstr(sb_str(&why), "first line is empty"));
    unlink(key);
    tidy();
    sb_done(&why);
    sb_done(&json);
}
END_TEST

START_TEST(a_key_file_that_systemd_passed_as_a_credential_is_read_there)
{
    static const char json[] = "{\"upstreams\": [{\"name\": \"openai\", \"key_file\": \"/etc/weir/keys/openai\"}]}";
    char key[64];
    struct settings *s;

    given(json);
    snprintf(key, sizeof key, "%s/key_openai", dir);
    setenv("CREDENTIALS_DIRECTORY", dir, 1);
    write_file(key, "sk-credential\n", 0440);            /* an access list looks so */
    s = load();
    ck_assert_str_eq(settings_upstream(s, "openai")->api_key, "sk-credential");
    settings_free(s);
    write_file(path, json, 0600);
    ck_assert_int_eq(chmod(key, 0444), 0);
    refused("/etc/weir/keys/openai", "others may read that file", NULL);
    unlink(key);
    tidy();
}
END_TEST


START_TEST(distance_counts_edits_and_swaps)
{
    ck_assert_int_eq(cfg_distance("", ""), 0);
    ck_assert_int_eq(cfg_distance("", "abc"), 3);
    ck_assert_int_eq(cfg_distance("port", "prot"), 1);
    ck_assert_int_eq(cfg_distance("kitten", "sitting"), 3);
    ck_assert_int_eq(cfg_distance("abc", "abc"), 0);
}
END_TEST

/* The text of a file of the source tree; caller frees. */
static char *tree_file(const char *name)
{
    const char *src = getenv("srcdir");
    struct sb at = sb_make(4096), text = sb_make(1 << 20);
    char buf[4096];
    size_t n;
    FILE *f;

    sb_putf(&at, "%s/%s", src ? src : ".", name);
    f = fopen(sb_str(&at), "r");
    ck_assert_msg(f != NULL, "%s cannot be opened", sb_str(&at));
    while ((n = fread(buf, 1, sizeof buf, f)) > 0)
        sb_put(&text, buf, n);
    fclose(f);
    sb_done(&at);
    return sb_take(&text);
}

START_TEST(the_committed_documents_are_what_the_tables_make)
{
    static const struct { const char *name; void (*make)(struct sb *); } rows[] = {
        {"docs/settings.md", settings_doc},
        {"docs/weir.json.5", settings_man},
        {"docs/export.md", report_export_doc},
        {"weir.json.example", settings_example},
    };

    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct sb want = sb_make(1 << 20);
        char *have = tree_file(rows[i].name);

        rows[i].make(&want);
        ck_assert_msg(strcmp(have, sb_str(&want)) == 0, "%s is not up to date: make docs", rows[i].name);
        free(have);
        sb_done(&want);
    }
}
END_TEST

START_TEST(the_example_is_a_configuration_that_starts)
{
    char *example = tree_file("weir.json.example");
    struct sb text = sb_make(4000);

    given(example);
    ck_assert_msg(settings_check(NULL, &text), "%s", sb_str(&text));
    ck_assert_ptr_nonnull(strstr(sb_str(&text), "Upstreams: builtin."));
    setenv("OPENAI_API_KEY", "k", 1);
    sb_reset(&text);
    ck_assert_msg(settings_check(NULL, &text), "%s", sb_str(&text));
    ck_assert_ptr_nonnull(strstr(sb_str(&text), "Upstreams: openai, builtin."));
    tidy();
    free(example);
    sb_done(&text);
}
END_TEST

UNIT_MAIN("settings", with_nothing_set_the_built_in_model_answers_without_limits,
          a_key_in_the_environment_makes_openai_with_the_seed_limits, the_seed_names_of_the_environment_are_known,
          the_environment_wins_over_the_file, a_key_in_the_environment_replaces_the_way_the_file_gives_it,
          values_at_the_top_are_the_defaults_of_every_upstream, the_other_spellings_mean_the_same,
          single_values_win_over_the_preset_beside_them, durations_are_decimal_seconds_or_have_a_unit,
          a_wrong_value_is_named_with_its_key_and_what_is_allowed,
          models_that_stand_in_for_others_are_lists_by_name, in_the_environment_they_are_one_text,
          an_unknown_key_is_refused_with_the_nearest_one,
          an_unknown_key_of_an_upstream_is_refused_with_the_nearest_one, a_key_like_no_other_is_refused_without_a_guess,
          a_wrong_value_in_the_environment_is_named,
          a_mistyped_environment_name_is_refused_and_a_foreign_one_is_not,
          a_variable_of_an_upstream_must_be_one_of_its_settings, a_variable_of_no_upstream_is_refused,
          an_empty_environment_variable_counts_as_unset, a_config_file_that_is_named_must_be_there,
          a_secret_is_never_in_a_sentence, a_key_file_must_be_its_owners_alone,
          a_key_file_that_systemd_passed_as_a_credential_is_read_there, distance_counts_edits_and_swaps,
          the_committed_documents_are_what_the_tables_make, the_example_is_a_configuration_that_starts)
