/* tokens.h - how many tokens a text is.
 *
 * Exact for OpenAI's o200k_base and cl100k_base (the byte-pair encodings of
 * tiktoken): a text is split by the encoding's pattern, each piece merged by
 * rank. For other makers' models one o200k count times a factor; without rank
 * files a heuristic. tokens_load() reads the files, once; afterwards everything
 * is immutable and counting is safe from any thread (each keeps a small scratch
 * of its own until it ends). Counting does no I/O and never fails: bytes that
 * are not UTF-8 count as U+FFFD. */
#ifndef WEIR_TOKENS_H
#define WEIR_TOKENS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

enum tokens_kind { TOKENS_CL100K, TOKENS_O200K, TOKENS_KINDS };

enum { TOKENS_WHY = 160 };

struct tokens_encoding;

/* Map a packed rank file (tools/pack_ranks). *out is NULL unless OK.
 * E_UNAVAILABLE: it cannot be read, or the pattern does not compile.
 * E_INVALID_FIELD: it is not such a file, or of another version or machine. */
enum weir_err tokens_load(const char *path, enum tokens_kind kind, struct tokens_encoding **out,
                          char why[TOKENS_WHY]) __attribute__((warn_unused_result));
void tokens_free(struct tokens_encoding *e);   /* NULL is fine; nobody may be counting */

/* Tokens of `n` bytes; special tokens' names count as ordinary text. `e` NULL:
 * tokens_guess(). */
int64_t tokens_count(const struct tokens_encoding *e, const char *text, size_t n);
/* By classes of characters, without tables: 8 % off on whole texts, 25 % on short ones. */
int64_t tokens_guess(const char *text, size_t n);
/* Unicode code points (a byte that belongs to none counts as one). */
int64_t tokens_chars(const char *text, size_t n);

/* How to count for one model. */
struct tokens_model {
    const struct tokens_encoding *encoding;   /* NULL: guess */
    int32_t permille;                         /* of that count; 1000 is the count itself */
    bool exact;                               /* the model's own encoding, all of it */
};

/* Both encodings; either may be NULL. */
struct tokens_set {
    struct tokens_encoding *encoding[TOKENS_KINDS];
};

/* Load DIR/o200k_base.ranks and DIR/cl100k_base.ranks. What cannot be loaded
 * stays NULL, with a sentence logged: Weir works on, by estimates. */
void tokens_set_load(struct tokens_set *s, const char *dir);
void tokens_set_done(struct tokens_set *s);

/* The way to count for `model` (a provider's prefix "openai/" is looked through). */
struct tokens_model tokens_for(const struct tokens_set *s, const char *model);
int64_t tokens_count_for(const struct tokens_model *m, const char *text, size_t n);

struct tokens_message {
    const char *role;
    const char *content;      /* NULL: none */
    size_t content_bytes;
    const char *name;         /* NULL: none */
};

/* The prompt tokens of a chat: 3 that begin the answer, 3 for each message, and
 * its role, content and name. */
int64_t tokens_count_chat(const struct tokens_model *m, const struct tokens_message *messages, size_t n);

#endif
