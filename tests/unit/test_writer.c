/* Group commit: results, order, undoing one of many, honesty about a full disk; what becomes of settlements. */
#include "unit.h"

#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <sys/resource.h>

#include "base/clock.h"
#include "fixture_call.h"
#include "flow/writer.h"
#include "store/spill.h"

/* An operation that puts one key, and then fails if told so. */
struct put {
    struct write_op op;
    char key[32];
    enum weir_err fail_with;
    bool before_writing;
    atomic_int runs;
    atomic_int answers;
    enum weir_err result;
};

static enum weir_err run_put(struct db *db, struct write_op *op)
{
    struct put *p = (struct put *)op;
    struct query q;
    enum weir_err e;

    atomic_fetch_add(&p->runs, 1);
    if (p->before_writing)
        return p->fail_with;
    q = query(db, "INSERT INTO settings SELECT ?1, hex(zeroblob(2000)), count(*) FROM settings");
    query_text(&q, p->key);
    e = query_end(&q);
    return e ? e : p->fail_with;
}

static void done_put(struct write_op *op, enum weir_err result)
{
    struct put *p = (struct put *)op;

    p->result = result;
    atomic_fetch_add(&p->answers, 1);
}

static void init_put(struct put *p, const char *key, int n)
{
    memset(p, 0, sizeof *p);
    snprintf(p->key, sizeof p->key, "%s%d", key, n);
    p->op.run = run_put;
    p->op.done = done_put;
}

static int64_t keys_like(struct db *db, const char *like)
{
    struct query q = query(db, "SELECT count(*) FROM settings WHERE key LIKE ?1");
    int64_t n;

    query_text(&q, like);
    n = query_row(&q) ? query_col_i64(&q, 0) : -1;
    ck_assert_int_eq(query_stop(&q), WEIR_OK);
    return n;
}

/* The writer's thread is held inside this operation until the gate opens, so that what is submitted meanwhile is one batch. */
struct barrier {
    struct write_op op;
    pthread_mutex_t lock;
    pthread_cond_t changed;
    bool entered, open;
};

static enum weir_err run_gate(struct db *db, struct write_op *op)
{
    struct barrier *g = (struct barrier *)op;

    (void)db;
    pthread_mutex_lock(&g->lock);
    g->entered = true;
    pthread_cond_broadcast(&g->changed);
    while (!g->open)
        pthread_cond_wait(&g->changed, &g->lock);
    pthread_mutex_unlock(&g->lock);
    return WEIR_OK;
}

static void done_gate(struct write_op *op, enum weir_err result)
{
    (void)op, (void)result;
}

static void hold(struct writer *w, struct barrier *g)
{
    *g = (struct barrier){.op = {.run = run_gate, .done = done_gate}, .lock = PTHREAD_MUTEX_INITIALIZER,
                       .changed = PTHREAD_COND_INITIALIZER};
    writer_submit(w, &g->op);
    pthread_mutex_lock(&g->lock);
    while (!g->entered)
        pthread_cond_wait(&g->changed, &g->lock);
    pthread_mutex_unlock(&g->lock);
}

static void let_go(struct barrier *g)
{
    pthread_mutex_lock(&g->lock);
    g->open = true;
    pthread_cond_broadcast(&g->changed);
    pthread_mutex_unlock(&g->lock);
}

START_TEST(a_call_returns_after_its_row_is_committed)
{
    struct db *db = fixture_db(), *ro = fixture_reader();
    struct writer *w = writer_start(db);
    struct put p;

    init_put(&p, "k", 1);
    ck_assert_int_eq(writer_call(w, &p.op), WEIR_OK);
    ck_assert_int_eq(keys_like(ro, "k%"), 1);
    ck_assert_int_eq(writer_call(w, &p.op), WEIR_E_CONFLICT);
    ck_assert(writer_healthy(w));
    writer_stop(w);
    db_close(ro);
    db_close(db);
}
END_TEST

