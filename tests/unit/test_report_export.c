/* Exports: every row once, totals those of the reports, cells that calculate nothing. */
#include "unit.h"

#include <string.h>

#include "base/json.h"
#include "base/mem.h"
#include "fixture_call.h"
#include "store/report_export.h"

enum { CALLS = 2300 };                      /* more than two pieces */

#define NOW (FIXTURE_NOW + 100 * INT64_C(60000))

static struct db *db;
static struct sb out;

static void many_calls(void)
{
    static const char *const models[] = {"gpt-4o", "gpt-4o-mini", "=1+1", "-a \"quoted\", name", "unpriced"};
    struct rng rng = rng_make(3);

    db = fixture_db();
    out = sb_make(8 << 20);
    fixture_user(db, "usr_a");
    fixture_user(db, "usr_b");
    ck_assert_int_eq(db_begin(db), WEIR_OK);
    for (int i = 0; i < CALLS; i++) {
        struct call_record r = fixture_call(rng_below(&rng, 3) ? "usr_a" : "usr_b", FIXTURE_NOW + rng_below(&rng, NOW - FIXTURE_NOW));

        r.model = models[rng_below(&rng, 5)];
        r.priority = (enum priority)rng_below(&rng, 3);
        r.user_text = NULL;
        r.session_title = NULL;
        r.new_session = i % 2;
        if (!r.new_session)
            r.session_id[0] = '\0';
        ck_assert_int_eq(usage_accept(db, &r, true), WEIR_OK);
        if (i == 7)
            continue;                       /* one that has not ended is in no table */
        fixture_answered(&r);
        r.answer = NULL;
        r.status = rng_below(&rng, 5) ? CALL_SUCCESS : CALL_ERROR;
        r.usage.prompt = rng_below(&rng, 3000);
        r.usage.completion = rng_below(&rng, 3000);
        r.cost.priced = strcmp(r.model, "unpriced") != 0;
        r.cost.input = r.cost.priced ? r.usage.prompt * r.cost.rate_in : 0;
        r.cost.output = r.cost.priced ? r.usage.completion * r.cost.rate_out : 0;
        ck_assert_int_eq(usage_settle(db, &r), WEIR_OK);
    }
    ck_assert_int_eq(db_commit(db), WEIR_OK);
}

static void finish(void)
{
    sb_done(&out);
    db_close(db);
}

/* The whole export into `out`; gives how many pieces it took and the largest. */
static int export_all(const struct report_filter *f, enum export_format format, size_t *largest)
{
    struct report_export *x = mem_zalloc(1, sizeof *x);
    struct sb piece = sb_make(1 << 20);
    enum weir_err e;
    int pieces = 0;

    *largest = 0;
    sb_reset(&out);
    ck_assert_int_eq(report_export_begin(x, db, f, format), WEIR_OK);
    while (report_export_next(x, db, &piece, &e)) {
        ck_assert(sb_ok(&piece));
        sb_put(&out, sb_str(&piece), piece.len);
        *largest = piece.len > *largest ? piece.len : *largest;
        sb_reset(&piece);
        pieces++;
    }
    ck_assert_int_eq(e, WEIR_OK);
    sb_done(&piece);
    free(x);
    return pieces;
}

/* The object that follows `name` in a text, braces included. */
static void object_after(const char *text, const char *name, char to[256])
{
    const char *at = strstr(text, name);

    ck_assert_ptr_nonnull(at);
    at += strlen(name);
    snprintf(to, 256, "%.*s", (int)(strchr(at, '}') - at + 1), at);
}

static const struct {
    const char *key, *value;
} filters[] = {
    {"status", "error"}, {"priority", "High"}, {"model", "gpt-4o"}, {"user_id", "usr_b"}, {"to", "-30m"}, {"from", "-17m"},
    {"upstream", "openai"}, {"model", "nobody asked for this"}, {"session_id", "ses_none"},
};

START_TEST(totals_are_those_of_the_cost_breakdown_to_the_letter)
{
    many_calls();
    for (size_t i = 0; i <= sizeof filters / sizeof *filters; i++) {
        struct report_filter f = report_filter_make(NOW);
        struct sb report = sb_make(1 << 20);
        char why[160], want[256], got[256];
        size_t largest;

        if (i < sizeof filters / sizeof *filters)
            ck_assert_int_eq(report_filter_set(&f, filters[i].key, filters[i].value, why), WEIR_OK);
        ck_assert_int_eq(report_cost_breakdown(db, &f, &report), WEIR_OK);
        object_after(sb_str(&report), "\"total\":", want);
        (void)export_all(&f, EXPORT_JSON, &largest);
        object_after(sb_str(&out), "\"totals\":", got);
        ck_assert_str_eq(got, want);
        sb_done(&report);
    }
    finish();
}
END_TEST

/* As RFC 4180 reads it; the cells of one line. */
static const char *csv_cells(const char *s, char cell[40][64], int *n)
{
    *n = 0;
    for (;;) {
        size_t len = 0;

        if (*s == '"') {
            for (s++; *s != '"' || s[1] == '"'; s++) {
                cell[*n][len++] = *s;
                s += *s == '"';
            }
            s++;
        } else {
            while (!strchr(",\r", *s))
                cell[*n][len++] = *s++;
        }
        cell[(*n)++][len] = '\0';
        if (*s++ == '\r')
            return s + 1;
    }
}

