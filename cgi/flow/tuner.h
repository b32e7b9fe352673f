/* tuner.h - which settings would have served recent traffic better, by replaying it.
 *
 * Loads the newest requests, replays them with the settings in force and then
 * with one thing changed at a time, within what providers said they allow. The
 * work is done in small steps, so that a thread with other duties can do some
 * now and then. No lock, no clock; one thread at a time. */
#ifndef WEIR_TUNER_H
#define WEIR_TUNER_H

#include "base/settings.h"
#include "base/settings_edit.h"
#include "flow/replay.h"
#include "store/db.h"

enum {
    TUNER_REQUESTS = 2000,         /* replayed at most: the newest */
    TUNER_ENOUGH = 50              /* fewer prove nothing */
};
#define TUNER_RANGE_MS INT64_C(86400000)

struct suggestion {
    const char *severity;          /* "info", "warning" */
    char *setting, *current, *proposed;      /* as settings_edit.h takes them */
    char *text;
    struct replay_waits wait_before, wait_after;
    int64_t lost_before, lost_after;         /* refused, timed out or failed */
};

struct tuner;

/* What the headers of each upstream's provider last said, from the saved state of admission, for replay_setup.provider; by
 * upstream of the settings, caller frees. */
int64_t (*tuner_told(const struct settings *s, struct db *ro))[DIM_COUNT];

/* Load the traffic of the last 24 hours. `s` is borrowed until tuner_free(). NULL: the database cannot be read. */
struct tuner *tuner_new(const struct settings *s, struct db *ro, int64_t now_ms);
void tuner_free(struct tuner *t);         /* NULL is fine */
/* A little work, milliseconds; false once there is nothing left to try. */
bool tuner_step(struct tuner *t);
/* How many requests it looks at. */
int64_t tuner_requests(const struct tuner *t);
/* What was found so far; borrowed. */
size_t tuner_found(const struct tuner *t, const struct suggestion **out);
/* The same as JSON objects with commas between them: {severity, text, setting, current, proposed, evidence}. */
void tuner_json(const struct tuner *t, struct sb *out);

#endif
