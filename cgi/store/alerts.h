/* alerts.h - the rules of alerts, and every alert from its opening to its
 * resolution.
 *
 * A change of an alert and what goes out about it to webhooks are written in one
 * transaction. Functions that take `db` are the writer's, those with `ro` any
 * connection's. */
#ifndef WEIR_ALERTS_H
#define WEIR_ALERTS_H

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "base/rand.h"
#include "base/sb.h"
#include "rules/alert.h"
#include "rules/budget.h"
#include "store/db.h"
#include "store/zone.h"

enum { ALERT_RULES_MAX = 200 };

struct alert_rule {
    char id[RAND_ID_SIZE];
    int64_t row;                       /* alert_id.rule; 0: not stored yet */
    enum alert_kind kind;
    enum budget_scope scope;           /* of a cost: whose */
    char key[BUDGET_KEY_SIZE];
    enum budget_window window;         /* of a cost */
    char tz[ZONE_NAME_SIZE];
    int64_t threshold;                 /* in the unit of the kind */
    int64_t for_ms;                    /* opens when it has held so long */
    int64_t least;                     /* of an error rate: requests in the quarter of an hour before it means something */
    bool enabled;
    int64_t created_ms;
};

struct alert_rules {
    struct alert_rule *rule;
    size_t n;
};

/* --- rules --- */

/* All that were not removed, by age. Freed with alert_rules_done() in every case. */
enum weir_err alert_rules_list(struct db *ro, struct alert_rules *out) __attribute__((warn_unused_result));
void alert_rules_done(struct alert_rules *r);
enum weir_err alert_rules_find(struct db *ro, const char *rule_id, struct alert_rule *out) __attribute__((warn_unused_result));
/* E_CONFLICT: there are ALERT_RULES_MAX. */
enum weir_err alert_rules_add(struct db *db, const struct alert_rule *r) __attribute__((warn_unused_result));
/* Threshold, for_ms, least and enabled of `r` replace those of the rule with its id. E_NOT_FOUND: there is none. */
enum weir_err alert_rules_change(struct db *db, const struct alert_rule *r) __attribute__((warn_unused_result));
enum weir_err alert_rules_remove(struct db *db, const char *rule_id, int64_t now_ms) __attribute__((warn_unused_result));
/* The members of one rule as JSON. */
void alert_rule_json(const struct alert_rule *r, struct sb *out);

/* --- alerts --- */

/* Visit what is not resolved, for alert_book_open(). */
enum weir_err alerts_unresolved(struct db *ro, void (*visit)(void *ctx, const struct alert_id *id), void *ctx)
    __attribute__((warn_unused_result));
/* An alert opens; `text` is a sentence for people. Gives its id. */
enum weir_err alerts_open(struct db *db, const struct alert_rule *r, const struct alert_change *c, const char *text, int64_t now_ms,
                          char alert_id[RAND_ID_SIZE]) __attribute__((warn_unused_result));
/* It resolves. One that is not open is left alone: alert_id is then "". */
enum weir_err alerts_resolve(struct db *db, const struct alert_id *id, int64_t now_ms, char alert_id[RAND_ID_SIZE])
    __attribute__((warn_unused_result));
/* Somebody has seen it. E_NOT_FOUND: no such alert. Acknowledged or resolved already: nothing changes. */
enum weir_err alerts_acknowledge(struct db *db, const char *alert_id, const char *user_id, int64_t now_ms)
    __attribute__((warn_unused_result));
/* One alert as JSON; also what webhooks are sent as `data`. */
enum weir_err alerts_one_json(struct db *ro, const char *alert_id, struct sb *out) __attribute__((warn_unused_result));
/* A page of them, newest first; `state` "open", "acknowledged", "resolved", or NULL for all. */
enum weir_err alerts_json(struct db *ro, const char *state, const char *cursor, int64_t limit, struct sb *out)
    __attribute__((warn_unused_result));
/* A list of those not resolved, at most `limit`, those nobody has acknowledged first. */
enum weir_err alerts_live_json(struct db *ro, int64_t limit, struct sb *out) __attribute__((warn_unused_result));
/* Changes whenever an alert does: for ETags. */
int64_t alerts_version(struct db *ro);

/* --- what rules are judged by --- */

/* Requests of the last quarter of an hour that ended, and those of them that failed: errors and time-outs. */
enum weir_err alerts_recent(struct db *ro, int64_t now_ms, int64_t *requests, int64_t *failed) __attribute__((warn_unused_result));
/* Upstreams that told implausible usage in the last quarter of an hour, and for how many requests. */
enum { ALERTS_SUSPECT_MAX = 32 };
struct alerts_suspect {
    char upstream[ALERT_KEY_SIZE];
    int64_t requests;
};
enum weir_err alerts_suspect(struct db *ro, int64_t now_ms, struct alerts_suspect out[ALERTS_SUSPECT_MAX], size_t *n)
    __attribute__((warn_unused_result));
/* What the calls that the rule counts have cost since from_ms (a quarter of an hour's beginning). */
enum weir_err alerts_cost(struct db *ro, const struct alert_rule *r, int64_t from_ms, int64_t *cost)
    __attribute__((warn_unused_result));

#endif
