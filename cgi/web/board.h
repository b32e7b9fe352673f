/* board.h - what the pages under /app/dashboard share: their query as a filter
 * and as links, reports in that filter's words, and the parts they are made of.
 *
 * One query for all of them: range (15m, 1h, 24h, 7d, 30d) or from and to, tz,
 * and the filters of /monitoring. Links keep what is chosen, so that the address
 * says all that is shown. Acceptor threads; values given back are new, the caller's. */
#ifndef WEIR_BOARD_H
#define WEIR_BOARD_H

#include <jansson.h>

#include "store/report.h"
#include "web/view.h"
#include "web/web.h"

struct board {
    struct exchange *x;
    struct report_filter f;          /* narrowed to the viewer for role user */
    const struct board_range *range; /* NULL: from and to are in the query */
    const char *mine;                /* the viewer's id for role user; NULL: everybody's figures */
};

/* Read the query. Refused with a sentence if it has a value that no report takes. */
enum weir_err board_open(struct exchange *x, struct board *b) __attribute__((warn_unused_result));
/* "day": what the range is called; of one's own choice, "period". */
const char *board_range_name(const struct board *b);
/* The context of a page's frame: what pages_context() has, the parts' tabs with `part` as this one, ranges, filters, export. */
json_t *board_context(struct board *b, const char *part, const char *title);

/* A path of ours with the query as it is, but `name` set to `value` (NULL: taken out), and without a cursor. */
json_t *board_href(const struct board *b, const char *path, const char *name, const char *value);

typedef enum weir_err board_report(struct db *ro, const struct report_filter *f, struct sb *out);
/* NULL: the report could not be had. */
json_t *board_ask(const struct board *b, board_report *report, const struct report_filter *f);
/* The answer of another handler of this exchange, as a value; NULL: it was refused. */
json_t *board_answer_of(const struct board *b, web_handler *handler);

/* --- figures in words; "—" where a report has none --- */

json_t *board_time(const struct board *b, const json_t *at, enum view_time how);      /* in the filter's zone */
json_t *board_moment(const struct board *b, int64_t utc_ms, enum view_time how);
json_t *board_count(const json_t *report, const char *key);
json_t *board_money(const json_t *report, const char *key);
json_t *board_span(const json_t *report, const char *key);
/* Words around a figure, which is taken. */
json_t *board_worded(const char *before, json_t *figure, const char *after);
/* "ok", "" or "err" for a record's status. */
const char *board_status_tone(const char *status);

/* --- charts: a table that charts.js draws --- */

enum chart_unit { CHART_COUNT, CHART_USD, CHART_MS, CHART_PERCENT };
/* `kind`: bars (stacked), lines, or band (was, expected, low, high). `summary` is taken: a sentence for who can't see it. */
json_t *board_chart(const struct board *b, const char *id, const char *title, const char *kind, enum chart_unit unit,
                    const char *nothing, json_t *summary);
void board_chart_series(json_t *chart, const char *label);
/* A row for the moment `at`, to be filled with one value a series. Borrowed. */
json_t *board_chart_row(const struct board *b, json_t *chart, const json_t *at, bool days);
void board_chart_value(json_t *row, enum chart_unit unit, double n);
/* A mark on the row, with what it means. `text` is taken. */
void board_chart_mark(json_t *row, json_t *text);

/* --- rows --- */

/* Put latency, outcome, errors and has_errors of a performance report, for templates/latency and errors. */
void board_put_speed(json_t *ctx, const json_t *speed);
/* view_budgets() as the caller may see them, users by their names. New. */
json_t *board_budgets(const struct board *b, const struct snapshot *s);

/* Put what templates/requests_table.mustache shows of a history: caption, heads with their links, rows, columns left out. */
void board_put_requests(const struct board *b, json_t *ctx, const char *caption, const json_t *history);
/* The first TOP of a list of a cost breakdown and the rest as one row, for templates/cost_table.mustache: `name` is the
 * filter that narrows to a key (NULL: no link). Lists of times (days) are shown newest first. */
enum { BOARD_TOP = 8 };
json_t *board_cost_rows(const struct board *b, const json_t *list, const char *name, double total_usd, bool days);
/* The row of a sum. `key` is taken. */
json_t *board_cost_row(const json_t *e, json_t *key, double total_usd);
/* What a key of such a list is called: a session by its title if it is one's own, a user by name. *href (if it is not
 * NULL) becomes the conversation of one's own session. */
json_t *board_key(const struct board *b, const char *name, const char *key, json_t **href);

#endif
