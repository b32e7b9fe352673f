/* test_fcgi.c - acceptors against a FastCGI peer that behaves, stalls, breaks
 * off or should not be here. */
#include "web/fcgi.h"

#include <fcntl.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "unit.h"

enum { NOBODY = 65534, PATIENCE_S = 30 };

/* --- nginx's side --- */

enum { BEGIN = 1, END = 3, PARAMS = 4, STDIN_ = 5, STDOUT_ = 6 };

static void record(struct sb *out, int type, const void *content, size_t n)
{
    const unsigned char head[8] = {1, (unsigned char)type, 0, 7, (unsigned char)(n >> 8), (unsigned char)n, 0, 0};

    sb_put(out, head, sizeof head);
    sb_put(out, content, n);
}

static void param(struct sb *out, const char *name, const char *value)
{
    sb_putc(out, (char)strlen(name));
    sb_putc(out, (char)strlen(value));
    sb_puts(out, name);
    sb_puts(out, value);
}

static int extra_params;

/* One whole request with id 7; `body` may be NULL. */
static struct sb request(const char *uri, const char *body)
{
    static const unsigned char begin[8] = {0, 1, 0, 0, 0, 0, 0, 0};
    struct sb out = sb_make(1 << 16), params = sb_make(1 << 12);

    param(&params, "REQUEST_METHOD", body ? "POST" : "GET");
    param(&params, "REQUEST_URI", uri);
    for (int i = 0; i < extra_params; i++)
        param(&params, "HTTP_X", "");
    record(&out, BEGIN, begin, sizeof begin);
    record(&out, PARAMS, params.p, params.len);
    record(&out, PARAMS, "", 0);
    if (body)
        record(&out, STDIN_, body, strlen(body));
    record(&out, STDIN_, "", 0);
    sb_done(&params);
    return out;
}

static char path[64];

static int dial(void)
{
    struct sockaddr_un addr = {.sun_family = AF_UNIX};
    struct timeval patience = {.tv_sec = PATIENCE_S};
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

    (void)snprintf(addr.sun_path, sizeof addr.sun_path, "%s", path);
    ck_assert_int_ge(fd, 0);
    ck_assert_int_eq(connect(fd, (const struct sockaddr *)&addr, sizeof addr), 0);
    ck_assert_int_eq(setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience), 0);
    return fd;
}

/* Read to the end; STDOUT's content goes to `text`. True if END_REQUEST came. Closes fd. */
static bool hear(int fd, char *text, size_t size)
{
    static char all[1 << 16];
    size_t n = 0, used = 0;
    ssize_t got;
    bool ended = false;

    while ((got = read(fd, all + n, sizeof all - n)) > 0)
        n += (size_t)got;
    (void)close(fd);
    for (size_t at = 0; at + 8 <= n;) {
        const unsigned char *h = (const unsigned char *)all + at;
        size_t len = (size_t)h[4] << 8 | h[5];

        ended |= h[1] == END;
        if (h[1] == STDOUT_ && used + len < size && at + 8 + len <= n) {
            memcpy(text + used, h + 8, len);
            used += len;
        }
        at += 8 + len + h[6];
    }
    text[used] = '\0';
    return ended;
}

static bool exchange(const char *uri, const char *body, char *text, size_t size)
{
    struct sb rq = request(uri, body);
    int fd = dial();
    bool ended;

    ck_assert_int_eq(write(fd, rq.p, rq.len), (ssize_t)rq.len);
    ended = hear(fd, text, size);
    sb_done(&rq);
    return ended;
}

/* --- Weir's side --- */

static atomic_int served;
static struct peer_client moved = {.fd = -1};
static atomic_bool has_moved;

static const char *param_of(struct fcgi_request *rq, const char *name)
{
    size_t n = strlen(name);

    for (const char *const *p = fcgi_params(rq); *p; p++) {
        if (strncmp(*p, name, n) == 0 && (*p)[n] == '=')
            return *p + n + 1;
    }
    return "";
}

/* /echo answers with the body, /move gives the connection away, /silent does nothing. */
static void serve(struct fcgi_request *rq, void *ctx, void *thread)
{
    const char *uri = param_of(rq, "REQUEST_URI");
    struct sb body = sb_make(4), out = sb_make(256);
    int64_t total;

    (void)ctx;
    (void)thread;
    atomic_fetch_add(&served, 1);
    if (strcmp(uri, "/echo") == 0) {
        ck_assert(fcgi_read_body(rq, 4, &body, &total));
        sb_putf(&out, "Status: 200\r\n\r\n%s %d", sb_str(&body), (int)total);
        (void)fcgi_reply(rq, out.p, out.len);
    } else if (strcmp(uri, "/move") == 0) {
        ck_assert(fcgi_move(rq, &moved));
        atomic_store(&has_moved, true);
    }
    sb_done(&body);
    sb_done(&out);
}

