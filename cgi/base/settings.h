/* settings.h - every setting Weir has, after file, environment and defaults were laid over one another.
 *
 * The tables are in settings_options.c; docs/settings.md is made from them.
 * A struct settings is read-only once loaded, so every thread may read it. A reload loads another,
 * lets it follow the one in force (settings_follow) and puts it in its place; all that were ever in
 * force live until Weir stops, so whoever has a pointer into one may keep it and needs no count.
 * Durations are microseconds, ratios thousandths, 0 in a limit means unlimited. */
#ifndef WEIR_SETTINGS_H
#define WEIR_SETTINGS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/cfg.h"
#include "base/log.h"
#include "base/sb.h"

enum { SETTINGS_UPSTREAMS = 64, SETTINGS_BUDGETS = 100, SETTINGS_WARNS = 8 };

enum protocol {
    PROTOCOL_OPENAI, PROTOCOL_ANTHROPIC,
    PROTOCOL_BUILTIN,          /* Weir itself answers */
    PROTOCOL_OPERATION,        /* whoever takes a lease calls it: POST /operations/acquire */
};

/* How much of the answer is set aside at admission. */
enum reserve_output {
    RESERVE_OUTPUT_EXPECTED,   /* what this model and caller usually produce */
    RESERVE_OUTPUT_MAX,        /* max_tokens, for providers that count so themselves */
};

/* How a provider is asked for usage in a stream. */
enum stream_usage {
    STREAM_USAGE_ASK,          /* stream_options.include_usage */
    STREAM_USAGE_CONTINUOUS,   /* on every chunk too, as vLLM does */
    STREAM_USAGE_NONE,         /* not at all: it refuses the member, or says it unasked */
};

enum upstream_auth { UPSTREAM_AUTH_BEARER, UPSTREAM_AUTH_API_KEY };      /* Authorization: Bearer, or Azure's api-key */
enum upstream_has { UPSTREAM_HAS_AUTO, UPSTREAM_HAS_ON, UPSTREAM_HAS_OFF };

/* When a stream's last event goes out: which guarantee stands behind it (writer.h). */
enum durability { DURABILITY_REALTIME, DURABILITY_BATCH, DURABILITY_ASYNC };

struct durability_settings {
    enum durability strategy;
    int64_t batch_size;                  /* settlements that are committed together … */
    int64_t batch_us;                    /* … or so long after the first of them */
    int64_t batch_queue;                 /* most that wait while the database cannot be written before new calls are refused … */
    int64_t batch_retries;               /* … and how often their commit is tried again before that */
};

/* How one upstream is used. The values at the top of weir.json are every upstream's defaults. */
struct tuning_settings {
    char *preset;                        /* named set of values these started from, or NULL */
    int64_t max_concurrent;              /* calls at a time */
    struct {
        int64_t requests_per_minute, requests_per_hour;
        int64_t tokens_per_minute, tokens_per_hour;             /* input and output together */
        int64_t input_tokens_per_minute, output_tokens_per_minute;
    } limits;                            /* 0 = unlimited */
    int64_t burst_us;                    /* bucket capacity = what accrues in this time; 10 s = a sixth of a minute's limit */
    enum reserve_output reserve_output;
    int64_t reserve_permille;            /* part of each limit only High may use */
    int64_t safety_margin_permille;      /* part of each limit nobody uses */
    int64_t pause_us;                    /* least time between the starts of two calls */
    bool spread_low;                     /* Low finds room beyond the High and Medium that are expected */
    int64_t stabilization_us;            /* after a 429 the rate climbs back over this time */
    struct {
        int64_t max_retries;             /* attempts after the first */
        int64_t base_delay_us, max_delay_us;
    } retry;
    struct {
        int64_t connect_us;              /* name look-up, TCP and TLS */
        int64_t first_byte_us;           /* from the request sent to the answer's first byte */
        int64_t idle_us;                 /* between two bytes of it */
        int64_t total_us;                /* the whole call */
    } timeouts;
};

