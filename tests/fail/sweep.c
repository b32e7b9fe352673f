/* sweep.c - each parser runs once for each allocation it makes, and that one
 * fails: once, and with all after it. It says so, or ends the process by abort
 * as small allocations do (base/mem.h); it never goes on with what is not there.
 *
 * Each run is a process of its own. */
#include <fcntl.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/json.h"
#include "base/settings_options.h"
#include "fail.h"
#include "peer/openai.h"
#include "peer/sse.h"
#include "rules/price.h"
#include "store/spill_line.h"
#include "store/traffic.h"
#include "web/ask.h"
#include "web/page.h"

enum how { DONE, SAID_SO, ABORTED, BROKEN };

/* --- what is run: true if it did its work, false if it said that it could not --- */

static bool run_request(void)
{
    static const char text[] = "{\"messages\":[{\"role\":\"system\",\"content\":\"be brief\"},{\"role\":\"user\",\"content\":\"hello \\u20ac\"}],"
                               "\"model\":\"gpt-4o-mini\",\"stop\":[\"a\",\"b\"],\"metadata\":{\"team\":\"x\"},\"temperature\":0.5}";
    struct openai_turn turn[] = {{"user", "hello"}};
    struct openai_options o = {.stream = true};
    struct field_fault fault;
    struct sb out = sb_make(65536);
    struct chat_ask a;
    char why[160];
    json_t *body;
    bool ok;

    if (json_parse_object(text, sizeof text - 1, &json_limits_own, &body, why))
        return false;
    ok = ask_read(body, &a, &fault) == WEIR_OK;
    o.stop = ok ? a.stop : NULL;
    openai_request(&out, "gpt-4o-mini", turn, 1, &o);
    ok = ok && sb_ok(&out) && strstr(sb_str(&out), "\"stop\":[\"a\",\"b\"]");
    json_decref(body);
    sb_done(&out);
    return ok;
}

static void on_text(void *ctx, const char *raw, size_t n)
{
    sb_put(ctx, raw, n);
}

static struct provider_reply reply;

static enum weir_err on_event(void *ctx, const char *data, size_t n)
{
    struct provider_sink sink = {.text = on_text, .reasoning = on_text, .ctx = ctx};

    return openai_read(&reply, data, n, &sink);
}

static bool run_stream(void)
{
    static const char text[] = "data: {\"choices\":[{\"delta\":{\"content\":\"caf\\u00e9\"}}]}\n\nda"
                               "ta: {\"choices\":[{\"delta\":{\"content\":\" au lait\"},\"finish_reason\":\"stop\"}]}\n\ndata: [DONE]\n\n";
    struct sb said = sb_make(65536);
    struct sse s = {0};
    enum weir_err e = WEIR_OK;
    bool ok;

    memset(&reply, 0, sizeof reply);
    for (size_t at = 0; at < sizeof text - 1 && !e; at += 7)
        e = sse_feed(&s, text + at, sizeof text - 1 - at < 7 ? sizeof text - 1 - at : 7, on_event, &said);
    if (!e)
        e = sse_end(&s, on_event, &said);
    ok = !e && sb_ok(&said) && strcmp(sb_str(&said), "caf\\u00e9 au lait") == 0;
    sse_done(&s);
    sb_done(&said);
    return ok;
}

static char hash_of_all[SETTINGS_HASH_SIZE];     /* of settings that were made while nothing failed */

static bool run_settings(void)
{
    static const char text[] = "{\"upstreams\":[{\"name\":\"a\",\"base_url\":\"http://127.0.0.1/v1\",\"models\":[\"x\",\"y\"],\"api_key\":\"k\"}],"
                               "\"budgets\":[{\"scope\":\"all\",\"window\":\"day\",\"limit_usd\":1}],\"fallbacks\":{\"x\":[\"y\"]}}";
    struct sb why = sb_make(4096);
    json_t *root = json_loads(text, 0, NULL);
    struct settings *s = root ? settings_make("weir.json", root, &why) : NULL;
    char hash[SETTINGS_HASH_SIZE] = "";
    bool ok = s != NULL;
    int64_t made;

    fail_control->kind[FAIL_MALLOC].at = 0;
    made = fail_control->kind[FAIL_MALLOC].count;
    if (ok)
        settings_hash(s, hash);
    fail_control->kind[FAIL_MALLOC].count = made;
    if (!*hash_of_all)
        memcpy(hash_of_all, hash, sizeof hash);
    if (ok && strcmp(hash, hash_of_all) != 0)
        _exit(BROKEN);               /* other settings than the file's, and nothing said */
    settings_free(s);
    json_decref(root);
    sb_done(&why);
    return ok;
}

static bool run_page(void)
{
    static const char text[] = "{{#list}}<p>{{a}}</p>{{/list}}{{^no}}{{>t2}}{{/no}}";
    json_t *ctx = json_pack("{s:[{s:s},{s:s}]}", "list", "a", "1", "a", "<2>");
    struct page_set *set = page_set_new();
    struct sb out = sb_make(65536);
    char why[PAGE_WHY];
    bool ok = ctx && set && !page_set_add(set, "t", text, sizeof text - 1, why) && !page_set_add(set, "t2", "end", 3, why) &&
              !page_render(set, "t", ctx, &out) && sb_ok(&out) && strcmp(sb_str(&out), "<p>1</p><p>&lt;2&gt;</p>end") == 0;

    page_set_free(set);
    json_decref(ctx);
    sb_done(&out);
    return ok;
}

