/* call.c - the stand-in's answers: JSON at once, or SSE in its own time. */
#include "call.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/mem.h"
#include "judge.h"

/* Words that every tokenizer here counts as one token each, the space before them included. */
static const char *const words[] = {"the", "water", "runs", "over", "a", "low", "wall", "and", "is", "held", "back",
                                    "until", "there", "is", "room", "again"};
enum { WORDS = sizeof words / sizeof *words, BODY_MAX = 16 << 20 };

static bool is_space(char c)
{
    return c == ' ' || c == '\n' || c == '\t' || c == '\r';
}

/* The end of the token that begins at `at`. */
static size_t token_end(const char *s, size_t n, size_t at)
{
    while (at < n && is_space(s[at]))
        at++;
    while (at < n && !is_space(s[at]))
        at++;
    while (at < n && is_space(s[at]))
        at++;
    return at;
}

int64_t call_count_tokens(const char *s, size_t n)
{
    int64_t tokens = 0;

    for (size_t at = 0; at < n; at = token_end(s, n, at))
        tokens++;
    return tokens;
}

static void call_free(struct call *k)
{
    wheel_stop(&net_wheel, &k->timer);
    k->conn->call = NULL;
    free(k->echo);
    free(k->begin);
    free(k->model);
    sb_done(&k->drip);
    free(k);
}

void call_gone(struct call *k, int64_t now_us)
{
    judge_end(k->seq, CALL_ABORTED, now_us);
    call_free(k);
}

/* The answer ends here, well or not. */
static void call_end(struct call *k, enum call_end end, enum conn_end then)
{
    struct conn *c = k->conn;

    judge_end(k->seq, end, clock_mono_us());
    call_free(k);
    net_answered(c, then);
}

bool call_put(struct call *k, const char *p, size_t n)
{
    struct sb *out = net_out(k->conn);
    size_t fits = n;
    bool breaks = k->plan.brk != BREAK_NONE && k->body_sent + (int64_t)n >= k->plan.break_at;

    if (breaks)
        fits = (size_t)(k->plan.break_at - k->body_sent);
    k->body_sent += (int64_t)fits;
    if (k->stream && fits)
        sb_putf(out, "%zx\r\n", fits);
    sb_put(out, p, fits);
    if (k->stream && fits)
        sb_puts(out, "\r\n");
    if (!breaks)
        return true;
    if (k->plan.brk == BREAK_END && k->stream)
        sb_puts(out, "0\r\n\r\n");
    call_end(k, CALL_BROKEN, k->plan.brk == BREAK_RESET ? CONN_RESET : CONN_CLOSE);
    return false;
}

void call_next_text(struct call *k, struct sb *b)
{
    judge_bill(k->seq, 0, 1);
    switch (k->plan.text) {
    case TEXT_ECHO: {
        size_t n = strlen(k->echo), end = token_end(k->echo, n, k->echo_at);
        struct sb quoted = sb_make(BODY_MAX);

        sb_json_n(&quoted, k->echo + k->echo_at, end - k->echo_at);
        if (quoted.len > 2)
            sb_put(b, quoted.p + 1, quoted.len - 2);
        sb_done(&quoted);
        k->echo_at = end;
        break;
    }
    case TEXT_LOREM:
        if (k->sent && k->sent != k->plan.reasoning)
            sb_putc(b, ' ');
        sb_puts(b, words[k->sent % WORDS]);
        break;
    case TEXT_STAMP:
        sb_putf(b, "@%" PRId64 " ", clock_mono_us());
        break;
    }
    k->sent++;
}

bool call_usage(const struct call *k, int64_t *in, int64_t *out, const char **text)
{
    *in = k->prompt_tokens;
    *out = k->sent;
    switch (k->plan.usage) {
    case USAGE_MISSING: case USAGE_NULL: *text = "null"; return false;
    case USAGE_STRING: *text = "\"twelve\""; return false;
    case USAGE_NEGATIVE: *in = -*in; *out = -*out; break;
    case USAGE_HUGE: *in = *out = INT64_C(1000000000000000000); break;
    case USAGE_LESS: *out = 1; break;
    case USAGE_MORE: *out = 1000; break;
    case USAGE_RIGHT: case USAGE_TWICE: case USAGE_COST: case USAGE_FRACTION: break;
    }
    return true;
}

