/* report_performance.c - how fast, how reliable, and what the figures say could be better.
 *
 * The score is the weighted mean of four parts, each from 0 to 1; a part without
 * data is left out, and without requests there is no score. */
#include <inttypes.h>
#include <stdlib.h>

#include "base/mem.h"
#include "store/event_row.h"
#include "store/record.h"
#include "store/report_list.h"
#include "store/report_scan.h"

#define MILLION INT64_C(1000000)

/* A first token within this time at p95 earns the part's full points. */
#define GOOD_TTFT_US INT64_C(2000000)
enum { NAMED_MODELS = 5 };

/* --- percentiles --- */

static void ms_json(struct sb *out, int64_t us)
{
    if (us < 0)
        sb_puts(out, "null");
    else
        sb_i64(out, (us + 500) / 1000);
}

/* {"p50":…,"p90":…,"p95":…,"p99":…,"mean":…} in milliseconds. */
static void percentiles_json(struct sb *out, const char *name, const struct hist *h, enum hist_metric m, int64_t sum_us)
{
    static const struct { const char *name; int32_t ppm; } quantiles[] = {
        {"p50", 500000}, {"p90", 900000}, {"p95", 950000}, {"p99", 990000},
    };
    int64_t n = hist_count(h, m);

    sb_putf(out, "\"%s\":{", name);
    for (size_t i = 0; i < sizeof quantiles / sizeof *quantiles; i++) {
        sb_putf(out, "\"%s\":", quantiles[i].name);
        ms_json(out, hist_quantile(h, m, quantiles[i].ppm));
        sb_putc(out, ',');
    }
    sb_puts(out, "\"mean\":");
    ms_json(out, n ? sum_us / n : -1);
    sb_putc(out, '}');
}

static void series_json(struct sb *out, const struct report_series *r)
{
    sb_puts(out, ",\"series\":[");
    for (size_t i = 0; i < r->count; i++) {
        const struct hist *h = &r->hist[i];

        sb_puts(out, i ? ",{" : "{");
        json_time(out, "at", r->start_ms[i]);
        sb_puts(out, ",\"requests\":");
        sb_i64(out, r->sums[i].requests);
        sb_puts(out, ",\"p50\":");
        ms_json(out, hist_quantile(h, HIST_DURATION, 500000));
        sb_puts(out, ",\"p90\":");
        ms_json(out, hist_quantile(h, HIST_DURATION, 900000));
        sb_puts(out, ",\"p95\":");
        ms_json(out, hist_quantile(h, HIST_DURATION, 950000));
        sb_puts(out, ",\"p99\":");
        ms_json(out, hist_quantile(h, HIST_DURATION, 990000));
        sb_puts(out, ",\"ttft_p95\":");
        ms_json(out, hist_quantile(h, HIST_TTFT, 950000));
        sb_putc(out, '}');
    }
    sb_putc(out, ']');
}

/* --- outcomes --- */

struct outcome {
    int64_t success, cancelled, retries_ppm, success_ppm;      /* -1: no data */
};

/* Of one model, 0: of all; `sum` is theirs. */
static struct outcome outcome_of(const struct report_scan *s, int64_t model, const struct report_sums *sum)
{
    struct outcome o = {0, 0, -1, -1};
    int64_t counted;

    for (size_t i = 0; i < s->combo_count; i++) {
        if (model && s->combo[i].dims.model != model)
            continue;
        if (s->combo[i].dims.status == CALL_SUCCESS)
            o.success += s->combo[i].sums.requests;
        if (s->combo[i].dims.status == CALL_CANCELLED)
            o.cancelled += s->combo[i].sums.requests;
    }
    counted = sum->requests - o.cancelled;
    if (counted > 0)
        o.success_ppm = o.success * MILLION / counted;
    if (sum->requests > 0)
        o.retries_ppm = sum->retries * MILLION / sum->requests;
    return o;
}

