/* waited.h - how a call waited, as the text of its event: what each gate held it,
 * and the start it was first promised. JSON, so that other programs may read it:
 *
 *     {"held_ms":{"tokens_per_minute":1204,"session":300},"promised_ms":900,"position":2}
 *
 * A call that never waited has none. Internal to store/. */
#ifndef WEIR_WAITED_H
#define WEIR_WAITED_H

#include "base/sb.h"
#include "store/usage.h"

/* Appends nothing for a call that never waited. */
void waited_write(const struct call_record *r, struct sb *out);
/* The other way; NULL, or what is no such text, is a call that never waited. */
void waited_read(const char *text, struct call_record *r);

#endif
