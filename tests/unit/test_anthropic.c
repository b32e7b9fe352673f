/* Anthropic's Messages, from both sides: events and whole answers, what its refusals mean, bodies, and answers in its shapes. */
#include <stdlib.h>
#include <string.h>

#include "peer/anthropic.h"
#include "unit.h"

struct heard {
    struct provider_reply r;
    struct sb said;                  /* t:text r:reasoning c<index>:id/name/arguments, in order */
};

static void on_text(void *ctx, const char *raw, size_t n)
{
    sb_putf(&((struct heard *)ctx)->said, "t:%.*s ", (int)n, raw);
}

static void on_reasoning(void *ctx, const char *raw, size_t n)
{
    sb_putf(&((struct heard *)ctx)->said, "r:%.*s ", (int)n, raw);
}

static void on_call(void *ctx, const struct wire_piece *p)
{
    sb_putf(&((struct heard *)ctx)->said, "c%d:%.*s/%.*s/%.*s ", (int)p->index, (int)p->id.n, p->id.p ? p->id.p : "", (int)p->name.n,
            p->name.p ? p->name.p : "", (int)p->arguments.n, p->arguments.p ? p->arguments.p : "");
}

/* From memory of exactly its size, so that a step beyond it is found. */
static enum weir_err hear(struct heard *h, const char *data)
{
    struct provider_sink sink = {on_text, on_reasoning, on_call, h};
    size_t n = strlen(data);
    char *copy = malloc(n + 1);
    enum weir_err e;

    memcpy(copy, data, n);
    e = anthropic_read(&h->r, copy, n, &sink);
    free(copy);
    return e;
}

static struct heard heard_make(void)
{
    return (struct heard){.said = sb_make(65536)};
}

static void assert_usage(const struct provider_reply *r, int64_t prompt, int64_t cached, int64_t w5, int64_t w1, int64_t completion)
{
    ck_assert_int_eq(r->usage.prompt, prompt);
    ck_assert_int_eq(r->usage.cached, cached);
    ck_assert_int_eq(r->usage.cache_write, w5);
    ck_assert_int_eq(r->usage.cache_write_1h, w1);
    ck_assert_int_eq(r->usage.completion, completion);
}

#define START(usage) "{\"type\":\"message_start\",\"message\":{\"id\":\"msg_1\",\"content\":[],\"stop_reason\":null,\"usage\":" usage "}}"