static bool run_prices(void)
{
    static const char text[] = "{\"schema\":1,\"currency\":\"USD\",\"unit\":\"pico_usd_per_token\",\"as_of\":\"2026-11-10\",\"models\":["
                               "{\"provider\":\"openai\",\"id\":\"gpt-4o\",\"aliases\":[\"4o\"],\"in\":5,\"out\":7,\"ctx\":100}]}";
    struct price_table *t;
    char why[PRICE_WHY];

    if (price_table_load(text, sizeof text - 1, NULL, 0, &t, why))
        return false;
    price_table_free(t);
    return true;
}

static bool run_traffic(void)
{
    static const char text[] =
        "{\"weir_traffic\":1,\"requests\":1,\"users\":1,\"models\":[\"m\"],\"upstreams\":[\"u\"]}\n"
        "{\"at_us\":0,\"user\":1,\"session\":0,\"model\":1,\"upstream\":1,\"priority\":1,\"status\":0,\"prompt\":1,\"max_tokens\":1,"
        "\"input\":1,\"output\":1,\"wait_us\":0,\"first_us\":0,\"writing_us\":0,\"attempts\":1,\"refused\":0,\"priced\":1,\"cost_in\":1,"
        "\"cost_out\":1,\"rate_in\":1,\"rate_out\":1}\n";
    struct sb why = sb_make(1000), out = sb_make(65536);
    struct traffic t;
    bool ok = traffic_read(text, sizeof text - 1, &t, &why);

    if (ok) {
        traffic_write(&t, &out);
        ok = sb_ok(&out) && strcmp(sb_str(&out), text) == 0;
        traffic_done(&t);
    }
    sb_done(&why);
    sb_done(&out);
    return ok;
}

static bool run_spill(void)
{
    struct call_record r = {.request_id = "req_1", .session_id = "ses_1", .user_id = "usr_1", .model = "m", .answer = "text", .answer_bytes = 4};
    struct sb line = sb_make(65536);
    struct spill_line l;
    bool ok;

    spill_line_put(&line, &r, true);
    ok = sb_ok(&line) && spill_line_read(sb_str(&line), line.len, &l);
    if (ok) {
        ok = l.rec.answer && strcmp(l.rec.answer, "text") == 0;
        spill_line_done(&l);
    }
    sb_done(&line);
    return ok;
}

static const struct {
    const char *name;
    bool (*run)(void);
} parsers[] = {
    {"request", run_request}, {"stream", run_stream},   {"settings", run_settings}, {"page", run_page},
    {"prices", run_prices},   {"traffic", run_traffic}, {"spill", run_spill},
};

/* --- the sweep --- */

/* One run with the n-th allocation failing (0: none); *allocations is how many it made. */
static enum how run_once(size_t i, int64_t n, bool forever, struct fail_control *shared, int null, int64_t *allocations)
{
    struct fail_kind *k = &shared->kind[FAIL_MALLOC];
    pid_t child;
    int status;

    (void)fflush(NULL);
    memset(shared, 0, sizeof *shared);
    child = fork();
    if (child == 0) {
        bool ok;

        (void)dup2(null, STDERR_FILENO);      /* what is said is not looked at */
        fail_control = shared;
        k->forever = forever;
        k->at = n;
        ok = parsers[i].run();
        k->at = 0;
        _exit(ok ? DONE : SAID_SO);
    }
    if (child < 0 || waitpid(child, &status, 0) != child)
        return BROKEN;
    *allocations = k->count;
    if (WIFSIGNALED(status))
        return WTERMSIG(status) == SIGABRT ? ABORTED : BROKEN;
    return (enum how)WEXITSTATUS(status);
}

int main(void)
{
    struct fail_control *shared = mmap(NULL, sizeof *shared, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    const struct rlimit none = {0, 0};
    int null = open("/dev/null", O_WRONLY | O_CLOEXEC), bad = 0;

    json_set_up();
    (void)run_settings();
    (void)setrlimit(RLIMIT_CORE, &none);
    if (shared == MAP_FAILED || null < 0) {
        perror("sweep");
        return 99;
    }
    for (size_t i = 0; i < sizeof parsers / sizeof *parsers; i++) {
        int64_t all, ignored, ends[BROKEN + 1] = {0};

        if (run_once(i, 0, false, shared, null, &all) != DONE || !all) {
            printf("%s: does not do its work\n", parsers[i].name);
            bad = 1;
        }
        for (int64_t n = 1; n <= all; n++)
            for (int forever = 0; forever < 2; forever++) {
                enum how how = run_once(i, n, forever, shared, null, &ignored);

                ends[how]++;
                if (how == BROKEN || (how == DONE && forever)) {
                    printf("%s: allocation %lld%s: %s\n", parsers[i].name, (long long)n, forever ? " and all after it" : "",
                           how == BROKEN ? "broke" : "went on without it");
                    bad = 1;
                }
            }
        printf("%s: %lld allocations; %lld runs said so, %lld aborted, %lld did without\n", parsers[i].name, (long long)all,
               (long long)ends[SAID_SO], (long long)ends[ABORTED], (long long)ends[DONE]);
    }
    return bad;
}
