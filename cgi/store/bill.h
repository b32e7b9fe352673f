/* bill.h - what a provider says was used: the files it exports, as rows by day
 * and model.
 *
 * Understood are OpenAI's exports of usage and costs (CSV) and the answers of its
 * organization usage and costs endpoints, Anthropic's usage and cost reports
 * (JSON and CSV), and any CSV whose header has a day, a model and tokens or a
 * cost. Several pages may follow one another in a file. A row that cannot be
 * read is named, and then nothing of the file counts. One thread at a time. */
#ifndef WEIR_BILL_H
#define WEIR_BILL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/sb.h"
#include "store/zone.h"

enum { BILL_MODEL_SIZE = 201, BILL_DAYS_MAX = 3660 };

/* What a row may say. Input is all of it, cached and written to a cache included; cost is picodollars. */
enum bill_part { BILL_REQUESTS, BILL_INPUT, BILL_CACHED, BILL_OUTPUT, BILL_COST, BILL_PARTS };

struct bill_row {
    int64_t day;                         /* in the zone of bill_read(), since 1970-01-01 */
    char model[BILL_MODEL_SIZE];         /* as the provider calls it; "" where it does not say */
    int64_t part[BILL_PARTS];            /* 0 where it is not said */
};

/* Whose words a file uses. */
enum bill_provider { BILL_ANY, BILL_OPENAI, BILL_ANTHROPIC };

/* Zeroed at the beginning. */
struct bill {
    struct bill_row *row;                /* in the order they were met; a day and model may be there several times */
    size_t n;
    bool says[BILL_PARTS];               /* some row did */
    int64_t first_day, last_day;         /* of the files, days without traffic included; both 0: none yet */
    enum bill_provider provider;         /* of the last file that told */
    bool more_pages;                     /* a file says that there is more than it has */
};

/* Add the text of one file; `name` is for messages. False, with a line for each bad row (the first 20) appended to `why`. */
bool bill_read(struct bill *b, const char *name, const char *text, size_t n, const struct zone *zone, struct sb *why)
    __attribute__((warn_unused_result));
void bill_done(struct bill *b);

#endif
