/* courier.h - the thread that delivers webhooks.
 *
 * It takes what is due from the database, sends it and writes down what came of
 * it, one after another. A kill between sending and writing sends once more,
 * under the same id. It waits for the next that is due, or for a nudge. */
#ifndef WEIR_COURIER_H
#define WEIR_COURIER_H

#include "base/settings.h"
#include "flow/writer.h"
#include "peer/webhook.h"

struct courier;
struct db;

/* Start the thread; all is borrowed until courier_stop(), `ro` is its alone. NULL with a logged sentence: it cannot be started. */
struct courier *courier_start(const struct settings *s, struct db *ro, struct writer *w, const unsigned char key[WEBHOOK_KEY_BYTES]);
/* Another configuration: the next delivery goes by it. Borrowed as the first. Any thread. */
void courier_reload(struct courier *c, const struct settings *s);
/* There may be something new to deliver. Any thread. */
void courier_nudge(struct courier *c);
/* End after the message under way (at most WEBHOOK_TIMEOUT_MS); NULL is fine. Before writer_stop(). */
void courier_stop(struct courier *c);

#endif