START_TEST(a_stream_is_blocks_a_reason_usage_and_a_stop)
{
    static const struct {
        const char *data;
        int64_t block;
    } events[] = {
        {START("{\"input_tokens\":12,\"cache_creation_input_tokens\":5,\"cache_read_input_tokens\":100,\"cache_creation\":"
               "{\"ephemeral_5m_input_tokens\":3,\"ephemeral_1h_input_tokens\":2},\"output_tokens\":1}"), 0},
        {"{\"type\":\"content_block_start\",\"index\":0,\"content_block\":{\"type\":\"thinking\",\"thinking\":\"\",\"signature\":\"\"}}", 1},
        {"{\"type\":\"ping\"}", 1},
        {"{\"type\":\"content_block_delta\",\"index\":0,\"delta\":{\"type\":\"thinking_delta\",\"thinking\":\"hm\"}}", 1},
        {"{\"type\":\"content_block_delta\",\"index\":0,\"delta\":{\"type\":\"signature_delta\",\"signature\":\"abc\"}}", 1},
        {"{\"type\":\"content_block_stop\",\"index\":0}", 0},
        {"{\"type\":\"content_block_start\",\"index\":1,\"content_block\":{\"type\":\"text\",\"text\":\"\"}}", 2},
        {"{\"type\":\"content_block_delta\",\"index\":1,\"delta\":{\"type\":\"text_delta\",\"text\":\"Hi \\\"\\u00e9\"}}", 2},
        {"{\"type\":\"content_block_stop\",\"index\":1}", 0},
        {"{\"type\":\"content_block_start\",\"index\":2,\"content_block\":{\"type\":\"tool_use\",\"id\":\"toolu_1\",\"name\":\"f\",\"input\":{}}}", 3},
        {"{\"type\":\"content_block_delta\",\"index\":2,\"delta\":{\"type\":\"input_json_delta\",\"partial_json\":\"{\\\"x\\\":1}\"}}", 3},
        {"{\"type\":\"content_block_stop\",\"index\":2}", 0},
        {"{\"type\":\"content_block_start\",\"index\":3,\"content_block\":{\"type\":\"server_tool_use\",\"id\":\"s\",\"name\":\"web_search\",\"input\":{}}}", 4},
        {"{\"type\":\"content_block_delta\",\"index\":3,\"delta\":{\"type\":\"input_json_delta\",\"partial_json\":\"{}\"}}", 4},
        {"{\"type\":\"content_block_stop\",\"index\":3}", 0},
        {"{\"type\":\"content_block_start\",\"index\":4,\"content_block\":{\"name\":\"g\",\"id\":\"toolu_2\",\"type\":\"tool_use\"}}", 5},
        {"{\"type\":\"content_block_delta\",\"index\":4,\"delta\":{\"type\":\"input_json_delta\",\"partial_json\":\"\"}}", 5},
        {"{\"type\":\"content_block_stop\",\"index\":4}", 0},
        {"{\"type\":\"of_tomorrow\",\"x\":[1]}", 0},
        {"{\"type\":\"message_delta\",\"delta\":{\"stop_reason\":\"tool_use\",\"stop_sequence\":null},\"usage\":{\"input_tokens\":null,"
         "\"cache_read_input_tokens\":90,\"output_tokens\":6,\"output_tokens_details\":{\"thinking_tokens\":2}}}", 0},
        {"{\"type\":\"message_stop\"}", 0},
    };
    struct heard h = heard_make();

    for (size_t i = 0; i < sizeof events / sizeof *events; i++) {
        ck_assert(!h.r.done);
        ck_assert_int_eq(hear(&h, events[i].data), WEIR_OK);
        ck_assert_int_eq(h.r.block, events[i].block);
        ck_assert_int_eq(h.r.has_completion, i >= 19);
    }
    ck_assert_str_eq(sb_str(&h.said), "r:hm t:Hi \\\"\\u00e9 c0:toolu_1/f/ c0://{\\\"x\\\":1} c1:toolu_2/g/ c1:// c1://{} ");
    ck_assert_str_eq(h.r.finish_reason, "tool_calls");
    ck_assert_str_eq(h.r.id, "msg_1");
    ck_assert(h.r.done && h.r.choice && h.r.has_prompt && !h.r.error.set);
    ck_assert_int_eq(h.r.event, REPLY_END);
    assert_usage(&h.r, 12 + 90 + 5, 90, 3, 2, 6);
    ck_assert_int_eq(h.r.usage.reasoning, 2);
    ck_assert_int_eq(h.r.unshown_bytes, 1 + 9 + 2 + 1);
    sb_done(&h.said);
}
END_TEST

START_TEST(a_whole_answer_says_the_same_at_once)
{
    struct heard h = heard_make();

    ck_assert_int_eq(hear(&h, "{\"id\":\"msg_2\",\"type\":\"message\",\"role\":\"assistant\",\"content\":[{\"type\":\"thinking\",\"thinking\":\"hm\",\"signature\":\"x\"},"
                              "{\"type\":\"text\",\"text\":\"one\"},{\"type\":\"tool_use\",\"id\":\"t\",\"name\":\"f\",\"input\":{\"a\":\"\\n\"}},7],"
                              "\"stop_reason\":\"max_tokens\",\"usage\":{\"input_tokens\":2,\"cache_creation_input_tokens\":4,\"output_tokens\":5,"
                              "\"service_tier\":\"standard\",\"speed\":\"fast\"}}"), WEIR_OK);
    ck_assert_str_eq(sb_str(&h.said), "r:hm t:one c0:t/f/{\\\"a\\\":\\\"\\\\n\\\"} ");
    ck_assert_str_eq(h.r.finish_reason, "length");
    assert_usage(&h.r, 6, 0, 4, 0, 5);
    ck_assert(h.r.choice && h.r.has_service && !h.r.done);
    ck_assert_int_eq(h.r.service, PRICE_PRIORITY);
    sb_done(&h.said);
}
END_TEST

START_TEST(counts_that_are_none_were_not_said)
{
    static const char *const bad[] = {"-5", "\"twelve\"", "1.5", "null", "1000000000000000001", "{}"};

    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        struct heard h = heard_make();
        char event[256];

        (void)snprintf(event, sizeof event, "{\"type\":\"message\",\"usage\":{\"input_tokens\":%s,\"output_tokens\":%s}}", bad[i], bad[i]);
        ck_assert_int_eq(hear(&h, event), WEIR_OK);
        ck_assert(!h.r.has_prompt && !h.r.has_completion);
        assert_usage(&h.r, 0, 0, 0, 0, 0);
    }
}
END_TEST

