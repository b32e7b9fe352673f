/* test_openai.c - answers and refusals of everything that is shaped like OpenAI. */
#include <string.h>

#include "peer/openai.h"
#include "peer/sse.h"
#include "rules/plausible.h"
#include "rules/price.h"
#include "unit.h"

#define SEC INT64_C(1000000)

struct heard {
    struct provider_reply r;
    struct sb text, reasoning;
};

static void on_text(void *ctx, const char *raw, size_t n)
{
    sb_put(&((struct heard *)ctx)->text, raw, n);
}

static void on_reasoning(void *ctx, const char *raw, size_t n)
{
    sb_put(&((struct heard *)ctx)->reasoning, raw, n);
}

static enum weir_err hear(struct heard *h, const char *data)
{
    struct provider_sink sink = {on_text, on_reasoning, NULL, h};
    size_t n = strlen(data);
    char *copy = malloc(n + 1);
    enum weir_err e;

    memcpy(copy, data, n);
    e = openai_read(&h->r, copy, n, &sink);
    free(copy);
    return e;
}

static struct heard heard_make(void)
{
    return (struct heard){.text = sb_make(65536), .reasoning = sb_make(65536)};
}

static void heard_done(struct heard *h)
{
    sb_done(&h->text);
    sb_done(&h->reasoning);
}

START_TEST(a_stream_is_text_a_reason_usage_and_done)
{
    static const char *const events[] = {
        "{\"id\":\"c\",\"choices\":[{\"index\":0,\"delta\":{\"role\":\"assistant\",\"content\":\"\",\"refusal\":null},\"logprobs\":null,"
        "\"finish_reason\":null}],\"usage\":null,\"obfuscation\":\"x7\"}",
        "{\"id\":\"c\",\"choices\":[{\"index\":0,\"delta\":{\"content\":\"Hi \\\"\\u00e9\"},\"finish_reason\":null}],\"usage\":null}",
        "{\"id\":\"c\",\"choices\":[{\"index\":0,\"delta\":{},\"finish_reason\":\"stop\"}],\"usage\":null}",
        "{\"id\":\"c\",\"choices\":[],\"usage\":{\"prompt_tokens\":19,\"completion_tokens\":2,\"total_tokens\":21,"
        "\"prompt_tokens_details\":{\"cached_tokens\":4,\"cache_write_tokens\":3},\"completion_tokens_details\":{\"reasoning_tokens\":1}}}",
        "[DONE]",
    };
    struct heard h = heard_make();

    for (size_t i = 0; i < sizeof events / sizeof *events; i++)
        ck_assert_int_eq(hear(&h, events[i]), WEIR_OK);
    ck_assert_str_eq(sb_str(&h.text), "Hi \\\"\\u00e9");
    ck_assert_str_eq(h.r.finish_reason, "stop");
    ck_assert(h.r.done && h.r.has_prompt && h.r.has_completion && !h.r.error.set);
    ck_assert_int_eq(h.r.usage.prompt, 19);
    ck_assert_int_eq(h.r.usage.cached, 4);
    ck_assert_int_eq(h.r.usage.cache_write, 3);
    ck_assert_int_eq(h.r.usage.completion, 2);
    ck_assert_int_eq(h.r.usage.reasoning, 1);
    heard_done(&h);
}
END_TEST

START_TEST(odd_shapes_are_understood)
{
    static const struct {
        const char *data, *text, *reasoning, *finish;
    } table[] = {
        {"{\"choices\":[{\"message\":{\"role\":\"assistant\",\"content\":\"whole\"},\"finish_reason\":\"length\"}]}", "whole", "", "length"},
        {"{\"choices\":[{\"delta\":{\"content\":null}}]}", "", "", ""},
        {"{\"choices\":[{\"delta\":null,\"finish_reason\":\"stop\"}]}", "", "", "stop"},
        {"{\"choices\":[{\"delta\":{\"content\":[{\"type\":\"text\",\"text\":\"a\"},{\"type\":\"image\"},7,{\"text\":\"b\"}]}}]}", "ab", "", ""},
        {"{\"choices\":[{\"delta\":{\"reasoning\":\"r\",\"reasoning_content\":\"r\",\"content\":\"c\"}}]}", "c", "r", ""},
        {"{\"choices\":[{\"delta\":{\"reasoning\":null,\"reasoning_content\":\"r\"}}]}", "", "r", ""},
        {"{\"choices\":[{\"delta\":{\"content\":null,\"refusal\":\"no\"}}]}", "no", "", ""},
        {"{\"choices\":[{\"delta\":{\"content\":5}}]}", "", "", ""},
        {"{\"choices\":[],\"prompt_filter_results\":[{\"a\":[]}]}", "", "", ""},
        {"{\"choices\":null}", "", "", ""},
        {"{\"choices\":[null]}", "", "", ""},
        {"{\"object\":\"chat.completion.chunk\"}", "", "", ""},
        {"{\"choices\":[{\"delta\":{\"content\":\"first\"}},{\"delta\":{\"content\":\"second\"}}]}", "first", "", ""},
        {"{\"choices\":[{\"finish_reason\":\"stop\",\"delta\":{\"content\":\"late\"}}],\"x\":{\"choices\":[1]}}", "late", "", "stop"},
        {"{\"choices\":[{\"delta\":{\"content\":\"x\",\"tool_calls\":[{\"function\":{\"arguments\":\"{\\\"content\\\":\\\"no\\\"}\"}}]}}]}", "x", "", ""},
        {" {\"choices\" : [ {\"delta\" : {\"content\" : \"spaced\"} } ] } ", "spaced", "", ""},
        {"{\"choices\":[{\"finish_reason\":\"a reason longer than any that is known\"}]}", "", "", "a reason longer than an"},
    };

    for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
        struct heard h = heard_make();

        ck_assert_int_eq(hear(&h, table[i].data), WEIR_OK);
        ck_assert_str_eq(sb_str(&h.text), table[i].text);
        ck_assert_str_eq(sb_str(&h.reasoning), table[i].reasoning);
        ck_assert_str_eq(h.r.finish_reason, table[i].finish);
        heard_done(&h);
    }
}
END_TEST

