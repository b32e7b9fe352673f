/* test_metrics.c - the counters, and the text that Prometheus reads. */
#include "web/metrics.h"

#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/mem.h"
#include "rules/budget.h"
#include "unit.h"
#include "web/prom.h"

/* --- a reader of the format, strict --- */

struct sample {
    char name[128], labels[512], family[128];
    double value;
};

struct text {
    struct sample *of;
    size_t n;
    char families[128][128], types[128][16];
    size_t family_count;
};

static bool is_name(const char *s, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (!strchr("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ_:0123456789", s[i]) || (i == 0 && s[0] >= '0' && s[0] <= '9'))
            return false;
    return n > 0;
}

/* {a="…",b="…"}: gives what follows it. */
static const char *read_labels(const char *p, char *to)
{
    const char *from = p;
    char names[16][64];
    int n = 0;

    while (*p != '}') {
        size_t len = strcspn(++p, "=");

        ck_assert_msg(is_name(p, len) && p[len + 1] == '"', "label at %.60s", p);
        memcpy(names[n], p, len);
        names[n][len] = '\0';
        for (int i = 0; i < n; i++)
            ck_assert_msg(strcmp(names[i], names[n]) != 0, "label %s twice", names[n]);
        n++;
        for (p += len + 2; *p != '"'; p++) {
            ck_assert_msg(*p && *p != '\n', "value without an end: %.60s", from);
            if (*p == '\\')
                ck_assert_msg(strchr("\\\"n", *++p), "escape \\%c", *p);
        }
        p++;
        ck_assert_msg(*p == ',' || *p == '}', "after a label: %.60s", p);
    }
    memcpy(to, from, (size_t)(p + 1 - from));
    to[p + 1 - from] = '\0';
    return p + 1;
}

static void read_comment(struct text *t, const char *line)
{
    const char *name = line + 7;
    size_t n = strcspn(name, " ");

    ck_assert_msg(is_name(name, n), "%.80s", line);
    if (strncmp(line, "# HELP ", 7) == 0) {
        for (size_t i = 0; i < t->family_count; i++)
            ck_assert_msg(strncmp(t->families[i], name, n) != 0 || t->families[i][n], "%.80s came before", line);
        ck_assert_uint_lt(t->family_count, 128);
        memcpy(t->families[t->family_count], name, n);
        t->families[t->family_count][n] = '\0';
        t->types[t->family_count++][0] = '\0';
        ck_assert_msg(name[n] == ' ' && name[n + 1] != '\n', "no help: %.80s", line);
        return;
    }
    ck_assert_msg(strncmp(line, "# TYPE ", 7) == 0, "%.80s", line);
    ck_assert_uint_gt(t->family_count, 0);
    ck_assert_msg(strncmp(t->families[t->family_count - 1], name, n) == 0 && !t->types[t->family_count - 1][0], "%.80s", line);
    ck_assert_int_eq(sscanf(name + n + 1, "%15s", t->types[t->family_count - 1]), 1);
    ck_assert(strstr("counter gauge histogram", t->types[t->family_count - 1]));
}

static void read_sample(struct text *t, const char *line)
{
    struct sample s = {.labels = ""};
    const char *family, *type, *p, *suffix;
    size_t n = strcspn(line, "{ ");
    char *end;

    ck_assert_msg(is_name(line, n) && n < sizeof s.name, "%.80s", line);
    memcpy(s.name, line, n);
    p = line[n] == '{' ? read_labels(line + n, s.labels) : line + n;
    ck_assert_msg(*p == ' ', "%.80s", line);
    s.value = strtod(p + 1, &end);
    ck_assert_msg(*end == '\n' && end > p + 1, "%.120s", line);
    ck_assert_uint_gt(t->family_count, 0);
    family = t->families[t->family_count - 1];
    type = t->types[t->family_count - 1];
    ck_assert_msg(strncmp(s.name, family, strlen(family)) == 0, "%s is not of %s", s.name, family);
    suffix = s.name + strlen(family);
    if (strcmp(type, "histogram") == 0)
        ck_assert_msg(strcmp(suffix, "_bucket") == 0 || strcmp(suffix, "_sum") == 0 || strcmp(suffix, "_count") == 0, "%s", s.name);
    else
        ck_assert_str_eq(suffix, "");
    ck_assert_msg(strcmp(type, "counter") != 0 || strcmp(family + strlen(family) - 6, "_total") == 0, "counter %s", family);
    strcpy(s.family, family);
    for (size_t i = 0; i < t->n; i++)
        ck_assert_msg(strcmp(t->of[i].name, s.name) != 0 || strcmp(t->of[i].labels, s.labels) != 0, "%s%s twice", s.name, s.labels);
    t->of = mem_grow(t->of, t->n + 1, sizeof *t->of);
    t->of[t->n++] = s;
}

