/* traffic.h - requests as they were recorded, in numbers only: what a replay needs.
 *
 * Read from the ledger or from a file. Users have the weights of now; a token with a
 * share of its own is a user here. The file has a line of JSON for the whole
 * and one for each request; users and sessions are ordinals in it, and no time
 * is absolute, so that it can be shown to others. One thread at a time. */
#ifndef WEIR_TRAFFIC_H
#define WEIR_TRAFFIC_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "base/sb.h"
#include "rules/gate.h"
#include "store/usage.h"

struct db;

enum { TRAFFIC_FILE_MAX = 512 * 1024 * 1024 };
#define TRAFFIC_NONE UINT32_MAX

struct traffic_call {
    int64_t at_us;                 /* arrival, from that of the first on; never falls from call to call */
    uint32_t user, model;          /* places in the names below */
    uint32_t upstream;             /* the same; TRAFFIC_NONE: it was never sent */
    uint32_t session;              /* ordinal from 1; 0: none */
    enum priority priority;
    enum call_status status;
    int64_t prompt, max_tokens;    /* as admission was told */
    int64_t input, output;         /* tokens it used */
    int64_t wait_us;               /* until the attempt that counted was sent, or it ended unsent */
    int64_t first_us, writing_us;  /* from there to the first token, and from that to the end */
    int64_t attempts, refused;     /* refused: those the provider answered with 429 */
    int64_t cost_in, cost_out;     /* picodollars */
    int64_t rate_in, rate_out;     /* per token */
    bool priced;                   /* false: no price is known and the four above are 0 */
};

struct traffic_names {
    char **v;
    size_t n;
};

struct traffic {
    struct traffic_call *call;
    size_t n;
    int64_t from_ms;               /* UTC of the first; 0 from a file */
    struct traffic_names users;    /* names in the ledger, of a token USER/TOKEN; "1", "2", … from a file */
    int32_t *weight;               /* of each user, thousandths; NULL: all have the usual one */
    struct traffic_names models, upstreams;
};

/* The settled requests accepted in [from_ms, to_ms), the newest `most` of them if there are more. Reads in short steps on
 * a read-only connection. On failure *out is empty. */
enum weir_err traffic_load(struct db *ro, int64_t from_ms, int64_t to_ms, int64_t most, struct traffic *out)
    __attribute__((warn_unused_result));
/* Append the file's text. */
void traffic_write(const struct traffic *t, struct sb *out);
/* The file's text as traffic. False with a sentence that names the line in `why`; *out is then empty. */
bool traffic_read(const char *text, size_t n, struct traffic *out, struct sb *why) __attribute__((warn_unused_result));
void traffic_done(struct traffic *t);

#endif
