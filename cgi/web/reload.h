/* reload.h - the configuration in force, and how another takes its place while Weir runs.
 *
 * Owner of every struct settings that was ever in force, and of the fallback prices made from them: all are freed when
 * Weir stops, so that jobs, snapshots and acceptors may keep what they took (settings.h). What was read and found wrong,
 * or no different, is freed at once. The new settings are published to the acceptors first and to the engine after:
 * a mask from the engine never names an upstream that the settings do not have. */
#ifndef WEIR_RELOAD_H
#define WEIR_RELOAD_H

#include <stdint.h>

#include "base/err.h"
#include "base/sb.h"
#include "base/settings.h"
#include "web/web.h"

struct reload;

/* The first configuration comes into force: sets w->settings and w->fallback_price. Takes `first`; `w` is borrowed. */
struct reload *reload_new(struct web *w, struct settings *first);
/* When all threads have ended. NULL is fine. */
void reload_free(struct reload *r);

/* Read the file again and go by it. `actor` and `request_id` (or NULL) are for the audit log. OK: the answer's JSON is
 * appended to `out`. Else nothing has changed, and the sentence is appended: E_CONFIG, the file is wrong; E_STORAGE,
 * E_OVERLOADED: not now. (E_STORAGE may also say that it is in force, but could not be noted in the audit log.)
 * Any thread; one at a time, the others wait: the lock is held throughout, and nothing else ever takes it. */
enum weir_err reload_now(struct reload *r, const char *actor, const char *request_id, struct sb *out);

struct reload_state {
    char hash[SETTINGS_HASH_SIZE];       /* of the configuration in force */
    int64_t version;                     /* counts them, from 1 */
    int64_t succeeded, failed;           /* times it was read again */
    int64_t success_ms;                  /* UTC, of the last that succeeded; the start counts */
};
/* Any thread; waits for nothing. */
void reload_look(struct reload *r, struct reload_state *out);
/* "config":{file, hash, version} of what is in force, without a comma. Any thread. */
void reload_config_json(struct reload *r, struct sb *out);

#endif
