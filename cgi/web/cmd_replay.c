/* cmd_replay.c - weir replay: recorded requests, as they were, as they would go with
 * the settings in force, and with others. */
#include <ctype.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>

#include "base/clock.h"
#include "base/file.h"
#include "base/mem.h"
#include "base/settings_edit.h"
#include "flow/admission.h"
#include "flow/tuner.h"
#include "store/db.h"
#include "store/report.h"
#include "web/cmd.h"
#include "web/cmd_config.h"
#include "web/replay_print.h"

enum { LIST_MAX = 64, REQUESTS_MAX = 1000000, OUT_MAX = 64 * 1024 * 1024, COLUMNS = 3 };
#define DAY_MS INT64_C(86400000)

static const char usage[] =
    "usage: weir replay [OPTION]…\n\n"
    "Recorded requests run through the same rules on a virtual clock: as recorded, with the settings in force\n"
    "(today), and changed. The same requests and settings print the same bytes.\n\n"
    "  --from TIME, --to TIME   which requests: 2026-11-22T06:20:00Z, -24h, -7d, now; the last 24 hours unless given\n"
    "  --trace FILE             requests from a file instead of the database\n"
    "  --record FILE            write the requests to a new file, in numbers only, and end\n"
    "  --set KEY=VALUE          a setting to try, as `weir config show` or the environment spells it\n"
    "  --config FILE            a whole configuration to try\n"
    "  --priority USER=High     another priority for all requests of one user, or with USER/TOKEN of a token with a share of its own\n"
    "  --provider NAME.LIMIT=N  a limit the provider of an upstream keeps, as in openai.requests_per_minute=60;\n"
    "                           unless given, what its headers said, or none\n"
    "  --seed N                 of the random delays between retries; 1 unless given\n"
    "  --json                   for programs\n\n"
    "--set, --priority and --provider may be given several times.\n";

struct pairs {
    char *text[LIST_MAX];              /* KEY=VALUE with a NUL in the middle */
    const char *value[LIST_MAX];
    size_t n;
};

struct options {
    const char *from, *to, *trace, *record, *config;
    struct pairs set, priority, provider;
    int64_t seed;
    bool json;
};

struct replaying {
    struct options o;
    struct traffic traffic;
    struct settings *today, *changed;  /* changed: NULL if nothing was */
    struct db *db;                     /* NULL with a trace */
    enum priority *priority;           /* by user, or NULL */
    struct sb why;
};

/* --- the command line --- */

static bool take_pair(struct pairs *p, const char *word, struct sb *why)
{
    const char *equals = word ? strchr(word, '=') : NULL;

    if (!equals || equals == word || p->n == LIST_MAX) {
        sb_putf(why, "'%.100s' is not of the form KEY=VALUE, or the %dth.", word ? word : "", LIST_MAX + 1);
        return false;
    }
    p->text[p->n] = mem_strdup(word);
    p->text[p->n][equals - word] = '\0';
    p->value[p->n] = p->text[p->n] + (equals - word) + 1;
    p->n++;
    return true;
}

static bool whole_number(const char *s, int64_t *out)
{
    char *end;

    *out = s ? strtoll(s, &end, 10) : -1;
    return s && *s && !*end && *out >= 0;
}

/* One option and its value, which may be NULL. */
static bool take_option(struct options *o, const char *name, const char *value, struct sb *why)
{
    const struct {
        const char *name;
        const char **text;
        struct pairs *pairs;
    } with[] = {
        {"--from", &o->from, NULL},       {"--to", &o->to, NULL},          {"--trace", &o->trace, NULL},
        {"--record", &o->record, NULL},   {"--config", &o->config, NULL},  {"--set", NULL, &o->set},
        {"--priority", NULL, &o->priority}, {"--provider", NULL, &o->provider},
    };

    if (strcmp(name, "--seed") == 0 && whole_number(value, &o->seed))
        return true;
    for (size_t i = 0; i < sizeof with / sizeof *with; i++) {
        if (strcmp(name, with[i].name) != 0 || !value)
            continue;
        if (with[i].pairs)
            return take_pair(with[i].pairs, value, why);
        *with[i].text = value;
        return true;
    }
    return false;
}

static bool take_words(struct options *o, int argc, char **argv, struct sb *why)
{
    for (int i = 0; i < argc; i++) {
        if (strcmp(argv[i], "--json") == 0)
            o->json = true;
        else if (!take_option(o, argv[i], i + 1 < argc ? argv[i + 1] : NULL, why))
            return false;
        else
            i++;
    }
    return !o->trace || (!o->from && !o->to && !o->record);
}

