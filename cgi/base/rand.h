/* rand.h - randomness: from the kernel for ids and secrets, from a seeded
 * generator for jitter and simulations (passed in, so tests repeat). */
#ifndef WEIR_RAND_H
#define WEIR_RAND_H

#include <stddef.h>
#include <stdint.h>

/* Fill p with n bytes from getrandom(2). Ends the process if the kernel has none. Thread-safe. */
void rand_bytes(void *p, size_t n);

enum { RAND_ID_LEN = 26, RAND_ID_SIZE = 32, RAND_ID_RANDOM = 14 };
/* Write "<prefix>_" and 22 base62 characters: req_…, ses_…, msg_… The first eight are the time in milliseconds, so that
 * ids made one after another lie together in an index; fourteen are random (83 bits): unique and not to be guessed, but
 * no secret. `prefix` has at most 4 characters. Thread-safe; draws from a per-thread pool of kernel bytes. */
void rand_id(char out[RAND_ID_SIZE], const char *prefix);
/* The same with a time of the caller's, UTC milliseconds from 0 on. */
void rand_id_at(char out[RAND_ID_SIZE], const char *prefix, int64_t ms);
/* The time in an id of that form and prefix; -1: it is none. Its random characters are the last RAND_ID_RANDOM. */
int64_t rand_id_ms(const char *id, const char *prefix);
/* The id of that time whose random characters, RAND_ID_RANDOM of them, are at `random`. */
void rand_id_join(char out[RAND_ID_SIZE], const char *prefix, int64_t ms, const void *random);

/* The n-th id of what `hash` stands for, "<prefix>_" and 22 base62 characters again. Ids of one hash differ in their last six characters
 * alone, which rise with n, 0 … RAND_ID_NTH_MAX. Nothing in it is random: whoever knows what was hashed knows the id. */
enum { RAND_ID_HASH = 16 };
#define RAND_ID_NTH_MAX INT64_C(56800235583)
void rand_id_nth(char out[RAND_ID_SIZE], const char *prefix, const unsigned char hash[RAND_ID_HASH], int64_t n);
/* The n of such an id. */
int64_t rand_id_which(const char *id);

/* Write "<prefix>_" and 11 base62 characters, a random number of 63 bits: for what is looked for among few. Thread-safe. */
void rand_short_id(char out[RAND_ID_SIZE], const char *prefix);
/* That number; -1: it is no such id. */
int64_t rand_short_id_number(const char *id, const char *prefix);

/* splitmix64 (Steele, Lea, Flood 2014): small, seedable, good enough for jitter; not for secrets. */
struct rng {
    uint64_t state;
};
struct rng rng_make(uint64_t seed);
uint64_t rng_u64(struct rng *r);
int64_t rng_below(struct rng *r, int64_t n);   /* 0 … n-1, uniform; 0 when n <= 1 */
double rng_unit(struct rng *r);                /* [0, 1) */

#endif
