/* filter.h - what a user or a token may ask for: which models, how long a prompt,
 * and which texts are refused or not shown to a provider.
 *
 * A token's filters come on top of its user's: both have to let a request through.
 * They are looked at on the acceptor's thread, between reading a request and
 * handing it to the engine; every path that sends something to a provider calls
 * the same functions. A pattern never runs away: all of a request's patterns
 * together have a quarter of a second of the processor, after which it is refused. */
#ifndef WEIR_FILTER_H
#define WEIR_FILTER_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/sb.h"
#include "web/field.h"

struct exchange;
struct filters;

enum { FILTER_MODELS_MAX = 100, FILTER_PATTERNS_MAX = 20, FILTER_PATTERN_BYTES = 500, FILTER_JSON_MAX = 32 * 1024 };

/* {"models":["name", "prefix*"…], "max_prompt_tokens":n, "patterns":[{"name", "pattern", "action":"refuse"|"redact"}…]} as it is to
 * be stored, appended to `out`: nothing if it filters nothing. A pattern that does not compile, or matches an empty text, is
 * refused with `fault` filled. Pure. */
enum weir_err filter_read(const json_t *wish, struct sb *out, struct field_fault *fault) __attribute__((warn_unused_result));

/* The filters of who is asking, read once per request and freed with the exchange; *out NULL: there are none. E_STORAGE; E_INTERNAL:
 * what is stored cannot be read, and nothing is let through. */
enum weir_err filters_of(struct exchange *x, struct filters **out) __attribute__((warn_unused_result));
void filters_free(struct filters *f);      /* NULL is fine */

/* May this model be used? `f` NULL: yes. */
bool filters_allow(const struct filters *f, const char *model);
/* The largest prompt, tokens; 0: as large as the model takes. */
int64_t filters_prompt_max(const struct filters *f);

/* Look at one text on its way to a provider. Refused, with `param` as the field at fault and the rule's name in the sentence
 * and as "rule" in the error: E_FILTERED. Else *redacted is the text with what matched replaced by the rule's name in brackets,
 * malloc'd, or NULL if it stays as it is. `own` texts, which a model wrote, are only redacted. */
enum weir_err filters_text(struct exchange *x, struct filters *f, const char *param, const char *text, bool own, char **redacted)
    __attribute__((warn_unused_result));
/* The same for every string below `value`, replaced in place: what a client's own JSON says, whatever it is. */
enum weir_err filters_json(struct exchange *x, struct filters *f, const char *param, json_t *value) __attribute__((warn_unused_result));

#endif
