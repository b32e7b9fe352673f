/* report_list.h - {key, requests, prompt_tokens, …} and lists of it, ordered by
 * cost. Internal to store/. */
#ifndef WEIR_REPORT_LIST_H
#define WEIR_REPORT_LIST_H

#include <stddef.h>
#include <stdint.h>

#include "base/sb.h"
#include "rules/idmap.h"
#include "store/report_scan.h"

struct report_entry {
    int64_t key;                 /* a number to be named; 0 = null */
    struct report_sums sums;
};
struct report_list {
    struct report_entry *entry;  /* one for each key */
    size_t count, cap;
    struct idmap at;             /* where a key's entry is */
};

/* Which dimension a list is by. */
enum report_by { BY_MODEL, BY_UPSTREAM, BY_USER, BY_ENDPOINT, BY_PRIORITY, BY_SESSION };

/* Add to the entry of this key, made if new. */
void report_list_add(struct report_list *l, int64_t key, const struct report_sums *s);
/* Put a key that is not in the list in the place of another. */
void report_list_replace(struct report_list *l, size_t at, int64_t key, const struct report_sums *s);
/* The combinations of a scan, folded by one dimension. */
void report_list_fold(struct report_list *l, const struct report_scan *s, enum report_by by);
/* The dearest first; what is beyond `limit`, if anything, is added to the entry with key 0. Nothing is added after it. */
void report_list_order(struct report_list *l, int64_t limit);
/* A key's name as a JSON string; null for 0. */
enum weir_err report_name_json(struct db *ro, enum report_by by, int64_t key, struct sb *out);
/* [{key, …}] by cost, descending; what is beyond `limit` becomes one entry with key null. Reorders the list: nothing is
 * added after it. */
enum weir_err report_list_json(struct report_list *l, struct db *ro, enum report_by by, int64_t limit, struct sb *out);
void report_list_done(struct report_list *l);

/* "requests":…,"prompt_tokens":…,"completion_tokens":…,"total_tokens":…,"cost_usd":… ; the cost is null if all of
 * one or more requests had no price. */
void report_sums_json(struct sb *out, const struct report_sums *s);
/* ,"efficiency":{"chars_per_token":…} of a scan that has run; what was made elsewhere has tokens, but no text, and leaves its
 * combinations. */
void report_efficiency_json(struct report_scan *s, struct sb *out);

#endif
