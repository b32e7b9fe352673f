/* wire.h - the kinds of call that Weir knows from both sides: how a provider's
 * answer is read, and how a client of the same or of another kind is answered.
 *
 * Where a client and its provider speak alike, the provider's bytes go on as
 * they are and are only looked at; the writer then says what Weir has to say
 * itself. Elsewhere what was read, in parts, is what is written. Two tables,
 * one line for each kind. No I/O, no state but the caller's; thread-safe. */
#ifndef WEIR_WIRE_H
#define WEIR_WIRE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "base/sb.h"
#include "base/settings.h"
#include "peer/head.h"
#include "peer/scan.h"
#include "rules/price.h"
#include "rules/usage_tokens.h"

enum wire {
    WIRE_OWN,             /* Weir's own /chat/…: no provider speaks it, and flow/relay.c answers it */
    WIRE_CHAT,            /* OpenAI's Chat Completions */
    WIRE_EMBEDDINGS,      /* OpenAI's embeddings: never a stream */
    WIRE_RESPONSES,       /* OpenAI's Responses */
    WIRE_MESSAGES,        /* Anthropic's Messages */
    WIRE_COUNT_TOKENS,    /* Anthropic's count_tokens: never a stream, and free */
    WIRE_COUNT
};

/* --- what a provider says --- */

struct provider_error {
    bool set;
    int64_t status;                  /* a numeric `code`, or one that is digits; 0: none */
    char type[48], code[64], param[96], message[512];      /* "" where absent */
};

/* What the event that was read last is to a client who speaks alike. */
enum reply_event {
    REPLY_PLAIN,                     /* goes on */
    REPLY_USAGE,                     /* usage and nothing else: for those who asked for it */
    REPLY_IDLE,                      /* a sign of life, which says nothing: goes on */
    REPLY_END,                       /* the last one: goes on when the call is recorded */
};

/* What has been said so far; zeroed at the beginning, but for `many`. */
struct provider_reply {
    bool many;                       /* several choices were asked for */
    bool done;                       /* the closing event came */
    bool choice;                     /* at least one choice came, or what there is instead */
    char id[64];                     /* the answer's; "" if it has none, or a longer one */
    char finish_reason[24];          /* in OpenAI's words; "" until it came */
    bool has_prompt, has_completion; /* which figures of usage are there and sound */
    struct usage_tokens usage;       /* the largest figures said, if several times */
    bool has_cost;                   /* OpenRouter says what it charges */
    int64_t cost;                    /* then, picodollars; the largest said */
    bool has_service;                /* it says which service it gave */
    enum price_service service;
    int64_t calls;                   /* tool calls so far, and whether the last block is one: where blocks have no other number */
    bool call_open;
    bool call_bare;                  /* nothing of its input came yet */
    int64_t block;                   /* that is open in a stream of blocks: its index plus one; 0: none, or there are none */
    int64_t unshown_bytes;           /* of output that is neither text nor reasoning: tool calls, further choices */
    enum reply_event event;
    struct span figures;             /* of the text that was read last: a member with usage among others; p NULL: there is none */
    struct provider_error error;
};

/* A piece of a tool call: strings' contents, escapes as they stand; p NULL where not said. */
struct wire_piece {
    int64_t index;                   /* of the call in the answer, from 0 */
    struct span id, name;            /* with its first piece */
    struct span arguments;           /* of the JSON text that is the call's input */
};

/* Text as it comes: the content of a JSON string, escapes as they stand, so that it can be put between quotes again. */
struct provider_sink {
    void (*text)(void *ctx, const char *raw, size_t n);
    void (*reasoning)(void *ctx, const char *raw, size_t n);
    void (*call)(void *ctx, const struct wire_piece *p);        /* NULL: not asked for */
    void *ctx;
};

/* What to do about a refusal. */
struct provider_verdict {
    enum weir_err err;               /* what the client is told if it ends here */
    bool retry;                      /* admission may let it try again, here or elsewhere */
    enum attempt_fault fault;        /* if retry */
    enum dim dim;                    /* the limit a 429 named, or DIM_COUNT */
    int64_t retry_after_us;          /* -1: not said */
    bool pass_message;               /* the provider's message is the caller's business */
};

/* How the end of a request's body depends on what is known only when it is sent. */
struct wire_tail {
    int64_t cap;                     /* most tokens of one choice; 0: not bounded by Weir nor by the client */
    int64_t max_tokens;              /* the same where one must be said: never 0 */
    bool no_answer;                  /* the client asked for none: the prompt is only to be kept by the provider's cache */
    bool max_completion_tokens;      /* the cap's name, where there are two */
    bool stream;
    enum stream_usage usage;         /* the upstream's setting */
    const char *stream_options;      /* members the client gave, beside include_usage: JSON text without braces, or NULL */
};