static void usage_json(struct sb *b, const struct call *k)
{
    const char *text;
    int64_t in, out;

    if (!call_usage(k, &in, &out, &text)) {
        sb_puts(b, text);
        return;
    }
    if (k->plan.usage == USAGE_FRACTION) {
        sb_putf(b, "{\"prompt_tokens\":%" PRId64 ".5,\"completion_tokens\":%" PRId64 ".5}", in, out);
        return;
    }
    sb_putf(b, "{\"prompt_tokens\":%" PRId64 ",\"completion_tokens\":%" PRId64 ",\"total_tokens\":%" PRId64
            ",\"prompt_tokens_details\":{\"cached_tokens\":%" PRId64 ",\"cache_write_tokens\":%" PRId64
            ",\"audio_tokens\":0},\"completion_tokens_details\":"
            "{\"reasoning_tokens\":%" PRId64 ",\"audio_tokens\":0,\"accepted_prediction_tokens\":0,"
            "\"rejected_prediction_tokens\":0}%s}",
            in, out, in + out, k->plan.cache_read, k->plan.cache_5m + k->plan.cache_1h, k->plan.reasoning,
            k->plan.usage == USAGE_COST ? ",\"cost\":1.23456789012e-3,\"is_byok\":false" : "");
}

/* --- OpenAI's words --- */

/* One event of the stream: delta as JSON, finish as JSON. `b` is scratch. */
static bool put_event(struct call *k, struct sb *b, const char *delta, const char *finish)
{
    sb_reset(b);
    if (k->plan.odd == ODD_CRLF)
        sb_puts(b, ": keep-alive\r\n\r\n");
    sb_put(b, k->begin, k->begin_len);
    sb_putf(b, "%s,\"logprobs\":null,\"finish_reason\":%s}]%s}", delta, finish,
            k->include_usage && k->plan.usage != USAGE_MISSING ? ",\"usage\":null" : "");
    sb_puts(b, k->plan.odd == ODD_CRLF ? "\r\n\r\n" : "\n\n");
    return call_put(k, b->p, b->len);
}

/* The event of the next token. */
static bool put_token(struct call *k, struct sb *b)
{
    struct sb delta = sb_make(BODY_MAX);
    bool on;

    sb_puts(&delta, k->sent < k->plan.reasoning ? "{\"reasoning_content\":\"" : "{\"content\":\"");
    call_next_text(k, &delta);
    sb_puts(&delta, "\"}");
    on = put_event(k, b, sb_str(&delta), "null");
    sb_done(&delta);
    return on;
}

static bool put_open(struct call *k, struct sb *b)
{
    struct sb begin = sb_make(4096);

    sb_putf(&begin, "data: {\"id\":\"chatcmpl-w%" PRId64 "\",\"object\":\"chat.completion.chunk\",\"created\":%" PRId64
            ",\"model\":", k->seq, clock_utc_ms() / 1000);
    sb_json(&begin, k->model);
    sb_putf(&begin, ",\"service_tier\":\"%s\",\"choices\":[{\"index\":0,\"delta\":", *k->plan.tier ? k->plan.tier : "default");
    k->begin_len = begin.len;
    k->begin = sb_take(&begin);
    return put_event(k, b, "{\"role\":\"assistant\",\"content\":\"\",\"refusal\":null}", "null");
}