static int listen_fd;

static struct fcgi *start(int threads, int io_timeout_ms)
{
    struct sb why = sb_make(512);
    struct fcgi_config c = {.threads = threads, .first_timeout_ms = io_timeout_ms, .io_timeout_ms = io_timeout_ms, .serve = serve};
    struct fcgi *f;

    (void)snprintf(path, sizeof path, "/tmp/weir-test-fcgi-%d.sock", (int)getpid());
    fcgi_init();
    listen_fd = fcgi_listen(path, &why);
    ck_assert_msg(listen_fd >= 0, "%s", sb_str(&why));
    sb_done(&why);
    c.listen_fd = listen_fd;
    f = fcgi_start(&c);
    ck_assert_ptr_nonnull(f);
    return f;
}

static void stop(struct fcgi *f, bool drain)
{
    (void)unlink(path);
    fcgi_stop(f, drain);
    (void)close(listen_fd);
}

START_TEST(parameters_and_body_arrive_and_the_answer_leaves)
{
    struct fcgi *f = start(1, 1000);
    char text[256];

    ck_assert(exchange("/echo", "abc", text, sizeof text));
    ck_assert_str_eq(text, "Status: 200\r\n\r\nabc 3");
    ck_assert(exchange("/echo", NULL, text, sizeof text));
    ck_assert_str_eq(text, "Status: 200\r\n\r\n 0");
    stop(f, false);
}
END_TEST

START_TEST(a_body_larger_than_kept_is_still_read_and_counted)
{
    struct fcgi *f = start(1, 1000);
    char text[256];

    ck_assert(exchange("/echo", "abcdefgh", text, sizeof text));
    ck_assert_str_eq(text, "Status: 200\r\n\r\nabcd 8");
    stop(f, false);
}
END_TEST

START_TEST(a_request_with_too_many_headers_is_told_so_and_not_served)
{
    struct fcgi *f = start(1, 1000);
    char text[1024];
    int before = atomic_load(&served);

    extra_params = 126;                    /* beside two of every request and libfcgi's FCGI_ROLE */
    ck_assert(exchange("/echo", "abc", text, sizeof text));
    ck_assert_int_eq(strncmp(text, "Status: 431 Request Header Fields Too Large\r\n", 13), 0);
    ck_assert_int_eq(atomic_load(&served), before);
    extra_params = 125;
    ck_assert(exchange("/echo", "abc", text, sizeof text));
    ck_assert_int_eq(strncmp(text, "Status: 200\r\n", 13), 0);
    extra_params = 0;
    stop(f, false);
}
END_TEST

START_TEST(a_request_that_nobody_answers_is_ended)
{
    struct fcgi *f = start(1, 1000);
    char text[256];

    ck_assert(exchange("/silent", "abc", text, sizeof text));
    ck_assert_str_eq(text, "");
    stop(f, false);
}
END_TEST

START_TEST(a_stalled_peer_holds_up_nobody_else)
{
    struct fcgi *f = start(2, PATIENCE_S * 10 * 1000);
    int stalled = dial();
    char text[256];

    ck_assert_int_eq(write(stalled, "\1\1\0", 3), 3);
    for (int i = 0; i < 20; i++)
        ck_assert(exchange("/echo", "abc", text, sizeof text));
    (void)close(stalled);
    stop(f, false);
}
END_TEST

START_TEST(a_stalled_peer_is_dropped_after_the_time_out)
{
    struct fcgi *f = start(1, 20);
    char text[256];
    int stalled = dial();

    ck_assert_int_eq(write(stalled, "\1\1\0", 3), 3);
    ck_assert(!hear(stalled, text, sizeof text));
    ck_assert(exchange("/echo", "abc", text, sizeof text));
    stop(f, false);
}
END_TEST

START_TEST(a_peer_that_breaks_off_is_not_served)
{
    struct fcgi *f = start(1, 1000);
    struct sb rq = request("/echo", "abc");
    char text[256];

    for (size_t n = 1; n < 40; n++) {            /* within BEGIN and the head and first bytes of PARAMS */
        int fd = dial();

        ck_assert_int_eq(write(fd, rq.p, n), (ssize_t)n);
        (void)close(fd);
    }
    ck_assert(exchange("/echo", "abc", text, sizeof text));
    ck_assert_int_eq(atomic_load(&served), 1);
    sb_done(&rq);
    stop(f, false);
}
END_TEST

