/* otlp.h - one batch of telemetry to one receiver by OTLP/HTTP, in JSON
 * (https://opentelemetry.io/docs/specs/otlp/).
 *
 * Blocks; any thread but the engine and the acceptors. One connection is kept.
 * No redirect is followed and no proxy used. */
#ifndef WEIR_OTLP_H
#define WEIR_OTLP_H

#include <stdbool.h>
#include <stddef.h>

enum { OTLP_TIMEOUT_MS = 10000, OTLP_WHY = 160 };

struct otlp;

/* `endpoint` without its path, as http://localhost:4318; `headers` "name=value,name=value" or NULL; `ca_file` or NULL: all borrowed.
 * `give_up` (with `ctx`) is asked about once a second while something is sent. NULL: no memory. */
struct otlp *otlp_new(const char *endpoint, const char *headers, const char *ca_file, bool (*give_up)(void *ctx), void *ctx);
void otlp_free(struct otlp *o);     /* NULL is fine */

enum otlp_result { OTLP_SENT, OTLP_AGAIN, OTLP_REFUSED };
/* POST `body` to …/v1/traces. AGAIN: no answer, or one that says the same may succeed later. Unless SENT `why` is a sentence. */
enum otlp_result otlp_send(struct otlp *o, const char *body, size_t n, char why[OTLP_WHY]) __attribute__((warn_unused_result));

#endif
