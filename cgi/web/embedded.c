/* embedded.c - see embedded.h. Both children are asked to end by the kernel when we are gone (PR_SET_PDEATHSIG), and hold a
 * lock that they inherit: who wants the state folder next waits until the last of them has ended. nginx inherits a socket that
 * listens already, so that nobody else can get its port. */
#include "web/embedded.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <sysexits.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/file.h"
#include "base/json.h"
#include "base/mem.h"
#include "peer/weir_call.h"
#include "web/cmd_config.h"
#include "web/local.h"
#include "web/nginx_conf.h"
#include "web/reach.h"

enum { PATH_MAX_BYTES = 8192, TEXT_MAX = 1 << 20, BACKLOG = 4096, EXIT_NOT_FOUND = 127, LOG_LINES = 3, LOOK_MS = 20, ANSWER_S = 5 };
#define READY_US (60 * USEC_PER_SEC)

struct child {
    pid_t pid;                           /* 0: it does not run */
    int how;                             /* it ended, as waitpid() says */
};

struct embedded {
    struct child weir, nginx;
    int lock_fd;
    struct sb log, conf;                 /* paths in the state folder */
};

__attribute__((format(printf, 2, 3))) static int say(int status, const char *fmt, ...)
{
    va_list ap;

    va_start(ap, fmt);
    fputs("weir: ", stderr);
    (void)vfprintf(stderr, fmt, ap);
    fputc('\n', stderr);
    va_end(ap);
    return status;
}

/* --- children --- */

/* In a process group of its own: Ctrl+C comes to us alone. `fd` stays open in it. */
static pid_t spawn(const struct embedded *e, const char *file, char *const argv[], int fd)
{
    pid_t us = getpid(), pid = fork();
    int nothing, log;

    if (pid != 0)
        return pid > 0 ? pid : 0;
    (void)setpgid(0, 0);
    nothing = open("/dev/null", O_RDWR);
    log = open(sb_str(&e->log), O_WRONLY | O_APPEND);
    if (prctl(PR_SET_PDEATHSIG, SIGTERM) < 0 || getppid() != us || nothing < 0 || log < 0 || dup2(nothing, STDIN_FILENO) < 0
        || dup2(nothing, STDOUT_FILENO) < 0 || dup2(log, STDERR_FILENO) < 0 || (fd >= 0 && fcntl(fd, F_SETFD, 0) < 0))
        _exit(EX_OSERR);
    (void)close(nothing);
    (void)close(log);
    (void)execvp(file, argv);
    _exit(errno == ENOENT ? EXIT_NOT_FOUND : EX_OSERR);
}

/* Has it ended? Waits for that, or does not; a signal ends the waiting. */
static bool ended(struct child *c, bool wait)
{
    if (c->pid && waitpid(c->pid, &c->how, wait ? 0 : WNOHANG) == c->pid)
        c->pid = 0;
    return !c->pid;
}

static void end(struct child *c, int signal)
{
    while (!ended(c, false)) {
        (void)kill(c->pid, signal);
        (void)ended(c, true);
    }
}

/* --- before --- */

/* A socket that listens on a free port, non-blocking, as nginx takes one that it inherits to be; -1 with errno. */
static int listen_somewhere(uint16_t *port)
{
    struct sockaddr_in at = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t n = sizeof at;
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

    if (fd >= 0 && (bind(fd, (struct sockaddr *)&at, n) < 0 || listen(fd, BACKLOG) < 0 || getsockname(fd, (struct sockaddr *)&at, &n) < 0)) {
        (void)close(fd);
        fd = -1;
    }
    *port = ntohs(at.sin_port);
    return fd;
}

/* What our children get with the environment: where they listen, where nginx is found, which socket it inherits; and all the
 * descriptors that they may have. */
static bool put_environment(uint16_t port, int fd)
{
    struct sb text = sb_make(TEXT_MAX);
    struct rlimit files;
    bool ok;

    sb_putf(&text, "%s:/usr/sbin", getenv("PATH") ? getenv("PATH") : "/usr/bin:/bin");
    ok = setenv("PATH", sb_str(&text), 1) == 0 && setenv("WEIR_HTTP_ADDRESS", "127.0.0.1", 1) == 0;
    sb_reset(&text);
    sb_putf(&text, "%d", port);
    ok = ok && setenv("WEIR_HTTP_PORT", sb_str(&text), 1) == 0;
    sb_reset(&text);
    sb_putf(&text, "%d;", fd);
    ok = ok && setenv("NGINX", sb_str(&text), 1) == 0;
    sb_done(&text);
    if (getrlimit(RLIMIT_NOFILE, &files) == 0) {
        files.rlim_cur = files.rlim_max;
        (void)setrlimit(RLIMIT_NOFILE, &files);
    }
    return ok;
}