START_TEST(what_is_not_json_or_no_object_is_invalid)
{
    static const char *const bad[] = {
        "", "<html>", "[]", "null", "\"text\"", "{", "{\"choices\":[{\"delta\":{\"content\":\"x", "{\"choices\":[{]}",
        "{\"choices\":[{\"delta\":{\"content\":\"a\xff\"}}]}", "{} x", "[DONE",
    };

    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        struct heard h = heard_make();

        if (hear(&h, bad[i]) != WEIR_E_UPSTREAM_INVALID)
            ck_abort_msg("accepted: %s", bad[i]);
        heard_done(&h);
    }
}
END_TEST

START_TEST(every_prefix_of_a_chunk_is_invalid_and_harmless)
{
    static const char whole[] = "{\"id\":\"c\",\"choices\":[{\"index\":0,\"delta\":{\"content\":\"Hi \\u00e9 \xf0\x9f\x98\x80\"},"
                                "\"finish_reason\":null}],\"usage\":{\"prompt_tokens\":1},\"error\":{\"code\":1,\"message\":\"x\"}}";

    for (size_t cut = 0; cut < sizeof whole - 1; cut++) {
        char part[sizeof whole];
        struct heard h = heard_make();

        memcpy(part, whole, cut);
        part[cut] = '\0';
        ck_assert_int_eq(hear(&h, part), WEIR_E_UPSTREAM_INVALID);
        heard_done(&h);
    }
}
END_TEST

static enum weir_err hear_event(void *ctx, const char *data, size_t n)
{
    struct provider_sink sink = {on_text, on_reasoning, NULL, ctx};

    return openai_read(&((struct heard *)ctx)->r, data, n, &sink);
}

START_TEST(a_stream_cut_at_any_byte_is_whole_only_once_its_reason_came)
{
    static const char stream[] =
        "data: {\"choices\":[{\"delta\":{\"role\":\"assistant\",\"content\":\"\"},\"finish_reason\":null}]}\n\n"
        "data: {\"choices\":[{\"delta\":{\"content\":\"caf\xc3\xa9 \\u20ac\"},\"finish_reason\":null}]}\r\n\r\n"
        ": a comment\n\n"
        "data: {\"choices\":[{\"delta\":{\"content\":\" \xf0\x9f\x98\x80\"},\"finish_reason\":null}]}\n\n"
        "data: {\"choices\":[{\"delta\":{},\"finish_reason\":\"stop\"}]}\n\n"
        "data: {\"choices\":[],\"usage\":{\"prompt_tokens\":3,\"completion_tokens\":4}}\n\n"
        "data: [DONE]\n\n";
    static const char text[] = "caf\xc3\xa9 \\u20ac \xf0\x9f\x98\x80";
    size_t reason = (size_t)(strstr(stream, "\"stop\"}]}\n") - stream) + 10;      /* its line is whole from here on */

    for (size_t cut = 0; cut < sizeof stream; cut++) {
        struct heard h = heard_make();
        struct sse s = {0};

        ck_assert_int_eq(sse_feed(&s, stream, cut, hear_event, &h), WEIR_OK);
        ck_assert_int_eq(sse_end(&s, hear_event, &h), WEIR_OK);
        ck_assert_int_eq(h.r.finish_reason[0] != '\0', cut >= reason);
        ck_assert_mem_eq(sb_str(&h.text), text, h.text.len);
        ck_assert(cut < reason || h.text.len == sizeof text - 1);
        sse_done(&s);
        heard_done(&h);
    }
}
END_TEST

