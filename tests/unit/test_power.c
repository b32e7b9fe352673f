/* The power goes at any instant: nothing that was promised is gone, nothing is counted twice, nothing is broken.
 *
 * Calls are accepted and settled through the writer while every write and sync is noted (disklog.h). Then the folder is
 * rebuilt as it may look after a loss of power at many of these points, started as Weir starts, and looked through.
 * WEIR_CRASH_POINTS=1000 tries so many in each case. */
#include "unit.h"

#include <pthread.h>
#include <stdatomic.h>

#include "fixture_call.h"
#include "flow/writer.h"
#include "disklog.h"
#include "store/spill.h"

enum { CALLS = 600, WAVE = 12, GROUP = 20 };

/* Promises: 2 n = call n is accepted, 2 n + 1 = it is settled. */
struct call {
    struct write_op op;
    struct call_record rec;
    bool settling;
    enum weir_err result;
    atomic_int answered;
};
static struct call calls[CALLS];

/* What every call says at its end, so that one can be told from another. */
static int64_t tokens_of(int64_t n)
{
    return 1000 + n * 7;
}

static enum weir_err run_call(struct db *db, struct write_op *op)
{
    struct call *c = (struct call *)op;

    return c->settling ? usage_settle(db, &c->rec) : usage_accept(db, &c->rec, true);
}

static void done_call(struct write_op *op, enum weir_err result)
{
    struct call *c = (struct call *)op;

    c->result = result;
    if (!result)
        disklog_promise((c - calls) * 2 + c->settling);
    atomic_store(&c->answered, 1);
}

static void submit(struct writer *w, struct call *c, bool settling)
{
    c->settling = settling;
    atomic_store(&c->answered, 0);
    c->op = (struct write_op){.run = run_call, .done = done_call, .settles = settling ? &c->rec : NULL};
    writer_submit(w, &c->op);
}

static void await_calls(int from, int to)
{
    for (int i = from; i < to; i++)
        while (!atomic_load(&calls[i].answered))
            sched_yield();
}

/* Waves of calls: each is accepted while the one before is settled. */
static void work(struct writer *w)
{
    struct rng r = rng_make(11);
    int before = 0;

    for (int from = 0; from < CALLS;) {
        int to = from + 1 + (int)rng_below(&r, WAVE);

        if (to > CALLS)
            to = CALLS;
        for (int i = from; i < to; i++) {
            calls[i].rec = fixture_call("usr_a", FIXTURE_NOW + i);
            submit(w, &calls[i], false);
            if (before < from && !calls[before].result) {
                fixture_answered(&calls[before].rec);
                calls[before].rec.usage.completion = tokens_of(before);
                submit(w, &calls[before], true);
            }
            before += before < from;
        }
        await_calls(0, to);
        from = to;
    }
}

static void record(enum durability strategy, const char *pragma, int failing_permille)
{
    const struct durability_settings how = {.strategy = strategy, .batch_size = GROUP, .batch_us = INT64_C(60000000),
                                            .batch_queue = 1000, .batch_retries = 3};
    char path[160], why[DB_WHY_SIZE];
    struct writer *w;
    struct spill *s;
    struct db *db;

    disklog_install();
    db = fixture_db();
    fixture_user(db, "usr_a");
    ck_assert_int_eq(db_exec(db, "PRAGMA wal_checkpoint(TRUNCATE)"), WEIR_OK);
    ck_assert_int_eq(db_exec(db, "PRAGMA wal_autocheckpoint = 80"), WEIR_OK);
    if (pragma)
        ck_assert_int_eq(db_exec(db, pragma), WEIR_OK);
    snprintf(path, sizeof path, "%s/spill.ndjson", fixture_dir);
    ck_assert_msg(spill_open(path, &s, why) == WEIR_OK, "%s", why);
    disklog_begin(fixture_dir);
    disklog_fail_syncs(failing_permille, 5);
    w = writer_start(db);
    writer_use_spill(w, s, &how);
    work(w);
    writer_stop(w);
    disklog_end();
    spill_close(s);
    db_close(db);
}

