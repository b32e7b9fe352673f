/* ledger.c - how fast calls are recorded, and how much room they take.
 *
 *     bench/ledger [directory] [requests] [in flight] [days] [REALTIME|BATCH|ASYNC]
 *     bench/ledger fill FILE [requests] [days]
 *     bench/ledger time FILE
 *     bench/ledger start FILE
 *     bench/ledger verify FILE
 *     bench/ledger mark FILE [streams]
 *     bench/ledger import FILE [events]
 *
 * The first keeps so many requests in flight at the writer, each accepted and settled with
 * all its rows (event, attempt, two messages with text, session, roll-ups), every
 * COMMIT synchronous=FULL. 50 users, 8 models, sessions of five requests. The
 * requests are spread evenly over so many days up to now (1 unless given); then
 * the reports and exports are timed, and the start after a kill -9 that left twenty calls open,
 * and the database is gone. Under BATCH and ASYNC each request is a session of its own.
 *
 * `fill` makes a large database by the same functions, without the writer's
 * queue and thousands of calls to a transaction, and leaves it; `time` times
 * the reports and exports on it, `start` the start after a kill -9, `verify` what `weir verify` does. 10,000,000 requests over 400
 * days unless given. `mark` times how a new database is told every two seconds how far so many running answers have
 * come (2,000 unless given), each of them fifty tokens a second. `import` records usage made elsewhere, a thousand
 * events (100,000 in all unless given) to a transaction. */
#include <fcntl.h>
#include <inttypes.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/err.h"
#include "base/mem.h"
#include "base/rand.h"
#include "flow/writer.h"
#include "store/account.h"
#include "store/db.h"
#include "store/report.h"
#include "store/report_export.h"
#include "store/spans.h"
#include "store/spill.h"
#include "store/upkeep.h"
#include "store/usage.h"
#include "store/verify.h"

enum { USERS = 50, MODELS = 8, SESSION_REQUESTS = 5, LEFT_OPEN = 20 };

struct call {
    struct write_op op;          /* first: done() finds the call by it */
    struct call_record rec;
    struct bench *bench;
    int turn;
    bool settling, left_open;
};

struct bench {
    struct writer *writer;
    struct durability_settings how;
    pthread_mutex_t lock;
    pthread_cond_t changed;
    struct call *idle[4096];
    int idle_count;
    int64_t finished, failed;
    int64_t first_ms, step_us;       /* when the first request is accepted, and how long after it the next */
    int64_t begun;
    char user[USERS][RAND_ID_SIZE];
};

static enum weir_err run_call(struct db *db, struct write_op *op)
{
    struct call *c = (struct call *)op;

    return c->settling ? usage_settle(db, &c->rec) : usage_accept(db, &c->rec, true);
}

static void answered(struct call_record *r)
{
    r->status = CALL_SUCCESS;
    r->finish_reason = "stop";
    r->upstream = "openai";
    r->attempt_count = 1;
    r->attempts[0] = (struct call_attempt){.upstream = "openai", .model = r->model, .started_at_ms = r->accepted_at_ms + 1,
                                           .duration_us = 890123, .http_status = 200, .reserved_input = 420,
                                           .reserved_output = 900};
    r->usage.prompt = 412;
    r->usage.completion = 187;
    r->cost.input = 412 * r->cost.rate_in;
    r->cost.output = 187 * r->cost.rate_out;
    r->cost.total = r->cost.input + r->cost.output;
    r->attempts[0].usage = r->usage;
    r->attempts[0].priced = true;
    r->attempts[0].cost_in = r->cost.input;
    r->attempts[0].cost_out = r->cost.output;
    r->answer = "An answer of some length, as a model gives them to people who ask it something short.";
    r->answer_bytes = (int64_t)strlen(r->answer);
    r->answer_chars = r->answer_bytes;
    r->queue_us = 1234;
    r->ttft_us = 310000 + (int64_t)(r->request_id[RAND_ID_LEN - 1] * 1000);
    r->writing_us = 580000;
    r->duration_us = r->queue_us + r->ttft_us + r->writing_us;
    r->ended_at_ms = r->accepted_at_ms + 900;
}