/* One account at one provider, or another metered service. */
struct upstream_settings {
    char *name;                          /* unique; "builtin" is there unless its entry disables it, and comes last */
    bool enabled;                        /* true in every loaded entry: the others were dropped. False after a reload
                                            where the upstream is gone: the entry is its place, without its key */
    size_t rank;                         /* its place in the order of configuration, where one has to come first */
    enum protocol protocol;
    char *base_url;                      /* http(s)://host[:port][/path] without a slash at its end; NULL where Weir calls nobody */
    char *api_key;                       /* NULL = none is sent; never log or print it */
    char *key_file, *key_env;            /* where api_key came from, or NULL */
    enum upstream_auth auth;
    char *api_version;                   /* Azure's deployments are addressed with it; NULL = elsewhere */
    enum stream_usage stream_usage;
    enum upstream_has responses;         /* it has /responses; auto: if it is api.openai.com */
    bool priority_tier;                  /* what names no service tier gets its dearer one */
    struct cfg_list models;              /* model ids; empty = ask its /models */
    char *quota_group;                   /* upstreams of one group share limits; NULL = its own */
    struct {
        int64_t unit, input, output;     /* of an operation: picodollars per unit and per token */
    } price;
    int64_t lease_us;                    /* an operation that is not settled so long after its start is, at its estimate */
    struct tuning_settings tune;
};

/* One budget of the file. */
struct budget_settings {
    int scope, window;                   /* enum budget_scope and budget_window */
    bool each;
    char *key;                           /* NULL with scope all and with each */
    char *tz;
    int64_t limit_pico;
    int32_t warn_ppm[SETTINGS_WARNS];    /* rising, millionths of the limit */
    int warns;
};

struct settings {
    char *config;                        /* the file that was read; NULL if there was none */
    char *state;                         /* folder for database, socket, logs, pid files, admin token */
    char *data;                          /* folder with templates, static, schema, ranks, prices.json */
    char *socket;                        /* FastCGI socket; <state>/weir.sock unless set */
    char *ca_file;                       /* certificates trusted for providers */
    char *prices;                        /* price table; <data>/prices.json unless set */
    struct {
        char *contact;                   /* NULL = nobody is named */
        char *examples;                  /* separated by |; NULL = those of the page itself */
    } pages;
    bool hide_budget_sums;               /* users see no sums of budgets that others' calls count in */
    char *default_model;                 /* NULL = the first model of the first upstream */
    struct cfg_list automatic;           /* models that "auto" chooses from; empty = there is no "auto" */
    struct cfg_map fallbacks;            /* by model: those used when it cannot be had, in order */
    enum log_level log_level;
    struct {
        char *endpoint;                  /* traces are exported to this OTLP/HTTP receiver; NULL = none are */
        char *headers;                   /* sent along, "name=value,name=value"; never log or print them */
        int64_t max_queue;               /* traces that may wait to be sent */
    } otlp;
    bool metrics_token_usage;            /* /metrics shows gen_ai_client_token_usage too */
    struct {
        bool on;
        int64_t max_bytes, older;        /* of one file; how many files before it are kept */
    } operations_log;
    struct {
        char *address;                   /* where nginx listens */
        int64_t port;
        struct cfg_list hosts;           /* names answered to; empty = localhost and address, or any at 0.0.0.0 and :: */
        char *tls_certificate, *tls_key; /* files for nginx; both or neither */
        int64_t max_body_bytes;          /* request bodies outside /v1 */
        int64_t max_body_v1_bytes;       /* request bodies under /v1 */
        int64_t acceptors;               /* threads that take requests */
    } http;
    struct {
        char *proxy_user;                /* header or nginx's variable that says who signed in; NULL = off */
        struct cfg_list proxy_addresses; /* from where the header counts */
        int proxy_role;                  /* of who was never here: enum role, user or monitor */
    } sign_in;
    struct {
        int64_t max_size;                /* requests that may wait, all upstreams together */
        int64_t max_wait_us;             /* longest wait of one request */
    } queue;
    struct {                             /* answers that are given again to who asks the same */
        struct cfg_list models;          /* whose answers, unless a request says otherwise; empty: none's */
        int64_t ttl_us;                  /* for so long … */
        int64_t max_bytes;               /* … and as many as fit into this */
    } cache;
    struct {                             /* streams that can be read again */
        int64_t keep_us;                 /* so long after their end … */
        int64_t max_bytes;               /* … and as many of the newest as fit into this */
        int64_t unread_us;               /* one with on_disconnect "keep" goes on without a reader for so long */
    } resume;
    struct {                             /* of /v1/files and /v1/batches */
        int64_t file_bytes, user_bytes;  /* most of one file, and of all of a person's */
        int64_t items;                   /* most of one batch */
        int64_t workers;                 /* items in flight at once, of all batches together */
    } batches;
    struct {
        int64_t request_input_max, request_output_max;   /* of one request; 0 = none but the model's */
        int64_t session_max;             /* of one session, input and output, until it cools; 0 = no maximum */
        int64_t session_cooldown_us;
    } tokens;
    struct durability_settings durability;
    int64_t retry_budget_permille;       /* retries as a part of all attempts, Weir-wide */
    int64_t fallback_input, fallback_output;   /* picodollars per token of a model without a price; both 0 = it has none */
    struct cfg_list webhook_addresses;   /* not on the public internet, but webhooks may go there */
    char *content_key_file;              /* text is encrypted with the key in it; NULL = it is not */
    struct {
        int64_t content_us;              /* how long text is kept; 0 = none ever is */
        int64_t content_bytes;           /* most of it; 0 = no bound */
        int64_t usage_us;                /* single requests; their sums stay */
        int64_t named_us;                /* until usage goes to pseudonyms; 0 = never */
        int64_t audit_us;
        int64_t files_us;                /* files of batches, and batches that have ended */
    } retention;
    int64_t suggest_us;                  /* how often suggestions are computed from recorded traffic; 0 = never */
    int64_t verify_us;                   /* how often the ledger is checked; 0 = never */
    int64_t drain_us;                    /* on SIGTERM running work may take this long to finish */
    int64_t builtin_words_per_second;    /* pace of the built-in model; 0 = at once */
    struct tuning_settings defaults;     /* what every upstream started from */
    struct upstream_settings *upstreams; /* never empty; an upstream keeps its place over every reload */
    size_t n_upstreams;
    struct budget_settings *budgets;     /* no two of the same scope, key, each and window */
    size_t n_budgets;
};

