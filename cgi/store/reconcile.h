/* reconcile.h - a provider's bill beside the ledger, by day and model, and what
 * the ledger knows of a gap between the two.
 *
 * Weir's side is its attempts: each call that reached the provider and was
 * charged, on the day it was sent. A model's dated snapshot is the model. Days
 * whose single requests retention has taken out are told from the roll-ups.
 * Read-only; any thread's connection. */
#ifndef WEIR_RECONCILE_H
#define WEIR_RECONCILE_H

#include "base/err.h"
#include "base/settings.h"
#include "rules/price.h"
#include "store/bill.h"
#include "store/db.h"

struct reconcile_setup {
    struct db *ro;
    const struct bill *bill;
    const struct zone *zone;             /* the bill's */
    const struct settings *settings;
    const struct price_table *prices;    /* for other names of a model */
    const struct cfg_list *upstreams;    /* those that the bill is for; empty: those of its provider, or all where that is not known */
    int64_t tolerance_ppm;               /* a gap of so many millionths of the larger side is none */
};

struct reconcile;

/* E_STORAGE: the ledger cannot be read; *out is NULL. All in `s` is borrowed until reconcile_free(). */
enum weir_err reconcile_new(const struct reconcile_setup *s, struct reconcile **out) __attribute__((warn_unused_result));
void reconcile_free(struct reconcile *r);                     /* NULL is fine */
/* Is every day and model within the tolerance? */
bool reconcile_agrees(const struct reconcile *r);
/* {agrees, tz, tolerance, first_day, last_day, upstreams, more_pages, rows: [{day, model, provider, weir, gap, within, why:
 * [{kind, calls, tokens, text}]}], total}; a figure the bill does not have is null. */
void reconcile_json(const struct reconcile *r, struct sb *out);
/* The same as a table for people. */
void reconcile_print(const struct reconcile *r, struct sb *out);

#endif
