/* A ledger that was written by Weir holds; whatever is changed in it by other means is found and named. */
#include "unit.h"

#include <inttypes.h>
#include <stdio.h>

#include "fixture_call.h"
#include "store/budgets.h"
#include "store/convo.h"
#include "store/ledger.h"
#include "store/seal.h"
#include "store/spans.h"
#include "store/verify.h"

static uint64_t state = 7;

static int64_t any(int64_t n)
{
    state ^= state << 13;
    state ^= state >> 7;
    state ^= state << 17;
    return (int64_t)(state % (uint64_t)n);
}

static struct verify *checked(const char *path, int64_t since_ms)
{
    struct verify_setup s = {.now_ms = FIXTURE_NOW, .running_since_ms = since_ms};
    char why[DB_WHY_SIZE];
    struct verify *v;

    ck_assert_msg(db_open_reader(path, &s.ro, why) == WEIR_OK, "%s", why);
    v = verify_new(&s);
    while (verify_step(v)) {
    }
    db_close(s.ro);
    return v;
}

static void expect_holds(const char *path)
{
    struct verify *v = checked(path, 0);
    const struct verify_result *r = verify_result(v);

    ck_assert_msg(r->failures == 0, "%s: %s: %s", r->findings ? verify_check_name(r->finding[0].check) : "", r->findings ? r->finding[0].where : "",
                  r->findings ? r->finding[0].text : "");
    verify_free(v);
}

/* --- a ledger with some of everything --- */

static void two_attempts(struct call_record *r)
{
    r->attempt_count = 2;
    r->attempts[1] = r->attempts[0];
    r->attempts[0].http_status = 500;
    r->attempts[0].error_code = "upstream_error";
    r->attempts[0].usage = (struct usage_tokens){.prompt = 9};
    r->attempts[0].cost_in = 9 * r->cost.rate_in;
    r->attempts[0].cost_out = 0;
    r->usage.prompt += 9;
    r->cost.input += 9 * r->cost.rate_in;
    r->cost.total += 9 * r->cost.rate_in;
}

static void ended(struct call_record *r)
{
    static const char *const models[] = {"gpt-4o-mini", "gpt-4o", "o4-mini"};

    fixture_answered(r);
    r->model = models[any(3)];
    r->usage.cached = any(10);
    r->usage.reasoning = any(30);
    r->attempts[0].usage = r->usage;
    r->attempts[0].model = r->model;
    r->queue_us = any(3000000);
    r->ttft_us = any(900000);
    if (any(4) == 0)
        two_attempts(r);
    if (any(6) == 0) {
        r->status = any(2) ? CALL_ERROR : CALL_CANCELLED;
        r->error_code = r->status == CALL_ERROR ? "upstream_timeout" : "cancelled";
        r->answer = any(2) ? r->answer : NULL;
        r->answer_chars = r->answer ? r->answer_chars : 0;
        r->estimated = true;
    }
    if (any(9) == 0) {
        r->cost = (struct call_cost){.priced = false};
        for (int i = 0; i < r->attempt_count; i++)
            r->attempts[i].priced = false, r->attempts[i].cost_in = r->attempts[i].cost_out = 0;
    }
}

/* Spread over three days up to now; one in three goes on with the session of the one before. */
static void fill(struct db *db, int calls)
{
    struct call_record r, last = {0};

    for (int i = 0; i < calls; i++) {
        int64_t at_ms = FIXTURE_NOW - 1 - any(3 * 86400000);

        if (i % 3 && last.request_id[0]) {
            r = fixture_next(&last);
            r.accepted_at_ms = at_ms;
        } else {
            r = fixture_call(any(2) ? "usr_1" : "usr_2", at_ms);
        }
        if (i % 17 == 5)
            r.metadata_json = "{\"team\":\"a\"}";
        ck_assert_int_eq(fixture_accept(db, &r, true), WEIR_OK);
        ended(&r);
        ck_assert_int_eq(fixture_settle(db, &r), WEIR_OK);
        last = r;
        if (!r.answer)
            last.request_id[0] = '\0';
    }
}

