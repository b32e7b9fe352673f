/* cmd_serve.c - weir serve: everything is started in order, then main waits for
 * signals, then everything is stopped in the opposite order.
 *
 * settings → lock → database, spill file, recovery, accounts → writer → engine → keeper →
 * acceptors → ready. A wrong setting or an unusable database ends with 78, a
 * state folder in use with 73, a thread that cannot be made with 71. The first
 * SIGTERM or SIGINT refuses new and waiting chats and lets the running ones finish, the second ends them. SIGHUP reads the
 * configuration again. */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <malloc.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sysexits.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/keyfile.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/service.h"
#include "flow/keeper.h"
#include "store/audit.h"
#include "store/content.h"
#include "store/idempotency.h"
#include "store/spill.h"
#include "store/pseudonym.h"
#include "store/upkeep.h"
#include "store/usage.h"
#include "web/store_keys.h"
#include "web/cmd.h"
#include "web/cmd_config.h"
#include "web/batches.h"
#include "web/fcgi.h"
#include "web/live.h"
#include "web/prices.h"
#include "web/reload.h"
#include "web/web.h"

enum {
    DESCRIPTORS = 65536,
    ARENAS = 4,                      /* of malloc, for all threads: one for each grows to its own worst moment */
    LARGE_BYTES = 128 * 1024,        /* what is larger goes back to the kernel when it is freed, always */
    FIRST_TIMEOUT_MS = 1000,
    IO_TIMEOUT_MS = 10000,
    STATE_MAX = 16 * 1024 * 1024,
    LAST_WORDS_MS = 2000,                    /* for answers under way when everything else has ended */
};
#define STOP_US (15 * USEC_PER_SEC)          /* beyond the drain, for what is left to write */
#define SIGN_IN_LINK_MS INT64_C(43200000)    /* 12 h: as long as an idle browser session */

struct serve {
    const struct settings *settings;         /* the first: what stays as it was at the start */
    struct web web;
    struct tokens_set tokens;
    struct page_set *pages;
    struct db *db;                           /* the writer's */
    struct spill *spill;                     /* the same */
    struct db **readers;                     /* the acceptors' */
    size_t n_readers;
    atomic_size_t readers_taken;
    struct db *keeper_reader, *courier_reader, *batches_reader;
    struct fcgi *fcgi;
    int lock_fd, listen_fd;
    bool socket_given;                       /* it was there before us and goes on after us */
    char database[512];
    char code[ACCOUNT_SECRET_SIZE];          /* of the sign-in link */
    struct sb saved;                         /* admission state of the run before */
};

static int fail(int status, const char *why)
{
    fprintf(stderr, "weir: %s\n", why);
    return status;
}

/* --- the process --- */

/* To what the process may have; a container's root may lack the right to more. */
static void raise_descriptors(void)
{
    struct rlimit r;

    if (getrlimit(RLIMIT_NOFILE, &r) < 0 || r.rlim_cur >= DESCRIPTORS)
        return;
    if (r.rlim_max < DESCRIPTORS) {
        const struct rlimit more = {.rlim_cur = DESCRIPTORS, .rlim_max = DESCRIPTORS};

        if (setrlimit(RLIMIT_NOFILE, &more) == 0)
            return;
        log_info("serve: at most %llu files and connections can be open at once", (unsigned long long)r.rlim_max);
    }
    r.rlim_cur = r.rlim_max < DESCRIPTORS ? r.rlim_max : DESCRIPTORS;
    if (setrlimit(RLIMIT_NOFILE, &r) < 0)
        log_warn("serve: the limit of open files stays as it is: %s", strerror(errno));
}

/* No memory of ours in a core file or to another process of the same user. Leak checkers need just that. */
static void hide_memory(void)
{
#ifndef __SANITIZE_ADDRESS__
    if (prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) < 0)
        log_warn("serve: cannot forbid core files: %s", strerror(errno));
#endif
}

/* The settings have what they need of it; children and /proc must not have more. */
static void forget_keys(const struct settings *s)
{
    static const char *const names[] = {"OPENAI_API_KEY", "ANTHROPIC_API_KEY", "WEIR_OTLP_HEADERS"};

    for (size_t i = 0; i < s->n_upstreams + sizeof names / sizeof *names; i++) {
        const char *name = i < s->n_upstreams ? s->upstreams[i].key_env : names[i - s->n_upstreams];

        if (name)
            cfg_env_hide(name);
    }
}