static void settle(struct call *c)
{
    c->settling = true;
    answered(&c->rec);
    c->op.settles = &c->rec;
    writer_submit(c->bench->writer, &c->op);
}

static void done_call(struct write_op *op, enum weir_err result)
{
    struct call *c = (struct call *)op;
    struct bench *b = c->bench;

    if (result == WEIR_OK && !c->settling && !c->left_open) {
        settle(c);
        return;
    }
    (void)pthread_mutex_lock(&b->lock);
    b->finished++;
    b->failed += result != WEIR_OK;
    b->idle[b->idle_count++] = c;
    (void)pthread_cond_signal(&b->changed);
    (void)pthread_mutex_unlock(&b->lock);
}

static const char *const models[MODELS] = {"gpt-4o-mini", "gpt-4o", "gpt-5.2", "o4-mini", "llama-3.3-70b",
                                           "mistral-large", "qwen-3-32b", "claude-haiku-4-5"};

/* The call's next request. */
static void asked(struct bench *b, struct call *c)
{
    struct call_record *r = &c->rec;
    char session[RAND_ID_SIZE], parent[RAND_ID_SIZE];

    memcpy(session, r->session_id, sizeof session);
    memcpy(parent, r->message_id, sizeof parent);
    memset(r, 0, sizeof *r);
    r->accepted_at_ms = b->first_ms + b->begun++ * b->step_us / 1000;
    rand_id_at(r->request_id, "req", r->accepted_at_ms);
    rand_short_id(r->user_message_id, "msg");
    rand_short_id(r->message_id, "msg");
    r->new_session = c->turn++ % SESSION_REQUESTS == 0 || b->how.strategy != DURABILITY_REALTIME;
    if (r->new_session) {
        rand_id(r->session_id, "ses");
    } else {
        memcpy(r->session_id, session, sizeof session);
        memcpy(r->parent_id, parent, sizeof parent);
    }
    r->user_id = b->user[(unsigned char)r->session_id[RAND_ID_LEN - 1] % USERS];
    r->api_endpoint = "/chat/stream";
    r->priority = PRIORITY_MEDIUM;
    r->model = models[(unsigned char)r->session_id[RAND_ID_LEN - 2] % MODELS];
    r->session_title = "A question about something";
    r->user_text = "Please explain to me how this works, in a few words.";
    r->prompt_tokens_counted = 412;
    r->max_tokens = 4096;
    r->cost.priced = true;
    r->cost.rate_in = 150000;
    r->cost.rate_out = 600000;
    memcpy(r->cost.price_version, "2026-11-10", 11);
}

static void begin(struct bench *b, struct call *c)
{
    asked(b, c);
    c->settling = false;
    c->op.run = run_call;
    c->op.done = done_call;
    c->op.settles = NULL;
    c->bench = b;
    writer_submit(b->writer, &c->op);
}

static double cpu_s(void)
{
    struct rusage u;

    (void)getrusage(RUSAGE_SELF, &u);
    return (double)(u.ru_utime.tv_sec + u.ru_stime.tv_sec) + (double)(u.ru_utime.tv_usec + u.ru_stime.tv_usec) / 1e6;
}

static void print_room(struct db *db, int64_t requests)
{
    struct query q = query(db, "SELECT name, sum(pgsize) FROM dbstat GROUP BY name HAVING sum(pgsize) > 65536"
                               " ORDER BY 2 DESC");
    int64_t all = 0, text = 0;

    while (query_row(&q)) {
        const char *name = query_col_text(&q, 0);
        int64_t bytes = query_col_i64(&q, 1);

        printf("  %-28s %7.1f bytes a request\n", name, (double)bytes / (double)requests);
        all += bytes;
        if (strncmp(name, "contents", 8) == 0)              /* and the index of its words */
            text += bytes;
    }
    if (query_end(&q) == WEIR_OK)
        printf("  all but what was said        %7.1f bytes a request\n", (double)(all - text) / (double)requests);
}

