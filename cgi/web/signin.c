/* signin.c - passwords at the door.
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
    for (size_t i = 0; name[i] && i < ACCOUNT_NAME_MAX; i++)        /* as the database compares them */
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