static void check_histograms(const struct text *t)
{
    double before = 0;

    for (size_t i = 0; i < t->n; i++) {
        const struct sample *s = &t->of[i];

        if (strcmp(s->name + strlen(s->family), "_bucket") != 0)
            continue;
        ck_assert_msg(s->value >= before, "%s%s is less than the bucket before", s->name, s->labels);
        before = s->value;
        if (!strstr(s->labels, "le=\"+Inf\""))
            continue;
        ck_assert_msg(i + 2 < t->n && strstr(t->of[i + 1].name, "_sum") && strstr(t->of[i + 2].name, "_count"), "%s", s->name);
        ck_assert(t->of[i + 2].value == s->value);
        before = 0;
    }
}

static struct text read_text(const char *p)
{
    struct text t = {0};

    for (; *p; p = strchr(p, '\n') + 1) {
        ck_assert_msg(strchr(p, '\n'), "no newline at the end: %.80s", p);
        if (*p == '#')
            read_comment(&t, p);
        else
            read_sample(&t, p);
    }
    check_histograms(&t);
    return t;
}

static double value_of(const struct text *t, const char *name, const char *labels)
{
    for (size_t i = 0; i < t->n; i++)
        if (strcmp(t->of[i].name, name) == 0 && strcmp(t->of[i].labels, labels) == 0)
            return t->of[i].value;
    ck_abort_msg("no %s%s", name, labels);
    return 0;
}

/* --- a world --- */

static char openai[] = "openai", url[] = "https://api.openai.com:443/v1";
static struct admit_upstream_view views[2];
static struct snapshot_budget budgets[3];
static struct snapshot now;
static struct upstream_settings upstreams[1] = {{.name = openai, .base_url = url}};
static struct settings settings = {.upstreams = upstreams, .n_upstreams = 1};
static struct reload_state config = {.hash = "0123456789abcdef", .version = 1};

static void set_up(void)
{
    memset(views, 0, sizeof views);
    views[0].name = "openai";
    views[1].name = "built\"in\\\n";
    for (int u = 0; u < 2; u++)
        for (int d = 0; d < DIM_COUNT; d++)
            views[u].dim[d].provider_limit = views[u].dim[d].provider_remaining = -1;
    views[0].dim[DIM_REQUESTS_PER_MINUTE] = (struct admit_dim_view){.limit = 60, .used = 20, .reserved = 10, .remaining = 30,
                                                                    .provider_limit = 50, .provider_remaining = 0};
    views[0].stabilizing = true;
    views[0].stabilizing_until_us = 5 * USEC_PER_SEC;
    for (int i = 0; i < 3; i++) {
        struct snapshot_budget *b = &budgets[i];

        memset(b, 0, sizeof *b);
        strcpy(b->rule.id, i == 0 ? "bud_all" : "bud_each");
        b->rule.scope = i == 0 ? BUDGET_ALL : BUDGET_USER;
        b->rule.each = i > 0;
        b->rule.limit = 1000;
        strcpy(b->key, i == 0 ? "" : i == 1 ? "usr_anna" : "usr_ben");
        b->view = (struct budget_view){.rule = &b->rule, .key = b->key, .spent = 100 + 100 * i, .held = 50};
    }
    now = (struct snapshot){.at_ms = 1000000, .upstream_count = 2, .upstreams = views, .budget_count = 3, .budgets = budgets};
    settings.metrics_token_usage = true;
}

