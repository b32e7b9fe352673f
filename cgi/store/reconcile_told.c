/* reconcile_told.c - the two sides as a table and as JSON, and what explains a gap. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "store/reconcile_impl.h"

enum { WHYS_MAX = FACTS + 6, WHY_SIZE = 240 };

static const char *const part_names[BILL_PARTS] = {
    [BILL_REQUESTS] = "requests", [BILL_INPUT] = "input_tokens", [BILL_CACHED] = "cached_tokens", [BILL_OUTPUT] = "output_tokens",
    [BILL_COST] = "cost_usd",
};

/* --- why --- */

struct why {
    const char *kind;
    int64_t calls, tokens;               /* < 0: it is not about some */
    char text[WHY_SIZE];
};

struct whys {
    struct why of[WHYS_MAX];
    int n;
};

__attribute__((format(printf, 5, 6)))
static void say(struct whys *w, const char *kind, int64_t calls, int64_t tokens, const char *fmt, ...)
{
    struct why *y = &w->of[w->n++];
    va_list ap;

    y->kind = kind;
    y->calls = calls;
    y->tokens = tokens;
    va_start(ap, fmt);
    (void)vsnprintf(y->text, sizeof y->text, fmt, ap);
    va_end(ap);
}

static void say_facts(struct whys *w, const struct reconcile *r, const struct reconcile_day *d)
{
    static const struct {
        const char *kind, *one, *many;
    } facts[FACTS] = {
        [FACT_ESTIMATED] = {"estimated", "call is Weir's own estimate: its usage never came", "calls are Weir's own estimates: their usage never came"},
        [FACT_INTERRUPTED] = {"interrupted", "call was cut off with Weir itself and is charged at an estimate",
                              "calls were cut off with Weir itself and are charged at an estimate"},
        [FACT_SUSPECT] = {"usage_suspect", "call had implausible usage, which Weir corrected", "calls had implausible usage, which Weir corrected"},
        [FACT_DAY_EDGE] = {"day_edge", "call ran across midnight: the provider may count it on the other day",
                           "calls ran across midnight: the provider may count them on the other day"},
        [FACT_UNPRICED] = {"unpriced", "call had no price in Weir, so its cost is missing there", "calls had no price in Weir, so their cost is missing there"},
        [FACT_IMPORTED] = {"imported", "call was made elsewhere and told to Weir", "calls were made elsewhere and told to Weir"},
    };

    for (int f = 0; f < FACTS; f++) {
        int64_t n = d->fact[f].calls, tokens = d->fact[f].tokens;

        if (n && (f != FACT_UNPRICED || r->s.bill->says[BILL_COST]))
            say(w, facts[f].kind, n, tokens, "%" PRId64 " %s (%" PRId64 " tokens).", n, n == 1 ? facts[f].one : facts[f].many, tokens);
    }
}

/* What no call of ours accounts for. */
static void say_rest(struct whys *w, const struct reconcile *r, const struct reconcile_day *d)
{
    const struct bill *b = r->s.bill;
    int64_t gap = reconcile_tokens(d->bill) - reconcile_tokens(d->weir), calls = d->bill[BILL_REQUESTS] - d->weir[BILL_REQUESTS];
    int64_t unknown = gap;
    bool tokens = b->says[BILL_INPUT] || b->says[BILL_OUTPUT];

    for (int f = 0; f <= FACT_DAY_EDGE; f++)
        unknown -= d->fact[f].tokens;
    if (tokens && gap > 0 && unknown > 0)
        say(w, "foreign", b->says[BILL_REQUESTS] && calls > 0 ? calls : -1, unknown,
            "%" PRId64 " tokens are of no call that went through here: somebody else uses this account (drift in /monitoring/rate-limits).", unknown);
    else if (tokens && gap < 0)
        say(w, "missing", b->says[BILL_REQUESTS] && calls < 0 ? -calls : -1, -gap,
            "%" PRId64 " tokens are not in the file: it is of another account or project, or was made before the day was complete.", -gap);
    else if (b->says[BILL_COST] && tokens && d->bill[BILL_COST] != d->weir[BILL_COST])
        say(w, "prices", -1, -1, "The tokens agree, so the prices differ: a tier, a discount, or a price that has changed.");
}

