/* verify.h - does the ledger add up?
 *
 * Looks through all of it, quarter of an hour by quarter and session by session:
 * the rows against their seals, attempts against events, roll-ups against the
 * sums of events and those of longer spans against those, sessions' totals and answers against theirs, budgets against
 * what their windows' events cost, and whether anything is left open that
 * nobody works on. Each step is one read transaction, so that it sees one state
 * of what it compares and holds up nobody; what is settled meanwhile is either
 * wholly in it or not at all. Nothing is written or mended. One thread at a time. */
#ifndef WEIR_VERIFY_H
#define WEIR_VERIFY_H

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "base/sb.h"
#include "base/settings.h"
#include "store/db.h"

enum verify_check {
    VERIFY_SEALS,            /* bytes of events, attempts, words, rates and combinations */
    VERIFY_PARTS,            /* parts of usage within their totals */
    VERIFY_ATTEMPTS,         /* sums of an event's attempts; attempts without an event */
    VERIFY_ROLLUPS, VERIFY_MINUTES, VERIFY_SESSION_ROLLUPS,
    VERIFY_SPANS, VERIFY_HOURS,      /* roll-ups of longer spans, against the shorter ones they are made of */
    VERIFY_SESSIONS,         /* totals of sessions */
    VERIFY_MESSAGES,         /* answers of events, events of answers */
    VERIFY_SETTLED,          /* the number of all settled events */
    VERIFY_NAMES,            /* what rows refer to is there */
    VERIFY_BUDGETS,          /* what budgets go by is what their windows' events cost */
    VERIFY_INTENTS,          /* calls left open by a process that is gone */
    VERIFY_STORAGE,          /* the file can be read */
    VERIFY_CHECKS
};
const char *verify_check_name(enum verify_check c);          /* "seals" … */

enum { VERIFY_FINDINGS_MAX = 1000, VERIFY_ORPHANS_MAX = 1000 };

struct verify_finding {
    enum verify_check check;
    char *where, *text;              /* which row, and a sentence */
};

/* A call that a crash cut off, and what became of it. */
struct verify_orphan {
    char *request_id, *text;
    int64_t at_ms;
};

struct verify_result {
    int64_t events, attempts, messages, sessions, quarters;
    int64_t compared[VERIFY_CHECKS], failed[VERIFY_CHECKS];
    int64_t failures;                                     /* all together; 0: it holds */
    int64_t unsealed;                                     /* quarters with rows from before seals were kept */
    int64_t pruned;                                       /* quarters whose events retention removed */
    struct verify_finding *finding;                       /* the first VERIFY_FINDINGS_MAX */
    size_t findings;
    struct verify_orphan *orphan;                         /* the newest VERIFY_ORPHANS_MAX */
    size_t orphans;
    int64_t orphan_count;
};

/* All of it, or one of two parts that need nothing of each other, so that two threads can take one each. */
enum verify_part { VERIFY_ALL, VERIFY_EVENTS, VERIFY_TOTALS };

struct verify_setup {
    struct db *ro;                       /* borrowed, as are the settings */
    const struct settings *settings;     /* for the budgets in them; NULL: none */
    enum verify_part part;
    int64_t now_ms;
    int64_t running_since_ms;            /* when the Weir that has this database open was started; INT64_MAX: none has */
};

struct verify;

struct verify *verify_new(const struct verify_setup *s);
void verify_free(struct verify *v);      /* NULL is fine */
/* A little more, usually less than a millisecond; false once all was looked at. */
bool verify_step(struct verify *v);
/* What `from`, which has ended and is freed, has found is `to`'s too. */
void verify_add(struct verify *to, struct verify *from);
/* What was found so far; borrowed. */
const struct verify_result *verify_result(const struct verify *v);
/* {"holds":…,"at":…,"events":…,…,"checks":[…],"findings":[…],"orphans":[…]} */
void verify_json(const struct verify *v, struct sb *out);
/* The same for people. */
void verify_print(const struct verify *v, struct sb *out);

/* --- what the last check came to, kept in the database --- */

struct verify_last {
    int64_t checked_ms, held_ms;         /* UTC; held: when it last held. 0: never */
    int64_t failures, events;
    bool complete;                       /* false: none has ended yet */
};
/* Any connection. `complete` is false where none is kept. */
enum weir_err verify_last_read(struct db *db, struct verify_last *out) __attribute__((warn_unused_result));
/* Writer only. held_ms of the one before is kept if this one did not hold. */
enum weir_err verify_last_keep(struct db *db, const struct verify_result *r, int64_t now_ms) __attribute__((warn_unused_result));
/* {"holds":…,"checked_at":…,"held_at":…,"failures":…}, or null before the first. */
void verify_last_json(const struct verify_last *l, struct sb *out);

#endif
