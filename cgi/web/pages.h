/* pages.h - what the handlers of HTML pages share: the context every page
 * begins with, reports as JSON values, and turning a context into the answer. */
#ifndef WEIR_PAGES_H
#define WEIR_PAGES_H

#include <jansson.h>

#include "store/zone.h"
#include "web/web.h"

/* title, theme, metrics_mode, user, at_<tab>, boot (with session_id and whom to write to unless NULL). `tab` may be NULL. New, the caller's. */
json_t *pages_context(struct exchange *x, const char *title, const char *tab, const char *session_id);

/* The time zone this person chose in the settings; UTC if none. */
struct zone pages_zone(const struct exchange *x);

/* The JSON value in `text`, new; NULL if `e` is an error or the text was cut. Ends `text`. */
json_t *pages_parse(enum weir_err e, struct sb *text);

/* Render `name` from `ctx` (taken) as the answer. */
enum weir_err pages_answer(struct exchange *x, const char *name, json_t *ctx);

/* A code as words: "upstream timeout". */
json_t *pages_spoken(const char *code);
/* The name of a user, or the id where there is no such user any more. */
json_t *pages_person(const struct exchange *x, const char *user_id);

#endif