START_TEST(one_failed_operation_is_undone_alone_and_the_rest_of_its_batch_stays)
{
    struct db *db = fixture_db();
    struct writer *w = writer_start(db);
    struct put p[9];
    struct barrier g;

    hold(w, &g);
    for (int i = 0; i < 9; i++) {
        init_put(&p[i], "k", i);
        if (i == 4)
            p[i].fail_with = WEIR_E_NOT_FOUND;
        writer_submit(w, &p[i].op);
    }
    let_go(&g);
    writer_stop(w);
    for (int i = 0; i < 9; i++) {
        ck_assert_int_eq(p[i].result, i == 4 ? WEIR_E_NOT_FOUND : WEIR_OK);
        ck_assert_int_eq(atomic_load(&p[i].answers), 1);
    }
    ck_assert_int_eq(keys_like(db, "k%"), 8);
    ck_assert_int_eq(keys_like(db, "k4"), 0);
    ck_assert_int_eq(fixture_i64(db, "SELECT max(changed_ms) FROM settings WHERE key LIKE 'k%'"), 7);
    db_close(db);
}
END_TEST

START_TEST(a_refusal_before_writing_costs_the_batch_no_second_run)
{
    struct db *db = fixture_db();
    struct writer *w = writer_start(db);
    struct put p[3];
    struct barrier g;

    hold(w, &g);
    for (int i = 0; i < 3; i++) {
        init_put(&p[i], "k", i);
        if (i == 1)
            p[i].fail_with = WEIR_E_NOT_FOUND, p[i].before_writing = true;
        writer_submit(w, &p[i].op);
    }
    let_go(&g);
    writer_stop(w);
    ck_assert_int_eq(p[1].result, WEIR_E_NOT_FOUND);
    for (int i = 0; i < 3; i++)
        ck_assert_int_eq(atomic_load(&p[i].runs), 1);
    ck_assert_int_eq(keys_like(db, "k%"), 2);
    db_close(db);
}
END_TEST

START_TEST(operations_of_one_submitter_run_in_their_order)
{
    enum { N = 3000 };
    struct db *db = fixture_db();
    struct writer *w = writer_start(db);
    struct put *p = calloc(N, sizeof *p);

    for (int i = 0; i < N; i++) {
        init_put(&p[i], "k", i);
        writer_submit(w, &p[i].op);
    }
    writer_stop(w);
    ck_assert_int_eq(fixture_i64(db, "SELECT count(*) FROM settings WHERE key = 'k' || changed_ms"), N);
    free(p);
    db_close(db);
}
END_TEST

enum { THREADS = 8, CALLS = 60 };

struct caller {
    struct writer *w;
    int n;
    int ok;
};

static void *call_often(void *arg)
{
    struct caller *c = arg;

    for (int i = 0; i < CALLS; i++) {
        struct put p;

        init_put(&p, "t", c->n * 1000 + i);
        c->ok += writer_call(c->w, &p.op) == WEIR_OK;
    }
    return NULL;
}

START_TEST(eight_threads_that_wait_all_hear_their_own_result)
{
    struct db *db = fixture_db();
    struct writer *w = writer_start(db);
    struct caller c[THREADS];
    pthread_t t[THREADS];

    for (int i = 0; i < THREADS; i++) {
        c[i] = (struct caller){w, i, 0};
        ck_assert_int_eq(pthread_create(&t[i], NULL, call_often, &c[i]), 0);
    }
    for (int i = 0; i < THREADS; i++) {
        pthread_join(t[i], NULL);
        ck_assert_int_eq(c[i].ok, CALLS);
    }
    writer_stop(w);
    ck_assert_int_eq(keys_like(db, "t%"), THREADS * CALLS);
    db_close(db);
}
END_TEST

static enum weir_err run_limit(struct db *db, struct write_op *op)
{
    (void)op;
    return db_exec(db, "PRAGMA max_page_count = 1000000");
}

