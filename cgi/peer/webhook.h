/* webhook.h - one signed message to one receiver, as Standard Webhooks has it
 * (https://www.standardwebhooks.com, version 1: HMAC-SHA-256).
 *
 * Blocks for at most WEBHOOK_TIMEOUT_MS; any thread but the engine and the
 * acceptors. No redirect is followed, no proxy used, and the address is judged
 * when it is connected to (address.h). */
#ifndef WEIR_WEBHOOK_H
#define WEIR_WEBHOOK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/cfg.h"
#include "base/err.h"

enum { WEBHOOK_KEY_BYTES = 32, WEBHOOK_SECRET_SIZE = 64, WEBHOOK_SIGNATURE_SIZE = 64, WEBHOOK_WHY = 160, WEBHOOK_TIMEOUT_MS = 10000 };

/* The secret of a webhook's `turn`, "whsec_" and base64 of 32 bytes: HMAC-SHA-256 of id and turn under Weir's own key, so
 * that it need not be stored. */
void webhook_secret(const unsigned char key[WEBHOOK_KEY_BYTES], const char *webhook_id, int64_t turn, char out[WEBHOOK_SECRET_SIZE]);
/* "v1," and base64 of HMAC-SHA-256 over "id.timestamp.body" under the bytes of the secret. False: that is no secret. */
bool webhook_sign(const char *secret, const char *id, int64_t at_s, const char *body, size_t n, char out[WEBHOOK_SIGNATURE_SIZE])
    __attribute__((warn_unused_result));
/* http(s)://host[:port][/…], without user or fragment, and if its host is written as an address, an allowed one.
 * E_INVALID_FIELD with a sentence in `why`; E_ADDRESS. */
enum weir_err webhook_url_check(const char *url, const struct cfg_list *allowed, char why[WEBHOOK_WHY]) __attribute__((warn_unused_result));

struct webhook_call {
    const char *url, *secret, *id, *body;    /* borrowed */
    int64_t at_s;                            /* UTC seconds: part of what is signed */
    const char *ca_file;                     /* or NULL */
    const struct cfg_list *allowed;
};
/* Send it. Gives the HTTP status, 0 if there was no answer; `why` is then a sentence. */
int webhook_send(const struct webhook_call *c, char why[WEBHOOK_WHY]);

#endif
