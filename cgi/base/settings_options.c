/* settings_options.c - every setting as one line: key, type, range, default, help.
 *
 * To add one: a member in settings.h, a line here, then `make docs`. */
#include "base/settings_options.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>

#include "base/address.h"
#include "base/clock.h"

#define MS USEC_PER_MS
#define SEC USEC_PER_SEC
#define MIN (60 * USEC_PER_SEC)
#define HOUR (3600 * USEC_PER_SEC)
#define DAY (24 * HOUR)
#define LIMIT_MAX INT64_C(1000000000000)
#define KIB INT64_C(1024)
#define MIB (1024 * KIB)

static bool ok_address(const char *s)
{
    struct in6_addr any;

    return inet_pton(AF_INET, s, &any) == 1 || inet_pton(AF_INET6, s, &any) == 1;
}

static bool ok_name(const char *s)
{
    return strspn(s, "abcdefghijklmnopqrstuvwxyz0123456789_-.") == strlen(s) && *s != '.' && *s != '-' && *s != '_';
}

static bool ok_preset(const char *s)
{
    return preset_find(s) != NULL;
}

/* http(s)://host[:port][/path]: no user, query, fragment or blank. */
static bool ok_base_url(const char *s)
{
    const char *host = strncmp(s, "http://", 7) == 0 ? s + 7 : strncmp(s, "https://", 8) == 0 ? s + 8 : NULL;

    return host && *host && !strchr("/:", *host) && !strpbrk(host, "@?# \"\\<>");
}

