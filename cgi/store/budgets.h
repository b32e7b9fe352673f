/* budgets.h - the budgets that were set, and what their windows have spent
 * according to the records.
 *
 * Some were set at /admin/budgets and are rows of the table; the others stand in
 * the configuration file and nowhere else. Rows are written by the writer's
 * thread; a removed budget's row stays, since refusals name it. */
#ifndef WEIR_BUDGETS_H
#define WEIR_BUDGETS_H

#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "base/settings.h"
#include "rules/budget.h"
#include "store/db.h"
#include "store/zone.h"

enum { BUDGETS_MAX = 1000 };          /* in force at once */

struct budget_row {
    struct budget_rule rule;
    char tz[ZONE_NAME_SIZE];
    int64_t created_ms;
    bool from_file;                   /* then created_ms is 0 */
};

/* One of the configuration's budgets. Its id is made of scope, key, each and window: it stays the same over restarts. */
void budgets_from_file(const struct budget_settings *b, struct budget_row *out);
/* Can the configuration's budgets be kept? False with a sentence in `why`: there is no such time zone. */
bool budgets_check(const struct settings *s, struct sb *why) __attribute__((warn_unused_result));

/* Writer only. E_CONFLICT: BUDGETS_MAX are in force. */
enum weir_err budgets_add(struct db *db, const struct budget_row *r) __attribute__((warn_unused_result));
/* Writer only. Limit and warn levels of `r` replace those of the budget with its id. E_NOT_FOUND: none in force has it. */
enum weir_err budgets_change(struct db *db, const struct budget_row *r) __attribute__((warn_unused_result));
/* Writer only. E_NOT_FOUND as above. */
enum weir_err budgets_remove(struct db *db, const char *budget_id, int64_t now_ms) __attribute__((warn_unused_result));
/* One that is in the table and in force. Any connection. */
enum weir_err budgets_find(struct db *db, const char *budget_id, struct budget_row *out) __attribute__((warn_unused_result));
/* Is there such a user, session or token? True for the other scopes. Any connection. */
enum weir_err budgets_key_exists(struct db *db, enum budget_scope scope, const char *key, bool *exists)
    __attribute__((warn_unused_result));

/* Does one in force, of the table or of the configuration, count this token by itself? Any connection. */
enum weir_err budgets_count_token(struct db *db, const struct settings *s, const char *token_id, bool *count)
    __attribute__((warn_unused_result));

/* What one key has spent of one budget's window. */
struct budget_sum {
    size_t row;
    int64_t at_ms;                    /* a moment of the window */
    char key[BUDGET_KEY_SIZE];        /* "" unless the budget has `each` */
    int64_t spent;                    /* the recorded cost */
    int64_t lost;                     /* what calls that a crash interrupted may have cost beyond their estimate, … */
    int64_t lost_until_ms;            /* … and how long that is held */
};

/* All budgets in force, those of the table in the order they were set, then the file's, and what their windows have spent: the ones that at_ms lies in and
 * those before, in which calls may still be under way. */
struct budget_set {
    struct budget_row *row;
    struct zone *zone;                /* of each row */
    size_t rows;
    struct budget_sum *sum;
    size_t sums;
    int64_t at_ms;
};

/* Read the rows alone, with those of `s` (NULL: none); `sums` stays 0. Any connection. Failure and freeing as below. */
enum weir_err budgets_list(struct db *db, const struct settings *s, struct budget_set *out) __attribute__((warn_unused_result));
/* Read them and what they have spent by now. Sees everything this connection has written, also in the open
 * transaction, which fails with nothing but E_STORAGE. Writer only. On failure *out is empty; the caller frees it with
 * budget_set_done() in every case. */
enum weir_err budgets_load(struct db *db, const struct settings *s, int64_t now_ms, struct budget_set *out) __attribute__((warn_unused_result));
void budget_set_done(struct budget_set *s);

/* Compare what each budget's window of now has spent with the cost of its events, in the caller's read transaction; those
 * whose window begins before from_ms (0: none) are left out. `differs` hears of each key that does; *compared is added to. */
typedef void budget_differs_fn(void *ctx, const struct budget_row *r, const char *key, int64_t spent, int64_t events);
enum weir_err budgets_compare(struct db *ro, const struct settings *s, int64_t now_ms, int64_t from_ms, int64_t *compared,
                              budget_differs_fn *differs, void *ctx) __attribute__((warn_unused_result));

#endif
