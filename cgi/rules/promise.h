/* promise.h - how well past forecasts of a start came true. */
#ifndef WEIR_PROMISE_H
#define WEIR_PROMISE_H

#include <stdbool.h>
#include <stdint.h>

enum { PROMISE_RECENT = 256 };

/* A promise is kept if it was off by at most this, or by a fifth of the wait told. */
#define PROMISE_CLOSE_US (INT64_C(2) * 1000000)

static inline bool promise_close(int64_t error_us, int64_t wait_us)
{
    return error_us <= PROMISE_CLOSE_US || error_us * 5 <= wait_us;
}

struct promise {
    int64_t made, kept;
    int64_t error_us[PROMISE_RECENT];      /* of the last ones, a ring */
    int64_t median_us;                     /* of those */
    int64_t part[PROMISE_RECENT];          /* the same errors as thousandths of the wait told and PROMISE_CLOSE_US */
    int64_t usual_part;                    /* more than four of five were no larger */
};

/* At told_us a start at promised_us was told; it came at began_us. Each is judged once. */
void promise_judge(struct promise *p, int64_t told_us, int64_t promised_us, int64_t began_us);
/* It had not come by now_us, and will not: missed if the time told is past, by as much as is known. Else nobody can say. */
void promise_broken(struct promise *p, int64_t told_us, int64_t promised_us, int64_t now_us);
/* Four of five who are told such a wait start within this of it, if errors go on as they were; 0 while nobody knows. */
int64_t promise_within_us(const struct promise *p, int64_t wait_us);

#endif
