/* report_export.c - one statement that goes on where it stopped, a row of values,
 * three ways to write it. */
#include "store/report_export.h"

#include <stdio.h>
#include <string.h>

#include "rules/gate.h"
#include "store/event_key.h"
#include "store/ledger.h"
#include "store/report_list.h"

enum { ROWS_A_PIECE = 500 };       /* looked at, whether or not the filter lets them through */

/* The order is that of the cells below. */
enum column {
    REQUEST_ID, AT, USER_ID, SESSION_ID, MODEL, REQUESTED_MODEL, UPSTREAM, API_ENDPOINT, PRIORITY, STATUS, FINISH_REASON,
    ERROR_CODE, PROMPT, CACHED, CACHE_WRITE, COMPLETION, REASONING, TOTAL, ESTIMATED, INPUT_USD, OUTPUT_USD, COST_USD, PRICE_VERSION, ATTEMPTS,
    QUEUE, RETRY_WAIT, TTFT, WRITING, DURATION, HELD_BY, TOKEN_ID, UNITS, TZ, COLUMNS
};

const struct export_column export_columns[] = {
    [REQUEST_ID] = {"request_id", "the request, as in every other answer about it"},
    [AT] = {"at", "when it was accepted, UTC"},
    [USER_ID] = {"user_id", "whose it is"},
    [SESSION_ID] = {"session_id", "the conversation it belongs to; empty outside of one"},
    [MODEL] = {"model", "the model that served it, or was to"},
    [REQUESTED_MODEL] = {"requested_model", "the model that was asked for: auto, or one that another stood in for, or the same"},
    [UPSTREAM] = {"upstream", "where it was sent; empty if it never was"},
    [API_ENDPOINT] = {"api_endpoint", "the path it came in by"},
    [PRIORITY] = {"priority", "Low, Medium or High"},
    [STATUS] = {"status", "success, error, cancelled, timeout or rejected"},
    [FINISH_REASON] = {"finish_reason", "why the answer ended: stop, length, budget, …; empty with an error"},
    [ERROR_CODE] = {"error_code", "what went wrong; empty without an error"},
    [PROMPT] = {"prompt_tokens", "input tokens, cached ones included"},
    [CACHED] = {"cached_tokens", "of these read from the provider's cache"},
    [CACHE_WRITE] = {"cache_write_tokens", "of these written to it"},
    [COMPLETION] = {"completion_tokens", "output tokens, reasoning included"},
    [REASONING] = {"reasoning_tokens", "of these reasoning"},
    [TOTAL] = {"total_tokens", "prompt_tokens and completion_tokens"},
    [ESTIMATED] = {"estimated", "true: the tokens are Weir's own count"},
    [INPUT_USD] = {"input_usd", "what the input cost; empty without a known price"},
    [OUTPUT_USD] = {"output_usd", "what the output cost"},
    [COST_USD] = {"cost_usd", "both together, exact"},
    [PRICE_VERSION] = {"price_version", "the price table it was computed with"},
    [ATTEMPTS] = {"attempts", "how often it was sent"},
    [QUEUE] = {"queue_ms", "until it was first sent"},
    [RETRY_WAIT] = {"retry_wait_ms", "from then until it was sent the last time"},
    [TTFT] = {"ttft_ms", "from then until its first token"},
    [WRITING] = {"writing_ms", "from then to its end"},
    [DURATION] = {"duration_ms", "the four together"},
    [HELD_BY] = {"held_by", "the gate that held it longest; none if it never waited"},
    [TOKEN_ID] = {"token_id", "the API token it came with; empty from a browser"},
    [UNITS] = {"units", "of an operation: what it counts in beside tokens; empty for all others"},
    [TZ] = {"tz", "the time zone it was asked for in; the times of the file are UTC whatever it is"},
    [COLUMNS] = {NULL, NULL},
};

static const char *const formats[] = {"csv", "json", "ndjson"};

const char *export_format_name(enum export_format f)
{
    return formats[f];
}

bool export_format_parse(const char *s, enum export_format *out)
{
    for (int i = 0; i <= EXPORT_NDJSON; i++) {
        if (strcmp(s, formats[i]) == 0) {
            *out = (enum export_format)i;
            return true;
        }
    }
    return false;
}

