/* prices.h - the prices in force: the table Weir was built with, and over it those
 * that an administrator set.
 *
 * A change makes a new table and puts it in the old one's place for all calls
 * from then on. Tables live until Weir stops, so that a job may keep its price. */
#ifndef WEIR_PRICES_H
#define WEIR_PRICES_H

#include "base/sb.h"
#include "web/web.h"

struct prices;

/* Read the table at `path` (custom: not the one Weir brings along, so that its version has a fingerprint) and the administrator's own from `db`, and set w->prices; `w` is borrowed. NULL with a sentence in `why`:
 * one of them is wrong. */
struct prices *prices_new(struct web *w, const char *path, bool custom, struct db *db, struct sb *why) __attribute__((warn_unused_result));
/* When all threads have ended. NULL is fine. */
void prices_free(struct prices *p);
/* Own prices were changed: go by them from now on. E_STORAGE: they cannot be read, and those before stay. Any thread. */
enum weir_err prices_reload(struct prices *p, struct db *ro) __attribute__((warn_unused_result));

/* The table's file is read again and checked, with own prices over it; NULL with a sentence in `why`: it is wrong. */
struct prices_read *prices_read(struct prices *p, struct sb *why) __attribute__((warn_unused_result));
/* It counts from now on. Takes `r`. True: it is another one than before. */
bool prices_put(struct prices *p, struct prices_read *r);
/* It does not. NULL is fine. */
void prices_drop(struct prices_read *r);

#endif
