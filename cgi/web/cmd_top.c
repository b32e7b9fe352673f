/* cmd_top.c - weir top: limits, queue and spend of the Weir that runs, once a second, from /monitoring/live. */
#include <inttypes.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>
#include <unistd.h>

#include "base/json.h"
#include "web/cmd.h"
#include "web/cmd_config.h"
#include "web/local.h"

enum { EVERY_MS = 1000, BAR_CELLS = 20, OUT_MAX = 1 << 20 };

static const char usage[] =
    "usage: weir top [--once] [--json]\n\n"
    "Shows the limits, the queue, today's spend, the budgets and the open alerts of the Weir that runs, once a second until\n"
    "Ctrl+C. Where the output is no terminal, and with --once, it is printed once; --json prints /monitoring/live.\n\n"
    "Status 0: printed; 64: wrong words; 69: no Weir runs; 78: the settings are wrong.\n";

static volatile sig_atomic_t over;

static void on_signal(int n)
{
    (void)n;
    over = 1;
}

struct look {
    bool terminal, colours;
};

static const char *colour(const struct look *l, const char *code)
{
    return l->colours ? code : "";
}

static const char *of_use(const struct look *l, double use)
{
    return colour(l, use >= 0.95 ? "\033[31m" : use >= 0.8 ? "\033[33m" : "\033[32m");
}

static double share(const json_t *j, const char *name)
{
    double v = json_number_value(json_object_get(j, name));

    return v < 0 ? 0 : v > 1 ? 1 : v;
}

static void put_bar(const struct look *l, double use, struct sb *out)
{
    int full = (int)(use * BAR_CELLS + 0.5);

    sb_puts(out, of_use(l, use));
    for (int i = 0; i < BAR_CELLS; i++)
        sb_puts(out, i < full ? "█" : "░");
    sb_putf(out, "%s %3d %%", colour(l, "\033[0m"), (int)(use * 100 + 0.5));
}

/* "requests_per_minute" as people say it. */
static void put_name(const char *name, struct sb *out)
{
    char text[40];

    (void)snprintf(text, sizeof text, "%s", name);
    for (char *c = text; *c; c++)
        *c = *c == '_' ? ' ' : *c;
    sb_putf(out, "%-26s", text);
}

static void put_limits(const struct look *l, const json_t *live, struct sb *out)
{
    const json_t *upstreams = json_object_get(live, "limits");

    for (size_t i = 0; i < json_array_size(upstreams); i++) {
        const json_t *u = json_array_get(upstreams, i);
        const char *status = json_str(u, "status", ""), *name;
        json_t *d;

        sb_putf(out, "\n%s%s%s  %s%s   running %" PRId64 " of %" PRId64 ", waiting %" PRId64 "   %" PRId64 " calls, each waited %.3f s\n",
                colour(l, "\033[1m"), json_str(u, "name", ""), colour(l, "\033[0m"), status,
                json_is_true(json_object_get(json_object_get(u, "stabilization"), "active")) ? ", stabilizing after a 429" : "",
                json_int(u, "running", 0), json_int(u, "max_concurrent", 0), json_int(u, "waiting", 0), json_int(u, "calls", 0),
                json_number_value(json_object_get(u, "mean_wait_ms")) / 1000);
        json_object_foreach(json_object_get(u, "dimensions"), name, d) {
            if (!json_is_object(d))
                continue;
            sb_puts(out, "  ");
            put_name(name, out);
            put_bar(l, share(d, "utilization"), out);
            sb_putf(out, "  %" PRId64 " of %" PRId64 " left\n", json_int(d, "remaining", 0), json_int(d, "limit", 0));
        }
    }
}

static void put_queue(const json_t *live, struct sb *out)
{
    const json_t *q = json_object_get(live, "queue"), *depth = json_object_get(q, "depth"), *today = json_object_get(live, "today");

    sb_putf(out, "running %" PRId64 " of %" PRId64 "   waiting High %" PRId64 ", Medium %" PRId64 ", Low %" PRId64 "   the oldest for %.1f s\n",
            json_int(q, "running", 0), json_int(q, "max_concurrent", 0), json_int(depth, "High", 0), json_int(depth, "Medium", 0),
            json_int(depth, "Low", 0), (double)json_int(q, "oldest_wait_ms", 0) / 1000);
    sb_putf(out, "today %" PRId64 " requests, %" PRId64 " tokens, $%.4f, %" PRId64 " errors\n", json_int(today, "requests", 0),
            json_int(today, "total_tokens", 0), json_number_value(json_object_get(today, "cost_usd")), json_int(today, "errors", 0));
}