/* finish_reason, usage, [DONE]. */
static bool put_end(struct call *k, struct sb *b)
{
    struct sb usage = sb_make(4096);
    char finish[32];
    bool on;

    (void)snprintf(finish, sizeof finish, "\"%s\"", k->finish);
    on = put_event(k, b, "{}", finish);
    usage_json(&usage, k);
    for (int i = k->plan.usage == USAGE_TWICE ? 0 : 1; on && i < 2 && k->include_usage && k->plan.usage != USAGE_MISSING;
         i++) {
        sb_reset(b);
        sb_put(b, k->begin, (size_t)(strstr(k->begin, "\"choices\":[") - k->begin) + 11);
        sb_putf(b, "],\"usage\":%s}\n\n", sb_str(&usage));
        on = call_put(k, b->p, b->len);
    }
    if (on && k->plan.odd != ODD_NO_DONE)
        on = call_put(k, "data: [DONE]\n\n", 14);
    sb_done(&usage);
    return on;
}

static bool put_tool(struct call *k, struct sb *b)
{
    static const char *const tool[] = {
        "{\"tool_calls\":[{\"index\":0,\"id\":\"call_a\",\"type\":\"function\",\"function\":{\"name\":\"f\",\"arguments\":\"\"}}]}",
        "{\"tool_calls\":[{\"index\":0,\"function\":{\"arguments\":\"{\\\"x\\\"\"}}]}",
        "{\"tool_calls\":[{\"index\":0,\"function\":{\"arguments\":\":1}\"}}]}",
    };

    return put_event(k, b, tool[0], "null") && put_event(k, b, tool[1], "null") && put_event(k, b, tool[2], "null");
}

static bool put_broken(struct call *k, struct sb *b)
{
    (void)b;
    return call_put(k, "data: {\"id\":\"chatcmpl-\",\"choices\":[{\"delta\"\n\n", 45);
}

static bool put_endless(struct call *k, struct sb *b)
{
    sb_reset(b);
    sb_put(b, k->begin, k->begin_len);
    sb_puts(b, "{\"content\":\"");
    while (b->len < 2 << 20)
        sb_puts(b, "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa");
    return call_put(k, b->p, b->len);
}

/* An error in mid-answer, as OpenAI words it; the status is in the words alone. */
static bool put_error(struct call *k, struct sb *b)
{
    static const struct {
        int status;
        const char *text;
    } errors[] = {
        {401, "\"message\":\"Incorrect API key provided.\",\"type\":\"invalid_request_error\",\"param\":null,\"code\":\"invalid_api_key\""},
        {402, "\"message\":\"You exceeded your current quota, please check your plan and billing details.\","
              "\"type\":\"insufficient_quota\",\"param\":null,\"code\":\"insufficient_quota\""},
        {429, "\"message\":\"Rate limit reached on tokens per min (TPM): Limit 90000, Used 60000, Requested 40000. Please try "
              "again in 1.2s.\",\"type\":\"tokens\",\"param\":null,\"code\":\"rate_limit_exceeded\""},
        {503, "\"message\":\"Slow down.\",\"type\":\"service_unavailable_error\",\"param\":null,\"code\":\"server_is_overloaded\""},
        {500, "\"message\":\"The server had an error while processing your request.\",\"type\":\"server_error\",\"param\":null,\"code\":null"},
    };
    size_t i = 0;

    while (i + 1 < sizeof errors / sizeof *errors && errors[i].status != k->plan.event_status)
        i++;
    sb_reset(b);
    sb_putf(b, "data: {\"error\":{%s}}\n\n", errors[i].text);
    return call_put(k, b->p, b->len);
}

/* --- in whatever words --- */

/* The last events, and the end. */
static void stream_close(struct call *k, struct sb *b)
{
    if (k->say->end(k, b)) {
        sb_puts(net_out(k->conn), "0\r\n\r\n");
        call_end(k, CALL_DONE, CONN_GOES_ON);
    }
}

static void stream_error(struct call *k, struct sb *b)
{
    if (k->say->error(k, b)) {
        sb_puts(net_out(k->conn), "0\r\n\r\n");
        call_end(k, CALL_BROKEN, CONN_GOES_ON);
    }
}