/* A cell as JSON would have it. */
static void assert_same(const json_t *item, const char *name, const char *cell)
{
    const json_t *v = json_object_get(item, name);
    char text[64] = "";

    ck_assert_msg(v != NULL, "no %s", name);
    if (json_is_string(v)) {
        const char *s = json_string_value(v);

        ck_assert_str_eq(cell + (strchr("=-", *s) ? 1 : 0), s);
        ck_assert_msg(!strchr("=-", *s) || *cell == '\'', "%s may calculate", cell);
        return;
    }
    if (json_is_integer(v))
        snprintf(text, sizeof text, "%lld", (long long)json_integer_value(v));
    else if (json_is_boolean(v))
        snprintf(text, sizeof text, "%s", json_is_true(v) ? "true" : "false");
    if (json_is_real(v))
        ck_assert_double_eq_tol(strtod(cell, NULL), json_real_value(v), 1e-12);
    else
        ck_assert_str_eq(cell, text);
}

START_TEST(csv_json_and_lines_of_json_have_the_same_rows_in_the_order_of_time)
{
    struct report_filter f = report_filter_make(NOW);
    char cell[40][64], name[40][64], why[160];
    json_t *all = NULL;
    size_t largest, i;
    const json_t *item;
    const char *at;
    char *lines;
    int n, names;

    many_calls();
    ck_assert_int_ge(export_all(&f, EXPORT_NDJSON, &largest), 3);
    ck_assert_int_lt((int)largest, 1000000);
    lines = strdup(sb_str(&out));
    (void)export_all(&f, EXPORT_JSON, &largest);
    ck_assert_msg(json_parse_object(out.p, out.len, &(struct json_limits){64, 1000000}, &all, why) == WEIR_OK, "%s", why);
    ck_assert_int_eq((int)json_array_size(json_object_get(all, "items")), CALLS - 1);
    (void)export_all(&f, EXPORT_CSV, &largest);
    at = csv_cells(sb_str(&out), name, &names);
    for (n = 0; n < names; n++)
        ck_assert_str_eq(name[n], export_columns[n].name);
    ck_assert_ptr_null(export_columns[n].name);
    char *line = lines, *end, before[64] = "";
    json_array_foreach(json_object_get(all, "items"), i, item) {
        json_t *other;

        at = csv_cells(at, cell, &n);
        ck_assert_int_eq(n, names);
        for (int c = 0; c < n; c++)
            assert_same(item, name[c], cell[c]);
        ck_assert_str_ge(cell[1], before);
        memcpy(before, cell[1], sizeof before);
        end = strchr(line, '\n');
        ck_assert_int_eq(json_parse_object(line, (size_t)(end - line), &json_limits_own, &other, why), WEIR_OK);
        ck_assert(json_equal(other, item));
        line = end + 1;
        json_decref(other);
    }
    ck_assert_str_eq(at, "");
    ck_assert_str_eq(line, "");
    free(lines);
    json_decref(all);
    finish();
}
END_TEST

START_TEST(one_user_is_given_their_own_rows_alone)
{
    struct report_filter f = report_filter_make(NOW);
    size_t largest;

    many_calls();
    f.owner_id = "usr_b";
    (void)export_all(&f, EXPORT_CSV, &largest);
    ck_assert_ptr_nonnull(strstr(sb_str(&out), "usr_b"));
    ck_assert_ptr_null(strstr(sb_str(&out), "usr_a"));
    f.user_id = "usr_a";
    (void)export_all(&f, EXPORT_CSV, &largest);
    ck_assert_ptr_null(strstr(sb_str(&out), "usr_"));
    finish();
}
END_TEST

START_TEST(the_view_for_other_programs_has_each_settled_call)
{
    struct query q;

    many_calls();
    q = query(db, "SELECT count(*), sum(v.tokens_used) = (SELECT sum(prompt + completion) FROM events WHERE state = 2),"
                  " min(v.timestamp) >= '2', sum(v.session_id IS NULL), group_concat(DISTINCT v.priority_level),"
                  " min(v.id), min(v.user_id), min(v.api_endpoint) FROM token_usage v");
    ck_assert(query_row(&q));
    ck_assert_int_eq(query_col_i64(&q, 0), CALLS - 1);
    ck_assert_int_eq(query_col_i64(&q, 1), 1);
    ck_assert_int_eq(query_col_i64(&q, 2), 1);
    ck_assert_int_eq(query_col_i64(&q, 3), CALLS / 2);
    ck_assert_int_eq((int)strlen(query_col_text(&q, 4)), (int)strlen("Low,Medium,High"));
    ck_assert_ptr_nonnull(strstr(query_col_text(&q, 5), "req_"));
    ck_assert_str_eq(query_col_text(&q, 6), "usr_a");
    ck_assert_str_eq(query_col_text(&q, 7), "/chat/complete");
    ck_assert_int_eq(query_stop(&q), WEIR_OK);
    finish();
}
END_TEST

UNIT_MAIN("report_export", totals_are_those_of_the_cost_breakdown_to_the_letter,
          csv_json_and_lines_of_json_have_the_same_rows_in_the_order_of_time, one_user_is_given_their_own_rows_alone,
          the_view_for_other_programs_has_each_settled_call)