typedef enum weir_err report_fn(struct db *ro, const struct report_filter *f, struct sb *out);

static int by_us(const void *a, const void *b)
{
    const int64_t *x = a, *y = b;

    return (*x > *y) - (*x < *y);
}

/* What a machine that others use as well does not lengthen. */
static int64_t thread_cpu_us(void)
{
    struct timespec t;

    (void)clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
    return t.tv_sec * INT64_C(1000000) + t.tv_nsec / 1000;
}

/* One report, twenty times on a warm connection. */
static void time_report(struct db *ro, const char *name, report_fn *report, int64_t range_ms)
{
    enum { TIMES = 20 };
    struct report_filter f = report_filter_make(clock_utc_ms());
    int64_t us[TIMES], cpu_us[TIMES];
    struct sb out = sb_make(16 << 20);

    f.from_ms = f.to_ms - range_ms;
    for (int i = 0; i < TIMES; i++) {
        int64_t from_us = clock_mono_us(), from_cpu_us = thread_cpu_us();

        sb_reset(&out);
        if (report(ro, &f, &out) != WEIR_OK || !sb_ok(&out))
            exit(1);
        us[i] = clock_mono_us() - from_us;
        cpu_us[i] = thread_cpu_us() - from_cpu_us;
    }
    qsort(us, TIMES, sizeof *us, by_us);
    qsort(cpu_us, TIMES, sizeof *cpu_us, by_us);
    printf("  %-28s %3d days: p50 %7.2f ms, p95 %7.2f ms; of CPU %7.2f, %7.2f; %zu bytes\n", name, (int)(range_ms / 86400000),
           (double)us[TIMES / 2] / 1000, (double)us[TIMES - 2] / 1000, (double)cpu_us[TIMES / 2] / 1000,
           (double)cpu_us[TIMES - 2] / 1000, out.len);
    sb_done(&out);
}

static enum weir_err forecast(struct db *ro, const struct report_filter *f, struct sb *out)
{
    struct report_goal goal = {.metric = REPORT_COST, .amount = INT64_MAX, .until_ms = INT64_MAX};
    struct report_filter past = *f;

    past.from_ms = f->to_ms - 56 * INT64_C(86400000);
    past.horizon_ms = f->to_ms - f->from_ms;
    if (past.horizon_ms > 366 * INT64_C(86400000))
        past.horizon_ms = 366 * INT64_C(86400000);
    return report_forecast(ro, &past, &goal, 1, out);
}

static int64_t resident_kib(void)
{
    FILE *f = fopen("/proc/self/status", "r");
    char line[256];
    long long kib = 0;

    while (f && fgets(line, sizeof line, f) && sscanf(line, "VmHWM: %lld", &kib) != 1)
        ;
    if (f)
        (void)fclose(f);
    return kib;
}

/* All events in each format, piece by piece as the endpoint does it, into nothing. */
static void time_exports(struct db *ro)
{
    struct report_export *x = mem_zalloc(1, sizeof *x);

    for (int format = 0; format <= EXPORT_NDJSON; format++) {
        struct report_filter f = report_filter_make(clock_utc_ms());
        struct sb piece = sb_make(4 << 20);
        int64_t from_us = clock_mono_us(), bytes = 0, kib = resident_kib();
        enum weir_err e;
        double cpu = cpu_s();

        f.from_ms = 0;
        if (report_export_begin(x, ro, &f, (enum export_format)format) != WEIR_OK)
            exit(1);
        while (report_export_next(x, ro, &piece, &e)) {
            bytes += (int64_t)piece.len;
            sb_reset(&piece);
        }
        printf("  export as %-6s %9" PRId64 " rows, %7.1f MB: %8.0f rows/s, %.0f a second of CPU; peak memory grew by %" PRId64
               " KiB\n", export_format_name((enum export_format)format), x->sums.requests, (double)bytes / 1e6,
               (double)x->sums.requests * 1e6 / (double)(clock_mono_us() - from_us), (double)x->sums.requests / (cpu_s() - cpu),
               resident_kib() - kib);
        sb_done(&piece);
    }
    free(x);
}

