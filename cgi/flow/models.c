/* models.c - which upstream serves which model: configured, or learned from the
 * upstream's own list, asked for at the start and now and then after.
 *
 * Acceptors look models up while the engine learns; the lists are under one
 * leaf lock, held for a look or an exchange of pointers. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "base/mem.h"
#include "flow/engine_impl.h"
#include "peer/builtin.h"

enum { MODELS_MAX = 20000, LIST_BYTES_MAX = 4 * 1024 * 1024 };
#define ASK_AGAIN_US (INT64_C(300) * USEC_PER_SEC)       /* after a list came */
#define ASK_SOONER_US (INT64_C(1) * USEC_PER_SEC)        /* after none did: doubled up to the above */
#define START_US (INT64_C(1) * USEC_PER_SEC)             /* the start waits so long for the first lists */

static void ids_free(char **id, size_t n)
{
    for (size_t i = 0; i < n; i++)
        free(id[i]);
    free(id);
}

/* The built-in model's name is its own: a job for it has nothing to send, and one for another model nothing to say. So is
 * the one that stands for a choice. */
static size_t without_own(char **id, size_t n)
{
    size_t left = 0;

    for (size_t i = 0; i < n; i++) {
        if (strcmp(id[i], BUILTIN_MODEL) == 0 || strcmp(id[i], MODEL_AUTO) == 0)
            free(id[i]);
        else
            id[left++] = id[i];
    }
    return left;
}

/* A list that is known from the start. */
static void set_fixed(struct model_list *m, char *const *id, size_t n)
{
    m->id = mem_zalloc(n, sizeof *m->id);
    m->n = n;
    for (size_t i = 0; i < n; i++)
        m->id[i] = mem_strdup(id[i]);
}

/* What is known of an upstream by its settings alone. */
static struct model_list list_of(const struct upstream_settings *s)
{
    static char builtin[] = BUILTIN_MODEL;
    struct model_list m = {.healthy = true, .body = sb_make(LIST_BYTES_MAX), .backoff_us = ASK_SOONER_US};

    if (!s->enabled)
        return m;
    switch (s->protocol) {
    case PROTOCOL_BUILTIN:
        set_fixed(&m, (char *[]){builtin}, 1);
        break;
    case PROTOCOL_OPENAI:
    case PROTOCOL_ANTHROPIC:
        if (s->models.n > 0)
            set_fixed(&m, s->models.items, s->models.n);
        else
            m.learned = true;
        m.n = without_own(m.id, m.n);
        break;
    case PROTOCOL_OPERATION:
        break;
    }
    return m;
}

bool models_init(struct engine *e)
{
    for (size_t i = 0; i < e->up_count; i++)
        e->models[i] = list_of(&e->s->upstreams[i]);
    return true;
}

static void forget_question(struct engine *e, struct model_list *m)
{
    if (m->easy) {
        (void)curl_multi_remove_handle(e->multi, m->easy);
        upstream_give(m->asked, m->easy);
    }
    m->easy = NULL;
    sb_done(&m->body);
}

void models_change(struct engine *e, size_t i, const struct upstream_settings *s)
{
    struct model_list *m = &e->models[i], fresh = list_of(s), old;

    if (i < e->up_count)
        forget_question(e, m);
    pthread_mutex_lock(&e->models_lock);
    old = *m;
    if (fresh.learned && old.learned) {      /* what it said before holds until it has answered again */
        fresh.id = old.id;
        fresh.n = old.n;
        fresh.heard = old.heard;
        old.id = NULL;
        old.n = 0;
    }
    *m = fresh;
    pthread_mutex_unlock(&e->models_lock);
    ids_free(old.id, old.n);
}

void models_done(struct engine *e)
{
    for (size_t i = 0; i < e->up_count; i++) {
        forget_question(e, &e->models[i]);
        ids_free(e->models[i].id, e->models[i].n);
    }
}

/* --- learning --- */

static size_t on_list(char *p, size_t one, size_t n, void *ctx)
{
    struct model_list *m = ctx;

    (void)one;
    sb_put(&m->body, p, n);
    return sb_ok(&m->body) ? n : 0;
}

/* {"data":[{"id":"…"},…]} -> ids, in the provider's order. -1: it is no such list. */
static int64_t read_list(const char *text, size_t n, char ***ids)
{
    struct scan s = scan_make(text, n);
    struct span name, id;
    size_t count = 0;

    *ids = NULL;
    if (scan_peek(&s) != '{' || !scan_object(&s))
        return -1;
    while (scan_member(&s, &name)) {
        if (!span_is(name, "data") || !scan_array(&s)) {
            if (!span_is(name, "data"))
                scan_skip(&s);
            continue;
        }
        while (scan_element(&s)) {
            if (!scan_object(&s))
                continue;
            while (scan_member(&s, &name)) {
                if (!span_is(name, "id")) {
                    scan_skip(&s);
                } else if (scan_string(&s, &id) && id.n > 0 && id.n < MODEL_NAME_SIZE && count < MODELS_MAX) {
                    *ids = mem_grow(*ids, count + 1, sizeof **ids);
                    (*ids)[count] = mem_zalloc(1, id.n + 1);
                    span_copy(id, (*ids)[count++], id.n + 1);
                }
            }
        }
    }
    if (scan_ok(&s))
        return (int64_t)count;
    ids_free(*ids, count);
    *ids = NULL;
    return -1;
}

static void ask_for_list(struct engine *e, size_t i)
{
    struct model_list *m = &e->models[i];

    sb_reset(&m->body);
    m->asked = e->up[i];
    m->easy = upstream_list_models(m->asked, on_list, m);
    if (m->easy)
        (void)curl_multi_add_handle(e->multi, m->easy);
    m->ask_us = INT64_MAX;
}