void report_export_doc(struct sb *out)
{
    sb_puts(out, "# Exports\n\n<!-- made by `make docs` from the table of columns; edit that, not this -->\n\n"
                 "`GET /monitoring/export?format=csv|json|ndjson` gives every call that ended of a selection, oldest first, as a file. "
                 "The selection is that of the other monitoring paths: `from`, `to`, `user_id`, `session_id`, `model`, `upstream`, "
                 "`api_endpoint`, `priority`, `status`; 24 hours unless said otherwise. A user gets their own calls. It is sent while "
                 "it is made, at constant memory, however large.\n\n"
                 "- `csv`: a line with the names of the columns, then one a call, as RFC 4180 has it. Text that a spreadsheet would "
                 "calculate (`=`, `+`, `-`, `@`, a tab or a line end at its beginning) begins with an apostrophe.\n"
                 "- `json`: `{\"items\": […], \"totals\": {…}}`; the totals are those of `/monitoring/cost-breakdown` for the same "
                 "selection. A text that ends without them was cut off.\n"
                 "- `ndjson`: one object a line.\n\n"
                 "With `totals=true` the other two end with the same totals: `csv` with a line that has `totals` in place of the "
                 "request and sums below `prompt_tokens`, `completion_tokens`, `total_tokens` and `cost_usd`, `ndjson` with a line "
                 "`{\"totals\": {…}}`. A file that ends without it was cut off.\n\n"
                 "The view `token_usage(id, user_id, session_id, tokens_used, api_endpoint, priority_level, timestamp)` of the "
                 "database `weir.db` has the same calls for programs that read SQLite.\n\n| column | what it is |\n| --- | --- |\n");
    for (int i = 0; i < COLUMNS; i++)
        sb_putf(out, "| `%s` | %s |\n", export_columns[i].name, export_columns[i].text);
}

/* --- rows --- */

struct cell {
    enum { CELL_TEXT, CELL_COUNT, CELL_USD, CELL_TIME, CELL_BOOL } is;
    const char *text;            /* of CELL_TEXT; NULL: empty */
    int64_t n;
    bool none;                   /* of the others: empty */
};

/* A number's name, from memory or the database; NULL for 0 and for a number nobody has. */
static const char *name_of(struct export_name *names, struct db *ro, const char *sql, int64_t id)
{
    struct export_name *to = &names[(uint64_t)id % EXPORT_NAMES];
    struct query q;

    if (id <= 0)
        return NULL;
    if (to->id == id)
        return to->text;
    q = query(ro, sql);
    query_i64(&q, id);
    to->id = 0;
    if (query_row(&q)) {
        const char *text = query_col_text(&q, 0);

        to->id = id;
        (void)snprintf(to->text, sizeof to->text, "%s", text ? text : "");
    }
    return query_stop(&q) == WEIR_OK && to->id ? to->text : NULL;
}

static const char *word(struct report_export *x, struct db *ro, int64_t id)
{
    return name_of(x->words, ro, "SELECT text FROM words WHERE id = ?1", id);
}

/* What the filter is about comes first; see lets_through(). */
#define EXPORT_COLUMNS                                                                                                 \
    "SELECT e.id, e.state, e.user, e.model, e.upstream, e.endpoint, e.priority, e.status, e.request, s.session_id," \
    " e.finish, e.error, e.prompt, e.cached, e.cache_write + e.cache_write_1h, e.completion, e.reasoning, e.estimated," \
    " e.rate, e.cost_in, e.cost_out, r.version, e.attempts, e.queue_us, e.retry_us, e.ttft_us, e.writing_us, e.held_by," \
    " e.token, e.asked, e.units FROM events e LEFT JOIN sessions s ON s.id = e.session LEFT JOIN rates r ON r.id = e.rate"

static struct query select_rows(struct report_export *x, struct db *ro)
{
    struct query q = query(ro, x->keys.session ? EXPORT_COLUMNS " WHERE e.session = ?4 AND e.session > 0 AND e.id > ?1"
                                                                " AND e.id < ?2 ORDER BY e.id LIMIT ?3"
                                               : EXPORT_COLUMNS " WHERE e.id > ?1 AND e.id < ?2 ORDER BY e.id LIMIT ?3");

    query_i64(&q, x->after);
    query_i64(&q, x->until);
    query_i64(&q, ROWS_A_PIECE);
    if (x->keys.session)
        query_i64(&q, x->keys.session);
    return q;
}

static bool lets_through(const struct report_export *x, const struct query *q)
{
    const struct report_keys *k = &x->keys;
    const int64_t want[] = {2, k->user, k->model, k->upstream, k->endpoint};

    for (int i = 0; i < 5; i++)
        if (want[i] && query_col_i64(q, 1 + i) != want[i])
            return false;
    return (x->f->priority < 0 || query_col_i64(q, 6) == x->f->priority)
           && (x->f->status < 0 || query_col_i64(q, 7) == x->f->status);
}

static struct cell text_cell(const char *s)
{
    return (struct cell){.is = CELL_TEXT, .text = s};
}

static struct cell count_cell(int64_t n)
{
    return (struct cell){.is = CELL_COUNT, .n = n};
}

