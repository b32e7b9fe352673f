/* The audit log: append-only and signed; every kind of damage is found, also what was cut off, and what retention took
 * out is not taken for damage. */
#include "unit.h"

#include <sodium.h>
#include <string.h>

#include "fixture_db.h"
#include "store/audit.h"

enum { ROWS = 40, MUTATIONS = 1000 };

static const unsigned char key[AUDIT_KEY_BYTES] = {7, 7, 7};

static void add(struct db *db, int64_t i)
{
    char actor[24];
    const struct audit_entry a = {.at_ms = 1000 + i, .actor = actor, .action = i % 3 ? "limits.reset" : "sign-in", .object = "openai",
                                  .detail = i % 2 ? "{\"a\":1}" : "{}", .request_id = i % 2 ? "req_1" : NULL};

    snprintf(actor, sizeof actor, "usr_%d", (int)(i % 5));
    ck_assert_int_eq(audit_add(db, &a), WEIR_OK);
}

static struct db *some_rows(int n)
{
    struct db *db = fixture_db();

    audit_set_key(key);
    for (int i = 0; i < n; i++)
        add(db, i);
    return db;
}

static int64_t first_bad(struct db *db, const struct audit_head *anchor)
{
    struct audit_found f;

    ck_assert_int_eq(audit_verify(db, anchor, &f), WEIR_OK);
    ck_assert_msg(!f.bad == !f.why, "%s", f.why ? f.why : "no reason is given");
    return f.bad;
}

/* As somebody who has the database file and no key. */
static sqlite3 *thief(void)
{
    sqlite3 *h;

    ck_assert_int_eq(sqlite3_open(fixture_path, &h), SQLITE_OK);
    ck_assert_int_eq(sqlite3_exec(h, "DROP TRIGGER IF EXISTS audit_no_update; DROP TRIGGER IF EXISTS audit_no_delete", NULL, NULL, NULL), SQLITE_OK);
    return h;
}

static void run(sqlite3 *h, const char *sql)
{
    char *why = NULL;

    ck_assert_msg(sqlite3_exec(h, sql, NULL, NULL, &why) == SQLITE_OK, "%s: %s", sql, why);
}

START_TEST(an_untouched_log_verifies)
{
    struct db *db = some_rows(10);
    struct audit_found f;

    ck_assert_int_eq(audit_verify(db, NULL, &f), WEIR_OK);
    ck_assert_int_eq(f.rows, 10);
    ck_assert_int_eq(f.bad, 0);
    db_close(db);
}
END_TEST

START_TEST(a_change_a_swap_and_a_gap_are_found)
{
    static const struct { const char *sql; int64_t bad; } rows[] = {
        {"UPDATE audit SET actor = 'usr_b' WHERE seq = 4", 4}, {"UPDATE audit SET at_ms = 9 WHERE seq = 1", 1},
        {"UPDATE audit SET request_id = '' WHERE seq = 3", 3}, {"UPDATE audit SET mac = x'00' WHERE seq = 10", 10},
        {"DELETE FROM audit WHERE seq = 6", 7}, {"DELETE FROM audit WHERE seq = 1", 2},
        {"UPDATE audit SET seq = CASE seq WHEN 2 THEN -3 ELSE -2 END WHERE seq IN (2, 3);"
         "UPDATE audit SET seq = -seq WHERE seq < 0", 2},
        /* a forged row of retention hides nothing */
        {"DELETE FROM audit WHERE seq <= 3; INSERT INTO audit SELECT 11, at_ms, 'weir', 'audit.pruned', '3', '{}', NULL, mac"
         " FROM audit WHERE seq = 10", 4},
    };

    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct db *db = some_rows(10);
        sqlite3 *h = thief();

        run(h, rows[i].sql);
        sqlite3_close(h);
        ck_assert_msg(first_bad(db, NULL) == rows[i].bad, "%s: first bad row %lld", rows[i].sql, (long long)first_bad(db, NULL));
        db_close(db);
    }
}
END_TEST

