/* traffic_file.c - recorded traffic as lines of JSON, and back. */
#include <inttypes.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "rules/queue.h"
#include "store/traffic.h"

enum { NAMES_MAX = 10000 };
#define NUMBER_MAX (INT64_C(1) << 53)

/* The numbers of a line. A place is written from 1 on; 0 is none. */
struct call_line {
    int64_t at_us, user, session, model, upstream, priority, status, prompt, max_tokens, input, output, wait_us, first_us,
        writing_us, attempts, refused, priced, cost_in, cost_out, rate_in, rate_out;
};

#define AT(member) offsetof(struct call_line, member)
static const struct {
    const char *name;
    size_t at;
    int64_t max;
} members[] = {
    {"at_us", AT(at_us), NUMBER_MAX}, {"user", AT(user), UINT32_MAX - 1}, {"session", AT(session), UINT32_MAX - 1},
    {"model", AT(model), UINT32_MAX - 1}, {"upstream", AT(upstream), UINT32_MAX - 1},
    {"priority", AT(priority), PRIORITY_HIGH}, {"status", AT(status), CALL_REJECTED}, {"prompt", AT(prompt), NUMBER_MAX},
    {"max_tokens", AT(max_tokens), NUMBER_MAX}, {"input", AT(input), NUMBER_MAX}, {"output", AT(output), NUMBER_MAX},
    {"wait_us", AT(wait_us), NUMBER_MAX}, {"first_us", AT(first_us), NUMBER_MAX}, {"writing_us", AT(writing_us), NUMBER_MAX},
    {"attempts", AT(attempts), NUMBER_MAX}, {"refused", AT(refused), NUMBER_MAX}, {"priced", AT(priced), 1},
    {"cost_in", AT(cost_in), INT64_MAX}, {"cost_out", AT(cost_out), INT64_MAX}, {"rate_in", AT(rate_in), INT64_MAX},
    {"rate_out", AT(rate_out), INT64_MAX},
};
#undef AT
#define MEMBERS (sizeof members / sizeof *members)

/* --- out --- */

static void put_names(struct sb *out, const char *member, const struct traffic_names *names)
{
    sb_putf(out, ",\"%s\":[", member);
    for (size_t i = 0; i < names->n; i++) {
        if (i)
            sb_putc(out, ',');
        sb_json(out, names->v[i]);
    }
    sb_putc(out, ']');
}

static void put_weights(struct sb *out, const struct traffic *t)
{
    sb_puts(out, ",\"weights\":[");
    for (size_t i = 0; i < t->users.n; i++)
        sb_putf(out, "%s%" PRId32, i ? "," : "", t->weight[i]);
    sb_putc(out, ']');
}

static struct call_line line_of(const struct traffic_call *c)
{
    return (struct call_line){
        .at_us = c->at_us, .user = c->user + INT64_C(1), .session = c->session, .model = c->model + INT64_C(1),
        .upstream = c->upstream == TRAFFIC_NONE ? 0 : c->upstream + INT64_C(1), .priority = c->priority, .status = c->status,
        .prompt = c->prompt, .max_tokens = c->max_tokens, .input = c->input, .output = c->output, .wait_us = c->wait_us,
        .first_us = c->first_us, .writing_us = c->writing_us, .attempts = c->attempts, .refused = c->refused,
        .priced = c->priced, .cost_in = c->cost_in, .cost_out = c->cost_out, .rate_in = c->rate_in, .rate_out = c->rate_out,
    };
}

void traffic_write(const struct traffic *t, struct sb *out)
{
    sb_putf(out, "{\"weir_traffic\":1,\"requests\":%zu,\"users\":%zu", t->n, t->users.n);
    put_names(out, "models", &t->models);
    put_names(out, "upstreams", &t->upstreams);
    if (t->weight)
        put_weights(out, t);
    sb_puts(out, "}\n");
    for (size_t i = 0; i < t->n; i++) {
        struct call_line l = line_of(&t->call[i]);

        for (size_t m = 0; m < MEMBERS; m++)
            sb_putf(out, "%s\"%s\":%" PRId64, m ? "," : "{", members[m].name, *(const int64_t *)(const void *)((const char *)&l + members[m].at));
        sb_puts(out, "}\n");
    }
}

/* --- in --- */

static bool read_names(const json_t *head, const char *member, struct traffic_names *out)
{
    const json_t *list = json_object_get(head, member);
    size_t n = json_array_size(list);

    if (!json_is_array(list) || n > NAMES_MAX)
        return false;
    out->v = mem_zalloc(n, sizeof *out->v);
    for (; out->n < n; out->n++) {
        const char *s = json_string_value(json_array_get(list, out->n));

        if (!s)
            return false;
        out->v[out->n] = mem_strdup(s);
    }
    return true;
}

/* Thousandths, of each user in turn. Files of before there were weights have none. */
static bool read_weights(const json_t *head, struct traffic *t)
{
    const json_t *list = json_object_get(head, "weights");

    if (!list)
        return json_object_size(head) == 5;
    if (!json_is_array(list) || json_array_size(list) != t->users.n || json_object_size(head) != 6)
        return false;
    t->weight = mem_zalloc(t->users.n, sizeof *t->weight);
    for (size_t i = 0; i < t->users.n; i++) {
        int64_t n = json_integer_value(json_array_get(list, i));

        if (n < QUEUE_WEIGHT_MIN || n > QUEUE_WEIGHT_MAX)
            return false;
        t->weight[i] = (int32_t)n;
    }
    return true;
}