/* Load `path`; NULL = $WEIR_CONFIG, else ./weir.json if it is there, else none.
 * The environment wins over the file. Returns settings (caller frees with
 * settings_free), or NULL with one sentence appended to `why`. */
struct settings *settings_load(const char *path, struct sb *why) __attribute__((warn_unused_result));
/* NULL is harmless. Wipes the keys. */
void settings_free(struct settings *s);

/* The model name that stands for a choice of Weir's. */
#define MODEL_AUTO "auto"
enum { FALLBACKS_MAX = 15 };             /* of one model; "auto" chooses from one more */
/* The models used when this one cannot be had; NULL: none. Borrowed. */
const struct cfg_list *settings_fallbacks(const struct settings *s, const char *model);

/* Does it have OpenAI's Responses? */
bool settings_has_responses(const struct upstream_settings *u);

/* Does Weir itself call it? Not the built-in model, nor what is called under a lease. */
bool settings_is_called(const struct upstream_settings *u);

/* The upstream of this name, NULL if there is none. Borrowed. */
const struct upstream_settings *settings_upstream(const struct settings *s, const char *name);

struct settings_change {
    char *key;                           /* "queue.max_size", "upstreams.openai.limits.tokens_per_minute" */
    char *before, *after;                /* as JSON; a secret is "(not shown)", and null where there is none */
    bool restart;                        /* stays as it was until Weir is started anew */
};
struct settings_changes {
    struct settings_change *v;
    size_t n;
};

/* Prepare `fresh`, just loaded, to take the place of `now`: upstreams stay where they are in `now`, new ones come behind,
 * what needs a restart keeps its value. *out, which is empty, says what differs; the caller frees it in every case. False
 * with a sentence in `why`: there is no place left for a new upstream. */
bool settings_follow(struct settings *fresh, const struct settings *now, struct settings_changes *out, struct sb *why)
    __attribute__((warn_unused_result));
/* Does any of them take effect without a restart? */
bool settings_changes_apply(const struct settings_changes *c);
void settings_changes_done(struct settings_changes *c);

/* The settings in force, keys of providers included, as sixteen hexadecimal digits: the same digits, the same settings. */
enum { SETTINGS_HASH_SIZE = 17 };
void settings_hash(const struct settings *s, char out[SETTINGS_HASH_SIZE]);
/* "user.usr_1.month", "model.each.day", "all.total": what tells one budget from another. */
void settings_budget_name(const struct budget_settings *b, struct sb *out);

/* `weir config check`: true and what was read and found, or false and the sentence, appended to `out`. */
bool settings_check(const char *path, struct sb *out) __attribute__((warn_unused_result));
/* `weir config show`: the settings in force, one key=value a line, upstreams as
 * upstreams.NAME.key; keys of providers are left out. */
void settings_show(const struct settings *s, struct sb *out);
/* `weir config doc`: docs/settings.md, and weir.json.example, made from the tables. */
void settings_doc(struct sb *out);
void settings_example(struct sb *out);
/* `weir config man`: the same as the manual page weir.json(5), in mdoc(7). */
void settings_man(struct sb *out);

#endif
