/* keeper.h - the thread that tidies up: admission state to the database now and
 * then, what has outlived its use out of it; it looks whether there is something
 * to alert about, replays recorded traffic for suggestions and checks the ledger, a little at a
 * time, and tells the engine's outlook what was asked for in the past. */
#ifndef WEIR_KEEPER_H
#define WEIR_KEEPER_H

#include <stdbool.h>

#include "flow/courier.h"
#include "flow/engine.h"
#include "flow/writer.h"

struct keeper;

/* Start the thread; all is borrowed until keeper_stop(), `ro` is its alone. `s` are the settings in force whenever it looks; all
 * that ever were live until keeper_stop(). NULL with a logged sentence if it cannot start. */
struct keeper *keeper_start(struct engine *e, struct writer *w, struct courier *c, struct db *ro, const struct settings *_Atomic *s);
/* Append the suggestions found last, tuner_json()'s text; nothing before there are some. Any thread. */
void keeper_suggestions(struct keeper *k, struct sb *out);
/* Append retention_json(). Any thread. */
void keeper_retention(struct keeper *k, const struct settings *s, struct sb *out);
/* Something was erased: it leaves the files now, or if somebody is reading soon. False: the database is too large to be written
 * anew while Weir runs. Any thread but the engine and the writer. */
bool keeper_clean(struct keeper *k);
/* A credential was refused: counted, and written into the audit log once an hour. Any thread. */
void keeper_refused(struct keeper *k);
/* End the thread and free; NULL is fine. */
void keeper_stop(struct keeper *k);

#endif