START_TEST(usage_that_is_no_count_was_not_said)
{
    static const struct {
        const char *usage;
        bool has_prompt, has_completion;
        int64_t prompt, completion;
    } table[] = {
        {"null", false, false, 0, 0}, {"{}", false, false, 0, 0}, {"[]", false, false, 0, 0}, {"7", false, false, 0, 0},
        {"\"many\"", false, false, 0, 0},
        {"{\"prompt_tokens\":5}", true, false, 5, 0},
        {"{\"prompt_tokens\":null,\"completion_tokens\":3}", false, true, 0, 3},
        {"{\"prompt_tokens\":-5,\"completion_tokens\":-1}", false, false, 0, 0},
        {"{\"prompt_tokens\":\"5\",\"completion_tokens\":\"6\"}", false, false, 0, 0},
        {"{\"prompt_tokens\":5.5,\"completion_tokens\":1e2}", false, false, 0, 0},
        {"{\"prompt_tokens\":99999999999999999999,\"completion_tokens\":1}", false, true, 0, 1},
        {"{\"prompt_tokens\":0,\"completion_tokens\":0}", true, true, 0, 0},
        {"{\"prompt_tokens\":5,\"completion_tokens\":6,\"prompt_tokens_details\":null,\"completion_tokens_details\":[]}", true, true, 5, 6},
        {"{\"prompt_tokens\":5,\"completion_tokens\":6,\"cost\":0.001,\"cost_details\":{\"a\":1}}", true, true, 5, 6},
    };

    for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
        struct heard h = heard_make();
        char data[256];

        (void)snprintf(data, sizeof data, "{\"choices\":[],\"usage\":%s}", table[i].usage);
        ck_assert_int_eq(hear(&h, data), WEIR_OK);
        ck_assert_int_eq(h.r.has_prompt, table[i].has_prompt);
        ck_assert_int_eq(h.r.has_completion, table[i].has_completion);
        ck_assert_int_eq(h.r.usage.prompt, table[i].prompt);
        ck_assert_int_eq(h.r.usage.completion, table[i].completion);
        heard_done(&h);
    }
}
END_TEST

/* --- golden: the usage of each provider, to tokens, to picodollars --- */

/* As they come on the wire; `data` is a whole answer or a stream's last chunk. */
static const struct shape {
    const char *who, *usage;
    struct usage_tokens tokens;
    int64_t input, output;                 /* at 1,000 in, 100 from the cache, 1,250 into it, 4,000 out */
} shapes[] = {
    {"OpenAI, details", "{\"prompt_tokens\":2006,\"completion_tokens\":300,\"total_tokens\":2306,\"prompt_tokens_details\":{\"cached_tokens\":1920,\"audio_tokens\":0,"
     "\"cache_write_tokens\":0},\"completion_tokens_details\":{\"reasoning_tokens\":192,\"audio_tokens\":0,\"accepted_prediction_tokens\":0,\"rejected_prediction_tokens\":0}}",
     {.prompt = 2006, .cached = 1920, .completion = 300, .reasoning = 192}, 86 * 1000 + 1920 * 100, 300 * 4000},
    {"OpenAI, written to the cache", "{\"prompt_tokens\":3000,\"completion_tokens\":10,\"total_tokens\":3010,\"prompt_tokens_details\":{\"cached_tokens\":1000,\"cache_write_tokens\":1500}}",
     {.prompt = 3000, .cached = 1000, .cache_write = 1500, .completion = 10}, 500 * 1000 + 1000 * 100 + 1500 * 1250, 10 * 4000},
    {"OpenAI, details that are null", "{\"prompt_tokens\":19,\"completion_tokens\":10,\"total_tokens\":29,\"prompt_tokens_details\":null,\"completion_tokens_details\":null}",
     {.prompt = 19, .completion = 10}, 19 * 1000, 10 * 4000},
    {"OpenRouter, with its cost", "{\"prompt_tokens\":194,\"completion_tokens\":2,\"total_tokens\":196,\"cost\":0.95,\"is_byok\":false,\"cost_details\":{\"upstream_inference_cost\":null,"
     "\"upstream_inference_prompt_cost\":0.9,\"upstream_inference_completions_cost\":0.05},\"prompt_tokens_details\":{\"cached_tokens\":100,\"cache_write_tokens\":50,\"audio_tokens\":0},"
     "\"completion_tokens_details\":{\"reasoning_tokens\":0,\"image_tokens\":0}}",
     {.prompt = 194, .cached = 100, .cache_write = 50, .completion = 2}, 44 * 1000 + 100 * 100 + 50 * 1250, 2 * 4000},
    {"Azure OpenAI", "{\"completion_tokens\":33,\"completion_tokens_details\":{\"accepted_prediction_tokens\":0,\"audio_tokens\":0,\"reasoning_tokens\":7,\"rejected_prediction_tokens\":0},"
     "\"prompt_tokens\":57,\"prompt_tokens_details\":{\"audio_tokens\":0,\"cached_tokens\":0},\"total_tokens\":90}",
     {.prompt = 57, .completion = 33, .reasoning = 7}, 57 * 1000, 33 * 4000},
    {"Ollama", "{\"prompt_tokens\":26,\"completion_tokens\":298,\"total_tokens\":324}", {.prompt = 26, .completion = 298}, 26 * 1000, 298 * 4000},
    {"llama.cpp", "{\"completion_tokens\":8,\"prompt_tokens\":40,\"total_tokens\":48,\"prompt_tokens_details\":{\"cached_tokens\":32}}",
     {.prompt = 40, .cached = 32, .completion = 8}, 8 * 1000 + 32 * 100, 8 * 4000},
    {"vLLM, details off", "{\"prompt_tokens\":12,\"total_tokens\":29,\"completion_tokens\":17,\"prompt_tokens_details\":null}", {.prompt = 12, .completion = 17}, 12 * 1000, 17 * 4000},
    {"vLLM, details on", "{\"prompt_tokens\":12,\"total_tokens\":29,\"completion_tokens\":17,\"prompt_tokens_details\":{\"cached_tokens\":8}}",
     {.prompt = 12, .cached = 8, .completion = 17}, 4 * 1000 + 8 * 100, 17 * 4000},
    {"DeepSeek", "{\"prompt_tokens\":100,\"completion_tokens\":50,\"total_tokens\":150,\"prompt_tokens_details\":{\"cached_tokens\":64},\"completion_tokens_details\":{\"reasoning_tokens\":20},"
     "\"prompt_cache_hit_tokens\":64,\"prompt_cache_miss_tokens\":36}",
     {.prompt = 100, .cached = 64, .completion = 50, .reasoning = 20}, 36 * 1000 + 64 * 100, 50 * 4000},
    {"DeepSeek, before details", "{\"prompt_tokens\":100,\"completion_tokens\":50,\"total_tokens\":150,\"prompt_cache_hit_tokens\":64,\"prompt_cache_miss_tokens\":36}",
     {.prompt = 100, .cached = 64, .completion = 50}, 36 * 1000 + 64 * 100, 50 * 4000},
};