static void remove_some(struct db *db)
{
    struct call_record r = fixture_call("usr_1", FIXTURE_NOW - 5000), next;
    int64_t gone;

    fixture_run(db, &r);
    next = fixture_next(&r);
    fixture_run(db, &next);
    ck_assert_int_eq(db_begin(db), WEIR_OK);
    ck_assert_int_eq(convo_delete_message(db, "usr_1", r.session_id, next.user_message_id, &gone), WEIR_OK);
    ck_assert_int_eq(gone, 2);
    ck_assert_int_eq(db_commit(db), WEIR_OK);

    r = fixture_call("usr_1", FIXTURE_NOW - 4000);               /* the question goes while the answer is written */
    ck_assert_int_eq(fixture_accept(db, &r, true), WEIR_OK);
    ck_assert_int_eq(db_begin(db), WEIR_OK);
    ck_assert_int_eq(convo_delete_message(db, "usr_1", r.session_id, r.user_message_id, &gone), WEIR_OK);
    ck_assert_int_eq(db_commit(db), WEIR_OK);
    fixture_answered(&r);
    ck_assert_int_eq(fixture_settle(db, &r), WEIR_OK);

    r = fixture_call("usr_1", FIXTURE_NOW - 3000);
    fixture_run(db, &r);
    ck_assert_int_eq(db_begin(db), WEIR_OK);
    ck_assert_int_eq(convo_delete(db, "usr_1", r.session_id), WEIR_OK);
    ck_assert_int_eq(db_commit(db), WEIR_OK);
}

static void add_budgets(struct db *db)
{
    static const struct { enum budget_scope scope; enum budget_window window; } kinds[] = {
        {BUDGET_ALL, BUDGET_DAY}, {BUDGET_USER, BUDGET_MONTH}, {BUDGET_SESSION, BUDGET_TOTAL}, {BUDGET_MODEL, BUDGET_WEEK}};

    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++) {
        struct budget_row r = {.rule = {.scope = kinds[i].scope, .window = kinds[i].window, .each = kinds[i].scope != BUDGET_ALL,
                                        .limit = INT64_C(1000000000000)}, .tz = "UTC", .created_ms = FIXTURE_NOW};

        rand_id(r.rule.id, "bud");
        ck_assert_int_eq(db_begin(db), WEIR_OK);
        ck_assert_int_eq(budgets_add(db, &r), WEIR_OK);
        ck_assert_int_eq(db_commit(db), WEIR_OK);
    }
}

/* The roll-ups of longer spans, as the keeper makes them. */
static void fold(struct db *db)
{
    bool more = true;

    while (more) {
        ck_assert_int_eq(db_begin(db), WEIR_OK);
        ck_assert_int_eq(spans_fold(db, FIXTURE_NOW, &more), WEIR_OK);
        ck_assert_int_eq(db_commit(db), WEIR_OK);
    }
}

/* A database with all that, closed; its path is fixture_path. */
static void make_ledger(int calls)
{
    struct db *db = fixture_db();

    fixture_user(db, "usr_1");
    fixture_user(db, "usr_2");
    fill(db, calls);
    remove_some(db);
    add_budgets(db);
    fold(db);
    db_close(db);
}

/* A copy without free room inside its pages, next to it. */
static const char *packed_copy(void)
{
    static char path[160];
    char sql[220];
    sqlite3 *h;

    snprintf(path, sizeof path, "%s.copy", fixture_path);
    remove(path);
    snprintf(sql, sizeof sql, "VACUUM INTO '%s'", path);
    ck_assert_int_eq(sqlite3_open(fixture_path, &h), SQLITE_OK);
    ck_assert_int_eq(sqlite3_exec(h, sql, NULL, NULL, NULL), SQLITE_OK);
    ck_assert_int_eq(sqlite3_close(h), SQLITE_OK);
    return path;
}

static void change(const char *path, const char *sql)
{
    char *why = NULL;
    sqlite3 *h;

    ck_assert_int_eq(sqlite3_open(path, &h), SQLITE_OK);
    ck_assert_msg(sqlite3_exec(h, sql, NULL, NULL, &why) == SQLITE_OK, "%s: %s", sql, why);
    ck_assert_msg(sqlite3_changes(h) > 0, "nothing was changed by: %s", sql);
    ck_assert_int_eq(sqlite3_close(h), SQLITE_OK);
}

