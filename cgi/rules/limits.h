/* limits.h - may one account at one provider take one more call now?
 *
 * Six dimensions, each with two gates: a token bucket for pace and burst, a
 * sliding window for the promise. A call passes when all gates of all
 * dimensions agree, in one step; looking changes nothing. Upstreams of one
 * quota group share one of these. Amounts are estimates until settled. What is
 * used is counted in every dimension, limited or not, so that a limit that is set
 * while calls run knows of them.
 *
 * Output that is set aside counts in a window only from when it can come: a call
 * passes if at no moment from now on what is left of the window's use, what the
 * streams under way can have produced by then, the call's input and what it can
 * have produced itself pass the limit. Streams produce what is set aside for them,
 * at the speed of the fast ones lately; one that told nothing yet may have produced
 * all of it. A bucket gives all at once, as it sets the pace of starts.
 *
 * With spread_low a third gate holds Low back as far as the High and Medium that
 * are expected (outlook.h) would find no room otherwise.
 *
 * Times are monotonic microseconds. Call limits_tick() before asking. */
#ifndef WEIR_LIMITS_H
#define WEIR_LIMITS_H

#include <stdbool.h>
#include <stdint.h>

#include "rules/bucket.h"
#include "rules/gate.h"
#include "rules/outlook.h"
#include "rules/stabilize.h"
#include "rules/window.h"

/* Limits above this are held to it; it is 10^9 a window. */
#define LIMITS_MAX BUCKET_MAX
/* No time by itself helps: a running call must end first. */
#define LIMITS_NOT_BY_TIME INT64_MAX

struct limits_config {
    int64_t limit[DIM_COUNT];     /* 0: unlimited */
    int64_t burst_requests;       /* capacity of the minute's bucket; 0: a sixth of the limit. The hour's has a sixth. */
    int64_t burst_tokens;         /* the same; those of input and output alone in proportion */
    int64_t pause_us;             /* least time between two calls */
    int32_t safety_ppm;           /* share never used */
    int32_t reserve_ppm;          /* share for High only, lent while no High asks */
    bool spread_low;              /* Low finds room beyond the High and Medium that are expected */
};

/* However much is expected, one Low may start after so long: as long as PICK_OVERDUE_US. */
#define LIMITS_LOW_LEAST_US (INT64_C(30) * 1000000)

/* Room that Low leaves to the High and Medium to come. */
struct limits_spread {
    bool on;
    bool holds;                   /* what is expected and waits would pass what the limits give */
    int64_t look_us;              /* when to reckon again */
    int64_t started_us;           /* a Low started last */
    int64_t bucket_keep[DIM_COUNT], window_keep[DIM_COUNT];      /* tokens or requests */
    struct outlook_plan plan;
};

struct limits_dim {
    int64_t limit;                /* as configured; 0: unlimited, and but for held, open and window the rest is unused */
    int64_t ceiling;              /* limit, or what the provider said if that is less, without the safety margin */
    int64_t allowed;              /* ceiling while not stabilizing */
    int64_t burst;
    int64_t room, room_low;       /* of the window, with the reserve and without it */
    int64_t keep;                 /* the reserve of the bucket, in its parts */
    int64_t held;                 /* output set aside and not yet produced; counts in the window */
    int64_t open;                 /* part of held and window that belongs to calls under way */
    int64_t told_limit, told_remaining;   /* the provider's headers; -1: never, or forgotten */
    int64_t told_us;              /* when it last said the limit */
    bool told_longer;             /* they are about a longer span than this: shown only */
    struct stabilize stab;
    struct bucket bucket;
    struct window window;
};

struct limits {
    int64_t now_us;
    int64_t cooldown_us;          /* nothing is sent before it */
    int64_t last_start_us;
    int64_t high_seen_us;         /* a High asked */
    int64_t pause_us;
    int64_t next_step_us;         /* a rate changes by itself */
    struct {
        int64_t told, untold;     /* calls whose output counts as it is produced: some of it was told; nothing yet */
        int64_t untold_output;    /* set aside for the latter */
    } streams;
    int64_t speed;                /* tokens a second of a stream: those of the fast lately; 0: unknown */
    struct {
        int64_t took_ms, tokens_ms;      /* of calls lately: how long they ran, and that times the tokens told at the end only */
    } hidden;
    int64_t surprise;             /* tokens told at once beyond what was reckoned with: the most lately */
    int32_t safety_ppm, reserve_ppm;
    int64_t most_input, most_output, most_total;   /* of one call: the least ceilings */
    struct limits_spread spread;
    struct limits_dim dim[DIM_COUNT];
};

/* A call that starts now reaches its provider within this time; until then those under way go on producing. Of so many at
 * most: of more, some have told just now. */
#define LIMITS_AHEAD_US (INT64_C(700) * 1000)
enum { LIMITS_AHEAD_MOST = 8 };

enum limits_who {
    LIMITS_USUAL,
    LIMITS_HIGH,                  /* may use the reserve */
    LIMITS_LOW                    /* leaves room to those expected */
};

/* What a call needs. */
struct limits_need {
    int64_t input, output;        /* tokens, >= 0 */
    enum limits_who who;
    bool output_at_start;         /* the provider counts it when the call begins, not as it is produced */
};

