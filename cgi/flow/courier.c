/* courier.c - due, sent, written down, and again. */
#include "flow/courier.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/prctl.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "rules/retry.h"
#include "store/webhooks.h"

enum { BASE_S = 1, MOST_S = 3600, LOOK_MS = 60000, TROUBLE_MS = 5000 };

struct courier {
    const struct settings *_Atomic s;
    struct db *ro;
    struct writer *w;
    unsigned char key[WEBHOOK_KEY_BYTES];
    struct rng rng;
    int wake_fd;                     /* eventfd: look again */
    atomic_bool stopping;
    pthread_t thread;
};

struct tried {
    struct write_op op;
    struct delivery_result result;
    int64_t now_ms;
};

static enum weir_err run_tried(struct db *db, struct write_op *op)
{
    const struct tried *t = (const struct tried *)op;

    return webhooks_tried(db, &t->result, t->now_ms);
}

/* When to try again after so many attempts; -1: not any more. */
static int64_t next_try(struct courier *c, const struct delivery *d, int64_t now_ms)
{
    int64_t delay_us = retry_delay_us((int)d->attempts + 1, BASE_S * USEC_PER_SEC, MOST_S * USEC_PER_SEC, USEC_PER_SEC / 2, &c->rng);
    int64_t next_ms = now_ms + delay_us / USEC_PER_MS;

    return next_ms < d->until_ms ? next_ms : -1;
}

static bool deliver(struct courier *c, const struct delivery *d)
{
    const struct settings *s = c->s;
    struct tried t = {.op = {.run = run_tried}, .result = {.row = d->row, .next_ms = -1}};
    char secret[WEBHOOK_SECRET_SIZE], why[WEBHOOK_WHY];
    struct webhook_call call = {.url = d->webhook.url, .secret = secret, .id = d->id, .body = d->body, .at_s = clock_utc_ms() / 1000,
                                .ca_file = s->ca_file, .allowed = &s->webhook_addresses};

    webhook_secret(c->key, d->webhook.id, d->webhook.turn, secret);
    t.result.status = webhook_send(&call, why);
    explicit_bzero(secret, sizeof secret);
    t.now_ms = clock_utc_ms();
    if (t.result.status < 200 || t.result.status > 299) {
        if (t.result.status)
            (void)snprintf(why, sizeof why, t.result.status >= 300 && t.result.status < 400
                           ? "The receiver answered %d, a redirect, which Weir never follows." : "The receiver answered %d.", t.result.status);
        t.result.error = why;
        t.result.gone = t.result.status == 410;
        t.result.next_ms = t.result.gone ? -1 : next_try(c, d, t.now_ms);
        log_warn("webhook %s: %s of %s, attempt %d: %s", d->webhook.id, d->id, t.result.next_ms < 0 ? "given up" : "failed",
                 (int)d->attempts + 1, why);
    }
    return writer_call(c->w, &t.op) == WEIR_OK;
}

/* Deliver what is due; gives how long there is nothing to do. */
static int64_t round_ms(struct courier *c)
{
    for (;;) {
        int64_t now_ms = clock_utc_ms(), next_ms;
        struct delivery d;
        bool found, ok;

        if (atomic_load(&c->stopping))
            return 0;
        if (webhooks_due(c->ro, now_ms, &d, &found, &next_ms))
            return TROUBLE_MS;
        if (!found)
            return next_ms - now_ms < LOOK_MS ? next_ms - now_ms : LOOK_MS;
        ok = deliver(c, &d);
        free(d.body);
        if (!ok)
            return TROUBLE_MS;       /* it will be sent again once it can be written down */
    }
}

static void *courier(void *arg)
{
    struct courier *c = arg;

    (void)prctl(PR_SET_NAME, "courier");
    while (!atomic_load(&c->stopping)) {
        struct pollfd wake = {.fd = c->wake_fd, .events = POLLIN};
        uint64_t ignored;
        int64_t rest = round_ms(c);

        if (poll(&wake, 1, (int)rest) > 0)
            (void)!read(c->wake_fd, &ignored, sizeof ignored);
    }
    return NULL;
}

struct courier *courier_start(const struct settings *s, struct db *ro, struct writer *w, const unsigned char key[WEBHOOK_KEY_BYTES])
{
    struct courier *c = mem_zalloc(1, sizeof *c);
    uint64_t seed;
    int rc;

    rand_bytes(&seed, sizeof seed);
    c->s = s;
    c->ro = ro;
    c->w = w;
    c->rng = rng_make(seed);
    memcpy(c->key, key, sizeof c->key);
    c->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    rc = c->wake_fd < 0 ? errno : pthread_create(&c->thread, NULL, courier, c);
    if (!rc)
        return c;
    log_error("courier: cannot start: %s", strerror(rc));
    if (c->wake_fd >= 0)
        (void)close(c->wake_fd);
    free(c);
    return NULL;
}

void courier_reload(struct courier *c, const struct settings *s)
{
    c->s = s;
}

void courier_nudge(struct courier *c)
{
    (void)!write(c->wake_fd, &(uint64_t){1}, sizeof(uint64_t));
}

void courier_stop(struct courier *c)
{
    if (!c)
        return;
    atomic_store(&c->stopping, true);
    courier_nudge(c);
    (void)pthread_join(c->thread, NULL);
    (void)close(c->wake_fd);
    explicit_bzero(c->key, sizeof c->key);
    free(c);
}
