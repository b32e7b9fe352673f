/* weir_call.h - one HTTP request of the command line to a Weir, and what its
 * answer says. One thread. */
#ifndef WEIR_CALL_H
#define WEIR_CALL_H

#include <curl/curl.h>

#include "base/json.h"
#include "base/sb.h"

/* A handle that is used again for one request after another. Zeroed, then weir_call_open(). */
struct weir_call {
    CURL *easy;
    struct curl_slist *headers;
    struct sb url, body, answer;
    char request_id[80];
    int64_t cost;                        /* picodollars; < 0: the answer does not say */
    int64_t retry_after_ms;              /* < 0: it does not say */
};

bool weir_call_open(struct weir_call *c) __attribute__((warn_unused_result));
void weir_call_close(struct weir_call *c);
/* Make it ready: POST `body` (NULL: GET) to url + path. `key`: NULL, none. False: no memory. */
bool weir_call_set(struct weir_call *c, const char *url, const char *token, const char *path, const char *body, size_t n,
                    const char *priority, const char *key) __attribute__((warn_unused_result));
/* HTTP status of what was answered; 0: nothing was. */
int weir_call_status(const struct weir_call *c);
/* "0.0001234" as picodollars; -1: it is none. */
int64_t weir_call_dollars(const char *text);
/* A member of an answer, in dollars, as picodollars; -1: there is none. */
int64_t weir_call_dollars_of(const json_t *o, const char *name);

#endif
