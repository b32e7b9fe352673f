/* signin.c - passwords at the door, and what is behind it.
 *
 * Names are counted in a table of fixed size by a keyed hash, whether there is
 * such a user or not: else the wait would tell who exists. Names that fall
 * together share their wait; nothing is ever pushed out. */
#include "web/signin.h"

#include <inttypes.h>
#include <pthread.h>
#include <sodium.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/password.h"
#include "rules/delay.h"
#include "store/audit.h"
#include "web/people.h"

enum { PLACES = 4096 };

static struct {
    pthread_once_t once;
    pthread_mutex_t lock;                /* leaf */
    unsigned char key[crypto_shorthash_KEYBYTES];
    struct delay of[PLACES];
} names = {.once = PTHREAD_ONCE_INIT, .lock = PTHREAD_MUTEX_INITIALIZER};

static void make_key(void)
{
    rand_bytes(names.key, sizeof names.key);
}

static struct delay *place_of(const char *name)
{
    unsigned char hash[crypto_shorthash_BYTES];
    char lower[ACCOUNT_NAME_MAX + 1] = "";
    uint16_t at;

    (void)pthread_once(&names.once, make_key);
    for (size_t i = 0; i < ACCOUNT_NAME_MAX && name[i]; i++)        /* as the database compares them */
        lower[i] = (char)(name[i] >= 'A' && name[i] <= 'Z' ? name[i] + 32 : name[i]);
    crypto_shorthash(hash, (const unsigned char *)lower, strlen(lower), names.key);
    memcpy(&at, hash, sizeof at);
    return &names.of[at % PLACES];
}

/* May one be tried? If so it counts as wrong from now on. */
static int64_t begin(const char *name, int32_t *failures)
{
    struct delay *d = place_of(name);
    int64_t now = clock_mono_us(), wait;

    (void)pthread_mutex_lock(&names.lock);
    wait = delay_wait_us(d, now);
    if (wait == 0)
        *failures = delay_try(d, now);
    (void)pthread_mutex_unlock(&names.lock);
    return wait;
}

static int32_t passed(const char *name)
{
    int32_t before;

    (void)pthread_mutex_lock(&names.lock);
    before = delay_passed(place_of(name));
    (void)pthread_mutex_unlock(&names.lock);
    return before;
}

/* --- the audit log: from the fifth on, so that guessing does not fill it --- */

struct note {
    struct write_op op;
    struct audit_entry entry;
};

static enum weir_err run_note(struct db *db, struct write_op *op)
{
    return audit_add(db, &((struct note *)op)->entry);
}

/* A name that nobody has may be a password in the wrong field: it is not written down. */
static enum weir_err note_failures(struct exchange *x, const char *user_id, int32_t failures)
{
    char detail[48];
    struct note n = {.op.run = run_note, .entry = {.at_ms = x->arrived_ms, .actor = "", .action = "sign-in.failed", .object = user_id,
                                                   .detail = detail, .request_id = x->request_id}};

    if (failures < DELAY_FREE)
        return WEIR_OK;
    (void)snprintf(detail, sizeof detail, "{\"failures\":%" PRId32 "}", failures);
    return writer_call(x->web->writer, &n.op);
}

enum weir_err signin_by_password(struct exchange *x, const char *name, const char *password, struct signed_in *out)
{
    struct account_login who = {.user_id = ""};
    int32_t failures = 0;
    int64_t wait = begin(name, &failures);
    bool weak;
    enum weir_err e;

    memset(out, 0, sizeof *out);
    if (wait > 0) {
        x->retry_after_ms = (wait + USEC_PER_MS - 1) / USEC_PER_MS;
        return web_refuse(x, WEIR_E_RATE_LIMITED, NULL, "Too many wrong passwords. Try again in %" PRId64 " s, or sign in with a token.",
                          (wait + USEC_PER_SEC - 1) / USEC_PER_SEC);
    }
    e = account_by_name(x->db, name, &who);
    if (e && e != WEIR_E_NOT_FOUND)
        return e;
    e = password_check(who.password_hash, password, &weak);
    if (e == WEIR_E_UNAUTHENTICATED) {
        enum weir_err noted = note_failures(x, who.user_id, failures);

        return noted ? noted : web_refuse(x, e, NULL, "Name or password is wrong.");
    }
    if (e)
        return e;
    out->failures = passed(name);
    memcpy(out->user_id, who.user_id, sizeof out->user_id);
    if (weak && password_hash(password, out->rehash))
        out->rehash[0] = '\0';           /* at the next time */
    explicit_bzero(&who, sizeof who);
    return WEIR_OK;
}

/* --- a browser session begins --- */