/* Users have no names here but their numbers. */
static bool read_head(const json_t *head, struct traffic *t, size_t most, size_t *requests)
{
    int64_t version = json_integer_value(json_object_get(head, "weir_traffic"));
    int64_t n = json_integer_value(json_object_get(head, "requests")), users = json_integer_value(json_object_get(head, "users"));

    if (version != 1 || n < 0 || users < 0 || (uint64_t)n > most || (uint64_t)users > most)
        return false;
    *requests = (size_t)n;
    t->call = mem_zalloc((size_t)n, sizeof *t->call);
    t->users.v = mem_zalloc((size_t)users, sizeof *t->users.v);
    for (; t->users.n < (size_t)users; t->users.n++) {
        char label[24];

        (void)snprintf(label, sizeof label, "%zu", t->users.n + 1);
        t->users.v[t->users.n] = mem_strdup(label);
    }
    return read_names(head, "models", &t->models) && read_names(head, "upstreams", &t->upstreams) && read_weights(head, t);
}

/* NULL, or the member that is not right. */
static const char *read_line(const json_t *obj, struct call_line *l)
{
    const char *name;
    json_t *value;

    for (size_t m = 0; m < MEMBERS; m++) {
        value = json_object_get(obj, members[m].name);
        if (!json_is_integer(value) || json_integer_value(value) < 0 || json_integer_value(value) > members[m].max)
            return members[m].name;
        *(int64_t *)(void *)((char *)l + members[m].at) = json_integer_value(value);
    }
    json_object_foreach((json_t *)(uintptr_t)obj, name, value) {
        size_t m = 0;

        while (m < MEMBERS && strcmp(members[m].name, name) != 0)
            m++;
        if (m == MEMBERS)
            return "a member that is not known";
    }
    return NULL;
}

static const char *check_line(const struct call_line *l, const struct traffic *t)
{
    if (l->user < 1 || l->user > (int64_t)t->users.n)
        return "user";
    if (l->model < 1 || l->model > (int64_t)t->models.n)
        return "model";
    if (l->upstream > (int64_t)t->upstreams.n)
        return "upstream";
    if (l->max_tokens < 1)
        return "max_tokens";
    return t->n && l->at_us < t->call[t->n - 1].at_us ? "at_us" : NULL;
}

static void keep_line(struct traffic *t, const struct call_line *l)
{
    t->call[t->n++] = (struct traffic_call){
        .at_us = l->at_us, .user = (uint32_t)l->user - 1, .model = (uint32_t)l->model - 1,
        .upstream = l->upstream ? (uint32_t)l->upstream - 1 : TRAFFIC_NONE, .session = (uint32_t)l->session,
        .priority = (enum priority)l->priority, .status = (enum call_status)l->status, .prompt = l->prompt,
        .max_tokens = l->max_tokens, .input = l->input, .output = l->output, .wait_us = l->wait_us, .first_us = l->first_us,
        .writing_us = l->writing_us, .attempts = l->attempts, .refused = l->refused, .cost_in = l->cost_in,
        .cost_out = l->cost_out, .rate_in = l->rate_in, .rate_out = l->rate_out, .priced = l->priced != 0,
    };
}

/* One line of the text, parsed; NULL at its end or where it is no object. */
static json_t *next_line(const char **at, const char *end)
{
    size_t n = (size_t)(end - *at);
    const char *newline = memchr(*at, '\n', n);
    json_t *obj;

    if (newline)
        n = (size_t)(newline - *at);
    obj = json_loadb(*at, n, JSON_REJECT_DUPLICATES, NULL);
    *at += newline ? n + 1 : n;
    if (obj && !json_is_object(obj)) {
        json_decref(obj);
        obj = NULL;
    }
    return obj;
}

bool traffic_read(const char *text, size_t n, struct traffic *out, struct sb *why)
{
    const char *at = text, *end = text + n, *wrong = NULL;
    json_t *obj = next_line(&at, end);
    size_t requests = 0;

    *out = (struct traffic){0};
    if (!obj || !read_head(obj, out, n, &requests))
        wrong = "it must be an object with weir_traffic 1, requests, users, models and upstreams";
    json_decref(obj);
    if (wrong)
        sb_putf(why, "line 1 is not the head of recorded traffic: %s.", wrong);
    while (!wrong && out->n < requests) {
        struct call_line l = {0};

        obj = next_line(&at, end);
        wrong = !obj ? "the whole, which must be an object" : read_line(obj, &l);
        json_decref(obj);
        if (!wrong)
            wrong = check_line(&l, out);
        if (!wrong)
            keep_line(out, &l);
        else
            sb_putf(why, "line %zu is not a recorded request: look at %s.", out->n + 2, wrong);
    }
    if (!wrong && at != end) {
        wrong = "";
        sb_putf(why, "line %zu is one too many: the head says %zu requests.", requests + 2, requests);
    }
    if (wrong)
        traffic_done(out);
    return !wrong;
}