/* --- afterwards --- */

struct found {
    int64_t broken;            /* cannot be opened, or its sums do not agree */
    int64_t accepted_lost, settled_lost;
    int64_t settled_kept;
    int64_t most_lost;         /* settlements, by one loss of power */
};

/* As `weir serve` puts a state folder in order. */
static enum weir_err start(const char *dir, struct db **db)
{
    char path[192], spill_path[192], why[DB_WHY_SIZE];
    int64_t n, m;
    struct spill *s;
    enum weir_err e;

    snprintf(path, sizeof path, "%s/weir.db", dir);
    snprintf(spill_path, sizeof spill_path, "%s/spill.ndjson", dir);
    e = db_open(path, db, why);
    if (e) {
        fprintf(stderr, "%s\n", why);
        return e;
    }
    ck_assert_msg(spill_open(spill_path, &s, why) == WEIR_OK, "%s", why);
    e = spill_replay(s, *db, &n);
    spill_close(s);
    return e ? e : usage_recover(*db, FIXTURE_NOW, &n, &m);
}

static bool whole(struct db *db)
{
    static const char *const nothing_of[] = {
        "SELECT count(*) FROM pragma_quick_check WHERE quick_check <> 'ok'",
        "SELECT count(*) FROM events WHERE state < 2",
        "SELECT (SELECT count(*) FROM events) - (SELECT ifnull(sum(requests), 0) FROM rollups)",
        "SELECT (SELECT ifnull(sum(completion), 0) FROM events) - (SELECT ifnull(sum(completion), 0) FROM rollups)",
        "SELECT (SELECT ifnull(sum(completion), 0) FROM events) - (SELECT ifnull(sum(completion), 0) FROM sessions)",
        "SELECT count(*) - count(DISTINCT request_id) FROM events",
        "SELECT count(*) - count(DISTINCT event) FROM attempts",
        "SELECT (SELECT count(*) FROM events WHERE status = 0) - (SELECT count(*) FROM messages WHERE role = 2)",
        "SELECT count(*) FROM events WHERE status <> 0 AND NOT estimated",
    };

    for (size_t i = 0; i < sizeof nothing_of / sizeof *nothing_of; i++) {
        int64_t n = fixture_i64(db, nothing_of[i]);

        if (n != 0) {
            fprintf(stderr, "%lld: %s\n", (long long)n, nothing_of[i]);
            return false;
        }
    }
    return true;
}

/* Completion tokens of a call, if it was settled as it ended; -1: it has no record. */
static int64_t record_of(struct db *db, int64_t n)
{
    struct query q = query(db, "SELECT iif(estimated, 0, completion) FROM events WHERE request_id = ?1");
    int64_t tokens = -1;

    query_text(&q, calls[n].rec.request_id);
    if (query_row(&q))
        tokens = query_col_i64(&q, 0);
    ck_assert_int_eq(query_stop(&q), WEIR_OK);
    return tokens;
}

static void look(const char *dir, size_t at, struct found *f)
{
    int64_t lost = f->settled_lost, what;
    struct db *db;

    if (start(dir, &db) != WEIR_OK) {
        f->broken++;
        return;
    }
    f->broken += !whole(db);
    for (size_t n = 0; (what = disklog_promised(at, n)) >= 0; n++) {
        int64_t tokens = record_of(db, what / 2);

        if (what % 2 == 0) {
            f->accepted_lost += tokens < 0;
        } else {
            f->settled_lost += tokens != tokens_of(what / 2);
            f->settled_kept += tokens == tokens_of(what / 2);
        }
    }
    if (f->settled_lost - lost > f->most_lost)
        f->most_lost = f->settled_lost - lost;
    db_close(db);
}

static int compare(const void *a, const void *b)
{
    size_t x = *(const size_t *)a, y = *(const size_t *)b;

    return (x > y) - (x < y);
}

