/* usage.h - the record of one request, from acceptance to settlement.
 *
 * usage_accept() stores the user's message and, if the call starts at once, the
 * intent; usage_sent() the intent of a call that had to wait or is tried again;
 * usage_mark() how
 * far it has come; usage_settle() replaces the intent by what really happened and adds to the
 * roll-ups, all in the caller's transaction. Writer thread only. */
#ifndef WEIR_USAGE_H
#define WEIR_USAGE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "base/rand.h"
#include "rules/choice.h"
#include "rules/gate.h"
#include "rules/usage_tokens.h"

struct db;

enum call_status { CALL_SUCCESS, CALL_ERROR, CALL_CANCELLED, CALL_TIMEOUT, CALL_REJECTED };
const char *call_status_name(enum call_status s);   /* "success" … */
bool call_status_parse(const char *s, enum call_status *out);

enum { CALL_ATTEMPTS_MAX = 12, CALL_ID_SIZE = 65 };

/* What usage_settle() takes of these two structs is also a line in the tables of spill_line.c. */
struct call_attempt {
    const char *upstream;          /* borrowed, lives as long as the configuration */
    const char *model;             /* borrowed, as the record's */
    enum choice reason;            /* why this model and upstream */
    struct usage_tokens usage;     /* what this attempt used, and cost; of failed ones what the provider will charge */
    bool estimated, priced;
    int64_t cost_in, cost_out;     /* picodollars */
    int64_t started_at_ms;         /* UTC */
    int64_t wait_us;               /* from the attempt before (or acceptance) until this one was sent */
    int64_t duration_us;
    int32_t http_status;           /* 0: no answer */
    const char *error_code;        /* err_code() text or NULL */
    int64_t reserved_input, reserved_output;
    char provider_request_id[64];
};

/* Amounts in picodollars. priced == false: no price known, amounts are 0 and shown as null. */
struct call_cost {
    bool priced;
    int64_t input, output, total;
    int64_t rate_in, rate_out;     /* picodollars per token that were applied */
    char price_version[24];
};

/* What an operation's lease says, beside tokens, rates and version. */
struct call_lease {
    int64_t units, unit_price;     /* of the estimate; picodollars */
    int64_t granted_ms, expires_ms;      /* UTC; 0: it waits still */
};

struct call_record {
    /* --- from the acceptor, constant afterwards; strings are owned by the job --- */
    char request_id[CALL_ID_SIZE], session_id[CALL_ID_SIZE];      /* Weir's own have RAND_ID_LEN; others up to 64 */
    char user_message_id[RAND_ID_SIZE], message_id[RAND_ID_SIZE];
    char parent_id[RAND_ID_SIZE];  /* message the user's message hangs on; "" for the first */
    const char *user_id, *token_id;          /* token_id NULL for a browser session */
    const char *api_endpoint;                /* "/chat/stream" … */
    enum priority priority;
    const char *requested_model;             /* asked for; NULL: the one below */
    const char *model;                       /* that served, or was to; the engine's once there is a choice */
    const char *metadata_json;               /* or NULL */
    bool operation;                          /* it is called under a lease: no message is stored, the session is there */
    bool new_session;
    bool session_may_be_new;                 /* the session named is made if it is not there */
    const char *session_title;               /* for a session that is made */
    const char *system_text;                 /* for a session that is made, or NULL */
    const char *user_text;                   /* to store as the user's message; NULL: none is stored */
    int64_t accepted_at_ms;                  /* UTC */
    int64_t prompt_tokens_counted;
    int64_t omitted_messages;                /* of the session: its oldest, for which the window had no room */
    int64_t max_tokens;

    /* --- filled by the engine --- */
    const char *upstream;                    /* of the attempt that counted, or NULL */
    struct call_lease lease;                 /* of an operation */
    int64_t held_us[GATE_COUNT];             /* by each gate; whole milliseconds once it has ended */
    int64_t promised_ms;                     /* after acceptance: the start that was first told; -1: none was */
    int64_t promised_position;               /* told with it */
    int32_t attempt_count;
    struct call_attempt attempts[CALL_ATTEMPTS_MAX];

