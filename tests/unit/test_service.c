/* What is said to the service manager, by the functions and by `weir serve` itself, and the socket it passes. */
#include "unit.h"

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/service.h"

static char dir[] = "/tmp/weir-service-XXXXXX";

static struct sockaddr_un address(const char *name)
{
    struct sockaddr_un a = {.sun_family = AF_UNIX};

    snprintf(a.sun_path, sizeof a.sun_path, "%s/%s", dir, name);
    return a;
}

/* A service manager's socket that NOTIFY_SOCKET names; what is not said within 20 s fails the test. */
static int manager(void)
{
    struct sockaddr_un a;
    struct timeval patience = {.tv_sec = 20};
    int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);

    ck_assert_ptr_nonnull(mkdtemp(dir));
    a = address("notify");
    ck_assert_int_eq(bind(fd, (const struct sockaddr *)&a, sizeof a), 0);
    ck_assert_int_eq(setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience), 0);
    ck_assert_int_eq(setenv("NOTIFY_SOCKET", a.sun_path, 1), 0);
    return fd;
}

static const char *heard(int fd, char said[200])
{
    ssize_t n = recv(fd, said, 199, 0);

    ck_assert_msg(n > 0, "nothing was said");
    said[n] = '\0';
    return said;
}

static void tidy(int fd)
{
    char command[100];

    close(fd);
    snprintf(command, sizeof command, "rm -rf %s", dir);
    ck_assert_int_eq(system(command), 0);
}

START_TEST(the_service_manager_hears_what_is_said)
{
    struct sockaddr_un a = {.sun_family = AF_UNIX, .sun_path = "\0weir-service-test"};
    char name[sizeof a.sun_path + 1], said[200];
    int fd = manager();

    service_say("READY=1");
    ck_assert_str_eq(heard(fd, said), "READY=1");
    tidy(fd);
    fd = socket(AF_UNIX, SOCK_DGRAM, 0);                 /* an abstract one */
    snprintf(a.sun_path + 1, sizeof a.sun_path - 1, "weir-service-%d", (int)getpid());
    ck_assert_int_eq(bind(fd, (const struct sockaddr *)&a, (socklen_t)(offsetof(struct sockaddr_un, sun_path) + 1 + strlen(a.sun_path + 1))), 0);
    snprintf(name, sizeof name, "@%s", a.sun_path + 1);
    setenv("NOTIFY_SOCKET", name, 1);
    service_say("STOPPING=1\nSTATUS=x");
    ck_assert_str_eq(heard(fd, said), "STOPPING=1\nSTATUS=x");
    close(fd);
    service_say("WATCHDOG=1");                           /* nobody there: no harm */
    setenv("NOTIFY_SOCKET", "vsock:1:2", 1);
    service_say("WATCHDOG=1");
    unsetenv("NOTIFY_SOCKET");
    service_say("WATCHDOG=1");
}
END_TEST

START_TEST(the_watchdog_counts_if_it_is_ours)
{
    char pid[20];

    ck_assert_int_eq(clearenv(), 0);
    ck_assert_int_eq(service_watchdog_us(), 0);
    setenv("WATCHDOG_USEC", "30000000", 1);
    ck_assert_int_eq(service_watchdog_us(), 30000000);
    snprintf(pid, sizeof pid, "%d", (int)getpid());
    setenv("WATCHDOG_PID", pid, 1);
    ck_assert_int_eq(service_watchdog_us(), 30000000);
    setenv("WATCHDOG_PID", "1", 1);
    ck_assert_int_eq(service_watchdog_us(), 0);
    unsetenv("WATCHDOG_PID");
    setenv("WATCHDOG_USEC", "-5", 1);
    ck_assert_int_eq(service_watchdog_us(), 0);
}
END_TEST

START_TEST(only_a_listening_unix_socket_meant_for_us_is_taken)
{
    struct sockaddr_un a;
    char pid[20];
    int fd;

    ck_assert_int_eq(clearenv(), 0);
    ck_assert_ptr_nonnull(mkdtemp(dir));
    a = address("socket");
    fd = socket(AF_UNIX, SOCK_STREAM, 0);
    ck_assert_int_eq(bind(fd, (const struct sockaddr *)&a, sizeof a), 0);
    ck_assert_int_eq(dup2(fd, 3), 3);
    ck_assert_int_eq(service_socket(), -1);              /* nobody said there was one */
    setenv("LISTEN_FDS", "1", 1);
    setenv("LISTEN_PID", "1", 1);
    ck_assert_int_eq(listen(3, 5), 0);
    ck_assert_int_eq(service_socket(), -1);              /* meant for another process */
    snprintf(pid, sizeof pid, "%d", (int)getpid());
    setenv("LISTEN_PID", pid, 1);
    ck_assert_int_eq(service_socket(), 3);
    ck_assert(fcntl(3, F_GETFL) & O_NONBLOCK);
    ck_assert(fcntl(3, F_GETFD) & FD_CLOEXEC);
    setenv("LISTEN_FDS", "2", 1);
    ck_assert_int_eq(service_socket(), -1);              /* which of them? */
    setenv("LISTEN_FDS", "1", 1);
    ck_assert_int_eq(dup2(1, 3), 3);
    ck_assert_int_eq(service_socket(), -1);              /* that is no socket */
    tidy(fd);
}
END_TEST