/* As for any Weir with these settings, but here, without TLS and under no other name. */
static bool write_conf(const struct embedded *e, const struct settings *s, uint16_t port, struct sb *why)
{
    char address[] = "127.0.0.1";
    struct settings here = *s;
    struct sb conf = sb_make(TEXT_MAX);
    bool ok;

    here.http.address = address;
    here.http.port = port;
    here.http.hosts.n = 0;
    here.http.tls_certificate = here.http.tls_key = NULL;
    ok = nginx_conf(&here, s->data, geteuid() == 0 ? "root" : NULL, false, &conf, why)
         && file_replace(sb_str(&e->conf), 0600, sb_str(&conf), conf.len, why) && file_replace(sb_str(&e->log), 0600, "", 0, why);
    sb_done(&conf);
    return ok;
}

/* The state folder is ours once it has the lock. */
static int take_lock(struct embedded *e, const struct settings *s)
{
    struct sb path = sb_make(PATH_MAX_BYTES);
    int status = EX_OK;

    if (mkdir(s->state, 0700) < 0 && errno != EEXIST)
        status = say(EX_CANTCREAT, "%s: the state folder cannot be made: %s", s->state, strerror(errno));
    sb_putf(&path, "%s/embedded.lock", s->state);
    if (!status && (e->lock_fd = open(sb_str(&path), O_RDWR | O_CREAT, 0600)) < 0)       /* not closed on exec */
        status = say(EX_CANTCREAT, "%s cannot be opened: %s", sb_str(&path), strerror(errno));
    if (!status && flock(e->lock_fd, LOCK_EX | LOCK_NB) < 0) {
        (void)say(EX_OK, "the embedded Weir of another command in %s is running, or settling what was under way; waiting for its end.", s->state);
        while (flock(e->lock_fd, LOCK_EX) < 0 && !status)
            if (errno != EINTR)
                status = say(EX_CANTCREAT, "%s cannot be locked: %s", sb_str(&path), strerror(errno));
    }
    sb_done(&path);
    return status;
}

/* --- while it starts --- */

/* The last lines of what both wrote. */
static void show_log(const struct embedded *e)
{
    struct sb text = sb_make(TEXT_MAX), why = sb_make(PATH_MAX_BYTES);
    const char *from;

    if (file_read(sb_str(&e->log), &text, &why) && text.len) {
        from = sb_str(&text) + text.len - 1;
        for (int lines = 0; from > sb_str(&text) && (from[-1] != '\n' || ++lines < LOG_LINES); from--) {
        }
        fputs(from, stderr);
    }
    sb_done(&text);
    sb_done(&why);
}

static bool answers_ready(struct weir_call *c, const char *url)
{
    return weir_call_set(c, url, "", "/readyz", NULL, 0, NULL, NULL) && curl_easy_setopt(c->easy, CURLOPT_TIMEOUT, (long)ANSWER_S) == CURLE_OK
           && curl_easy_perform(c->easy) == CURLE_OK && weir_call_status(c) == 200;
}

/* nginx is asked once Weir is there: it would log each time that it is not. */
static int await_ready(struct embedded *e, const struct settings *s, const char *url)
{
    const struct timespec look_again = {.tv_nsec = LOOK_MS * 1000 * 1000};
    int64_t until = clock_mono_us() + READY_US;
    struct weir_call c;
    json_t *answer;
    int status = EX_TEMPFAIL;

    if (curl_global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK || !weir_call_open(&c))
        return say(EX_OSERR, "no memory.");
    while (status == EX_TEMPFAIL) {
        if (ended(&e->nginx, false) && WIFEXITED(e->nginx.how) && WEXITSTATUS(e->nginx.how) == EXIT_NOT_FOUND) {
            status = say(EX_UNAVAILABLE, "nginx, through which Weir is reached, is not installed, or not in PATH.");
        } else if (!e->nginx.pid || ended(&e->weir, false)) {
            show_log(e);
            status = e->nginx.pid && WIFEXITED(e->weir.how) && WEXITSTATUS(e->weir.how) ? WEXITSTATUS(e->weir.how) : EX_UNAVAILABLE;
            (void)say(EX_OK, "%s cannot be started; %s has what it wrote.", e->nginx.pid ? "Weir" : "nginx", sb_str(&e->log));
        } else if (local_runs(s) && answers_ready(&c, url)) {
            status = EX_OK;
        } else if (clock_mono_us() > until) {
            answer = json_loads(sb_str(&c.answer), 0, NULL);
            status = say(EX_UNAVAILABLE, "Weir is not ready after %d seconds: %s %s has what it wrote.", (int)(READY_US / USEC_PER_SEC),
                         json_str(json_object_get(answer, "error"), "message", "It does not answer."), sb_str(&e->log));
            json_decref(answer);
        } else {
            (void)nanosleep(&look_again, NULL);
        }
    }
    weir_call_close(&c);
    curl_global_cleanup();
    return status;
}

