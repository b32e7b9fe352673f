/* One person: given out whole, and erased so that nothing is found in any file. */
#include "unit.h"

#include <jansson.h>

#include "fixture_call.h"
#include "store/account.h"
#include "store/budgets.h"
#include "store/content.h"
#include "store/convo.h"
#include "store/ledger.h"
#include "store/person.h"

enum { CANARIES = 20, OTHERS = 300, SESSIONS = 60 };

static void canary(int i, char out[32])
{
    snprintf(out, 32, "Kanari%02d-zwitschert-%02d", i, 7 * i % 100);
}

/* Text around a canary; of a length that differs, so that pages split and are balanced. */
static const char *around(int i, int n)
{
    static const int most[] = {50, 800, 3000, 9000};
    static char text[10000];
    unsigned seed = (unsigned)n * 7919;
    char c[32];
    int before = rand_r(&seed) % 40, after = 1 + rand_r(&seed) % most[rand_r(&seed) % 4];

    canary(i, c);
    snprintf(text, sizeof text, "%*s%s%*s", before, "", c, after, ".");
    return text;
}

static struct person of(struct db *db, const char *who)
{
    struct person p;

    ck_assert_int_eq(person_find(db, who, &p), WEIR_OK);
    return p;
}

/* A hundred calls of one user, canaries in texts, titles, reasoning, metadata; between them calls of somebody else. Sessions go
 * on in turn, so that rows are put between others and moved from page to page. */
static struct db *planted(void)
{
    struct db *db = fixture_db();
    char title[32], metadata[64], system[32], name[32];
    struct call_record r, last[SESSIONS];
    unsigned seed = 20;      /* one where secure_delete alone leaves a copy behind */

    content_keep(true);
    fixture_user(db, "usr_other");
    canary(19, name);
    ck_assert_int_eq(account_user_add(db, &(struct account_user){.user_id = "usr_victim", .name = name, .role = ROLE_USER,
                                                                 .max_priority = PRIORITY_HIGH}, FIXTURE_NOW), WEIR_OK);
    canary(18, title);
    ck_assert_int_eq(account_token_add(db, &(struct account_token){.token_id = "tok_victim", .user_id = "usr_victim", .name = title, .scopes = "",
                                                                   .secret = "s"}, FIXTURE_NOW), WEIR_OK);
    ck_assert_int_eq(account_session_add(db, "cookie", "csrf", "usr_victim", false, NULL, FIXTURE_NOW), WEIR_OK);
    ck_assert_int_eq(account_code_add(db, "code", "usr_victim", FIXTURE_NOW, FIXTURE_NOW + 1000), WEIR_OK);
    for (int n = 0; n < OTHERS; n++) {
        int at = n;
        bool victim, follows = n >= SESSIONS;

        if (follows)
            at = rand_r(&seed) % SESSIONS;
        victim = at % 3 == 0;
        r = follows ? fixture_next(&last[at]) : fixture_call(victim ? "usr_victim" : "usr_other", FIXTURE_NOW);
        r.accepted_at_ms = FIXTURE_NOW + n * 1000;
        canary(n % 5, title);
        canary(15 + n / 3 % 3, system);
        snprintf(metadata, sizeof metadata, "{\"who\":\"%s\"}", system);
        r.session_title = victim ? title : "A title of somebody else";
        r.system_text = victim && !follows ? system : NULL;
        r.metadata_json = victim ? metadata : "{\"x\":1}";
        r.user_text = victim ? around(5 + n % 10, n) : "A question of somebody else";
        ck_assert_int_eq(fixture_accept(db, &r, true), WEIR_OK);
        fixture_answered(&r);
        if (victim) {
            r.answer = around(5 + (n + 3) % 10, 5 * n);
            r.answer_bytes = (int64_t)strlen(r.answer);
            r.reasoning = title;
            r.reasoning_bytes = (int64_t)strlen(title);
        }
        ck_assert_int_eq(fixture_settle(db, &r), WEIR_OK);
        last[at] = r;
    }
    return db;
}

static struct person_gone erase(struct db *db, const struct person *p)
{
    struct person_gone gone = {.sessions = 0};
    int64_t from = 0;

    ck_assert_int_eq(db_begin(db), WEIR_OK);
    ck_assert_int_eq(fixture_commit(db, person_close(db, p, FIXTURE_NOW, &gone)), WEIR_OK);
    while (from >= 0) {
        ck_assert_int_eq(db_begin(db), WEIR_OK);
        ck_assert_int_eq(fixture_commit(db, person_erase_some(db, p, 7, &from, &gone)), WEIR_OK);
    }
    return gone;
}

