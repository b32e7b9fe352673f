/* prices.c - see prices.h. */
#include "web/prices.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

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
    char *path;                          /* of the table */
    bool custom;                         /* it is not the one Weir brings along */
    struct sb base, own;                 /* the texts in force: the table's, and what lies over it */
    pthread_mutex_t one;                 /* no leaf: held while the new table is read and made; nothing else is taken in it */
    struct generation *now;
};

/* Another place for prices than the built-in table may have other ones under the same date. */
static enum weir_err make(const struct prices *p, const struct sb *base, const struct sb *own, struct price_table **out, char why[PRICE_WHY])
{
    static const char none[] = "{\"models\":[]}";
    const char *over = own->len ? sb_str(own) : p->custom ? none : NULL;

    return price_table_load(sb_str(base), base->len, over, over ? strlen(over) : 0, out, why);
}

/* Under the lock, or before there are threads. */
static void put(struct prices *p, struct price_table *t)
{
    struct generation *g = mem_zalloc(1, sizeof *g);

    *g = (struct generation){t, p->now};
    p->now = g;
    p->web->prices = t;
}

/* The same. */
static enum weir_err put_own(struct prices *p, struct db *db, char why[PRICE_WHY])
{
    struct sb own = sb_make(OWN_MAX);
    struct price_table *t = NULL;
    enum weir_err e = own_prices_overlay(db, &own);

    if (!e && !sb_ok(&own))
        e = WEIR_E_INTERNAL;
    if (!e)
        e = make(p, &p->base, &own, &t, why);
    if (!e) {
        sb_done(&p->own);
        p->own = own;
        put(p, t);
    } else {
        sb_done(&own);
    }
    return e;
}

struct prices *prices_new(struct web *w, const char *path, bool custom, struct db *db, struct sb *why)
{
    struct prices *p = mem_zalloc(1, sizeof *p);
    char reason[PRICE_WHY] = "own prices cannot be read from the database";

    p->web = w;
    p->path = mem_strdup(path);
    p->custom = custom;
    p->base = sb_make(TABLE_MAX);
    p->own = sb_make(OWN_MAX);
    (void)pthread_mutex_init(&p->one, NULL);
    if (file_read(path, &p->base, why)) {
        if (put_own(p, db, reason) == WEIR_OK)
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
        sb_done(&p->own);
        free(p->path);
        (void)pthread_mutex_destroy(&p->one);
    }
    free(p);
}

enum weir_err prices_reload(struct prices *p, struct db *ro)
{
    char why[PRICE_WHY] = "the database cannot be read";
    enum weir_err e;

    (void)pthread_mutex_lock(&p->one);
    e = put_own(p, ro, why);
    (void)pthread_mutex_unlock(&p->one);
    if (e)
        log_error("prices: own prices could not be put into force: %s", why);
    return e ? WEIR_E_STORAGE : WEIR_OK;
}

struct prices_read {
    struct sb base;
    struct price_table *table;
};

struct prices_read *prices_read(struct prices *p, struct sb *why)
{
    struct prices_read *r = mem_zalloc(1, sizeof *r);
    char reason[PRICE_WHY] = "";
    bool ok;

    r->base = sb_make(TABLE_MAX);
    ok = file_read(p->path, &r->base, why);
    if (ok) {
        (void)pthread_mutex_lock(&p->one);
        ok = make(p, &r->base, &p->own, &r->table, reason) == WEIR_OK;
        (void)pthread_mutex_unlock(&p->one);
        if (!ok)
            sb_putf(why, "%s: %s.", p->path, reason);
    }
    if (ok)
        return r;
    prices_drop(r);
    return NULL;
}

void prices_drop(struct prices_read *r)
{
    if (!r)
        return;
    price_table_free(r->table);
    sb_done(&r->base);
    free(r);
}

bool prices_put(struct prices *p, struct prices_read *r)
{
    char why[PRICE_WHY];
    bool changed;

    (void)pthread_mutex_lock(&p->one);
    changed = r->base.len != p->base.len || memcmp(sb_str(&r->base), sb_str(&p->base), r->base.len) != 0;
    if (changed) {
        struct sb before = p->base;

        p->base = r->base;
        r->base = before;
        price_table_free(r->table);          /* own prices may have changed since it was made */
        if (make(p, &p->base, &p->own, &r->table, why) == WEIR_OK)
            put(p, r->table), r->table = NULL;
    }
    (void)pthread_mutex_unlock(&p->one);
    prices_drop(r);
    return changed;
}