/* One random way to damage the rows in the table copy; gives what must be named as the first bad row. */
static int64_t damage(sqlite3 *h, unsigned *seed)
{
    static const char *const edits[] = {"at_ms = at_ms + 1", "actor = actor || 'x'", "action = 'x'", "object = ''", "detail = '{ }'",
                                        "request_id = coalesce(request_id || '1', '')", "mac = randomblob(33)", "mac = substr(mac, 2)",
                                        "mac = zeroblob(33)"};
    int64_t n = 1 + rand_r(seed) % ROWS, m = 1 + rand_r(seed) % (ROWS - 1);
    char sql[512];

    switch (rand_r(seed) % 5) {
    case 0:
        snprintf(sql, sizeof sql, "UPDATE audit SET %s WHERE seq = %d", edits[(size_t)rand_r(seed) % (sizeof edits / sizeof *edits)], (int)n);
        run(h, sql);
        return n;
    case 1:
        snprintf(sql, sizeof sql, "DELETE FROM audit WHERE seq = %d", (int)n);
        run(h, sql);
        return n < ROWS ? n + 1 : n;
    case 2:
        m += m >= n;
        snprintf(sql, sizeof sql, "UPDATE audit SET seq = CASE seq WHEN %d THEN -%d ELSE -%d END WHERE seq IN (%d, %d);"
                 "UPDATE audit SET seq = -seq WHERE seq < 0", (int)n, (int)m, (int)n, (int)n, (int)m);
        run(h, sql);
        return n < m ? n : m;
    case 3:          /* in between, the later ones move up */
        snprintf(sql, sizeof sql, "UPDATE audit SET seq = -seq - 1 WHERE seq >= %d; UPDATE audit SET seq = -seq WHERE seq < 0;"
                 "INSERT INTO audit SELECT %d, at_ms, actor, action, object, detail, request_id, mac FROM audit WHERE seq = %d",
                 (int)n, (int)n, n > 1 ? 1 : 3);
        run(h, sql);
        return n;
    default:
        snprintf(sql, sizeof sql, "DELETE FROM audit WHERE seq >= %d", (int)n);
        run(h, sql);
        return n;
    }
}

START_TEST(each_of_a_thousand_random_mutations_is_found_at_its_row)
{
    struct db *db = some_rows(ROWS);
    sqlite3 *h = thief();
    struct audit_head anchor;
    unsigned seed = 20261125;

    ck_assert_int_eq(audit_head(db, &anchor), WEIR_OK);
    ck_assert_int_eq(anchor.seq, ROWS);
    run(h, "CREATE TABLE kept AS SELECT * FROM audit");
    for (int i = 0; i < MUTATIONS; i++) {
        int64_t expected = damage(h, &seed), found = first_bad(db, &anchor);

        ck_assert_msg(found == expected, "mutation %d: first bad row %lld, expected %lld", i, (long long)found, (long long)expected);
        run(h, "DELETE FROM audit; INSERT INTO audit SELECT * FROM kept");
        ck_assert_int_eq(first_bad(db, &anchor), 0);
    }
    sqlite3_close(h);
    db_close(db);
}
END_TEST

START_TEST(a_log_cut_off_and_continued_is_found_by_the_anchor_alone)
{
    struct db *db = some_rows(10);
    struct audit_head anchor, parsed;
    char text[AUDIT_HEAD_SIZE];
    sqlite3 *h;

    ck_assert_int_eq(audit_head(db, &anchor), WEIR_OK);
    audit_head_text(&anchor, text);
    ck_assert(audit_head_parse(text, &parsed));
    ck_assert_mem_eq(&parsed, &anchor, sizeof anchor);
    ck_assert(!audit_head_parse("10:00", &parsed));
    ck_assert(!audit_head_parse("0:0000000000000000000000000000000000000000000000000000000000000000", &parsed));
    add(db, 11);
    ck_assert_int_eq(first_bad(db, &anchor), 0);
    h = thief();
    run(h, "DELETE FROM audit WHERE seq >= 8");
    sqlite3_close(h);
    ck_assert_int_eq(first_bad(db, NULL), 0);
    ck_assert_int_eq(first_bad(db, &anchor), 8);
    for (int i = 0; i < 4; i++)
        add(db, 20 + i);
    ck_assert_int_eq(first_bad(db, NULL), 0);
    ck_assert_int_eq(first_bad(db, &anchor), 10);
    db_close(db);
}
END_TEST