static int found(const char *suffix)
{
    char c[32];
    int n = 0;

    for (int i = 0; i < CANARIES; i++) {
        canary(i, c);
        n += fixture_file_has(suffix, c) > 0;
    }
    return n;
}

START_TEST(of_twenty_canaries_none_is_in_any_file_after_erasure)
{
    struct db *db = planted();
    struct person p = of(db, "usr_victim");
    char why[DB_WHY_SIZE], copy[160];
    struct person_gone gone;
    int64_t texts, others, requests;

    texts = fixture_i64(db, "SELECT count(*) FROM contents c JOIN sessions s ON s.id = c.id >> 20 WHERE s.user = 2");
    others = fixture_i64(db, "SELECT count(*) FROM contents") - texts;
    requests = fixture_i64(db, "SELECT count(*) FROM events WHERE user = 2");
    ck_assert(db_truncate_log(db));
    ck_assert_int_eq(found(""), CANARIES);              /* they are found when they are there */
    gone = erase(db, &p);
    ck_assert_int_eq(db_rebuild(db, 1), WEIR_E_OUT_OF_RANGE);
    ck_assert_int_eq(db_rebuild(db, INT64_MAX), WEIR_OK);
    ck_assert(db_truncate_log(db));
    ck_assert_int_eq(found(""), 0);
    ck_assert_int_eq(found("-wal"), 0);
    ck_assert_int_eq(found("-shm"), 0);
    snprintf(copy, sizeof copy, "%s.copy", fixture_path);
    ck_assert_int_eq(db_backup(db, copy, why), WEIR_OK);
    ck_assert_int_eq(found(".copy"), 0);
    ck_assert_int_eq(gone.tokens, 1);
    ck_assert_int_eq(gone.sessions, SESSIONS / 3);
    ck_assert_int_eq(gone.texts, texts);
    ck_assert_int_eq(gone.requests, requests);
    ck_assert_int_eq(fixture_file_has("", "usr_victim"), 0);
    /* of the other nothing went */
    ck_assert_int_eq(fixture_i64(db, "SELECT count(*) FROM events WHERE metadata IS NOT NULL"), OTHERS - requests);
    ck_assert_int_eq(fixture_i64(db, "SELECT count(*) FROM contents"), others);
    db_close(db);
}
END_TEST

START_TEST(the_ledger_stays_under_a_pseudonym_and_nobody_signs_in)
{
    struct db *db = planted();
    struct person p = of(db, "usr_victim");
    struct identity who;
    struct call_record late = fixture_call("usr_victim", FIXTURE_NOW + 1);
    int64_t cost = fixture_i64(db, "SELECT sum(cost_in + cost_out) FROM rollups");
    struct person_gone gone = erase(db, &p);
    struct person again;

    ck_assert_int_eq(fixture_i64(db, "SELECT sum(cost_in + cost_out) FROM rollups"), cost);
    ck_assert_int_eq(fixture_i64(db, "SELECT count(*) FROM events"), OTHERS);
    ck_assert_int_eq(fixture_i64(db, "SELECT sum(requests) FROM sessions"), OTHERS);
    ck_assert_int_eq(person_find(db, "usr_victim", &again), WEIR_E_NOT_FOUND);
    again = of(db, gone.pseudonym);
    ck_assert_int_eq(again.user, p.user);
    ck_assert_int_eq(account_by_cookie(db, "cookie", FIXTURE_NOW, &who), WEIR_E_UNAUTHENTICATED);
    ck_assert_int_eq(account_by_token(db, "s", FIXTURE_NOW, &who), WEIR_E_UNAUTHENTICATED);
    /* a call that was on its way is not accepted, though its user was known a moment ago */
    ck_assert_int_eq(fixture_accept(db, &late, true), WEIR_E_NOT_FOUND);
    db_close(db);
}
END_TEST

START_TEST(an_answer_on_its_way_is_counted_and_not_kept)
{
    struct db *db = planted();
    struct person p = of(db, "usr_victim");
    struct call_record r = fixture_call("usr_victim", FIXTURE_NOW + OTHERS * 1000);

    ck_assert_int_eq(fixture_accept(db, &r, true), WEIR_OK);
    (void)erase(db, &p);
    fixture_answered(&r);
    ck_assert_int_eq(fixture_settle(db, &r), WEIR_OK);
    ck_assert_int_eq(fixture_i64(db, "SELECT count(*) FROM contents c JOIN sessions s ON s.id = c.id >> 20 WHERE s.user = 2"), 0);
    ck_assert_int_eq(fixture_i64(db, "SELECT sum(requests) FROM rollups"), OTHERS + 1);
    db_close(db);
}
END_TEST