static struct text shown(const struct tally *t, struct sb *out)
{
    struct metrics m = {.now = &now, .since = t, .settings = &settings, .config = &config, .version = "1", .prices_as_of = "2026-11-10"};

    *out = sb_make(64 << 20);
    metrics_put(out, &m);
    ck_assert(sb_ok(out));
    return read_text(sb_str(out));
}

static void text_done(struct text *t, struct sb *out)
{
    free(t->of);
    sb_done(out);
}

/* --- */

START_TEST(a_value_counts_in_the_bucket_whose_bound_it_does_not_pass)
{
    struct tally_hist h = {0};

    tally_hist_add(&h, &tally_seconds, 10000);
    tally_hist_add(&h, &tally_seconds, 10001);
    tally_hist_add(&h, &tally_seconds, 100 * USEC_PER_SEC);
    ck_assert_int_eq(h.n[0], 1);
    ck_assert_int_eq(h.n[1], 1);
    ck_assert_int_eq(h.n[tally_seconds.n], 1);
    ck_assert_int_eq(h.count, 3);
    ck_assert_int_eq(h.sum, 100 * USEC_PER_SEC + 20001);
}
END_TEST

START_TEST(bounds_rise)
{
    const struct tally_scale *all[] = {&tally_seconds, &tally_waits, &tally_tokens, &tally_ratios};

    for (size_t k = 0; k < 4; k++)
        for (size_t i = 1; i < all[k]->n; i++)
            ck_assert_int_gt(all[k]->bound[i], all[k]->bound[i - 1]);
    ck_assert_int_eq(tally_waits.bound[tally_waits.n - 1], 900 * USEC_PER_SEC);
}
END_TEST

START_TEST(nothing_that_comes_makes_the_tally_grow_for_ever)
{
    struct tally t = {0};
    char name[32];
    int64_t requests = 0, answers = 0, calls = 0;

    for (int i = 0; i < 5000; i++) {
        struct tally_line *l;

        snprintf(name, sizeof name, "m%d", i);
        l = tally_line(&t, "p", name);
        tally_request(&t, l, name, TALLY_OK, PRIORITY_LOW);
        tally_took(&t, tally_line(&t, "p", name), i % 2 ? "a" : "b", 1);
        tally_took(&t, tally_line(&t, "p", name), "c", 1);
        tally_took(&t, tally_line(&t, "p", name), "d", 1);
        tally_event(&t, TALLY_ANSWER, "p", i, "ok");
    }
    ck_assert_uint_le(t.line_count, TALLY_LINES);
    ck_assert_int_eq(t.route_count, TALLY_ROUTES);
    ck_assert_uint_le(t.time_count, TALLY_TIMES);
    ck_assert_uint_le(t.event_count, TALLY_EVENTS);
    for (size_t i = 0; i < t.line_count; i++)
        for (int r = 0; r < TALLY_ROUTES; r++)
            requests += t.lines[i].requests[r][TALLY_OK][PRIORITY_LOW];
    for (size_t i = 0; i < t.event_count; i++)
        answers += t.events[i].n;
    for (size_t i = 0; i < t.time_count; i++)
        calls += t.times[i].took.count;
    ck_assert_int_eq(requests, 5000);
    ck_assert_int_eq(answers, 5000);
    ck_assert_int_eq(calls, 15000);
    ck_assert_str_eq(tally_line(&t, "p", "new")->model, TALLY_OTHER);
    ck_assert_str_eq(tally_line(&t, "p", "m7")->model, "m7");
    tally_done(&t);
}
END_TEST

START_TEST(a_copy_is_apart_from_what_goes_on)
{
    struct tally t = {0}, *c;

    tally_line(&t, "p", "m")->cost = 5;
    tally_throttled(&t, "p", DIM_REQUESTS_PER_HOUR, 7);
    c = tally_copy(&t);
    tally_line(&t, "p", "m")->cost = 6;
    tally_throttled(&t, "p", DIM_REQUESTS_PER_HOUR, 7);
    ck_assert_int_eq(c->lines[0].cost, 5);
    ck_assert_int_eq(c->throttles[0].us[DIM_REQUESTS_PER_HOUR], 7);
    tally_free(c);
    tally_done(&t);
}
END_TEST

