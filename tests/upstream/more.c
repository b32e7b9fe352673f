/* more.c - see more.h. */
#include "more.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/json.h"
#include "call.h"
#include "judge.h"

enum { BODY_MAX = 16 << 20, CACHED = 4, WRITTEN = 2, REASONING = 3 };

static void send_all(struct conn *c, struct call_log *log, const char *type, const struct sb *body, int64_t now_us)
{
    struct sb *out = net_out(c);

    judge_status(log, 200);
    judge_end(log->seq, CALL_DONE, now_us);
    sb_putf(out, "HTTP/1.1 200 OK\r\nContent-Type: %s\r\nx-request-id: req_standin%" PRId64 "\r\nContent-Length: %zu\r\n\r\n", type,
            log->seq, body->len);
    sb_put(out, sb_str(body), body->len);
    net_answered(c, CONN_GOES_ON);
}

/* --- embeddings --- */

static void embedding(struct sb *b, size_t i, bool base64)
{
    sb_putf(b, "%s{\"object\":\"embedding\",\"index\":%zu,\"embedding\":%s}", i ? "," : "", i,
            base64 ? "\"AACAPwAAAEAAAEBA\"" : "[1.0,2.0,3.0]");
}

static void embeddings(struct conn *c, struct call_log *log, const json_t *o, int64_t now_us)
{
    const json_t *input = json_object_get(o, "input");
    size_t n = json_is_array(input) ? json_array_size(input) : 1;
    bool base64 = strcmp(json_str(o, "encoding_format", ""), "base64") == 0;
    struct sb b = sb_make(BODY_MAX);
    int64_t tokens = 0;

    sb_puts(&b, "{\"object\":\"list\",\"data\":[");
    for (size_t i = 0; i < n; i++) {
        const char *text = json_string_value(json_is_array(input) ? json_array_get(input, i) : input);

        tokens += text ? call_count_tokens(text, strlen(text)) : 1;
        embedding(&b, i, base64);
    }
    sb_puts(&b, "],\"model\":");
    sb_json(&b, log->model);
    sb_putf(&b, ",\"usage\":{\"prompt_tokens\":%" PRId64 ",\"total_tokens\":%" PRId64 "}}\n", tokens, tokens);
    judge_bill(log->seq, tokens, 0);
    send_all(c, log, "application/json", &b, now_us);
    sb_done(&b);
}

/* --- Responses --- */

struct response {
    const char *text, *tool;         /* tool NULL: it answers */
    int64_t in, out;
    const char *status;
};

static void put_response(struct sb *b, const struct call_log *log, const struct response *r, bool ended)
{
    sb_putf(b, "{\"id\":\"resp_w%" PRId64 "\",\"object\":\"response\",\"created_at\":1795000000,\"model\":", log->seq);
    sb_json(b, log->model);
    sb_putf(b, ",\"status\":\"%s\",\"error\":%s,\"incomplete_details\":%s,\"output\":[", ended ? r->status : "in_progress",
            ended && strcmp(r->status, "failed") == 0 ? "{\"code\":\"server_error\",\"message\":\"The model failed.\"}" : "null",
            ended && strcmp(r->status, "incomplete") == 0 ? "{\"reason\":\"max_output_tokens\"}" : "null");
    if (ended && r->tool) {
        sb_puts(b, "{\"type\":\"function_call\",\"id\":\"fc_1\",\"call_id\":\"call_1\",\"status\":\"completed\",\"name\":");
        sb_json(b, r->tool);
        sb_puts(b, ",\"arguments\":\"{\\\"city\\\":\\\"Bern\\\"}\"}");
    } else if (ended) {
        sb_puts(b, "{\"type\":\"message\",\"id\":\"msg_1\",\"status\":\"completed\",\"role\":\"assistant\",\"content\":[{\"type\":\"output_text\",\"annotations\":[],\"text\":");
        sb_json(b, r->text);
        sb_puts(b, "}]}");
    }
    sb_puts(b, "],\"parallel_tool_calls\":true,\"tool_choice\":\"auto\",\"tools\":[],\"usage\":");
    if (ended)
        sb_putf(b, "{\"input_tokens\":%" PRId64 ",\"input_tokens_details\":{\"cached_tokens\":%d,\"cache_write_tokens\":%d},\"output_tokens\":%" PRId64
                ",\"output_tokens_details\":{\"reasoning_tokens\":%d},\"total_tokens\":%" PRId64 "}",
                r->in, CACHED, WRITTEN, r->out, REASONING, r->in + r->out);
    else
        sb_puts(b, "null");
    sb_putc(b, '}');
}

static void event(struct sb *b, const char *type, int *n, const char *members)
{
    sb_putf(b, "event: %s\ndata: {\"type\":\"%s\",\"sequence_number\":%d%s}\n\n", type, type, (*n)++, members);
}

