/* batch_input.h - the items of a batch: OpenAI's batch file (JSON lines), a CSV
 * file with a column "prompt", or a text with one prompt a line.
 *
 * The whole file is held in memory, and each item as JSON. One thread. */
#ifndef WEIR_BATCH_INPUT_H
#define WEIR_BATCH_INPUT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "flow/batch_line.h"

enum { BATCH_ITEMS_MAX = 1000 * 1000, BATCH_FILE_MAX = 1 << 30 };

struct batch_item {
    const char *custom_id, *url;         /* owned by the input */
    const char *body;                    /* JSON, as it will be sent */
    size_t body_bytes;
    int64_t line;                        /* in the file, from 1 */
};

struct batch_input {
    struct batch_item *items;
    size_t n;
    struct batch_index *index;           /* by custom_id */
};

/* What a line without it gets: of CSV and text; a body of a batch file says it itself. Strings are borrowed, NULL: none. */
struct batch_defaults {
    const char *model, *system;
    int64_t max_tokens;                  /* 0: none */
};

/* The kind of file is told by its name (.csv, .txt) and else by its first character. False, with at most ten sentences, each
 * naming its line, appended to `why`. */
bool batch_input_read(struct batch_input *in, const char *path, const struct batch_defaults *d, struct sb *why)
    __attribute__((warn_unused_result));
void batch_input_done(struct batch_input *in);
/* The item of this custom_id, or -1. */
int64_t batch_input_find(const struct batch_input *in, const char *custom_id);

#endif