    /* --- the end --- */
    enum call_status status;
    const char *finish_reason;               /* "stop" …; NULL with an error */
    const char *error_code;                  /* NULL on success */
    struct usage_tokens usage;               /* of all attempts, as is the cost; while it runs, of those that failed */
    bool estimated;                          /* usage is Weir's own count, of one attempt at least */
    bool usage_suspect;                      /* the provider's numbers were implausible */
    struct call_cost cost;
    const char *end_metadata;                /* of an operation: replaces its metadata; or NULL */
    const char *answer;                      /* assistant text so far; NULL: no message is stored */
    int64_t answer_bytes;
    const char *reasoning;                   /* or NULL */
    int64_t reasoning_bytes;
    bool from_cache;                         /* another request's answer: no call was made, and it cost nothing … */
    bool saved_priced;
    int64_t saved;                           /* … but that one this, picodollars */
    int64_t answer_chars;                    /* visible code points */
    int64_t queue_us, retry_wait_us, ttft_us, writing_us, duration_us;   /* the first four sum to the last; the first two
                                                are held_us, attempts that failed, and what no gate did */
    int64_t ended_at_ms;                     /* UTC */
};

/* Session (if new), user message, event row in state "accepted" or, with `sent`, "sent". The prices in `cost` should
 * be set already: after a crash they say what the call is charged. E_NOT_FOUND: no such user, token or session, or
 * the session is somebody else's, or has no message parent_id. E_CONFLICT: the request, or the new session, is there
 * already. */
enum weir_err usage_accept(struct db *db, const struct call_record *r, bool sent) __attribute__((warn_unused_result));
/* The event's state becomes "sent", with model, prices and upstream of the newest attempt and what those before have
 * cost. E_NOT_FOUND: no such open event. */
enum weir_err usage_sent(struct db *db, const struct call_record *r) __attribute__((warn_unused_result));
/* How far the answer of a call has come: what a start after a kill charges and shows. The texts are new, or NULL: as before. */
struct usage_mark {
    char request_id[CALL_ID_SIZE];
    int64_t completion, cost_out;            /* of all attempts so far */
    char *text, *reasoning;
    int64_t text_bytes, reasoning_bytes;
};
/* Of a call that is not under way (any more) nothing is changed. */
enum weir_err usage_mark(struct db *db, const struct usage_mark *m) __attribute__((warn_unused_result));
/* The event's final state, attempts, assistant message, session totals, roll-ups. Settling twice changes nothing.
 * The answer is not kept if its session or question was deleted meanwhile. E_NOT_FOUND: it was never accepted. */
enum weir_err usage_settle(struct db *db, const struct call_record *r) __attribute__((warn_unused_result));
/* True if there was such a request of this user, answered as a stream of events on /chat/stream. Read-only connection. */
bool usage_was_streamed(struct db *ro, const char *user_id, const char *request_id);
/* The upstream of usage that was imported: it went through none. */
#define USAGE_IMPORTED "imported"
/* Record a call that was made elsewhere: identity, time, model, tokens and cost are set, the rest is filled here. It is
 * counted once by its request id: *duplicate if there is one already, then nothing changes. A session_id that is not there
 * is made (archived, without messages). E_NOT_FOUND: no such user. E_FORBIDDEN: the session is somebody else's. */
enum weir_err usage_import(struct db *db, struct call_record *r, bool *duplicate) __attribute__((warn_unused_result));
/* At start, but for leases, which run on: events never sent are closed as cancelled at no cost; events sent but not settled become errors with
 * code "interrupted", charged at their estimate (the counted prompt, and the output that was marked) and marked so; what
 * was marked of their text is their answer. Gives the number of each. Takes
 * transactions of its own: called before the writer starts. */
enum weir_err usage_recover(struct db *db, int64_t now_ms, int64_t *never_sent, int64_t *interrupted)
    __attribute__((warn_unused_result));

#endif