/* All of the ledger, as `weir verify` looks through it. */
static void time_verify(const char *path)
{
    struct verify_setup setup = {.now_ms = clock_utc_ms(), .running_since_ms = INT64_MAX};
    char why[DB_WHY_SIZE];
    struct verify *v;
    int64_t from_us, us;
    double cpu;

    if (db_open_reader(path, &setup.ro, why) != WEIR_OK)
        exit(1);
    v = verify_new(&setup);
    from_us = clock_mono_us();
    cpu = cpu_s();
    while (verify_step(v)) {
    }
    us = clock_mono_us() - from_us;
    cpu = cpu_s() - cpu;
    printf("  verify: %" PRId64 " events, %" PRId64 " findings, %.0f events/s (%.0f a CPU second)\n", verify_result(v)->events,
           verify_result(v)->failures, (double)verify_result(v)->events * 1e6 / (double)us, (double)verify_result(v)->events / cpu);
    verify_free(v);
    db_close(setup.ro);
}

static void time_reports(const char *path)
{
    static const struct { const char *name; report_fn *report; } reports[] = {
        {"token-usage", report_token_usage}, {"cost-breakdown", report_cost_breakdown},
        {"performance", report_performance}, {"history", report_history}, {"trend", report_trend},
        {"anomalies", report_anomalies}, {"forecast", forecast},
    };
    char why[DB_WHY_SIZE];
    struct db *ro;

    if (db_open_reader(path, &ro, why) != WEIR_OK)
        exit(1);
    for (size_t i = 0; i < sizeof reports / sizeof *reports; i++) {
        time_report(ro, reports[i].name, reports[i].report, INT64_C(86400000));
        time_report(ro, reports[i].name, reports[i].report, 30 * INT64_C(86400000));
        time_report(ro, reports[i].name, reports[i].report, 400 * INT64_C(86400000));
    }
    time_exports(ro);
    db_close(ro);
}

static void spread(struct bench *b, int64_t requests, int64_t days)
{
    b->first_ms = clock_utc_ms() - days * 86400000;
    b->step_us = days * INT64_C(86400000000) / (requests > 0 ? requests : 1);
}

/* Copy a file, as it would be found after a kill. */
static void copy_file(const char *from, const char *to)
{
    int in = open(from, O_RDONLY), out = open(to, O_WRONLY | O_CREAT | O_TRUNC, 0600);
    ssize_t n = 1;

    while (in >= 0 && out >= 0 && n > 0)
        n = copy_file_range(in, NULL, out, NULL, 1 << 30, 0);
    if (n < 0)
        exit(1);
    (void)close(in);
    (void)close(out);
}

static void remove_database(const char *path)
{
    for (const char *const *s = (const char *const[]){"", "-wal", "-shm", ".lock", ".spill", NULL}; *s; s++) {
        char name[600];

        (void)snprintf(name, sizeof name, "%s%s", path, *s);
        (void)unlink(name);
    }
}

/* What `weir serve` does with the database before it can serve. */
static void time_start(const char *path)
{
    char copy[560], from[600], to[600], why[DB_WHY_SIZE];
    int64_t begun_us, opened_us, never_sent, interrupted;
    struct db *db;

    (void)snprintf(copy, sizeof copy, "%s.killed", path);
    copy_file(path, copy);
    (void)snprintf(from, sizeof from, "%s-wal", path);
    (void)snprintf(to, sizeof to, "%s-wal", copy);
    copy_file(from, to);
    begun_us = clock_mono_us();
    if (db_open(copy, &db, why) != WEIR_OK) {
        (void)fprintf(stderr, "%s\n", why);
        exit(1);
    }
    opened_us = clock_mono_us();
    if (usage_recover(db, clock_utc_ms(), &never_sent, &interrupted) != WEIR_OK)
        exit(1);
    printf("start after kill -9: %.1f ms to open and check, %.1f ms to close %" PRId64 " open calls\n",
           (double)(opened_us - begun_us) / 1000, (double)(clock_mono_us() - opened_us) / 1000, interrupted);
    db_close(db);
    remove_database(copy);
}