START_TEST(on_a_full_disk_every_operation_of_the_batch_hears_it_and_room_heals)
{
    struct db *db = fixture_db();
    struct write_op more_room = {.run = run_limit};
    struct writer *w;
    struct put p[200], late;
    struct barrier g;
    int failed = 0;

    ck_assert_int_eq(db_exec(db, "PRAGMA max_page_count = 120"), WEIR_OK);
    w = writer_start(db);
    hold(w, &g);
    for (int i = 0; i < 200; i++) {
        init_put(&p[i], "k", i);
        writer_submit(w, &p[i].op);
    }
    let_go(&g);
    init_put(&late, "late", 1);
    ck_assert_int_ne(writer_call(w, &late.op), WEIR_E_CONFLICT); /* in their batch, or in one of its own and then with room */
    ck_assert_int_eq(writer_call(w, &more_room), WEIR_OK);
    for (int i = 0; i < 200; i++) {
        ck_assert_int_eq(atomic_load(&p[i].answers), 1);
        failed += p[i].result == WEIR_E_STORAGE;
    }
    ck_assert_int_eq(failed, 200);
    ck_assert_int_eq(keys_like(db, "k%"), 0);
    ck_assert(writer_healthy(w));
    init_put(&p[0], "k", 0);
    ck_assert_int_eq(writer_call(w, &p[0].op), WEIR_OK);
    writer_stop(w);
    db_close(db);
}
END_TEST

START_TEST(while_another_process_holds_the_lock_it_is_unhealthy_and_then_heals)
{
    struct db *db = fixture_db();
    struct writer *w = writer_start(db);
    struct put p;
    sqlite3 *other;

    ck_assert_int_eq(sqlite3_open(fixture_path, &other), SQLITE_OK);
    ck_assert_int_eq(sqlite3_exec(other, "BEGIN IMMEDIATE", NULL, NULL, NULL), SQLITE_OK);
    init_put(&p, "k", 1);
    ck_assert_int_eq(writer_call(w, &p.op), WEIR_E_STORAGE);
    ck_assert(!writer_healthy(w));
    ck_assert_int_eq(sqlite3_exec(other, "ROLLBACK", NULL, NULL, NULL), SQLITE_OK);
    ck_assert_int_eq(writer_call(w, &p.op), WEIR_OK);
    ck_assert(writer_healthy(w));
    sqlite3_close(other);
    writer_stop(w);
    db_close(db);
}
END_TEST

/* --- settlements --- */

/* The end of a call, as the engine hands it over. */
struct ending {
    struct write_op op;
    struct call_record rec;
    atomic_int answers;
    enum weir_err result;
};

static enum weir_err run_ending(struct db *db, struct write_op *op)
{
    return usage_settle(db, &((struct ending *)op)->rec);
}

static void done_ending(struct write_op *op, enum weir_err result)
{
    struct ending *n = (struct ending *)op;

    n->result = result;
    atomic_fetch_add(&n->answers, 1);
}

static struct ending *endings(struct db *db, int n)
{
    struct ending *all = calloc((size_t)n, sizeof *all);

    fixture_user(db, "usr_a");
    for (int i = 0; i < n; i++) {
        all[i].rec = fixture_call("usr_a", FIXTURE_NOW + i);
        ck_assert_int_eq(fixture_accept(db, &all[i].rec, true), WEIR_OK);
        fixture_answered(&all[i].rec);
        all[i].op = (struct write_op){.run = run_ending, .done = done_ending, .settles = &all[i].rec};
    }
    return all;
}

static struct spill *use_spill(struct writer *w, enum durability strategy, int64_t batch_us)
{
    const struct durability_settings how = {.strategy = strategy, .batch_size = 10, .batch_us = batch_us, .batch_queue = 20, .batch_retries = 1};
    char path[160], why[DB_WHY_SIZE];
    struct spill *s;

    snprintf(path, sizeof path, "%s/spill.ndjson", fixture_dir);
    ck_assert_msg(spill_open(path, &s, why) == WEIR_OK, "%s", why);
    writer_use_spill(w, s, &how);
    return s;
}

static void await_answer(struct ending *n)
{
    while (!atomic_load(&n->answers))
        sched_yield();
}

static const char settled_sql[] = "SELECT count(*) FROM events WHERE state = 2";

static void await_settled(struct db *ro, int64_t n)
{
    while (fixture_i64(ro, settled_sql) != n)
        sched_yield();
}

static void await_health(struct writer *w, int healthy)
{
    while (writer_healthy(w) != healthy)
        sched_yield();
}

static sqlite3 *lock_database(void)
{
    sqlite3 *other;

    ck_assert_int_eq(sqlite3_open(fixture_path, &other), SQLITE_OK);
    ck_assert_int_eq(sqlite3_exec(other, "BEGIN IMMEDIATE", NULL, NULL, NULL), SQLITE_OK);
    return other;
}

