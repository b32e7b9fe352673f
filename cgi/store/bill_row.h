/* bill_row.h - a row of a bill while its members come in, by the names that
 * providers have for them. Internal to bill*.c. */
#ifndef WEIR_BILL_ROW_H
#define WEIR_BILL_ROW_H

#include "store/bill.h"

/* What a column, or a member, is. */
enum bill_member {
    MEMBER_NONE,                         /* nothing of ours */
    MEMBER_DAY, MEMBER_END, MEMBER_MODEL, MEMBER_ITEM, MEMBER_CURRENCY,
    MEMBER_REQUESTS, MEMBER_INPUT, MEMBER_FRESH, MEMBER_CACHED, MEMBER_CACHED_APART, MEMBER_WRITTEN_APART, MEMBER_OUTPUT,
    MEMBER_COST, MEMBERS
};
/* Case, blanks and dashes do not count. *provider is set where only one calls it so. */
enum bill_member bill_member(const char *name, size_t n, enum bill_provider *provider);

struct bill_reader {
    struct bill *bill;
    const struct zone *zone;
    const char *name;                    /* of the file */
    struct sb *why;
    int64_t faults;
    /* the row under way */
    char where[80];                      /* "line 7" */
    bool seen[MEMBERS];
    int64_t number[MEMBERS];             /* tokens, requests, picodollars; UTC milliseconds of MEMBER_END */
    int64_t day, begins_ms;              /* begins_ms < 0: a day was given, not a moment */
    char model[BILL_MODEL_SIZE], item[BILL_MODEL_SIZE];
    bool cents;                          /* money is in cents */
};

__attribute__((format(printf, 2, 3))) void bill_fault(struct bill_reader *r, const char *fmt, ...);
void bill_begin(struct bill_reader *r);
/* One member as text; "" is as good as none. */
void bill_take(struct bill_reader *r, enum bill_member m, const char *name, const char *text);
/* The row is complete. */
void bill_end(struct bill_reader *r);

void bill_read_csv(struct bill_reader *r, const char *text, size_t n);
void bill_read_json(struct bill_reader *r, const char *text, size_t n);

#endif
