/* The spill file: what goes through it leaves the rows it would have left, once; damage is noticed. */
#include "unit.h"

#include <fcntl.h>
#include <inttypes.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/stat.h>

#include "fixture_call.h"
#include "store/content.h"
#include "store/content_key.h"
#include "store/spill.h"
#include "store/spill_line.h"

static struct spill *open_spill(void)
{
    char path[160], why[DB_WHY_SIZE];
    struct spill *s;

    snprintf(path, sizeof path, "%s/spill.ndjson", fixture_dir);
    ck_assert_msg(spill_open(path, &s, why) == WEIR_OK, "%s", why);
    return s;
}

static off_t size_of_file(void)
{
    char path[160];
    struct stat st;

    snprintf(path, sizeof path, "%s/spill.ndjson", fixture_dir);
    ck_assert_int_eq(stat(path, &st), 0);
    ck_assert_int_eq(st.st_mode & 0777, 0600);
    return st.st_size;
}

/* An open call and an end that sets every member a settlement uses. */
static struct call_record open_call(struct db *db)
{
    static const char answer[] = "line\n\"quoted\" \\ \x01 \0 after NUL \xf0\x9f\x98\x80 </script>", reasoning[] = "because \xe2\x80\xa8";
    struct call_record r = fixture_call("usr_a", FIXTURE_NOW);

    ck_assert_int_eq(fixture_accept(db, &r, true), WEIR_OK);
    fixture_answered(&r);
    r.held_us[0] = 5000;
    r.held_us[GATE_NONE - 1] = 7000;
    r.promised_ms = 12;
    r.promised_position = 3;
    r.status = CALL_ERROR;
    r.error_code = "upstream_cut";
    r.usage = (struct usage_tokens){.prompt = 1001, .cached = 102, .cache_write = 103, .cache_write_1h = 104,
                                    .completion = 1005, .reasoning = 106};
    r.estimated = r.usage_suspect = true;
    r.answer = answer;
    r.answer_bytes = sizeof answer - 1;
    r.answer_chars = 41;
    r.reasoning = reasoning;
    r.reasoning_bytes = sizeof reasoning - 1;
    r.retry_wait_us = 77000;
    r.attempt_count = 2;
    r.attempts[0] = (struct call_attempt){.upstream = "first", .started_at_ms = r.accepted_at_ms + 3, .wait_us = 4, .duration_us = 5,
                                          .http_status = 429, .error_code = "upstream_busy", .reserved_input = 6,
                                          .reserved_output = 7, .provider_request_id = "req-1", .model = "gpt-4o", .reason = 1,
                                          .usage = {.prompt = 8, .completion = 9}, .estimated = true, .priced = true,
                                          .cost_in = 10, .cost_out = 11};
    r.attempts[1] = (struct call_attempt){.upstream = "openai", .started_at_ms = r.accepted_at_ms + 30, .wait_us = 40,
                                          .duration_us = 50, .http_status = 200, .reserved_input = 60,
                                          .reserved_output = 70, .provider_request_id = "req-2", .model = "gpt-4o-mini",
                                          .reason = 2, .usage = {.prompt = 80, .completion = 90}};
    return r;
}

/* Two statements give the same rows, but for the columns named in `but`. */
static void assert_same(const char *sql, const char *a, const char *b, const char *but)
{
    sqlite3_stmt *one, *two;
    sqlite3 *h;
    int rows = 0;

    ck_assert_int_eq(sqlite3_open(fixture_path, &h), SQLITE_OK);
    ck_assert_int_eq(sqlite3_prepare_v2(h, sql, -1, &one, NULL), SQLITE_OK);
    ck_assert_int_eq(sqlite3_prepare_v2(h, sql, -1, &two, NULL), SQLITE_OK);
    sqlite3_bind_text(one, 1, a, -1, SQLITE_STATIC);
    sqlite3_bind_text(two, 1, b, -1, SQLITE_STATIC);
    while (sqlite3_step(one) == SQLITE_ROW) {
        ck_assert_int_eq(sqlite3_step(two), SQLITE_ROW);
        rows++;
        for (int i = 0; i < sqlite3_column_count(one); i++) {
            const char *name = sqlite3_column_name(one, i);
            char word[64];

            snprintf(word, sizeof word, " %s ", name);
            if (strstr(but, word))
                continue;
            ck_assert_msg(sqlite3_column_bytes(one, i) == sqlite3_column_bytes(two, i) &&
                              (!sqlite3_column_bytes(one, i) ||
                               memcmp(sqlite3_column_blob(one, i), sqlite3_column_blob(two, i), (size_t)sqlite3_column_bytes(one, i)) == 0),
                          "%s: \"%s\" and \"%s\"", name, (const char *)sqlite3_column_text(one, i), (const char *)sqlite3_column_text(two, i));
        }
    }
    ck_assert_int_eq(sqlite3_step(two), SQLITE_DONE);
    ck_assert_int_gt(rows, 0);
    sqlite3_finalize(one);
    sqlite3_finalize(two);
    sqlite3_close(h);
}

