/* page.h - Mustache templates (mustache.5, without lambdas) over a jansson value.
 *
 * A page_set is filled once, at start or for a reload, and never changes while it
 * is rendered: any number of threads may render from it at the same time. To
 * reload, load a second set, publish it, and free the first when nobody uses it.
 *
 * {{name}} escapes for HTML text and quoted attributes; {{{name}}} does not, and
 * is only for what Weir itself has made safe. False are: false, null, a missing
 * name, an empty list, an empty string; 0 is a number to show, hence true.
 * Integers print as integers; lists and objects print nothing. */
#ifndef WEIR_PAGE_H
#define WEIR_PAGE_H

#include <jansson.h>
#include <stddef.h>

#include "base/err.h"
#include "base/sb.h"
#include "web/page_parse.h"

enum { PAGE_DEPTH_MAX = 64 };   /* sections and partials inside each other, when rendering */

struct page_set;

struct page_set *page_set_new(void);
void page_set_free(struct page_set *s);   /* NULL is fine */

/* Add a template under `name` (copied), replacing one of that name. Results and
 * `why` as page_parse(); unless OK the set is unchanged. Not while others render. */
enum weir_err page_set_add(struct page_set *s, const char *name, const char *text, size_t n, char why[PAGE_WHY])
    __attribute__((warn_unused_result));

/* A new set from all files DIR/NAME.mustache. OK: *out is the caller's. Otherwise
 * *out is NULL and `why` a sentence with file and line: E_UNAVAILABLE if something
 * cannot be read, E_INVALID_FIELD if a template is wrong or names a partial that
 * is not there. */
enum weir_err page_set_load(const char *dir, struct page_set **out, char why[PAGE_WHY])
    __attribute__((warn_unused_result));

/* Append the template `name` filled from `ctx` (both borrowed; ctx may be any
 * JSON value) to `out`. E_NOT_FOUND: no such template. E_INTERNAL: deeper than
 * PAGE_DEPTH_MAX or longer than `out` may be; then `out` holds a part. */
enum weir_err page_render(const struct page_set *s, const char *name, const json_t *ctx, struct sb *out)
    __attribute__((warn_unused_result));

#endif
