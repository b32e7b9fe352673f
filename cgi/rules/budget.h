/* budget.h - may this be spent?
 *
 * A budget is a ledger: whose calls it counts (scope and key), over which
 * window of the calendar, up to what limit. What a call may cost at most is held
 * before it is sent, in every ledger that counts it or in none; when it ends the
 * hold is replaced by what it did cost. So spent + held never passes a limit, as
 * long as no call costs more than was held for it.
 *
 * A window is a function of time, and a call counts in the one it was admitted
 * in: nothing is ever reset. Pure: no clock, no lock, no I/O; the calendar is
 * the caller's. Times are UTC milliseconds, money is picodollars. */
#ifndef WEIR_BUDGET_H
#define WEIR_BUDGET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/rand.h"
#include "rules/price.h"

/* Stored as numbers: the order is part of the database. */
enum budget_scope { BUDGET_ALL, BUDGET_USER, BUDGET_SESSION, BUDGET_TOKEN, BUDGET_MODEL, BUDGET_SCOPES };
enum budget_window { BUDGET_DAY, BUDGET_WEEK, BUDGET_MONTH, BUDGET_TOTAL, BUDGET_WINDOWS };

const char *budget_scope_name(enum budget_scope s);     /* "all" … */
const char *budget_window_name(enum budget_window w);   /* "day" … */
bool budget_scope_parse(const char *s, enum budget_scope *out);
bool budget_window_parse(const char *s, enum budget_window *out);

enum { BUDGET_KEY_SIZE = 128, BUDGET_WARNS = 8 };
#define BUDGET_WARN_ALL 1000000          /* warn levels are millionths of the limit */

struct budget_rule {
    char id[RAND_ID_SIZE];
    enum budget_scope scope;
    enum budget_window window;
    bool each;                           /* a ledger for each user, session, token or model; `key` is then "" */
    char key[BUDGET_KEY_SIZE];           /* whose; "" with scope all */
    int64_t limit;
    int32_t warn[BUDGET_WARNS];          /* rising */
    int warns;
};
/* Does it count the calls of several people in one ledger? */
bool budget_is_shared(const struct budget_rule *r);

/* [from_ms, to_ms); BUDGET_TOTAL has INT64_MIN and INT64_MAX. */
struct budget_span {
    int64_t from_ms, to_ms;
};
/* The window of the rule with this number that a moment lies in. A function of its arguments and nothing else. */
typedef struct budget_span budget_calendar(void *ctx, size_t rule, int64_t at_ms);

/* Whose call, and when it was admitted. Borrowed; NULL or "": none, so that no budget of that scope counts it. */
struct budget_call {
    const char *user, *session, *token, *model;
    int64_t at_ms;
};

/* One of the models a call may be served by, and what it may cost at most (>= 0) if it is. */
struct budget_way {
    const char *model;
    int64_t cost;
};

/* One ledger as it stands. */
struct budget_view {
    const struct budget_rule *rule;      /* borrowed from the book */
    size_t number;                       /* of the rule, counted from 0 */
    const char *key;                     /* whose ledger; borrowed until the book changes */
    struct budget_span span;
    int64_t spent, held;
    int64_t lost, lost_until_ms;         /* part of held: until then, of calls whose end nobody saw */
    int64_t left;                        /* limit - spent - held, never below 0 */
    int32_t warned;                      /* the highest warn level that spent has reached; 0: none */
};

struct budget_book;
struct budget_hold;

/* An empty book. `calendar` must live as long. Caller frees with budget_book_free(), after all holds have ended. */
struct budget_book *budget_book_new(budget_calendar *calendar, void *ctx);
void budget_book_free(struct budget_book *b);            /* NULL is fine */
/* Add a rule (copied); gives its number, counted from 0. All are added before the first call is reserved. */
size_t budget_book_add(struct budget_book *b, const struct budget_rule *r);
size_t budget_book_count(const struct budget_book *b);
/* `cost` was spent by `key` ("" unless the rule has `each`) in the window that at_ms lies in: what the records say. */
void budget_book_spent(struct budget_book *b, size_t rule, const char *key, int64_t at_ms, int64_t cost);
/* As much more may have been spent by calls whose end nobody saw: it is held from calls that come before until_ms. */
void budget_book_lost(struct budget_book *b, size_t rule, const char *key, int64_t at_ms, int64_t cost, int64_t until_ms);

/* Does any budget count this call? */
bool budget_applies(const struct budget_book *b, const struct budget_call *c);
/* The ledger with least left of those that count this call; false: none does. */
bool budget_least(struct budget_book *b, const struct budget_call *c, struct budget_view *least) __attribute__((warn_unused_result));
/* What is left to this call in the budget that has least; INT64_MAX if none counts it. */
int64_t budget_room(struct budget_book *b, const struct budget_call *c);
/* Hold `cost` (>= 0) in every ledger that counts the call. NULL: it would pass a budget, which is given in *binds (of
 * several the one with least left); nothing changed. The hold ends with exactly one budget_settle() or
 * budget_release(). */
struct budget_hold *budget_reserve(struct budget_book *b, const struct budget_call *c, int64_t cost, struct budget_view *binds)
    __attribute__((warn_unused_result));
/* The same for a call that one of several models will serve (c->model is not looked at): each ledger holds the dearest
 * of the ways that it counts, so that whichever is taken is paid for. */
struct budget_hold *budget_reserve_any(struct budget_book *b, const struct budget_call *c, const struct budget_way *ways, size_t n,
                                       struct budget_view *binds) __attribute__((warn_unused_result));
/* The same for a call that runs already: never refused. */
struct budget_hold *budget_hold_any(struct budget_book *b, const struct budget_call *c, const struct budget_way *ways, size_t n)
    __attribute__((warn_unused_result));
/* The call ended and cost this much (>= 0): it is spent in the windows the call was admitted in. */
void budget_settle(struct budget_book *b, struct budget_hold *h, int64_t cost);
/* The call ended and cost nothing. */
void budget_release(struct budget_book *b, struct budget_hold *h);
/* A call cost this much that was not held here. */
void budget_spend(struct budget_book *b, const struct budget_call *c, int64_t cost);

/* Visit the ledgers of the windows that at_ms lies in: first those of rules without `each`, in the order they were
 * added, then of the others those that have counted anything. Visits at most `max`; gives how many there are. */
size_t budget_each(struct budget_book *b, int64_t at_ms, size_t max, void (*visit)(void *ctx, const struct budget_view *v), void *ctx);

/* Prompt tokens to hold money for: a prompt that could only be estimated may have a quarter more. */
int64_t budget_prompt(int64_t counted, bool exact);
/* How many output tokens `room` pays for at most, after the prompt; -1 if not even that. INT64_MAX: output is free. */
int64_t budget_output_for(const struct price *p, int64_t prompt, int64_t room);

#endif