static void expect_tokens(const struct shape *s, const struct usage_tokens *is)
{
    ck_assert_msg(is->prompt == s->tokens.prompt && is->cached == s->tokens.cached && is->cache_write == s->tokens.cache_write &&
                  is->completion == s->tokens.completion && is->reasoning == s->tokens.reasoning, "%s", s->who);
}

START_TEST(each_providers_usage_comes_to_its_tokens_and_its_price)
{
    static const char prices[] = "{\"schema\":1,\"currency\":\"USD\",\"unit\":\"pico_usd_per_token\",\"as_of\":\"2026-11-10\",\"models\":[{\"provider\":\"p\",\"id\":\"m\","
                                 "\"in\":1000,\"out\":4000,\"cache_read\":100,\"cache_write\":1250}]}";
    struct price_table *t;
    enum price_match match;
    char why[PRICE_WHY];
    const struct price *p;

    ck_assert_msg(price_table_load(prices, sizeof prices - 1, NULL, 0, &t, why) == WEIR_OK, "%s", why);
    p = price_find(t, "p", "m", &match);
    ck_assert_ptr_nonnull(p);
    for (size_t i = 0; i < sizeof shapes / sizeof *shapes; i++) {
        const struct shape *s = &shapes[i];
        struct heard h = heard_make();
        struct usage_finding f;
        char data[1024];
        struct cost c;

        (void)snprintf(data, sizeof data, "{\"id\":\"x\",\"object\":\"chat.completion.chunk\",\"choices\":[],\"usage\":%s}", s->usage);
        ck_assert_int_eq(hear(&h, data), WEIR_OK);
        expect_tokens(s, &h.r.usage);
        ck_assert_int_eq(h.r.has_cost, strstr(s->usage, "\"cost\"") != NULL);
        ck_assert_int_eq(h.r.cost, h.r.has_cost ? INT64_C(950000000000) : 0);
        f = usage_believe(&(struct usage_claim){.has_prompt = h.r.has_prompt, .has_completion = h.r.has_completion, .said = h.r.usage,
                                                .own_prompt = s->tokens.prompt, .own_completion = s->tokens.completion - s->tokens.reasoning});
        ck_assert_msg(!f.estimated && !f.suspect, "%s", s->who);
        expect_tokens(s, &f.usage);
        ck_assert(price_cost(p, &f.usage, &c));
        ck_assert_msg(c.input == s->input && c.output == s->output, "%s: %lld, %lld", s->who, (long long)c.input, (long long)c.output);
        ck_assert_int_eq(c.fresh + c.cached + c.cache_write, c.input);
        ck_assert_int_eq(c.visible + c.reasoning, c.output);
        ck_assert_int_eq(c.input + c.output, c.total);
        heard_done(&h);
    }
    price_table_free(t);
}
END_TEST

START_TEST(whatever_a_provider_says_parts_sum_to_totals)
{
    static const char *const values[] = {"0", "1", "7", "-1", "null", "\"5\"", "5.5", "1e9", "1000000000000000000", "99999999999999999999", "[]", "{}", "true"};
    enum { N = sizeof values / sizeof *values };

    for (int i = 0; i < N * N * N; i++) {
        struct heard h = heard_make();
        const char *a = values[i % N], *b = values[i / N % N], *c = values[i / N / N];
        struct usage_finding f;
        char data[512];

        (void)snprintf(data, sizeof data, "{\"usage\":{\"prompt_tokens\":%s,\"completion_tokens\":%s,\"total_tokens\":%s,\"prompt_tokens_details\":{\"cached_tokens\":%s,"
                       "\"cache_write_tokens\":%s},\"completion_tokens_details\":{\"reasoning_tokens\":%s}}}", a, b, c, c, b, a);
        ck_assert_int_eq(hear(&h, data), WEIR_OK);
        f = usage_believe(&(struct usage_claim){.has_prompt = h.r.has_prompt, .has_completion = h.r.has_completion, .said = h.r.usage,
                                                .own_prompt = 7, .own_completion = 3, .context = 128000});
        ck_assert_msg(f.usage.cached >= 0 && f.usage.cache_write >= 0 && f.usage.cached + f.usage.cache_write <= f.usage.prompt &&
                      f.usage.reasoning >= 0 && f.usage.reasoning <= f.usage.completion && f.usage.prompt <= 1280000 &&
                      f.usage.completion <= 1280000, "%s", data);
        heard_done(&h);
    }
}
END_TEST