START_TEST(before_anything_happened_the_text_is_valid_and_its_counters_are_zero)
{
    struct tally t = {0};
    struct sb out;
    struct text x;

    set_up();
    x = shown(&t, &out);
    ck_assert(value_of(&x, "weir_queue_wait_seconds_count", "{priority=\"High\"}") == 0);
    ck_assert(value_of(&x, "weir_queue_enqueued_total", "") == 0);
    text_done(&x, &out);
}
END_TEST

START_TEST(what_was_counted_is_shown_under_its_labels)
{
    struct tally t = {0};
    struct tally_line *l = tally_line(&t, "openai", "gpt-4o");
    struct sb out;
    struct text x;

    set_up();
    l->used = (struct usage_tokens){.prompt = 100, .cached = 10, .cache_write = 3, .cache_write_1h = 4, .completion = 50, .reasoning = 20};
    l->cost = 22200000;
    tally_hist_add(&l->first_chunk, &tally_seconds, 70000);
    tally_hist_add(&l->input, &tally_tokens, 100);
    tally_hist_add(&l->estimate, &tally_ratios, 1020000);
    tally_request(&t, l, "/chat/stream", TALLY_OK, PRIORITY_HIGH);
    tally_took(&t, l, "", 1500000);
    tally_took(&t, l, "upstream_error", 1);
    tally_event(&t, TALLY_ANSWER, "openai", 429, "upstream_rate_limited");
    tally_event(&t, TALLY_ANSWER, "openai", 0, "upstream_connect");
    tally_event(&t, TALLY_RETRY, "openai", 0, "upstream_rate_limited");
    tally_event(&t, TALLY_FAILOVER, "openai", 0, "fallback_late");
    tally_throttled(&t, "openai", DIM_TOKENS_PER_MINUTE, 1500000);
    tally_line(&t, TALLY_NONE, "gpt-4o");
    t.records_lost = 2;
    x = shown(&t, &out);
#define OPENAI "gen_ai_operation_name=\"chat\",gen_ai_provider_name=\"openai\",gen_ai_request_model=\"gpt-4o\",server_address=\"api.openai.com\""
    ck_assert(value_of(&x, "gen_ai_client_inference_usage_input_tokens_total", "{" OPENAI "}") == 100);
    ck_assert(value_of(&x, "gen_ai_client_inference_usage_cache_write_input_tokens_total", "{" OPENAI "}") == 7);
    ck_assert(value_of(&x, "gen_ai_client_operation_duration_seconds_bucket", "{" OPENAI ",le=\"1.28\"}") == 0);
    ck_assert(value_of(&x, "gen_ai_client_operation_duration_seconds_bucket", "{" OPENAI ",le=\"2.56\"}") == 1);
    ck_assert(value_of(&x, "gen_ai_client_operation_duration_seconds_sum", "{" OPENAI "}") == 1.5);
    ck_assert(value_of(&x, "gen_ai_client_operation_duration_seconds_count", "{" OPENAI ",error_type=\"upstream_error\"}") == 1);
    ck_assert(value_of(&x, "gen_ai_client_operation_time_to_first_chunk_seconds_sum", "{" OPENAI "}") == 0.07);
    ck_assert(value_of(&x, "gen_ai_client_token_usage_sum", "{" OPENAI ",gen_ai_token_type=\"input\"}") == 100);
    ck_assert(value_of(&x, "weir_requests_total", "{route=\"/chat/stream\",provider=\"openai\",model=\"gpt-4o\",outcome=\"ok\",priority=\"High\"}") == 1);
    ck_assert(value_of(&x, "weir_cost_usd_total", "{provider=\"openai\",model=\"gpt-4o\"}") == 0.0000222);
    ck_assert(value_of(&x, "weir_upstream_responses_total", "{provider=\"openai\",code=\"429\",class=\"upstream_rate_limited\"}") == 1);
    ck_assert(value_of(&x, "weir_upstream_responses_total", "{provider=\"openai\",code=\"none\",class=\"upstream_connect\"}") == 1);
    ck_assert(value_of(&x, "weir_retries_total", "{provider=\"openai\",reason=\"upstream_rate_limited\"}") == 1);
    ck_assert(value_of(&x, "weir_failovers_total", "{provider=\"openai\",reason=\"fallback_late\"}") == 1);
    ck_assert(value_of(&x, "weir_token_estimate_error_ratio_bucket", "{provider=\"openai\",model=\"gpt-4o\",le=\"1\"}") == 0);
    ck_assert(value_of(&x, "weir_token_estimate_error_ratio_bucket", "{provider=\"openai\",model=\"gpt-4o\",le=\"1.05\"}") == 1);
    ck_assert(value_of(&x, "weir_ratelimit_limit", "{provider=\"openai\",dim=\"rpm\",source=\"config\"}") == 60);
    ck_assert(value_of(&x, "weir_ratelimit_limit", "{provider=\"openai\",dim=\"rpm\",source=\"header\"}") == 50);
    ck_assert(value_of(&x, "weir_ratelimit_remaining", "{provider=\"openai\",dim=\"rpm\",source=\"header\"}") == 0);
    ck_assert(value_of(&x, "weir_ratelimit_utilization_ratio", "{provider=\"openai\",dim=\"rpm\",source=\"config\"}") == 0.5);
    ck_assert(value_of(&x, "weir_ratelimit_throttled_seconds_total", "{provider=\"openai\",dim=\"tpm\",source=\"config\"}") == 1.5);
    ck_assert(value_of(&x, "weir_stabilizing_until_timestamp_seconds", "{provider=\"openai\"}") == 1005);
    ck_assert(value_of(&x, "weir_usage_log_dropped_total", "{strategy=\"realtime\"}") == 2);
    ck_assert(value_of(&x, "weir_inflight", "{provider=\"built\\\"in\\\\\\n\"}") == 0);
    ck_assert_msg(!strstr(sb_str(&out), "gen_ai_provider_name=\"none\""), "what was never sent is no call");
    text_done(&x, &out);
    tally_done(&t);
}
END_TEST

