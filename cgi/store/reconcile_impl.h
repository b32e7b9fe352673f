/* reconcile_impl.h - what reconcile.c finds and reconcile_told.c tells. */
#ifndef WEIR_RECONCILE_IMPL_H
#define WEIR_RECONCILE_IMPL_H

#include "store/reconcile.h"

/* What the ledger knows of calls that may be counted otherwise elsewhere. */
enum reconcile_fact { FACT_ESTIMATED, FACT_INTERRUPTED, FACT_SUSPECT, FACT_DAY_EDGE, FACT_UNPRICED, FACT_IMPORTED, FACTS };

struct reconcile_day {
    bool met;                            /* one of both sides has something */
    int64_t bill[BILL_PARTS], weir[BILL_PARTS];
    struct {
        int64_t calls, tokens;
    } fact[FACTS];
};

struct reconcile_model {
    char name[BILL_MODEL_SIZE];          /* both sides' */
    char billed[BILL_MODEL_SIZE];        /* the provider's other name for it, "" if it has none */
    struct reconcile_day *day;           /* of the whole range */
};

struct reconcile {
    struct reconcile_setup s;
    int64_t days;
    struct reconcile_model *model;       /* by name */
    size_t n;
    bool unnamed;                        /* the bill says no models: all of Weir's are one */
    int64_t kept_from_ms;                /* single requests from then on; 0: all */
};

/* Is this bill for the upstream of this name? */
bool reconcile_counts(const struct reconcile *r, const char *upstream);
/* Input and output. */
int64_t reconcile_tokens(const int64_t part[BILL_PARTS]);
bool reconcile_within(const struct reconcile *r, const struct reconcile_day *d);

#endif
