/* cmd_batch.c - weir batch run: the words, the bar and the summary; the calls are batch_run.c's. */
#include <errno.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/file.h"
#include "base/settings.h"
#include "store/account.h"
#include "peer/weir_call.h"
#include "flow/batch_estimate.h"
#include "web/cmd.h"
#include "web/cmd_config.h"
#include "web/embedded.h"
#include "web/reach.h"

enum { WORKERS = 8, WORKERS_MAX = 1000, SAMPLES = 50, LINE_SECONDS = 5, EXIT_PARKED = 1, TIME_SIZE = 24, USD_SIZE = 32 };

static const char usage[] =
    "usage: weir batch run INPUT --output OUT.jsonl [--workers 8] [--budget USD] [--limit N] [--priority Low]\n"
    "                      [--model NAME] [--system TEXT] [--max-tokens N] [--url URL | --embedded] [--resume | --force]\n"
    "                      [--dry-run] [--json]\n\n"
    "Sends the prompts of INPUT through a Weir, with the headroom that interactive users leave. INPUT is an OpenAI batch file\n"
    "(JSON lines), a .csv file with a column 'prompt', or a .txt file with one prompt a line. Answers are written to OUT.jsonl\n"
    "as they come, what keeps failing to OUT.errors.jsonl.\n\n"
    "  --workers     calls at a time at most; 8 unless given\n"
    "  --budget      stop before the call that could pass so many dollars, those of earlier runs included\n"
    "  --limit       stop after N items\n"
    "  --priority    Low (unless given), Medium or High\n"
    "  --model, --system, --max-tokens   for prompts that do not say it themselves\n"
    "  --url         where Weir is; else WEIR_URL, or the Weir of weir.json. Its token comes from WEIR_TOKEN, or from the\n"
    "                file admin-token in the state folder\n"
    "  --embedded    start Weir and nginx for this batch alone, unless a Weir runs in the state folder already\n"
    "  --resume      go on with what an earlier run left; items given up are tried again\n"
    "  --force       begin anew, and lose what an earlier run left\n"
    "  --dry-run     check the token, say what it will come to, and stop\n"
    "  --json        the summary at the end, or the estimate, for programs\n\n"
    "Ctrl+C waits for what is in flight, a second one does not; both can be resumed, as can kill -9: no answer that was paid\n"
    "for is paid again within a day.\n\n"
    "Status 0: all is done; 1: done, but for the items given up; 64: wrong words; 65: INPUT cannot be read as a batch; 69: Weir\n"
    "cannot be reached or started; 73, 74: OUT cannot be written; 75: stopped, to be resumed; 77: wrong token; 78: wrong settings.\n";

struct asked {
    struct batch_setup setup;
    struct batch_defaults defaults;
    const char *input, *output, *url;
    bool resume, force, dry_run, json, embedded;
    char upstream[128];
};

static volatile sig_atomic_t stop;

static void on_signal(int n)
{
    (void)n;
    stop = stop + 1;
}

/* The Weir of our own has ended, and nobody will start it again. */
static void on_child(int n)
{
    (void)n;
    stop = 2;
}

/* --- words --- */

static bool whole(const char *text, int64_t max, int64_t *out)
{
    char *end;

    errno = 0;
    *out = strtoll(text, &end, 10);
    return !errno && end != text && !*end && *out > 0 && *out <= max;
}

