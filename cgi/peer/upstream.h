/* upstream.h - one provider account as libcurl sees it: address, key, time-outs,
 * and a stock of handles that are set up already.
 *
 * HTTP/1.1 over kept connections, certificates always checked, no redirect and
 * no proxy followed, no compression asked for. Engine thread only; nothing here
 * blocks (names are resolved on libcurl's own threads). */
#ifndef WEIR_UPSTREAM_H
#define WEIR_UPSTREAM_H

#include <curl/curl.h>
#include <stdbool.h>
#include <stddef.h>

#include "base/err.h"
#include "base/settings.h"
#include "peer/wire.h"

struct upstream;

/* Both get at most one read's worth; anything but `n` returned ends the transfer. */
typedef size_t upstream_data_fn(char *p, size_t one, size_t n, void *ctx);

/* `s` is borrowed; `ca_file` too (NULL: the system's). NULL if libcurl has no memory. */
struct upstream *upstream_new(const struct upstream_settings *s, const char *ca_file);
void upstream_free(struct upstream *u);   /* NULL is fine; no handle may be out */
/* Another takes its place: it is freed with the last handle that is given back. NULL is fine. */
void upstream_retire(struct upstream *u);
/* The settings it was made from, which are those of every call it made. */
const struct upstream_settings *upstream_settings(const struct upstream *u);

/* A handle that will POST `body` to what `w` has as its path, at an upstream that speaks it (wire_at). `own` (NULL: none) are
 * headers of this call, before those all calls have: the list's end is set to those. All are borrowed until upstream_give;
 * `model` is only read, and only where it is a part of the address. `ctx` is CURLOPT_PRIVATE and goes to both callbacks. NULL
 * if there is no memory. */
CURL *upstream_call(struct upstream *u, enum wire w, const char *model, const char *body, size_t n, struct curl_slist *own,
                    upstream_data_fn *on_head, upstream_data_fn *on_body, void *ctx);
/* The same for GET …/models. */
CURL *upstream_list_models(struct upstream *u, upstream_data_fn *on_body, void *ctx);
/* Take a handle back, out of its multi already. */
void upstream_give(struct upstream *u, CURL *easy);

/* How a transfer that failed is told. `answered`: a status had come already. */
enum weir_err upstream_failure(CURLcode code, bool answered);

#endif