/* Where a stream of Groq's has its usage, and which service was given. */
START_TEST(a_service_tier_and_groqs_usage_are_heard)
{
    static const struct {
        const char *data;
        bool said;
        enum price_service service;
    } tiers[] = {
        {"{\"choices\":[],\"service_tier\":\"priority\"}", true, PRICE_PRIORITY}, {"{\"choices\":[],\"service_tier\":\"flex\"}", true, PRICE_FLEX},
        {"{\"choices\":[],\"service_tier\":\"default\"}", true, PRICE_STANDARD}, {"{\"choices\":[],\"service_tier\":null}", false, PRICE_STANDARD},
        {"{\"choices\":[],\"service_tier\":7}", false, PRICE_STANDARD}, {"{\"choices\":[]}", false, PRICE_STANDARD},
    };
    struct heard h = heard_make();

    ck_assert_int_eq(hear(&h, "{\"id\":\"chatcmpl-1\",\"choices\":[{\"index\":0,\"delta\":{},\"finish_reason\":\"stop\"}],\"x_groq\":{\"id\":\"req_1\",\"usage\":"
                              "{\"queue_time\":0.01,\"prompt_tokens\":18,\"prompt_time\":0.001,\"completion_tokens\":556,\"completion_time\":0.4,\"total_tokens\":574,"
                              "\"total_time\":0.4,\"prompt_tokens_details\":{\"cached_tokens\":8}}}}"), WEIR_OK);
    ck_assert(h.r.has_prompt && h.r.has_completion);
    ck_assert_int_eq(h.r.usage.prompt, 18);
    ck_assert_int_eq(h.r.usage.cached, 8);
    ck_assert_int_eq(h.r.usage.completion, 556);
    ck_assert_str_eq(h.r.finish_reason, "stop");
    heard_done(&h);
    for (size_t i = 0; i < sizeof tiers / sizeof *tiers; i++) {
        h = heard_make();
        ck_assert_int_eq(hear(&h, tiers[i].data), WEIR_OK);
        ck_assert_int_eq(h.r.has_service, tiers[i].said);
        ck_assert_int_eq(h.r.service, tiers[i].service);
        heard_done(&h);
    }
}
END_TEST

START_TEST(usage_said_several_times_is_not_summed)
{
    struct heard h = heard_make();

    ck_assert_int_eq(hear(&h, "{\"usage\":{\"prompt_tokens\":9,\"completion_tokens\":1}}"), WEIR_OK);
    ck_assert_int_eq(hear(&h, "{\"usage\":{\"prompt_tokens\":9,\"completion_tokens\":4}}"), WEIR_OK);
    ck_assert_int_eq(hear(&h, "{\"usage\":{\"prompt_tokens\":9,\"completion_tokens\":4}}"), WEIR_OK);
    ck_assert_int_eq(hear(&h, "{\"usage\":null}"), WEIR_OK);
    ck_assert_int_eq(h.r.usage.prompt, 9);
    ck_assert_int_eq(h.r.usage.completion, 4);
    heard_done(&h);
}
END_TEST

START_TEST(an_error_may_be_an_object_a_string_or_nothing)
{
    static const struct {
        const char *data;
        bool set;
        int64_t status;
        const char *type, *code, *message;
    } table[] = {
        {"{\"error\":{\"message\":\"m\",\"type\":\"t\",\"param\":null,\"code\":\"c\"}}", true, 0, "t", "c", "m"},
        {"{\"error\":{\"code\":429,\"message\":\"m\",\"metadata\":{\"x\":1}},\"user_id\":\"u\"}", true, 429, "", "", "m"},
        {"{\"error\":{\"code\":\"503\",\"message\":\"m\"}}", true, 503, "", "503", "m"},
        {"{\"error\":\"text\"}", true, 0, "", "", "text"},
        {"{\"error\":{}}", true, 0, "", "", ""},
        {"{\"error\":null}", false, 0, "", "", ""},
        {"{\"error\":{\"message\":\"line\\nbreak \\u20ac\",\"code\":null}}", true, 0, "", "", "line\nbreak \xe2\x82\xac"},
    };

    for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
        struct heard h = heard_make();

        ck_assert_int_eq(hear(&h, table[i].data), WEIR_OK);
        ck_assert_int_eq(h.r.error.set, table[i].set);
        ck_assert_int_eq(h.r.error.status, table[i].status);
        ck_assert_str_eq(h.r.error.type, table[i].type);
        ck_assert_str_eq(h.r.error.code, table[i].code);
        ck_assert_str_eq(h.r.error.message, table[i].message);
        heard_done(&h);
    }
}
END_TEST