static struct cell usd_cell(int64_t pico, bool priced)
{
    return (struct cell){.is = CELL_USD, .n = pico, .none = !priced};
}

/* As record_timings_json() rounds them. */
static void fill_times(struct cell *c, const struct query *q)
{
    int64_t sum_us = 0, shown_ms = 0;

    for (int i = 0; i < 4; i++) {
        sum_us += query_col_i64(q, 23 + i);
        c[QUEUE + i] = count_cell(sum_us / 1000 - shown_ms);
        shown_ms = sum_us / 1000;
    }
    c[DURATION] = count_cell(shown_ms);
}

static void fill_row(struct report_export *x, struct db *ro, const struct query *q, struct cell *c)
{
    static const int counts[] = {PROMPT, CACHED, CACHE_WRITE, COMPLETION, REASONING};
    bool priced = query_col_i64(q, 18) != 0;
    int64_t in = query_col_i64(q, 19), out = query_col_i64(q, 20);

    c[REQUEST_ID] = text_cell(event_key_text(q, 8, query_col_i64(q, 0), x->request_id));
    c[AT] = (struct cell){.is = CELL_TIME, .n = query_col_i64(q, 0) >> EVENT_BITS};
    c[USER_ID] = text_cell(name_of(x->users, ro, "SELECT user_id FROM users WHERE id = ?1", query_col_i64(q, 2)));
    c[SESSION_ID] = text_cell(query_col_text(q, 9));
    c[MODEL] = text_cell(word(x, ro, query_col_i64(q, 3)));
    c[REQUESTED_MODEL] = text_cell(word(x, ro, query_col_i64(q, query_col_i64(q, 29) ? 29 : 3)));
    c[UPSTREAM] = text_cell(word(x, ro, query_col_i64(q, 4)));
    c[API_ENDPOINT] = text_cell(word(x, ro, query_col_i64(q, 5)));
    c[PRIORITY] = text_cell(priority_name((enum priority)query_col_i64(q, 6)));
    c[STATUS] = text_cell(call_status_name((enum call_status)query_col_i64(q, 7)));
    c[FINISH_REASON] = text_cell(word(x, ro, query_col_i64(q, 10)));
    c[ERROR_CODE] = text_cell(word(x, ro, query_col_i64(q, 11)));
    for (int i = 0; i < 5; i++)
        c[counts[i]] = count_cell(query_col_i64(q, 12 + i));
    c[TOTAL] = count_cell(c[PROMPT].n + c[COMPLETION].n);
    c[ESTIMATED] = (struct cell){.is = CELL_BOOL, .n = query_col_i64(q, 17)};
    c[INPUT_USD] = usd_cell(in, priced);
    c[OUTPUT_USD] = usd_cell(out, priced);
    c[COST_USD] = usd_cell(in + out, priced);
    c[PRICE_VERSION] = text_cell(word(x, ro, query_col_i64(q, 21)));
    c[ATTEMPTS] = count_cell(query_col_i64(q, 22));
    fill_times(c, q);
    c[HELD_BY] = text_cell(gate_name((enum gate)query_col_i64(q, 27)));
    c[TOKEN_ID] = text_cell(name_of(x->tokens, ro, "SELECT token_id FROM tokens WHERE id = ?1", query_col_i64(q, 28)));
    c[UNITS] = (struct cell){.is = CELL_COUNT, .n = query_col_i64(q, 30), .none = query_col_null(q, 30)};
    c[TZ] = text_cell(x->f->zone.name);
    x->sums.requests++;
    x->sums.prompt += c[PROMPT].n;
    x->sums.completion += c[COMPLETION].n;
    x->sums.cost += in + out;
    x->sums.unpriced += !priced;
}

/* --- writing --- */

static void plain(struct sb *out, const struct cell *c)
{
    switch (c->is) {
    case CELL_TEXT: sb_puts(out, c->text); break;
    case CELL_COUNT: sb_i64(out, c->n); break;
    case CELL_USD: sb_usd(out, c->n); break;
    case CELL_TIME: sb_time(out, c->n); break;
    case CELL_BOOL: sb_puts(out, c->n ? "true" : "false"); break;
    }
}

/* Excel, LibreOffice and Google's would calculate what begins so. */
static bool is_formula(const char *s)
{
    return *s && strchr("=+-@\t\r\n", *s);
}

static void csv_text(struct sb *out, const char *s)
{
    bool formula = is_formula(s);

    if (!formula && !s[strcspn(s, "\",\r\n")]) {
        sb_puts(out, s);
        return;
    }
    sb_puts(out, formula ? "\"'" : "\"");
    for (size_t n; *s; s += n) {
        n = strcspn(s, "\"");
        sb_put(out, s, n);
        if (s[n]) {
            sb_puts(out, "\"\"");
            n++;
        }
    }
    sb_putc(out, '"');
}

