/* keeper.h - the thread that tidies up: admission state to the database now and
 * then, roll-ups and sign-ins that have outlived their use out of it. */
#ifndef WEIR_KEEPER_H
#define WEIR_KEEPER_H

#include "flow/engine.h"
#include "flow/writer.h"

struct keeper;

/* Start the thread; both arguments are borrowed until keeper_stop(). NULL with a logged sentence if it cannot start. */
struct keeper *keeper_start(struct engine *e, struct writer *w);
/* End the thread and free; NULL is fine. */
void keeper_stop(struct keeper *k);

#endif