/* The faults that stand where the first token would. True: the call is gone. */
static bool stream_odd(struct call *k, struct sb *b)
{
    switch (k->plan.odd) {
    case ODD_TOOL:
        judge_bill(k->seq, 0, k->total);
        k->sent = k->total;
        return !k->say->tool(k, b);
    case ODD_JSON:
        if (k->say->broken(k, b))
            stream_close(k, b);
        return true;
    case ODD_MID_ERROR:
        for (int i = 0; i < 3; i++)
            if (!k->say->token(k, b))
                return true;
        stream_error(k, b);
        return true;
    case ODD_HUGE_LINE:
        return !k->say->endless(k, b);
    default:
        return false;
    }
}

static void drip(struct call *k, int64_t now_us)
{
    size_t left = k->drip.len - k->drip_at, n = left < 7 ? left : 7;

    sb_put(net_out(k->conn), k->drip.p + k->drip_at, n);
    k->drip_at += n;
    if (k->drip_at == k->drip.len)
        call_end(k, CALL_DONE, CONN_GOES_ON);
    else {
        wheel_start(&net_wheel, &k->timer, now_us + 1000);
        net_flush(k->conn);
    }
}

/* Send what is due of the stream, then sleep or close. */
static void stream_on(struct call *k, int64_t now_us)
{
    struct conn *c = k->conn;
    struct sb b = sb_make(BODY_MAX);
    struct call_log *log = judge_find(k->seq);
    bool on = true;

    if (k->drip.len) {
        drip(k, now_us);
        return;
    }
    if (k->body_sent == 0) {
        if (log)
            log->first_us = now_us;
        on = k->say->open(k, &b) && !stream_odd(k, &b);
    }
    while (on && k->sent < k->total) {
        if (k->plan.hang_after >= 0 && k->sent >= k->plan.hang_after) {
            net_flush(c);
            on = false;
            break;
        }
        if (k->plan.event_status && k->sent >= k->plan.event_after) {
            stream_error(k, &b);
            on = false;
            break;
        }
        on = k->say->token(k, &b);
        if (on && k->plan.gap_us && k->sent < k->total) {
            int64_t due = k->timer.at_us + k->plan.gap_us;

            wheel_start(&net_wheel, &k->timer, due > now_us ? due : now_us + k->plan.gap_us);
            net_flush(c);
            on = false;
        }
    }
    if (on)
        stream_close(k, &b);
    sb_done(&b);
}

static void put_whole(struct call *k, struct sb *b)
{
    sb_putf(b, "{\"id\":\"chatcmpl-w%" PRId64 "\",\"object\":\"chat.completion\",\"created\":%" PRId64 ",\"model\":",
            k->seq, clock_utc_ms() / 1000);
    sb_json(b, k->model);
    sb_puts(b, ",\"choices\":[{\"index\":0,\"message\":{\"role\":\"assistant\",");
    if (k->plan.reasoning) {
        sb_puts(b, "\"reasoning_content\":\"");
        while (k->sent < k->plan.reasoning)
            call_next_text(k, b);
        sb_puts(b, "\",");
    }
    if (k->plan.odd == ODD_TOOL) {
        sb_puts(b, "\"content\":null,\"tool_calls\":[{\"id\":\"call_a\",\"type\":\"function\",\"function\":"
                   "{\"name\":\"f\",\"arguments\":\"{\\\"x\\\":1}\"}}]");
        judge_bill(k->seq, 0, k->total);
        k->sent = k->total;
    } else {
        sb_puts(b, "\"content\":\"");
        while (k->sent < k->total)
            call_next_text(k, b);
        sb_puts(b, "\"");
    }
    sb_putf(b, ",\"refusal\":null,\"annotations\":[]},\"logprobs\":null,\"finish_reason\":\"%s\"}]", k->finish);
    if (k->plan.usage != USAGE_MISSING) {
        sb_puts(b, ",\"usage\":");
        usage_json(b, k);
    }
    sb_putf(b, ",\"service_tier\":\"%s\",\"system_fingerprint\":null}\n", *k->plan.tier ? k->plan.tier : "default");
}