/* "requests":…, "latency_ms":{…}, "ttft_ms":{…}, "queue_wait_ms":{…}, "tokens_per_second":…, "success_rate":… */
static void speed_json(struct sb *out, const struct report_sums *sum, const struct hist *h, const struct outcome *o)
{
    sb_puts(out, "\"requests\":");
    sb_i64(out, sum->requests);
    sb_putc(out, ',');
    percentiles_json(out, "latency_ms", h, HIST_DURATION, sum->wait_us + sum->ttft_us + sum->writing_us);
    sb_putc(out, ',');
    percentiles_json(out, "ttft_ms", h, HIST_TTFT, sum->ttft_us);
    sb_putc(out, ',');
    percentiles_json(out, "queue_wait_ms", h, HIST_WAIT, sum->wait_us);
    sb_puts(out, ",\"tokens_per_second\":");
    record_ratio_json(out, sum->completion * MILLION, sum->writing_us, 1);
    sb_puts(out, ",\"success_rate\":");
    record_ratio_json(out, o->success, sum->requests - o->cancelled, 4);
}

/* [{type, count, rate}]: failures by their code, most frequent first. */
static enum weir_err errors_json(struct db *ro, const struct report_scan *s, struct sb *out)
{
    static const char sql[] =
        "SELECT coalesce(w.text, CASE e.status WHEN 3 THEN 'timeout' WHEN 4 THEN 'rejected' ELSE 'error' END), count(*)"
        " FROM events e LEFT JOIN words w ON w.id = e.error"
        " WHERE e.status IN (1, 3, 4) AND e.status > 0 AND e.state = 2 AND e.id >= ?1 AND e.id < ?2"
        " AND (?3 = 0 OR e.user = ?3) AND (?4 = 0 OR e.session = ?4) AND (?5 = 0 OR e.model = ?5)"
        " AND (?6 = 0 OR e.upstream = ?6) AND (?7 = 0 OR e.endpoint = ?7) AND (?8 < 0 OR e.priority = ?8)"
        " AND (?9 < 0 OR e.status = ?9) GROUP BY 1 ORDER BY 2 DESC, 1 LIMIT 20";
    const struct report_keys *k = &s->keys;
    const int64_t args[] = {s->f->from_ms << EVENT_BITS, report_until(s->f) << EVENT_BITS, k->user, k->session, k->model,
                            k->upstream, k->endpoint, s->f->priority, s->f->status};
    struct query q = query(ro, sql);
    const char *comma = "";

    for (size_t i = 0; i < sizeof args / sizeof *args; i++)
        query_i64(&q, args[i]);
    sb_puts(out, ",\"error_rates\":[");
    while (query_row(&q)) {
        sb_putf(out, "%s{\"type\":", comma);
        sb_json(out, query_col_text(&q, 0));
        sb_puts(out, ",\"count\":");
        sb_i64(out, query_col_i64(&q, 1));
        sb_puts(out, ",\"rate\":");
        record_ratio_json(out, query_col_i64(&q, 1), s->total.requests, 4);
        sb_putc(out, '}');
        comma = ",";
    }
    sb_putc(out, ']');
    return query_end(&q);
}

/* --- score --- */

static int64_t at_most_one(int64_t ppm)
{
    return ppm < 0 ? 0 : ppm > MILLION ? MILLION : ppm;
}

static void score_json(struct sb *out, const struct report_scan *s, const struct hist *h, const struct outcome *o)
{
    int64_t busy_us = s->total.wait_us + s->total.ttft_us + s->total.writing_us;
    int64_t ttft_us = hist_quantile(h, HIST_TTFT, 950000);
    const struct { const char *name; int64_t weight, ppm; } parts[] = {      /* ppm -1: no data */
        {"success", 50, o->success_ppm},
        {"no_waiting", 20, busy_us ? MILLION - s->total.wait_us * MILLION / busy_us : -1},
        {"first_token", 15, ttft_us < 0 ? -1 : at_most_one(GOOD_TTFT_US * MILLION / (ttft_us + 1))},
        {"no_retries", 15, o->retries_ppm < 0 ? -1 : MILLION - at_most_one(o->retries_ppm)},
    };
    int64_t points = 0, weights = 0;

    for (size_t i = 0; i < sizeof parts / sizeof *parts; i++) {
        if (parts[i].ppm >= 0) {
            points += parts[i].weight * parts[i].ppm;
            weights += parts[i].weight;
        }
    }
    sb_puts(out, ",\"score\":");
    record_ratio_json(out, points * 100, weights * MILLION, 1);
    sb_puts(out, ",\"score_parts\":[");
    for (size_t i = 0; i < sizeof parts / sizeof *parts; i++) {
        sb_putf(out, "%s{\"name\":\"%s\",\"weight\":", i ? "," : "", parts[i].name);
        sb_i64(out, parts[i].weight);
        sb_puts(out, ",\"value\":");
        record_ratio_json(out, parts[i].ppm, parts[i].ppm < 0 ? 0 : MILLION, 4);
        sb_putc(out, '}');
    }
    sb_putc(out, ']');
}