START_TEST(a_settlement_through_the_file_leaves_the_rows_it_would_have_left)
{
    struct db *db = fixture_db();
    struct call_record direct, through;
    struct spill *s;
    int64_t n;

    fixture_user(db, "usr_a");
    direct = open_call(db);
    through = open_call(db);
    ck_assert_int_eq(fixture_settle(db, &direct), WEIR_OK);
    s = open_spill();
    ck_assert_int_eq(spill_put(s, &through), WEIR_OK);
    ck_assert_int_eq(spill_sync(s), WEIR_OK);
    spill_close(s);                                     /* another process takes it up */
    s = open_spill();
    ck_assert_int_gt(spill_waiting(s), 0);
    ck_assert_int_eq(spill_replay(s, db, &n), WEIR_OK);
    ck_assert_int_eq(n, 1);
    ck_assert_int_eq(spill_waiting(s), 0);
    ck_assert_int_eq(size_of_file(), 0);
    spill_close(s);
    assert_same("SELECT * FROM events WHERE request_id = ?1", direct.request_id, through.request_id, " id request request_id session ");
    assert_same("SELECT a.* FROM attempts a JOIN events e ON e.id = a.event WHERE e.request_id = ?1 ORDER BY n", direct.request_id,
                through.request_id, " event ");
    assert_same("SELECT c.text, c.reasoning, m.role, m.at_ms, m.parent, m.seq FROM messages m JOIN contents c ON c.id = m.id JOIN sessions s"
                " ON s.id = m.session WHERE s.session_id = ?1 ORDER BY m.seq", direct.session_id, through.session_id, "");
    assert_same("SELECT * FROM sessions WHERE session_id = ?1", direct.session_id, through.session_id, " id session_id ");
    ck_assert_int_eq(fixture_i64(db, "SELECT count(*) FROM rollups"), 1);
    ck_assert_int_eq(fixture_i64(db, "SELECT sum(requests) FROM rollups"), 2);
    ck_assert_int_eq(fixture_i64(db, "SELECT count(*) FROM messages WHERE message_id = ''"), 0);
    db_close(db);
}
END_TEST

START_TEST(what_was_stored_before_is_not_counted_again)
{
    struct db *db = fixture_db();
    struct call_record r;
    struct spill *s;
    int64_t n;

    fixture_user(db, "usr_a");
    r = open_call(db);
    s = open_spill();
    for (int i = 0; i < 3; i++)
        ck_assert_int_eq(spill_put(s, &r), WEIR_OK);
    ck_assert_int_eq(fixture_settle(db, &r), WEIR_OK);
    ck_assert_int_eq(spill_replay(s, db, &n), WEIR_OK);
    ck_assert_int_eq(n, 3);
    ck_assert_int_eq(fixture_i64(db, "SELECT sum(requests) FROM rollups"), 1);
    ck_assert_int_eq(fixture_i64(db, "SELECT count(*) FROM attempts"), 2);
    spill_close(s);
    db_close(db);
}
END_TEST

START_TEST(no_cut_and_no_flipped_bit_passes_for_a_settlement)
{
    struct db *db = fixture_db();
    struct sb line = sb_make(1 << 20);
    struct call_record r;
    struct spill_line l;

    fixture_user(db, "usr_a");
    r = open_call(db);
    spill_line_put(&line, &r, true);
    ck_assert(sb_ok(&line));
    ck_assert_ptr_null(memchr(line.p, '\n', line.len));
    ck_assert(spill_line_read(line.p, line.len, &l));
    ck_assert_str_eq(l.rec.request_id, r.request_id);
    ck_assert_int_eq(l.rec.answer_bytes, r.answer_bytes);
    spill_line_done(&l);
    for (size_t n = 0; n < line.len; n++) {
        ck_assert(!spill_line_read(line.p, n, &l));
        line.p[n] ^= 1;
        ck_assert_msg(!spill_line_read(line.p, line.len, &l), "byte %zu", n);
        line.p[n] ^= 1;
    }
    sb_reset(&line);
    spill_line_put(&line, &r, false);                   /* what the log shows has no text, and can be replayed */
    ck_assert_ptr_null(strstr(line.p, "quoted"));
    ck_assert_ptr_null(strstr(line.p, "because"));
    ck_assert(spill_line_read(line.p, line.len, &l));
    ck_assert_ptr_null(l.rec.answer);
    spill_line_done(&l);
    sb_done(&line);
    db_close(db);
}
END_TEST

