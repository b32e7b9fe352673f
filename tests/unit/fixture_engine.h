/* fixture_engine.h - the engine in a world of its own: settings, a database
 * with its writer, the provider stand-in as a child process, and clients that
 * hold the other end of what nginx's connection would be.
 *
 *     struct world *w = world_make(true);
 *     world_start(w);
 *     send_openai(w, &c, JOB_STREAM, "hello");
 *     assert_stream(await_end(&c));
 *     client_done(&c);
 *     world_done(w);                          also checks that no record is left open */
#ifndef WEIR_TESTS_FIXTURE_ENGINE_H
#define WEIR_TESTS_FIXTURE_ENGINE_H

#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>

#include "base/clock.h"
#include "base/mem.h"
#include "fixture_call.h"
#include "flow/engine.h"
#include "peer/builtin.h"
#include "peer/openai.h"

/* --- the provider stand-in --- */

static pid_t standin;
static int standin_port;

static inline void standin_stop(void)
{
    if (standin > 0) {
        kill(standin, SIGTERM);
        waitpid(standin, NULL, 0);
    }
    standin = 0;
}

/* Starts it once for each case; false if it was not built. */
static inline void standin_start(void)
{
    const char *program = "tests/upstream/upstream";
    int out[2];
    char line[128];
    ssize_t n;

    ck_assert_int_eq(access(program, X_OK), 0);
    ck_assert_int_eq(pipe(out), 0);
    standin = fork();
    ck_assert_int_ge(standin, 0);
    if (standin == 0) {
        prctl(PR_SET_PDEATHSIG, SIGTERM);     /* also when the test itself is killed */
        dup2(out[1], 1);
        close(out[0]);
        execl(program, program, "--port", "0", (char *)NULL);
        _exit(127);
    }
    close(out[1]);
    n = read(out[0], line, sizeof line - 1);
    ck_assert_int_gt(n, 0);
    line[n] = '\0';
    standin_port = atoi(strrchr(line, ':') + 1);
    close(out[0]);
    atexit(standin_stop);
}

/* --- Weir's inside --- */

struct world {
    struct db *db, *ro;
    struct writer *w;
    struct settings *s;
    struct engine *e;
    char base_url[64];
    int64_t deadline_us;
};

/* Settings as a configuration would give them: one OpenAI-shaped upstream, then the built-in model. */
static inline struct settings *settings_make(const char *base_url)
{
    static char openai[] = "openai", builtin[] = "builtin", key[] = "sk-test", model[] = "gpt-4o-mini";
    static char *models[] = {model};
    struct settings *s = mem_zalloc(1, sizeof *s);
    struct tuning_settings *t = &s->defaults;

    t->max_concurrent = 32;
    t->burst_us = 10 * USEC_PER_SEC;
    t->stabilization_us = 900 * USEC_PER_SEC;
    t->retry.max_retries = 3;
    t->retry.base_delay_us = 10 * USEC_PER_MS;
    t->retry.max_delay_us = 2 * USEC_PER_SEC;
    t->timeouts.connect_us = t->timeouts.first_byte_us = t->timeouts.idle_us = 2 * USEC_PER_SEC;
    t->timeouts.total_us = 60 * USEC_PER_SEC;
    s->queue.max_size = 10000;
    s->queue.max_wait_us = 20 * USEC_PER_SEC;
    s->retry_budget_permille = 1000;
    s->builtin_words_per_second = 1000;
    s->n_upstreams = 2;
    s->upstreams = mem_zalloc(2, sizeof *s->upstreams);
    s->upstreams[0] = (struct upstream_settings){.name = openai, .enabled = true, .protocol = PROTOCOL_OPENAI,
                                                 .base_url = (char *)(uintptr_t)base_url, .api_key = key,
                                                 .models = {models, 1}, .tune = *t};
    s->upstreams[1] = (struct upstream_settings){.name = builtin, .enabled = true, .protocol = PROTOCOL_BUILTIN, .tune = *t};
    return s;
}

static inline struct world *world_make(bool with_standin)
{
    struct world *w = mem_zalloc(1, sizeof *w);

    signal(SIGPIPE, SIG_IGN);
    if (with_standin)
        standin_start();
    snprintf(w->base_url, sizeof w->base_url, "http://127.0.0.1:%d/v1", standin_port);
    w->db = fixture_db();
    fixture_user(w->db, "usr_a");
    w->ro = fixture_reader();
    w->w = writer_start(w->db);
    w->s = settings_make(w->base_url);
    return w;
}

