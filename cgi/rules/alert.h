/* alert.h - when is something worth telling, and when is it over?
 *
 * A round is given what is the case now (signals) and says what opens and what
 * resolves. A signal that fires has to do so for a while before it opens; an open
 * one resolves once nothing has kept it open for ALERT_CALM_US, so that a value
 * which wavers about its threshold tells once. Acknowledging is a person's and
 * changes nothing here. Pure: no clock, no lock, no I/O. Times are monotonic
 * microseconds unless a name says otherwise. */
#ifndef WEIR_ALERT_H
#define WEIR_ALERT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Stored as numbers: the order is part of the database. In brackets the unit of value and threshold. */
enum alert_kind {
    ALERT_COST,            /* what a day, week or month has cost [picodollars] */
    ALERT_BUDGET,          /* a warn level of a budget was reached [picodollars] */
    ALERT_LIMIT_USE,       /* used and reserved of an upstream's fullest limit [millionths] */
    ALERT_ERROR_RATE,      /* failed of the requests of the last quarter of an hour [millionths] */
    ALERT_QUEUE_WAIT,      /* the longest wait of those in line [milliseconds] */
    ALERT_STORAGE,         /* the database cannot be written [none] */
    ALERT_UPSTREAM_DOWN,   /* an upstream was taken out: key refused, quota gone [none] */
    ALERT_LEDGER_CHECK,    /* the ledger does not add up, or is not as it was written [findings] */
    ALERT_ANOMALY,         /* the newest hour or day lies outside its band [thousandths of a robust standard deviation] */
    ALERT_USAGE_SUSPECT,   /* an upstream told implausible usage in the last quarter of an hour [requests] */
    ALERT_KINDS
};
const char *alert_kind_name(enum alert_kind k);                     /* "cost" … */
bool alert_kind_parse(const char *s, enum alert_kind *out);

#define ALERT_CALM_US (INT64_C(60) * 1000000)
enum { ALERT_KEY_SIZE = 192, ALERTS_MAX = 1000 };                   /* open or about to open at once */

/* What tells one alert from another. */
struct alert_id {
    int64_t rule;
    char key[ALERT_KEY_SIZE];
    int64_t window_ms;
    int32_t level;
};

struct alert_signal {
    struct alert_id id;
    int64_t value, threshold;
    bool firing;                 /* false: too little to open one, enough to keep one open */
    int64_t for_us;              /* how long it must fire */
};

struct alert_change {
    struct alert_id id;
    bool opens;                  /* else it resolves */
    int64_t value, threshold;
};

struct alert_book;

struct alert_book *alert_book_new(void);
void alert_book_free(struct alert_book *b);          /* NULL is fine */
/* One that is open since before this book was made. */
void alert_book_open(struct alert_book *b, const struct alert_id *id, int64_t now_us);
/* Look at all signals of now (each id once). Gives up to `max` changes, which the caller writes down and then confirms with
 * alert_confirm(); one that is not confirmed comes again in the next round. */
size_t alert_round(struct alert_book *b, const struct alert_signal *signal, size_t n, int64_t now_us, struct alert_change *out,
                   size_t max);
void alert_confirm(struct alert_book *b, const struct alert_change *c);
/* How many are open. */
size_t alert_book_count(const struct alert_book *b);

#endif
