/* cmd_reconcile.c - weir reconcile FILE…: a provider's usage export beside the ledger. Also while Weir runs. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>

#include "base/file.h"
#include "base/mem.h"
#include "store/reconcile.h"
#include "web/cmd.h"
#include "web/cmd_config.h"

enum { FILE_MAX = 256 << 20, OUT_MAX = 64 << 20, EXIT_GAP = 1, PPM_PER_PERCENT = 10000 };

static const char usage[] =
    "usage: weir reconcile FILE… [--tz ZONE] [--tolerance PERCENT] [--upstream NAME]… [--json]\n\n"
    "Compares what a provider says was used with Weir's own records, by day and model, and explains the gap. FILE is a usage\n"
    "or cost export of OpenAI or Anthropic (CSV, or the JSON of their usage and cost endpoints), or any CSV with a header:\n"
    "day, model, requests, input_tokens, cached_tokens, output_tokens, cost. Nothing is written; Weir may run.\n\n"
    "  --tz         the zone of the provider's days; UTC unless given\n"
    "  --tolerance  a gap of so many percent counts as none; 1 unless given\n"
    "  --upstream   only calls to these; else those of the file's provider, or all where the file does not tell\n"
    "  --json       for programs\n\n"
    "Status 0: no gap; 1: there is one; 65: a row cannot be read, and which was printed; 66: there is no such file; 74: the\n"
    "ledger cannot be read.\n";

struct asked {
    char **file;
    int files;
    struct cfg_list upstreams;           /* borrowed words */
    struct zone zone;
    int64_t tolerance_ppm;
    bool json;
};

static bool take_tolerance(const char *text, int64_t *ppm)
{
    char *end;
    double percent = strtod(text, &end);

    *ppm = percent >= 0 && percent <= 100 ? (int64_t)(percent * PPM_PER_PERCENT + 0.5) : -1;
    return end != text && !*end && *ppm >= 0;
}

static bool take_words(struct asked *a, int argc, char **argv)
{
    bool ok = true;

    for (int i = 0; ok && i < argc; i++) {
        const char *word = argv[i];
        bool value = i + 1 < argc;

        if (strcmp(word, "--json") == 0)
            a->json = true;
        else if (strcmp(word, "--tz") == 0)
            ok = value && zone_load(argv[++i], &a->zone);
        else if (strcmp(word, "--tolerance") == 0)
            ok = value && take_tolerance(argv[++i], &a->tolerance_ppm);
        else if (strcmp(word, "--upstream") == 0 && (ok = value))
            a->upstreams.items[a->upstreams.n++] = argv[++i];
        else if ((ok = ok && *word != '-'))
            a->file[a->files++] = argv[i];
        if (!ok)
            fprintf(stderr, "weir: '%.60s'%s cannot be.\n", word, value && *word == '-' ? " with that value" : "");
    }
    return ok && a->files > 0;
}

static int read_bill(const struct asked *a, struct bill *b, struct sb *why)
{
    int status = EX_OK;

    for (int i = 0; i < a->files; i++) {
        struct sb text = sb_make(FILE_MAX);

        if (!file_read(a->file[i], &text, why)) {
            sb_putc(why, '\n');
            status = EX_NOINPUT;
        } else if (!bill_read(b, a->file[i], sb_str(&text), text.len, &a->zone, why)) {
            status = status ? status : EX_DATAERR;
        }
        sb_done(&text);
    }
    if (!status && !b->last_day) {
        sb_puts(why, "weir: no day is in it.\n");
        status = EX_DATAERR;
    }
    return status;
}

static int compare(const struct asked *a, const struct bill *b, const struct settings *s, const struct price_table *prices, struct sb *out)
{
    struct reconcile_setup setup = {.bill = b, .zone = &a->zone, .settings = s, .prices = prices, .upstreams = &a->upstreams,
                                    .tolerance_ppm = a->tolerance_ppm};
    struct sb path = sb_make(8192);
    struct reconcile *r = NULL;
    char why[DB_WHY_SIZE] = "the ledger cannot be read.";
    int status = EX_IOERR;

    sb_putf(&path, "%s/weir.db", s->state);
    if (db_open_reader(sb_str(&path), &setup.ro, why) || reconcile_new(&setup, &r)) {
        fprintf(stderr, "weir: %s\n", why);
    } else {
        status = reconcile_agrees(r) ? EX_OK : EXIT_GAP;
        (a->json ? reconcile_json : reconcile_print)(r, out);
    }
    reconcile_free(r);
    db_close(setup.ro);
    sb_done(&path);
    return status;
}

static struct price_table *load_prices(const struct settings *s, struct sb *why)
{
    struct sb text = sb_make(FILE_MAX);
    struct price_table *t = NULL;
    char reason[PRICE_WHY] = "";

    if (file_read(s->prices, &text, why) && price_table_load(sb_str(&text), text.len, NULL, 0, &t, reason))
        sb_putf(why, "%s: %s", s->prices, reason);
    sb_done(&text);
    return t;
}

int cmd_reconcile(int argc, char **argv)
{
    struct sb why = sb_make(64 << 10), out = sb_make(OUT_MAX);
    struct asked a = {.zone = zone_utc(), .tolerance_ppm = PPM_PER_PERCENT};
    struct price_table *prices = NULL;
    struct settings *s = NULL;
    struct bill bill = {0};
    int status = EX_USAGE;

    a.file = mem_zalloc((size_t)argc + 1, sizeof *a.file);
    a.upstreams.items = mem_zalloc((size_t)argc + 1, sizeof *a.upstreams.items);
    if (argc == 1 && strcmp(argv[0], "--help") == 0) {
        fputs(usage, stdout);
        status = EX_OK;
    } else if (!take_words(&a, argc, argv)) {
        fputs(usage, stderr);
    } else if ((s = settings_load(NULL, &why)) == NULL || (prices = load_prices(s, &why)) == NULL) {
        fprintf(stderr, "weir: %s\n", sb_str(&why));
        status = EXIT_CONFIG;
    } else if ((status = read_bill(&a, &bill, &why)) != EX_OK) {
        fputs(sb_str(&why), stderr);
    } else {
        status = compare(&a, &bill, s, prices, &out);
    }
    if (out.len && (fputs(sb_str(&out), stdout) < 0 || fflush(stdout) != 0))
        status = EX_IOERR;
    bill_done(&bill);
    price_table_free(prices);
    settings_free(s);
    free(a.file);
    free(a.upstreams.items);
    sb_done(&why);
    sb_done(&out);
    return status;
}
