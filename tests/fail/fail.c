/* fail.c - the calls of fail.h in place of libc's. Writes are those to regular
 * files, connections those over IP: what cannot fail in reality does not here. */
#include "fail.h"

#include <dlfcn.h>
#include <errno.h>
#include <execinfo.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

static struct fail_control own;
struct fail_control *fail_control = &own;

/* glibc's own, under names that are not replaced. */
extern void *__libc_malloc(size_t n);
extern void *__libc_calloc(size_t n, size_t size);
extern void *__libc_realloc(void *p, size_t n);

/* Where it was; there is no core file to ask. */
static void on_crash(int number)
{
    void *at[64];

    backtrace_symbols_fd(at, backtrace(at, 64), STDERR_FILENO);
    (void)raise(number);                 /* SA_RESETHAND: this time it ends Weir */
}

static void tell_crashes(void)
{
    static const int crashes[] = {SIGSEGV, SIGBUS, SIGFPE, SIGILL};
    struct sigaction a = {.sa_handler = on_crash, .sa_flags = (int)SA_RESETHAND};
    void *at[1];

    (void)backtrace(at, 1);              /* loads what it needs */
    for (size_t i = 0; i < sizeof crashes / sizeof *crashes; i++)
        (void)sigaction(crashes[i], &a, NULL);
}

__attribute__((constructor)) static void map_control(void)
{
    const char *path = getenv("FAIL_CONTROL");
    int fd = path ? open(path, O_RDWR | O_CLOEXEC) : -1;
    void *p = fd < 0 ? MAP_FAILED : mmap(NULL, sizeof own, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);

    if (p != MAP_FAILED) {
        fail_control = p;
        tell_crashes();
    }
    if (fd >= 0)
        (void)close(fd);
}

static bool fails(enum fail_call call)
{
    struct fail_kind *k = &fail_control->kind[call];
    int64_t n = __atomic_add_fetch(&k->count, 1, __ATOMIC_RELAXED), at = __atomic_load_n(&k->at, __ATOMIC_RELAXED);

    if (!at || (k->forever ? n < at : n != at))
        return false;
    (void)__atomic_add_fetch(&k->failed, 1, __ATOMIC_RELAXED);
    return true;
}

static bool no_memory(void)
{
    if (!fails(FAIL_MALLOC))
        return false;
    errno = ENOMEM;
    return true;
}

void *malloc(size_t n)
{
    return no_memory() ? NULL : __libc_malloc(n);
}

void *calloc(size_t n, size_t size)
{
    return no_memory() ? NULL : __libc_calloc(n, size);
}

void *realloc(void *p, size_t n)
{
    return no_memory() ? NULL : __libc_realloc(p, n);
}

static bool is_file(int fd)
{
    struct stat st;

    return fstat(fd, &st) == 0 && S_ISREG(st.st_mode);
}

static bool disk_fails(enum fail_call call, int fd)
{
    if (!is_file(fd) || !fails(call))
        return false;
    errno = EIO;
    return true;
}

#define NEXT(name) ((__typeof__(&name))(uintptr_t)dlsym(RTLD_NEXT, #name))

ssize_t write(int fd, const void *p, size_t n)
{
    return disk_fails(FAIL_WRITE, fd) ? -1 : NEXT(write)(fd, p, n);
}

ssize_t pwrite(int fd, const void *p, size_t n, off_t at)
{
    return disk_fails(FAIL_WRITE, fd) ? -1 : NEXT(pwrite)(fd, p, n, at);
}

ssize_t pwrite64(int fd, const void *p, size_t n, off64_t at)
{
    return disk_fails(FAIL_WRITE, fd) ? -1 : NEXT(pwrite64)(fd, p, n, at);
}

int fsync(int fd)
{
    return disk_fails(FAIL_FSYNC, fd) ? -1 : NEXT(fsync)(fd);
}

int fdatasync(int fd)
{
    return disk_fails(FAIL_FSYNC, fd) ? -1 : NEXT(fdatasync)(fd);
}

int connect(int fd, const struct sockaddr *to, socklen_t n)
{
    if (to->sa_family != AF_UNIX && fails(FAIL_CONNECT)) {
        errno = EHOSTUNREACH;
        return -1;
    }
    return NEXT(connect)(fd, to, n);
}

int pthread_create(pthread_t *thread, const pthread_attr_t *attr, void *(*run)(void *), void *arg)
{
    return fails(FAIL_THREAD) ? EAGAIN : NEXT(pthread_create)(thread, attr, run, arg);
}

int clock_gettime(clockid_t clock, struct timespec *t)
{
    int rc = (int)syscall(SYS_clock_gettime, clock, t);

    if (rc == 0 && clock == CLOCK_REALTIME)
        t->tv_sec += __atomic_load_n(&fail_control->calendar_s, __ATOMIC_RELAXED);
    if (rc == 0 && clock == CLOCK_BOOTTIME)
        t->tv_sec += __atomic_load_n(&fail_control->asleep_s, __ATOMIC_RELAXED);
    return rc;
}
