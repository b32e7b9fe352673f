/* judge.c - counters, a ring of the latest calls, and the control path. */
#include "judge.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/json.h"
#include "base/mem.h"

enum { JUDGE_LOG = 16384, JUDGE_TEXTS = 256, REPEATS = 65536 };

struct limit judge_requests, judge_tokens, judge_output;
enum spelling judge_spelling;

static struct {
    int64_t seq, base;            /* the latest call; the latest before the reset */
    int64_t in_flight, peak_in_flight, done, refused, aborted, broken, others;
    int64_t prompt_tokens, completion_tokens;
    int64_t by_status[600];
    int64_t last_abort_us;
    bool keep_texts;
    char *head[JUDGE_TEXTS], *body[JUDGE_TEXTS];     /* of the latest calls, by seq */
    struct call_log log[JUDGE_LOG];
    struct {
        uint64_t key;
        int n;
    } repeat[REPEATS];
} judge;

void judge_init(bool keep_texts)
{
    judge.keep_texts = keep_texts;
}

static void judge_reset(void)
{
    bool keep_texts = judge.keep_texts;
    int64_t in_flight = judge.in_flight, seq = judge.seq;

    for (int i = 0; i < JUDGE_TEXTS; i++) {
        free(judge.head[i]);
        free(judge.body[i]);
    }
    memset(&judge, 0, sizeof judge);
    judge.keep_texts = keep_texts;
    judge.seq = judge.base = seq;
    judge.in_flight = judge.peak_in_flight = in_flight;
}

static char *copy_text(const char *s, size_t n)
{
    char *p = mem_zalloc(n + 1, 1);

    memcpy(p, s, n);
    return p;
}

struct call_log *judge_call(const struct request *r, int64_t now_us)
{
    int64_t seq = ++judge.seq;
    struct call_log *log = &judge.log[seq % JUDGE_LOG];
    const char *key = r->api_key[0] ? r->api_key : r->auth;
    size_t n = strlen(key), skip = n >= sizeof log->auth ? n - sizeof log->auth + 1 : 0;

    memset(log, 0, sizeof *log);
    log->seq = seq;
    log->at_us = now_us;
    (void)snprintf(log->auth, sizeof log->auth, "%.23s", key + skip);
    (void)snprintf(log->client_id, sizeof log->client_id, "%.39s", r->client_id);
    if (++judge.in_flight > judge.peak_in_flight)
        judge.peak_in_flight = judge.in_flight;
    if (judge.keep_texts) {
        int64_t i = seq % JUDGE_TEXTS;

        free(judge.head[i]);
        free(judge.body[i]);
        judge.head[i] = copy_text(r->head, r->head_len);
        judge.body[i] = copy_text(r->body, r->body_len);
    }
    return log;
}

struct call_log *judge_find(int64_t seq)
{
    struct call_log *log = &judge.log[seq % JUDGE_LOG];

    return log->seq == seq ? log : NULL;
}

void judge_status(struct call_log *log, int status)
{
    log->status = status;
    judge.by_status[status % 600]++;
}

void judge_bill(int64_t seq, int64_t prompt_tokens, int64_t completion_tokens)
{
    struct call_log *log = judge_find(seq);

    judge.prompt_tokens += prompt_tokens;
    judge.completion_tokens += completion_tokens;
    if (log) {
        log->prompt_tokens += prompt_tokens;
        log->completion_tokens += completion_tokens;
    }
}

void judge_end(int64_t seq, enum call_end end, int64_t now_us)
{
    struct call_log *log = judge_find(seq);

    judge.in_flight--;
    judge.done += end == CALL_DONE;
    judge.refused += end == CALL_REFUSED;
    judge.aborted += end == CALL_ABORTED;
    judge.broken += end == CALL_BROKEN;
    if (end == CALL_ABORTED)
        judge.last_abort_us = now_us;
    if (log) {
        log->end = end;
        log->end_us = now_us;
    }
}

int judge_repeats(const char *model, const char *message, size_t n)
{
    uint64_t h = UINT64_C(14695981039346656037);

    for (; *model; model++)
        h = (h ^ (unsigned char)*model) * UINT64_C(1099511628211);
    for (size_t i = 0; i < n; i++)
        h = (h ^ (unsigned char)message[i]) * UINT64_C(1099511628211);
    for (size_t i = h % REPEATS, probes = 0; probes < REPEATS; i = (i + 1) % REPEATS, probes++) {
        if (judge.repeat[i].n && judge.repeat[i].key != h)
            continue;
        judge.repeat[i].key = h;
        return judge.repeat[i].n++;
    }
    return 0;
}

void judge_other(void)
{
    judge.others++;
}

static void log_json(struct sb *b, const struct call_log *log)
{
    static const char *const ends[] = {"runs", "done", "refused", "aborted", "broken"};

    sb_putf(b, "{\"seq\":%" PRId64 ",\"at_us\":%" PRId64 ",\"first_us\":%" PRId64 ",\"end_us\":%" PRId64
            ",\"end\":\"%s\",\"stream\":%s,\"include_usage\":%s,\"status\":%d,\"prompt_tokens\":%" PRId64
            ",\"completion_tokens\":%" PRId64 ",\"model\":",
            log->seq, log->at_us, log->first_us, log->end_us, ends[log->end], log->stream ? "true" : "false",
            log->include_usage ? "true" : "false", log->status, log->prompt_tokens, log->completion_tokens);
    sb_json(b, log->model);
    sb_puts(b, ",\"auth\":");
    sb_json(b, log->auth);
    sb_puts(b, ",\"client_id\":");
    sb_json(b, log->client_id);
    sb_puts(b, ",\"tag\":");
    sb_json(b, log->tag);
    if (judge.keep_texts && judge.seq - log->seq < JUDGE_TEXTS) {
        sb_puts(b, ",\"head\":");
        sb_json(b, judge.head[log->seq % JUDGE_TEXTS]);
        sb_puts(b, ",\"body\":");
        sb_json(b, judge.body[log->seq % JUDGE_TEXTS]);
    }
    sb_putc(b, '}');
}