START_TEST(a_user_other_than_nginx_is_refused)
{
    struct fcgi *f = start(1, 1000);
    int status;
    pid_t child;

    if (geteuid() != 0)                          /* only root can be somebody else */
        goto out;
    ck_assert_int_eq(chmod(path, 0666), 0);
    child = fork();
    ck_assert_int_ge(child, 0);
    if (child == 0) {
        struct sockaddr_un addr = {.sun_family = AF_UNIX};
        char byte;
        int fd = socket(AF_UNIX, SOCK_STREAM, 0);

        (void)snprintf(addr.sun_path, sizeof addr.sun_path, "%s", path);
        if (setresuid(NOBODY, NOBODY, NOBODY) < 0 || connect(fd, (const struct sockaddr *)&addr, sizeof addr) < 0)
            _exit(2);
        _exit(read(fd, &byte, 1) <= 0 ? 0 : 1);
    }
    ck_assert_int_eq(waitpid(child, &status, 0), child);
    ck_assert(WIFEXITED(status));
    ck_assert_int_eq(WEXITSTATUS(status), 0);
    ck_assert_int_eq(atomic_load(&served), 0);
out:
    stop(f, false);
}
END_TEST

START_TEST(a_moved_connection_is_answered_by_its_new_owner)
{
    struct fcgi *f = start(1, 1000);
    struct sb rq = request("/move", "abc"), answer = sb_make(256);
    int fd = dial();
    char text[256];

    ck_assert_int_eq(write(fd, rq.p, rq.len), (ssize_t)rq.len);
    ck_assert(exchange("/echo", "next", text, sizeof text));      /* the one acceptor has gone on */
    ck_assert(atomic_load(&has_moved));
    ck_assert_uint_eq(moved.fcgi_id, 7);
    ck_assert(fcntl(moved.fd, F_GETFL) & O_NONBLOCK);
    ck_assert(fcntl(moved.fd, F_GETFD) & FD_CLOEXEC);
    record(&answer, STDOUT_, "late", 4);
    record(&answer, END, "\0\0\0\0\0\0\0\0", 8);
    ck_assert_int_eq(write(moved.fd, answer.p, answer.len), (ssize_t)answer.len);
    (void)close(moved.fd);
    ck_assert(hear(fd, text, sizeof text));
    ck_assert_str_eq(text, "late");
    sb_done(&rq);
    sb_done(&answer);
    stop(f, false);
}
END_TEST

START_TEST(stopping_with_drain_serves_what_already_waits)
{
    struct fcgi *f = start(1, PATIENCE_S * 1000);
    struct sb rq = request("/echo", "abc");
    int stalled = dial(), waiting[5];
    char text[256];

    ck_assert_int_eq(write(stalled, "\1\1\0", 3), 3);             /* keeps the one acceptor busy */
    for (int i = 0; i < 5; i++) {
        waiting[i] = dial();
        ck_assert_int_eq(write(waiting[i], rq.p, rq.len), (ssize_t)rq.len);
    }
    (void)close(stalled);
    stop(f, true);
    for (int i = 0; i < 5; i++)
        ck_assert(hear(waiting[i], text, sizeof text));
    ck_assert_str_eq(text, "Status: 200\r\n\r\nabc 3");
    sb_done(&rq);
}
END_TEST

START_TEST(the_socket_is_for_owner_and_group_and_replaces_an_old_one)
{
    struct fcgi *f = start(1, 1000), *g;
    int first = listen_fd;
    struct stat st;

    ck_assert_int_eq(stat(path, &st), 0);
    ck_assert_int_eq(st.st_mode & 0777, 0660);
    g = start(1, 1000);                          /* a successor binds the same path */
    fcgi_stop(f, true);
    (void)close(first);
    {
        char text[256];

        ck_assert(exchange("/echo", "abc", text, sizeof text));
    }
    stop(g, false);
}
END_TEST

START_TEST(a_path_too_long_for_a_socket_is_a_sentence)
{
    struct sb why = sb_make(1024);
    char p[300];

    memset(p, 'x', sizeof p - 1);
    p[0] = '/';
    p[sizeof p - 1] = '\0';
    ck_assert_int_eq(fcgi_listen(p, &why), -1);
    ck_assert_ptr_nonnull(strstr(sb_str(&why), "at most"));
    sb_done(&why);
}
END_TEST

UNIT_MAIN("fcgi", parameters_and_body_arrive_and_the_answer_leaves,
          a_body_larger_than_kept_is_still_read_and_counted,
          a_request_with_too_many_headers_is_told_so_and_not_served, a_request_that_nobody_answers_is_ended,
          a_stalled_peer_holds_up_nobody_else, a_stalled_peer_is_dropped_after_the_time_out,
          a_peer_that_breaks_off_is_not_served, a_user_other_than_nginx_is_refused,
          a_moved_connection_is_answered_by_its_new_owner, stopping_with_drain_serves_what_already_waits,
          the_socket_is_for_owner_and_group_and_replaces_an_old_one, a_path_too_long_for_a_socket_is_a_sentence)
