/* nginx_conf.c - a word between two @ is replaced; an unknown one is a mistake in the template. */
#include "web/nginx_conf.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/file.h"

struct values {
    const struct settings *settings;
    const char *user;
    char *state, *data, *socket;     /* absolute */
};

static void put_address(struct sb *out, const char *address)
{
    sb_putf(out, strchr(address, ':') ? "[%s]" : "%s", address);
}

static void put_listen(const struct values *v, struct sb *out)
{
    put_address(out, v->settings->http.address);
    sb_putf(out, ":%" PRId64, v->settings->http.port);
}

/* An IPv6 wildcard takes IPv4 too. */
static void put_listen_options(const struct values *v, struct sb *out)
{
    if (strcmp(v->settings->http.address, "::") == 0)
        sb_puts(out, " ipv6only=off");
}

/* Lines of a map from host name to 1. */
static void put_hosts(const struct values *v, struct sb *out)
{
    static const char *const wildcards[] = {"0.0.0.0", "::"};
    const struct cfg_list *hosts = &v->settings->http.hosts;
    const char *address = v->settings->http.address;
    bool any = false;

    for (size_t i = 0; i < hosts->n; i++)
        sb_putf(out, "\"%s\" 1; ", hosts->items[i]);
    if (hosts->n == 0) {
        for (size_t i = 0; i < sizeof wildcards / sizeof *wildcards; i++)
            any = any || strcmp(address, wildcards[i]) == 0;
        sb_puts(out, "localhost 1; \"127.0.0.1\" 1; \"[::1]\" 1; ");
        if (!any && strcmp(address, "127.0.0.1") != 0 && strcmp(address, "::1") != 0) {
            sb_puts(out, "\"");
            put_address(out, address);
            sb_puts(out, "\" 1; ");
        }
    }
    sb_putf(out, "default %d;", any);
}

static void put_first_host(const struct values *v, struct sb *out)
{
    const struct cfg_list *hosts = &v->settings->http.hosts;

    sb_puts(out, hosts->n ? hosts->items[0] : "localhost");
}

static void put_user(const struct values *v, struct sb *out)
{
    if (v->user)
        sb_putf(out, "user %s;", v->user);
}

static void put_state(const struct values *v, struct sb *out) { sb_puts(out, v->state); }
static void put_data(const struct values *v, struct sb *out) { sb_puts(out, v->data); }
static void put_socket(const struct values *v, struct sb *out) { sb_puts(out, v->socket); }
static void put_max_body(const struct values *v, struct sb *out) { sb_i64(out, v->settings->http.max_body_bytes); }
static void put_max_body_v1(const struct values *v, struct sb *out) { sb_i64(out, v->settings->http.max_body_v1_bytes); }

static const struct {
    const char *word;
    void (*put)(const struct values *v, struct sb *out);
} words[] = {
    {"DATA", put_data},
    {"FIRST_HOST", put_first_host},
    {"HOSTS", put_hosts},
    {"LISTEN", put_listen},
    {"LISTEN_OPTIONS", put_listen_options},
    {"MAX_BODY", put_max_body},
    {"MAX_BODY_V1", put_max_body_v1},
    {"SOCKET", put_socket},
    {"STATE", put_state},
    {"USER", put_user},
};

/* Put the value of the word of n bytes; false if there is no such word. */
static bool put_word(const struct values *v, const char *word, size_t n, struct sb *out)
{
    for (size_t i = 0; i < sizeof words / sizeof *words; i++)
        if (strlen(words[i].word) == n && memcmp(words[i].word, word, n) == 0) {
            words[i].put(v, out);
            return true;
        }
    return false;
}

static bool fill(const struct values *v, const char *text, struct sb *out, struct sb *why)
{
    for (const char *at; (at = strchr(text, '@')) != NULL;) {
        size_t n = strspn(at + 1, "ABCDEFGHIJKLMNOPQRSTUVWXYZ_0123456789");

        sb_put(out, text, (size_t)(at - text));
        if (n && at[n + 1] == '@') {
            if (!put_word(v, at + 1, n, out)) {
                sb_putf(why, "The template of nginx.conf has an unknown word %.*s.", (int)(n + 2), at);
                return false;
            }
            text = at + n + 2;
        } else {
            sb_putc(out, '@');
            text = at + 1;
        }
    }
    sb_puts(out, text);
    return true;
}

/* The absolute form of a path to something that exists; caller frees. */
static char *absolute(const char *key, const char *path, struct sb *why)
{
    char *full = realpath(path, NULL);

    if (!full)
        sb_putf(why, "%s is \"%s\", which cannot be used: %s.", key, path, strerror(errno));
    return full;
}

/* The socket need not exist yet: its folder counts. */
static char *absolute_socket(const char *path, struct sb *why)
{
    const char *slash = strrchr(path, '/'), *name = slash ? slash + 1 : path;
    struct sb folder = sb_make(8192), socket = sb_make(8192);
    char *full;

    if (slash)
        sb_put(&folder, path, (size_t)(name - path));
    else
        sb_putc(&folder, '.');
    full = absolute("socket", sb_str(&folder), why);
    if (full)
        sb_putf(&socket, "%s/%s", strcmp(full, "/") == 0 ? "" : full, name);
    free(full);
    sb_done(&folder);
    return socket.len ? sb_take(&socket) : NULL;
}

bool nginx_conf(const struct settings *s, const char *template_path, const char *user, struct sb *out, struct sb *why)
{
    struct sb text = sb_make(1 << 20);
    struct values v = {.settings = s, .user = user};
    bool ok = false;

    if (file_read(template_path, &text, why) && (v.state = absolute("state", s->state, why)) != NULL &&
        (v.data = absolute("data", s->data, why)) != NULL && (v.socket = absolute_socket(s->socket, why)) != NULL)
        ok = fill(&v, sb_str(&text), out, why) && sb_ok(out);
    free(v.state);
    free(v.data);
    free(v.socket);
    sb_done(&text);
    return ok;
}