static void add_users(struct db *db, struct bench *b)
{
    for (int i = 0; i < USERS; i++) {
        char name[32];
        struct account_user u = {.user_id = b->user[i], .name = name, .max_priority = PRIORITY_HIGH};

        rand_id(b->user[i], "usr");
        (void)snprintf(name, sizeof name, "user %d", i);
        if (account_user_add(db, &u, 0) != WEIR_OK)
            exit(1);
    }
}

/* --- a large database --- */

enum { FILL_CALLS = 256, FILL_COMMIT = 4096 };

static void must(enum weir_err e)
{
    if (e) {
        (void)fprintf(stderr, "%s\n", err_text(e));
        exit(1);
    }
}

static struct db *open_or_exit(const char *path)
{
    char why[DB_WHY_SIZE];
    struct db *db;

    if (db_open(path, &db, why) == WEIR_OK)
        return db;
    (void)fprintf(stderr, "%s\n", why);
    exit(1);
}

/* What the keeper does now and then, at the time the ledger has come to. */
static void keep(struct db *db, int64_t now_ms)
{
    int64_t gone;
    bool more = true;

    must(db_begin(db));
    must(upkeep_minutes(db, now_ms, &gone));
    while (more)
        must(spans_fold(db, now_ms, &more));
    must(db_commit(db));
}

static void fill(struct bench *b, struct db *db, int64_t requests)
{
    struct call *calls = mem_zalloc(FILL_CALLS, sizeof *calls);
    int64_t from_us = clock_mono_us();

    must(db_exec(db, "PRAGMA synchronous = OFF"));
    must(db_exec(db, "PRAGMA cache_size = -131072"));
    must(db_begin(db));
    for (int64_t i = 0; i < requests; i++) {
        struct call *c = &calls[i % FILL_CALLS];

        asked(b, c);
        must(usage_accept(db, &c->rec, true));
        answered(&c->rec);
        must(usage_settle(db, &c->rec));
        if (i % FILL_COMMIT < FILL_COMMIT - 1 && i < requests - 1)
            continue;
        must(db_commit(db));
        keep(db, c->rec.accepted_at_ms);
        must(db_begin(db));
    }
    must(db_commit(db));
    printf("%" PRId64 " requests written, %.0f a second\n", requests,
           (double)requests * 1e6 / (double)(clock_mono_us() - from_us));
    free(calls);
}

static int main_fill(const char *path, int64_t requests, int64_t days)
{
    struct db *db = open_or_exit(path);
    struct bench b = {.idle_count = 0};

    spread(&b, requests, days);
    add_users(db, &b);
    fill(&b, db, requests);
    print_room(db, requests);
    db_close(db);
    return 0;
}

/* Twenty calls are open in it when it is killed. */
static int main_start(const char *path)
{
    struct call *c = mem_zalloc(1, sizeof *c);
    struct db *db = open_or_exit(path);
    struct query q = query(db, "SELECT user_id FROM users");
    struct bench b = {.idle_count = 0};

    for (int i = 0; i < USERS && query_row(&q); i++)
        (void)snprintf(b.user[i], sizeof b.user[i], "%s", query_col_text(&q, 0));
    must(query_stop(&q));
    spread(&b, 1, 0);
    must(db_begin(db));
    for (int i = 0; i < LEFT_OPEN; i++) {
        c->turn = 0;
        asked(&b, c);
        must(usage_accept(db, &c->rec, true));
    }
    must(db_commit(db));
    time_start(path);
    db_close(db);
    free(c);
    return 0;
}