static void pairs_done(struct pairs *p)
{
    for (size_t i = 0; i < p->n; i++)
        free(p->text[i]);
}

/* --- settings --- */

/* Names in capitals are variables: they are set here as they would be for a new start. */
static bool load_changed(struct replaying *r)
{
    struct settings_edit change[LIST_MAX];
    const struct pairs *set = &r->o.set;
    size_t n = 0;

    if (!set->n && !r->o.config && !r->o.priority.n)
        return true;
    for (size_t i = 0; i < set->n; i++) {
        struct sb key = sb_make(400);
        bool known = settings_env_key(r->today, set->text[i], &key);

        sb_done(&key);
        if (!isupper((unsigned char)set->text[i][0])) {
            change[n++] = (struct settings_edit){set->text[i], set->value[i]};
        } else if (!known || setenv(set->text[i], set->value[i], 1) != 0) {
            sb_putf(&r->why, "%s is not a variable that sets anything.", set->text[i]);
            return false;
        }
    }
    r->changed = settings_load_with(r->o.config, change, n, &r->why);
    return r->changed != NULL;
}

static bool set_provider(struct replaying *r, const char *key, const char *value, const struct settings *s,
                         int64_t (*provider)[DIM_COUNT])
{
    int64_t n;

    if (!whole_number(value, &n)) {
        sb_putf(&r->why, "--provider %s=%.40s: the limit must be a whole number.", key, value);
        return false;
    }
    for (size_t i = 0; i < s->n_upstreams; i++) {
        size_t len = strlen(s->upstreams[i].name);

        if (strncmp(key, s->upstreams[i].name, len) != 0 || key[len] != '.')
            continue;
        for (int d = 0; d < DIM_COUNT; d++) {
            if (strcmp(key + len + 1, dim_name((enum dim)d)) == 0) {
                provider[i][d] = n;
                return true;
            }
        }
    }
    sb_putf(&r->why, "--provider %s: there is no such upstream, or no such limit.", key);
    return false;
}

/* What providers keep to: what the command line says, else what their headers said. */
static bool provider_of(struct replaying *r, const struct settings *s, int64_t (**out)[DIM_COUNT])
{
    bool ok = true;

    *out = r->db ? tuner_told(s, r->db) : mem_zalloc(s->n_upstreams, sizeof **out);
    for (size_t i = 0; ok && i < r->o.provider.n; i++)
        ok = set_provider(r, r->o.provider.text[i], r->o.provider.value[i], s, *out);
    return ok;
}

/* --- traffic --- */

/* A token with a share of its own is called USER/TOKEN. */
static bool is_of(const char *sharer, const char *name)
{
    size_t n = strlen(name);

    return strncmp(sharer, name, n) == 0 && (!sharer[n] || sharer[n] == '/');
}

static bool take_priorities(struct replaying *r)
{
    const struct pairs *p = &r->o.priority;
    const struct traffic_names *users = &r->traffic.users;

    if (!p->n)
        return true;
    r->priority = mem_zalloc(users->n, sizeof *r->priority);
    for (size_t u = 0; u < users->n; u++)
        r->priority[u] = PRIORITY_COUNT;
    for (size_t i = 0; i < p->n; i++) {
        enum priority priority = PRIORITY_COUNT;
        bool known = priority_parse(p->value[i], &priority), any = false;

        for (size_t u = 0; u < users->n; u++) {
            if (!is_of(users->v[u], p->text[i]))
                continue;
            any = true;
            r->priority[u] = priority;
        }
        if (!any || !known) {
            sb_putf(&r->why, "--priority %s=%.40s: no request is of this user, or the priority is not Low, Medium or High.", p->text[i],
                    p->value[i]);
            return false;
        }
    }
    return true;
}

static int read_trace(struct replaying *r)
{
    struct sb text = sb_make(TRAFFIC_FILE_MAX), wrong = sb_make(1000);
    int status = EX_NOINPUT;

    if (file_read(r->o.trace, &text, &r->why)) {
        status = traffic_read(sb_str(&text), text.len, &r->traffic, &wrong) ? EX_OK : EX_DATAERR;
        if (status)
            sb_putf(&r->why, "%s: %s", r->o.trace, sb_str(&wrong));
    }
    sb_done(&text);
    sb_done(&wrong);
    return status;
}

