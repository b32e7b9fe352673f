/* weir_call.c - see weir_call.h. */
#include "peer/weir_call.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "peer/scan.h"

enum { ANSWER_MAX = 64 << 20, BODY_MAX = 1 << 30, HEADER_MAX = 8192, URL_MAX = 4096 };

int64_t weir_call_dollars(const char *text)
{
    size_t n = strcspn(text, " \t\r\n");
    struct scan s = scan_make(text, n);
    int64_t pico;

    return n > 0 && scan_dollars(&s, &pico) ? pico : -1;
}

int64_t weir_call_dollars_of(const json_t *o, const char *name)
{
    char *text = json_dumps(json_object_get(o, name), JSON_ENCODE_ANY);
    int64_t pico = text ? weir_call_dollars(text) : -1;

    free(text);
    return pico;
}

/* The value of a header line if it is `name`'s, else NULL. */
static const char *value_of(const char *line, size_t n, const char *name)
{
    size_t k = strlen(name);

    if (n <= k || strncasecmp(line, name, k) != 0 || line[k] != ':')
        return NULL;
    return line + k + 1 + strspn(line + k + 1, " ");
}

static size_t on_header(char *p, size_t one, size_t n, void *ctx)
{
    struct weir_call *c = ctx;
    char line[256];
    const char *v;

    (void)one;
    (void)snprintf(line, sizeof line, "%.*s", (int)(n < sizeof line ? n : sizeof line - 1), p);
    line[strcspn(line, "\r\n")] = '\0';
    if ((v = value_of(line, strlen(line), "X-Request-Id")))
        (void)snprintf(c->request_id, sizeof c->request_id, "%s", v);
    else if ((v = value_of(line, strlen(line), "X-Weir-Cost-Usd")))
        c->cost = weir_call_dollars(v);
    else if ((v = value_of(line, strlen(line), "Retry-After")))
        c->retry_after_ms = strtoll(v, NULL, 10) * 1000;
    return n;
}

static size_t on_body(char *p, size_t one, size_t n, void *ctx)
{
    struct weir_call *c = ctx;

    (void)one;
    sb_put(&c->answer, p, n);
    return sb_ok(&c->answer) ? n : 0;
}

bool weir_call_open(struct weir_call *c)
{
    *c = (struct weir_call){.easy = curl_easy_init(), .url = sb_make(URL_MAX), .body = sb_make(BODY_MAX), .answer = sb_make(ANSWER_MAX)};
    return c->easy != NULL;
}

static void drop_headers(struct weir_call *c)
{
    for (struct curl_slist *h = c->headers; h; h = h->next)
        explicit_bzero(h->data, strlen(h->data));
    curl_slist_free_all(c->headers);
    c->headers = NULL;
}

void weir_call_close(struct weir_call *c)
{
    curl_easy_cleanup(c->easy);
    drop_headers(c);
    sb_done(&c->url);
    sb_done(&c->body);
    sb_done(&c->answer);
}

static bool add_header(struct weir_call *c, const char *name, const char *value)
{
    struct sb line = sb_make(HEADER_MAX);
    struct curl_slist *longer;

    sb_putf(&line, "%s: %s", name, value);
    longer = sb_ok(&line) ? curl_slist_append(c->headers, sb_str(&line)) : NULL;
    c->headers = longer ? longer : c->headers;
    explicit_bzero(line.p, line.len);
    sb_done(&line);
    return longer != NULL;
}

bool weir_call_set(struct weir_call *c, const char *url, const char *token, const char *path, const char *body, size_t n,
                    const char *priority, const char *key)
{
    struct sb bearer = sb_make(HEADER_MAX);
    bool ok;
    CURLcode bad = CURLE_OK;

    drop_headers(c);
    sb_reset(&c->url);
    sb_reset(&c->answer);
    c->request_id[0] = '\0';
    c->cost = c->retry_after_ms = -1;
    sb_putf(&c->url, "%s%s", url, path);
    sb_putf(&bearer, "Bearer %s", token);
    ok = sb_ok(&bearer) && sb_ok(&c->url) && add_header(c, "Authorization", sb_str(&bearer)) &&
         (!body || add_header(c, "Content-Type", "application/json")) && (!key || add_header(c, "Idempotency-Key", key)) &&
         (!priority || add_header(c, "X-Weir-Priority", priority)) && add_header(c, "Expect", "");
    explicit_bzero(bearer.p, bearer.len);
    sb_done(&bearer);
    curl_easy_reset(c->easy);            /* its connection stays */
#define SET(option, value) bad = bad ? bad : curl_easy_setopt(c->easy, option, value)
    SET(CURLOPT_URL, sb_str(&c->url));
    SET(CURLOPT_HTTPHEADER, c->headers);
    SET(CURLOPT_PROTOCOLS_STR, "http,https");
    SET(CURLOPT_FOLLOWLOCATION, 0L);
    SET(CURLOPT_USERAGENT, "weir");
    SET(CURLOPT_NOSIGNAL, 1L);
    SET(CURLOPT_CONNECTTIMEOUT, 10L);
    SET(CURLOPT_TCP_KEEPALIVE, 1L);
    SET(CURLOPT_HEADERFUNCTION, on_header);
    SET(CURLOPT_HEADERDATA, c);
    SET(CURLOPT_WRITEFUNCTION, on_body);
    SET(CURLOPT_WRITEDATA, c);
    SET(CURLOPT_PRIVATE, c);
    if (body) {
        SET(CURLOPT_POST, 1L);
        SET(CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)n);
        SET(CURLOPT_POSTFIELDS, body);
    }
#undef SET
    return ok && bad == CURLE_OK;
}

int weir_call_status(const struct weir_call *c)
{
    long status = 0;

    return curl_easy_getinfo(c->easy, CURLINFO_RESPONSE_CODE, &status) == CURLE_OK ? (int)status : 0;
}
