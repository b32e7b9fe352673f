/* auth.c - credentials of a request, and a small memory of who they belong to. */
#include "web/auth.h"

#include <arpa/inet.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/clock.h"
#include "base/keyfile.h"
#include "base/log.h"
#include "base/mem.h"

/* Direct-mapped by the credential's whole hash: a lookup saved is a database read saved, a collision is only a miss. */
enum { KEPT = 256, KEPT_US = 1000 * 1000 };

struct kept {
    unsigned char hash[ACCOUNT_HASH_BYTES];
    int64_t until_us;                /* 0: empty */
    struct identity who;
};

struct auth {
    struct writer *writer;
    pthread_mutex_t lock;            /* leaf: copies only */
    uint64_t generation;             /* counts auth_forget() */
    struct kept kept[KEPT];
};

struct auth *auth_new(struct writer *w)
{
    struct auth *a = mem_zalloc(1, sizeof *a);

    a->writer = w;
    (void)pthread_mutex_init(&a->lock, NULL);
    return a;
}

void auth_free(struct auth *a)
{
    if (!a)
        return;
    (void)pthread_mutex_destroy(&a->lock);
    explicit_bzero(a->kept, sizeof a->kept);
    free(a);
}

void auth_forget(struct auth *a)
{
    (void)pthread_mutex_lock(&a->lock);
    a->generation++;
    memset(a->kept, 0, sizeof a->kept);
    (void)pthread_mutex_unlock(&a->lock);
}

static bool same(const void *a, const void *b, size_t n)
{
    const unsigned char *p = a, *q = b;
    unsigned char diff = 0;

    for (size_t i = 0; i < n; i++)
        diff |= p[i] ^ q[i];
    return diff == 0;
}

static bool recall(struct auth *a, const unsigned char hash[ACCOUNT_HASH_BYTES], struct identity *out, uint64_t *generation)
{
    struct kept *k = &a->kept[hash[0] % KEPT];
    int64_t now = clock_mono_us();
    bool hit;

    (void)pthread_mutex_lock(&a->lock);
    *generation = a->generation;
    hit = k->until_us > now && same(k->hash, hash, ACCOUNT_HASH_BYTES);
    if (hit)
        *out = k->who;
    (void)pthread_mutex_unlock(&a->lock);
    return hit;
}

/* Not if an account changed since `generation`: what was read may be from before. */
static void keep(struct auth *a, const unsigned char hash[ACCOUNT_HASH_BYTES], const struct identity *who, uint64_t generation)
{
    struct kept *k = &a->kept[hash[0] % KEPT];

    (void)pthread_mutex_lock(&a->lock);
    if (a->generation == generation) {
        memcpy(k->hash, hash, ACCOUNT_HASH_BYTES);
        k->who = *who;
        k->who.touch_due = false;
        k->until_us = clock_mono_us() + KEPT_US;
    }
    (void)pthread_mutex_unlock(&a->lock);
}

/* --- in use --- */

struct touch {
    struct write_op op;
    bool by_token;
    char secret[ACCOUNT_TOKEN_SIZE];
};

static enum weir_err touch_run(struct db *db, struct write_op *op)
{
    const struct touch *t = (const struct touch *)op;

    return t->by_token ? account_token_touch(db, t->secret, clock_utc_ms()) : account_session_touch(db, t->secret, clock_utc_ms());
}

static void touch_done(struct write_op *op, enum weir_err result)
{
    struct touch *t = (struct touch *)op;

    (void)result;
    explicit_bzero(t->secret, sizeof t->secret);
    free(t);
}

static void touch(struct auth *a, const char *secret, bool by_token)
{
    struct touch *t = mem_zalloc(1, sizeof *t);

    t->op.run = touch_run;
    t->op.done = touch_done;
    t->by_token = by_token;
    memccpy(t->secret, secret, '\0', sizeof t->secret - 1);
    writer_submit(a->writer, &t->op);
}

/* --- who is it? --- */

bool auth_bearer(const struct http_request *rq, char token[ACCOUNT_TOKEN_SIZE], bool *given)
{
    static const char scheme[] = "Bearer ";
    const char *bearer = rq->authorization;

    *given = rq->authorization || rq->api_key;
    if (bearer) {
        if (strncasecmp(bearer, scheme, sizeof scheme - 1) != 0)
            return false;
        bearer += sizeof scheme - 1;
        bearer += strspn(bearer, " ");
    }
    if (bearer && rq->api_key && strcmp(bearer, rq->api_key) != 0)
        return false;
    if (!bearer)
        bearer = rq->api_key;
    if (!bearer || strlen(bearer) >= ACCOUNT_TOKEN_SIZE)
        return false;
    (void)snprintf(token, ACCOUNT_TOKEN_SIZE, "%s", bearer);
    return true;
}

