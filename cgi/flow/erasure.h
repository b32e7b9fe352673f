/* erasure.h - one person's data is erased through the writer, in steps. Any
 * thread but the engine and the writer. */
#ifndef WEIR_ERASURE_H
#define WEIR_ERASURE_H

#include "flow/writer.h"
#include "store/audit.h"
#include "store/person.h"

/* person_close(), and `entry` into the audit log, in one transaction. */
enum weir_err erasure_begin(struct writer *w, const struct person *p, const struct audit_entry *entry, struct person_gone *gone)
    __attribute__((warn_unused_result));
/* All the rest; whatever runs for that person should have been ended before. E_STORAGE: it is not complete; calling it again
 * goes on. */
enum weir_err erasure_finish(struct writer *w, const struct person *p, struct person_gone *gone) __attribute__((warn_unused_result));

#endif