START_TEST(a_ledger_that_weir_wrote_holds)
{
    struct verify *v;
    const struct verify_result *r;

    make_ledger(200);
    expect_holds(fixture_path);
    v = checked(fixture_path, 0);
    r = verify_result(v);
    ck_assert_int_eq(r->events, 204);
    ck_assert_int_gt(r->attempts, 204);
    ck_assert_int_gt(r->messages, 150);
    for (int c = 0; c < VERIFY_STORAGE; c++)
        ck_assert_msg(r->compared[c] > 0, "%s", verify_check_name((enum verify_check)c));
    ck_assert_int_eq(r->unsealed, 0);
    verify_free(v);
}
END_TEST

static const struct { enum verify_check check; const char *sql; } damages[] = {
    {VERIFY_SEALS, "UPDATE events SET held_by = held_by + 1 WHERE id = (SELECT max(id) FROM events)"},
    {VERIFY_SEALS, "UPDATE attempt_rows SET duration_us = duration_us + 1 WHERE event = (SELECT max(event) FROM attempt_rows)"},
    {VERIFY_SEALS, "UPDATE attempt_rows SET cost_out = NULL WHERE cost_out = 0"},
    {VERIFY_SEALS, "DELETE FROM events WHERE id = (SELECT max(id) FROM events)"},
    {VERIFY_SEALS, "DELETE FROM seals WHERE id = (SELECT max(id) FROM seals)"},
    {VERIFY_SEALS, "UPDATE seals SET hash = zeroblob(16) WHERE id = (SELECT max(id) FROM seals)"},
    {VERIFY_SEALS, "UPDATE words SET text = 'gpt-4o-minj' WHERE text = 'gpt-4o-mini'"},
    {VERIFY_SEALS, "UPDATE rates SET rate_out = rate_out + 1"},
    {VERIFY_SEALS, "UPDATE combos SET priority = 2 WHERE id = 1"},
    {VERIFY_PARTS, "UPDATE events SET reasoning = completion + 1 WHERE id = (SELECT max(id) FROM events)"},
    {VERIFY_ATTEMPTS, "UPDATE events SET cost_out = cost_out + 1 WHERE id = (SELECT max(event) FROM attempt_rows)"},
    {VERIFY_SEALS, "UPDATE events SET duration_us = duration_us + 1 WHERE id = (SELECT max(id) FROM events WHERE http_status IS NOT NULL)"},
    {VERIFY_ATTEMPTS, "UPDATE attempt_rows SET prompt = prompt + 1 WHERE event = (SELECT max(event) FROM attempt_rows)"},
    {VERIFY_ATTEMPTS, "DELETE FROM attempt_rows WHERE event = (SELECT max(event) FROM attempt_rows)"},
    {VERIFY_ATTEMPTS, "UPDATE attempt_rows SET event = event + 1 WHERE event = (SELECT max(event) FROM attempt_rows)"},
    {VERIFY_ROLLUPS, "UPDATE rollups SET requests = requests + 1 WHERE id = (SELECT max(id) FROM rollups)"},
    {VERIFY_ROLLUPS, "UPDATE rollups SET writing_us = writing_us - 1 WHERE id = (SELECT max(id) FROM rollups)"},
    {VERIFY_ROLLUPS, "UPDATE rollups SET hist = (SELECT hist FROM rollups ORDER BY id LIMIT 1) WHERE id = (SELECT max(id) FROM rollups)"},
    {VERIFY_ROLLUPS, "DELETE FROM rollups WHERE id = (SELECT max(id) FROM rollups)"},
    {VERIFY_ROLLUPS, "INSERT INTO rollups SELECT id + 1000, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, hist FROM rollups LIMIT 1"},
    {VERIFY_MINUTES, "UPDATE minute_rollups SET cost = cost + 1 WHERE id = (SELECT max(id) FROM minute_rollups)"},
    {VERIFY_MINUTES, "DELETE FROM minute_rollups WHERE id = (SELECT max(id) FROM minute_rollups)"},
    {VERIFY_SESSION_ROLLUPS, "UPDATE session_rollups SET prompt = prompt + 1 WHERE id = (SELECT min(id) FROM session_rollups)"},
    {VERIFY_SESSION_ROLLUPS, "DELETE FROM session_rollups WHERE id = (SELECT min(id) FROM session_rollups)"},
    {VERIFY_SPANS, "UPDATE span_rollups SET prompt = prompt + 1 WHERE id = (SELECT min(id) FROM span_rollups)"},
    {VERIFY_SPANS, "UPDATE span_rollups SET writing_us = writing_us + 1 WHERE id = (SELECT max(id) FROM span_rollups)"},
    {VERIFY_SPANS, "UPDATE span_rollups SET hist = (SELECT hist FROM span_rollups WHERE requests != 1 LIMIT 1) WHERE requests = 1"},
    {VERIFY_SPANS, "DELETE FROM span_rollups WHERE id = (SELECT max(id) FROM span_rollups)"},
    {VERIFY_SPANS, "UPDATE span_rollups SET id = id + 1000 WHERE id = (SELECT max(id) FROM span_rollups)"},
    {VERIFY_HOURS, "UPDATE hour_rollups SET cost = cost + 1 WHERE id = (SELECT min(id) FROM hour_rollups)"},
    {VERIFY_HOURS, "UPDATE hour_rollups SET wait_us = wait_us + 1 WHERE id = (SELECT max(id) FROM hour_rollups)"},
    {VERIFY_HOURS, "DELETE FROM hour_rollups WHERE id = (SELECT max(id) FROM hour_rollups)"},
    {VERIFY_HOURS, "INSERT INTO hour_rollups SELECT (1 << 60) + (999999 << 24) + 7, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, hist FROM hour_rollups LIMIT 1"},
    {VERIFY_SESSIONS, "UPDATE sessions SET cost = cost + 1 WHERE id = 3"},
    {VERIFY_SESSIONS, "DELETE FROM sessions WHERE id = 3"},
    {VERIFY_SESSIONS, "UPDATE events SET session = 99999 WHERE id = (SELECT max(id) FROM events)"},
    {VERIFY_MESSAGES, "DELETE FROM messages WHERE id = (SELECT min(id) FROM messages WHERE role = 2)"},
    {VERIFY_MESSAGES, "INSERT INTO messages(id, message, parent, role, at_ms) VALUES ((2 << 20) + 500, 'msg_x', 1, 2, 1)"},
    {VERIFY_MESSAGES, "INSERT INTO messages(id, message, parent, role, at_ms) VALUES ((77777 << 20) + 2, 'msg_x', 1, 2, 1)"},
    {VERIFY_SETTLED, "UPDATE ledger SET settled = settled + 1"},
    {VERIFY_NAMES, "DELETE FROM users WHERE id = (SELECT max(id) FROM users)"},
    {VERIFY_NAMES, "DELETE FROM words WHERE text = 'gpt-4o'"},
    {VERIFY_BUDGETS, "UPDATE rollups SET cost_in = cost_in + 1 WHERE id = (SELECT max(id) FROM rollups)"},
    {VERIFY_BUDGETS, "UPDATE session_rollups SET cost = cost + 1 WHERE id = (SELECT min(id) FROM session_rollups)"},
};

