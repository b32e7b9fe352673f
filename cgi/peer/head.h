/* head.h - what a provider's answer says before its body: status, kind of
 * body, how long to wait, how much of its limits is left.
 *
 * Knows the spellings of OpenAI (x-ratelimit-*, Go durations), Azure (plain
 * seconds, -1 and 0 for unknown), Anthropic (anthropic-ratelimit-*, RFC 3339
 * times) and RFC 9110's Retry-After. What cannot be understood counts as not said. No I/O, no clock. */
#ifndef WEIR_HEAD_H
#define WEIR_HEAD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "rules/provider.h"

enum { HEAD_BYTES_MAX = 64 * 1024, HEAD_LIMITS = 6 };

/* One limit under the name a provider gives it; members < 0: not said. */
struct head_limit {
    int64_t limit;                   /* 0: said to be unknown, so what is said beside it means nothing */
    int64_t remaining, reset_us;
};

struct provider_head {
    int status;                      /* 0: none yet */
    bool event_stream;               /* Content-Type: text/event-stream */
    int64_t retry_after_us;          /* -1: not said; never more than a day */
    char request_id[64];             /* the provider's own, printable; "" if it gave none */
    struct head_limit said[HEAD_LIMITS];
    struct provider_word word;       /* the strictest of them for each dimension */
    bool has_word;                   /* at least one member of it was said */
    size_t bytes;                    /* of all header lines so far */
};

/* Begin anew, also for the head that follows an interim (1xx) one. */
void head_init(struct provider_head *h);
/* Take one line, status line included, with or without its end. `utc_ms` is now, for dates.
 * False once the head is larger than HEAD_BYTES_MAX. */
bool head_line(struct provider_head *h, const char *line, size_t n, int64_t utc_ms) __attribute__((warn_unused_result));

/* A wait in microseconds as providers write it: "1.742s", "6m0s", "120ms", "37"; -1 if it is none. */
int64_t head_duration_us(const char *s, size_t n);

#endif
