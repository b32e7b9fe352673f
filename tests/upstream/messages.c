/* messages.c - see messages.h. */
#include "messages.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/json.h"
#include "call.h"
#include "judge.h"

/* --- requests --- */

bool messages_is_count(const struct request *r)
{
    return strcmp(r->path, "/v1/messages/count_tokens") == 0;
}

bool messages_is(const struct request *r)
{
    return strcmp(r->method, "POST") == 0 && (strcmp(r->path, "/v1/messages") == 0 || messages_is_count(r));
}

bool messages_has_key(const struct request *r, const char *key)
{
    return strcmp(r->api_key[0] ? r->api_key : strncmp(r->auth, "Bearer ", 7) == 0 ? r->auth + 7 : "", key) == 0;
}

/* Tokens of a content: a string, or the texts of its blocks. *text: the first of them. */
static int64_t count_content(const json_t *content, const char **text)
{
    int64_t tokens = 0;

    *text = json_is_string(content) ? json_string_value(content) : "";
    if (json_is_string(content))
        return call_count_tokens(*text, strlen(*text));
    for (size_t i = 0; i < json_array_size(content); i++) {
        const char *part = json_str(json_array_get(content, i), "text", NULL);

        if (!part)
            continue;
        *text = **text ? *text : part;
        tokens += call_count_tokens(part, strlen(part));
    }
    return tokens;
}

const char *messages_read(const json_t *o, const struct request *r, struct ask *a)
{
    static const char *const sampling[] = {"temperature", "top_p", "top_k"};
    static char sentence[64];
    const json_t *messages = json_object_get(o, "messages"), *m;
    const char *text, *version = r->version;
    size_t i;

    if (strcmp(version, "2023-06-01") != 0 && strcmp(version, "2026-10-21") != 0)
        return *version ? "anthropic-version: unknown version." : "anthropic-version: header is required.";
    a->model = json_str(o, "model", NULL);
    a->message = "";
    if (!a->model)
        return "model: Field required";
    if (!json_is_integer(json_object_get(o, "max_tokens")) && !messages_is_count(r))
        return "max_tokens: Field required";
    if (json_object_get(o, "max_tokens") && messages_is_count(r))
        return "max_tokens: Extra inputs are not permitted";
    if (!json_array_size(messages))
        return "messages: at least one message is required";
    for (i = 0; i < sizeof sampling / sizeof *sampling; i++)
        if (json_object_get(o, sampling[i]) && strcmp(version, "2026-10-21") == 0) {
            (void)snprintf(sentence, sizeof sentence, "%s: Extra inputs are not permitted", sampling[i]);
            return sentence;
        }
    if (json_object_get(o, "stream_options") || json_object_get(o, "max_completion_tokens"))
        return "stream_options: Extra inputs are not permitted";
    a->prompt_tokens = 3 + count_content(json_object_get(o, "system"), &text);
    json_array_foreach(messages, i, m) {
        const char *role = json_str(m, "role", "");

        if (strcmp(role, "user") != 0 && strcmp(role, "assistant") != 0)
            return "messages: Unexpected role. The Messages API accepts a top-level `system` parameter.";
        a->prompt_tokens += 4 + count_content(json_object_get(m, "content"), &text);
        if (strcmp(role, "user") == 0)
            a->message = text;
    }
    a->message_len = strlen(a->message);
    a->stream = json_is_true(json_object_get(o, "stream"));
    a->max_tokens = json_int(o, "max_tokens", 0);
    return NULL;
}

/* --- refusals --- */

static const char *type_of(int status)
{
    static const struct {
        int status;
        const char *type;
    } types[] = {
        {401, "authentication_error"}, {402, "billing_error"}, {403, "permission_error"}, {404, "not_found_error"},
        {409, "conflict_error"}, {413, "request_too_large"}, {429, "rate_limit_error"}, {500, "api_error"}, {502, "api_error"}, {503, "api_error"},
        {504, "timeout_error"}, {529, "overloaded_error"},
    };

    for (size_t i = 0; i < sizeof types / sizeof *types; i++)
        if (types[i].status == status)
            return types[i].type;
    return "invalid_request_error";
}

void messages_error(struct sb *b, int status, bool quota, const char *message, int64_t seq)
{
    sb_putf(b, "{\"type\":\"error\",\"error\":{\"type\":\"%s\",\"message\":", type_of(status));
    sb_json(b, message);
    if (quota)
        sb_puts(b, ",\"details\":{\"error_code\":\"enforced_spend_limit_reached\"}");
    sb_putf(b, "},\"request_id\":\"req_standin%" PRId64 "\"}", seq);
}

void messages_models(struct sb *b)
{
    static const char *const names[] = {"claude-sonnet-4-6", "claude-opus-5-5", "claude-haiku-4-5", NULL};
    const char *const *lists[] = {names, plan_models};

    sb_puts(b, "{\"data\":[");
    for (size_t l = 0; l < 2; l++)
        for (size_t i = 0; lists[l][i]; i++)
            sb_putf(b, "%s{\"type\":\"model\",\"id\":\"%s\",\"display_name\":\"%s\",\"created_at\":\"2026-02-17T00:00:00Z\"}",
                    l + i ? "," : "", lists[l][i], lists[l][i]);
    sb_putf(b, "],\"has_more\":false,\"first_id\":\"%s\",\"last_id\":null}\n", names[0]);
}