START_TEST(each_kind_of_damage_is_found_and_named)
{
    make_ledger(80);
    for (size_t i = 0; i < sizeof damages / sizeof *damages; i++) {
        const char *path = packed_copy();
        struct verify *v;

        expect_holds(path);
        change(path, damages[i].sql);
        v = checked(path, 0);
        ck_assert_msg(verify_result(v)->failed[damages[i].check] > 0, "%s was not found by: %s", verify_check_name(damages[i].check), damages[i].sql);
        verify_free(v);
    }
}
END_TEST

START_TEST(hundreds_of_flipped_bits_in_values_are_all_found)
{
    make_ledger(60);
    for (int i = 0; i < 400; i++) {
        bool event = i % 2;
        char columns[1000], sql[600], *save = NULL, *name;
        int64_t skip = 1 + any(event ? SEAL_EVENT_N - 1 : SEAL_ATTEMPT_N - 2), bit = INT64_C(1) << any(30), row = any(60);
        const char *path = packed_copy();
        struct verify *v;

        snprintf(columns, sizeof columns, "%s", event ? SEAL_EVENT_COLUMNS : SEAL_ATTEMPT_COLUMNS);
        name = strtok_r(columns, ", ", &save);
        for (int64_t k = 0; k < skip + !event; k++)
            name = strtok_r(NULL, ", ", &save);
        snprintf(sql, sizeof sql, "UPDATE %s SET %s = CASE typeof(%s) WHEN 'text' THEN substr(%s, 2) || char(unicode(%s) %% 90 + 33)"
                 " WHEN 'null' THEN %s ELSE (%s | %" PRId64 ") - (%s & %" PRId64 ") END WHERE %s = (SELECT %s FROM %s ORDER BY 1 LIMIT 1 OFFSET %" PRId64 " %% (SELECT count(*) FROM %s))",
                 event ? "events" : "attempt_rows", name, name, name, name,
                 strcmp(name, "metadata") == 0 || strcmp(name, "provider_request_id") == 0 ? "'x'" : "0", name, bit, name, bit,
                 event ? "id" : "event", event ? "id" : "event", event ? "events" : "attempt_rows", row, event ? "events" : "attempt_rows");
        change(path, sql);
        v = checked(path, 0);
        ck_assert_msg(verify_result(v)->failed[VERIFY_SEALS] > 0, "not found: %s", sql);
        verify_free(v);
    }
}
END_TEST