START_TEST(a_settlement_the_database_does_not_take_waits_in_the_file_and_is_stored_when_it_can_be)
{
    struct db *db = fixture_db(), *ro = fixture_reader();
    struct ending *n = endings(db, 3);
    struct writer *w = writer_start(db);
    struct spill *s = use_spill(w, DURABILITY_REALTIME, INT64_C(60000000));
    sqlite3 *other = lock_database();

    for (int i = 0; i < 3; i++) {
        writer_submit(w, &n[i].op);
        await_answer(&n[i]);                             /* the first finds out, the others are not kept waiting */
        ck_assert_int_eq(n[i].result, WEIR_OK);
    }
    ck_assert(!writer_healthy(w));
    ck_assert_int_eq(fixture_i64(ro, settled_sql), 0);
    sqlite3_close(other);
    await_health(w, 1);                                  /* without a word from anybody */
    ck_assert_int_eq(fixture_i64(ro, settled_sql), 3);
    ck_assert_int_eq(fixture_i64(ro, "SELECT sum(requests) FROM rollups"), 3);
    writer_stop(w);
    ck_assert_int_eq(spill_waiting(s), 0);
    spill_close(s);
    db_close(ro);
    db_close(db);
    free(n);
}
END_TEST

START_TEST(what_neither_database_nor_file_takes_is_one_line_with_its_numbers)
{
    struct db *db = fixture_db();
    struct ending *n = endings(db, 1);
    struct writer *w = writer_start(db);
    struct spill *s = use_spill(w, DURABILITY_REALTIME, INT64_C(60000000));
    sqlite3 *other = lock_database();
    int out[2], kept = dup(STDERR_FILENO);
    char text[16384] = "", tokens[64];
    ssize_t got;

    n[0].rec.usage.prompt = 123456;
    ck_assert_int_eq(pipe(out), 0);
    dup2(out[1], STDERR_FILENO);
    signal(SIGXFSZ, SIG_IGN);
    ck_assert_int_eq(setrlimit(RLIMIT_FSIZE, &(struct rlimit){0, RLIM_INFINITY}), 0);
    writer_submit(w, &n[0].op);
    await_answer(&n[0]);
    ck_assert_int_eq(setrlimit(RLIMIT_FSIZE, &(struct rlimit){RLIM_INFINITY, RLIM_INFINITY}), 0);
    dup2(kept, STDERR_FILENO);
    got = read(out[0], text, sizeof text - 1);
    ck_assert_int_gt(got, 0);
    text[got] = '\0';
    ck_assert_int_eq(n[0].result, WEIR_E_STORAGE);
    snprintf(tokens, sizeof tokens, "\\\"usage.prompt\\\":%d", 123456);
    ck_assert_msg(strstr(text, tokens) && strstr(text, n[0].rec.request_id) && strstr(text, "\\\"sum\\\":"), "%s", text);
    ck_assert_ptr_null(strstr(text, "An answer"));
    sqlite3_close(other);
    writer_stop(w);
    spill_close(s);
    db_close(db);
    close(out[0]);
    close(out[1]);
    close(kept);
    free(n);
}
END_TEST

START_TEST(batch_answers_from_the_file_and_commits_when_the_group_is_full)
{
    struct db *db = fixture_db(), *ro = fixture_reader();
    struct ending *n = endings(db, 25);
    struct writer *w = writer_start(db);
    struct spill *s = use_spill(w, DURABILITY_BATCH, INT64_C(60000000));

    for (int i = 0; i < 25; i++) {
        writer_submit(w, &n[i].op);
        await_answer(&n[i]);
        ck_assert_int_eq(n[i].result, WEIR_OK);
        if (i < 9)
            ck_assert_int_eq(fixture_i64(ro, settled_sql), 0);
    }
    await_settled(ro, 20);
    writer_catch_up(w);                                  /* whoever reads a conversation does not wait for the group */
    ck_assert_int_eq(fixture_i64(ro, settled_sql), 25);
    writer_stop(w);
    spill_close(s);
    db_close(ro);
    db_close(db);
    free(n);
}
END_TEST

