/* otlp.c - a POST, and what its status means. */
#include "peer/otlp.h"

#include <curl/curl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/sb.h"

enum { ANSWER_MAX = 64 * 1024 };

struct otlp {
    CURL *easy;
    struct curl_slist *headers;
    char *url;
    size_t answer_bytes;
    bool (*give_up)(void *ctx);
    void *ctx;
};

static bool add_header(struct otlp *o, const char *text)
{
    struct curl_slist *longer = curl_slist_append(o->headers, text);

    o->headers = longer ? longer : o->headers;
    return longer != NULL;
}

/* The next "name=value" of the list; false at its end. */
static bool next_header(const char **at, const char **name, size_t *name_n, const char **value, size_t *value_n)
{
    const char *s = *at + strspn(*at, ", ");

    *name = s;
    *name_n = strcspn(s, "=,");
    *value = s[*name_n] == '=' ? s + *name_n + 1 : NULL;
    *value_n = *value ? strcspn(*value, ",") : 0;
    *at = *value ? *value + *value_n : s + *name_n;
    return *s != '\0';
}

static bool add_headers(struct otlp *o, const char *headers)
{
    const char *name, *value;
    size_t name_n, value_n;
    bool ok = add_header(o, "Content-Type: application/json") && add_header(o, "Expect:");

    while (ok && headers && next_header(&headers, &name, &name_n, &value, &value_n)) {
        struct sb line = sb_make(8192);

        sb_putf(&line, "%.*s: %.*s", (int)name_n, name, (int)value_n, value);
        ok = sb_ok(&line) && add_header(o, sb_str(&line));
        if (line.p)
            explicit_bzero(line.p, line.len);
        sb_done(&line);
    }
    return ok;
}

static size_t on_body(char *p, size_t one, size_t n, void *ctx)
{
    struct otlp *o = ctx;

    (void)p, (void)one;
    o->answer_bytes += n;
    return o->answer_bytes > ANSWER_MAX ? 0 : n;
}

static int on_progress(void *ctx, curl_off_t a, curl_off_t b, curl_off_t c, curl_off_t d)
{
    struct otlp *o = ctx;

    (void)a, (void)b, (void)c, (void)d;
    return o->give_up(o->ctx);
}

static bool set_up(struct otlp *o, const char *ca_file)
{
    CURLcode bad = CURLE_OK;

#define SET(option, value) bad = bad ? bad : curl_easy_setopt(o->easy, option, value)
    SET(CURLOPT_URL, o->url);
    SET(CURLOPT_HTTPHEADER, o->headers);
    SET(CURLOPT_POST, 1L);
    SET(CURLOPT_PROTOCOLS_STR, "http,https");
    SET(CURLOPT_PROXY, "");
    SET(CURLOPT_FOLLOWLOCATION, 0L);
    SET(CURLOPT_USERAGENT, "weir-otlp");
    SET(CURLOPT_NOSIGNAL, 1L);
    SET(CURLOPT_TIMEOUT_MS, (long)OTLP_TIMEOUT_MS);
    SET(CURLOPT_SSLVERSION, (long)CURL_SSLVERSION_TLSv1_2);
    SET(CURLOPT_CAPATH, NULL);
    if (ca_file)
        SET(CURLOPT_CAINFO, ca_file);
    SET(CURLOPT_WRITEFUNCTION, on_body);
    SET(CURLOPT_WRITEDATA, o);
    SET(CURLOPT_NOPROGRESS, 0L);
    SET(CURLOPT_XFERINFOFUNCTION, on_progress);
    SET(CURLOPT_XFERINFODATA, o);
#undef SET
    return bad == CURLE_OK;
}

struct otlp *otlp_new(const char *endpoint, const char *headers, const char *ca_file, bool (*give_up)(void *ctx), void *ctx)
{
    struct otlp *o = mem_zalloc(1, sizeof *o);
    struct sb url = sb_make(1024);

    o->give_up = give_up;
    o->ctx = ctx;
    sb_puts(&url, endpoint);
    sb_puts(&url, "/v1/traces");
    o->url = sb_ok(&url) ? sb_take(&url) : NULL;
    sb_done(&url);
    o->easy = curl_easy_init();
    if (o->url && o->easy && add_headers(o, headers) && set_up(o, ca_file))
        return o;
    otlp_free(o);
    return NULL;
}

void otlp_free(struct otlp *o)
{
    if (!o)
        return;
    curl_easy_cleanup(o->easy);
    for (struct curl_slist *h = o->headers; h; h = h->next)
        explicit_bzero(h->data, strlen(h->data));
    curl_slist_free_all(o->headers);
    free(o->url);
    free(o);
}

enum otlp_result otlp_send(struct otlp *o, const char *body, size_t n, char why[OTLP_WHY])
{
    CURLcode code;
    long status = 0;

    o->answer_bytes = 0;
    curl_easy_setopt(o->easy, CURLOPT_POSTFIELDS, body);
    curl_easy_setopt(o->easy, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)n);
    code = curl_easy_perform(o->easy);
    if (code == CURLE_OK)
        curl_easy_getinfo(o->easy, CURLINFO_RESPONSE_CODE, &status);
    why[0] = '\0';
    if (status >= 200 && status < 300)
        return OTLP_SENT;
    if (status == 0)
        (void)snprintf(why, OTLP_WHY, "No answer: %s.", curl_easy_strerror(code));
    else
        (void)snprintf(why, OTLP_WHY, "The receiver answered %ld.", status);
    return status == 0 || status == 429 || status == 502 || status == 503 || status == 504 ? OTLP_AGAIN : OTLP_REFUSED;
}
