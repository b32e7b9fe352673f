/* fuzz_web.c - what nginx passes on: parameters, path, query, cookies, headers.
 * One route at most takes a path, decoding never makes anything longer, and no
 * byte of a request can end a header line of the answer.
 *
 * The input is parameters, each "NAME=value", parted by NUL. */
#include <string.h>

#include "fuzz.h"
#include "web/auth.h"
#include "web/http.h"
#include "web/route.h"

const size_t fuzz_neighbours = 2000;

enum { PARAMS_MAX = 128 };

/* The routes' rule, written another way: segment by segment. */
static bool takes(const char *pattern, const char *path)
{
    for (;;) {
        size_t p = strcspn(pattern, "/"), q = strcspn(path, "/");

        if (strcmp(pattern, "{rest}") == 0)
            return *path != '\0';
        if ((p == 4 && memcmp(pattern, "{id}", 4) == 0) || (p == 9 && memcmp(pattern, "{session}", 9) == 0)) {
            if (q < 1 || q > 64)
                return false;
            for (size_t i = 0; i < q; i++)
                if (!memchr("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_-", path[i], 64))
                    return false;
        } else if (p != q || memcmp(pattern, path, p) != 0)
            return false;
        pattern += p;
        path += q;
        if (!*pattern || !*path)
            return *pattern == *path;
        pattern++;
        path++;
    }
}

static void check_route(const struct http_request *rq)
{
    char arg[WEB_ARGS][WEB_ARG_MAX + 1];
    unsigned allow, expected = 0;
    size_t n, matches = 0;
    const struct route *table = route_table(&n), *only = NULL, *found = route_find(rq->method, rq->path, arg, &allow);

    for (size_t i = 0; i < n; i++) {
        if (!takes(table[i].pattern, rq->path))
            continue;
        expected |= 1U << table[i].method;
        if (table[i].method == rq->method) {
            only = &table[i];
            matches++;
        }
    }
    must(matches <= 1);
    must(found == only);
    must(found || allow == expected);
}

static void check_query(struct http_request *rq)
{
    const char *name;
    enum weir_err e = http_read_query(rq, NULL, &name);

    must(e == WEIR_OK || e == WEIR_E_INVALID_FIELD);
    for (int i = 0; !e && i < rq->query_count; i++) {
        const char *pair[] = {rq->query[i].name, rq->query[i].value};

        for (int j = 0; j < 2; j++) {
            must(strlen(pair[j]) <= strlen(rq->raw_query));
            for (const char *c = pair[j]; *c; c++)
                must((unsigned char)*c >= ' ' && *c != 0x7f);
        }
        must(http_query(rq, rq->query[i].name, NULL) == rq->query[i].value);
    }
    e = http_read_query(rq, "from to limit", &name);
    must(e == WEIR_OK || e == WEIR_E_INVALID_FIELD || e == WEIR_E_UNKNOWN_FIELD);
}

/* Whatever is put into a header, the head has the lines it was given and no more. A value that is refused is logged, which is
 * not to be all that this does. */
static void check_head(const char *value)
{
    static int refused;
    struct http_response rs;
    struct sb head = sb_make(1 << 18);
    size_t lines = 0;

    for (const char *c = value; *c; c++)
        if (((unsigned char)*c < ' ' || *c == 0x7f) && refused++ > 20)
            return;
    http_response_init(&rs);
    http_header(&rs, "X-Told", value);
    http_head(&rs, "req_0123456789abcdefghijkl", &head);
    for (size_t i = 0; i < head.len; i++)
        lines += head.p[i] == '\n';
    must(lines <= 8 && (head.failed || memcmp(head.p + head.len - 4, "\r\n\r\n", 4) == 0));
    http_response_done(&rs);
    sb_done(&head);
}

static void check_credentials(const struct http_request *rq)
{
    char token[ACCOUNT_TOKEN_SIZE] = "", cookie[64];
    bool given;

    if (auth_bearer(rq, token, &given))
        must(given && strlen(token) < sizeof token);
    if (http_cookie(rq, auth_cookie_name(rq), cookie, sizeof cookie))
        must(*cookie && !strchr(cookie, ';') && rq->cookie && strstr(rq->cookie, cookie));
    must(!auth_origin_is_ours(rq) || (rq->origin && rq->host && strcasestr(rq->origin, rq->host)));
    (void)http_is_json(rq);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    static struct http_request rq;
    const char *params[PARAMS_MAX + 1], *name = "";
    char *text = malloc(n + 1);
    size_t count = 0;
    enum weir_err e;

    memcpy(text, data, n);
    text[n] = '\0';
    for (char *at = text; at < text + n && count < PARAMS_MAX; at += strlen(at) + 1)
        params[count++] = at;
    params[count] = NULL;
    e = http_read(&rq, params, &name);
    must(e == WEIR_OK || e == WEIR_E_NOT_FOUND || e == WEIR_E_DUPLICATE_HEADER || e == WEIR_E_INVALID_FIELD);
    must(strlen(rq.path) <= HTTP_PATH_MAX && rq.raw_query && rq.content_length >= -1);
    for (const char *c = rq.path; *c; c++)
        must(*c > ' ' && *c <= '~' && *c != '?' && (*c != '%' || strncmp(rq.path, HTTP_ENCODED, sizeof HTTP_ENCODED - 1) == 0));
    if (!e)
        check_route(&rq);
    check_query(&rq);
    check_credentials(&rq);
    for (size_t i = 0; i < count; i++)
        check_head(params[i]);
    free(text);
    return 0;
}