/* Each round is two seconds of all streams, in one transaction, with texts as flow/marks.c sends them. */
static int main_mark(const char *path, int64_t streams)
{
    enum { ROUNDS = 30, ROUND_BYTES = 100 * 4, TEXT_SHARE = 16 };
    struct db *db = open_or_exit(path);
    struct call *c = mem_zalloc((size_t)streams, sizeof *c);
    char *text = mem_zalloc(1, ROUNDS * ROUND_BYTES + 1);
    struct bench b = {.idle_count = 0};
    int64_t told = 0;
    double cpu;

    for (int i = 0; i < ROUNDS * ROUND_BYTES; i++)
        text[i] = "an answer "[i % 10];
    spread(&b, streams, 1);
    add_users(db, &b);
    must(db_begin(db));
    for (int64_t i = 0; i < streams; i++) {
        asked(&b, &c[i]);
        must(usage_accept(db, &c[i].rec, true));
    }
    must(db_commit(db));
    cpu = cpu_s();
    for (int64_t round = 1; round <= ROUNDS; round++) {
        int64_t bytes = round * ROUND_BYTES;
        bool with_text = bytes - told >= told / TEXT_SHARE;

        must(db_begin(db));
        for (int64_t i = 0; i < streams; i++) {
            struct usage_mark m = {.completion = bytes / 4, .cost_out = bytes, .text = with_text ? text : NULL, .text_bytes = bytes};

            memcpy(m.request_id, c[i].rec.request_id, sizeof m.request_id);
            must(usage_mark(db, &m));
        }
        must(db_commit(db));
        if (with_text)
            told = bytes;
    }
    cpu = cpu_s() - cpu;
    printf("%" PRId64 " streams of a minute: %.1f us of CPU a mark, %.2f %% of a core\n", streams,
           cpu * 1e6 / (double)(ROUNDS * streams), cpu * 100 / (2 * ROUNDS));
    db_close(db);
    free(c);
    free(text);
    return 0;
}

static int main_import(const char *path, int64_t events)
{
    enum { BATCH = 1000 };
    struct db *db = open_or_exit(path);
    struct call *c = mem_zalloc(1, sizeof *c);
    struct bench b = {.idle_count = 0};
    int64_t from_us = clock_mono_us();
    double cpu = cpu_s();
    bool duplicate;

    spread(&b, events, 1);
    add_users(db, &b);
    must(db_begin(db));
    for (int64_t i = 0; i < events; i++) {
        asked(&b, c);
        c->rec.session_id[0] = '\0';
        answered(&c->rec);
        must(usage_import(db, &c->rec, &duplicate));
        if (i % BATCH == BATCH - 1) {
            must(db_commit(db));
            must(db_begin(db));
        }
    }
    must(db_commit(db));
    cpu = cpu_s() - cpu;
    printf("%" PRId64 " events imported: %.0f a second, %.0f a CPU second\n", events,
           (double)events * 1e6 / (double)(clock_mono_us() - from_us), (double)events / cpu);
    db_close(db);
    free(c);
    return 0;
}

static struct call *idle_call(struct bench *b)
{
    struct call *c;

    (void)pthread_mutex_lock(&b->lock);
    while (!b->idle_count)
        (void)pthread_cond_wait(&b->changed, &b->lock);
    c = b->idle[--b->idle_count];
    (void)pthread_mutex_unlock(&b->lock);
    return c;
}

static void await_finished(struct bench *b, int64_t n)
{
    (void)pthread_mutex_lock(&b->lock);
    while (b->finished < n)
        (void)pthread_cond_wait(&b->changed, &b->lock);
    (void)pthread_mutex_unlock(&b->lock);
}

static bool read_strategy(const char *name, enum durability *out)
{
    static const char *const names[] = {"REALTIME", "BATCH", "ASYNC"};

    for (int i = 0; i < 3; i++) {
        if (strcmp(name, names[i]) == 0) {
            *out = (enum durability)i;
            return true;
        }
    }
    return false;
}