/* --- suggestions --- */

/* gpt-a, gpt-b and others */
static enum weir_err unpriced_models(struct db *ro, const struct report_scan *s, struct sb *out)
{
    struct report_list l = {0};
    enum weir_err e = WEIR_OK;

    for (size_t i = 0; i < s->combo_count; i++) {
        if (s->combo[i].sums.unpriced)
            report_list_add(&l, s->combo[i].dims.model, &s->combo[i].sums);
    }
    for (size_t i = 0; !e && i < l.count && i < NAMED_MODELS; i++) {
        struct query q = query(ro, "SELECT text FROM words WHERE id = ?1");

        query_i64(&q, l.entry[i].key);
        sb_puts(out, i ? ", " : "");
        sb_puts(out, query_row(&q) ? query_col_text(&q, 0) : "?");
        e = query_stop(&q);
    }
    if (l.count > NAMED_MODELS)
        sb_puts(out, " and others");
    report_list_done(&l);
    return e;
}

/* What the figures alone say. What a replay says is added by the caller, so this is the last member. */
static enum weir_err suggestions_json(struct db *ro, const struct report_scan *s, struct sb *out)
{
    struct sb models = sb_make(8192), text = sb_make(10000);
    enum weir_err e = WEIR_OK;

    sb_puts(out, ",\"suggestions\":[");
    if (s->total.unpriced > 0) {
        e = unpriced_models(ro, s, &models);
        sb_puts(out, "{\"severity\":\"warning\",\"text\":");
        sb_putf(&text, "%" PRId64 " requests went to models without a price, so their cost is unknown. Set a price for %s.",
                s->total.unpriced, sb_str(&models));
        sb_json(out, sb_str(&text));
        sb_puts(out, ",\"setting\":\"prices\",\"current\":\"none\",\"proposed\":");
        sb_reset(&text);
        sb_putf(&text, "a price for %s", sb_str(&models));
        sb_json(out, sb_str(&text));
        sb_putf(out, ",\"evidence\":{\"requests\":%" PRId64 ",\"unpriced\":%" PRId64 "}}", s->total.requests, s->total.unpriced);
    }
    sb_putc(out, ']');
    sb_done(&models);
    sb_done(&text);
    return e;
}

enum weir_err report_performance(struct db *ro, const struct report_filter *f, struct sb *out)
{
    enum granularity g = report_granularity(f) == GRANULARITY_DAY ? GRANULARITY_DAY : GRANULARITY_HOUR;
    struct hist *h = mem_zalloc(1, sizeof *h);
    struct report_scan s;
    struct outcome o;
    enum weir_err e = report_scan_init(&s, ro, f);

    if (!e) {
        report_scan_own(&s);
        for (size_t i = 0; i < s.combo_count; i++)
            s.combo[i].hist = h;
        report_scan_buckets(&s, 0, g, true);
        e = report_scan_run(&s, ro);
    }
    if (e)
        goto out;
    o = outcome_of(&s, 0, &s.total);
    sb_putc(out, '{');
    speed_json(out, &s.total, h, &o);
    e = errors_json(ro, &s, out);
    sb_puts(out, ",\"retries\":{\"total\":");
    sb_i64(out, s.total.retries);
    sb_puts(out, ",\"per_request\":");
    record_ratio_json(out, s.total.retries, s.total.requests, 4);
    sb_puts(out, "},\"cancelled\":");
    sb_i64(out, o.cancelled);
    score_json(out, &s, h, &o);
    series_json(out, &s.series[0]);
    if (!e)
        e = suggestions_json(ro, &s, out);
    sb_putc(out, '}');
out:
    report_scan_done(&s, ro);
    free(h);
    return e;
}