static void put_budgets(const struct look *l, const json_t *live, struct sb *out)
{
    const json_t *list = json_object_get(live, "budgets");

    for (size_t i = 0; i < json_array_size(list); i++) {
        const json_t *b = json_array_get(list, i);
        double limit = json_number_value(json_object_get(b, "limit_usd")), spent = json_number_value(json_object_get(b, "spent_usd"));
        double use = limit > 0 ? (spent + json_number_value(json_object_get(b, "reserved_usd"))) / limit : 1;
        struct sb name = sb_make(256);

        sb_putf(&name, "%s%s%.40s, %s", json_str(b, "scope", ""), *json_str(b, "key", "") ? " " : "", json_str(b, "key", ""), json_str(b, "window", ""));
        sb_putf(out, "%s  %-26.26s", i ? "" : "\nBudgets\n", sb_str(&name));
        put_bar(l, use > 1 ? 1 : use, out);
        sb_putf(out, "  $%.2f of $%.2f spent\n", spent, limit);
        sb_done(&name);
    }
}

static void put_alerts(const struct look *l, const json_t *live, struct sb *out)
{
    const json_t *list = json_object_get(live, "alerts");

    for (size_t i = 0; i < json_array_size(list); i++)
        sb_putf(out, "%s%s  %s%s\n", i ? "" : "\nAlerts\n", colour(l, "\033[31m"), json_str(json_array_get(list, i), "text", ""), colour(l, "\033[0m"));
}

static void print(const struct look *l, const json_t *live)
{
    const json_t *health = json_object_get(live, "health");
    struct sb out = sb_make(OUT_MAX);

    if (l->terminal)
        sb_puts(&out, "\033[H\033[J");
    sb_putf(&out, "%sWeir%s  %s  %.19sZ\n", colour(l, "\033[1m"), colour(l, "\033[0m"), json_str(health, "text", ""), json_str(live, "at", ""));
    put_queue(live, &out);
    put_limits(l, live, &out);
    put_budgets(l, live, &out);
    put_alerts(l, live, &out);
    fputs(sb_str(&out), stdout);
    (void)fflush(stdout);
    sb_done(&out);
}

static int show(struct local *l, const struct look *look, bool json)
{
    int status;

    do {
        json_t *live = local_call(l, "GET", "/monitoring/live", NULL, &status);

        if (live && json) {
            (void)json_dumpf(live, stdout, JSON_INDENT(2));
            putchar('\n');
        } else if (live)
            print(look, live);
        json_decref(live);
        if (!look->terminal || status)
            break;
        (void)poll(NULL, 0, EVERY_MS);
    } while (!over);
    return status;
}

int cmd_top(int argc, char **argv)
{
    const struct sigaction sa = {.sa_handler = on_signal};
    struct look look = {.terminal = isatty(STDOUT_FILENO) == 1};
    struct sb why = sb_make(8192);
    struct settings *s;
    struct local *l = NULL;
    bool json = false;
    int status = EXIT_CONFIG;

    look.colours = look.terminal && !getenv("NO_COLOR");
    for (int i = 0; i < argc; i++) {
        if (strcmp(argv[i], "--help") == 0) {
            fputs(usage, stdout);
            return EX_OK;
        }
        if (strcmp(argv[i], "--once") != 0 && strcmp(argv[i], "--json") != 0) {
            fputs(usage, stderr);
            return EX_USAGE;
        }
        json = json || strcmp(argv[i], "--json") == 0;
        look.terminal = false;
    }
    s = settings_load(NULL, &why);
    if (!s)
        fprintf(stderr, "weir: %s\n", sb_str(&why));
    else if (!local_runs(s)) {
        fprintf(stderr, "weir: no Weir runs with the state folder %s.\n", s->state);
        status = EX_UNAVAILABLE;
    } else
        l = local_open(s, &status);
    (void)sigaction(SIGINT, &sa, NULL);
    (void)sigaction(SIGTERM, &sa, NULL);
    if (l)
        status = show(l, &look, json);
    local_close(l);
    settings_free(s);
    sb_done(&why);
    return status;
}
