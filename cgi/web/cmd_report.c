/* cmd_report.c - weir report: the figures of /monitoring for people at a terminal
 * and as a file. It asks the same functions as the endpoints, so the numbers are
 * the same; only the table is made here. Works beside a running Weir. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sysexits.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/json.h"
#include "base/settings.h"
#include "store/db.h"
#include "store/report.h"
#include "web/cmd.h"
#include "web/cmd_config.h"

enum { OUT_MAX = 64 * 1024 * 1024, ROWS_MAX = 1000 };

/* What the words after `weir report` come to. */
struct wanted {
    struct report_filter filter;
    const char *output;              /* folder of the file */
    bool json;                       /* JSON to the terminal instead of tables */
    const char *tz;
};

static const char usage[] =
    "usage: weir report [--from T] [--to T] [--tz ZONE] [--user-id ID] [--session-id ID] [--model NAME] [--upstream NAME]\n"
    "                   [--api-endpoint PATH] [--priority P] [--status S] [--output FOLDER] [--json]\n\n"
    "Prints what was used and paid, and writes it all to usage_report_<time>.json in FOLDER (the current one unless given).\n"
    "T is RFC 3339 or relative as -24h, -7d, -30d; from -30d to now unless given. With --json the file's text is printed.\n";

/* "user-id" as the endpoints' queries have it. */
static void query_name(const char *option, char name[32])
{
    (void)snprintf(name, 32, "%s", option);
    for (char *c = name; *c; c++)
        *c = *c == '-' ? '_' : *c;
}

/* False with a sentence in `why`. */
static bool read_words(int argc, char **argv, struct wanted *w, struct sb *why)
{
    const char *param = "";
    char text[160] = "";

    w->filter = report_filter_make(clock_utc_ms());
    w->filter.limit = ROWS_MAX;
    w->output = ".";
    w->tz = "UTC";
    if (report_filter_set(&w->filter, "from", "-30d", text))
        return false;
    for (int i = 0; i < argc; i++) {
        char name[32];

        if (strcmp(argv[i], "--json") == 0) {
            w->json = true;
            continue;
        }
        if (strncmp(argv[i], "--", 2) != 0 || i + 1 == argc) {
            sb_putf(why, "'%.60s' is no option with a value.", argv[i]);
            return false;
        }
        query_name(argv[i++] + 2, name);
        if (strcmp(name, "output") == 0)
            w->output = argv[i];
        else if (strcmp(name, "limit") == 0 || strcmp(name, "cursor") == 0 || strcmp(name, "sort") == 0 ||
                 strcmp(name, "granularity") == 0)
            (void)snprintf(text, sizeof text, "'%.60s' is not an option.", argv[i - 1]);
        else if (report_filter_set(&w->filter, name, argv[i], text) == WEIR_E_UNKNOWN_FIELD)
            (void)snprintf(text, sizeof text, "'%.60s' is not an option.", argv[i - 1]);
        if (*text) {
            sb_puts(why, text);
            return false;
        }
        w->tz = strcmp(name, "tz") == 0 ? argv[i] : w->tz;
    }
    if (report_filter_check(&w->filter, &param, text)) {
        sb_puts(why, text);
        return false;
    }
    return true;
}

/* --- the file --- */

static enum weir_err make_json(struct db *ro, const struct wanted *w, struct sb *out)
{
    static const struct {
        const char *name;
        enum weir_err (*report)(struct db *ro, const struct report_filter *f, struct sb *out);
    } parts[] = {
        {"token_usage", report_token_usage}, {"cost_breakdown", report_cost_breakdown}, {"performance", report_performance},
    };
    const struct report_filter *f = &w->filter;
    const struct { const char *name; int64_t ms; } times[] = {{"generated_at", f->now_ms}, {"from", f->from_ms}, {"to", f->to_ms}};
    enum weir_err e = WEIR_OK;

    for (int i = 0; i < 3; i++) {
        sb_putf(out, "%s\"%s\":\"", i ? "," : "{", times[i].name);
        sb_time(out, times[i].ms);
        sb_putc(out, '"');
    }
    sb_puts(out, ",\"tz\":");
    sb_json(out, w->tz);
    for (size_t i = 0; !e && i < sizeof parts / sizeof *parts; i++) {
        sb_putf(out, ",\"%s\":", parts[i].name);
        e = parts[i].report(ro, f, out);
    }
    sb_puts(out, "}\n");
    return !e && !sb_ok(out) ? WEIR_E_STORAGE : e;
}