START_TEST(another_key_opens_nothing)
{
    static const unsigned char other[AUDIT_KEY_BYTES] = {8};
    struct db *db = some_rows(3);

    audit_set_key(other);
    ck_assert_int_eq(first_bad(db, NULL), 1);
    db_close(db);
}
END_TEST

START_TEST(retention_takes_a_prefix_and_signs_for_it)
{
    struct db *db = some_rows(10);
    struct audit_head old, head;
    struct audit_found f;
    int64_t gone;
    sqlite3 *h;

    ck_assert_int_eq(audit_head(db, &old), WEIR_OK);
    ck_assert_int_eq(db_exec(db, "DELETE FROM audit WHERE seq = 1"), WEIR_E_CONFLICT);      /* not without the row that says so */
    ck_assert_int_eq(audit_prune(db, 1000, 5000, 100, &gone), WEIR_OK);
    ck_assert_int_eq(gone, 0);
    ck_assert_int_eq(audit_prune(db, 1007, 5000, 4, &gone), WEIR_OK);                       /* rows 1 … 7 are due, four at a time */
    ck_assert_int_eq(gone, 4);
    ck_assert_int_eq(audit_prune(db, 1007, 5000, 4, &gone), WEIR_OK);
    ck_assert_int_eq(gone, 3);
    ck_assert_int_eq(audit_prune(db, 1007, 5000, 4, &gone), WEIR_OK);
    ck_assert_int_eq(gone, 0);
    ck_assert_int_eq(audit_verify(db, &old, &f), WEIR_OK);
    ck_assert_msg(!f.bad, "row %lld: %s", (long long)f.bad, f.why);
    ck_assert_int_eq(f.pruned, 7);
    ck_assert_int_eq(f.rows, 5);                                                            /* 8, 9, 10 and two of retention */
    ck_assert_int_eq(db_exec(db, "DELETE FROM audit WHERE seq = 8"), WEIR_E_CONFLICT);
    add(db, 50);
    ck_assert_int_eq(audit_prune(db, 9000, 9000, 100, &gone), WEIR_OK);                     /* all of it, those rows too */
    ck_assert_int_eq(gone, 6);
    ck_assert_int_eq(audit_head(db, &head), WEIR_OK);
    ck_assert_int_eq(head.seq, 14);
    ck_assert_int_eq(first_bad(db, &head), 0);
    add(db, 60);
    h = thief();
    run(h, "DELETE FROM audit WHERE seq = 14");
    sqlite3_close(h);
    ck_assert_int_eq(first_bad(db, NULL), 15);
    db_close(db);
}
END_TEST

/* Turn the signed rows into what an older Weir wrote. */
static void unsign(struct db *db, int rows)
{
    sqlite3 *h = thief();
    unsigned char before[32] = {0};

    (void)db;
    for (int64_t i = 1; i <= rows; i++) {
        sqlite3_stmt *st;
        crypto_hash_sha256_state s;
        unsigned char len[8] = {0};
        int64_t at_ms;

        ck_assert_int_eq(sqlite3_prepare_v2(h, "SELECT at_ms, actor, action, object, detail, request_id FROM audit WHERE seq = ?1", -1, &st, NULL),
                         SQLITE_OK);
        sqlite3_bind_int64(st, 1, i);
        ck_assert_int_eq(sqlite3_step(st), SQLITE_ROW);
        crypto_hash_sha256_init(&s);
        len[7] = 32;
        crypto_hash_sha256_update(&s, len, 8);
        crypto_hash_sha256_update(&s, before, 32);
        len[7] = 8;
        crypto_hash_sha256_update(&s, len, 8);
        crypto_hash_sha256_update(&s, (const unsigned char *)&i, 8);
        at_ms = sqlite3_column_int64(st, 0);
        crypto_hash_sha256_update(&s, len, 8);
        crypto_hash_sha256_update(&s, (const unsigned char *)&at_ms, 8);
        for (int c = 1; c < 6; c++) {
            const unsigned char *t = sqlite3_column_text(st, c);

            len[7] = 1;
            crypto_hash_sha256_update(&s, len, 8);
            crypto_hash_sha256_update(&s, (const unsigned char *)(t ? "+" : "-"), 1);
            len[7] = t ? (unsigned char)strlen((const char *)t) : 0;
            crypto_hash_sha256_update(&s, len, 8);
            crypto_hash_sha256_update(&s, t, len[7]);
        }
        crypto_hash_sha256_final(&s, before);
        sqlite3_finalize(st);
        ck_assert_int_eq(sqlite3_prepare_v2(h, "UPDATE audit SET mac = ?2 WHERE seq = ?1", -1, &st, NULL), SQLITE_OK);
        sqlite3_bind_int64(st, 1, i);
        sqlite3_bind_blob(st, 2, before, 32, SQLITE_STATIC);
        ck_assert_int_eq(sqlite3_step(st), SQLITE_DONE);
        sqlite3_finalize(st);
    }
    sqlite3_close(h);
}