static inline void world_start(struct world *w)
{
    w->e = engine_start(w->s, w->w, NULL);
    ck_assert_ptr_nonnull(w->e);
}

static inline void world_done(struct world *w)
{
    struct sb state = sb_make(1 << 20);

    if (w->e)
        engine_stop(w->e, 100, &state);
    writer_stop(w->w);
    ck_assert_int_eq(fixture_i64(w->ro, "SELECT count(*) FROM events WHERE state < 2"), 0);
    db_close(w->ro);
    db_close(w->db);
    free(w->s->upstreams);
    free(w->s);
    free(w);
    sb_done(&state);
    standin_stop();
    fixture_done();
}

/* --- a client --- */

struct client {
    int fd;
    char request_id[RAND_ID_SIZE], session_id[RAND_ID_SIZE];
    unsigned char *raw;
    size_t len, cap;
    struct sb text;            /* STDOUT's content so far */
    size_t parsed;
    bool ended;                /* END_REQUEST came */
};

static inline struct job *job_make(struct world *w, struct client *c, enum job_kind kind, const char *message)
{
    struct job *j = job_new();
    int fds[2];

    memset(c, 0, sizeof *c);
    c->text = sb_make(64 << 20);
    ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, fds), 0);
    c->fd = fds[1];
    j->kind = kind;
    j->client.fd = fds[0];
    j->client.fcgi_id = 1;
    j->rec = fixture_call("usr_a", clock_utc_ms());
    j->rec.api_endpoint = kind == JOB_STREAM ? "/chat/stream" : "/chat/complete";
    j->rec.user_text = message;
    j->rec.cost.priced = false;
    j->rec.cost.rate_in = j->rec.cost.rate_out = 0;
    memcpy(c->request_id, j->rec.request_id, sizeof c->request_id);
    memcpy(c->session_id, j->rec.session_id, sizeof c->session_id);
    j->tokens = (struct tokens_model){.permille = 1000};
    j->ask = (struct ask){.upstreams = 1, .priority = PRIORITY_MEDIUM, .user = 1, .model = 1, .prompt_tokens = 10, .max_tokens = 100};
    j->ask.arrived_us = clock_mono_us();
    j->ask.deadline_us = j->ask.arrived_us + w->s->queue.max_wait_us;
    return j;
}

/* Ask the upstream named openai. */
static inline void send_openai(struct world *w, struct client *c, enum job_kind kind, const char *message)
{
    struct job *j = job_make(w, c, kind, message);
    struct openai_turn turn = {"user", message};
    struct openai_options o = {.stream = kind == JOB_STREAM};
    struct sb body = sb_make(1 << 20);

    openai_request(&body, "gpt-4o-mini", &turn, 1, &o);
    j->body[PROTOCOL_OPENAI].len = body.len;
    j->body[PROTOCOL_OPENAI].text = sb_take(&body);
    j->stream_upstream = o.stream;
    j->rec.max_tokens = j->ask.max_tokens = 30000;
    engine_submit(w->e, j);
}

static inline void send_builtin(struct world *w, struct client *c, enum job_kind kind, const char *message)
{
    struct job *j = job_make(w, c, kind, message);
    struct builtin_turn turn = {message, strlen(message)};

    j->ask.upstreams = 2;
    j->rec.model = BUILTIN_MODEL;
    j->builtin_reply = builtin_reply(&turn, 1);
    j->builtin_tokens = 7;
    engine_submit(w->e, j);
}

/* Read what there is; with `wait` at least something, or the end. False: the connection was closed. */
static inline bool client_read(struct client *c, bool wait)
{
    struct pollfd p = {.fd = c->fd, .events = POLLIN};
    ssize_t n;

    if (c->cap - c->len < 65536) {
        c->cap = c->cap ? c->cap * 2 : 131072;
        c->raw = mem_grow(c->raw, c->cap, 1);
    }
    if (wait)
        ck_assert_int_gt(poll(&p, 1, 20000), 0);
    n = read(c->fd, c->raw + c->len, c->cap - c->len);
    if (n <= 0)
        return n < 0;
    c->len += (size_t)n;
    while (c->len - c->parsed >= 8) {
        const unsigned char *h = c->raw + c->parsed;
        size_t part = (size_t)h[4] << 8 | h[5];

        if (c->len - c->parsed < 8 + part)
            break;
        ck_assert(!c->ended);
        if (h[1] == 6)
            sb_put(&c->text, h + 8, part);
        else
            c->ended = true;
        c->parsed += 8 + part + h[6];
    }
    return true;
}