static struct found lose_power(int points)
{
    const char *wanted = getenv("WEIR_CRASH_POINTS"), *shm = access("/dev/shm", W_OK) == 0 ? "/dev/shm" : "/tmp";
    struct rng r = rng_make(17);
    struct found f = {0};
    size_t *at;

    points = wanted ? atoi(wanted) : UNIT_TIMES(points);
    ck_assert_int_gt(points, 0);
    at = calloc((size_t)points, sizeof *at);
    for (int i = 0; i < points; i++)
        at[i] = 1 + (size_t)rng_below(&r, (int64_t)disklog_length());
    qsort(at, (size_t)points, sizeof *at, compare);
    for (int i = 0; i < points; i++) {
        char dir[64];

        snprintf(dir, sizeof dir, "%s/weir-power-XXXXXX", shm);
        ck_assert_ptr_nonnull(mkdtemp(dir));
        disklog_rebuild(at[i], &r, dir);
        look(dir, at[i], &f);
        nftw(dir, fixture_remove, 8, FTW_DEPTH | FTW_PHYS);
    }
    printf("%d losses of power in %zu writes and syncs: %lld broken, %lld settlements kept, %lld lost, %lld intents lost\n", points,
           disklog_length(), (long long)f.broken, (long long)f.settled_kept, (long long)f.settled_lost, (long long)f.accepted_lost);
    free(at);
    return f;
}

START_TEST(nothing_that_was_committed_is_lost)
{
    struct found f;

    record(DURABILITY_REALTIME, NULL, 0);
    f = lose_power(300);
    ck_assert_int_eq(f.broken, 0);
    ck_assert_int_eq(f.accepted_lost, 0);
    ck_assert_int_eq(f.settled_lost, 0);
    ck_assert_int_gt(f.settled_kept, 0);
}
END_TEST

START_TEST(with_synchronous_normal_it_would_be)
{
    struct found f;

    record(DURABILITY_REALTIME, "PRAGMA synchronous = NORMAL", 0);
    f = lose_power(60);
    ck_assert_int_eq(f.broken, 0);
    ck_assert_int_gt(f.accepted_lost, 0);
    ck_assert_int_gt(f.settled_lost, 0);
}
END_TEST

START_TEST(batch_loses_nothing_it_has_answered)
{
    struct found f;

    record(DURABILITY_BATCH, NULL, 0);
    f = lose_power(150);
    ck_assert_int_eq(f.broken, 0);
    ck_assert_int_eq(f.accepted_lost, 0);
    ck_assert_int_eq(f.settled_lost, 0);
    ck_assert_int_gt(f.settled_kept, 0);
}
END_TEST

START_TEST(async_loses_ends_of_its_last_group_but_no_call)
{
    struct found f;

    record(DURABILITY_ASYNC, NULL, 0);
    f = lose_power(150);
    ck_assert_int_eq(f.broken, 0);
    ck_assert_int_eq(f.accepted_lost, 0);
    ck_assert_int_gt(f.settled_lost, 0);
    ck_assert_int_le(f.most_lost, GROUP + WAVE);
    ck_assert_int_gt(f.settled_kept, 0);
}
END_TEST

START_TEST(a_sync_that_fails_promises_nothing_and_breaks_nothing)
{
    struct found f;

    record(DURABILITY_REALTIME, NULL, 100);
    ck_assert_uint_gt(disklog_failed_syncs(), 10);
    f = lose_power(150);
    ck_assert_int_eq(f.broken, 0);
    ck_assert_int_eq(f.accepted_lost, 0);
    ck_assert_int_eq(f.settled_lost, 0);
    ck_assert_int_gt(f.settled_kept, 0);
}
END_TEST

UNIT_MAIN("power", nothing_that_was_committed_is_lost, with_synchronous_normal_it_would_be, batch_loses_nothing_it_has_answered,
          async_loses_ends_of_its_last_group_but_no_call, a_sync_that_fails_promises_nothing_and_breaks_nothing)