START_TEST(the_last_administrator_stays)
{
    struct db *db = fixture_db();
    struct person_gone gone = {.sessions = 0};
    char id[RAND_ID_SIZE];
    struct person p;

    ck_assert_int_eq(account_first_start(db, "weir_x", FIXTURE_NOW, id), WEIR_OK);
    p = of(db, "admin");
    ck_assert_str_eq(p.user_id, id);
    ck_assert_int_eq(person_close(db, &p, FIXTURE_NOW, &gone), WEIR_E_CONFLICT);
    ck_assert_int_eq(account_user_add(db, &(struct account_user){.user_id = "usr_b", .name = "b", .role = ROLE_ADMIN}, FIXTURE_NOW), WEIR_OK);
    ck_assert_int_eq(person_close(db, &p, FIXTURE_NOW, &gone), WEIR_OK);
    db_close(db);
}
END_TEST

START_TEST(an_export_has_everything_and_nothing_of_others)
{
    struct db *db = planted();
    struct person p = of(db, "usr_victim");
    struct sb out = sb_make(16 << 20);
    json_t *j, *first;
    size_t lines = 0;
    char c[32];

    ck_assert_int_eq(person_export(db, &p, PERSON_JSON, &out, NULL, NULL), WEIR_OK);
    for (int i = 0; i < CANARIES; i++) {
        canary(i, c);
        ck_assert_msg(strstr(sb_str(&out), c) != NULL, "%s is missing", c);
    }
    ck_assert_ptr_null(strstr(sb_str(&out), "somebody else"));
    j = json_loads(sb_str(&out), 0, NULL);
    ck_assert_ptr_nonnull(j);
    ck_assert_uint_eq(json_array_size(json_object_get(j, "requests")),
                      (size_t)fixture_i64(db, "SELECT count(*) FROM events WHERE user = 2"));
    ck_assert_uint_eq(json_array_size(json_object_get(j, "tokens")), 1);
    ck_assert_uint_eq(json_array_size(json_object_get(j, "browser_sessions")), 1);
    ck_assert_int_eq((int64_t)json_array_size(json_object_get(j, "messages")),
                     fixture_i64(db, "SELECT count(*) FROM messages m JOIN sessions s ON s.id = m.session WHERE s.user = 2"));
    first = json_array_get(json_object_get(j, "requests"), 0);
    ck_assert_int_eq(json_integer_value(json_object_get(json_object_get(first, "usage"), "prompt_tokens")), 12);
    json_decref(j);
    sb_reset(&out);
    ck_assert_int_eq(person_export(db, &p, PERSON_USAGE_CSV, &out, NULL, NULL), WEIR_OK);
    for (const char *s = sb_str(&out); (s = strstr(s, "\r\n")); s += 2)
        lines++;
    ck_assert_int_eq((int64_t)lines, 1 + fixture_i64(db, "SELECT count(*) FROM events WHERE user = 2"));
    sb_done(&out);
    db_close(db);
}
END_TEST

START_TEST(a_cell_that_would_be_calculated_is_text)
{
    struct db *db = fixture_db();
    struct call_record r;
    struct sb out = sb_make(100000);
    struct person p;

    content_keep(true);
    fixture_user(db, "usr_a");
    r = fixture_call("usr_a", FIXTURE_NOW);
    r.user_text = "=HYPERLINK(\"x\")";
    fixture_run(db, &r);
    p = of(db, "usr_a");
    ck_assert_int_eq(person_export(db, &p, PERSON_MESSAGES_CSV, &out, NULL, NULL), WEIR_OK);
    ck_assert_ptr_nonnull(strstr(sb_str(&out), ",\"'=HYPERLINK(\"\"x\"\")\","));
    sb_done(&out);
    db_close(db);
}
END_TEST

UNIT_MAIN("person", of_twenty_canaries_none_is_in_any_file_after_erasure, the_ledger_stays_under_a_pseudonym_and_nobody_signs_in,
          an_answer_on_its_way_is_counted_and_not_kept, the_last_administrator_stays, an_export_has_everything_and_nothing_of_others,
          a_cell_that_would_be_calculated_is_text)