/* The leaf pages of a table, by number. */
static int pages_of(const char *path, const char *table, int64_t *page, int max)
{
    sqlite3_stmt *st;
    sqlite3 *h;
    int n = 0;

    ck_assert_int_eq(sqlite3_open(path, &h), SQLITE_OK);
    ck_assert_int_eq(sqlite3_prepare_v2(h, "SELECT pageno FROM dbstat WHERE name = ?1 AND pagetype = 'leaf'", -1, &st, NULL), SQLITE_OK);
    ck_assert_int_eq(sqlite3_bind_text(st, 1, table, -1, SQLITE_STATIC), SQLITE_OK);
    while (sqlite3_step(st) == SQLITE_ROW && n < max)
        page[n++] = sqlite3_column_int64(st, 0);
    sqlite3_finalize(st);
    ck_assert_int_eq(sqlite3_close(h), SQLITE_OK);
    return n;
}

/* A bit in the rows of a page: what lies from the first cell to the page's end. */
static void flip_in_page(const char *path, int64_t page)
{
    unsigned char head[8], byte;
    int64_t start, at, size = 4096;
    FILE *f = fopen(path, "r+b");

    ck_assert_ptr_nonnull(f);
    ck_assert_int_eq(fseek(f, (page - 1) * size, SEEK_SET), 0);
    ck_assert_uint_eq(fread(head, sizeof head, 1, f), 1);
    start = head[5] << 8 | head[6];
    at = (page - 1) * size + start + any(size - start);
    ck_assert_int_eq(fseek(f, at, SEEK_SET), 0);
    ck_assert_uint_eq(fread(&byte, 1, 1, f), 1);
    byte ^= (unsigned char)(1 << any(8));
    ck_assert_int_eq(fseek(f, at, SEEK_SET), 0);
    ck_assert_uint_eq(fwrite(&byte, 1, 1, f), 1);
    ck_assert_int_eq(fclose(f), 0);
}

/* A NULL written with one byte more is still that NULL, and where only NULLs follow nothing else moves. */
static bool reads_the_same(const char *path, const char *table)
{
    char sql[400];
    sqlite3_stmt *st = NULL;
    sqlite3 *h;
    bool same;

    ck_assert_int_eq(sqlite3_open(path, &h), SQLITE_OK);
    snprintf(sql, sizeof sql, "ATTACH '%s' AS whole", fixture_path);
    ck_assert_int_eq(sqlite3_exec(h, sql, NULL, NULL, NULL), SQLITE_OK);
    snprintf(sql, sizeof sql, "SELECT (SELECT count(*) FROM main.%s) = (SELECT count(*) FROM whole.%s) AND NOT EXISTS"
             " (SELECT * FROM main.%s EXCEPT SELECT * FROM whole.%s)", table, table, table, table);
    same = sqlite3_prepare_v2(h, sql, -1, &st, NULL) == SQLITE_OK && sqlite3_step(st) == SQLITE_ROW && sqlite3_column_int(st, 0);
    sqlite3_finalize(st);
    ck_assert_int_eq(sqlite3_close(h), SQLITE_OK);
    return same;
}