START_TEST(refusals_are_told_apart)
{
    static const struct {
        int status;
        const char *body;
        enum weir_err err;
        bool retry;
        enum attempt_fault fault;
        enum dim dim;
        int64_t retry_after_us;
    } table[] = {
        {400, "{\"error\":{\"code\":\"unsupported_value\"}}", WEIR_E_UPSTREAM_REFUSED, false, 0, DIM_COUNT, -1},
        {400, "{\"error\":{\"code\":\"context_length_exceeded\"}}", WEIR_E_CONTEXT_LENGTH, false, 0, DIM_COUNT, -1},
        {400, "{\"error\":{\"code\":400,\"type\":\"exceed_context_size_error\"}}", WEIR_E_CONTEXT_LENGTH, false, 0, DIM_COUNT, -1},
        {401, "{\"error\":{\"code\":\"invalid_api_key\"}}", WEIR_E_UPSTREAM_AUTH, true, FAULT_AUTH, DIM_COUNT, -1},
        {403, "", WEIR_E_UPSTREAM_AUTH, true, FAULT_AUTH, DIM_COUNT, -1},
        {402, "{\"error\":{\"code\":402}}", WEIR_E_UPSTREAM_QUOTA, true, FAULT_QUOTA, DIM_COUNT, -1},
        {404, "{\"error\":{\"code\":\"model_not_found\"}}", WEIR_E_MODEL_NOT_FOUND, false, 0, DIM_COUNT, -1},
        {413, "<html>", WEIR_E_BODY_TOO_LARGE, false, 0, DIM_COUNT, -1},
        {422, "", WEIR_E_UPSTREAM_UNPROCESSABLE, false, 0, DIM_COUNT, -1},
        {429, "{\"error\":{\"type\":\"insufficient_quota\",\"code\":\"insufficient_quota\"}}", WEIR_E_UPSTREAM_QUOTA, true, FAULT_QUOTA, DIM_COUNT, -1},
        {429, "{\"error\":{\"code\":\"project_spend_limit_exceeded\"}}", WEIR_E_UPSTREAM_QUOTA, true, FAULT_QUOTA, DIM_COUNT, -1},
        {429, "{\"error\":{\"type\":\"tokens\",\"code\":\"rate_limit_exceeded\",\"message\":\"Request too large for gpt-4o\"}}",
         WEIR_E_REQUEST_TOO_LARGE_FOR_LIMIT, false, 0, DIM_COUNT, -1},
        {429, "{\"error\":{\"type\":\"tokens\",\"message\":\"Limit 30000, Used 24945. Please try again in 1.742s. Visit\"}}",
         WEIR_E_UPSTREAM_RATE_LIMITED, true, FAULT_RATE_LIMIT, DIM_TOKENS_PER_MINUTE, 1742000},
        {429, "{\"error\":{\"type\":\"requests\",\"message\":\"Please try again in 6m0s.\"}}",
         WEIR_E_UPSTREAM_RATE_LIMITED, true, FAULT_RATE_LIMIT, DIM_REQUESTS_PER_MINUTE, 360 * SEC},
        {429, "{\"error\":{\"code\":\"429\",\"message\":\"Please retry after 37 seconds.\"}}",
         WEIR_E_UPSTREAM_RATE_LIMITED, true, FAULT_RATE_LIMIT, DIM_COUNT, 37 * SEC},
        {429, "", WEIR_E_UPSTREAM_RATE_LIMITED, true, FAULT_RATE_LIMIT, DIM_COUNT, -1},
        {408, "", WEIR_E_UPSTREAM, true, FAULT_SERVER, DIM_COUNT, -1},
        {500, "{\"error\":\"x\"}", WEIR_E_UPSTREAM, true, FAULT_SERVER, DIM_COUNT, -1},
        {502, "<html>", WEIR_E_UPSTREAM, true, FAULT_SERVER, DIM_COUNT, -1},
        {503, "", WEIR_E_UPSTREAM, true, FAULT_OVERLOADED, DIM_COUNT, -1},
        {529, "", WEIR_E_UPSTREAM, true, FAULT_OVERLOADED, DIM_COUNT, -1},
        {302, "", WEIR_E_UPSTREAM_REDIRECT, false, 0, DIM_COUNT, -1},
        {418, "", WEIR_E_UPSTREAM, false, 0, DIM_COUNT, -1},
        {200, "{\"error\":{\"code\":429,\"message\":\"m\"}}", WEIR_E_UPSTREAM_RATE_LIMITED, true, FAULT_RATE_LIMIT, DIM_COUNT, -1},
        {200, "{\"error\":{\"message\":\"m\"}}", WEIR_E_UPSTREAM, true, FAULT_SERVER, DIM_COUNT, -1},
        {403, "{\"error\":{\"code\":403,\"message\":\"Your input was flagged\",\"metadata\":{\"reasons\":[\"x\"]}}}",
         WEIR_E_UPSTREAM_REFUSED, false, 0, DIM_COUNT, -1},
        {403, "{\"error\":{\"code\":\"model_not_found\",\"message\":\"Project proj_x does not have access to model gpt-4\"}}",
         WEIR_E_MODEL_NOT_FOUND, false, 0, DIM_COUNT, -1},
        {403, "{\"error\":{\"code\":\"unsupported_country_region_territory\"}}", WEIR_E_UPSTREAM_AUTH, true, FAULT_AUTH, DIM_COUNT, -1},
        /* which of the three a 429 is, and whose limit */
        {429, "{\"error\":{\"code\":\"credit_balance_exhausted\"}}", WEIR_E_UPSTREAM_QUOTA, true, FAULT_QUOTA, DIM_COUNT, -1},
        {429, "{\"error\":{\"code\":\"organization_spend_limit_exceeded\"}}", WEIR_E_UPSTREAM_QUOTA, true, FAULT_QUOTA, DIM_COUNT, -1},
        {429, "{\"error\":{\"code\":\"organization_usage_limit_exceeded\"}}", WEIR_E_UPSTREAM_QUOTA, true, FAULT_QUOTA, DIM_COUNT, -1},
        {400, "{\"error\":{\"code\":\"billing_hard_limit_reached\"}}", WEIR_E_UPSTREAM_QUOTA, true, FAULT_QUOTA, DIM_COUNT, -1},
        {429, "{\"error\":{\"message\":\"on tokens per min (TPM): Limit 30000, Requested 64000. The input\"}}",
         WEIR_E_REQUEST_TOO_LARGE_FOR_LIMIT, false, 0, DIM_COUNT, -1},
        {429, "{\"error\":{\"code\":\"429\",\"message\":\"exceeded token rate limit. Please retry after 86400 seconds.\"}}",
         WEIR_E_REQUEST_TOO_LARGE_FOR_LIMIT, false, 0, DIM_COUNT, -1},
        {429, "{\"error\":{\"code\":\"429\",\"message\":\"have exceeded token rate limit of your S0 tier. Please retry after 1 second.\"}}",
         WEIR_E_UPSTREAM_RATE_LIMITED, true, FAULT_RATE_LIMIT, DIM_TOKENS_PER_MINUTE, SEC},
        {429, "{\"error\":{\"code\":\"429\",\"message\":\"have exceeded call rate limit of your S0 tier.\"}}",
         WEIR_E_UPSTREAM_RATE_LIMITED, true, FAULT_RATE_LIMIT, DIM_REQUESTS_PER_MINUTE, -1},
        {429, "{\"error\":{\"type\":\"rate_limit_error\",\"message\":\"your rate limit of 40,000 input tokens per minute\"}}",
         WEIR_E_UPSTREAM_RATE_LIMITED, true, FAULT_RATE_LIMIT, DIM_INPUT_TOKENS_PER_MINUTE, -1},
        {429, "{\"error\":{\"type\":\"rate_limit_error\",\"message\":\"your rate limit of 8,000 output tokens per minute\"}}",
         WEIR_E_UPSTREAM_RATE_LIMITED, true, FAULT_RATE_LIMIT, DIM_OUTPUT_TOKENS_PER_MINUTE, -1},
        {429, "{\"error\":{\"type\":\"requests\",\"message\":\"on requests per day (RPD): Limit 200, Used 200, Requested 1. Please try again in 7m12s.\"}}",
         WEIR_E_UPSTREAM_RATE_LIMITED, true, FAULT_RATE_LIMIT, DIM_REQUESTS_PER_HOUR, 432 * SEC},
        {429, "{\"error\":{\"type\":\"rate_limit_error\",\"code\":\"slow_down\"}}", WEIR_E_UPSTREAM_RATE_LIMITED, true,
         FAULT_RATE_LIMIT, DIM_COUNT, -1},
        /* inside a stream there is no status */
        {200, "{\"error\":{\"type\":\"tokens\",\"code\":\"rate_limit_exceeded\",\"message\":\"try again in 1.5s\"}}",
         WEIR_E_UPSTREAM_RATE_LIMITED, true, FAULT_RATE_LIMIT, DIM_TOKENS_PER_MINUTE, SEC + SEC / 2},
        {200, "{\"error\":{\"type\":\"rate_limit_error\"}}", WEIR_E_UPSTREAM_RATE_LIMITED, true, FAULT_RATE_LIMIT, DIM_COUNT, -1},
        {200, "{\"error\":{\"type\":\"insufficient_quota\",\"code\":\"insufficient_quota\"}}", WEIR_E_UPSTREAM_QUOTA, true, FAULT_QUOTA, DIM_COUNT, -1},
        {200, "{\"error\":{\"type\":\"invalid_request_error\",\"code\":\"invalid_api_key\"}}", WEIR_E_UPSTREAM_AUTH, true, FAULT_AUTH, DIM_COUNT, -1},
        {200, "{\"error\":{\"type\":\"overloaded_error\"}}", WEIR_E_UPSTREAM, true, FAULT_OVERLOADED, DIM_COUNT, -1},
        {200, "{\"error\":{\"type\":\"invalid_request_error\",\"code\":null}}", WEIR_E_UPSTREAM_REFUSED, false, 0, DIM_COUNT, -1},
        {200, "{\"error\":{\"code\":99}}", WEIR_E_UPSTREAM, true, FAULT_SERVER, DIM_COUNT, -1},
    };

    for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
        struct provider_error e = {0};
        struct provider_head h = {0};
        struct provider_verdict v;

        head_init(&h);
        openai_read_error(&e, table[i].body, strlen(table[i].body));
        v = openai_judge(table[i].status, &e, &h);
        if (v.err != table[i].err || v.retry != table[i].retry || (v.retry && v.fault != table[i].fault) ||
            v.dim != table[i].dim || v.retry_after_us != table[i].retry_after_us)
            ck_abort_msg("%d %s: %s retry %d fault %d dim %d after %lld", table[i].status, table[i].body, err_code(v.err),
                         v.retry, (int)v.fault, (int)v.dim, (long long)v.retry_after_us);
    }
}
END_TEST