/* What a call that passed has set aside; the caller keeps it until limits_settle() or limits_release(). */
struct limits_hold {
    int64_t at_us;
    int64_t input, output;
    int64_t produced;             /* of output: already counted as used; … */
    int64_t produced_us;          /* … so far last told then */
    bool output_at_start;         /* the provider counts it when the call begins, not as it is produced */
    bool told;                    /* something was produced */
};

void limits_init(struct limits *l, const struct limits_config *c, int64_t now_us);
/* The configuration is another one from now on. Whatever was used, is set aside, is owed or was cut after a 429 stays;
 * where that is more than a lowered limit, nothing passes until it fits again. */
void limits_change(struct limits *l, const struct limits_config *c, int64_t now_us);
/* Bring everything up to now. A clock that steps back changes nothing. */
void limits_tick(struct limits *l, int64_t now_us);
/* A High asks: the reserve is taken back for a minute. */
void limits_high_asked(struct limits *l, int64_t now_us);

/* When something changes by itself that limits_wait_us() does not foresee: a rate, the lending of the reserve;
 * INT64_MAX: never. */
int64_t limits_change_us(const struct limits *l);
/* Could this call pass with nothing else under way, ever? */
bool limits_too_large(const struct limits *l, const struct limits_need *need);
/* `output` tokens, or fewer so that a call with this input is not too large for any limit; at least 1. */
int64_t limits_fit_output(const struct limits *l, int64_t input, int64_t output);
/* Microseconds after which the call could pass if nothing else happened; 0: now; LIMITS_NOT_BY_TIME.
 * *why is the gate that holds longest (untouched if 0). Pause and cooldown are not looked at. */
int64_t limits_wait_us(const struct limits *l, const struct limits_need *need, enum gate *why);
/* The same question without the wait: could it pass now? */
bool limits_fits(const struct limits *l, const struct limits_need *need);
/* Microseconds until pause and cooldown are over; *why says which. */
int64_t limits_closed_us(const struct limits *l, enum gate *why);
/* Set aside. Only right after limits_wait_us() said 0. */
struct limits_hold limits_take(struct limits *l, const struct limits_need *need);
/* A call that was sent before a restart runs on: it is settled like any other, and counts as a part of what was used. */
struct limits_hold limits_resume(struct limits *l, int64_t input, int64_t output);
/* How much another call may take now without making `need` wait longer than wait_us. */
void limits_slack(const struct limits *l, const struct limits_need *need, int64_t wait_us, int64_t slack[DIM_COUNT]);
bool limits_within(const struct limits *l, const struct limits_need *need, const int64_t slack[DIM_COUNT]);
/* What is expected from now on. */
void limits_expect(struct limits *l, const struct outlook_plan *plan);
/* Is it time to reckon how much Low is to leave? If so, tell what waits here of each class. */
bool limits_spread_due(const struct limits *l);
void limits_spread(struct limits *l, const struct outlook_amount waiting[OUTLOOK_CLASSES]);
/* A Low starts. */
void limits_low_started(struct limits *l);
/* The smallest share of any limit that is free, millionths; a million if nothing is limited. */
int64_t limits_headroom_ppm(const struct limits *l);

/* `output` tokens were produced so far. Beyond what was set aside, `reserve` (>= output) is set aside now, into debt
 * if need be. */
void limits_produced(struct limits *l, struct limits_hold *h, int64_t output, int64_t reserve);
/* The call ended having used this much. Where the provider counts output at the start, it keeps what was not used. */
void limits_settle(struct limits *l, const struct limits_hold *h, int64_t input, int64_t output);
/* The provider took none of its tokens: it refused the call, which then counts as a request, or was never reached. */
void limits_release(struct limits *l, const struct limits_hold *h, bool reached);

/* The provider refused a call that began at began_us. DIM_COUNT: it did not say by which limit; then whichever is
 * fullest is meant. */
void limits_refused(struct limits *l, enum dim d, int64_t began_us, int64_t period_us);
/* Nothing is sent before until_us. */
void limits_cool(struct limits *l, int64_t until_us);
/* A limit that a provider said is believed for so long: it may have been raised since, and where what is asked for is refused as
 * too large, no answer would ever say so. */
#define LIMITS_TOLD_US (INT64_C(86400) * 1000000)
/* What the provider said about one dimension; < 0: nothing. Only ever makes things stricter. A reset_us longer than the
 * window means it spoke of another span (requests a day): that is only shown. Returns the tokens or requests it counts
 * that we did not. */
int64_t limits_told(struct limits *l, enum dim d, int64_t limit, int64_t remaining, int64_t reset_us);
/* How long ago that was sent, at the least: when a limit is whole again (reset_us, < 0: not said), all that its provider
 * counts now is forgotten. */
int64_t limits_told_age_us(enum dim d, int64_t reset_us);
/* Smallest share of a limit in use after 429s; a million: not stabilizing. *until_us is when it ends. */
int32_t limits_rate_ppm(const struct limits *l, int64_t *until_us);
/* After a restart, once window and stabilization of a dimension are back: set its bucket as it was gone_us ago. */
void limits_restore(struct limits *l, enum dim d, int64_t level, int64_t gone_us);
/* Weir was killed, and nothing is known of the last span_us: count as much as could have been sent in it, which is no more than was
 * left by these limits, and a second's worth that was on its way. */
void limits_assume(struct limits *l, int64_t span_us);
/* Forget use, debts, 429s and cooldown; what is set aside stays. */
void limits_reset(struct limits *l);

#endif