static struct whys whys_of(const struct reconcile *r, const struct reconcile_model *m, int64_t day)
{
    const struct reconcile_day *d = &m->day[day];
    struct whys w = {.n = 0};
    int64_t ends_ms = zone_day_begins(r->s.zone, r->s.bill->first_day + day + 1);

    if (*m->billed)
        say(&w, "name", -1, -1, "The provider calls it %.100s.", m->billed);
    if (zone_day_begins(r->s.zone, r->s.bill->first_day + day) < r->kept_from_ms)
        say(&w, "retention", -1, -1, "Weir no longer has the single requests of this day%s; its side is the sums that are kept.",
            ends_ms > r->kept_from_ms ? ", or not all of them" : "");
    say_facts(&w, r, d);
    if (!reconcile_within(r, d))
        say_rest(&w, r, d);
    return w;
}

/* --- JSON --- */

static void put_part(struct sb *out, bool said, int part, int64_t v)
{
    if (!said)
        sb_puts(out, "null");
    else if (part == BILL_COST)
        sb_usd(out, v);
    else
        sb_i64(out, v);
}

/* "provider":{…},"weir":{…},"gap":{…} */
static void sides_json(const struct reconcile *r, const struct reconcile_day *d, struct sb *out)
{
    static const char *const sides[] = {"provider", "weir", "gap"};
    const bool *says = r->s.bill->says;

    for (int side = 0; side < 3; side++) {
        sb_putf(out, ",\"%s\":{", sides[side]);
        for (int p = 0; p < BILL_PARTS; p++) {
            sb_putf(out, "%s\"%s\":", p ? "," : "", part_names[p]);
            put_part(out, says[p] || side == 1, p, side == 0 ? d->bill[p] : side == 1 ? d->weir[p] : d->bill[p] - d->weir[p]);
        }
        sb_putc(out, '}');
    }
}

static void day_text(struct sb *out, int64_t day)
{
    struct sb at = sb_make(64);

    sb_time(&at, day * INT64_C(86400000));
    sb_put(out, sb_str(&at), 10);
    sb_done(&at);
}

static void row_json(const struct reconcile *r, const struct reconcile_model *m, int64_t day, struct sb *out)
{
    struct whys w = whys_of(r, m, day);

    sb_puts(out, "{\"day\":\"");
    day_text(out, r->s.bill->first_day + day);
    sb_puts(out, "\",\"model\":");
    sb_json(out, *m->name ? m->name : NULL);
    sides_json(r, &m->day[day], out);
    sb_putf(out, ",\"within\":%s,\"why\":[", reconcile_within(r, &m->day[day]) ? "true" : "false");
    for (int i = 0; i < w.n; i++) {
        sb_putf(out, "%s{\"kind\":\"%s\",\"calls\":", i ? "," : "", w.of[i].kind);
        put_part(out, w.of[i].calls >= 0, BILL_REQUESTS, w.of[i].calls);
        sb_puts(out, ",\"tokens\":");
        put_part(out, w.of[i].tokens >= 0, BILL_INPUT, w.of[i].tokens);
        sb_puts(out, ",\"text\":");
        sb_json(out, w.of[i].text);
        sb_putc(out, '}');
    }
    sb_puts(out, "]}");
}

static struct reconcile_day total_of(const struct reconcile *r)
{
    struct reconcile_day sum = {.met = true};

    for (size_t i = 0; i < r->n; i++)
        for (int64_t d = 0; d < r->days; d++)
            for (int p = 0; p < BILL_PARTS; p++) {
                sum.bill[p] += r->model[i].day[d].bill[p];
                sum.weir[p] += r->model[i].day[d].weir[p];
            }
    return sum;
}

