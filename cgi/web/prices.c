/* prices.c - see prices.h. */
#include "web/prices.h"

#include <pthread.h>
#include <stdlib.h>

#include "base/file.h"
#include "base/log.h"
#include "base/mem.h"
#include "store/own_prices.h"

enum { TABLE_MAX = 16 << 20, OWN_MAX = 1 << 20 };

struct generation {
    struct price_table *table;
    struct generation *older;
};

struct prices {
    struct web *web;
    struct sb base;                      /* the table's text */
    pthread_mutex_t one;                 /* no leaf: held while the new table is read and made; nothing else is taken in it */
    struct generation *now;
};

/* Under the lock, or before there are threads. */
static enum weir_err put_in_force(struct prices *p, struct db *db, char why[PRICE_WHY])
{
    struct sb own = sb_make(OWN_MAX);
    struct generation *g;
    struct price_table *t = NULL;
    enum weir_err e = own_prices_overlay(db, &own);

    if (!e && !sb_ok(&own))
        e = WEIR_E_INTERNAL;
    if (!e)
        e = price_table_load(sb_str(&p->base), p->base.len, own.len ? sb_str(&own) : NULL, own.len, &t, why);
    sb_done(&own);
    if (e)
        return e;
    g = mem_zalloc(1, sizeof *g);
    *g = (struct generation){t, p->now};
    p->now = g;
    p->web->prices = t;
    return WEIR_OK;
}

struct prices *prices_new(struct web *w, const char *path, struct db *db, struct sb *why)
{
    struct prices *p = mem_zalloc(1, sizeof *p);
    char reason[PRICE_WHY] = "own prices cannot be read from the database";

    p->web = w;
    p->base = sb_make(TABLE_MAX);
    (void)pthread_mutex_init(&p->one, NULL);
    if (file_read(path, &p->base, why)) {
        if (put_in_force(p, db, reason) == WEIR_OK)
            return p;
        sb_putf(why, "%s: %s", path, reason);
    }
    prices_free(p);
    return NULL;
}

void prices_free(struct prices *p)
{
    struct generation *g = p ? p->now : NULL;

    while (g) {
        struct generation *older = g->older;

        price_table_free(g->table);
        free(g);
        g = older;
    }
    if (p) {
        sb_done(&p->base);
        (void)pthread_mutex_destroy(&p->one);
    }
    free(p);
}

enum weir_err prices_reload(struct prices *p, struct db *ro)
{
    char why[PRICE_WHY] = "the database cannot be read";
    enum weir_err e;

    (void)pthread_mutex_lock(&p->one);
    e = put_in_force(p, ro, why);
    (void)pthread_mutex_unlock(&p->one);
    if (e)
        log_error("prices: own prices could not be put into force: %s", why);
    return e ? WEIR_E_STORAGE : WEIR_OK;
}