int main(int argc, char **argv)
{
    if (argc > 2 && strcmp(argv[1], "fill") == 0)
        return main_fill(argv[2], argc > 3 ? strtoll(argv[3], NULL, 10) : 10000000,
                         argc > 4 ? strtoll(argv[4], NULL, 10) : 400);
    if (argc > 2 && strcmp(argv[1], "time") == 0) {
        time_reports(argv[2]);
        return 0;
    }
    if (argc > 2 && strcmp(argv[1], "verify") == 0) {
        time_verify(argv[2]);
        return 0;
    }
    if (argc > 2 && strcmp(argv[1], "mark") == 0)
        return main_mark(argv[2], argc > 3 ? strtoll(argv[3], NULL, 10) : 2000);
    if (argc > 2 && strcmp(argv[1], "import") == 0)
        return main_import(argv[2], argc > 3 ? strtoll(argv[3], NULL, 10) : 100000);
    if (argc > 2 && strcmp(argv[1], "start") == 0)
        return main_start(argv[2]);

    const char *dir = argc > 1 ? argv[1] : "/tmp";
    int64_t requests = argc > 2 ? strtoll(argv[2], NULL, 10) : 60000;
    int64_t in_flight = argc > 3 ? strtoll(argv[3], NULL, 10) : 64, days = argc > 4 ? strtoll(argv[4], NULL, 10) : 1;
    char path[512], why[DB_WHY_SIZE];
    struct bench b = {.lock = PTHREAD_MUTEX_INITIALIZER, .changed = PTHREAD_COND_INITIALIZER,
                      .how = {.batch_size = 100, .batch_us = 5 * USEC_PER_SEC, .batch_queue = 1000, .batch_retries = 3}};
    char spill_path[600];
    struct spill *spill;
    struct call *calls;
    struct db *db;
    int64_t from_us;
    double cpu, seconds;

    if (argc > 5 && !read_strategy(argv[5], &b.how.strategy)) {
        (void)fprintf(stderr, "the fifth argument is REALTIME, BATCH or ASYNC\n");
        return 1;
    }
    if (in_flight < 1 || in_flight > 4096)
        in_flight = 64;
    (void)snprintf(path, sizeof path, "%s/weir-bench-%d.db", dir, (int)getpid());
    (void)snprintf(spill_path, sizeof spill_path, "%s.spill", path);
    if (db_open(path, &db, why) != WEIR_OK || spill_open(spill_path, &spill, why) != WEIR_OK) {
        (void)fprintf(stderr, "%s\n", why);
        return 1;
    }
    add_users(db, &b);
    spread(&b, requests, days);
    calls = mem_zalloc((size_t)in_flight, sizeof *calls);
    for (int64_t i = 0; i < in_flight; i++)
        b.idle[b.idle_count++] = &calls[i];
    b.writer = writer_start(db);
    writer_use_spill(b.writer, spill, &b.how);
    from_us = clock_mono_us();
    cpu = cpu_s();
    for (int64_t i = 0; i < requests; i++)
        begin(&b, idle_call(&b));
    await_finished(&b, requests);
    writer_catch_up(b.writer);
    seconds = (double)(clock_mono_us() - from_us) / 1e6;
    cpu = cpu_s() - cpu;
    for (int i = 0; i < LEFT_OPEN; i++) {
        struct call *c = idle_call(&b);

        c->left_open = true;
        begin(&b, c);
    }
    await_finished(&b, requests + LEFT_OPEN);
    writer_stop(b.writer);
    printf("%" PRId64 " requests, %" PRId64 " in flight, %" PRId64 " failed\n", requests, in_flight, b.failed);
    printf("%.0f requests/s, %.0f operations/s, %.1f us of CPU an operation\n", (double)requests / seconds,
           2 * (double)requests / seconds, cpu * 1e6 / (2 * (double)requests));
    print_room(db, requests);
    time_reports(path);
    time_start(path);
    time_verify(path);
    db_close(db);
    spill_close(spill);
    free(calls);
    remove_database(path);
    return b.failed != 0;
}
