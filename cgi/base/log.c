/* log.c - formats one line in a builder of its own and writes it with one
 * write(2), so lines of several threads never mix. */
#include "base/log.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/sb.h"

enum { MESSAGE_MAX = 16384 };       /* room for a whole settlement without its text (spill_line.h) */

static atomic_int level_now = LOG_LEVEL_INFO;
static atomic_long dropped;

static const char *const names[] = {"error", "warn", "info", "debug"};

void log_set_level(enum log_level level)
{
    atomic_store(&level_now, (int)level);
}

bool log_enabled(enum log_level level)
{
    return (int)level <= atomic_load_explicit(&level_now, memory_order_relaxed);
}

/* False: it would have to wait for somebody to read. One at a time, so that the room that was seen is still there; a line
 * longer than PIPE_BUF may wait all the same, and only a settlement that could be stored nowhere is one. */
static bool put(const struct sb *line)
{
    static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
    struct pollfd out = {.fd = STDERR_FILENO, .events = POLLOUT};
    bool ok;

    (void)pthread_mutex_lock(&lock);
    ok = poll(&out, 1, 0) == 1 && (out.revents & POLLOUT) && write(STDERR_FILENO, line->p, line->len) == (ssize_t)line->len;
    (void)pthread_mutex_unlock(&lock);
    return ok;
}

static void log_line(enum log_level level, const char *fmt, va_list ap)
{
    struct sb line, msg;
    long lost;

    if (!log_enabled(level))
        return;
    line = sb_make(MESSAGE_MAX * 2);
    msg = sb_make(MESSAGE_MAX);
    sb_vputf(&msg, fmt, ap);
    sb_puts(&line, "{\"at\":\"");
    sb_time(&line, clock_utc_ms());
    sb_putf(&line, "\",\"level\":\"%s\",\"msg\":", names[level]);
    sb_json(&line, sb_ok(&msg) ? sb_str(&msg) : "(a log line too long to show)");
    lost = atomic_exchange(&dropped, 0);
    if (lost)
        sb_putf(&line, ",\"dropped_lines\":%ld", lost);
    sb_puts(&line, "}\n");
    if (!sb_ok(&line) || !put(&line))
        atomic_fetch_add(&dropped, lost + 1);
    sb_done(&msg);
    sb_done(&line);
}

#define LOG_BODY(level)             \
    do {                            \
        int keep = errno;           \
        va_list ap;                 \
        va_start(ap, fmt);          \
        log_line(level, fmt, ap);   \
        va_end(ap);                 \
        errno = keep;               \
    } while (0)

void log_error(const char *fmt, ...) { LOG_BODY(LOG_LEVEL_ERROR); }
void log_warn(const char *fmt, ...) { LOG_BODY(LOG_LEVEL_WARN); }
void log_info(const char *fmt, ...) { LOG_BODY(LOG_LEVEL_INFO); }
void log_debug(const char *fmt, ...) { LOG_BODY(LOG_LEVEL_DEBUG); }
