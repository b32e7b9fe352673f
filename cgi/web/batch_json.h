/* batch_json.h - files and batches as OpenAI's clients know them, with a member
 * "weir" for what they do not know. */
#ifndef WEIR_BATCH_JSON_H
#define WEIR_BATCH_JSON_H

#include "store/batches.h"
#include "store/files.h"
#include "web/web.h"

void file_json(const struct file_row *f, struct sb *out);
/* `metadata` and `errors` are JSON, or "". */
void batch_json(const struct batch_row *b, const char *metadata, const char *errors, struct sb *out);
/* How long it will take as it has gone so far, milliseconds; -1: not known, or it does not go on. Pure. */
int64_t batch_eta_ms(const struct batch_row *b);
/* Appends its ,"cost_usd":…,"eta_ms":…,"paused":… */
void batch_progress_json(const struct batch_row *b, struct sb *out);

/* The query's `limit`, from 1 to `most`. Refuses another. */
enum weir_err batch_page(struct exchange *x, int64_t fallback, int64_t most, int64_t *limit) __attribute__((warn_unused_result));
/* The end of {"object":"list","data":[…; first and last are NULL where there are none. */
void batch_page_end(struct sb *out, const char *first, const char *last, bool more);

#endif