enum weir_err report_retried(struct db *ro, const struct report_filter *f, struct sb *out)
{
    static const char sql[] =            /* CROSS: from the few attempts to their events, not through all events of the time */
        "SELECT count(*), total(e.status = 0) FROM attempt_rows a CROSS JOIN events e ON e.id = a.event"
        " WHERE a.event >= ?1 AND a.event < ?2 AND a.n = 2 AND e.state = 2"
        " AND (?3 = 0 OR e.user = ?3) AND (?4 = 0 OR e.session = ?4) AND (?5 = 0 OR e.model = ?5)"
        " AND (?6 = 0 OR e.upstream = ?6) AND (?7 = 0 OR e.endpoint = ?7) AND (?8 < 0 OR e.priority = ?8)"
        " AND (?9 < 0 OR e.status = ?9)";
    struct report_scan s;
    enum weir_err e = report_scan_init(&s, ro, f);

    if (!e) {
        const struct report_keys *k = &s.keys;
        const int64_t args[] = {f->from_ms << EVENT_BITS, report_until(f) << EVENT_BITS, k->user, k->session, k->model, k->upstream,
                                k->endpoint, f->priority, f->status};
        struct query q = query(ro, sql);

        for (size_t i = 0; i < sizeof args / sizeof *args; i++)
            query_i64(&q, args[i]);
        if (query_row(&q))
            sb_putf(out, "{\"requests\":%" PRId64 ",\"succeeded\":%" PRId64 "}", query_col_i64(&q, 0), query_col_i64(&q, 1));
        e = query_stop(&q);
    }
    report_scan_done(&s, ro);
    return e;
}

enum weir_err report_brief(struct db *ro, const struct report_filter *f, struct sb *out)
{
    struct hist *h = mem_zalloc(1, sizeof *h);
    struct report_scan s;
    enum weir_err e = report_scan_init(&s, ro, f);

    if (!e) {
        for (size_t i = 0; i < s.combo_count; i++)
            s.combo[i].hist = s.combo[i].dims.upstream == s.imported ? NULL : h;
        e = report_scan_run(&s, ro);
    }
    if (!e) {
        sb_puts(out, "{\"totals\":{");
        report_sums_json(out, &s.total);
        sb_puts(out, "},");
        percentiles_json(out, "ttft_ms", h, HIST_TTFT, s.total.ttft_us);
        sb_putc(out, ',');
        percentiles_json(out, "queue_wait_ms", h, HIST_WAIT, s.total.wait_us);
        report_efficiency_json(&s, out);
        sb_putc(out, '}');
    }
    report_scan_done(&s, ro);
    free(h);
    return e;
}

/* --- by model --- */

/* One histogram for each model of the scan, in the order of `models`. */
static struct hist *hist_by_model(struct report_scan *s, struct report_list *models)
{
    struct hist *h;

    for (size_t i = 0; i < s->combo_count; i++)
        report_list_add(models, s->combo[i].dims.model, &s->combo[i].sums);      /* none yet: their keys alone */
    h = mem_zalloc(models->count + 1, sizeof *h);
    for (size_t i = 0; i < s->combo_count; i++)
        s->combo[i].hist = &h[idmap_get(&models->at, (uint64_t)s->combo[i].dims.model)];
    return h;
}

enum weir_err report_models(struct db *ro, const struct report_filter *f, struct sb *out)
{
    struct report_list models = {0}, dearest = {0};
    struct report_scan s;
    struct hist *h = NULL;
    const char *comma = "";
    enum weir_err e = report_scan_init(&s, ro, f);

    if (!e) {
        report_scan_own(&s);
        h = hist_by_model(&s, &models);
        e = report_scan_run(&s, ro);
    }
    if (!e) {
        report_list_fold(&dearest, &s, BY_MODEL);
        report_list_order(&dearest, f->limit);
        sb_puts(out, "{\"models\":[");
    }
    for (size_t i = 0; !e && i < dearest.count; i++) {
        const struct report_entry *m = &dearest.entry[i];
        struct outcome o = outcome_of(&s, m->key, &m->sums);

        if (!m->key)
            continue;
        sb_putf(out, "%s{\"key\":", comma);
        e = report_name_json(ro, BY_MODEL, m->key, out);
        sb_putc(out, ',');
        speed_json(out, &m->sums, &h[idmap_get(&models.at, (uint64_t)m->key)], &o);
        sb_putc(out, '}');
        comma = ",";
    }
    if (!e)
        sb_puts(out, "]}");
    report_list_done(&models);
    report_list_done(&dearest);
    report_scan_done(&s, ro);
    free(h);
    return e;
}