/* --- answers --- */

static bool put(struct call *k, struct sb *b)
{
    return call_put(k, sb_str(b), b->len);
}

/* One event, its data after the type: ,"index":0… */
static void event(const struct call *k, struct sb *b, const char *type, const char *members)
{
    const char *nl = k->plan.odd == ODD_CRLF ? "\r\n" : "\n";

    if (k->plan.odd == ODD_CRLF)
        sb_puts(b, ": keep-alive\r\n\r\n");
    sb_putf(b, "event: %s%sdata: {\"type\":\"%s\"", type, nl, type);
    sb_puts(b, members);
    sb_putf(b, "}%s%s", nl, nl);
}

/* The members of usage on the side of input. Anthropic counts what its cache had or took beside `input_tokens`. */
static void put_input(const struct call *k, struct sb *b)
{
    const char *text, *half = k->plan.usage == USAGE_FRACTION ? ".5" : "";
    const struct plan *p = &k->plan;
    int64_t in, out;

    sb_puts(b, "\"input_tokens\":");
    if (call_usage(k, &in, &out, &text))
        sb_putf(b, "%" PRId64 "%s", in - p->cache_read - p->cache_5m - p->cache_1h, half);
    else
        sb_puts(b, text);
    sb_putf(b, ",\"cache_creation_input_tokens\":%" PRId64 ",\"cache_read_input_tokens\":%" PRId64
            ",\"cache_creation\":{\"ephemeral_5m_input_tokens\":%" PRId64 ",\"ephemeral_1h_input_tokens\":%" PRId64 "}",
            p->cache_5m + p->cache_1h, p->cache_read, p->cache_5m, p->cache_1h);
}

static void put_output(const struct call *k, struct sb *b)
{
    const char *text;
    int64_t in, out;

    sb_puts(b, "\"output_tokens\":");
    if (call_usage(k, &in, &out, &text))
        sb_putf(b, "%" PRId64 "%s", out, k->plan.usage == USAGE_FRACTION ? ".5" : "");
    else
        sb_puts(b, text);
    sb_putf(b, ",\"output_tokens_details\":{\"thinking_tokens\":%" PRId64 "},\"server_tool_use\":null,\"service_tier\":\"%s\"",
            k->plan.reasoning, *k->plan.tier ? k->plan.tier : "standard");
}

static const char *stop_reason(const struct call *k)
{
    if (strcmp(k->finish, "tool_calls") == 0)
        return "tool_use";
    return strcmp(k->finish, "length") == 0 ? "max_tokens" : strcmp(k->finish, "content_filter") == 0 ? "refusal" : "end_turn";
}

static void put_message(struct call *k, struct sb *b)
{
    sb_putf(b, "\"id\":\"msg_w%" PRId64 "\",\"type\":\"message\",\"role\":\"assistant\",\"model\":", k->seq);
    sb_json(b, k->model);
}

static bool put_open(struct call *k, struct sb *b)
{
    struct sb m = sb_make(4096);

    sb_puts(&m, ",\"message\":{");
    put_message(k, &m);
    sb_puts(&m, ",\"content\":[],\"stop_reason\":null,\"stop_sequence\":null");
    if (k->plan.usage != USAGE_MISSING) {
        sb_puts(&m, ",\"usage\":{");
        put_input(k, &m);
        sb_puts(&m, ",\"output_tokens\":1}");
    }
    sb_puts(&m, "}");
    sb_reset(b);
    event(k, b, "message_start", sb_str(&m));
    sb_done(&m);
    return put(k, b);
}

/* Close the block that is open, if there is one. */
static void close_block(struct call *k, struct sb *b)
{
    char members[160];

    if (k->block < 0)
        return;
    if (k->block == 0 && k->plan.reasoning) {
        (void)snprintf(members, sizeof members, ",\"index\":%d,\"delta\":{\"type\":\"signature_delta\",\"signature\":\"c3RhbmQtaW4=\"}", k->block);
        event(k, b, "content_block_delta", members);
    }
    (void)snprintf(members, sizeof members, ",\"index\":%d", k->block);
    event(k, b, "content_block_stop", members);
}

static void open_block(struct call *k, struct sb *b, const char *block)
{
    char members[160];

    close_block(k, b);
    k->block++;
    (void)snprintf(members, sizeof members, ",\"index\":%d,\"content_block\":{%s}", k->block, block);
    event(k, b, "content_block_start", members);
    if (k->block == 0)
        event(k, b, "ping", "");
}