START_TEST(what_is_not_json_or_no_object_is_invalid)
{
    static const char *const bad[] = {"", "[]", "null", "{", "{\"type\":\"ping\"} x", "[DONE]", "{\"delta\":{\"text\":\"a\xff\"}}"};

    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        struct heard h = heard_make();

        ck_assert_int_eq(hear(&h, bad[i]), WEIR_E_UPSTREAM_INVALID);
        sb_done(&h.said);
    }
}
END_TEST

START_TEST(refusals_mean_what_they_mean)
{
    static const struct {
        int status;
        const char *body;
        enum weir_err err;
        bool retry;
        enum attempt_fault fault;
        bool pass;
    } table[] = {
#define E(type, message) "{\"type\":\"error\",\"error\":{\"type\":\"" type "\",\"message\":\"" message "\"}}"
#define D(type, message, code) "{\"type\":\"error\",\"error\":{\"type\":\"" type "\",\"message\":\"" message "\",\"details\":{\"error_code\":\"" code "\"}}}"
        {400, E("invalid_request_error", "max_tokens: Field required"), WEIR_E_UPSTREAM_REFUSED, false, 0, true},
        {400, E("invalid_request_error", "prompt is too long: 210000 tokens > 200000 maximum"), WEIR_E_CONTEXT_LENGTH, false, 0, true},
        {400, E("invalid_request_error", "You have reached your specified API usage limits. You will regain access on"), WEIR_E_UPSTREAM_QUOTA, true, FAULT_QUOTA, false},
        {400, D("invalid_request_error", "On hold.", "organization_on_hold"), WEIR_E_UPSTREAM_AUTH, true, FAULT_AUTH, false},
        {401, E("authentication_error", "invalid x-api-key"), WEIR_E_UPSTREAM_AUTH, true, FAULT_AUTH, false},
        {402, E("billing_error", "No credit."), WEIR_E_UPSTREAM_QUOTA, true, FAULT_QUOTA, false},
        {403, E("permission_error", "Not allowed."), WEIR_E_UPSTREAM_AUTH, true, FAULT_AUTH, false},
        {404, E("not_found_error", "model: claude-none"), WEIR_E_MODEL_NOT_FOUND, false, 0, true},
        {413, E("request_too_large", "Too large."), WEIR_E_BODY_TOO_LARGE, false, 0, true},
        {429, E("rate_limit_error", "This request would exceed the rate limit of 8,000 output tokens per minute."), WEIR_E_UPSTREAM_RATE_LIMITED, true, FAULT_RATE_LIMIT, false},
        {429, D("rate_limit_error", "Usage grew too fast.", "ramp_limit_exceeded"), WEIR_E_UPSTREAM_RATE_LIMITED, true, FAULT_RATE_LIMIT, false},
        {429, D("rate_limit_error", "Spent.", "enforced_spend_limit_reached"), WEIR_E_UPSTREAM_QUOTA, true, FAULT_QUOTA, false},
        {500, E("api_error", "Internal server error"), WEIR_E_UPSTREAM, true, FAULT_SERVER, true},
        {503, "<html>", WEIR_E_UPSTREAM, true, FAULT_OVERLOADED, true},
        {504, E("timeout_error", "Timed out."), WEIR_E_UPSTREAM, true, FAULT_SERVER, true},
        {529, E("overloaded_error", "Overloaded"), WEIR_E_UPSTREAM, true, FAULT_OVERLOADED, true},
        {200, E("overloaded_error", "Overloaded"), WEIR_E_UPSTREAM, true, FAULT_OVERLOADED, true},
        {200, E("rate_limit_error", "Slow down."), WEIR_E_UPSTREAM_RATE_LIMITED, true, FAULT_RATE_LIMIT, false},
        {200, E("new_error", "?"), WEIR_E_UPSTREAM, true, FAULT_SERVER, true},
        {200, "{\"error\":null}", WEIR_E_UPSTREAM, true, FAULT_SERVER, true},
    };

    for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
        struct provider_error e = {0};
        struct provider_head h = {0};
        struct provider_verdict v;

        head_init(&h);
        anthropic_read_error(&e, table[i].body, strlen(table[i].body));
        v = anthropic_judge(table[i].status, &e, &h);
        ck_assert_msg(v.err == table[i].err && v.retry == table[i].retry && (!v.retry || v.fault == table[i].fault) && v.pass_message == table[i].pass,
                      "%d %s: %s, retry %d, fault %d, pass %d", table[i].status, table[i].body, err_code(v.err), v.retry, (int)v.fault, v.pass_message);
        if (strstr(table[i].body, "output tokens per minute"))
            ck_assert_int_eq(v.dim, DIM_OUTPUT_TOKENS_PER_MINUTE);
    }
}
END_TEST

