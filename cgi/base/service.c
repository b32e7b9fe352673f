/* service.c - sd_notify(3), sd_watchdog_enabled(3) and sd_listen_fds(3) in what they come down to. */
#include "base/service.h"

#include <errno.h>
#include <fcntl.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

enum { FIRST_PASSED = 3 };

/* A whole number in the environment that is meant for this process; 0: there is none. */
static int64_t number(const char *name, const char *pid_name)
{
    const char *text = getenv(name), *pid = getenv(pid_name);

    if (!text || (pid && strtoll(pid, NULL, 10) != getpid()))
        return 0;
    return strtoll(text, NULL, 10);
}

void service_say(const char *state)
{
    struct sockaddr_un to = {.sun_family = AF_UNIX};
    const char *path = getenv("NOTIFY_SOCKET");
    size_t n = path ? strlen(path) : 0;
    int fd;

    if (n < 2 || n >= sizeof to.sun_path || !strchr("/@", *path))
        return;
    memcpy(to.sun_path, path, n);
    if (*path == '@')                        /* an abstract one */
        to.sun_path[0] = '\0';
    fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return;
    while (sendto(fd, state, strlen(state), MSG_NOSIGNAL, (const struct sockaddr *)&to,
                  (socklen_t)(offsetof(struct sockaddr_un, sun_path) + n)) < 0 && errno == EINTR)
        ;
    (void)close(fd);
}

int64_t service_watchdog_us(void)
{
    int64_t us = number("WATCHDOG_USEC", "WATCHDOG_PID");

    return us > 0 ? us : 0;
}

int service_socket(void)
{
    struct sockaddr_un at = {.sun_family = AF_UNSPEC};
    socklen_t n = sizeof at;
    int listens = 0, flags;
    socklen_t m = sizeof listens;

    if (!getenv("LISTEN_PID") || number("LISTEN_FDS", "LISTEN_PID") != 1
        || getsockname(FIRST_PASSED, (struct sockaddr *)&at, &n) < 0 || at.sun_family != AF_UNIX
        || getsockopt(FIRST_PASSED, SOL_SOCKET, SO_ACCEPTCONN, &listens, &m) < 0 || !listens)
        return -1;
    flags = fcntl(FIRST_PASSED, F_GETFL);
    if (flags < 0 || fcntl(FIRST_PASSED, F_SETFL, flags | O_NONBLOCK) < 0 || fcntl(FIRST_PASSED, F_SETFD, FD_CLOEXEC) < 0)
        return -1;
    return FIRST_PASSED;
}
