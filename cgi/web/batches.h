/* batches.h - the thread that works through batches: it checks their input, asks
 * for one item after another by the way of all requests (web_ask), with the
 * rights that their owners have at that moment, writes down what each came to,
 * and tidies up.
 *
 * Each item is one request with an idempotency key made of the batch and its
 * number, so that one that is asked for again after kill -9 gets the answer that
 * was paid. Only where Weir cannot have that any more (it died itself in the
 * middle) is it asked for under a new key, and marked. As many items are in
 * flight as there is headroom for: half as many when others wait, one more after
 * each answer, `batches.workers` at most. */
#ifndef WEIR_WEB_BATCHES_H
#define WEIR_WEB_BATCHES_H

#include "web/web.h"

struct batches;

/* Start the thread; `w` is borrowed, and whole, until batches_stop(); `ro` is its alone. NULL with a logged sentence. */
struct batches *batches_start(struct web *w, struct db *ro) __attribute__((warn_unused_result));
/* Something was changed in the database. Any thread; `b` NULL is fine. */
void batches_nudge(struct batches *b);
/* Write down what has come, end the thread, free. What is in flight goes on, and its answer is found at the next start. */
void batches_stop(struct batches *b);

#endif
