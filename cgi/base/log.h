/* log.h - one JSON object a line on stderr: {"at","level","msg"}.
 *
 * Never waits for whoever reads stderr and never fails the caller: a line that cannot be
 * written is counted and the count is reported with the next one that can.
 * Never pass keys, tokens or prompts. Thread-safe. */
#ifndef WEIR_LOG_H
#define WEIR_LOG_H

#include <stdbool.h>

enum log_level { LOG_LEVEL_ERROR, LOG_LEVEL_WARN, LOG_LEVEL_INFO, LOG_LEVEL_DEBUG };

/* What is logged from now on; before the first call: info. Call before threads start, or on reload. */
void log_set_level(enum log_level level);
bool log_enabled(enum log_level level);

void log_error(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
void log_warn(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
void log_info(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
void log_debug(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

#endif