/* Start ./weir serve with `listening`, unless -1, passed as systemd passes a socket. */
static pid_t serve(int listening)
{
    char state[64], number[20];
    pid_t pid = fork();

    if (pid)
        return pid;
    snprintf(state, sizeof state, "%s/state", dir);
    setenv("WEIR_STATE", state, 1);
    setenv("WEIR_CONFIG", "", 1);
    setenv("WEIR_DRAIN", "7", 1);
    setenv("WATCHDOG_USEC", "100000", 1);
    if (listening >= 0) {
        snprintf(number, sizeof number, "%d", (int)getpid());
        setenv("LISTEN_PID", number, 1);
        setenv("LISTEN_FDS", "1", 1);
        (void)dup2(listening, 3);
    }
    (void)!freopen("/dev/null", "w", stdout);
    (void)!freopen("/dev/null", "w", stderr);
    execl("./weir", "weir", "serve", (char *)NULL);
    _exit(127);
}

static void assert_ends(pid_t pid)
{
    int status;

    ck_assert_int_eq(waitpid(pid, &status, 0), pid);
    ck_assert(WIFEXITED(status) && WEXITSTATUS(status) == 0);
}

START_TEST(weir_serve_says_when_it_is_ready_alive_and_stopping)
{
    char said[200];
    int fd = manager();
    pid_t pid = serve(-1);

    ck_assert_str_eq(heard(fd, said), "READY=1");
    for (int alive = 0; alive < 3; alive++)
        ck_assert_str_eq(heard(fd, said), "WATCHDOG=1");
    ck_assert_int_eq(kill(pid, SIGHUP), 0);
    ck_assert_str_eq(heard(fd, said), "WATCHDOG=1");     /* a reload ends nothing */
    ck_assert_int_eq(kill(pid, SIGTERM), 0);
    while (strcmp(heard(fd, said), "WATCHDOG=1") == 0)
        ;
    ck_assert_str_eq(said, "STOPPING=1\nEXTEND_TIMEOUT_USEC=22000000");
    assert_ends(pid);
    tidy(fd);
}
END_TEST

START_TEST(a_request_that_comes_between_two_runs_is_answered_by_the_second)
{
    /* FastCGI: begin, the parameters REQUEST_METHOD=GET and REQUEST_URI=/healthz, their end, the end of the body. */
    static const char request[] = "\1\1\0\1\0\10\0\0" "\0\1\0\0\0\0\0\0"
                                  "\1\4\0\1\0\50\0\0" "\16\3REQUEST_METHODGET" "\13\10REQUEST_URI/healthz"
                                  "\1\4\0\1\0\0\0\0" "\1\5\0\1\0\0\0\0";
    char said[200], answer[4000];
    int fd = manager(), listening = socket(AF_UNIX, SOCK_STREAM, 0), client = socket(AF_UNIX, SOCK_STREAM, 0);
    struct sockaddr_un at = address("weir.sock");
    size_t got = 0;
    pid_t pid;

    ck_assert_int_eq(bind(listening, (const struct sockaddr *)&at, sizeof at), 0);
    ck_assert_int_eq(listen(listening, 10), 0);
    pid = serve(listening);
    ck_assert_str_eq(heard(fd, said), "READY=1");
    ck_assert_int_eq(kill(pid, SIGTERM), 0);
    assert_ends(pid);
    while (strncmp(heard(fd, said), "STOPPING=1", 10) != 0)
        ;
    ck_assert_int_eq(connect(client, (const struct sockaddr *)&at, sizeof at), 0);
    ck_assert_int_eq(write(client, request, sizeof request - 1), (ssize_t)sizeof request - 1);
    pid = serve(listening);
    ck_assert_str_eq(heard(fd, said), "READY=1");
    for (ssize_t n; got < sizeof answer - 1 && (n = read(client, answer + got, sizeof answer - 1 - got)) > 0;)
        got += (size_t)n;
    ck_assert_ptr_nonnull(memmem(answer, got, "Status: 200", 11));
    ck_assert_int_eq(kill(pid, SIGTERM), 0);
    assert_ends(pid);
    close(listening);
    close(client);
    tidy(fd);
}
END_TEST

UNIT_MAIN("service", the_service_manager_hears_what_is_said, the_watchdog_counts_if_it_is_ours,
          only_a_listening_unix_socket_meant_for_us_is_taken, weir_serve_says_when_it_is_ready_alive_and_stopping,
          a_request_that_comes_between_two_runs_is_answered_by_the_second)