void reconcile_json(const struct reconcile *r, struct sb *out)
{
    const struct reconcile_day total = total_of(r);
    const struct settings *s = r->s.settings;
    const char *comma = "";

    sb_putf(out, "{\"agrees\":%s,\"tolerance\":%.6g,\"tz\":", reconcile_agrees(r) ? "true" : "false", (double)r->s.tolerance_ppm / 1e6);
    sb_json(out, r->s.zone->name);
    sb_puts(out, ",\"first_day\":\"");
    day_text(out, r->s.bill->first_day);
    sb_puts(out, "\",\"last_day\":\"");
    day_text(out, r->s.bill->last_day);
    sb_putf(out, "\",\"more_pages\":%s,\"upstreams\":[", r->s.bill->more_pages ? "true" : "false");
    for (size_t i = 0; i < s->n_upstreams; i++) {
        if (!reconcile_counts(r, s->upstreams[i].name))
            continue;
        sb_puts(out, comma);
        sb_json(out, s->upstreams[i].name);
        comma = ",";
    }
    sb_puts(out, "],\"rows\":[");
    comma = "";
    for (int64_t d = 0; d < r->days; d++)
        for (size_t i = 0; i < r->n; i++) {
            if (!r->model[i].day[d].met)
                continue;
            sb_puts(out, comma);
            row_json(r, &r->model[i], d, out);
            comma = ",";
        }
    sb_putf(out, "],\"total\":{\"within\":%s", reconcile_within(r, &total) ? "true" : "false");
    sides_json(r, &total, out);
    sb_puts(out, "}}\n");
}

/* --- the table --- */

/* "1234" and how far the other side is from it: "+12 (0.9 %)". */
static void cells(struct sb *out, bool said, int64_t bill, int64_t weir, int width)
{
    char gap[40] = "";
    int64_t most = bill > weir ? bill : weir;

    if (!said) {
        sb_putf(out, " %*s %*" PRId64 " %17s", width, "-", width, weir, "");
        return;
    }
    if (bill != weir)
        (void)snprintf(gap, sizeof gap, "%+" PRId64 " (%.1f%%)", bill - weir, most ? 100.0 * (double)(bill - weir) / (double)most : 0.0);
    sb_putf(out, " %*" PRId64 " %*" PRId64 " %17s", width, bill, width, weir, gap);
}

static void dollars(struct sb *out, int64_t pico)
{
    sb_putf(out, " %12.6f", (double)pico / 1e12);
}

static void line(const struct reconcile *r, const char *day, const char *model, const struct reconcile_day *d, struct sb *out)
{
    const struct bill *b = r->s.bill;

    sb_putf(out, "%-10s %-28.28s", day, model);
    cells(out, b->says[BILL_REQUESTS], d->bill[BILL_REQUESTS], d->weir[BILL_REQUESTS], 8);
    cells(out, b->says[BILL_INPUT] || b->says[BILL_OUTPUT], reconcile_tokens(d->bill), reconcile_tokens(d->weir), 12);
    if (b->says[BILL_COST])
        dollars(out, d->bill[BILL_COST]);
    else
        sb_putf(out, " %12s", "-");
    dollars(out, d->weir[BILL_COST]);
    sb_puts(out, reconcile_within(r, d) ? "  ok\n" : "  GAP\n");
}

void reconcile_print(const struct reconcile *r, struct sb *out)
{
    const struct reconcile_day total = total_of(r);

    sb_putf(out, "Days in %s; a gap below %.6g %% counts as none.\n\n", r->s.zone->name, (double)r->s.tolerance_ppm / 1e4);
    sb_putf(out, "%-10s %-28s %8s %8s %17s %12s %12s %17s %12s %12s\n", "", "", "Requests", "", "", "Tokens", "", "", "Cost (USD)", "");
    sb_putf(out, "%-10s %-28s %8s %8s %17s %12s %12s %17s %12s %12s\n", "Day", "Model", "provider", "Weir", "gap", "provider", "Weir", "gap",
            "provider", "Weir");
    for (int64_t d = 0; d < r->days; d++)
        for (size_t i = 0; i < r->n; i++) {
            const struct reconcile_model *m = &r->model[i];
            struct sb day = sb_make(16);
            struct whys w = {.n = 0};

            if (!m->day[d].met)
                continue;
            day_text(&day, r->s.bill->first_day + d);
            line(r, sb_str(&day), *m->name ? m->name : "(all models)", &m->day[d], out);
            sb_done(&day);
            if (!reconcile_within(r, &m->day[d]))
                w = whys_of(r, m, d);
            for (int k = 0; k < w.n; k++)
                sb_putf(out, "           %s\n", w.of[k].text);
        }
    line(r, "Total", "", &total, out);
    if (r->s.bill->more_pages)
        sb_puts(out, "\nThe file says that it has not all: get its other pages and give them too.\n");
}