/* A new file; false with a sentence in `why`. Its name is left in `path`. */
static bool write_file(const struct wanted *w, const struct sb *text, struct sb *path, struct sb *why)
{
    struct sb at = sb_make(64);
    size_t sent = 0;
    ssize_t n = 0;
    int fd;

    sb_time(&at, w->filter.now_ms);             /* 2026-11-22T06:20:00.123Z */
    sb_putf(path, "%s/usage_report_%.4s%.2s%.2sT%.2s%.2s%.2sZ.json", w->output, sb_str(&at), sb_str(&at) + 5, sb_str(&at) + 8,
            sb_str(&at) + 11, sb_str(&at) + 14, sb_str(&at) + 17);
    sb_done(&at);
    fd = open(sb_str(path), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    while (fd >= 0 && sent < text->len && (n = write(fd, text->p + sent, text->len - sent)) > 0)
        sent += (size_t)n;
    if (fd < 0 || close(fd) < 0 || sent < text->len) {
        sb_putf(why, "%s: cannot be written: %s", sb_str(path), strerror(errno));
        return false;
    }
    return true;
}

/* --- the tables --- */

static void print_row(const char *key, const json_t *sums)
{
    const json_t *cost = json_object_get(sums, "cost_usd");
    char usd[32] = "no price";

    if (json_is_number(cost))
        (void)snprintf(usd, sizeof usd, "%.6f", json_number_value(cost));
    printf("  %-36.36s %10lld %14lld %14lld %14lld %16s\n", key, (long long)json_int(sums, "requests", 0),
           (long long)json_int(sums, "prompt_tokens", 0), (long long)json_int(sums, "completion_tokens", 0),
           (long long)json_int(sums, "total_tokens", 0), usd);
}

static void print_tables(const json_t *report)
{
    static const struct { const char *name, *title; } lists[] = {{"by_model", "Model"}, {"by_user", "User"}, {"by_day", "Day"}};
    const json_t *cost = json_object_get(report, "cost_breakdown"), *unpriced = json_object_get(cost, "unpriced");

    printf("Usage from %.16sZ to %.16sZ, days in %s\n", json_str(report, "from", ""), json_str(report, "to", ""),
           json_str(report, "tz", ""));
    for (size_t i = 0; i < sizeof lists / sizeof *lists; i++) {
        const json_t *list = json_object_get(cost, lists[i].name), *entry;
        size_t n;

        printf("\n  %-36s %10s %14s %14s %14s %16s\n", lists[i].title, "Requests", "Input tokens", "Output tokens", "Tokens", "Cost (USD)");
        json_array_foreach(list, n, entry)
            print_row(json_str(entry, "key", "(others)"), entry);
    }
    printf("\n");
    print_row("Total", json_object_get(cost, "total"));
    if (json_int(unpriced, "requests", 0) > 0)
        printf("\n  %lld requests with %lld tokens were of models without a known price, and are not in the cost.\n",
               (long long)json_int(unpriced, "requests", 0), (long long)json_int(unpriced, "tokens", 0));
}

int cmd_report(int argc, char **argv)
{
    struct sb why = sb_make(8192), path = sb_make(8192), text = sb_make(OUT_MAX);
    struct settings *s = NULL;
    struct wanted w = {.output = "."};
    struct db *db = NULL;
    json_t *report = NULL;
    char db_why[DB_WHY_SIZE];
    int status = EX_USAGE;

    if (argc == 1 && strcmp(argv[0], "--help") == 0) {
        fputs(usage, stdout);
        status = EX_OK;
        goto out;
    }
    if (!read_words(argc, argv, &w, &why)) {
        fprintf(stderr, "weir: %s\n%s", sb_str(&why), usage);
        goto out;
    }
    status = EXIT_CONFIG;
    s = settings_load(NULL, &why);
    if (!s) {
        fprintf(stderr, "weir: %s\n", sb_str(&why));
        goto out;
    }
    status = EX_IOERR;
    sb_putf(&path, "%s/weir.db", s->state);
    if (db_open_reader(sb_str(&path), &db, db_why)) {
        fprintf(stderr, "weir: %s\n", db_why);
        goto out;
    }
    if (make_json(db, &w, &text)) {
        fprintf(stderr, "weir: %s: cannot be read\n", sb_str(&path));
        goto out;
    }
    sb_reset(&path);
    status = EX_CANTCREAT;
    if (!write_file(&w, &text, &path, &why)) {
        fprintf(stderr, "weir: %s\n", sb_str(&why));
        goto out;
    }
    status = EX_OK;
    if (w.json) {
        fputs(sb_str(&text), stdout);
        goto out;
    }
    report = json_loads(sb_str(&text), 0, NULL);
    print_tables(report);
    printf("\nAll of it is in %s\n", sb_str(&path));
out:
    json_decref(report);
    db_close(db);
    settings_free(s);
    sb_done(&why);
    sb_done(&path);
    sb_done(&text);
    return status;
}