static int start(struct embedded *e, const struct settings *s, struct sb *url)
{
    char *serve[] = {(char[]){"weir"}, (char[]){"serve"}, NULL};
    char *nginx[] = {(char[]){"nginx"}, (char[]){"-e"}, (char[]){"stderr"}, (char[]){"-c"}, e->conf.p, (char[]){"-g"}, (char[]){"daemon off;"}, NULL};
    struct sb why = sb_make(TEXT_MAX);
    char self[PATH_MAX_BYTES];
    ssize_t n = readlink("/proc/self/exe", self, sizeof self - 1);
    uint16_t port;
    int fd = listen_somewhere(&port);

    self[n > 0 ? n : 0] = '\0';
    if (fd < 0)
        return say(EX_OSERR, "no port of 127.0.0.1 can be had: %s", strerror(errno));
    if (!write_conf(e, s, port, &why) || !put_environment(port, fd)) {
        (void)close(fd);
        (void)say(EX_OK, "%s", why.len ? sb_str(&why) : "no memory.");
        sb_done(&why);
        return EXIT_CONFIG;
    }
    sb_done(&why);
    e->weir.pid = spawn(e, self, serve, -1);
    e->nginx.pid = e->weir.pid ? spawn(e, "nginx", nginx, fd) : 0;
    (void)close(fd);
    if (!e->nginx.pid)
        return say(EX_OSERR, "no process can be made: %s", strerror(errno));
    sb_putf(url, "http://127.0.0.1:%d", port);
    return await_ready(e, s, sb_str(url));
}

/* Takes. */
static void release(struct embedded *e)
{
    end(&e->weir, SIGTERM);
    end(&e->nginx, SIGQUIT);
    if (e->lock_fd >= 0)
        (void)close(e->lock_fd);
    sb_done(&e->log);
    sb_done(&e->conf);
    free(e);
}

int embedded_start(struct embedded **out, struct sb *url)
{
    struct sb why = sb_make(TEXT_MAX);
    struct settings *s = config_load(NULL, &why);
    struct embedded *e;
    int status;

    *out = NULL;
    if (!s) {
        status = say(EXIT_CONFIG, "%s", sb_str(&why));
        sb_done(&why);
        return status;
    }
    sb_done(&why);
    e = mem_zalloc(1, sizeof *e);
    *e = (struct embedded){.lock_fd = -1, .log = sb_make(PATH_MAX_BYTES), .conf = sb_make(PATH_MAX_BYTES)};
    sb_putf(&e->log, "%s/embedded.log", s->state);
    sb_putf(&e->conf, "%s/embedded-nginx.conf", s->state);
    status = take_lock(e, s);
    if (!status && local_runs(s)) {
        (void)say(EX_OK, "a Weir runs in %s already; it is used.", s->state);
        reach_url(s, url);
    } else if (!status && (status = start(e, s, url)) == EX_OK) {
        *out = e;
    }
    if (!*out)
        release(e);
    settings_free(s);
    return status;
}

int embedded_stop(struct embedded *e)
{
    int status = EX_OK;

    if (!e)
        return EX_OK;
    if (ended(&e->weir, false) || ended(&e->nginx, false)) {
        (void)say(EX_OK, "the embedded %s ended by itself; %s has what it wrote.", e->weir.pid ? "nginx" : "Weir", sb_str(&e->log));
        status = EX_UNAVAILABLE;
    }
    release(e);
    return status;
}
