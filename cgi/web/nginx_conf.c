/* nginx_conf.c - a word between two @ is replaced; an unknown one is a mistake in the template. */
#include "web/nginx_conf.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/file.h"
#include "base/mem.h"
#include "web/form.h"

enum { TEMPLATE_MAX = 1 << 20 };

struct values {
    const struct settings *settings;
    const char *user;
    const char *site;                /* what stands for SITE */
    char *state, *data, *socket;     /* absolute */
};

static bool has_tls(const struct values *v)
{
    return v->settings->http.tls_certificate != NULL;
}

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
    if (has_tls(v))
        sb_puts(out, " ssl http2");
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

/* In front of a line that is in force with TLS only. */
static void put_tls(const struct values *v, struct sb *out)
{
    sb_puts(out, has_tls(v) ? "" : "# ");
}

static void put_tls_certificate(const struct values *v, struct sb *out)
{
    sb_puts(out, has_tls(v) ? v->settings->http.tls_certificate : "/etc/ssl/weir.pem");
}

static void put_tls_key(const struct values *v, struct sb *out)
{
    sb_puts(out, has_tls(v) ? v->settings->http.tls_key : "/etc/ssl/private/weir.key");
}

/* Lines of a geo: from where a proxy may say who signed in. */
static void put_proxy_addresses(const struct values *v, struct sb *out)
{
    const char *who = v->settings->sign_in.proxy_user;
    const struct cfg_list *from = &v->settings->sign_in.proxy_addresses;

    sb_puts(out, who && *who == '$' ? "default 1;" : "default 0;");
    for (size_t i = 0; who && *who != '$' && i < from->n; i++)
        sb_putf(out, " %s 1;", from->items[i]);
}

/* The variable that has the name. */
static void put_proxy_user(const struct values *v, struct sb *out)
{
    const char *who = v->settings->sign_in.proxy_user;

    if (!who || *who == '$') {
        sb_puts(out, who ? who : "\"\"");
        return;
    }
    sb_puts(out, "$http_");
    for (; *who; who++)
        sb_putc(out, *who == '-' ? '_' : (char)(*who >= 'A' && *who <= 'Z' ? *who + 32 : *who));
}

static void put_site(const struct values *v, struct sb *out) { sb_puts(out, v->site); }
static void put_state(const struct values *v, struct sb *out) { sb_puts(out, v->state); }
static void put_data(const struct values *v, struct sb *out) { sb_puts(out, v->data); }
static void put_socket(const struct values *v, struct sb *out) { sb_puts(out, v->socket); }
static void put_max_body(const struct values *v, struct sb *out) { sb_i64(out, v->settings->http.max_body_bytes); }
static void put_max_body_v1(const struct values *v, struct sb *out) { sb_i64(out, v->settings->http.max_body_v1_bytes); }
/* With what a form puts around it. */
static void put_max_file(const struct values *v, struct sb *out) { sb_i64(out, v->settings->batches.file_bytes + FORM_AROUND_MAX); }

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
    {"MAX_FILE", put_max_file},
    {"PROXY_ADDRESSES", put_proxy_addresses},
    {"PROXY_USER", put_proxy_user},
    {"SITE", put_site},
    {"SOCKET", put_socket},
    {"STATE", put_state},
    {"TLS", put_tls},
    {"TLS_CERTIFICATE", put_tls_certificate},
    {"TLS_KEY", put_tls_key},
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

/* The absolute form of a path; caller frees. What is absolute need not exist yet. */
static char *absolute(const char *key, const char *path, struct sb *why)
{
    char *full = *path == '/' ? mem_strdup(path) : realpath(path, NULL);

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
    if (full) {
        size_t n = strlen(full);

        sb_putf(&socket, "%s%s%s", full, n && full[n - 1] == '/' ? "" : "/", name);
    }
    free(full);
    sb_done(&folder);
    return socket.len ? sb_take(&socket) : NULL;
}

/* Fill the template in the file in. */
static bool fill_file(const struct values *v, const char *path, struct sb *out, struct sb *why)
{
    struct sb text = sb_make(TEMPLATE_MAX);
    bool ok = file_read(path, &text, why) && fill(v, sb_str(&text), out, why) && sb_ok(out);

    sb_done(&text);
    return ok;
}

bool nginx_conf(const struct settings *s, const char *folder, const char *user, bool site_only, struct sb *out, struct sb *why)
{
    struct sb path = sb_make(8192), site = sb_make(TEMPLATE_MAX);
    struct values v = {.settings = s, .user = user};
    bool ok = (v.state = absolute("state", s->state, why)) != NULL && (v.data = absolute("data", s->data, why)) != NULL
              && (v.socket = absolute_socket(s->socket, why)) != NULL;

    sb_putf(&path, "%s/nginx-site.conf", folder);
    ok = ok && fill_file(&v, sb_str(&path), site_only ? out : &site, why);
    v.site = sb_str(&site);
    sb_reset(&path);
    sb_putf(&path, "%s/nginx.conf", folder);
    ok = ok && (site_only || fill_file(&v, sb_str(&path), out, why));
    free(v.state);
    free(v.data);
    free(v.socket);
    sb_done(&path);
    sb_done(&site);
    return ok;
}
