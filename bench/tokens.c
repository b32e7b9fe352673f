/* tokens.c - what counting costs: 1 MiB of every kind of content, in both
 * encodings. A prompt is as long as its sender likes, so the worst counts.
 *
 * Run from the build folder: bench/tokens (or with the ranks' folder as its
 * argument). What is measured is CPU time of a second count. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/rand.h"
#include "rules/tokens.h"

enum { BYTES = 1 << 20, BOUND_MS = 100 };

/* What is repeated; with `random`, its bytes are an alphabet that is drawn from. */
static const struct {
    const char *name, *unit;
    bool random;
} contents[] = {
    {"prose", "The quick brown fox jumps over the lazy dog, and it does so every day at 10:45. ", false},
    {"code", "    if (x->next != NULL && x->count > 0) {\n        return x->next->value;\n    }\n", false},
    {"one letter", "a", false},
    {"two letters", "ab", false},
    {"random letters", "abcdefghijklmnopqrstuvwxyz", true},
    {"random letters of both cases", "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ", true},
    {"a and b", "ab", true},
    {"base64", "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789+/", true},
    {"digits", "1", false},
    {"capitals", "A", false},
    {"random capitals", "ETAOINSHRDLU", true},
    {"a letter of no case", "\xe4\xbd\xa0", false},
    {"letters of no case", "\xe4\xbd\xa0\xe5\xa5\xbd\xe4\xb8\x96\xe7\x95\x8c", false},
    {"combining marks", "\xcc\x81", false},
    {"spaces", " ", false},
    {"tabs", "\t", false},
    {"spaces, then a letter", "                                                               a", false},
    {"random blanks", " \t\n\r", true},
    {"new lines", "\n", false},
    {"space and new line", " \n", false},
    {"no-break spaces", "\xc2\xa0", false},
    {"equal signs", "=", false},
    {"random signs", "!#$%&()*+,-./:;<=>?@[]^_{|}~", true},
    {"slashes", "/", false},
    {"apostrophes", "'", false},
    {"emoji", "\xf0\x9f\x98\x80", false},
    {"a space, then one letter", " a", false},
};

static double cpu_ms(void)
{
    struct timespec ts;

    (void)clock_gettime(CLOCK_THREAD_CPUTIME_ID, &ts);
    return (double)ts.tv_sec * 1e3 + (double)ts.tv_nsec / 1e6;
}

static void fill(char *text, const char *unit, bool random)
{
    size_t n = strlen(unit);
    struct rng rng = rng_make(1);

    for (size_t i = 0; i < BYTES; i++)
        text[i] = unit[random ? (size_t)rng_below(&rng, (int64_t)n) : i % n];
}

int main(int argc, char **argv)
{
    static const char *const kinds[TOKENS_KINDS] = {[TOKENS_O200K] = "o200k_base", [TOKENS_CL100K] = "cl100k_base"};
    struct tokens_set set;
    char *text = malloc(BYTES);
    double worst = 0;

    tokens_set_load(&set, argc > 1 ? argv[1] : "share/ranks");
    for (size_t i = 0; text && i < sizeof contents / sizeof *contents; i++) {
        fill(text, contents[i].unit, contents[i].random);
        for (int k = 0; k < TOKENS_KINDS; k++) {
            int64_t tokens = tokens_count(set.encoding[k], text, BYTES / 16);
            double took = cpu_ms();

            tokens = tokens_count(set.encoding[k], text, BYTES);
            took = cpu_ms() - took;
            worst = took > worst ? took : worst;
            printf("%-32s %-12s %8lld tokens %9.1f ms\n", contents[i].name, kinds[k], (long long)tokens, took);
        }
    }
    printf("1 MiB of the worst: %.1f ms   (at most %d: %s)\n", worst, BOUND_MS, worst <= BOUND_MS ? "kept" : "MISSED");
    tokens_set_done(&set);
    free(text);
    return 0;
}
