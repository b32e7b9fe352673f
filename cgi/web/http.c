/* http.c - parameters to a request, a response to text. */
#include "web/http.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "base/log.h"
#include "base/utf8.h"

static const char *const method_names[] = {
    [HTTP_GET] = "GET",       [HTTP_POST] = "POST",     [HTTP_PUT] = "PUT",
    [HTTP_PATCH] = "PATCH",   [HTTP_DELETE] = "DELETE", [HTTP_OTHER] = "",
};

const char *http_method_name(enum http_method m)
{
    return method_names[m];
}

static enum http_method method_parse(const char *s)
{
    if (strcmp(s, "HEAD") == 0)
        return HTTP_GET;
    for (int m = HTTP_GET; m < HTTP_OTHER; m++) {
        if (strcmp(s, method_names[m]) == 0)
            return (enum http_method)m;
    }
    return HTTP_OTHER;
}

/* --- reading a request --- */

/* A header that decides about access must be there once: with two, each reader might believe another one. */
struct wanted {
    const char *param;
    size_t at;                   /* offset of a const char * in struct http_request */
    const char *once;            /* its name for people, or NULL: the first one counts */
};

#define AT(member) offsetof(struct http_request, member)
static const struct wanted wanted[] = {
    {"HTTP_ANTHROPIC_BETA", AT(anthropic_beta), NULL},
    {"HTTP_ANTHROPIC_VERSION", AT(anthropic_version), NULL},
    {"HTTP_AUTHORIZATION", AT(authorization), "Authorization"},
    {"HTTP_CONTENT_ENCODING", AT(content_encoding), "Content-Encoding"},
    {"HTTP_CONTENT_TYPE", AT(content_type), "Content-Type"},
    {"HTTP_COOKIE", AT(cookie), "Cookie"},
    {"HTTP_HOST", AT(host), "Host"},
    {"HTTP_IDEMPOTENCY_KEY", AT(idempotency_key), "Idempotency-Key"},
    {"HTTP_IF_NONE_MATCH", AT(if_none_match), NULL},
    {"HTTP_LAST_EVENT_ID", AT(last_event_id), NULL},
    {"HTTP_ORIGIN", AT(origin), "Origin"},
    {"HTTP_SEC_FETCH_SITE", AT(sec_fetch_site), "Sec-Fetch-Site"},
    {"HTTP_TRACEPARENT", AT(traceparent), NULL},
    {"HTTP_X_API_KEY", AT(api_key), "x-api-key"},
    {"HTTP_X_CSRF_TOKEN", AT(csrf_token), "X-CSRF-Token"},
    {"HTTP_X_WEIR_CACHE", AT(weir_cache), "X-Weir-Cache"},
    {"HTTP_X_WEIR_METADATA", AT(weir_metadata), "X-Weir-Metadata"},
    {"HTTP_X_WEIR_PRIORITY", AT(weir_priority), "X-Weir-Priority"},
    {"HTTP_X_WEIR_SESSION", AT(weir_session), "X-Weir-Session"},
    {"REMOTE_ADDR", AT(remote_addr), NULL},
    {"REQUEST_SCHEME", AT(scheme), NULL},
    {"WEIR_PROXY_USER", AT(proxy_user), "WEIR_PROXY_USER"},
};
#undef AT

/* Digits only, below 10^15. */
static bool length_parse(const char *s, int64_t *out)
{
    int64_t n = 0;
    size_t i = 0;

    for (; s[i] >= '0' && s[i] <= '9' && i < 15; i++)
        n = n * 10 + (s[i] - '0');
    *out = n;
    return i > 0 && s[i] == '\0';
}

static bool path_copy(struct http_request *rq, const char *uri)
{
    size_t n = strcspn(uri, "?");

    rq->raw_query = uri[n] ? uri + n + 1 : "";
    if (n == 0 || n > HTTP_PATH_MAX || uri[0] != '/')
        return false;
    for (size_t i = 0; i < n; i++) {
        if (uri[i] <= ' ' || uri[i] > '~' || (uri[i] == '%' && strncmp(uri, HTTP_ENCODED, sizeof HTTP_ENCODED - 1) != 0))
            return false;
    }
    memcpy(rq->path, uri, n);
    rq->path[n] = '\0';
    return true;
}

