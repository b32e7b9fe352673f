/* upstream.c - handles and what they are set to. What all calls to one account
 * share is set once per handle; a call adds its body and its callbacks. */
#include "peer/upstream.h"

#include <stdlib.h>
#include <string.h>

#include "base/broken.h"
#include "base/clock.h"
#include "base/mem.h"
#include "base/sb.h"

enum { STOCK_MAX = 256, READ_BYTES = 8192, UPLOAD_BYTES = 16384 };

struct upstream {
    const struct upstream_settings *s;
    const char *ca_file;
    char *url[WIRE_COUNT];           /* NULL: it does not speak that, or its address depends on the model */
    char *models_url;
    struct curl_slist *headers;
    struct curl_slist list_head;     /* before them, where the list of models is asked for */
    CURL *stock[STOCK_MAX];          /* set up for a POST, not in use */
    size_t stocked;
    size_t out;                      /* handles given and not back yet */
    bool retired;
};

/* An address may be given with its version, as some clients want it, or without, as others do. */
static char *url_of(const char *base, const char *path)
{
    static const char version[] = "/v1";
    struct sb b = sb_make(4096);
    size_t n = strlen(base), own = sizeof version - 1;

    if (n > own && strcmp(base + n - own, version) == 0 && strncmp(path, version, own) == 0 && path[own] == '/')
        path += own;
    sb_puts(&b, base);
    sb_puts(&b, path);
    return sb_take(&b);
}

static bool header(struct curl_slist **list, const char *name, const char *value)
{
    struct sb b = sb_make(8192);
    struct curl_slist *longer = NULL;

    sb_puts(&b, name);
    sb_puts(&b, value);
    if (sb_ok(&b))
        longer = curl_slist_append(*list, sb_str(&b));
    if (b.p)
        explicit_bzero(b.p, b.len);
    sb_done(&b);
    if (longer)
        *list = longer;
    return longer != NULL;
}

static const char *key_header(const struct upstream_settings *s)
{
    if (s->protocol == PROTOCOL_ANTHROPIC)
        return "x-api-key: ";
    return s->auth == UPSTREAM_AUTH_API_KEY ? "api-key: " : "Authorization: Bearer ";
}

/* The line that every request to it has to have; NULL: none. */
static const char *head_of(const struct upstream_settings *s)
{
    const struct wire_reader *r = wire_reader(wire_at(s->protocol, WIRE_OWN));

    return r ? r->head : NULL;
}

struct upstream *upstream_new(const struct upstream_settings *s, const char *ca_file)
{
    struct upstream *u = mem_zalloc(1, sizeof *u);

    u->s = s;
    u->ca_file = ca_file;
    for (enum wire w = WIRE_OWN + 1; w < WIRE_COUNT; w++)
        if (wire_at(s->protocol, w) == w && !s->api_version)
            u->url[w] = url_of(s->base_url, wire_reader(w)->path);
    u->models_url = url_of(s->base_url, s->protocol == PROTOCOL_ANTHROPIC ? "/v1/models?limit=1000" : "/models");
    if (header(&u->headers, "Content-Type: ", "application/json") && header(&u->headers, "Expect:", "") &&
        (!s->api_key || header(&u->headers, key_header(s), s->api_key))) {
        u->list_head = (struct curl_slist){(char *)(uintptr_t)head_of(s), u->headers};
        return u;
    }
    upstream_free(u);
    return NULL;
}

/* Azure's: a deployment goes by the name of its model. */
static char *deployment_url(const struct upstream *u, enum wire w, const char *model)
{
    struct sb b = sb_make(4096);

    sb_putf(&b, "%s/openai/deployments/", u->s->base_url);
    sb_url(&b, model);
    sb_putf(&b, "%s?api-version=", wire_reader(w)->path);
    sb_url(&b, u->s->api_version);
    return sb_take(&b);
}

void upstream_free(struct upstream *u)
{
    if (!u)
        return;
    for (size_t i = 0; i < u->stocked; i++)
        curl_easy_cleanup(u->stock[i]);
    for (struct curl_slist *h = u->headers; h; h = h->next)
        explicit_bzero(h->data, strlen(h->data));
    curl_slist_free_all(u->headers);
    for (enum wire w = WIRE_OWN; w < WIRE_COUNT; w++)
        free(u->url[w]);
    free(u->models_url);
    free(u);
}

void upstream_retire(struct upstream *u)
{
    if (u && u->out > 0)
        u->retired = true;
    else
        upstream_free(u);
}

const struct upstream_settings *upstream_settings(const struct upstream *u)
{
    return u->s;
}

/* What every call to this account has in common. False if libcurl refuses or has no memory. */
static bool set_up(struct upstream *u, CURL *c, const char *url)
{
    CURLcode bad = CURLE_OK;

#define SET(option, value) bad = bad ? bad : curl_easy_setopt(c, option, value)
    SET(CURLOPT_URL, url);
    SET(CURLOPT_HTTPHEADER, u->headers);
    SET(CURLOPT_PROTOCOLS_STR, "http,https");
    SET(CURLOPT_PROXY, "");
    SET(CURLOPT_FOLLOWLOCATION, BROKEN("redirects-followed") ? 1L : 0L);
    SET(CURLOPT_SSL_VERIFYPEER, BROKEN("any-certificate") ? 0L : 1L);
    SET(CURLOPT_SSL_VERIFYHOST, BROKEN("any-certificate") ? 0L : 2L);
    SET(CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1);
    SET(CURLOPT_USERAGENT, "weir");
    SET(CURLOPT_NOSIGNAL, 1L);
    SET(CURLOPT_QUICK_EXIT, 1L);              /* a look-up that still runs is left to end by itself */
    SET(CURLOPT_TCP_NODELAY, 1L);
    SET(CURLOPT_TCP_KEEPALIVE, 1L);
    SET(CURLOPT_BUFFERSIZE, (long)READ_BYTES);
    SET(CURLOPT_UPLOAD_BUFFERSIZE, (long)UPLOAD_BYTES);
    SET(CURLOPT_CONNECTTIMEOUT_MS, (long)(u->s->tune.timeouts.connect_us / USEC_PER_MS));
    SET(CURLOPT_SSLVERSION, (long)CURL_SSLVERSION_TLSv1_2);
    SET(CURLOPT_CAPATH, NULL);                /* with a folder every connection would parse the whole store again */
    if (u->ca_file)
        SET(CURLOPT_CAINFO, u->ca_file);
#undef SET
    return bad == CURLE_OK;
}