struct sign_in {
    struct write_op op;
    const char *code;                     /* NULL: who it is is known by something else */
    const char *proxy_name;               /* who a proxy says it is, or NULL */
    enum role proxy_role;                 /* of one who was never here */
    const char *with;                     /* what they signed in with, for the audit log */
    const char *old_cookie;               /* ends with it, or NULL */
    struct signed_in in;
    char cookie[ACCOUNT_SECRET_SIZE], csrf[ACCOUNT_SECRET_SIZE];
    const char *request_id;
    int64_t now_ms;
};

static enum weir_err note_sign_in(struct db *db, const struct sign_in *s)
{
    char detail[80];
    const struct audit_entry a = {.at_ms = s->now_ms, .actor = s->in.user_id, .action = "sign-in", .object = s->in.user_id,
                                  .detail = detail, .request_id = s->request_id};

    (void)snprintf(detail, sizeof detail, s->in.failures ? "{\"with\":\"%s\",\"failures_before\":%d}" : "{\"with\":\"%s\"}", s->with,
                   (int)s->in.failures);
    return audit_add(db, &a);
}

/* Who the proxy named, made if there never was such a user. E_UNAUTHENTICATED: there is, and may not sign in. */
static enum weir_err find_or_make(struct db *db, struct sign_in *s)
{
    struct account_login login = {.user_id = ""};
    struct account_user u = {.user_id = s->in.user_id, .name = s->proxy_name, .role = s->proxy_role, .max_priority = PRIORITY_MEDIUM};
    const struct audit_entry a = {.at_ms = s->now_ms, .actor = s->in.user_id, .action = "user.create", .object = s->in.user_id,
                                  .detail = "{\"with\":\"proxy\"}", .request_id = s->request_id};
    enum weir_err e = account_by_name(db, s->proxy_name, &login);

    if (e != WEIR_E_NOT_FOUND) {
        memcpy(s->in.user_id, login.user_id, sizeof s->in.user_id);
        return e;
    }
    rand_id(s->in.user_id, "usr");
    e = account_user_add(db, &u, s->now_ms);
    if (e)
        return e == WEIR_E_CONFLICT ? WEIR_E_UNAUTHENTICATED : e;
    return audit_add(db, &a);
}

static enum weir_err run_sign_in(struct db *db, struct write_op *op)
{
    struct sign_in *s = (struct sign_in *)op;
    enum weir_err e = WEIR_OK;

    if (s->proxy_name)
        e = find_or_make(db, s);
    else if (s->code)
        e = account_code_use(db, s->code, s->now_ms, s->in.user_id);
    if (!e && *s->in.rehash)
        e = account_rehash(db, s->in.user_id, s->in.rehash);
    if (!e && s->old_cookie)
        e = account_session_end(db, s->old_cookie);
    if (!e)
        e = account_session_add(db, s->cookie, s->csrf, s->in.user_id, s->proxy_name != NULL, *s->in.token_id ? s->in.token_id : NULL, s->now_ms);
    return e ? e : note_sign_in(db, s);
}

void signin_cookie(struct exchange *x, const char *cookie)
{
    struct sb set = sb_make(512);

    auth_cookie_set(&x->in, cookie, &set);
    http_header(&x->out, "Set-Cookie", sb_str(&set));
    sb_done(&set);
}

static enum weir_err begin_session(struct exchange *x, struct sign_in *s)
{
    char old[ACCOUNT_SECRET_SIZE];
    enum weir_err e;

    s->op.run = run_sign_in;
    s->now_ms = x->arrived_ms;
    s->request_id = x->request_id;
    s->old_cookie = http_cookie(&x->in, auth_cookie_name(&x->in), old, sizeof old) ? old : NULL;
    account_secret_make(s->cookie);
    account_secret_make(s->csrf);
    e = writer_call(x->web->writer, &s->op);
    if (!e) {
        auth_forget(x->web->auth);
        e = account_by_cookie(x->db, s->cookie, x->arrived_ms, &x->who);
    }
    if (!e)
        signin_cookie(x, s->cookie);
    explicit_bzero(s, sizeof *s);
    return e;
}

enum weir_err signin_begin(struct exchange *x, const char *with, const char *code, const struct signed_in *in)
{
    struct sign_in s = {.code = code, .with = with, .in = *in};

    return begin_session(x, &s);
}

bool signin_by_proxy(struct exchange *x)
{
    struct sign_in s = {.with = "proxy", .proxy_name = x->in.proxy_user, .proxy_role = (enum role)x->web->settings->sign_in.proxy_role};
    char name[ACCOUNT_NAME_MAX + 1];

    return x->in.proxy_user && people_name(x, x->in.proxy_user, name) == WEIR_OK && begin_session(x, &s) == WEIR_OK;
}
