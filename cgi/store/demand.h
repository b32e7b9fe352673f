/* demand.h - what was asked of each upstream in the past, for the outlook. */
#ifndef WEIR_DEMAND_H
#define WEIR_DEMAND_H

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "rules/outlook.h"
#include "store/db.h"

/* Read what was usual in the eight weeks that ended a day before now_ms and, with `minutes`, each minute of the day since:
 * what is usual must not know what the predictions of that day are judged by. Any connection; one view of the database.
 * Gives `out`, freed with outlook_past_done(); empty unless OK. */
enum weir_err demand_load(struct db *db, int64_t now_ms, bool minutes, struct outlook_past *out) __attribute__((warn_unused_result));

#endif