static void set_heard(struct engine *e, struct model_list *m)
{
    pthread_mutex_lock(&e->models_lock);
    m->heard = true;
    pthread_mutex_unlock(&e->models_lock);
}

bool models_finished(struct engine *e, CURL *easy, CURLcode code)
{
    size_t i = 0;
    struct model_list *m;
    char **ids = NULL, **old;
    int64_t n = -1;
    size_t old_n;
    long status = 0;

    while (i < e->up_count && e->models[i].easy != easy)
        i++;
    if (i == e->up_count)
        return false;
    m = &e->models[i];
    curl_easy_getinfo(easy, CURLINFO_RESPONSE_CODE, &status);
    if (code == CURLE_OK && status == 200)
        n = read_list(sb_str(&m->body), m->body.len, &ids);
    forget_question(e, m);
    if (n < 0) {
        set_heard(e, m);
        if (m->backoff_us == ASK_SOONER_US)
            log_warn("upstream %s: no list of models (%s, status %ld); asking again", e->s->upstreams[i].name,
                     code ? curl_easy_strerror(code) : "not understood", status);
        m->ask_us = e->now_us + m->backoff_us;
        m->backoff_us = m->backoff_us * 2 > ASK_AGAIN_US ? ASK_AGAIN_US : m->backoff_us * 2;
        return true;
    }
    m->ask_us = e->now_us + ASK_AGAIN_US;
    m->backoff_us = ASK_SOONER_US;
    pthread_mutex_lock(&e->models_lock);
    old = m->id;
    old_n = m->n;
    m->id = ids;
    m->n = without_own(ids, (size_t)n);
    m->heard = true;
    pthread_mutex_unlock(&e->models_lock);
    ids_free(old, old_n);
    return true;
}

void models_tick(struct engine *e)
{
    for (size_t i = 0; i < e->up_count; i++) {
        struct model_list *m = &e->models[i];
        struct admit_upstream_view v;

        if (m->learned && !m->easy && e->now_us >= m->ask_us && !e->draining)
            ask_for_list(e, i);
        admit_view(e->admit, (int)i, e->now_us, &v);
        if (m->healthy != (v.status != ADMIT_ERROR)) {
            pthread_mutex_lock(&e->models_lock);
            m->healthy = v.status != ADMIT_ERROR;
            pthread_mutex_unlock(&e->models_lock);
        }
    }
}

/* --- looking: any thread --- */

uint64_t engine_upstreams_for(struct engine *e, const char *model)
{
    uint64_t mask = 0;

    pthread_mutex_lock(&e->models_lock);
    for (size_t i = 0; i < e->up_count; i++)
        for (size_t k = 0; k < e->models[i].n; k++)
            if (strcmp(e->models[i].id[k], model) == 0) {
                mask |= UINT64_C(1) << i;
                break;
            }
    pthread_mutex_unlock(&e->models_lock);
    return mask;
}

bool engine_models_known(struct engine *e)
{
    bool known = true;

    pthread_mutex_lock(&e->models_lock);
    for (size_t i = 0; i < e->up_count; i++)
        known = known && (!e->models[i].learned || e->models[i].heard);
    pthread_mutex_unlock(&e->models_lock);
    return known || clock_mono_us() - e->begun_us >= START_US;
}

void engine_default_model(struct engine *e, char out[MODEL_NAME_SIZE])
{
    const char *found;
    size_t first = SETTINGS_UPSTREAMS;

    pthread_mutex_lock(&e->models_lock);
    found = e->s->default_model;
    for (size_t i = 0; i < e->up_count && !e->s->default_model; i++)
        if (e->models[i].n > 0 && (!found || e->s->upstreams[i].rank < first)) {
            found = e->models[i].id[0];
            first = e->s->upstreams[i].rank;
        }
    (void)snprintf(out, MODEL_NAME_SIZE, "%s", found ? found : "");
    pthread_mutex_unlock(&e->models_lock);
}

/* "auto", if it is configured and has something to choose from. With the lock. */
static void add_auto(const struct engine *e, struct sb *out)
{
    const struct cfg_list *l = &e->s->automatic;
    bool known = false, healthy = false;

    for (size_t i = 0; i < e->up_count; i++)
        for (size_t k = 0; k < e->models[i].n; k++)
            for (size_t n = 0; n < l->n; n++)
                if (strcmp(e->models[i].id[k], l->items[n]) == 0) {
                    known = true;
                    healthy = healthy || e->models[i].healthy;
                }
    if (known)
        sb_putf(out, "{\"id\":\"" MODEL_AUTO "\",\"upstream\":null,\"healthy\":%s}", healthy ? "true" : "false");
}

void engine_models_json(struct engine *e, struct sb *out)
{
    size_t begun = out->len + 1;
    bool any;

    sb_putc(out, '[');
    pthread_mutex_lock(&e->models_lock);
    add_auto(e, out);
    any = out->len > begun;
    for (size_t i = 0; i < e->up_count; i++)
        for (size_t k = 0; k < e->models[i].n; k++) {
            sb_puts(out, any ? ",{\"id\":" : "{\"id\":");
            sb_json(out, e->models[i].id[k]);
            sb_puts(out, ",\"upstream\":");
            sb_json(out, e->s->upstreams[i].name);
            sb_puts(out, e->models[i].healthy ? ",\"healthy\":true}" : ",\"healthy\":false}");
            any = true;
        }
    pthread_mutex_unlock(&e->models_lock);
    sb_putc(out, ']');
}