static int read_ledger(struct replaying *r)
{
    int64_t now_ms = clock_utc_ms(), from_ms = now_ms - DAY_MS, to_ms = now_ms + 1;
    struct sb path = sb_make(8192);
    char why[DB_WHY_SIZE];
    int status = EX_IOERR;

    sb_putf(&path, "%s/weir.db", r->today->state);
    if ((r->o.from && !report_time_parse(r->o.from, now_ms, &from_ms)) || (r->o.to && !report_time_parse(r->o.to, now_ms, &to_ms)) ||
        from_ms >= to_ms) {
        sb_puts(&r->why, "--from and --to must be times like 2026-11-22T06:20:00Z or -24h, the first before the second.");
        status = EX_USAGE;
    } else if (db_open_reader(sb_str(&path), &r->db, why)) {
        sb_puts(&r->why, why);
        status = EX_NOINPUT;
    } else if (traffic_load(r->db, from_ms, to_ms, REQUESTS_MAX, &r->traffic)) {
        sb_putf(&r->why, "%s cannot be read.", sb_str(&path));
    } else
        status = EX_OK;
    sb_done(&path);
    return status;
}

static int write_trace(struct replaying *r)
{
    struct sb text = sb_make(TRAFFIC_FILE_MAX);
    FILE *f = fopen(r->o.record, "wx");
    int status = EX_CANTCREAT;

    traffic_write(&r->traffic, &text);
    if (f && sb_ok(&text) && fwrite(sb_str(&text), 1, text.len, f) == text.len)
        status = EX_OK;
    if (f && fclose(f) != 0)
        status = EX_CANTCREAT;
    if (status)
        sb_putf(&r->why, "%s cannot be written; it must not be there yet.", r->o.record);
    else
        printf("%s has %zu requests.\n", r->o.record, r->traffic.n);
    sb_done(&text);
    return status;
}

/* --- replay --- */

static bool run(struct replaying *r, const struct settings *s, const enum priority *priority, struct replay_result *out)
{
    int64_t (*provider)[DIM_COUNT];
    struct replay_setup setup = {.settings = s, .priority = priority, .seed = (uint64_t)r->o.seed, .promises = true};
    bool ok = provider_of(r, s, &provider);

    setup.provider = (const int64_t (*)[DIM_COUNT])provider;
    if (ok)
        replay_run(&r->traffic, &setup, out);
    free(provider);
    return ok;
}

static int replay(struct replaying *r)
{
    struct replay_result result[COLUMNS] = {{0}};
    struct replay_column c[COLUMNS] = {{"recorded", &result[0], NULL}, {"today", &result[1], r->today}, {"changed", &result[2], r->changed}};
    size_t n = r->changed ? 3 : 2;
    struct sb out = sb_make(OUT_MAX);
    int status = EX_USAGE;

    replay_recorded(&r->traffic, &result[0]);
    if (run(r, r->today, NULL, &result[1]) && (!r->changed || run(r, r->changed, r->priority, &result[2]))) {
        if (r->o.json)
            replay_print_json(&r->traffic, c, n, &out);
        else
            replay_print_table(&r->traffic, c, n, &out);
        status = sb_ok(&out) && fputs(sb_str(&out), stdout) >= 0 && fflush(stdout) == 0 ? EX_OK : EX_IOERR;
    }
    for (size_t i = 0; i < COLUMNS; i++)
        replay_done(&result[i]);
    sb_done(&out);
    return status;
}

static int work(struct replaying *r)
{
    int status;

    r->today = settings_load(NULL, &r->why);
    if (!r->today)
        return EXIT_CONFIG;
    status = r->o.trace ? read_trace(r) : read_ledger(r);
    if (status)
        return status;
    if (r->o.record)
        return write_trace(r);
    if (!load_changed(r))
        return EXIT_CONFIG;
    return take_priorities(r) ? replay(r) : EX_USAGE;
}

int cmd_replay(int argc, char **argv)
{
    struct replaying r = {.o.seed = 1, .why = sb_make(16 * 1024)};
    int status = EX_USAGE;

    if (argc == 1 && strcmp(argv[0], "--help") == 0) {
        fputs(usage, stdout);
        return EX_OK;
    }
    if (take_words(&r.o, argc, argv, &r.why))
        status = work(&r);
    else
        fputs(usage, stderr);
    if (r.why.len)
        fprintf(stderr, "weir: %s\n", sb_str(&r.why));
    pairs_done(&r.o.set);
    pairs_done(&r.o.priority);
    pairs_done(&r.o.provider);
    traffic_done(&r.traffic);
    settings_free(r.today);
    settings_free(r.changed);
    db_close(r.db);
    free(r.priority);
    sb_done(&r.why);
    return status;
}
