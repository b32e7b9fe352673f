/* audit_chain.h - the MAC of one row; shared by audit.c and audit_check.c. */
#ifndef WEIR_AUDIT_CHAIN_H
#define WEIR_AUDIT_CHAIN_H

#include "store/audit.h"

#define AUDIT_SEALED "audit.sealed"      /* the first signed row after unsigned ones */
#define AUDIT_PRUNED "audit.pruned"      /* object: the last row that went; detail: {"rows":…,"mac":"…"} of it */

/* As it stands in the column: a SHA-256 of old is its 32 bytes, a MAC has a byte 1 before it. */
enum { AUDIT_STORED_BYTES = 1 + AUDIT_MAC_BYTES };

/* False: no key was set. */
bool audit_mac(const unsigned char before[AUDIT_MAC_BYTES], int64_t seq, const struct audit_entry *a,
               unsigned char out[AUDIT_MAC_BYTES]) __attribute__((warn_unused_result));
/* The hash rows had before there was a key. */
void audit_old_hash(const unsigned char before[AUDIT_MAC_BYTES], int64_t seq, const struct audit_entry *a,
                    unsigned char out[AUDIT_MAC_BYTES]);
/* Column `col` as hash or MAC. False: it is neither. */
bool audit_column(const struct query *q, int col, unsigned char out[AUDIT_MAC_BYTES], bool *is_signed)
    __attribute__((warn_unused_result));

#endif