/* The first thirteen gates of a line, as a Weir wrote them that had no others, and a sum that fits. */
static void as_before_the_spread(struct sb *line)
{
    char *list = strstr(line->p, "\"held_us\":["), *end = strchr(list, ']'), *cut = list, *sum = strstr(line->p, ",\"sum\":\"");
    uint64_t h = UINT64_C(0xcbf29ce484222325);

    for (int i = 0; i <= GATE_NONE; i++)
        cut = strpbrk(cut + 1, ",]");
    memmove(cut, end, (size_t)(line->p + line->len - end));
    line->len -= (size_t)(end - cut);
    sum -= end - cut;
    for (const char *p = line->p; p < sum; p++)
        h = (h ^ (unsigned char)*p) * UINT64_C(0x100000001b3);
    line->len = (size_t)(sum - line->p);
    sb_putf(line, ",\"sum\":\"%016" PRIx64 "\"}", h);
}

START_TEST(a_line_of_before_the_spread_was_told_apart_is_read)
{
    struct db *db = fixture_db();
    struct sb line = sb_make(1 << 20);
    struct call_record r;
    struct spill_line l;

    fixture_user(db, "usr_a");
    r = open_call(db);
    spill_line_put(&line, &r, true);
    as_before_the_spread(&line);
    ck_assert(spill_line_read(line.p, line.len, &l));
    ck_assert_mem_eq(l.rec.held_us, r.held_us, (GATE_NONE + 1) * sizeof *r.held_us);
    for (int g = GATE_SPREAD; g < GATE_COUNT; g++)
        ck_assert_int_eq(l.rec.held_us[g], 0);
    spill_line_done(&l);
    sb_done(&line);
    db_close(db);
}
END_TEST

/* With a key text lies sealed in the file as it does in the database, and where none is kept there is none. */
START_TEST(text_is_in_the_file_as_it_is_in_the_database)
{
    const unsigned char master[CONTENT_KEY_BYTES] = {7};
    struct db *db = fixture_db();
    struct sb line = sb_make(1 << 20), why = sb_make(512);
    struct call_record r;
    struct spill_line l;
    char folder[96];

    fixture_user(db, "usr_a");
    r = open_call(db);
    snprintf(folder, sizeof folder, "%s/keys", fixture_dir);
    ck_assert_msg(content_key_use(folder, master, &why), "%s", sb_str(&why));
    spill_line_put(&line, &r, true);
    ck_assert(sb_ok(&line));
    ck_assert_ptr_null(strstr(line.p, "quoted"));
    ck_assert_ptr_null(strstr(line.p, "because"));
    ck_assert(spill_line_read(line.p, line.len, &l));
    ck_assert_int_eq(l.rec.answer_bytes, r.answer_bytes);
    ck_assert_mem_eq(l.rec.answer, r.answer, (size_t)r.answer_bytes);
    ck_assert_int_eq(l.rec.reasoning_bytes, r.reasoning_bytes);
    ck_assert_mem_eq(l.rec.reasoning, r.reasoning, (size_t)r.reasoning_bytes);
    spill_line_done(&l);
    content_keep(false);
    sb_reset(&line);
    spill_line_put(&line, &r, true);
    ck_assert_ptr_null(strstr(line.p, "_sealed"));
    ck_assert(spill_line_read(line.p, line.len, &l));
    ck_assert_ptr_null(l.rec.answer);
    spill_line_done(&l);
    sb_done(&line);
    sb_done(&why);
    db_close(db);
}
END_TEST

static void may_grow_to(rlim_t bytes)
{
    struct rlimit r;

    signal(SIGXFSZ, SIG_IGN);
    ck_assert_int_eq(getrlimit(RLIMIT_FSIZE, &r), 0);
    r.rlim_cur = bytes;
    ck_assert_int_eq(setrlimit(RLIMIT_FSIZE, &r), 0);
}