enum weir_err http_read(struct http_request *rq, const char *const *params, const char **name)
{
    const char *uri = "", *length = "";
    enum weir_err e = WEIR_OK;

    memset(rq, 0, offsetof(struct http_request, query_text));
    rq->query_count = 0;
    rq->method = HTTP_OTHER;
    *name = "";
    for (; *params; params++) {
        const char *value = strchr(*params, '=');
        size_t n = value ? (size_t)(value++ - *params) : 0;

        if (!value)
            continue;
        if (n == 14 && memcmp(*params, "REQUEST_METHOD", n) == 0)
            rq->method = method_parse(value);
        else if (n == 11 && memcmp(*params, "REQUEST_URI", n) == 0)
            uri = value;
        else if (n == 14 && memcmp(*params, "CONTENT_LENGTH", n) == 0)
            length = value;
        for (size_t i = 0; i < sizeof wanted / sizeof *wanted && *value; i++) {
            const char **slot = (const char **)(void *)((char *)rq + wanted[i].at);

            if (strlen(wanted[i].param) != n || memcmp(*params, wanted[i].param, n) != 0)
                continue;
            if (*slot && wanted[i].once) {
                *name = wanted[i].once;
                e = WEIR_E_DUPLICATE_HEADER;
            } else if (!*slot)
                *slot = value;
        }
    }
    rq->content_length = -1;
    if (*length && !length_parse(length, &rq->content_length)) {
        *name = "Content-Length";
        e = WEIR_E_INVALID_FIELD;
    }
    return path_copy(rq, uri) ? e : WEIR_E_NOT_FOUND;
}

/* --- the query --- */

static int hex_digit(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    if (c >= 'a' && c <= 'f')
        return c - 'a' + 10;
    if (c >= 'A' && c <= 'F')
        return c - 'A' + 10;
    return -1;
}

bool http_url_decode(char *s)
{
    char *begin = s, *out = s;

    for (; *s; s++) {
        int c = (unsigned char)*s;

        if (c == '+')
            c = ' ';
        else if (c == '%') {
            int hi = hex_digit(s[1]), lo = hi < 0 ? -1 : hex_digit(s[2]);

            if (lo < 0)
                return false;
            c = hi * 16 + lo;
            s += 2;
        }
        if (c < ' ' || c == 0x7f)
            return false;
        *out++ = (char)c;
    }
    *out = '\0';
    return utf8_valid(begin, (size_t)(out - begin)) == (size_t)(out - begin);
}

static bool word_in(const char *words, const char *word)
{
    size_t n = strlen(word);

    for (const char *at = words; n && (at = strstr(at, word)) != NULL; at += n) {
        if ((at == words || at[-1] == ' ') && (at[n] == ' ' || at[n] == '\0'))
            return true;
    }
    return false;
}

enum weir_err http_read_query(struct http_request *rq, const char *known, const char **name)
{
    size_t n = strlen(rq->raw_query);
    char *rest = rq->query_text, *part;

    *name = "";
    rq->query_count = 0;
    if (n > HTTP_QUERY_MAX)
        return WEIR_E_INVALID_FIELD;
    memcpy(rq->query_text, rq->raw_query, n + 1);
    while ((part = strsep(&rest, "&")) != NULL) {
        char *value = strchr(part, '=');

        if (!*part)
            continue;
        if (value)
            *value++ = '\0';
        else
            value = part + strlen(part);
        if (!http_url_decode(part))
            return WEIR_E_INVALID_FIELD;
        *name = part;
        if (known && !word_in(known, part))
            return WEIR_E_UNKNOWN_FIELD;
        if (!http_url_decode(value) || http_query(rq, part, NULL) || rq->query_count == HTTP_QUERY_PAIRS)
            return WEIR_E_INVALID_FIELD;
        rq->query[rq->query_count++] = (struct http_pair){part, value};
    }
    return WEIR_OK;
}

const char *http_query(const struct http_request *rq, const char *name, const char *fallback)
{
    for (int i = 0; i < rq->query_count; i++) {
        if (strcmp(rq->query[i].name, name) == 0)
            return rq->query[i].value;
    }
    return fallback;
}

/* --- single headers --- */