static void csv_row(struct sb *out, const struct cell *c)
{
    for (int i = 0; i < COLUMNS; i++) {
        if (i)
            sb_putc(out, ',');
        if (c[i].is == CELL_TEXT && c[i].text)
            csv_text(out, c[i].text);
        else if (!c[i].none)
            plain(out, &c[i]);
    }
    sb_puts(out, "\r\n");
}

static void json_row(struct sb *out, const struct cell *c)
{
    for (int i = 0; i < COLUMNS; i++) {
        sb_puts(out, i ? ",\"" : "{\"");
        sb_puts(out, export_columns[i].name);
        sb_puts(out, "\":");
        if (c[i].is == CELL_TEXT) {
            sb_json(out, c[i].text);
        } else if (c[i].none) {
            sb_puts(out, "null");
        } else if (c[i].is == CELL_TIME) {
            sb_putc(out, '"');
            plain(out, &c[i]);
            sb_putc(out, '"');
        } else {
            plain(out, &c[i]);
        }
    }
    sb_putc(out, '}');
}

static void write_row(struct report_export *x, const struct cell *c, struct sb *out)
{
    switch (x->format) {
    case EXPORT_CSV:
        csv_row(out, c);
        break;
    case EXPORT_JSON:
        sb_puts(out, x->sums.requests > 1 ? ",\n" : "\n");
        json_row(out, c);
        break;
    case EXPORT_NDJSON:
        json_row(out, c);
        sb_putc(out, '\n');
        break;
    }
}

static void write_head(const struct report_export *x, struct sb *out)
{
    if (x->format == EXPORT_JSON)
        sb_puts(out, "{\"items\":[");
    for (int i = 0; x->format == EXPORT_CSV && i < COLUMNS; i++) {
        sb_puts(out, i ? "," : "");
        sb_puts(out, export_columns[i].name);
    }
    sb_puts(out, x->format == EXPORT_CSV ? "\r\n" : "");
}

/* A row like the others, so that whoever adds up columns knows where to stop: "totals" in place of a request. */
static void write_csv_totals(const struct report_export *x, struct sb *out)
{
    struct cell c[COLUMNS];

    for (int i = 0; i < COLUMNS; i++)
        c[i] = (struct cell){.is = CELL_COUNT, .none = true};
    c[REQUEST_ID] = text_cell("totals");
    c[PROMPT] = count_cell(x->sums.prompt);
    c[COMPLETION] = count_cell(x->sums.completion);
    c[TOTAL] = count_cell(x->sums.prompt + x->sums.completion);
    c[COST_USD] = usd_cell(x->sums.cost, x->sums.requests > x->sums.unpriced);
    csv_row(out, c);
}

static void write_end(const struct report_export *x, struct sb *out)
{
    if (x->format == EXPORT_CSV) {
        if (x->totals)
            write_csv_totals(x, out);
        return;
    }
    if (x->format == EXPORT_NDJSON && !x->totals)
        return;
    sb_puts(out, x->format == EXPORT_JSON ? "\n],\"totals\":{" : "{\"totals\":{");
    report_sums_json(out, &x->sums);
    sb_puts(out, "}}\n");
}

/* --- piece by piece --- */

enum weir_err report_export_begin(struct report_export *x, struct db *ro, const struct report_filter *f,
                                  enum export_format format)
{
    struct report_scan s;
    enum weir_err e = report_scan_init(&s, ro, f);

    memset(x, 0, sizeof *x);
    x->format = format;
    x->f = f;
    x->keys = s.keys;
    x->after = (f->from_ms << EVENT_BITS) - 1;
    x->until = (f->to_ms < f->now_ms ? f->to_ms : f->now_ms + 1) << EVENT_BITS;
    if (x->keys.session < 0)
        x->until = x->after;
    report_scan_done(&s, ro);
    return e;
}

bool report_export_next(struct report_export *x, struct db *ro, struct sb *out, enum weir_err *e)
{
    struct cell cells[COLUMNS];
    struct query q;
    int rows = 0;

    *e = WEIR_OK;
    if (x->ended)
        return false;
    if (!x->begun)
        write_head(x, out);
    x->begun = true;
    q = select_rows(x, ro);
    while (query_row(&q)) {
        rows++;
        x->after = query_col_i64(&q, 0);
        if (!lets_through(x, &q))
            continue;
        fill_row(x, ro, &q, cells);
        write_row(x, cells, out);
    }
    *e = query_end(&q);
    x->ended = *e || rows < ROWS_A_PIECE;
    if (x->ended && !*e)
        write_end(x, out);
    return !*e;
}
