/* alarm.h - looks at what the rules of alerts are about, and opens and resolves
 * alerts.
 *
 * Measures come from the engine's snapshot (budgets, limits, queue), the writer
 * (can it write?) and the roll-ups (cost, errors). The keeper's thread. */
#ifndef WEIR_ALARM_H
#define WEIR_ALARM_H

#include "flow/engine.h"
#include "flow/writer.h"
#include "store/db.h"

struct alarm;

/* Take up the alerts that are open. All is borrowed until alarm_free(). */
struct alarm *alarm_new(struct engine *e, struct writer *w, struct db *ro);
void alarm_free(struct alarm *a);                /* NULL is fine */
/* How many findings the last check of the ledger had; the alert is open until one has none. */
void alarm_ledger(struct alarm *a, int64_t failures);
/* Look once; true if something was written that webhooks are to be told. What cannot be written is tried at the next look. */
bool alarm_look(struct alarm *a);

#endif
