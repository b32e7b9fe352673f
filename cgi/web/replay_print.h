/* replay_print.h - results of replays as a table for people, or as JSON. */
#ifndef WEIR_REPLAY_PRINT_H
#define WEIR_REPLAY_PRINT_H

#include "base/sb.h"
#include "flow/replay.h"

/* One column: what was recorded, or what was replayed with these settings. */
struct replay_column {
    const char *name;                    /* "recorded", "today", "changed" */
    const struct replay_result *result;
    const struct settings *settings;     /* NULL: recorded, so that there are no limits, promises and fairness */
};

/* The same columns and traffic give the same bytes. */
void replay_print_table(const struct traffic *t, const struct replay_column *c, size_t n, struct sb *out);
void replay_print_json(const struct traffic *t, const struct replay_column *c, size_t n, struct sb *out);

#endif
