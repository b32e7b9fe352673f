/* v1_body.c - what the providers of a /v1 request are sent: the client's own body
 * where they speak as it does, a translated one elsewhere (v1.h). */
#include <stdlib.h>
#include <string.h>

#include "peer/translate.h"
#include "web/v1.h"

enum { BODY_MAX_BYTES = 64 * 1024 * 1024 };

static bool is_own(const struct exchange *x, const struct v1 *v, size_t upstream)
{
    return wire_at(x->web->settings->upstreams[upstream].protocol, v->wire) == v->wire;
}

/* Those candidates' upstreams that speak as the client does, or those that do not. The built-in model hears turns. */
static uint64_t upstreams_of(const struct exchange *x, const struct v1 *v, bool own)
{
    uint64_t all = 0;

    for (size_t i = 0; i < v->candidates.n; i++)
        if (!v->candidates.of[i].builtin)
            for (size_t u = 0; u < x->web->settings->n_upstreams; u++)
                if ((v->candidates.of[i].upstreams >> u & 1) && is_own(x, v, u) == own)
                    all |= (uint64_t)1 << u;
    return all;
}

/* A model that takes no temperature would refuse all of it. */
static void drop_sampling(const struct v1 *v, uint64_t foreign, json_t *body)
{
    for (size_t i = 0; i < v->candidates.n; i++)
        if ((v->candidates.of[i].upstreams & foreign) && v->candidates.of[i].price && v->candidates.of[i].price->no_temperature) {
            json_object_del(body, "temperature");
            json_object_del(body, "top_p");
        }
}

enum weir_err v1_translate(struct exchange *x, struct v1 *v)
{
    uint64_t foreign = upstreams_of(x, v, false);
    struct translate_fault fault = {.why = ""};
    enum weir_err e;

    if (!foreign)
        return WEIR_OK;
    e = v->wire == WIRE_CHAT ? translate_to_messages(x->json, &v->translated, &fault) : translate_to_chat(x->json, &v->translated, &fault);
    if (!e)
        drop_sampling(v, foreign, v->translated);
    else if (!v1_narrow(v, ~foreign))
        return web_refuse(x, e, fault.param, "%s", fault.why);
    return WEIR_OK;
}

/* Names are compared decoded: escapes must not bring in what was cut out. */
static bool is_one_of(struct span name, const char *const *names)
{
    char text[64];

    span_copy(name, text, sizeof text);
    for (; *names; names++)
        if (strcmp(text, *names) == 0)
            return true;
    return false;
}

/* Where there is no choice of models, the body begins with it. */
static void put_model(const struct v1 *v, struct sb *out)
{
    sb_putc(out, '{');
    if (v->candidates.n > 1)
        return;
    sb_puts(out, "\"model\":");
    sb_json(out, v->candidates.of[0].model);
}

static bool own_body(const struct v1 *v, struct sb *out, const char *const *without)
{
    static const char *const own[] = {"model", "stream", NULL};
    struct scan s = scan_make(v->body, v->body_len);
    struct span name;

    put_model(v, out);
    (void)scan_object(&s);
    while (scan_member(&s, &name)) {
        const char *from;

        (void)scan_peek(&s);
        from = s.p;
        scan_skip(&s);
        if (is_one_of(name, own) || is_one_of(name, without))
            continue;
        if (out->len > 1)
            sb_putc(out, ',');
        sb_putc(out, '"');
        sb_put(out, name.p, name.n);
        sb_puts(out, "\":");
        sb_put(out, from, (size_t)(s.p - from));
    }
    return scan_ok(&s);
}

static bool translated_body(const struct v1 *v, struct sb *out)
{
    char *text = json_dumps(v->translated, JSON_COMPACT);
    size_t n = text ? strlen(text) : 0;

    put_model(v, out);
    if (out->len > 1)
        sb_putc(out, ',');
    if (n)
        sb_put(out, text + 1, n - 2);                /* a translated body has messages */
    free(text);
    return n > 0;
}

enum weir_err v1_go(struct exchange *x, const struct v1 *v, struct job *j, const char *const *without)
{
    bool ok = true;

    for (int p = 0; ok && p < JOB_PROTOCOLS; p++) {
        bool own = wire_at((enum protocol)p, v->wire) == v->wire;
        struct sb out = sb_make(BODY_MAX_BYTES);

        if (!upstreams_of(x, v, own))
            continue;
        ok = own ? own_body(v, &out, without) : translated_body(v, &out);
        if (j->stream_upstream)                      /* last, so that the rest is the same for who asks without */
            sb_puts(&out, ",\"stream\":true");
        ok = ok && sb_ok(&out);
        j->body[p].len = out.len;
        if (ok)
            j->body[p].text = sb_take(&out);
        sb_done(&out);
    }
    if (ok) {
        launch_go(x, j);
        return WEIR_OK;
    }
    job_free(j);
    return web_refuse(x, WEIR_E_OVERLOADED, NULL, NULL);
}