START_TEST(a_body_has_its_system_apart_and_always_a_cap)
{
    static const struct openai_turn turns[] = {
        {"system", "Be \"brief\"."}, {"user", "Hi"}, {"assistant", " \n"}, {"system", "And kind."}, {"user", "There"},
    };
    json_t *stop = json_string("END"), *temperature = json_real(0.5);
    const struct openai_options o = {.stream = true, .stop = stop, .temperature = temperature};
    const struct wire_tail capped = {.cap = 7, .max_tokens = 7}, open = {.max_tokens = 4096}, none = {.cap = 1, .max_tokens = 1, .no_answer = true};
    struct sb out = sb_make(4096);

    anthropic_request(&out, "m", turns, 5, &o);
    anthropic_close(&out, &capped);
    ck_assert_str_eq(sb_str(&out), "{\"system\":\"Be \\\"brief\\\".\\n\\nAnd kind.\",\"messages\":[{\"role\":\"user\",\"content\":\"Hi\"},{\"role\":\"user\",\"content\":\"There\"}],"
                                   "\"model\":\"m\",\"temperature\":0.5,\"stop_sequences\":[\"END\"],\"stream\":true,\"max_tokens\":7}");
    sb_reset(&out);
    anthropic_close(&out, &open);
    anthropic_close(&out, &none);
    ck_assert_str_eq(sb_str(&out), ",\"max_tokens\":4096},\"max_tokens\":0}");
    sb_done(&out);
    json_decref(stop);
    json_decref(temperature);
}
END_TEST

static struct span span(const char *s)
{
    return (struct span){s, strlen(s)};
}

/* What is written is read again. */
START_TEST(an_answer_in_parts_is_a_stream_that_reads_the_same)
{
    const struct wire_writer *w = &anthropic_writer;
    struct wire_call c = {.request_id = "req_1", .id = "", .model = "m\"", .prompt_tokens = 9};
    const struct usage_tokens u = {.prompt = 20, .cached = 5, .cache_write = 2, .cache_write_1h = 1, .completion = 8, .reasoning = 3};
    const struct wire_piece one = {.index = 0, .id = span("call_1"), .name = span("f"), .arguments = span("")},
                            more = {.index = 0, .arguments = span("{}")}, two = {.index = 1, .id = span("call_2"), .name = span("g")};
    struct sb out = sb_make(65536);
    struct heard h = heard_make();
    int events = 0;

    w->reasoning(&out, &c, "hm", 2);
    w->text(&out, &c, "Hi", 2);
    w->text(&out, &c, " you", 4);
    w->call(&out, &c, &one);
    w->call(&out, &c, &more);
    w->call(&out, &c, &two);
    w->finish(&out, &c, "tool_calls", &u);
    sb_puts(&out, w->end);
    for (char *at = strstr(sb_str(&out), "\ndata: "); at; at = strstr(at, "\ndata: "), events++) {
        char *data = at + 7, *end = strchr(data, '\n');
        struct scan s = scan_make(data, (size_t)(end - data));
        struct span name, type = {"", 0};

        *end = '\0';
        ck_assert_int_eq(hear(&h, data), WEIR_OK);
        (void)scan_object(&s);
        (void)scan_member(&s, &name);
        ck_assert(scan_string(&s, &type));
        while (at > out.p && at[-1] != '\n')
            at--;
        ck_assert_msg(strncmp(at, "event: ", 7) == 0 && strncmp(at + 7, type.p, type.n) == 0, "%s", at);
        at = end + 1;
    }
    ck_assert_str_eq(sb_str(&h.said), "r:hm t:Hi t: you c0:call_1/f/ c0://{} c1:call_2/g/ c1://{} ");
    ck_assert_int_eq(events, 1 + 4 * 2 + 4 + 1 + 1);
    ck_assert(h.r.done && h.r.block == 0);
    ck_assert_str_eq(h.r.id, "msg_req_1");
    assert_usage(&h.r, 20, 5, 2, 1, 8);
    sb_done(&out);
    sb_done(&h.said);
}
END_TEST