START_TEST(a_budget_that_each_has_is_shown_once_and_names_nobody)
{
    struct tally t = {0};
    struct sb out;
    struct text x;

    set_up();
    x = shown(&t, &out);
    ck_assert(value_of(&x, "weir_budget_used_ratio", "{budget=\"bud_all\",scope=\"all\",window=\"day\"}") == 0.15);
    ck_assert(value_of(&x, "weir_budget_used_ratio", "{budget=\"bud_each\",scope=\"user\",window=\"day\"}") == 0.35);
    ck_assert_ptr_null(strstr(sb_str(&out), "usr_"));
    text_done(&x, &out);
}
END_TEST

START_TEST(token_usage_is_shown_on_request_alone)
{
    struct tally t = {0};
    struct sb out;
    struct text x;

    set_up();
    tally_hist_add(&tally_line(&t, "openai", "gpt-4o")->input, &tally_tokens, 100);
    x = shown(&t, &out);
    ck_assert_ptr_nonnull(strstr(sb_str(&out), "gen_ai_client_token_usage"));
    text_done(&x, &out);
    settings.metrics_token_usage = false;
    x = shown(&t, &out);
    ck_assert_ptr_null(strstr(sb_str(&out), "gen_ai_client_token_usage"));
    text_done(&x, &out);
    tally_done(&t);
}
END_TEST

UNIT_MAIN("metrics", a_value_counts_in_the_bucket_whose_bound_it_does_not_pass, bounds_rise,
          nothing_that_comes_makes_the_tally_grow_for_ever, a_copy_is_apart_from_what_goes_on,
          before_anything_happened_the_text_is_valid_and_its_counters_are_zero, what_was_counted_is_shown_under_its_labels,
          a_budget_that_each_has_is_shown_once_and_names_nobody, token_usage_is_shown_on_request_alone)
