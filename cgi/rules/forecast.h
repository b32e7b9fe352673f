/* forecast.h - who will start when: the rules themselves, run ahead on a copy.
 *
 * A forecast copies the state (a few memcpy), lets calls end when they are
 * expected to and others arrive as they did lately, and picks as the truth
 * would, until none of those who wait now waits. While that is cheap it is done
 * for several futures, and the lower quarter of the starts is told. Items that came
 * after the last run are placed by the last run's spacing until the next. */
#ifndef WEIR_FORECAST_H
#define WEIR_FORECAST_H

#include <stdbool.h>
#include <stdint.h>

#include "rules/arrivals.h"
#include "rules/pick.h"

struct forecast_place {
    uint64_t age;              /* of the item this is about */
    uint64_t run;              /* of the forecast it belongs to */
    int64_t start_us;          /* expected start; FORECAST_NEVER */
    int64_t position;          /* 1-based, at its upstream */
    int upstream;
    bool guessed;              /* it came after the last run */
};

#define FORECAST_NEVER INT64_MAX

enum { FORECAST_FUTURES = 8 };

struct forecast {
    struct pick ahead;         /* the copy */
    struct heap ends;          /* calls under way in the copy */
    struct forecast_place *place;       /* by item */
    uint32_t *order;           /* items by expected start */
    int64_t (*starts)[FORECAST_FUTURES];  /* by item */
    uint32_t cap, count;
    uint32_t left;             /* of those who wait in truth, not yet started in the copy */
    int64_t at_us;             /* when it was made */
    uint64_t run;              /* counts them */
    int64_t cost;              /* of the last: items copied and instants looked at, each about half a microsecond */
    struct {
        int64_t *start_us;     /* of the n-th to start there */
        uint32_t n, cap;
    } upstream[PICK_UPSTREAMS];
};

/* For a pick of this many groups. */
void forecast_init(struct forecast *f, uint32_t groups);
void forecast_done(struct forecast *f);
/* `like`: what arrivals to expect; at most queue_max wait at a time. */
void forecast_run(struct forecast *f, const struct pick *p, const struct arrivals *like, int64_t queue_max, int64_t now_us);
/* Is there a place of this item in the last run, or an estimate made since? */
bool forecast_knows(const struct forecast *f, const struct pick *p, uint32_t item);
/* The place of a waiting item: from the last run, or estimated if it came later. */
struct forecast_place forecast_of(struct forecast *f, const struct pick *p, uint32_t item, int64_t now_us);

#endif