START_TEST(a_providers_stream_that_is_cut_is_closed_where_it_stood)
{
    struct wire_call c = {.request_id = "req_1", .id = "", .model = "m", .note = {.passed = true, .block = 1, .index = 3}};
    const struct usage_tokens u = {.prompt = 1, .completion = 2};
    struct sb out = sb_make(4096);

    anthropic_writer.finish(&out, &c, "budget", &u);
    ck_assert_ptr_eq(strstr(sb_str(&out), "event: content_block_stop\ndata: {\"type\":\"content_block_stop\",\"index\":3}\n\nevent: message_delta\n"), sb_str(&out));
    ck_assert_ptr_nonnull(strstr(sb_str(&out), "\"stop_reason\":\"max_tokens\""));
    sb_done(&out);
}
END_TEST

START_TEST(a_whole_answer_is_a_message_whatever_its_calls_are_called_with)
{
    const struct wire_tool calls[] = {{span("c1"), span("f"), span("{\\\"x\\\":[1]}")}, {span("c2"), span("g"), span("{broken")}, {span("c3"), span("h"), span("")}};
    const struct usage_tokens u = {.prompt = 3, .completion = 2};
    const struct wire_answer a = {.text = span("Hi"), .reasoning = span("hm"), .calls = calls, .call_count = 3, .finish = "content_filter", .usage = &u};
    const struct wire_call c = {.request_id = "req_1", .id = "", .model = "m"};
    struct sb out = sb_make(4096);
    json_t *o, *content;

    anthropic_writer.whole(&out, &c, &a);
    o = json_loads(sb_str(&out), 0, NULL);
    content = json_object_get(o, "content");
    ck_assert_uint_eq(json_array_size(content), 5);
    ck_assert_int_eq(json_integer_value(json_array_get(json_object_get(json_object_get(json_array_get(content, 2), "input"), "x"), 0)), 1);
    ck_assert_str_eq(json_string_value(json_object_get(json_object_get(json_array_get(content, 3), "input"), "text")), "{broken");
    ck_assert_uint_eq(json_object_size(json_object_get(json_array_get(content, 4), "input")), 0);
    ck_assert_str_eq(json_string_value(json_object_get(o, "stop_reason")), "refusal");
    json_decref(o);
    sb_done(&out);
}
END_TEST

START_TEST(refusals_and_limits_are_told_in_anthropics_words)
{
    const struct err_detail d = {.request_id = "req_1", .retry_after_ms = 1500, .extra = ",\"budget\":{\"id\":\"b\"}"};
    const struct wire_limit l = {"input-tokens", 40000, 39000, 1500000};
    struct sb out = sb_make(4096);

    anthropic_writer.error(&out, WEIR_E_RATE_LIMITED, &d);
    ck_assert_str_eq(sb_str(&out), "{\"type\":\"error\",\"error\":{\"type\":\"rate_limit_error\",\"message\":\"You have reached your own limit. Try again a little later.\","
                                   "\"details\":{\"error_code\":\"rate_limited\"},\"param\":null,\"retry_after_ms\":1500,\"budget\":{\"id\":\"b\"}},\"request_id\":\"req_1\"}");
    sb_reset(&out);
    anthropic_writer.limit(&out, &l, INT64_C(1763792400000));
    ck_assert_str_eq(sb_str(&out), "anthropic-ratelimit-input-tokens-limit: 40000\r\nanthropic-ratelimit-input-tokens-remaining: 39000\r\n"
                                   "anthropic-ratelimit-input-tokens-reset: 2025-11-22T06:20:01.500Z\r\n");
    sb_done(&out);
}
END_TEST

UNIT_MAIN("anthropic", a_stream_is_blocks_a_reason_usage_and_a_stop, a_whole_answer_says_the_same_at_once, counts_that_are_none_were_not_said,
          what_is_not_json_or_no_object_is_invalid, refusals_mean_what_they_mean, a_body_has_its_system_apart_and_always_a_cap,
          an_answer_in_parts_is_a_stream_that_reads_the_same, a_providers_stream_that_is_cut_is_closed_where_it_stood,
          a_whole_answer_is_a_message_whatever_its_calls_are_called_with, refusals_and_limits_are_told_in_anthropics_words)