static void put_events(struct sb *b, const struct call_log *log, const struct response *r)
{
    struct sb part = sb_make(BODY_MAX);
    char type[48];
    int n = 0;

    sb_puts(&part, ",\"response\":");
    put_response(&part, log, r, false);
    event(b, "response.created", &n, sb_str(&part));
    if (r->tool) {
        sb_reset(&part);
        sb_puts(&part, ",\"output_index\":0,\"item\":{\"type\":\"function_call\",\"id\":\"fc_1\",\"call_id\":\"call_1\",\"arguments\":\"\",\"name\":");
        sb_json(&part, r->tool);
        sb_puts(&part, "}");
        event(b, "response.output_item.added", &n, sb_str(&part));
        event(b, "response.function_call_arguments.delta", &n, ",\"item_id\":\"fc_1\",\"output_index\":0,\"delta\":\"{\\\"city\\\":\\\"Bern\\\"}\"");
        event(b, "response.function_call_arguments.done", &n, ",\"item_id\":\"fc_1\",\"output_index\":0,\"arguments\":\"{\\\"city\\\":\\\"Bern\\\"}\"");
        sb_reset(&part);
        sb_puts(&part, ",\"output_index\":0,\"item\":{\"type\":\"function_call\",\"id\":\"fc_1\",\"call_id\":\"call_1\",\"status\":\"completed\",\"arguments\":\"{\\\"city\\\":\\\"Bern\\\"}\",\"name\":");
        sb_json(&part, r->tool);
        sb_puts(&part, "}");
        event(b, "response.output_item.done", &n, sb_str(&part));
    } else {
        event(b, "response.output_item.added", &n, ",\"output_index\":0,\"item\":{\"type\":\"message\",\"id\":\"msg_1\",\"status\":\"in_progress\",\"role\":\"assistant\",\"content\":[]}");
        event(b, "response.content_part.added", &n, ",\"item_id\":\"msg_1\",\"output_index\":0,\"content_index\":0,\"part\":{\"type\":\"output_text\",\"text\":\"\",\"annotations\":[]}");
        for (const char *at = r->text; *at;) {
            size_t len = strcspn(at, " ") + (at[strcspn(at, " ")] == ' ');

            sb_reset(&part);
            sb_puts(&part, ",\"item_id\":\"msg_1\",\"output_index\":0,\"content_index\":0,\"delta\":");
            sb_json_n(&part, at, len);
            event(b, "response.output_text.delta", &n, sb_str(&part));
            at += len;
        }
        event(b, "response.output_item.done", &n, ",\"output_index\":0,\"item\":{\"type\":\"message\",\"id\":\"msg_1\",\"status\":\"completed\",\"role\":\"assistant\",\"content\":[]}");
    }
    sb_reset(&part);
    sb_puts(&part, ",\"response\":");
    put_response(&part, log, r, true);
    (void)snprintf(type, sizeof type, "response.%s", r->status);
    event(b, type, &n, sb_str(&part));
    sb_done(&part);
}

/* A stream that takes its time, as a plan says: the words come one by one, and are not said again at the end. */
static void say_event(struct call *k, struct sb *b, const char *type, const char *members)
{
    int n = k->block + 1;            /* the events so far */

    event(b, type, &n, members);
    k->block = n - 1;
}

static bool paced_response(struct call *k, struct sb *b, const char *type, bool ended)
{
    struct call_log log = {.seq = k->seq};
    struct response r = {.text = "", .in = k->prompt_tokens, .out = REASONING + k->sent, .status = "completed"};
    struct sb part = sb_make(BODY_MAX);

    (void)snprintf(log.model, sizeof log.model, "%.63s", k->model);
    sb_puts(&part, ",\"response\":");
    put_response(&part, &log, &r, ended);
    say_event(k, b, type, sb_str(&part));
    sb_done(&part);
    return call_put(k, b->p, b->len);
}

static bool paced_open(struct call *k, struct sb *b)
{
    sb_reset(b);
    if (!paced_response(k, b, "response.created", false))
        return false;
    sb_reset(b);
    say_event(k, b, "response.output_item.added", ",\"output_index\":0,\"item\":{\"type\":\"message\",\"id\":\"msg_1\",\"status\":\"in_progress\",\"role\":\"assistant\",\"content\":[]}");
    say_event(k, b, "response.content_part.added", ",\"item_id\":\"msg_1\",\"output_index\":0,\"content_index\":0,\"part\":{\"type\":\"output_text\",\"text\":\"\",\"annotations\":[]}");
    return call_put(k, b->p, b->len);
}