static bool put_token(struct call *k, struct sb *b)
{
    bool thinks = k->sent < k->plan.reasoning;
    struct sb delta = sb_make(1 << 20);

    sb_reset(b);
    if (k->sent == 0 && thinks)
        open_block(k, b, "\"type\":\"thinking\",\"thinking\":\"\",\"signature\":\"\"");
    else if (k->sent == k->plan.reasoning)
        open_block(k, b, "\"type\":\"text\",\"text\":\"\"");
    sb_putf(&delta, ",\"index\":%d,\"delta\":{\"type\":\"%s\",\"%s\":\"", k->block, thinks ? "thinking_delta" : "text_delta",
            thinks ? "thinking" : "text");
    call_next_text(k, &delta);
    limit_take(&judge_output, 1, clock_mono_us());
    sb_puts(&delta, "\"}");
    event(k, b, "content_block_delta", sb_str(&delta));
    sb_done(&delta);
    return put(k, b);
}

static bool put_tool(struct call *k, struct sb *b)
{
    sb_reset(b);
    open_block(k, b, "\"type\":\"tool_use\",\"id\":\"toolu_a\",\"name\":\"f\",\"input\":{}");
    event(k, b, "content_block_delta", ",\"index\":0,\"delta\":{\"type\":\"input_json_delta\",\"partial_json\":\"\"}");
    event(k, b, "content_block_delta", ",\"index\":0,\"delta\":{\"type\":\"input_json_delta\",\"partial_json\":\"{\\\"x\\\"\"}");
    event(k, b, "content_block_delta", ",\"index\":0,\"delta\":{\"type\":\"input_json_delta\",\"partial_json\":\":1}\"}");
    return put(k, b);
}

/* The figures of message_delta are of the whole message, not more of it; USAGE_TWICE says input once more. */
static bool put_end(struct call *k, struct sb *b)
{
    struct sb m = sb_make(4096);

    sb_reset(b);
    close_block(k, b);
    sb_putf(&m, ",\"delta\":{\"stop_reason\":\"%s\",\"stop_sequence\":null}", stop_reason(k));
    if (k->plan.usage != USAGE_MISSING) {
        sb_puts(&m, ",\"usage\":{");
        if (k->plan.usage == USAGE_TWICE) {
            put_input(k, &m);
            sb_puts(&m, ",");
        }
        put_output(k, &m);
        sb_puts(&m, "}");
    }
    event(k, b, "message_delta", sb_str(&m));
    if (k->plan.odd != ODD_NO_DONE)
        event(k, b, "message_stop", "");
    sb_done(&m);
    return put(k, b);
}

static bool put_error(struct call *k, struct sb *b)
{
    int status = k->plan.event_status ? k->plan.event_status : 500;
    struct sb m = sb_make(1024);

    messages_error(&m, status, false, status == 529 ? "Overloaded" : "The answer broke off.", k->seq);
    sb_reset(b);
    sb_putf(b, "event: error\ndata: %s\n\n", sb_str(&m));
    sb_done(&m);
    return put(k, b);
}

static bool put_broken(struct call *k, struct sb *b)
{
    sb_reset(b);
    sb_puts(b, "event: content_block_delta\ndata: {\"type\":\"content_block_delta\",\"index\"\n\n");
    return put(k, b);
}

static bool put_endless(struct call *k, struct sb *b)
{
    sb_reset(b);
    sb_puts(b, "event: content_block_delta\ndata: {\"type\":\"content_block_delta\",\"index\":0,\"delta\":{\"type\":\"text_delta\",\"text\":\"");
    while (b->len < 2 << 20)
        sb_puts(b, "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa");
    return put(k, b);
}

static void put_whole(struct call *k, struct sb *b)
{
    sb_putc(b, '{');
    put_message(k, b);
    sb_puts(b, ",\"content\":[");
    if (k->plan.reasoning) {
        sb_puts(b, "{\"type\":\"thinking\",\"thinking\":\"");
        while (k->sent < k->plan.reasoning)
            call_next_text(k, b);
        sb_puts(b, "\",\"signature\":\"c3RhbmQtaW4=\"},");
    }
    if (k->plan.odd == ODD_TOOL) {
        sb_puts(b, "{\"type\":\"tool_use\",\"id\":\"toolu_a\",\"name\":\"f\",\"input\":{\"x\":1}}]");
        judge_bill(k->seq, 0, k->total);
        k->sent = k->total;
    } else {
        sb_puts(b, "{\"type\":\"text\",\"text\":\"");
        while (k->sent < k->total)
            call_next_text(k, b);
        sb_puts(b, "\"}]");
    }
    limit_take(&judge_output, k->sent, clock_mono_us());
    sb_putf(b, ",\"stop_reason\":\"%s\",\"stop_sequence\":null", stop_reason(k));
    if (k->plan.usage != USAGE_MISSING) {
        sb_puts(b, ",\"usage\":{");
        put_input(k, b);
        sb_putc(b, ',');
        put_output(k, b);
        sb_putc(b, '}');
    }
    sb_puts(b, "}\n");
}

const struct dialect call_anthropic = {
    .open = put_open, .token = put_token, .tool = put_tool, .end = put_end, .error = put_error, .broken = put_broken,
    .endless = put_endless, .whole = put_whole,
};
