/* tokens_load.c - brings encodings into memory: maps the rank file, compiles the
 * pattern. The one part of rules/ that reads files; nothing here counts. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/log.h"
#include "base/mem.h"
#include "rules/tokens.h"
#include "rules/tokens_encoding.h"

/* Unicode's White_Space, which PCRE2's own \s is one character away from. */
#define WS "\\t-\\r \\x{85}\\x{a0}\\x{1680}\\x{2000}-\\x{200a}\\x{2028}\\x{2029}\\x{202f}\\x{205f}\\x{3000}"
#define UPPER "\\p{Lu}\\p{Lt}\\p{Lm}\\p{Lo}\\p{M}"
#define LOWER "\\p{Ll}\\p{Lm}\\p{Lo}\\p{M}"
#define ENDING "(?i:'s|'t|'re|'ve|'m|'ll|'d)"
#define LINES "|[" WS "]*[\\r\\n]+|[" WS "]+(?![^" WS "])|[" WS "]+"

/* The patterns of tiktoken, alternatives in their order. */
static const struct {
    const char *name, *pattern;
} kinds[TOKENS_KINDS] = {
    [TOKENS_CL100K] = {"cl100k_base",
                       ENDING "|[^\\r\\n\\p{L}\\p{N}]?\\p{L}+|\\p{N}{1,3}| ?[^" WS "\\p{L}\\p{N}]+[\\r\\n]*" LINES},
    [TOKENS_O200K] = {"o200k_base",
                      "[^\\r\\n\\p{L}\\p{N}]?[" UPPER "]*[" LOWER "]+" ENDING "?"
                      "|[^\\r\\n\\p{L}\\p{N}]?[" UPPER "]+[" LOWER "]*" ENDING "?"
                      "|\\p{N}{1,3}| ?[^" WS "\\p{L}\\p{N}]+[\\r\\n/]*" LINES},
};

static bool map_file(struct tokens_encoding *e, const char *path)
{
    struct stat st;
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    bool mapped = false;

    if (fd < 0)
        return false;
    errno = 0;
    if (!fstat(fd, &st) && st.st_size > 0) {
        e->map_bytes = (size_t)st.st_size;
        e->map = mmap(NULL, e->map_bytes, PROT_READ, MAP_SHARED, fd, 0);
        mapped = e->map != MAP_FAILED;
        if (!mapped)
            e->map = NULL;
    }
    (void)close(fd);
    return mapped;
}

static bool compile(struct tokens_encoding *e, enum tokens_kind kind)
{
    int code;
    PCRE2_SIZE at;

    e->pattern = pcre2_compile((PCRE2_SPTR)kinds[kind].pattern, PCRE2_ZERO_TERMINATED, PCRE2_UTF | PCRE2_UCP, &code,
                               &at, NULL);
    if (!e->pattern)
        return false;
    e->jit = !pcre2_jit_compile(e->pattern, PCRE2_JIT_COMPLETE);
    return true;
}

enum weir_err tokens_load(const char *path, enum tokens_kind kind, struct tokens_encoding **out,
                          char why[TOKENS_WHY])
{
    struct tokens_encoding *e = mem_zalloc(1, sizeof *e);
    enum weir_err err = WEIR_E_UNAVAILABLE;

    *out = NULL;
    if (!map_file(e, path)) {
        (void)snprintf(why, TOKENS_WHY, "%.100s: %s", path, errno ? strerror(errno) : "is empty");
        goto out;
    }
    if (!ranks_open(e->map, e->map_bytes, kind, &e->ranks)) {
        (void)snprintf(why, TOKENS_WHY, "%.90s: is no rank file of %s for this version", path, kinds[kind].name);
        err = WEIR_E_INVALID_FIELD;
        goto out;
    }
    if (!compile(e, kind)) {
        (void)snprintf(why, TOKENS_WHY, "the pattern of %s does not compile", kinds[kind].name);
        goto out;
    }
    *out = e;
    return WEIR_OK;
out:
    tokens_free(e);
    return err;
}

void tokens_free(struct tokens_encoding *e)
{
    if (!e)
        return;
    pcre2_code_free(e->pattern);
    if (e->map)
        (void)munmap(e->map, e->map_bytes);
    free(e);
}

void tokens_set_load(struct tokens_set *s, const char *dir)
{
    for (int kind = 0; kind < TOKENS_KINDS; kind++) {
        char path[4096], why[TOKENS_WHY];

        s->encoding[kind] = NULL;
        (void)snprintf(path, sizeof path, "%s/%s.ranks", dir, kinds[kind].name);
        if (tokens_load(path, (enum tokens_kind)kind, &s->encoding[kind], why))
            log_warn("tokens of %s are estimated, not counted: %s", kinds[kind].name, why);
    }
}

void tokens_set_done(struct tokens_set *s)
{
    for (int kind = 0; kind < TOKENS_KINDS; kind++) {
        tokens_free(s->encoding[kind]);
        s->encoding[kind] = NULL;
    }
}