struct wire_reader {
    const char *path;                /* behind the upstream's address */
    const char *head;                /* a header line it has to have, of the client's or this one; NULL: none */
    /* One event's data, or the whole body of an answer that is no stream. E_UPSTREAM_INVALID if it is not JSON of that shape.
     * An error the provider reports is no failure here: look at reply->error. */
    enum weir_err (*read)(struct provider_reply *r, const char *data, size_t n, const struct provider_sink *sink);
    /* Only the error of a refusal's body, which may be anything at all (a page, nothing). */
    void (*read_error)(struct provider_error *e, const char *body, size_t n);
    /* `status` is HTTP's; an error inside a 200 is judged by its own code or type, or as a fault of the provider's. */
    struct provider_verdict (*judge)(int status, const struct provider_error *e, const struct provider_head *h);
    /* Append the end of a request's body, closing brace included. */
    void (*close)(struct sb *out, const struct wire_tail *t);
};

/* --- what a client is told --- */

enum { WIRE_OPEN_CALLS = 32 };       /* tool calls that a provider may write at the same time */

/* What a writer knows of the call; borrowed. */
struct wire_call {
    const char *request_id;          /* Weir's */
    const char *id;                  /* of the answer, where a provider gave one that goes on; else "" */
    const char *model;               /* that serves it */
    int64_t created_s;               /* UTC */
    bool usage_wanted;               /* usage is a part of the stream only then, where that is the client's choice */
    int64_t prompt_tokens;           /* counted by Weir, for what is said of them before the provider does */
    /* The writer's own notes on a stream it writes; zero at the beginning. Where the provider's own events go on, block and index are
     * what its reader says. */
    struct {
        bool begun;
        bool passed;                 /* the provider's own events went on: what was begun is not known */
        int block;                   /* which kind of block is open, in the writer's words; 0: none */
        int64_t index;               /* of the block that is open, or the next; of tool calls' blocks the first */
        int64_t call[WIRE_OPEN_CALLS];      /* the tool calls that are open, each by its own index, in the order of their blocks */
        int calls;
    } note;
};

struct wire_tool {                   /* a whole tool call; contents of JSON strings */
    struct span id, name, arguments;
};

/* A whole answer. */
struct wire_answer {
    struct span text, reasoning;     /* contents of JSON strings */
    const struct wire_tool *calls;
    size_t call_count;
    const char *finish;              /* as in the event `done` */
    const struct usage_tokens *usage;
};

/* A limit of Weir's, as the client is told of it. */
struct wire_limit {
    const char *name;                /* "requests", "tokens", "input-tokens", "output-tokens" */
    int64_t limit, remaining;        /* a minute */
    int64_t reset_us;                /* until nothing of it is used */
};

struct wire_writer {
    /* A stream put together from parts. Each appends whole events. */
    void (*text)(struct sb *out, struct wire_call *c, const char *raw, size_t n);
    void (*reasoning)(struct sb *out, struct wire_call *c, const char *raw, size_t n);
    void (*call)(struct sb *out, struct wire_call *c, const struct wire_piece *p);
    /* The end of it but for its last event; also of a stream that was passed on and is cut for lack of money. */
    void (*finish)(struct sb *out, struct wire_call *c, const char *finish, const struct usage_tokens *u);
    const char *end;                 /* the last event */
    /* An answer that is no stream. */
    void (*whole)(struct sb *out, const struct wire_call *c, const struct wire_answer *a);
    /* The body of a refusal, and the last words of a stream that failed. */
    void (*error)(struct sb *out, enum weir_err e, const struct err_detail *d);
    void (*error_event)(struct sb *out, enum weir_err e, const struct err_detail *d);
    /* A header line about a limit. `utc_ms` is now. */
    void (*limit)(struct sb *out, const struct wire_limit *l, int64_t utc_ms);
};

/* --- the tables --- */

/* NULL for WIRE_OWN. */
const struct wire_reader *wire_reader(enum wire w);
const struct wire_writer *wire_writer(enum wire w);

/* What an upstream is asked by for a client of kind `w`: its own kind, or the one it is translated to.
 * WIRE_OWN: such an upstream has nothing like it. */
enum wire wire_at(enum protocol p, enum wire w);

/* Header lines of a refusal, beside Retry-After, that tell an SDK when to try again, or not to: retry-after-ms, x-should-retry.
 * `retry_after_ms` < 0: unknown. */
void wire_retry_heads(struct sb *out, enum weir_err e, int64_t retry_after_ms);

/* Weir's finish_reason as OpenAI's clients know it: "budget" is "length". */
const char *wire_finish(const char *finish);

#endif
