/* live.h - the last rendered answer of /monitoring/live, shared by the
 * acceptors, so that many pages that ask cost one rendering. Thread-safe. */
#ifndef WEIR_LIVE_H
#define WEIR_LIVE_H

struct live_cache;

struct live_cache *live_cache_new(void);
void live_cache_free(struct live_cache *c);   /* NULL is fine */

#endif