static bool take_option(struct asked *a, const char *name, const char *value)
{
    static const char *const priorities[] = {"Low", "Medium", "High"};
    const struct {
        const char *name;
        const char **text;
        int64_t *number, max;
    } options[] = {
        {"--output", &a->output, NULL, 0}, {"--model", &a->defaults.model, NULL, 0}, {"--system", &a->defaults.system, NULL, 0},
        {"--url", &a->url, NULL, 0}, {"--priority", &a->setup.priority, NULL, 0}, {"--workers", NULL, &a->setup.workers, WORKERS_MAX},
        {"--limit", NULL, &a->setup.limit, BATCH_ITEMS_MAX}, {"--max-tokens", NULL, &a->defaults.max_tokens, 1000 * 1000},
    };
    bool known = false;

    if (strcmp(name, "--budget") == 0)
        return (a->setup.budget = weir_call_dollars(value)) >= 0;
    for (size_t i = 0; i < sizeof options / sizeof *options; i++) {
        if (strcmp(name, options[i].name) != 0)
            continue;
        if (options[i].number)
            return whole(value, options[i].max, options[i].number);
        *options[i].text = value;
        known = *value != '\0';
    }
    for (size_t i = 0; known && a->setup.priority == value && i < 3; i++)
        if (strcmp(value, priorities[i]) == 0)
            return true;
    return known && a->setup.priority != value;
}

static bool take_words(struct asked *a, int argc, char **argv)
{
    bool ok = argc > 0 && strcmp(argv[0], "run") == 0;

    for (int i = 1; ok && i < argc; i++) {
        if (strcmp(argv[i], "--resume") == 0)
            a->resume = true;
        else if (strcmp(argv[i], "--force") == 0)
            a->force = true;
        else if (strcmp(argv[i], "--dry-run") == 0)
            a->dry_run = true;
        else if (strcmp(argv[i], "--json") == 0)
            a->json = true;
        else if (strcmp(argv[i], "--embedded") == 0)
            a->embedded = true;
        else if (argv[i][0] != '-' && !a->input)
            a->input = argv[i];
        else if ((ok = argv[i][0] == '-' && i + 1 < argc)) {
            ok = take_option(a, argv[i], argv[i + 1]);
            i++;
        }
        if (!ok)
            fprintf(stderr, "weir: '%.60s' is no option with such a value.\n", argv[i < argc ? i - (argv[i][0] != '-') : argc - 1]);
    }
    if (ok && a->resume && a->force) {
        fputs("weir: --resume goes on with an earlier run and --force throws it away; give one of them.\n", stderr);
        return false;
    }
    if (ok && a->embedded && a->url) {
        fputs("weir: --url names a Weir that runs and --embedded starts one; give one of them.\n", stderr);
        return false;
    }
    if (ok && (!a->input || (!a->output && !a->dry_run)))
        fputs("weir: INPUT and --output are needed.\n", stderr);
    return ok && a->input && (a->output || a->dry_run);
}

/* --- texts --- */

static const char *time_text(int64_t s, char out[TIME_SIZE])
{
    if (s < 0)
        return "?";
    if (s >= 3600)
        (void)snprintf(out, TIME_SIZE, "%" PRId64 ":%02d:%02d", s / 3600, (int)(s / 60 % 60), (int)(s % 60));
    else
        (void)snprintf(out, TIME_SIZE, "%02d:%02d", (int)(s / 60), (int)(s % 60));
    return out;
}

/* Cents; below a dollar hundredths of them, below a cent hundredths of those. */
static const char *usd_text(int64_t pico, char out[USD_SIZE])
{
    const int64_t cent = 10 * INT64_C(1000000000);

    if (pico >= 100 * cent || pico == 0)
        (void)snprintf(out, USD_SIZE, "$%" PRId64 ".%02d", pico / (100 * cent), (int)(pico / cent % 100));
    else if (pico >= cent)
        (void)snprintf(out, USD_SIZE, "$0.%04d", (int)(pico / (cent / 100)));
    else
        (void)snprintf(out, USD_SIZE, "$0.%06d", (int)(pico / (cent / 10000)));
    return out;
}

/* --- the bar --- */

struct bar {
    const struct asked *a;
    bool terminal, colours;
    int64_t done_before;                 /* when this run began */
    int64_t said_s;                      /* of the last plain line */
};

/* By the pace so far, and no sooner than the limits allow; -1: nobody knows. */
static int64_t time_left(int64_t seconds, int64_t now, int64_t left, int64_t limits_s)
{
    int64_t pace_s = left <= 0 ? 0 : now > 0 ? seconds * left / now : -1;

    return left > 0 && limits_s > pace_s ? limits_s : pace_s;
}