/* `log` false: the figures alone. */
static void judge_json(struct sb *b, bool log, int64_t now_us)
{
    const char *comma = "";
    int64_t oldest = judge.seq - judge.base >= JUDGE_LOG ? judge.seq - JUDGE_LOG + 1 : judge.base + 1;

    sb_putf(b, "{\"now_us\":%" PRId64 ",\"now_utc_ms\":%" PRId64 ",\"calls\":%" PRId64 ",\"in_flight\":%" PRId64
            ",\"peak_in_flight\":%" PRId64 ",\"done\":%" PRId64 ",\"refused\":%" PRId64 ",\"aborted\":%" PRId64
            ",\"broken\":%" PRId64 ",\"other_requests\":%" PRId64 ",\"prompt_tokens\":%" PRId64
            ",\"completion_tokens\":%" PRId64 ",\"last_abort_us\":%" PRId64 ",\"connections\":%" PRId64
            ",\"open_connections\":%" PRId64 ",\"by_status\":{",
            now_us, clock_utc_ms(), judge.seq - judge.base, judge.in_flight, judge.peak_in_flight, judge.done, judge.refused,
            judge.aborted, judge.broken, judge.others, judge.prompt_tokens, judge.completion_tokens,
            judge.last_abort_us, net_counts.accepted, net_counts.open);
    for (int i = 0; i < 600; i++)
        if (judge.by_status[i]) {
            sb_putf(b, "%s\"%d\":%" PRId64, comma, i, judge.by_status[i]);
            comma = ",";
        }
    sb_puts(b, "},\"log\":[");
    comma = "";
    for (int64_t seq = oldest; log && seq <= judge.seq; seq++) {
        sb_puts(b, comma);
        log_json(b, &judge.log[seq % JUDGE_LOG]);
        comma = ",";
    }
    sb_puts(b, "]}\n");
}

static bool spelling_parse(const char *name, enum spelling *out)
{
    static const char *const names[] = {"openai", "project", "azure", "unknown", "anthropic", "none"};

    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (strcmp(name, names[i]) == 0) {
            *out = (enum spelling)i;
            return true;
        }
    return false;
}

/* {"requests":N,"tokens":N}: taken from the limits, and no call of ours. */
static bool judge_foreign(const struct request *r, int64_t now_us)
{
    char why[160];
    json_t *o;

    if (json_parse_object(r->body, r->body_len, &json_limits_own, &o, why))
        return false;
    limit_take(&judge_requests, json_int(o, "requests", 0), now_us);
    limit_take(&judge_tokens, json_int(o, "tokens", 0), now_us);
    json_decref(o);
    return true;
}

/* {"requests_per_minute":N,"tokens_per_minute":N,"output_tokens_per_minute":N,"window":"bucket|sliding|fixed","window_ms":60000,"headers":"openai|…"} */
static bool judge_limits(const struct request *r, int64_t now_us)
{
    char why[160];
    json_t *o;
    enum limit_kind kind = LIMIT_BUCKET;
    int64_t window_us;
    bool good;

    if (json_parse_object(r->body, r->body_len, &json_limits_own, &o, why))
        return false;
    window_us = json_int(o, "window_ms", 60000) * 1000;
    good = limit_kind_parse(json_str(o, "window", "bucket"), &kind) && window_us > 0 &&
           spelling_parse(json_str(o, "headers", "openai"), &judge_spelling);
    if (good) {
        limit_set(&judge_requests, kind, json_int(o, "requests_per_minute", 0), window_us, now_us);
        limit_set(&judge_tokens, kind, json_int(o, "tokens_per_minute", 0), window_us, now_us);
        limit_set(&judge_output, kind, json_int(o, "output_tokens_per_minute", 0), window_us, now_us);
    }
    json_decref(o);
    return good;
}

static void answer(struct conn *c, int status, const char *text, size_t n)
{
    struct sb *out = net_out(c);

    sb_putf(out, "HTTP/1.1 %d %s\r\nContent-Type: application/json\r\nContent-Length: %zu\r\n\r\n", status,
            status == 200 ? "OK" : "Refused", n);
    sb_put(out, text, n);
    net_answered(c, CONN_GOES_ON);
}

bool judge_request(struct conn *c, const struct request *r, int64_t now_us)
{
    static const char ok[] = "{\"ok\":true}\n", bad[] = "{\"ok\":false}\n";
    bool post = strcmp(r->method, "POST") == 0;

    if (strncmp(r->path, "/_judge", 7) != 0)
        return false;
    if (!post && (strcmp(r->path, "/_judge") == 0 || strcmp(r->path, "/_judge/totals") == 0)) {
        struct sb b = sb_make(64 << 20);

        judge_json(&b, r->path[7] == '\0', now_us);
        answer(c, sb_ok(&b) ? 200 : 500, sb_str(&b), b.len);
        sb_done(&b);
    } else if (post && strcmp(r->path, "/_judge/reset") == 0) {
        judge_reset();
        answer(c, 200, ok, sizeof ok - 1);
    } else if (post && strcmp(r->path, "/_judge/limits") == 0 && judge_limits(r, now_us))
        answer(c, 200, ok, sizeof ok - 1);
    else if (post && strcmp(r->path, "/_judge/foreign") == 0 && judge_foreign(r, now_us))
        answer(c, 200, ok, sizeof ok - 1);
    else
        answer(c, 400, bad, sizeof bad - 1);
    return true;
}
