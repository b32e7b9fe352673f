/* pack_ranks.c - turn a .tiktoken file ("base64 rank" a line) into the file
 * rules/ranks.h describes. Run by make.
 *
 *     pack_ranks o200k_base FROM.tiktoken TO.ranks
 *
 * The input must be, byte for byte, the file OpenAI published (by its SHA-256),
 * and its ranks 0, 1, 2, … without a gap; else nothing is written. */
#include <errno.h>
#include <sodium.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "rules/ranks.h"
#include "rules/tokens.h"

enum { INPUT_MAX = 8 << 20 };

static const struct source {
    const char *name, *sha256;
    uint32_t kind;
} sources[] = {
    {"cl100k_base", "223921b76ee99bde995b7ff738513eef100fb51d18c93597a113bcffe865b2a7", TOKENS_CL100K},
    {"o200k_base", "446a9538cb6c348e3516120d7c08b09f57c36495e2acfffe59a5bf8b0cfb1a2d", TOKENS_O200K},
};

/* What is being built. */
struct pack {
    struct ranks_head head;
    uint32_t *off, *slot;
    unsigned char *blob;
};

__attribute__((format(printf, 1, 2)))
static _Noreturn void die(const char *fmt, ...)
{
    va_list ap;

    va_start(ap, fmt);
    (void)fputs("pack_ranks: ", stderr);
    (void)vfprintf(stderr, fmt, ap);
    (void)fputc('\n', stderr);
    va_end(ap);
    exit(EXIT_FAILURE);
}

static char *read_input(const char *path, size_t *n)
{
    FILE *f = fopen(path, "re");
    char *text = mem_zalloc(INPUT_MAX, 1);

    if (!f)
        die("%s: %s", path, strerror(errno));
    *n = fread(text, 1, INPUT_MAX - 1, f);
    if (ferror(f) || !feof(f))
        die("%s: cannot be read whole", path);
    (void)fclose(f);
    return text;
}

static void check_input(const struct source *src, const char *path, const char *text, size_t n)
{
    unsigned char hash[crypto_hash_sha256_BYTES];
    char hex[2 * sizeof hash + 1];

    crypto_hash_sha256(hash, (const unsigned char *)text, n);
    (void)sodium_bin2hex(hex, sizeof hex, hash, sizeof hash);
    if (strcmp(hex, src->sha256) != 0)
        die("%s: is not the published %s (SHA-256 %s, not %s)", path, src->name, hex, src->sha256);
}

/* Decode one base64 word, ended by anything that is no base64 digit, and move *s
 * past it and its padding. Returns its bytes. */
static size_t decode64(const char **s, unsigned char *out, size_t room)
{
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    uint32_t bits = 0;
    int have = 0;
    size_t n = 0;
    const char *d;

    while (**s && (d = strchr(digits, **s))) {
        bits = bits << 6 | (uint32_t)(d - digits);
        have += 6;
        if (have >= 8) {
            if (n == room)
                die("a token is longer than %zu bytes", room);
            have -= 8;
            out[n++] = (unsigned char)(bits >> have);
        }
        ++*s;
    }
    while (**s == '=')
        ++*s;
    return n;
}

static void pack_token(struct pack *p, uint32_t rank, size_t bytes)
{
    const unsigned char *token = p->blob + p->off[rank];
    uint64_t h = ranks_hash(token, bytes);
    uint32_t mask = p->head.slots - 1, i = (uint32_t)h & mask;

    while (p->slot[i])
        i = (i + 1) & mask;
    p->slot[i] = ranks_slot(h, rank);
    p->off[rank + 1] = p->off[rank] + (uint32_t)bytes;
}

static void pack_all(struct pack *p, const char *text)
{
    uint32_t rank = 0;

    for (const char *s = text; *s; rank++) {
        size_t bytes = decode64(&s, p->blob + p->off[rank], RANKS_TOKEN_MAX);
        char *end;

        if (!bytes || *s != ' ' || strtoul(s, &end, 10) != rank || *end != '\n')
            die("line %u is not a token with that rank", rank + 1);
        pack_token(p, rank, bytes);
        s = end + 1;
    }
    p->head.blob_bytes = p->off[rank];
}

static void put(FILE *f, const void *p, size_t n, const char *path)
{
    if (fwrite(p, 1, n, f) != n)
        die("%s: %s", path, strerror(errno));
}

static void write_pack(const struct pack *p, const char *path)
{
    FILE *f = fopen(path, "we");

    if (!f)
        die("%s: %s", path, strerror(errno));
    put(f, &p->head, sizeof p->head, path);
    put(f, p->off, (p->head.n + 1) * sizeof *p->off, path);
    put(f, p->slot, p->head.slots * sizeof *p->slot, path);
    put(f, p->blob, p->head.blob_bytes, path);
    if (fclose(f))
        die("%s: %s", path, strerror(errno));
}

int main(int argc, char **argv)
{
    const struct source *src = NULL;
    struct pack p = {.head = {.magic = RANKS_MAGIC, .version = RANKS_VERSION}};
    size_t n;
    char *text;

    for (size_t i = 0; argc == 4 && i < sizeof sources / sizeof *sources; i++)
        if (!strcmp(argv[1], sources[i].name))
            src = &sources[i];
    if (!src)
        die("usage: pack_ranks cl100k_base|o200k_base FROM.tiktoken TO.ranks");
    text = read_input(argv[2], &n);
    check_input(src, argv[2], text, n);
    for (size_t i = 0; i < n; i++)
        p.head.n += text[i] == '\n';
    p.head.kind = src->kind;
    for (p.head.slots = 1; p.head.slots < 2 * p.head.n;)
        p.head.slots *= 2;
    p.off = mem_zalloc(p.head.n + 1, sizeof *p.off);
    p.slot = mem_zalloc(p.head.slots, sizeof *p.slot);
    p.blob = mem_zalloc(n + RANKS_TOKEN_MAX, 1);
    pack_all(&p, text);
    write_pack(&p, argv[3]);
    free(text);
    free(p.off);
    free(p.slot);
    free(p.blob);
    return EXIT_SUCCESS;
}