START_TEST(headers_say_when_and_which_limit_before_the_text_does)
{
    static const char *const lines[] = {"x-ratelimit-remaining-tokens: 0", "x-ratelimit-reset-tokens: 12s"};
    struct provider_error e = {.set = true, .message = "Please try again in 99s."};
    struct provider_head h = {0};
    struct provider_verdict v;

    head_init(&h);
    for (int i = 0; i < 2; i++)
        ck_assert(head_line(&h, lines[i], strlen(lines[i]), 0));
    v = openai_judge(429, &e, &h);
    ck_assert_int_eq(v.dim, DIM_TOKENS_PER_MINUTE);
    ck_assert_int_eq(v.retry_after_us, 12 * SEC);
    ck_assert(head_line(&h, "Retry-After: 3", 14, 0));
    v = openai_judge(429, &e, &h);
    ck_assert_int_eq(v.retry_after_us, 3 * SEC);
}
END_TEST

START_TEST(a_402_that_says_when_is_not_for_ever)
{
    struct provider_error e = {.set = true, .status = 402};
    struct provider_head h = {0};
    struct provider_verdict v;

    head_init(&h);
    ck_assert(head_line(&h, "Retry-After: 3", 14, 0));
    v = openai_judge(402, &e, &h);
    ck_assert_int_eq(v.err, WEIR_E_UPSTREAM_QUOTA);
    ck_assert_int_eq(v.fault, FAULT_OVERLOADED);
    ck_assert_int_eq(v.retry_after_us, 3 * SEC);
}
END_TEST