CURL *upstream_call(struct upstream *u, enum wire w, const char *model, const char *body, size_t n, struct curl_slist *own,
                    upstream_data_fn *on_head, upstream_data_fn *on_body, void *ctx)
{
    CURL *c = u->stocked > 0 ? u->stock[--u->stocked] : NULL;
    char *made = u->s->api_version ? deployment_url(u, w, model) : NULL;
    const char *url = made ? made : u->url[w];

    if (!c) {
        c = curl_easy_init();
        if (!c || !set_up(u, c, url)) {
            curl_easy_cleanup(c);
            free(made);
            return NULL;
        }
        curl_easy_setopt(c, CURLOPT_POST, 1L);
        curl_easy_setopt(c, CURLOPT_HEADERFUNCTION, on_head);
        curl_easy_setopt(c, CURLOPT_WRITEFUNCTION, on_body);
    }
    u->out++;
    curl_easy_setopt(c, CURLOPT_URL, url);
    free(made);                               /* libcurl has its own */
    curl_easy_setopt(c, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)n);
    curl_easy_setopt(c, CURLOPT_POSTFIELDS, body);
    if (own) {
        struct curl_slist *last = own;

        while (last->next)
            last = last->next;
        last->next = u->headers;
        curl_easy_setopt(c, CURLOPT_HTTPHEADER, own);
    }
    curl_easy_setopt(c, CURLOPT_HEADERDATA, ctx);
    curl_easy_setopt(c, CURLOPT_WRITEDATA, ctx);
    curl_easy_setopt(c, CURLOPT_PRIVATE, ctx);
    return c;
}

CURL *upstream_list_models(struct upstream *u, upstream_data_fn *on_body, void *ctx)
{
    CURL *c = curl_easy_init();

    if (!c || !set_up(u, c, u->models_url)) {
        curl_easy_cleanup(c);
        return NULL;
    }
    u->out++;
    if (u->list_head.data)
        curl_easy_setopt(c, CURLOPT_HTTPHEADER, &u->list_head);
    curl_easy_setopt(c, CURLOPT_HTTPGET, 1L);
    curl_easy_setopt(c, CURLOPT_TIMEOUT_MS, (long)(u->s->tune.timeouts.first_byte_us / USEC_PER_MS));
    curl_easy_setopt(c, CURLOPT_WRITEFUNCTION, on_body);
    curl_easy_setopt(c, CURLOPT_WRITEDATA, ctx);
    curl_easy_setopt(c, CURLOPT_PRIVATE, ctx);
    return c;
}

void upstream_give(struct upstream *u, CURL *easy)
{
    char *url = NULL;

    u->out--;
    curl_easy_getinfo(easy, CURLINFO_EFFECTIVE_URL, &url);
    if (u->retired || u->stocked == STOCK_MAX || !url || strcmp(url, u->models_url) == 0) {
        curl_easy_cleanup(easy);
        if (u->retired && u->out == 0)
            upstream_free(u);
        return;
    }
    curl_easy_setopt(easy, CURLOPT_POSTFIELDS, NULL);
    curl_easy_setopt(easy, CURLOPT_HTTPHEADER, u->headers);
    u->stock[u->stocked++] = easy;
}

enum weir_err upstream_failure(CURLcode code, bool answered)
{
    switch ((int)code) {
    case CURLE_COULDNT_RESOLVE_HOST:
        return WEIR_E_UPSTREAM_DNS;
    case CURLE_COULDNT_CONNECT:
        return WEIR_E_UPSTREAM_CONNECT;
    case CURLE_SSL_CONNECT_ERROR:
    case CURLE_PEER_FAILED_VERIFICATION:
    case CURLE_SSL_CERTPROBLEM:
    case CURLE_SSL_CIPHER:
    case CURLE_SSL_CACERT_BADFILE:
    case CURLE_SSL_ISSUER_ERROR:
    case CURLE_SSL_INVALIDCERTSTATUS:
        return WEIR_E_UPSTREAM_TLS;
    case CURLE_OPERATION_TIMEDOUT:
        return WEIR_E_UPSTREAM_TIMEOUT;
    case CURLE_SEND_ERROR:
    case CURLE_RECV_ERROR:
    case CURLE_GOT_NOTHING:
    case CURLE_PARTIAL_FILE:
        return answered ? WEIR_E_UPSTREAM_TRUNCATED : WEIR_E_UPSTREAM_CONNECT;
    case CURLE_FILESIZE_EXCEEDED:
    case CURLE_OUT_OF_MEMORY:                 /* also a header line beyond libcurl's own limit */
        return WEIR_E_UPSTREAM_TOO_LARGE;
    case CURLE_WEIRD_SERVER_REPLY:
    case CURLE_UNSUPPORTED_PROTOCOL:
    case CURLE_BAD_CONTENT_ENCODING:
        return WEIR_E_UPSTREAM_INVALID;
    default:
        return WEIR_E_UPSTREAM;
    }
}