static void show(void *ctx, int64_t seconds, int64_t in_flight, int64_t limits_s)
{
    struct bar *b = ctx;
    const struct batch_setup *s = &b->a->setup;
    const struct batch_counts *c = batch_log_counts(s->log);
    int64_t n = (int64_t)s->in->n, done = c->succeeded + c->parked, now = done - b->done_before, left = n - done;
    char spent[TIME_SIZE], eta[TIME_SIZE], cost[USD_SIZE], budget[USD_SIZE] = "";
    bool last = in_flight < 0;

    if (s->limit > 0 && s->limit - now < left)
        left = s->limit - now;
    if (!b->terminal && !last && seconds - b->said_s < LINE_SECONDS)
        return;
    b->said_s = seconds;
    if (s->budget >= 0)
        (void)usd_text(s->budget, budget);
    fprintf(stderr, "%s%" PRId64 "/%" PRId64 " [%s<%s] %s✓ %" PRId64 "%s %s✗ %" PRId64 "%s %s%s%s%s", b->terminal ? "\r\033[K" : "", done, n,
            time_text(seconds, spent), time_text(time_left(seconds, now, left, limits_s), eta), b->colours ? "\033[32m" : "",
            c->succeeded, b->colours ? "\033[0m" : "", b->colours && c->parked ? "\033[31m" : "", c->parked, b->colours ? "\033[0m" : "",
            usd_text(c->cost, cost), *budget ? "/" : "", budget, b->terminal && !last ? "" : "\n");
    if (stop == 1 && !last && b->terminal)
        fprintf(stderr, "  stopping: %" PRId64 " in flight", in_flight);
    (void)fflush(stderr);
}

/* --- before and after --- */

static void print_found(const struct batch_log *l)
{
    const struct batch_counts *c = batch_log_counts(l);
    char took[TIME_SIZE], cost[USD_SIZE];

    fprintf(stderr, "Found: %" PRId64 " done, %s, %s so far; going on with the rest.\n", c->succeeded, time_text(c->seconds, took), usd_text(c->cost, cost));
}

static void put_usd(const char *name, int64_t pico)
{
    struct sb text = sb_make(64);

    if (pico >= 0)
        sb_usd(&text, pico);
    else
        sb_puts(&text, "null");
    printf(",\"%s\":%s", name, sb_str(&text));
    sb_done(&text);
}

static void print_estimate_json(const struct batch_estimate *e)
{
    bool priced = e->sampled > e->unpriced;

    printf("{\"items\":%" PRId64 ",\"sampled\":%" PRId64 ",\"tokens_in\":%" PRId64, e->items, e->sampled, e->tokens_in);
    put_usd("cost_low_usd", priced ? e->cost_low : -1);
    put_usd("cost_high_usd", priced ? e->cost_high : -1);
    puts("}");
}

/* And where its model is, for the bar. */
static int print_estimate(struct asked *a)
{
    struct batch_estimate e;
    struct sb why = sb_make(4096);
    char low[USD_SIZE], high[USD_SIZE];
    enum batch_end end = batch_estimate(&a->setup, a->dry_run || !a->resume ? SAMPLES : 0, &e, &why);
    int status = end == BATCH_END_TOKEN ? EX_NOPERM : end == BATCH_END_ALL ? EX_OK : EX_UNAVAILABLE;

    if (status) {
        fprintf(stderr, "weir: %s\n", sb_str(&why));
    } else if (a->json && a->dry_run) {
        print_estimate_json(&e);
    } else if (e.sampled > 0) {
        fprintf(stderr, "%" PRId64 " items, about %" PRId64 " tokens in; ", e.items, e.tokens_in);
        if (e.unpriced == e.sampled)
            fputs("their model has no price.\n", stderr);
        else
            fprintf(stderr, "%s to %s.\n", usd_text(e.cost_low, low), usd_text(e.cost_high, high));
    }
    (void)snprintf(a->upstream, sizeof a->upstream, "%s", e.upstream);
    a->setup.upstream = a->upstream;
    sb_done(&why);
    return status;
}

