/* plan.h - what a model's name asks the stand-in to do. Pure.
 *
 *   echo                        the last user message again (so do the names of real models, also as openai/…)
 *   lorem-N                     N tokens at once
 *   slow-FIRST-GAP-N            N tokens: the first after FIRST ms, then one every GAP ms
 *   chunks-N-RATE               N tokens, RATE a second, each "@<send time in us> "
 *   deaf-GAP-N                  N tokens, one every GAP ms, whatever max_tokens says
 *   think-R-N                   R reasoning tokens, then N
 *   tool, filter, no-done, crlf, drip     a tool call; finish_reason content_filter; a stream
 *                               without [DONE]; CRLF and comments; seven bytes a millisecond
 *   fault-STATUS[-once|-twice]  that HTTP status (400 … 529), for the first call(s) of a message or always
 *   fault-429-date|ms|bare|absurd|negative   the spellings of Retry-After
 *   fault-quota, fault-too-large             the 429s that no retry helps
 *   fault-hang[-N], fault-cut-N, fault-reset-N, fault-end-N   silence after N tokens; the
 *                               connection closed, reset or the body ended after N bytes
 *   fault-event-STATUS-N[-once] a stream that after N tokens has an error event of that meaning (402: quota)
 *   fault-json, -html, -empty, -redirect, -200-error, -mid-error, -huge-line, -huge-header
 *   fault-usage-missing|null|string|negative|huge|fraction|twice|less|more
 *   usage-cost                  usage that says what it cost: $1.23456789012e-3
 *   cache-READ-5M-1H            the message again; of its prompt so many tokens were read from the cache, and written to it
 *   tier-NAME                   that service_tier in the answer
 *
 * A user message may carry the name instead, as its first word: "#slow-50-10-8 hello". */
#ifndef WEIR_TESTS_PLAN_H
#define WEIR_TESTS_PLAN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum plan_text { TEXT_ECHO, TEXT_LOREM, TEXT_STAMP };

enum plan_break { BREAK_NONE, BREAK_CUT, BREAK_RESET, BREAK_END };    /* what follows `break_at` bytes of body */

enum plan_odd {
    ODD_NONE, ODD_TOOL, ODD_FILTER, ODD_NO_DONE, ODD_CRLF, ODD_DRIP,
    ODD_JSON, ODD_HTML, ODD_EMPTY, ODD_REDIRECT, ODD_200_ERROR, ODD_MID_ERROR, ODD_HUGE_LINE, ODD_HUGE_HEADER
};

enum plan_usage {
    USAGE_RIGHT, USAGE_MISSING, USAGE_NULL, USAGE_STRING, USAGE_NEGATIVE, USAGE_HUGE, USAGE_FRACTION, USAGE_TWICE,
    USAGE_LESS, USAGE_MORE, USAGE_COST
};

enum plan_after { AFTER_SECONDS, AFTER_DATE, AFTER_MS, AFTER_BARE, AFTER_ABSURD, AFTER_NEGATIVE };

struct plan {
    enum plan_text text;
    enum plan_odd odd;
    enum plan_usage usage;
    enum plan_break brk;
    int64_t break_at;            /* bytes */
    int64_t tokens;              /* visible tokens; TEXT_ECHO: as many as the message has */
    int64_t reasoning;           /* tokens before them */
    int64_t first_us, gap_us;    /* 0, 0: all at once */
    bool deaf;                   /* to max_tokens */
    int64_t hang_after;          /* tokens after which nothing more comes, or -1 */
    int64_t cache_read, cache_5m, cache_1h;      /* prompt tokens; beside what the message has */
    char tier[12];               /* service_tier */
    int status;                  /* 200, or the refusal */
    enum plan_after after;       /* how a 429 says when */
    bool quota, too_large;       /* which 429 */
    int event_status;            /* a stream ends with such an error after event_after tokens; 0: it does not */
    int64_t event_after;
    int refusals;                /* how many calls of one message are refused, or have the event; 0 = all */
};

/* The plan of a name of `n` bytes. False: no such model. */
bool plan_parse(const char *name, size_t n, struct plan *out);
/* The names GET /v1/models lists, NULL-terminated. */
extern const char *const plan_models[];

#endif