/* name=value,name=value: names of HTTP headers, values without a comma. */
static bool ok_headers(const char *s)
{
    static const char token[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_.";

    for (;;) {
        size_t n = strspn(s, token), value;

        if (n == 0 || s[n] != '=' || (value = strcspn(s + n + 1, ",")) == 0)
            return false;
        s += n + 1 + value;
        if (!*s++)
            return true;
    }
}

/* What can stand between quotes in nginx's configuration as it is. */
static bool ok_path(const char *s)
{
    return !strpbrk(s, "\"'\\;{}$");
}

static bool ok_full_path(const char *s)
{
    return *s == '/' && ok_path(s);
}

static bool ok_hosts(const char *s)
{
    return strspn(s, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-.:[], ") == strlen(s);
}

static bool ok_addresses(const char *s)
{
    char one[64];

    while (*(s += strspn(s, ", "))) {
        size_t n = strcspn(s, ", ");

        if (n >= sizeof one)
            return false;
        memcpy(one, s, n);
        one[n] = '\0';
        if (!address_parse(one))
            return false;
        s += n;
    }
    return true;
}

/* What can stand in a link as it is. */
static bool ok_mail(const char *s)
{
    const char *at = strchr(s, '@');

    return at && at != s && at[1] && !strpbrk(at + 1, "@") && !strpbrk(s, " \"'<>?&#%,;:\\");
}

/* A header, or a variable of nginx: nothing that could be more in its configuration. */
static bool ok_proxy_user(const char *s)
{
    if (*s == '$')
        return s[1] && strspn(s + 1, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_") == strlen(s + 1);
    return *s && strspn(s, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-") == strlen(s);
}

#define AT(member) offsetof(struct settings, member)
static const struct cfg_option global_options[] = {
    {.key = "state", .restart = true, .type = CFG_TEXT, .at = AT(state), .fallback = "./var", .ok = ok_path,
     .must = "a path without quotes, backslash, semicolon, braces or $",
     .help = "Folder for database, sockets, logs, pid files and the admin token; made with mode 0700."},
    {.key = "data", .restart = true, .type = CFG_TEXT, .at = AT(data), .ok = ok_path,
     .must = "a path without quotes, backslash, semicolon, braces or $",
     .help = "Folder with templates, static, schema, ranks and prices.json; as built or installed unless set."},
    {.key = "socket", .restart = true, .type = CFG_TEXT, .at = AT(socket), .max = 100, .ok = ok_path,
     .must = "a path of at most 100 bytes without quotes, backslash, semicolon, braces or $",
     .help = "FastCGI socket between nginx and Weir; `weir.sock` in the state folder unless set."},
    {.key = "http.address", .restart = true, .type = CFG_TEXT, .at = AT(http.address), .fallback = "127.0.0.1", .ok = ok_address,
     .must = "an IPv4 or IPv6 address", .help = "Where nginx listens."},
    {.key = "http.port", .restart = true, .type = CFG_INT, .at = AT(http.port), .min = 1, .max = 65535, .fallback = "8080",
     .help = "Port on which nginx listens."},
    {.key = "http.hosts", .restart = true, .type = CFG_LIST, .at = AT(http.hosts), .ok = ok_hosts,
     .must = "a list of at most 256 host names without port, as a browser shows them",
     .help = "Host names that are answered, the others get 421; unless set localhost and the address, and any name where the address is 0.0.0.0 or ::."},
    {.key = "http.tls_certificate", .restart = true, .type = CFG_TEXT, .at = AT(http.tls_certificate), .ok = ok_full_path,
     .must = "an absolute path without quotes, backslash, semicolon, braces or $",
     .help = "File with the certificate and its chain; with it nginx listens with TLS, and browsers are told to use nothing else."},
    {.key = "http.tls_key", .restart = true, .type = CFG_TEXT, .at = AT(http.tls_key), .ok = ok_full_path,
     .must = "an absolute path without quotes, backslash, semicolon, braces or $", .help = "File with the certificate's private key, which only nginx reads."},
    {.key = "http.max_body_bytes", .restart = true, .type = CFG_INT, .at = AT(http.max_body_bytes), .min = KIB, .max = 64 * MIB,
     .fallback = "1048576", .help = "Largest request body, `/v1` apart; a larger one gets 413."},
    {.key = "http.max_body_v1_bytes", .restart = true, .type = CFG_INT, .at = AT(http.max_body_v1_bytes), .min = KIB, .max = 256 * MIB,
     .fallback = "33554432", .help = "Largest request body under `/v1`, where images travel inside."},
    {.key = "http.acceptors", .restart = true, .type = CFG_INT, .at = AT(http.acceptors), .min = 1, .max = 64, .fallback = "8",
     .help = "Threads that take requests and give the short answers."},
    {.key = "sign_in.proxy_user", .restart = true, .type = CFG_TEXT, .at = AT(sign_in.proxy_user), .max = 100, .ok = ok_proxy_user,
     .must = "the name of a header, as X-Forwarded-User, or a variable of nginx, as $weir_user",
     .help = "Where a proxy in front, or nginx's auth_request, says who has signed in there; browsers then sign in by that name. Off unless set."},
    {.key = "sign_in.proxy_addresses", .restart = true, .type = CFG_LIST, .at = AT(sign_in.proxy_addresses), .fallback = "127.0.0.1, ::1", .ok = ok_addresses,
     .must = "a list of at most 256 addresses or networks, as 10.0.0.2 or 10.0.0.0/8",
     .help = "Addresses of that proxy: the header counts from there alone. A variable is nginx's own, and always counts."},
    {.key = "sign_in.proxy_role", .type = CFG_CHOICE, .at = AT(sign_in.proxy_role), .choices = "user monitor", .fallback = "user",
     .help = "Role of somebody who comes by that proxy for the first time."},
    {.key = "cache.models", .type = CFG_LIST, .at = AT(cache.models),
     .must = "a list of at most 256 model names", .help = "Models whose answers are given again to the same person asking the same, word for word, at no cost, unless the request says `cache` false. With `cache` true any request may."},
    {.key = "cache.ttl", .type = CFG_SECONDS, .at = AT(cache.ttl_us), .min = SEC, .max = 30 * DAY, .fallback = "3600",
     .help = "How long an answer may be given again. None outlives a restart."},
    {.key = "cache.max_bytes", .type = CFG_INT, .at = AT(cache.max_bytes), .min = 0, .max = INT64_C(16) * 1024 * MIB,
     .fallback = "67108864", .help = "Memory for such answers; beyond it those used longest ago go."},
    {.key = "resume.keep", .type = CFG_SECONDS, .at = AT(resume.keep_us), .min = 0, .max = DAY, .fallback = "600",
     .help = "How long after its end a stream can still be read again with `GET /chat/stream/{request_id}`."},
    {.key = "resume.max_bytes", .type = CFG_INT, .at = AT(resume.max_bytes), .min = 0, .max = INT64_C(16) * 1024 * MIB,
     .fallback = "67108864", .help = "Memory for streams that have ended; beyond it the oldest can no longer be read again."},
    {.key = "resume.unread", .type = CFG_SECONDS, .at = AT(resume.unread_us), .min = 0, .max = DAY, .fallback = "120",
     .help = "How long a stream with `on_disconnect` \"keep\" goes on with nobody reading it before it is cancelled."},
    {.key = "queue.max_size", .type = CFG_INT, .at = AT(queue.max_size), .min = 0, .max = 100000, .fallback = "1000",
     .help = "Requests that may wait at once; one more gets 429 `queue_full`. 0 = nothing ever waits."},
    {.key = "queue.max_wait", .type = CFG_SECONDS, .at = AT(queue.max_wait_us), .min = 10 * MS, .max = HOUR,
     .fallback = "120", .help = "Longest time one request waits; then, or when the forecast says so at once, 429 `queue_timeout`."},
    {.key = "batches.file_bytes", .restart = true, .type = CFG_INT, .at = AT(batches.file_bytes), .min = KIB, .max = 1024 * MIB,
     .fallback = "104857600", .help = "Largest file that `POST /v1/files` takes."},
    {.key = "batches.user_bytes", .type = CFG_INT, .at = AT(batches.user_bytes), .min = KIB, .max = LIMIT_MAX, .fallback = "1073741824",
     .help = "What the files of one person may have together, each counted as 4 KiB at least; an upload that would pass it is refused."},
    {.key = "batches.items", .type = CFG_INT, .at = AT(batches.items), .min = 1, .max = 1000000, .fallback = "50000",
     .help = "Most requests of one batch."},
    {.key = "batches.workers", .type = CFG_INT, .at = AT(batches.workers), .min = 1, .max = 256, .fallback = "16",
     .help = "How many requests of batches are under way at once, at most; fewer while others wait."},
    {.key = "tokens.request_input_max", .type = CFG_INT, .at = AT(tokens.request_input_max), .min = 0, .max = LIMIT_MAX, .fallback = "0",
     .help = "Most prompt tokens of one request, history included; more gets 400 `out_of_range`. 0 = what the model takes."},
    {.key = "tokens.request_output_max", .type = CFG_INT, .at = AT(tokens.request_output_max), .min = 0, .max = LIMIT_MAX, .fallback = "0",
     .help = "Most tokens of one answer: `max_tokens` is lowered to it. 0 = what the model gives."},
    {.key = "tokens.session_max", .type = CFG_INT, .at = AT(tokens.session_max), .min = 0, .max = LIMIT_MAX, .fallback = "0",
     .help = "Most tokens, prompts and answers together, of one session; once they are reached the next request gets 429 `session_cooling`. 0 = no maximum."},
    {.key = "tokens.session_cooldown", .type = CFG_SECONDS, .at = AT(tokens.session_cooldown_us), .min = SEC, .max = 168 * HOUR,
     .fallback = "3600", .help = "How long after the call that reached it; then the session's count starts anew."},
    {.key = "durability.strategy", .restart = true, .type = CFG_CHOICE, .at = AT(durability.strategy), .choices = "REALTIME BATCH ASYNC",
     .fallback = "REALTIME",
     .help = "What an answer's last event waits for. REALTIME: its rows are committed; nothing is lost when Weir is killed or the machine loses power. BATCH: its settlement is synced to the spill file and its rows follow in groups; nothing is lost either, but pages and reports show it up to `batch_seconds` later. ASYNC: its settlement is written to the spill file but not synced; nothing is lost when Weir is killed, and when the machine loses power the settlements of the last `batch_seconds` are lost: those calls are then charged at their estimate, without the answer's text. In all three the intent is committed before the first byte goes to a provider."},
    {.key = "durability.batch_size", .restart = true, .type = CFG_INT, .at = AT(durability.batch_size), .min = 1, .max = 10000,
     .fallback = "100", .help = "BATCH and ASYNC: so many settlements are committed together."},
    {.key = "durability.batch_seconds", .restart = true, .type = CFG_SECONDS, .at = AT(durability.batch_us), .min = 10 * MS, .max = MIN,
     .fallback = "5", .help = "BATCH and ASYNC: no settlement waits longer than this for its commit."},
    {.key = "durability.batch_queue", .restart = true, .type = CFG_INT, .at = AT(durability.batch_queue), .min = 1, .max = 1000000,
     .fallback = "1000",
     .help = "BATCH and ASYNC: so many settlements may wait while their commit fails; at more, new billed calls get 503 until they are stored."},
    {.key = "durability.batch_retries", .restart = true, .type = CFG_INT, .at = AT(durability.batch_retries), .min = 0, .max = 100,
     .fallback = "3", .help = "BATCH and ASYNC: a commit that fails is tried again so often, a second apart, before new billed calls get 503."},
    {.key = "retry.budget", .type = CFG_RATIO, .at = AT(retry_budget_permille), .min = 0, .max = 1000,
     .fallback = "0.1", .help = "Retries as a part of all traffic, Weir-wide, so that an outage is not made worse."},
    {.key = "fallback_price.input", .type = CFG_INT, .at = AT(fallback_input), .min = 0, .max = LIMIT_MAX, .fallback = "0",
     .help = "What a model without a price is taken to cost, in micro-dollars per million input tokens (1000000 = $1). With this and the next 0 it stays unpriced, and is refused where a budget applies."},
    {.key = "fallback_price.output", .type = CFG_INT, .at = AT(fallback_output), .min = 0, .max = LIMIT_MAX, .fallback = "0",
     .help = "The same per million output tokens."},
    {.key = "webhooks.allowed_addresses", .type = CFG_LIST, .at = AT(webhook_addresses), .ok = ok_addresses,
     .must = "a list of at most 256 IPv4 or IPv6 addresses, each perhaps with /bits",
     .help = "Addresses that are not on the public internet and that webhooks may be sent to all the same, as 10.1.2.3 or 10.0.0.0/8."},
    {.key = "drain", .type = CFG_SECONDS, .at = AT(drain_us), .min = 0, .max = HOUR, .fallback = "30",
     .help = "How long running work may take to finish after SIGTERM."},
    {.key = "content.key_file", .restart = true, .type = CFG_TEXT, .at = AT(content_key_file),
     .help = "File with the key that text and titles are encrypted with, made if there is none; best on another disk, and never in a backup beside the database. Unset = they are not encrypted."},
    {.key = "retention.content", .type = CFG_SECONDS, .at = AT(retention.content_us), .min = 0, .max = 36500 * DAY, .fallback = "90d",
     .help = "How long the text of messages is kept, and a session that is not used; 0 = no text is kept at all, and a session unused for a day goes."},
    {.key = "retention.content_bytes", .type = CFG_INT, .at = AT(retention.content_bytes), .min = 0, .max = LIMIT_MAX, .fallback = "0",
     .help = "Most text that is kept, in bytes; above it the oldest goes first. 0 = no bound."},
    {.key = "retention.usage", .type = CFG_SECONDS, .at = AT(retention.usage_us), .min = DAY, .max = 36500 * DAY, .fallback = "400d",
     .help = "How long single requests and attempts are kept; their sums stay."},
    {.key = "retention.anonymize", .type = CFG_SECONDS, .at = AT(retention.named_us), .min = 0, .max = 36500 * DAY, .fallback = "0",
     .help = "How old usage becomes before user and session ids in it are pseudonyms, and tokens and metadata go; at least 35d, so that no budget's month is open, 0 = never. Sums stay equal. Each month's key is a file in <state>/pseudonym-keys; removing it makes that month's pseudonyms final."},
    {.key = "retention.audit", .type = CFG_SECONDS, .at = AT(retention.audit_us), .min = DAY, .max = 36500 * DAY, .fallback = "730d",
     .help = "How long the rows of the audit log are kept."},
    {.key = "retention.files", .type = CFG_SECONDS, .at = AT(retention.files_us), .min = HOUR, .max = 36500 * DAY, .fallback = "30d",
     .help = "How long files of batches are kept, and batches after their end, also where retention.content is 0."},
    {.key = "suggestions.every", .type = CFG_SECONDS, .at = AT(suggest_us), .min = 0, .max = 24 * HOUR, .fallback = "600",
     .help = "How often recorded traffic is replayed to find settings that would serve it better, if there was new traffic; 0 = never."},
    {.key = "verify.every", .type = CFG_SECONDS, .at = AT(verify_us), .min = 0, .max = 30 * 24 * HOUR, .fallback = "86400",
     .help = "How often the ledger is checked while Weir runs, first after the start: whether events, attempts, roll-ups, sessions and budgets add up and no row has changed; 0 = never."},
    {.key = "pages.contact", .type = CFG_TEXT, .at = AT(pages.contact), .max = 200, .ok = ok_mail, .must = "a mail address, as admin@example.org",
     .help = "Whom the chat page offers to write to when a budget is used up."},
    {.key = "hide_budget_sums", .type = CFG_BOOL, .at = AT(hide_budget_sums), .fallback = "false",
     .help = "Tell users of a budget that counts others' calls too (of everything, or of a model) which it is and when it resets, but not its sums."},
    {.key = "pages.examples", .type = CFG_TEXT, .at = AT(pages.examples), .max = 1000,
     .help = "What the empty chat page offers to ask in place of Weir's own three, separated by |, as `Summarize this report|Plan my week`."},
    {.key = "default_model", .type = CFG_TEXT, .at = AT(default_model), .max = 200,
     .help = "Model of a request that names none; the first model of the first upstream unless set."},
    {.key = "auto", .type = CFG_LIST, .at = AT(automatic),
     .must = "a list of at most 16 model ids, each once, without \"auto\"",
     .help = "Models that `model: \"auto\"` chooses from: of those that are healthy, fit the prompt and can start now, the cheapest; else the first that can."},
    {.key = "fallbacks", .type = CFG_MAP, .at = AT(fallbacks),
     .help = "By model, those used instead, in this order, when it cannot be had: its upstreams are down, cooling or failing, its retries are used up, or it would begin too late. As one text: `a=b,c;d=e`."},
    {.key = "builtin.words_per_second", .type = CFG_INT, .at = AT(builtin_words_per_second), .min = 0, .max = 10000,
     .fallback = "25", .help = "Pace at which the built-in model writes; 0 = at once."},
    {.key = "ca_file", .restart = true, .type = CFG_TEXT, .at = AT(ca_file), .fallback = "/etc/ssl/certs/ca-certificates.crt",
     .help = "Certificates that are trusted when calling providers."},
    {.key = "prices", .restart = true, .type = CFG_TEXT, .at = AT(prices), .help = "Price table instead of the one Weir brings along; a reload reads it again."},
    {.key = "log.level", .type = CFG_CHOICE, .at = AT(log_level), .choices = "error warn info debug",
     .fallback = "info", .help = "Least important kind of log line that is written."},
    {.key = "operations_log.on", .restart = true, .type = CFG_BOOL, .at = AT(operations_log.on), .fallback = "false",
     .help = "Write a line of JSON for each call that ended (start, end, delay, error, usage; no text) to `operations.jsonl` in the state folder."},
    {.key = "operations_log.max_bytes", .restart = true, .type = CFG_INT, .at = AT(operations_log.max_bytes), .min = KIB, .max = 1024 * MIB,
     .fallback = "67108864", .help = "Size at which that file becomes `operations.jsonl.1`, and so on."},
    {.key = "operations_log.older", .restart = true, .type = CFG_INT, .at = AT(operations_log.older), .min = 1, .max = 1000,
     .fallback = "5", .help = "How many of the older files are kept."},
    {.key = "otlp.endpoint", .restart = true, .type = CFG_TEXT, .at = AT(otlp.endpoint), .max = 500, .ok = ok_base_url,
     .must = "http:// or https://, a host and perhaps a port and a path, without user, query or fragment",
     .help = "OTLP/HTTP receiver to which each request is exported as a trace (JSON, to `/v1/traces` below it), as http://localhost:4318; none unless set."},
    {.key = "otlp.headers", .restart = true, .type = CFG_SECRET, .at = AT(otlp.headers), .max = 4000, .ok = ok_headers,
     .must = "headers as name=value,name=value", .help = "Headers sent along, as `authorization=Bearer abc,x-scope=1`."},
    {.key = "otlp.max_queue", .restart = true, .type = CFG_INT, .at = AT(otlp.max_queue), .min = 1, .max = 100000, .fallback = "2048",
     .help = "Traces that may wait to be sent; more are dropped, and counted in `/metrics`."},
    {.key = "metrics.token_usage", .type = CFG_BOOL, .at = AT(metrics_token_usage), .fallback = "false",
     .help = "Also show the histogram `gen_ai_client_token_usage` in `/metrics`, for dashboards that were made for it."},
};
#undef AT

#define AT(member) offsetof(struct tuning_settings, member)
#define LIMIT(name, short_alias, value, text)                                                   \
    {                                                                                           \
        .key = "limits." #name, .type = CFG_INT, .at = AT(limits.name), .min = 0, .max = LIMIT_MAX, .fallback = value, \
        .aliases = "limits." short_alias " rate_limits." #name, .help = text                    \
    }
static const struct cfg_option tuning_options[] = {
    {.key = "preset", .type = CFG_TEXT, .at = AT(preset), .ok = ok_preset,
     .must = "the name of a preset (docs/settings.md lists them)",
     .help = "Named set of values to start from; single values given beside it win."},
    {.key = "max_concurrent", .type = CFG_INT, .at = AT(max_concurrent), .min = 1, .max = 10000, .fallback = "32",
     .help = "Calls running at a time."},
    LIMIT(requests_per_minute, "rpm", "60", "Requests in any 60 s; 0 = unlimited."),
    LIMIT(requests_per_hour, "rph", "3000", "Requests in any hour; 0 = unlimited."),
    LIMIT(tokens_per_minute, "tpm limits.units_per_minute", "150000", "Input and output tokens in any 60 s, and units of an `operation`; 0 = unlimited."),
    LIMIT(tokens_per_hour, "tph limits.units_per_hour", "1000000", "Input and output tokens in any hour, and units of an `operation`; 0 = unlimited."),
    LIMIT(input_tokens_per_minute, "itpm", "0", "Input tokens in any 60 s; 0 = unlimited."),
    LIMIT(output_tokens_per_minute, "otpm", "0", "Output tokens in any 60 s; 0 = unlimited."),
    {.key = "burst", .type = CFG_SECONDS, .at = AT(burst_us), .min = 100 * MS, .max = MIN, .fallback = "10",
     .help = "How much may go at once: what a per-minute limit allows in this time (10 s = a sixth of it)."},
    {.key = "reserve", .type = CFG_RATIO, .at = AT(reserve_permille), .min = 0, .max = 500, .fallback = "0.15",
     .help = "Part of each limit kept for priority High; lent to the others while no High asks."},
    {.key = "reserve_output", .type = CFG_CHOICE, .at = AT(reserve_output), .choices = "expected max",
     .fallback = "expected",
     .help = "Output tokens set aside at admission: what is usual for model and caller, or max_tokens, as some providers count."},
    {.key = "safety_margin", .type = CFG_RATIO, .at = AT(safety_margin_permille), .min = 0, .max = 500, .fallback = "0",
     .aliases = "safety.margin", .help = "Part of each limit that nobody uses, where others share the key."},
    {.key = "pause", .type = CFG_SECONDS, .at = AT(pause_us), .min = 0, .max = 10 * MIN, .fallback = "0",
     .help = "Least time between the starts of two calls."},
    {.key = "spread_low", .type = CFG_BOOL, .at = AT(spread_low), .fallback = "false",
     .help = "true: where more is expected in the next 15 minutes than the limits give, Low starts only as far as the High and Medium expected leave room; one may start every 30 s all the same."},
    {.key = "stabilization_minutes", .type = CFG_MINUTES, .at = AT(stabilization_us), .min = 0, .max = 24 * HOUR,
     .fallback = "15", .help = "After a 429 the allowed rate is halved and climbs back over this time."},
    {.key = "retry.max_retries", .type = CFG_INT, .at = AT(retry.max_retries), .min = 0, .max = 20, .fallback = "5",
     .help = "Further attempts after the first one failed."},
    {.key = "retry.base_delay", .type = CFG_SECONDS, .at = AT(retry.base_delay_us), .min = MS, .max = 10 * MIN,
     .fallback = "1", .help = "Upper bound of the first random wait before a retry; doubles with each."},
    {.key = "retry.max_delay", .type = CFG_SECONDS, .at = AT(retry.max_delay_us), .min = MS, .max = HOUR,
     .fallback = "300", .help = "Upper bound of any such wait; the provider's Retry-After, up to 300 s, is kept to where it is longer."},
    {.key = "timeouts.connect", .type = CFG_SECONDS, .at = AT(timeouts.connect_us), .min = 10 * MS, .max = 5 * MIN,
     .fallback = "10", .leaf = "connect_timeout", .help = "Name look-up, TCP and TLS to the provider."},
    {.key = "timeouts.first_byte", .type = CFG_SECONDS, .at = AT(timeouts.first_byte_us), .min = 10 * MS, .max = HOUR,
     .fallback = "120", .leaf = "first_byte_timeout", .help = "From the request to the first byte of the answer."},
    {.key = "timeouts.idle", .type = CFG_SECONDS, .at = AT(timeouts.idle_us), .min = 10 * MS, .max = HOUR,
     .fallback = "60", .leaf = "idle_timeout", .help = "Longest silence in the middle of an answer."},
    {.key = "timeouts.total", .type = CFG_SECONDS, .at = AT(timeouts.total_us), .min = 100 * MS, .max = 24 * HOUR,
     .fallback = "600", .leaf = "total_timeout", .help = "The whole call."},
};
#undef AT

#define AT(member) offsetof(struct upstream_settings, member)
static const struct cfg_option upstream_options[] = {
    {.key = "name", .type = CFG_TEXT, .at = AT(name), .max = 32, .ok = ok_name,
     .must = "at most 32 lower-case letters, digits, - _ or ., beginning with a letter or digit",
     .help = "Its name in pages, records and metrics; required and unique. `builtin` is the built-in model's."},
    {.key = "enabled", .type = CFG_BOOL, .at = AT(enabled), .fallback = "true",
     .help = "false: the entry is checked but not used."},
    {.key = "protocol", .restart = true, .type = CFG_CHOICE, .at = AT(protocol), .choices = "openai anthropic builtin operation",
     .fallback = "openai", .help = "What it speaks: OpenAI's interface, or Anthropic's. `operation`: any other metered service, which Weir does not "
             "call itself; who does asks for a lease first (`POST /operations/acquire`, `weir exec`). Its limits are unlimited unless it sets them."},
    {.key = "base_url", .type = CFG_TEXT, .at = AT(base_url), .max = 500, .ok = ok_base_url,
     .must = "http:// or https://, a host and perhaps a port and a path, without user, query or fragment",
     .help = "Where its interface begins, as in https://api.openai.com/v1; required unless the name is openai, anthropic or builtin, or the protocol `operation`."},
    {.key = "api_key", .type = CFG_SECRET, .at = AT(api_key), .max = 1000,
     .help = "Its key; better kept in `key_file` or `key_env`. At most one of the three; none = no key is sent."},
    {.key = "key_file", .type = CFG_TEXT, .at = AT(key_file),
     .help = "File whose first line is the key; only its owner may read it. Where systemd passed a credential `key_NAME` to the "
             "service, NAME being the file's name without its folder, that one is read instead."},
    {.key = "key_env", .type = CFG_TEXT, .at = AT(key_env), .max = 200, .help = "Environment variable that holds the key."},
    {.key = "auth", .type = CFG_CHOICE, .at = AT(auth), .choices = "bearer api-key", .fallback = "bearer",
     .help = "How its key is sent: as `Authorization: Bearer`, or as Azure's `api-key`; to an `anthropic` one always as `x-api-key`."},
    {.key = "api_version", .type = CFG_TEXT, .at = AT(api_version), .max = 40, .ok = ok_name,
     .must = "at most 40 lower-case letters, digits, - _ or ., as 2024-10-21",
     .help = "Azure OpenAI's `api-version`. With it `base_url` is the resource, as in https://NAME.openai.azure.com, and a model's name is "
             "that of its deployment; such an upstream needs `models`."},
    {.key = "stream_usage", .type = CFG_CHOICE, .at = AT(stream_usage), .choices = "ask continuous none", .fallback = "ask",
     .help = "How it is asked for usage in a stream: `continuous` on every chunk too (vLLM), `none` not at all, where it refuses "
             "`stream_options`; then Weir counts and says so."},
    {.key = "responses", .type = CFG_CHOICE, .at = AT(responses), .choices = "auto on off", .fallback = "auto",
     .help = "Whether it has OpenAI's `/responses`, which `/v1/responses` is passed on to; `auto`: if it is api.openai.com."},
    {.key = "priority_tier", .type = CFG_BOOL, .at = AT(priority_tier), .fallback = "false",
     .help = "The account there is set to the priority service tier, so that requests which name none cost its prices; budgets then set aside as much."},
    {.key = "models", .type = CFG_LIST, .at = AT(models),
     .help = "Model ids it serves; asked from its `/models` unless set."},
    {.key = "quota_group", .restart = true, .type = CFG_TEXT, .at = AT(quota_group), .max = 32, .ok = ok_name,
     .must = "at most 32 lower-case letters, digits, - _ or ., beginning with a letter or digit",
     .help = "Upstreams that name the same group share one set of limits."},
    {.key = "price.unit_usd", .type = CFG_USD, .at = AT(price.unit), .min = 0, .max = 1000 * LIMIT_MAX, .fallback = "0",
     .help = "Of an `operation`: dollars for each unit."},
    {.key = "price.input", .type = CFG_INT, .at = AT(price.input), .min = 0, .max = LIMIT_MAX, .fallback = "0",
     .help = "Of an `operation`: micro-dollars per million input tokens (1000000 = $1)."},
    {.key = "price.output", .type = CFG_INT, .at = AT(price.output), .min = 0, .max = LIMIT_MAX, .fallback = "0",
     .help = "The same per million output tokens."},
    {.key = "lease", .type = CFG_SECONDS, .at = AT(lease_us), .min = 100 * MS, .max = DAY, .fallback = "300",
     .help = "Of an `operation`: how long it may take. One that is not settled by then is settled at its estimate, as expired."},
};
#undef AT

#define AT(member) offsetof(struct budget_settings, member)
static const struct cfg_option budget_options[] = {
    {.key = "scope", .type = CFG_CHOICE, .at = AT(scope), .choices = "all user session token model",
     .help = "What it counts: everything, or the calls of one user, session, token or model. Required."},
    {.key = "key", .type = CFG_TEXT, .at = AT(key), .max = 127,
     .help = "Whose: an id of a user, session or token, or the name of a model. With every scope but `all` either this or `each`."},
    {.key = "each", .type = CFG_BOOL, .at = AT(each), .fallback = "false",
     .help = "true: each user, session, token or model has this budget of its own."},
    {.key = "window", .type = CFG_CHOICE, .at = AT(window), .choices = "day week month total",
     .help = "The span of the calendar it is for. Required."},
    {.key = "tz", .type = CFG_TEXT, .at = AT(tz), .max = 47, .fallback = "UTC",
     .help = "Time zone whose days, weeks and months these are, as Europe/Berlin."},
    {.key = "limit_usd", .type = CFG_USD, .at = AT(limit_pico), .min = 0, .max = 2000000 * LIMIT_MAX,
     .help = "What may be spent in a window. Required."},
};
#undef AT

const struct preset presets[] = {
    {"production", "The values Weir starts with.",
     {{"limits.requests_per_minute", "60"}, {"limits.requests_per_hour", "3000"}, {"limits.tokens_per_minute", "150000"},
      {"limits.tokens_per_hour", "1000000"}}},
    {"development", "Gentle: for a key that other people's work depends on.",
     {{"limits.requests_per_minute", "20"}, {"limits.requests_per_hour", "500"}, {"limits.tokens_per_minute", "40000"},
      {"limits.tokens_per_hour", "200000"}, {"pause", "1.2"}, {"safety_margin", "0.15"}}},
    {"anthropic-50", "Anthropic's first tier: 50 requests, 40,000 input and 8,000 output tokens a minute.",
     {{"limits.requests_per_minute", "50"}, {"limits.requests_per_hour", "0"}, {"limits.tokens_per_minute", "0"},
      {"limits.tokens_per_hour", "0"}, {"limits.input_tokens_per_minute", "40000"},
      {"limits.output_tokens_per_minute", "8000"}, {"safety_margin", "0.1"}}},
};
const size_t n_presets = sizeof presets / sizeof *presets;

const struct known_upstream known_upstreams[] = {
    {"openai", "OPENAI_", "https://api.openai.com/v1", PROTOCOL_OPENAI},
    {"anthropic", "ANTHROPIC_", "https://api.anthropic.com", PROTOCOL_ANTHROPIC},
    {"builtin", NULL, NULL, PROTOCOL_BUILTIN},
};
const size_t n_known_upstreams = sizeof known_upstreams / sizeof *known_upstreams;

struct cfg_bind settings_bind_global(struct settings *s)
{
    return (struct cfg_bind){global_options, sizeof global_options / sizeof *global_options, s};
}

struct cfg_bind settings_bind_tuning(struct tuning_settings *t)
{
    return (struct cfg_bind){tuning_options, sizeof tuning_options / sizeof *tuning_options, t};
}

struct cfg_bind settings_bind_upstream(struct upstream_settings *u)
{
    return (struct cfg_bind){upstream_options, sizeof upstream_options / sizeof *upstream_options, u};
}

struct cfg_bind settings_bind_budget(struct budget_settings *b)
{
    return (struct cfg_bind){budget_options, sizeof budget_options / sizeof *budget_options, b};
}

const struct preset *preset_find(const char *name)
{
    for (size_t i = 0; i < n_presets; i++)
        if (strcmp(presets[i].name, name) == 0)
            return &presets[i];
    return NULL;
}

void preset_apply(const struct preset *p, struct tuning_settings *t)
{
    struct cfg_bind b = settings_bind_tuning(t);
    struct sb why = sb_make(1000);

    for (size_t i = 0; p->set[i].key; i++)
        if (!cfg_set(cfg_find(&b, p->set[i].key), t, p->set[i].value, p->name, &why))
            abort();
    sb_done(&why);
}