static bool paced_token(struct call *k, struct sb *b)
{
    struct sb part = sb_make(BODY_MAX);

    sb_puts(&part, ",\"item_id\":\"msg_1\",\"output_index\":0,\"content_index\":0,\"delta\":\"");
    call_next_text(k, &part);
    sb_putc(&part, '"');
    sb_reset(b);
    say_event(k, b, "response.output_text.delta", sb_str(&part));
    sb_done(&part);
    return call_put(k, b->p, b->len);
}

static bool paced_end(struct call *k, struct sb *b)
{
    sb_reset(b);
    return paced_response(k, b, "response.completed", true);
}

static bool paced_error(struct call *k, struct sb *b)
{
    sb_reset(b);
    say_event(k, b, "error", ",\"code\":\"server_error\",\"message\":\"The model failed.\",\"param\":null");
    return call_put(k, b->p, b->len);
}

/* The plans of a stream alone come here. */
static const struct dialect paced = {.open = paced_open, .token = paced_token, .tool = paced_error, .end = paced_end, .error = paced_error,
                                     .broken = paced_error, .endless = paced_error};

static bool is_paced(const struct call_log *log, const char *text, struct plan *plan)
{
    bool named = text[0] == '#' ? plan_parse(text + 1, strcspn(text + 1, " "), plan) : plan_parse(log->model, strlen(log->model), plan);

    return log->stream && named && plan->status == 200 && (plan->first_us || plan->gap_us || plan->event_status || plan->hang_after >= 0);
}

/* The input's last text: it is a string, or a list of items with contents like Chat Completions'. */
static const char *input_text(const json_t *o)
{
    const json_t *input = json_object_get(o, "input"), *content;

    if (json_is_string(input))
        return json_string_value(input);
    content = json_object_get(json_array_get(input, json_array_size(input) - 1), "content");
    if (json_is_array(content))
        return json_str(json_array_get(content, 0), "text", "");
    return json_is_string(content) ? json_string_value(content) : "";
}

static void responses(struct conn *c, struct call_log *log, const json_t *o, int64_t now_us)
{
    const json_t *tool = json_array_get(json_object_get(o, "tools"), 0);
    struct response r = {.text = input_text(o), .tool = json_str(tool, "name", NULL), .status = "completed"};
    struct sb b = sb_make(BODY_MAX);
    struct plan plan;

    (void)snprintf(log->tag, sizeof log->tag, "%.63s", r.text);
    log->stream = json_is_true(json_object_get(o, "stream"));
    if (strstr(r.text, "#fail"))
        r.status = "failed";
    if (strstr(r.text, "#long"))
        r.status = "incomplete";
    r.in = 10 + call_count_tokens(r.text, strlen(r.text));
    if (is_paced(log, r.text, &plan)) {
        judge_status(log, 200);
        call_begin(c, &paced, &plan, log->seq, log->model, true, false, r.in, json_int(o, "max_output_tokens", 0), r.text, strlen(r.text), "", now_us);
        return;
    }
    r.out = REASONING + (r.tool ? 8 : call_count_tokens(r.text, strlen(r.text)));
    judge_bill(log->seq, r.in, r.out);
    if (log->stream)
        put_events(&b, log, &r);
    else
        put_response(&b, log, &r, true);
    send_all(c, log, log->stream ? "text/event-stream; charset=utf-8" : "application/json", &b, now_us);
    sb_done(&b);
}

bool more_request(struct conn *c, const struct request *r, int64_t now_us)
{
    bool is_response = strcmp(r->path, "/v1/responses") == 0;
    struct call_log *log;
    char why[160];
    json_t *o = NULL;

    if (strcmp(r->method, "POST") != 0 || (!is_response && strcmp(r->path, "/v1/embeddings") != 0) ||
        json_parse_object(r->body, r->body_len, &json_limits_compat, &o, why))
        return false;
    log = judge_call(r, now_us);
    (void)snprintf(log->model, sizeof log->model, "%.63s", json_str(o, "model", ""));
    (void)snprintf(log->tag, sizeof log->tag, "%.63s", r->path);
    if (is_response)
        responses(c, log, o, now_us);
    else
        embeddings(c, log, o, now_us);
    json_decref(o);
    return true;
}

bool more_is_azure(const struct request *r)
{
    static const char begin[] = "/openai/deployments/", end[] = "/chat/completions";
    size_t n = strlen(r->path);

    return n > sizeof begin + sizeof end && strncmp(r->path, begin, sizeof begin - 1) == 0 &&
           strcmp(r->path + n - (sizeof end - 1), end) == 0 && memmem(r->head, r->head_len, "?api-version=", 13) &&
           memmem(r->head, r->head_len, "\r\napi-key: ", 11) && !r->auth[0];
}