/* --- files --- */

static int take_state_folder(struct serve *v)
{
    struct sb path = sb_make(1024);
    int status = EX_OK;

    if (mkdir(v->settings->state, 0700) < 0 && errno != EEXIST) {
        sb_putf(&path, "%s: the state folder cannot be made: %s", v->settings->state, strerror(errno));
        status = fail(EX_CANTCREAT, sb_str(&path));
        goto out;
    }
    sb_putf(&path, "%s/weir.lock", v->settings->state);
    v->lock_fd = open(sb_str(&path), O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    if (v->lock_fd < 0 || flock(v->lock_fd, LOCK_EX | LOCK_NB) < 0) {
        sb_putf(&path, ": %s", errno == EWOULDBLOCK ? "another Weir uses this state folder" : strerror(errno));
        status = fail(EX_CANTCREAT, sb_str(&path));
        goto out;
    }
    if (ftruncate(v->lock_fd, 0) < 0 || dprintf(v->lock_fd, "%d\n", (int)getpid()) < 0)
        log_warn("serve: %s cannot be written: %s", sb_str(&path), strerror(errno));
out:
    sb_done(&path);
    return status;
}

static int load_prices(struct serve *v)
{
    struct sb path = sb_make(1024), why = sb_make(2048);
    int status = EX_OK;

    sb_putf(&path, "%s/prices.json", v->settings->data);
    v->web.price_tables = prices_new(&v->web, v->settings->prices, strcmp(v->settings->prices, sb_str(&path)) != 0, v->db, &why);
    if (!v->web.price_tables)
        status = fail(EXIT_CONFIG, sb_str(&why));
    sb_done(&path);
    sb_done(&why);
    return status;
}

static int load_data(struct serve *v)
{
    struct sb path = sb_make(1024);
    char why[PAGE_WHY] = "";
    int status = EX_OK;

    sb_putf(&path, "%s/templates", v->settings->data);
    if (page_set_load(sb_str(&path), &v->pages, why)) {
        status = fail(EXIT_CONFIG, why);
        goto out;
    }
    sb_reset(&path);
    sb_putf(&path, "%s/ranks", v->settings->data);
    tokens_set_load(&v->tokens, sb_str(&path));
out:
    sb_done(&path);
    return status;
}

/* --- the database --- */

/* What the run before settled without the database is settled, what it left open is closed; the administrator and the sign-in link are there. */
static enum weir_err put_in_order(struct serve *v, const char *admin_token)
{
    int64_t now_ms = clock_utc_ms(), never_sent, interrupted, spilled = 0;
    char user_id[RAND_ID_SIZE];
    enum weir_err e;

    if (spill_waiting(v->spill) > 0 && (e = spill_replay(v->spill, v->db, &spilled)))
        return e;
    if (spilled > 0)
        log_info("serve: %" PRId64 " settlements were taken up from the spill file", spilled);
    if ((e = usage_recover(v->db, now_ms, &never_sent, &interrupted)) || (e = db_begin(v->db)))
        return e;
    if (never_sent + interrupted)
        log_warn("serve: the run before ended in the middle: %" PRId64 " requests had not been sent, %" PRId64
                 " were cut off and are charged at their estimate", never_sent, interrupted);
    account_secret_make(v->code);
    if ((e = idempotency_recover(v->db)) || (e = account_first_start(v->db, admin_token, now_ms, user_id))
        || (e = account_code_add(v->db, v->code, user_id, now_ms, now_ms + SIGN_IN_LINK_MS))
        || (e = upkeep_get(v->db, UPKEEP_ADMISSION, &v->saved))) {
        db_rollback(v->db);
        return e;
    }
    return db_commit(v->db);
}

static int open_database(struct serve *v)
{
    struct sb path = sb_make(1024), spill_path = sb_make(1024), why_token = sb_make(1024);
    char token[ACCOUNT_TOKEN_SIZE], why[DB_WHY_SIZE];
    int status = EX_OK;
    enum weir_err e;

    (void)snprintf(v->database, sizeof v->database, "%s/weir.db", v->settings->state);
    sb_putf(&path, "%s/admin-token", v->settings->state);
    sb_putf(&spill_path, "%s/spill.ndjson", v->settings->state);
    if (db_open(v->database, &v->db, why) || spill_open(sb_str(&spill_path), &v->spill, why))
        status = fail(EXIT_CONFIG, why);
    else if (!audit_key_load(v->settings->state, v->db, &why_token) || !content_key_load(v->settings, &why_token))
        status = fail(EXIT_CONFIG, sb_str(&why_token));
    else if (!auth_admin_token(sb_str(&path), token, &why_token))
        status = fail(EXIT_CONFIG, sb_str(&why_token));
    else if ((e = put_in_order(v, token))) {
        (void)snprintf(why, sizeof why, "%.400s cannot be put in order: %s", v->database, err_text(e));
        status = fail(EX_IOERR, why);
    }
    sb_reset(&path);
    sb_putf(&path, "%s/pseudonym-keys", v->settings->state);
    pseudonym_use(sb_str(&path));
    sb_reset(&path);
    sb_putf(&path, "%s/webhook-key", v->settings->state);
    if (!status && !keyfile_load(sb_str(&path), v->web.webhook_key, &why_token))
        status = fail(EXIT_CONFIG, sb_str(&why_token));
    explicit_bzero(token, sizeof token);
    sb_done(&path);
    sb_done(&spill_path);
    sb_done(&why_token);
    return status;
}

/* --- threads --- */

/* Each acceptor gets a connection of its own; they are opened here, where failing is still a sentence. */
static int open_readers(struct serve *v)
{
    char why[DB_WHY_SIZE];

    if (db_open_reader(v->database, &v->keeper_reader, why) || db_open_reader(v->database, &v->courier_reader, why)
        || db_open_reader(v->database, &v->batches_reader, why))
        return fail(EX_IOERR, why);
    db_pass_over(v->keeper_reader, true);
    db_pass_over(v->courier_reader, true);
    v->n_readers = (size_t)v->settings->http.acceptors;
    v->readers = mem_zalloc(v->n_readers, sizeof(struct db *));
    for (size_t i = 0; i < v->n_readers; i++) {
        if (db_open_reader(v->database, &v->readers[i], why))
            return fail(EX_IOERR, why);
    }
    return EX_OK;
}

static void *take_reader(void *ctx)
{
    struct serve *v = ctx;

    return v->readers[atomic_fetch_add(&v->readers_taken, 1)];
}

static void serve_request(struct fcgi_request *rq, void *ctx, void *thread)
{
    struct serve *v = ctx;

    web_serve(rq, &v->web, thread);
}

static int start_threads(struct serve *v)
{
    struct sb why = sb_make(1024);
    struct fcgi_config c = {
        .threads = (int)v->settings->http.acceptors, .first_timeout_ms = FIRST_TIMEOUT_MS, .io_timeout_ms = IO_TIMEOUT_MS, .ctx = v,
        .thread_begin = take_reader, .serve = serve_request,
    };
    int status = EX_OK;

    v->listen_fd = service_socket();
    v->socket_given = v->listen_fd >= 0;
    if (!v->socket_given)
        v->listen_fd = fcgi_listen(v->settings->socket, &why);
    if (v->listen_fd < 0) {
        status = fail(EX_CANTCREAT, sb_str(&why));
        goto out;
    }
    c.listen_fd = v->listen_fd;
    status = EX_OSERR;
    if (!(v->web.writer = writer_start(v->db)))
        goto out;
    writer_use_spill(v->web.writer, v->spill, &v->settings->durability);
    if (!(v->web.engine = engine_start(v->settings, v->web.writer, v->saved.len ? sb_str(&v->saved) : NULL))
        || !(v->web.courier = courier_start(v->settings, v->courier_reader, v->web.writer, v->web.webhook_key))
        || !(v->web.keeper = keeper_start(v->web.engine, v->web.writer, v->web.courier, v->keeper_reader, &v->web.settings)))
        goto out;
    v->web.tracer = tracer_start(v->settings);
    v->web.tokens = &v->tokens;
    v->web.pages = v->pages;
    v->web.auth = auth_new(v->web.writer);
    v->web.live = live_cache_new();
    v->web.started_ms = clock_utc_ms();
    if ((v->web.batches = batches_start(&v->web, v->batches_reader)) != NULL && (v->fcgi = fcgi_start(&c)) != NULL)
        status = EX_OK;
out:
    sb_done(&why);
    return status;
}

/* --- ready --- */

static void put_address(const struct settings *s, struct sb *out)
{
    const char *a = s->http.address;

    if (s->http.tls_certificate) {       /* under the name that it was made for */
        sb_putf(out, "https://%s:%" PRId64, s->http.hosts.n ? s->http.hosts.items[0] : "localhost", s->http.port);
        return;
    }

    /* Listening everywhere includes this machine, and only from here may one sign in without TLS. */
    if (strcmp(a, "0.0.0.0") == 0 || strcmp(a, "::") == 0)
        a = "127.0.0.1";
    sb_putf(out, strchr(a, ':') ? "http://[%s]:%" PRId64 : "http://%s:%" PRId64, a, s->http.port);
}

/* On the terminal, and in $WEIR_STATE/signin-link for whoever started us; never in the log. */
static void say_ready(const struct serve *v)
{
    struct sb path = sb_make(1024), base = sb_make(512);
    int fd;

    put_address(v->settings, &base);
    sb_putf(&path, "%s/signin-link", v->settings->state);
    (void)unlink(sb_str(&path));
    fd = open(sb_str(&path), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    if (fd < 0 || dprintf(fd, "%s/app/login#%s\n", sb_str(&base), v->code) < 0)
        log_warn("serve: %s cannot be written: %s", sb_str(&path), strerror(errno));
    if (fd >= 0)
        (void)close(fd);
    printf("Weir is ready: %s/app/\nSign in once: %s/app/login#%s\n", sb_str(&base), sb_str(&base), v->code);
    (void)fflush(stdout);
    log_info("serve: ready at %s%s", v->settings->socket, v->socket_given ? ", given by the service manager" : "");
    sb_done(&path);
    sb_done(&base);
}

static void reload(struct serve *v)
{
    struct sb said = sb_make(1 << 20);

    log_info("serve: SIGHUP, reading the configuration again");
    (void)reload_now(v->web.reload, "weir", NULL, &said);
    sb_done(&said);
}

/* --- stop --- */

/* Main is alive, and the engine answers it. */
static void say_alive(struct serve *v)
{
    snapshot_put(engine_snapshot(v->web.engine));
    service_say("WATCHDOG=1");
}

/* The next signal; until it comes the watchdog is told twice in its time that all is well. */
static int next_signal(struct serve *v, const sigset_t *signals)
{
    int64_t every_us = service_watchdog_us() / 2;
    const struct timespec every = {.tv_sec = every_us / USEC_PER_SEC, .tv_nsec = every_us % USEC_PER_SEC * 1000};
    int number;

    for (;;) {
        number = every_us ? sigtimedwait(signals, NULL, &every) : sigwaitinfo(signals, NULL);
        if (number > 0)
            return number;
        if (errno == EAGAIN)
            say_alive(v);
    }
}

/* Until SIGTERM or SIGINT; from then on SIGHUP has nothing to say. The service manager must not lose its patience while
 * running work may finish. */
static void await_stop(struct serve *v, sigset_t *signals)
{
    char state[80];
    int number;

    service_say("READY=1");
    while ((number = next_signal(v, signals)) == SIGHUP)
        reload(v);
    (void)sigdelset(signals, SIGHUP);
    log_info("serve: %s, stopping", strsignal(number));
    (void)snprintf(state, sizeof state, "STOPPING=1\nEXTEND_TIMEOUT_USEC=%" PRId64, v->web.settings->drain_us + STOP_US);
    service_say(state);
}

static int64_t under_way(struct serve *v)
{
    const struct snapshot *s = engine_snapshot(v->web.engine);
    int64_t n = s->running - s->leases;

    for (int p = 0; p < PRIORITY_COUNT; p++)
        n += s->waiting[p];
    snapshot_put(s);
    return n;
}

/* New chats and those that wait get 503 from now on; true once none is under way, false after the time or at a second signal. */
static bool drain(struct serve *v, const sigset_t *signals)
{
    const struct settings *s = v->web.settings;
    int64_t until = clock_mono_us() + s->drain_us, n = 0;

    atomic_store(&v->web.draining, true);
    engine_drain(v->web.engine);
    while (clock_mono_us() < until && (n = under_way(v)) > 0) {
        struct timespec look_again = {.tv_nsec = 100 * 1000 * 1000};

        service_say("WATCHDOG=1");
        if (sigtimedwait(signals, NULL, &look_again) > 0)
            break;
    }
    if (n)
        log_warn("serve: %" PRId64 " requests are cut off", n);
    return n == 0;
}

/* What weir audit verify --anchor takes: a log cut off later is found by it. */
static void say_head(struct db *db)
{
    struct audit_head head;
    char text[AUDIT_HEAD_SIZE];

    if (audit_head(db, &head) == WEIR_OK && head.seq) {
        audit_head_text(&head, text);
        log_info("audit: head %s", text);
    }
}

static void stop(struct serve *v, bool drained)
{
    struct sb state = sb_make(STATE_MAX);

    if (v->fcgi) {
        if (!v->socket_given)
            (void)unlink(v->settings->socket);
        fcgi_stop(v->fcgi, !v->socket_given);        /* what waits at a given one is for the successor */
    }
    if (v->listen_fd >= 0)
        (void)close(v->listen_fd);
    batches_stop(v->web.batches);
    keeper_stop(v->web.keeper);
    courier_stop(v->web.courier);
    if (v->web.engine)
        engine_stop(v->web.engine, drained ? LAST_WORDS_MS : 0, &state);
    tracer_stop(v->web.tracer);
    if (v->web.writer)
        writer_stop(v->web.writer);
    if (state.len && sb_ok(&state)
        && (db_begin(v->db) || upkeep_put(v->db, UPKEEP_ADMISSION, sb_str(&state), clock_utc_ms()) || db_commit(v->db)))
        log_error("serve: the state of the limits could not be kept");
    say_head(v->db);
    sb_done(&state);
}

static void release(struct serve *v)
{
    for (size_t i = 0; i < v->n_readers; i++)
        db_close(v->readers[i]);
    free(v->readers);
    db_close(v->keeper_reader);
    db_close(v->courier_reader);
    db_close(v->batches_reader);
    explicit_bzero(v->web.webhook_key, sizeof v->web.webhook_key);
    db_close(v->db);
    spill_close(v->spill);
    auth_free(v->web.auth);
    live_cache_free(v->web.live);
    page_set_free(v->pages);
    prices_free(v->web.price_tables);
    tokens_set_done(&v->tokens);
    sb_done(&v->saved);
    reload_free(v->web.reload);
    if (v->lock_fd >= 0)
        (void)close(v->lock_fd);
}

int cmd_serve(int argc, char **argv)
{
    static struct serve v = {.lock_fd = -1, .listen_fd = -1};
    struct sb why = sb_make(8192);
    struct settings *settings;
    sigset_t signals;
    int status;

    if (argc != 0)
        return cmd_usage(argc, argv, "usage: weir serve\n\nAnswers nginx until SIGTERM or SIGINT; SIGHUP reads weir.json again. script/server starts both.\n");
    v.saved = sb_make(STATE_MAX);
    (void)umask(0077);
    (void)signal(SIGXFSZ, SIG_IGN);              /* a file that may not grow is an error like a full disk */
    /* Taken by sigwait() below; threads inherit the mask. */
    (void)sigemptyset(&signals);
    (void)sigaddset(&signals, SIGTERM);
    (void)sigaddset(&signals, SIGINT);
    (void)sigaddset(&signals, SIGHUP);
    (void)pthread_sigmask(SIG_BLOCK, &signals, NULL);
    settings = config_load(NULL, &why);
    if (!settings) {
        status = fail(EXIT_CONFIG, sb_str(&why));
        sb_done(&why);
        return status;
    }
    sb_done(&why);
    v.settings = settings;
    v.web.reload = reload_new(&v.web, settings);
    log_set_level(v.settings->log_level);
    forget_keys(v.settings);
    hide_memory();
    raise_descriptors();
    content_keep(settings->retention.content_us > 0);
    (void)mallopt(M_ARENA_MAX, ARENAS);
    (void)mallopt(M_MMAP_THRESHOLD, LARGE_BYTES);
    fcgi_init();
    if ((status = take_state_folder(&v)) || (status = load_data(&v)) || (status = open_database(&v)) || (status = load_prices(&v))
        || (status = open_readers(&v)))
        goto out;
    status = start_threads(&v);
    if (!status) {
        say_ready(&v);
        await_stop(&v, &signals);
    }
    stop(&v, status ? false : drain(&v, &signals));
out:
    release(&v);
    return status;
}