static inline const char *client_text(struct client *c)
{
    return sb_str(&c->text);
}

static inline void await_text(struct client *c, const char *what)
{
    while (!strstr(client_text(c), what))
        ck_assert_msg(client_read(c, true), "%s did not come, but: %s", what, client_text(c));
}

/* Everything until the connection is closed; it must have ended with END_REQUEST. */
static inline const char *await_end(struct client *c)
{
    while (client_read(c, true)) {
    }
    ck_assert_msg(c->ended, "no END_REQUEST after: %s", client_text(c));
    return client_text(c);
}

static inline void client_done(struct client *c)
{
    if (c->fd >= 0)
        close(c->fd);
    free(c->raw);
    sb_done(&c->text);
}

static inline void client_leave(struct client *c)
{
    close(c->fd);
    c->fd = -1;
}

/* Wait for a record, which comes with the commit. */
static inline void await_rows(struct world *w, const char *sql, int64_t want)
{
    int64_t until = clock_mono_us() + 20 * USEC_PER_SEC, have;

    while ((have = fixture_i64(w->ro, sql)) != want) {
        ck_assert_msg(clock_mono_us() < until, "%s: %lld, not %lld", sql, (long long)have, (long long)want);
        poll(NULL, 0, 2);
    }
}

static inline int count_of(const char *text, const char *what)
{
    int n = 0;

    for (const char *p = text; (p = strstr(p, what)); p += strlen(what))
        n++;
    return n;
}

/* The data of the n-th event of this name (from 0), as JSON; NULL if there is none. */
static inline json_t *event(const char *text, const char *name, int n)
{
    char head[64];
    const char *p = text;

    snprintf(head, sizeof head, "event: %s\ndata: ", name);
    for (;;) {
        p = strstr(p, head);
        if (!p)
            return NULL;
        p += strlen(head);
        if (n-- == 0)
            return json_loadb(p, strcspn(p, "\n"), 0, NULL);
    }
}

static inline int64_t event_int(const char *text, const char *name, const char *object, const char *member)
{
    json_t *j = event(text, name, 0), *o = object ? json_object_get(j, object) : j;
    int64_t n = json_integer_value(json_object_get(o, member));

    ck_assert_msg(j != NULL, "no %s in %s", name, text);
    json_decref(j);
    return n;
}

static inline char *event_text(const char *text, const char *name, const char *member)
{
    json_t *j = event(text, name, 0);
    char *s = mem_strdup(json_string_value(json_object_get(j, member)));

    json_decref(j);
    return s;
}

#define assert_event_str(text, name, member, want)                         \
    do {                                                                   \
        char *have_ = event_text(text, name, member);                      \
        ck_assert_msg(have_ && strcmp(have_, want) == 0, "%s.%s is %s in %s", name, member, have_ ? have_ : "absent", text); \
        free(have_);                                                       \
    } while (0)

/* Ids count up from 1, exactly one terminal event, which is the last, and the parts of the time sum up. */
static inline void assert_stream(const char *text)
{
    int ids = 0, done = count_of(text, "event: done\n"), error = count_of(text, "event: error\n");
    const char *last = NULL;

    for (const char *p = text; (p = strstr(p, "\nid: ")); last = p, p += 5)
        ck_assert_int_eq(atoi(p + 5), ++ids);
    ck_assert_msg(done + error == 1, "%d done, %d error: %s", done, error, text);
    ck_assert_ptr_nonnull(last);
    ck_assert(strstr(last, done ? "event: done\n" : "event: error\n"));
    if (done) {
        json_t *j = event(text, "usage", 0), *m = json_object_get(j, "metrics");

        ck_assert_ptr_nonnull(m);
#define MS(name) json_integer_value(json_object_get(m, name))
        ck_assert_int_eq(MS("queue_ms") + MS("retry_wait_ms") + MS("ttft_ms") + MS("writing_ms"), MS("duration_ms"));
#undef MS
        json_decref(j);
    }
}

#endif