START_TEST(hundreds_of_flipped_bits_in_the_file_are_all_found)
{
    make_ledger(60);
    for (int i = 0; i < 300; i++) {
        const char *path = packed_copy(), *table = i % 2 ? "events" : "attempt_rows";
        int64_t page[64];
        int n = pages_of(path, table, page, 64);
        struct verify *v;

        ck_assert_int_gt(n, 0);
        flip_in_page(path, page[any(n)]);
        v = checked(path, 0);
        ck_assert_msg(verify_result(v)->failures > 0 || reads_the_same(path, table), "flip %d in %s was not found", i, table);
        verify_free(v);
    }
}
END_TEST

START_TEST(what_is_settled_long_after_its_quarter_is_sealed_too)
{
    struct db *db = fixture_db();
    struct call_record late, r;

    fixture_user(db, "usr_1");
    late = fixture_call("usr_1", FIXTURE_NOW - 86400000);
    ck_assert_int_eq(fixture_accept(db, &late, true), WEIR_OK);
    r = fixture_call("usr_1", FIXTURE_NOW - 86400000 + 10);
    fixture_run(db, &r);
    expect_holds(fixture_path);
    fixture_answered(&late);
    ck_assert_int_eq(fixture_settle(db, &late), WEIR_OK);
    ck_assert_int_eq(fixture_settle(db, &late), WEIR_OK);        /* twice changes nothing */
    expect_holds(fixture_path);
    db_close(db);
}
END_TEST

START_TEST(an_operation_that_is_undone_leaves_no_trace_in_the_seals)
{
    struct db *db = fixture_db();
    struct call_record r, gone;

    fixture_user(db, "usr_1");
    r = fixture_call("usr_1", FIXTURE_NOW - 1000);
    gone = fixture_call("usr_1", FIXTURE_NOW - 900);
    gone.model = "never-seen";
    ck_assert_int_eq(db_begin(db), WEIR_OK);
    ck_assert_int_eq(usage_accept(db, &r, true), WEIR_OK);
    ck_assert_int_eq(db_mark(db), WEIR_OK);
    ck_assert_int_eq(usage_accept(db, &gone, true), WEIR_OK);
    fixture_answered(&gone);
    ck_assert_int_eq(usage_settle(db, &gone), WEIR_OK);
    ck_assert_int_eq(db_mark_undo(db), WEIR_OK);
    fixture_answered(&r);
    ck_assert_int_eq(usage_settle(db, &r), WEIR_OK);
    ck_assert_int_eq(db_commit(db), WEIR_OK);
    expect_holds(fixture_path);
    ck_assert_int_eq(fixture_i64(db, "SELECT sum(events) FROM seals WHERE id >= 0"), 1);
    db_close(db);
}
END_TEST

START_TEST(seals_survive_anonymising_and_retention)
{
    struct db *db = fixture_db();
    struct call_record r;
    int64_t event, quarter = (FIXTURE_NOW - 86400000) / QUARTER_MS;
    struct verify *v;

    fixture_user(db, "usr_1");
    r = fixture_call("usr_1", quarter * QUARTER_MS + 5);
    r.metadata_json = "{\"a\":1}";
    fixture_run(db, &r);
    event = fixture_i64(db, "SELECT max(id) FROM events");
    ck_assert_int_eq(db_begin(db), WEIR_OK);
    ck_assert_int_eq(seal_lift(db, event), WEIR_OK);
    ck_assert_int_eq(db_exec(db, "UPDATE events SET metadata = NULL"), WEIR_OK);
    ck_assert_int_eq(seal_event(db, event), WEIR_OK);
    ck_assert_int_eq(db_commit(db), WEIR_OK);
    expect_holds(fixture_path);

    ck_assert_int_eq(db_begin(db), WEIR_OK);
    ck_assert_int_eq(db_exec(db, "DELETE FROM events"), WEIR_OK);
    ck_assert_int_eq(db_exec(db, "DELETE FROM attempt_rows"), WEIR_OK);
    ck_assert_int_eq(seal_prune(db, quarter + 1, FIXTURE_NOW), WEIR_OK);
    ck_assert_int_eq(db_commit(db), WEIR_OK);
    expect_holds(fixture_path);
    ck_assert_int_eq(db_exec(db, "UPDATE rollups SET requests = requests + 1"), WEIR_OK);
    v = checked(fixture_path, 0);
    ck_assert_int_gt(verify_result(v)->failed[VERIFY_ROLLUPS], 0);
    verify_free(v);
    db_close(db);
}
END_TEST