START_TEST(a_request_with_its_cap_is_one_json_object)
{
    struct openai_turn turns[] = {{"system", "Be \"brief\"."}, {"user", "1 < 2\n\xc3\xa9"}};
    json_t *t = json_real(0.5), *stop = json_pack("[s,s]", "a", "b"), *whole;
    struct openai_options o = {.stream = true, .temperature = t, .stop = stop};
    struct sb out = sb_make(4096);

    openai_request(&out, "gpt-4o-mini", turns, 2, &o);
    openai_close(&out, &(struct wire_tail){.cap = 7, .stream = true});
    ck_assert(sb_ok(&out));
    whole = json_loads(sb_str(&out), 0, NULL);
    ck_assert_ptr_nonnull(whole);
    ck_assert_str_eq(json_string_value(json_object_get(whole, "model")), "gpt-4o-mini");
    ck_assert_uint_eq(json_array_size(json_object_get(whole, "messages")), 2);
    ck_assert_str_eq(json_string_value(json_object_get(json_array_get(json_object_get(whole, "messages"), 1), "content")), turns[1].text);
    ck_assert(json_real_value(json_object_get(whole, "temperature")) == 0.5);
    ck_assert_uint_eq(json_array_size(json_object_get(whole, "stop")), 2);
    ck_assert(json_is_true(json_object_get(json_object_get(whole, "stream_options"), "include_usage")));
    ck_assert_int_eq(json_integer_value(json_object_get(whole, "max_tokens")), 7);
    json_decref(whole);
    json_decref(t);
    json_decref(stop);
    sb_done(&out);
}
END_TEST

START_TEST(newer_models_take_the_cap_by_its_newer_name)
{
    static const char *const newer[] = {"o1", "o3-mini", "openai/o4-mini", "gpt-5", "gpt-5.1-mini", "gpt-6-sol"};
    static const char *const older[] = {"gpt-4o-mini", "gpt-3.5-turbo", "llama3", "olmo", "o", "omni-1", "mistral/o", "gpt-oss-20b"};

    for (size_t i = 0; i < sizeof newer / sizeof *newer; i++)
        ck_assert(openai_wants_completion_cap(newer[i]));
    for (size_t i = 0; i < sizeof older / sizeof *older; i++)
        ck_assert(!openai_wants_completion_cap(older[i]));
}
END_TEST

UNIT_MAIN("openai", a_stream_is_text_a_reason_usage_and_done, odd_shapes_are_understood, what_is_not_json_or_no_object_is_invalid,
          every_prefix_of_a_chunk_is_invalid_and_harmless, a_stream_cut_at_any_byte_is_whole_only_once_its_reason_came, usage_that_is_no_count_was_not_said, each_providers_usage_comes_to_its_tokens_and_its_price,
          whatever_a_provider_says_parts_sum_to_totals, a_service_tier_and_groqs_usage_are_heard, usage_said_several_times_is_not_summed,
          an_error_may_be_an_object_a_string_or_nothing, refusals_are_told_apart,
          headers_say_when_and_which_limit_before_the_text_does, a_402_that_says_when_is_not_for_ever, a_request_with_its_cap_is_one_json_object,
          newer_models_take_the_cap_by_its_newer_name)