START_TEST(async_commits_a_group_that_is_not_full_after_its_time_and_at_the_stop)
{
    struct db *db = fixture_db(), *ro = fixture_reader();
    struct ending *n = endings(db, 2);
    struct writer *w = writer_start(db);
    struct spill *s = use_spill(w, DURABILITY_ASYNC, 1000);

    writer_submit(w, &n[0].op);
    await_settled(ro, 1);
    writer_stop(w);
    spill_close(s);
    w = writer_start(db);
    s = use_spill(w, DURABILITY_ASYNC, INT64_C(60000000));
    writer_submit(w, &n[1].op);
    await_answer(&n[1]);
    writer_stop(w);
    ck_assert_int_eq(fixture_i64(ro, settled_sql), 2);
    ck_assert_int_eq(spill_waiting(s), 0);
    spill_close(s);
    db_close(ro);
    db_close(db);
    free(n);
}
END_TEST

/* Counts what is settled when it runs. */
struct count {
    struct write_op op;
    int64_t seen;
};

static enum weir_err run_count(struct db *db, struct write_op *op)
{
    ((struct count *)op)->seen = fixture_i64(db, settled_sql);
    return WEIR_OK;
}

START_TEST(what_waits_for_the_settlements_before_it_sees_those_and_no_later_ones)
{
    struct db *db = fixture_db();
    struct ending *n = endings(db, 6);
    struct writer *w = writer_start(db);
    struct spill *s = use_spill(w, DURABILITY_BATCH, INT64_C(60000000));
    struct count c = {.op = {.run = run_count, .done = done_gate, .after_settlements = true}, .seen = -1};
    struct barrier g;

    hold(w, &g);
    for (int i = 0; i < 6; i++) {
        if (i == 4)
            writer_submit(w, &c.op);
        writer_submit(w, &n[i].op);
    }
    let_go(&g);
    writer_stop(w);
    ck_assert_int_eq(c.seen, 4);
    ck_assert_int_eq(fixture_i64(db, settled_sql), 6);
    spill_close(s);
    db_close(db);
    free(n);
}
END_TEST

START_TEST(a_group_that_cannot_be_committed_is_tried_again_before_new_calls_are_refused)
{
    struct db *db = fixture_db(), *ro = fixture_reader();
    struct ending *n = endings(db, 1);
    struct writer *w = writer_start(db);
    struct spill *s = use_spill(w, DURABILITY_BATCH, 1000);
    sqlite3 *other = lock_database();
    int64_t begun_us = clock_mono_us();

    writer_submit(w, &n[0].op);
    await_answer(&n[0]);
    ck_assert_int_eq(n[0].result, WEIR_OK);
    await_health(w, 0);
    ck_assert_int_ge(clock_mono_us() - begun_us, 2 * 2 * USEC_PER_SEC);      /* SQLite waited twice for the lock */
    sqlite3_close(other);
    await_health(w, 1);
    ck_assert_int_eq(fixture_i64(ro, settled_sql), 1);
    writer_stop(w);
    spill_close(s);
    db_close(ro);
    db_close(db);
    free(n);
}
END_TEST

UNIT_MAIN("writer", a_call_returns_after_its_row_is_committed,
          one_failed_operation_is_undone_alone_and_the_rest_of_its_batch_stays,
          a_refusal_before_writing_costs_the_batch_no_second_run, operations_of_one_submitter_run_in_their_order,
          eight_threads_that_wait_all_hear_their_own_result,
          on_a_full_disk_every_operation_of_the_batch_hears_it_and_room_heals,
          while_another_process_holds_the_lock_it_is_unhealthy_and_then_heals,
          a_settlement_the_database_does_not_take_waits_in_the_file_and_is_stored_when_it_can_be,
          what_neither_database_nor_file_takes_is_one_line_with_its_numbers,
          batch_answers_from_the_file_and_commits_when_the_group_is_full,
          async_commits_a_group_that_is_not_full_after_its_time_and_at_the_stop,
          what_waits_for_the_settlements_before_it_sees_those_and_no_later_ones,
          a_group_that_cannot_be_committed_is_tried_again_before_new_calls_are_refused)