START_TEST(what_a_dead_process_left_open_is_named_until_it_is_closed_and_listed_after)
{
    struct db *db = fixture_db();
    struct call_record sent, waiting;
    struct verify *v;
    int64_t never, cut;

    fixture_user(db, "usr_1");
    sent = fixture_call("usr_1", FIXTURE_NOW - 5000);
    waiting = fixture_call("usr_1", FIXTURE_NOW - 4000);
    ck_assert_int_eq(fixture_accept(db, &sent, true), WEIR_OK);
    ck_assert_int_eq(fixture_accept(db, &waiting, false), WEIR_OK);
    expect_holds(fixture_path);                                   /* the Weir that took them runs */
    v = checked(fixture_path, FIXTURE_NOW - 4500);                /* the first is of another */
    ck_assert_int_eq(verify_result(v)->failed[VERIFY_INTENTS], 1);
    ck_assert_str_eq(verify_result(v)->finding[0].where, sent.request_id);
    verify_free(v);
    v = checked(fixture_path, INT64_MAX);
    ck_assert_int_eq(verify_result(v)->failures, 2);
    verify_free(v);
    ck_assert_int_eq(usage_recover(db, FIXTURE_NOW, &never, &cut), WEIR_OK);
    v = checked(fixture_path, INT64_MAX);
    ck_assert_int_eq(verify_result(v)->failures, 0);
    ck_assert_int_eq(verify_result(v)->orphan_count, 2);
    ck_assert_str_eq(verify_result(v)->orphan[0].request_id, waiting.request_id);
    ck_assert_ptr_nonnull(strstr(verify_result(v)->orphan[0].text, "at no cost"));
    ck_assert_ptr_nonnull(strstr(verify_result(v)->orphan[1].text, "charged at its estimate"));
    verify_free(v);
    db_close(db);
}
END_TEST

START_TEST(when_it_last_held_is_kept_over_a_failure)
{
    struct db *db = fixture_db();
    struct verify_result holds = {.events = 5}, fails = {.events = 6, .failures = 2};
    struct verify_last last;

    ck_assert_int_eq(verify_last_read(db, &last), WEIR_OK);
    ck_assert(!last.complete);
    ck_assert_int_eq(verify_last_keep(db, &holds, 1000), WEIR_OK);
    ck_assert_int_eq(verify_last_keep(db, &fails, 2000), WEIR_OK);
    ck_assert_int_eq(verify_last_read(db, &last), WEIR_OK);
    ck_assert(last.complete);
    ck_assert_int_eq(last.held_ms, 1000);
    ck_assert_int_eq(last.checked_ms, 2000);
    ck_assert_int_eq(last.failures, 2);
    db_close(db);
}
END_TEST

UNIT_MAIN("verify", a_ledger_that_weir_wrote_holds, each_kind_of_damage_is_found_and_named,
          hundreds_of_flipped_bits_in_values_are_all_found, hundreds_of_flipped_bits_in_the_file_are_all_found,
          what_is_settled_long_after_its_quarter_is_sealed_too, an_operation_that_is_undone_leaves_no_trace_in_the_seals,
          seals_survive_anonymising_and_retention, what_a_dead_process_left_open_is_named_until_it_is_closed_and_listed_after,
          when_it_last_held_is_kept_over_a_failure)