static void put_text(const char *name, const char *value)
{
    struct sb text = sb_make(64 * 1024);

    sb_json(&text, value);
    printf("\"%s\":%s", name, sb_str(&text));
    sb_done(&text);
}

/* As the checkpoint says it, with the models. */
static void print_summary_json(const struct asked *a)
{
    const struct batch_counts *c = batch_log_counts(a->setup.log);
    size_t n;
    const struct batch_model *m = batch_log_models(a->setup.log, &n);

    printf("{\"items\":%zu,\"succeeded\":%" PRId64 ",\"failed\":%" PRId64 ",\"repeated\":%" PRId64 ",\"tokens_in\":%" PRId64
           ",\"tokens_out\":%" PRId64 ",\"seconds\":%" PRId64, a->setup.in->n, c->succeeded, c->parked, c->repeated, c->tokens_in, c->tokens_out,
           c->seconds);
    put_usd("cost_usd", c->cost);
    put_usd("budget_usd", a->setup.budget);
    printf(",\"by_model\":[");
    for (size_t i = 0; i < n; i++) {
        printf(i ? ",{" : "{");
        put_text("model", *m[i].model ? m[i].model : NULL);
        printf(",\"calls\":%" PRId64 ",\"tokens_in\":%" PRId64 ",\"tokens_out\":%" PRId64, m[i].calls, m[i].tokens_in, m[i].tokens_out);
        put_usd("cost_usd", m[i].cost);
        putchar('}');
    }
    printf("],");
    put_text("output", a->output);
    putchar(',');
    put_text("errors", batch_log_errors(a->setup.log));
    puts("}");
}

static void print_summary(const struct asked *a)
{
    const struct batch_counts *c = batch_log_counts(a->setup.log);
    size_t n;
    const struct batch_model *m = batch_log_models(a->setup.log, &n);
    char cost[USD_SIZE], took[TIME_SIZE];

    printf("\n%-36s %10s %14s %14s %12s\n", "Model", "Calls", "Tokens in", "Tokens out", "Cost");
    for (size_t i = 0; i < n; i++)
        printf("%-36.36s %10" PRId64 " %14" PRId64 " %14" PRId64 " %12s\n", *m[i].model ? m[i].model : "(not told)", m[i].calls, m[i].tokens_in,
               m[i].tokens_out, usd_text(m[i].cost, cost));
    printf("%-36s %10" PRId64 " %14" PRId64 " %14" PRId64 " %12s\n\n", "Total", c->succeeded, c->tokens_in, c->tokens_out, usd_text(c->cost, cost));
    printf("Time: %s\n", time_text(c->seconds, took));
    if (a->setup.budget >= 0)
        printf("Budget left: %s\n", usd_text(a->setup.budget > c->cost ? a->setup.budget - c->cost : 0, cost));
    if (c->repeated)
        printf("Sent again, because Weir ended while they ran: %" PRId64 " (each has first_request_id and first_cost_usd in %s)\n", c->repeated, a->output);
    if (c->parked)
        printf("Given up: %" PRId64 ", with their reasons in %s\n", c->parked, batch_log_errors(a->setup.log));
}

static int status_of(const struct asked *a, enum batch_end end, const struct sb *why)
{
    const struct batch_counts *c = batch_log_counts(a->setup.log);
    int status = EX_TEMPFAIL;

    switch (end) {
    case BATCH_END_ALL:
        return c->parked ? EXIT_PARKED : EX_OK;
    case BATCH_END_STOPPED:
    case BATCH_END_LIMIT:
        break;
    case BATCH_END_BUDGET:
    case BATCH_END_SERVER_BUDGET:
        fprintf(stderr, "weir: %s\n", sb_str(why));
        break;
    case BATCH_END_TOKEN:
        status = EX_NOPERM;
        break;
    case BATCH_END_UNREACHABLE:
        status = EX_UNAVAILABLE;
        break;
    case BATCH_END_FILE:
        status = EX_IOERR;
        break;
    }
    if (status != EX_TEMPFAIL)
        fprintf(stderr, "weir: %s\n", sb_str(why));
    fprintf(stderr, "Stopped; what is done is kept. To go on: the same command with --resume%s.\n",
            end == BATCH_END_BUDGET ? " and a larger --budget" : "");
    return status;
}