/* One that a proxy vouched for counts as long as it names the same person. */
static bool still_vouched(const struct http_request *rq, const struct identity *who)
{
    return !who->by_proxy || (rq->proxy_user && strcasecmp(rq->proxy_user, who->name) == 0);
}

enum weir_err auth_identify(struct auth *a, struct db *ro, const struct http_request *rq, struct identity *out)
{
    char secret[ACCOUNT_TOKEN_SIZE];
    unsigned char hash[ACCOUNT_HASH_BYTES];
    uint64_t generation;
    bool by_token, given;
    enum weir_err e;

    memset(out, 0, sizeof *out);
    by_token = auth_bearer(rq, secret, &given);
    if (given && !(by_token && account_token_plausible(secret)))
        return WEIR_E_UNAUTHENTICATED;
    if (!given && !http_cookie(rq, auth_cookie_name(rq), secret, ACCOUNT_SECRET_SIZE))
        return WEIR_E_UNAUTHENTICATED;
    account_hash(secret, hash);
    if (recall(a, hash, out, &generation))
        return still_vouched(rq, out) ? WEIR_OK : WEIR_E_UNAUTHENTICATED;
    e = by_token ? account_by_token(ro, secret, clock_utc_ms(), out) : account_by_cookie(ro, secret, clock_utc_ms(), out);
    if (!e) {
        keep(a, hash, out, generation);
        if (out->touch_due)
            touch(a, secret, by_token);
    }
    explicit_bzero(secret, sizeof secret);
    return !e && !still_vouched(rq, out) ? WEIR_E_UNAUTHENTICATED : e;
}

/* --- the cookie --- */

static bool is_https(const struct http_request *rq)
{
    return rq->scheme && strcmp(rq->scheme, "https") == 0;
}

const char *auth_cookie_name(const struct http_request *rq)
{
    return is_https(rq) ? "__Host-weir" : "weir";
}

bool auth_cookie_allowed(const struct http_request *rq)
{
    struct in_addr v4;

    if (is_https(rq))
        return true;
    if (!rq->remote_addr)
        return false;
    if (inet_pton(AF_INET, rq->remote_addr, &v4) == 1)
        return ntohl(v4.s_addr) >> 24 == 127;
    return strcmp(rq->remote_addr, "::1") == 0;
}

void auth_cookie_set(const struct http_request *rq, const char *cookie, struct sb *out)
{
    sb_putf(out, "%s=%s; Path=/; HttpOnly; SameSite=Strict", auth_cookie_name(rq), cookie ? cookie : "");
    if (is_https(rq))
        sb_puts(out, "; Secure");
    sb_putf(out, "; Max-Age=%d", cookie ? ACCOUNT_ABSOLUTE_MS / 1000 : 0);
}

bool auth_origin_is_ours(const struct http_request *rq)
{
    const char *host = rq->origin ? strstr(rq->origin, "://") : NULL;

    return host && rq->host && strcasecmp(host + 3, rq->host) == 0
           && (!rq->sec_fetch_site || strcmp(rq->sec_fetch_site, "same-origin") == 0);
}

bool auth_may_change(const struct http_request *rq, const struct identity *who)
{
    size_t n = strlen(who->csrf);

    if (*who->token_id)
        return true;
    return auth_origin_is_ours(rq) && rq->csrf_token && n > 0 && strlen(rq->csrf_token) == n
           && same(rq->csrf_token, who->csrf, n);
}

bool auth_is_fresh(const struct identity *who, int64_t now_ms)
{
    enum { FRESH_MS = 10 * 60 * 1000 };

    return *who->token_id || who->by_proxy || now_ms - who->signed_in_ms <= FRESH_MS;
}

/* --- the administrator's token --- */

bool auth_admin_token(const char *path, char token[ACCOUNT_TOKEN_SIZE], struct sb *why)
{
    bool ok = keyfile_line(path, token, ACCOUNT_TOKEN_SIZE, account_token_make, why);

    if (ok && !account_token_plausible(token)) {
        sb_putf(why, "%s: this is no token of Weir's; remove the file and a new one is made", path);
        ok = false;
    }
    return ok;
}