bool http_cookie(const struct http_request *rq, const char *name, char *value, size_t size)
{
    size_t name_len = strlen(name);
    bool found = false;

    for (const char *at = rq->cookie ? rq->cookie : ""; *at;) {
        size_t n = strcspn(at, ";");

        if (n > name_len && at[name_len] == '=' && memcmp(at, name, name_len) == 0) {
            size_t value_len = n - name_len - 1;

            if (found || value_len == 0 || value_len >= size)
                return false;
            memcpy(value, at + name_len + 1, value_len);
            value[value_len] = '\0';
            found = true;
        }
        at += n;
        at += strspn(at, "; ");
    }
    return found;
}

bool http_is_json(const struct http_request *rq)
{
    static const char json[] = "application/json";
    const char *t = rq->content_type;

    if (!t || strncasecmp(t, json, sizeof json - 1) != 0)
        return false;
    t += sizeof json - 1;
    t += strspn(t, " \t");
    return *t == '\0' || *t == ';';
}

/* --- the response --- */

enum { HEAD_MAX = 8 * 1024, BODY_MAX = 64 * 1024 * 1024 };

void http_response_init(struct http_response *rs)
{
    *rs = (struct http_response){
        .status = 200,
        .type = "application/json",
        .head = sb_make(HEAD_MAX),
        .body = sb_make(BODY_MAX),
    };
}

void http_response_done(struct http_response *rs)
{
    sb_done(&rs->head);
    sb_done(&rs->body);
}

void http_header(struct http_response *rs, const char *name, const char *value)
{
    for (const char *c = value; *c; c++) {
        if ((unsigned char)*c < ' ' || *c == 0x7f) {
            log_error("http: a value for the header %s has a control byte in it and was left out", name);
            return;
        }
    }
    sb_putf(&rs->head, "%s: %s\r\n", name, value);
}

/* nginx passes the phrase on; some clients print it. */
void http_head(const struct http_response *rs, const char *request_id, struct sb *out)
{
    sb_putf(out, "Status: %d %s\r\n", rs->status, err_reason(rs->status));
    if (rs->type)
        sb_putf(out, "Content-Type: %s\r\n", rs->type);
    if (rs->status != 204 && rs->status != 304 && !rs->streamed)
        sb_putf(out, "Content-Length: %zu\r\n", rs->type ? rs->body.len : 0);
    sb_puts(out, rs->cacheable ? "Cache-Control: private, no-cache\r\n" : "Cache-Control: no-store\r\n");
    sb_putf(out, "X-Request-Id: %s\r\nrequest-id: %s\r\n", request_id, request_id);
    sb_put(out, sb_str(&rs->head), rs->head.len);
    sb_puts(out, "\r\n");
}

void http_see_other(struct http_response *rs, const char *path)
{
    rs->status = 303;
    rs->type = NULL;
    sb_reset(&rs->body);
    http_header(rs, "Location", path);
}

void http_refuse(struct http_response *rs, enum weir_err e, const struct err_detail *detail)
{
    struct err_detail d = detail ? *detail : (struct err_detail){.retry_after_ms = -1};

    rs->status = err_status(e);
    if ((rs->status == 429 || rs->status == 503) && d.retry_after_ms < 0)
        d.retry_after_ms = 1000;
    rs->type = "application/json";
    rs->cacheable = false;
    sb_reset(&rs->head);
    sb_reset(&rs->body);
    err_json(&rs->body, e, &d);
    sb_putc(&rs->body, '\n');
    if (rs->status == 401)
        http_header(rs, "WWW-Authenticate", "Bearer");
    if (rs->status == 429 || rs->status == 503)
        sb_putf(&rs->head, "Retry-After: %" PRId64 "\r\n", (d.retry_after_ms + 999) / 1000);
}

bool http_etag(const struct http_request *rq, struct http_response *rs, const char *tag)
{
    char quoted[160];
    const char *have = rq->if_none_match;

    (void)snprintf(quoted, sizeof quoted, "\"%s\"", tag);
    http_header(rs, "ETag", quoted);
    rs->cacheable = true;
    /* nginx weakens an ETag when it compresses the body, so W/"tag" is the same one. */
    if (!have || !(strcmp(have, "*") == 0 || strstr(have, quoted)))
        return false;
    rs->status = 304;
    rs->type = NULL;
    sb_reset(&rs->body);
    return true;
}