START_TEST(rows_from_before_there_was_a_key_are_sealed_once_and_stay_checked)
{
    struct db *db = some_rows(5);
    sqlite3 *h;

    unsign(db, 5);
    ck_assert_int_eq(first_bad(db, NULL), 1);            /* nothing signs for them yet */
    ck_assert_int_eq(audit_seal(db, 2000), WEIR_OK);
    ck_assert_int_eq(audit_seal(db, 2000), WEIR_OK);
    ck_assert_int_eq(fixture_i64(db, "SELECT count(*) FROM audit"), 6);
    ck_assert_int_eq(first_bad(db, NULL), 0);
    add(db, 7);
    ck_assert_int_eq(first_bad(db, NULL), 0);
    h = thief();
    run(h, "UPDATE audit SET actor = 'nobody' WHERE seq = 2");
    sqlite3_close(h);
    ck_assert_int_eq(first_bad(db, NULL), 2);
    unsign(db, 5);                                       /* the whole old chain made anew: the seal does not fit it */
    ck_assert_int_eq(first_bad(db, NULL), 6);
    db_close(db);
}
END_TEST

START_TEST(rows_without_a_signature_cannot_replace_signed_ones)
{
    struct db *db = some_rows(5);

    unsign(db, 5);
    add(db, 6);
    ck_assert_int_eq(first_bad(db, NULL), 6);
    db_close(db);
}
END_TEST

START_TEST(the_list_has_the_newest_first_and_pages)
{
    struct db *db = some_rows(3);
    struct sb out = sb_make(10000);

    ck_assert_int_eq(audit_json(db, NULL, 2, &out), WEIR_OK);
    ck_assert_ptr_nonnull(strstr(sb_str(&out), "{\"items\":[{\"seq\":3,\"at\":\"1970-01-01T00:00:01.002Z\",\"actor\":\"usr_2\","
                                               "\"action\":\"limits.reset\",\"object\":\"openai\",\"detail\":{},\"request_id\":null},{\"seq\":2"));
    ck_assert_ptr_nonnull(strstr(sb_str(&out), "\"next_cursor\":\"2\"}"));
    sb_reset(&out);
    ck_assert_int_eq(audit_json(db, "2", 2, &out), WEIR_OK);
    ck_assert_ptr_nonnull(strstr(sb_str(&out), "{\"items\":[{\"seq\":1,"));
    ck_assert_ptr_nonnull(strstr(sb_str(&out), "\"next_cursor\":null}"));
    sb_done(&out);
    db_close(db);
}
END_TEST

UNIT_MAIN("audit", an_untouched_log_verifies, a_change_a_swap_and_a_gap_are_found,
          each_of_a_thousand_random_mutations_is_found_at_its_row, a_log_cut_off_and_continued_is_found_by_the_anchor_alone,
          another_key_opens_nothing, retention_takes_a_prefix_and_signs_for_it,
          rows_from_before_there_was_a_key_are_sealed_once_and_stay_checked,
          rows_without_a_signature_cannot_replace_signed_ones, the_list_has_the_newest_first_and_pages)
