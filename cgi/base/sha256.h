/* sha256.h - SHA-256 as FIPS 180-4 defines it: token hashes, request
 * fingerprints, checked build inputs.
 *
 * Not a password hash, and no MAC by itself. Thread-safe: all state is the caller's. */
#ifndef WEIR_SHA256_H
#define WEIR_SHA256_H

#include <stddef.h>
#include <stdint.h>

enum { SHA256_BYTES = 32, SHA256_HEX_SIZE = 65 };

struct sha256 {
    uint32_t h[8];
    uint64_t bytes;          /* taken so far */
    unsigned char tail[64];  /* the block not yet full: bytes % 64 of it */
};

/* In pieces: init, any number of updates, one final. After final the state is
 * wiped and needs init again. `data` may be NULL when n is 0. */
void sha256_init(struct sha256 *s);
void sha256_update(struct sha256 *s, const void *data, size_t n);
void sha256_final(struct sha256 *s, unsigned char out[SHA256_BYTES]);

/* In one go. */
void sha256(const void *data, size_t n, unsigned char out[SHA256_BYTES]);
/* In one go, as 64 lower-case hexadecimal digits and a NUL. */
void sha256_hex(const void *data, size_t n, char out[SHA256_HEX_SIZE]);
/* A digest as hexadecimal digits. */
void sha256_to_hex(const unsigned char digest[SHA256_BYTES], char out[SHA256_HEX_SIZE]);

#endif