START_TEST(a_line_the_disk_cut_short_is_refused_and_spoils_none_after_it)
{
    struct db *db = fixture_db();
    struct call_record r[3];
    struct spill *s;
    int64_t n;

    fixture_user(db, "usr_a");
    for (int i = 0; i < 3; i++)
        r[i] = open_call(db);
    s = open_spill();
    ck_assert_int_eq(spill_put(s, &r[0]), WEIR_OK);
    may_grow_to((rlim_t)size_of_file() + 100);
    ck_assert_int_eq(spill_put(s, &r[1]), WEIR_E_STORAGE);
    may_grow_to(RLIM_INFINITY);
    ck_assert_int_eq(spill_waiting(s), 1);
    ck_assert_int_eq(spill_put(s, &r[2]), WEIR_OK);
    ck_assert_int_eq(spill_replay(s, db, &n), WEIR_OK);
    ck_assert_int_eq(fixture_i64(db, "SELECT count(*) FROM events WHERE state = 2"), 2);
    ck_assert_int_eq(fixture_i64(db, "SELECT count(*) FROM events WHERE state = 1"), 1);
    spill_close(s);
    db_close(db);
}
END_TEST

START_TEST(a_settlement_nobody_asked_for_is_left_out_alone)
{
    struct db *db = fixture_db();
    struct call_record r[3];
    struct spill *s;
    int64_t n;

    fixture_user(db, "usr_a");
    for (int i = 0; i < 3; i++)
        r[i] = open_call(db);
    rand_id(r[1].request_id, "req");
    s = open_spill();
    for (int i = 0; i < 3; i++)
        ck_assert_int_eq(spill_put(s, &r[i]), WEIR_OK);
    ck_assert_int_eq(spill_replay(s, db, &n), WEIR_OK);
    ck_assert_int_eq(n, 3);
    ck_assert_int_eq(fixture_i64(db, "SELECT count(*) FROM events WHERE state = 2"), 2);
    ck_assert_int_eq(size_of_file(), 0);
    spill_close(s);
    db_close(db);
}
END_TEST

START_TEST(while_the_database_is_locked_a_replay_changes_nothing)
{
    enum { N = 1203 };                                  /* more than two transactions */
    struct db *db = fixture_db();
    struct call_record r;
    struct spill *s;
    sqlite3 *other;
    off_t size;
    int64_t n;

    fixture_user(db, "usr_a");
    s = open_spill();
    ck_assert_int_eq(db_begin(db), WEIR_OK);
    for (int i = 0; i < N; i++) {
        r = fixture_call("usr_a", FIXTURE_NOW + i);
        ck_assert_int_eq(usage_accept(db, &r, true), WEIR_OK);
        fixture_answered(&r);
        ck_assert_int_eq(spill_put(s, &r), WEIR_OK);
    }
    ck_assert_int_eq(db_commit(db), WEIR_OK);
    size = size_of_file();
    ck_assert_int_eq(sqlite3_open(fixture_path, &other), SQLITE_OK);
    ck_assert_int_eq(sqlite3_exec(other, "BEGIN IMMEDIATE", NULL, NULL, NULL), SQLITE_OK);
    ck_assert_int_eq(spill_replay(s, db, &n), WEIR_E_STORAGE);
    ck_assert_int_eq(size_of_file(), size);
    ck_assert_int_eq(spill_waiting(s), N);
    sqlite3_close(other);
    ck_assert_int_eq(spill_replay(s, db, &n), WEIR_OK);
    ck_assert_int_eq(n, N);
    ck_assert_int_eq(fixture_i64(db, "SELECT count(*) FROM events WHERE state = 2"), N);
    ck_assert_int_eq(fixture_i64(db, "SELECT sum(requests) FROM rollups"), N);
    spill_close(s);
    db_close(db);
}
END_TEST

UNIT_MAIN("spill", a_settlement_through_the_file_leaves_the_rows_it_would_have_left, what_was_stored_before_is_not_counted_again,
          no_cut_and_no_flipped_bit_passes_for_a_settlement, a_line_of_before_the_spread_was_told_apart_is_read, text_is_in_the_file_as_it_is_in_the_database, a_line_the_disk_cut_short_is_refused_and_spoils_none_after_it,
          a_settlement_nobody_asked_for_is_left_out_alone, while_the_database_is_locked_a_replay_changes_nothing)
