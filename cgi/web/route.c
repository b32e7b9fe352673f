/* route.c - the table of route.h as data, and finding a line in it. */
#include "web/route.h"

#include <string.h>

static const struct route routes[] = {
#define X(method, pattern, perm, body, query, handler) \
    {HTTP_##method, pattern, PERM_##perm, BODY_##body, query, handler},
    ROUTES(X)
#undef X
};

const struct route *route_table(size_t *n)
{
    *n = sizeof routes / sizeof *routes;
    return routes;
}

static size_t id_length(const char *s)
{
    return strspn(s, "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz_-");
}

/* How long what stands for an id is at the start of a pattern; 0: another thing does. */
static size_t placeholder(const char *pattern)
{
    static const char *const names[] = {"{id}", "{session}"};

    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (strncmp(pattern, names[i], strlen(names[i])) == 0)
            return strlen(names[i]);
    return 0;
}

/* Compare byte by byte; an id takes a whole segment. */
static bool path_matches(const char *pattern, const char *path, char arg[WEB_ARGS][WEB_ARG_MAX + 1])
{
    static const char rest[] = "{rest}";
    size_t id;
    int n = 0;

    while (*pattern) {
        if (strcmp(pattern, rest) == 0)
            return *path != '\0';
        if (*pattern == '{' && (id = placeholder(pattern)) > 0) {
            size_t len = id_length(path);

            if (len == 0 || len > WEB_ARG_MAX || n == WEB_ARGS)
                return false;
            memcpy(arg[n], path, len);
            arg[n++][len] = '\0';
            pattern += id;
            path += len;
        } else if (*pattern++ != *path++)
            return false;
    }
    return *path == '\0';
}

const struct route *route_find(enum http_method method, const char *path, char arg[WEB_ARGS][WEB_ARG_MAX + 1],
                               unsigned *allow)
{
    *allow = 0;
    for (size_t i = 0; i < sizeof routes / sizeof *routes; i++) {
        memset(arg, 0, WEB_ARGS * (WEB_ARG_MAX + 1));
        if (!path_matches(routes[i].pattern, path, arg))
            continue;
        if (routes[i].method == method)
            return &routes[i];
        *allow |= 1U << routes[i].method;
    }
    return NULL;
}

bool route_permits(const struct route *r, enum role role)
{
    return r->perm == PERM_OPEN || (r->perm & 1 << role) != 0;
}

static bool listed(const char *words, const char *word)
{
    size_t n = strlen(word);

    for (;; words++) {
        size_t len = strcspn(words, ",");

        if (len == n && memcmp(words, word, n) == 0)
            return true;
        words += len;
        if (!*words)
            return false;
    }
}

static const struct {
    const char *prefix, *scope;
} opens[] = {
    {"/chat/", "chat"}, {"/v1/", "chat"}, {"/operations/", "chat"}, {"/monitoring/", "monitor"}, {"/metrics", "monitor"}, {"/usage/", "usage"},
};

bool route_scope_exists(const char *scope)
{
    for (size_t i = 0; i < sizeof opens / sizeof *opens; i++) {
        if (strcmp(scope, opens[i].scope) == 0)
            return true;
    }
    return false;
}

bool route_in_scope(const struct route *r, const char *scopes)
{
    if (!*scopes || r->perm == PERM_OPEN)
        return true;
    if (r->method == HTTP_GET && strcmp(r->pattern, "/app/me") == 0)
        return listed(scopes, "chat") || listed(scopes, "monitor");
    for (size_t i = 0; i < sizeof opens / sizeof *opens; i++) {
        if (strncmp(r->pattern, opens[i].prefix, strlen(opens[i].prefix)) == 0 && listed(scopes, opens[i].scope))
            return true;
    }
    return false;
}