const struct dialect call_openai = {
    .open = put_open, .token = put_token, .tool = put_tool, .end = put_end, .error = put_error, .broken = put_broken,
    .endless = put_endless, .whole = put_whole,
};

static void call_fire(struct timer *t, int64_t now_us)
{
    struct call *k = (struct call *)t;
    struct call_log *log = judge_find(k->seq);
    struct sb b = sb_make(BODY_MAX);

    if (k->stream) {
        stream_on(k, now_us);
        return;
    }
    if (k->plan.hang_after >= 0)
        return;
    if (log)
        log->first_us = now_us;
    k->say->whole(k, &b);
    if (k->plan.odd == ODD_JSON)
        b.len = b.len / 2;
    sb_putf(net_out(k->conn), "Content-Length: %zu\r\n\r\n", b.len);
    if (call_put(k, sb_str(&b), b.len))
        call_end(k, CALL_DONE, CONN_GOES_ON);
    sb_done(&b);
}

/* Make the whole stream now and let it trickle. */
static void drip_begin(struct call *k, int64_t now_us)
{
    struct sb b = sb_make(BODY_MAX), kept = *net_out(k->conn);

    *net_out(k->conn) = sb_make(BODY_MAX);
    (void)k->say->open(k, &b);
    while (k->sent < k->total)
        (void)k->say->token(k, &b);
    (void)k->say->end(k, &b);
    k->plan.odd = ODD_NONE;
    sb_puts(net_out(k->conn), "0\r\n\r\n");
    k->drip = *net_out(k->conn);
    *net_out(k->conn) = kept;
    sb_done(&b);
    wheel_start(&net_wheel, &k->timer, now_us);
    net_flush(k->conn);
}

void call_begin(struct conn *c, const struct dialect *say, const struct plan *plan, int64_t seq, const char *model, bool stream,
                bool include_usage, int64_t prompt_tokens, int64_t max_tokens, const char *message, size_t n,
                const char *headers, int64_t now_us)
{
    struct call *k = mem_zalloc(1, sizeof *k);
    int64_t visible = plan->text == TEXT_ECHO ? call_count_tokens(message, n) : plan->tokens;

    k->timer.fire = call_fire;
    k->timer.at_us = now_us;
    k->conn = c;
    k->say = say;
    k->block = -1;
    k->plan = *plan;
    k->seq = seq;
    k->stream = stream;
    k->include_usage = include_usage;
    k->prompt_tokens = prompt_tokens;
    k->total = plan->reasoning + visible;
    k->finish = plan->odd == ODD_TOOL ? "tool_calls" : plan->odd == ODD_FILTER ? "content_filter" : "stop";
    k->drip = sb_make(BODY_MAX);
    if (max_tokens > 0 && max_tokens < k->total && !plan->deaf) {
        k->total = max_tokens;
        k->finish = "length";
    }
    if (plan->text == TEXT_ECHO) {
        k->echo = mem_zalloc(n + 1, 1);
        memcpy(k->echo, message, n);
    }
    k->model = mem_strdup(model);
    c->call = k;
    judge_bill(seq, prompt_tokens, 0);
    sb_putf(net_out(c), "HTTP/1.1 200 OK\r\nContent-Type: %s\r\n%s",
            stream ? "text/event-stream; charset=utf-8" : "application/json", headers);
    if (stream)
        sb_puts(net_out(c), "Transfer-Encoding: chunked\r\n\r\n");
    if (stream && plan->odd == ODD_DRIP)
        drip_begin(k, now_us);
    else if (plan->hang_after == 0)
        sb_reset(net_out(c));           /* not even a status line */
    else if (plan->first_us || (!stream && plan->gap_us)) {
        wheel_start(&net_wheel, &k->timer, now_us + plan->first_us + (stream ? 0 : plan->gap_us * (k->total - 1)));
        if (stream)
            net_flush(c);
    } else
        call_fire(&k->timer, now_us);
}