static int work(struct asked *a)
{
    struct sb why = sb_make(64 * 1024);
    struct bar bar = {.a = a, .terminal = isatty(STDERR_FILENO) == 1, .said_s = -LINE_SECONDS};
    const struct sigaction sa = {.sa_handler = on_signal};
    enum batch_end end;
    int status = print_estimate(a);

    if (status || a->dry_run)
        return status;
    a->setup.log = batch_log_open(a->output, a->setup.in, a->resume, a->force, &why);
    if (!a->setup.log) {
        fprintf(stderr, "weir: %s\n", sb_str(&why));
        sb_done(&why);
        return EX_CANTCREAT;
    }
    if (a->resume)
        print_found(a->setup.log);
    bar.colours = bar.terminal && !getenv("NO_COLOR");
    bar.done_before = batch_log_counts(a->setup.log)->succeeded;
    a->setup.tick = show;
    a->setup.ctx = &bar;
    (void)sigaction(SIGINT, &sa, NULL);
    (void)sigaction(SIGTERM, &sa, NULL);
    end = batch_run(&a->setup, &why);
    if (a->json)
        print_summary_json(a);
    else
        print_summary(a);
    status = status_of(a, end, &why);
    batch_log_close(a->setup.log);
    sb_done(&why);
    return status;
}

/* Where Weir is, and the work. */
static int reach_and_work(struct asked *a)
{
    struct sb url = sb_make(4096), token = sb_make(4096), why = sb_make(64 * 1024);
    int status = EXIT_CONFIG;

    if (reach_weir(a->url, &url, &token, &why)) {
        a->setup.url = sb_str(&url);
        a->setup.token = sb_str(&token);
        status = work(a);
    } else {
        fprintf(stderr, "weir: %s\n", sb_str(&why));
    }
    if (token.p)
        explicit_bzero(token.p, token.len);
    sb_done(&token);
    sb_done(&url);
    sb_done(&why);
    return status;
}

static int work_embedded(struct asked *a)
{
    const struct sigaction sa = {.sa_handler = on_child, .sa_flags = SA_NOCLDSTOP};
    struct sb url = sb_make(4096);
    struct embedded *weir;
    int status, ended;

    (void)sigaction(SIGCHLD, &sa, NULL);
    status = embedded_start(&weir, &url);
    if (!status) {
        a->url = sb_str(&url);
        status = reach_and_work(a);
        ended = embedded_stop(weir);
        status = ended ? ended : status;
    }
    sb_done(&url);
    return status;
}

int cmd_batch(int argc, char **argv)
{
    struct asked a = {.setup = {.workers = WORKERS, .budget = -1, .priority = "Low", .stop = &stop}};
    struct sb why = sb_make(64 * 1024);
    struct batch_input in = {0};
    int status;

    if ((argc == 1 || argc == 2) && strcmp(argv[argc - 1], "--help") == 0) {
        fputs(usage, stdout);
        return EX_OK;
    }
    if (!take_words(&a, argc, argv)) {
        fputs(usage, stderr);
        return EX_USAGE;
    }
    a.setup.in = &in;
    if (batch_input_read(&in, a.input, &a.defaults, &why)) {
        status = a.embedded ? work_embedded(&a) : reach_and_work(&a);
    } else {
        fprintf(stderr, "weir: %s\n", sb_str(&why));
        status = EX_DATAERR;
    }
    sb_done(&why);
    batch_input_done(&in);
    return status;
}
