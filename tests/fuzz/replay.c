/* replay.c - runs a fuzz target over its kept inputs, and over each of their
 * prefixes and single changed bits, so that make check has something of it. */
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "fuzz.h"

enum { INPUT_MAX = 1 << 16 };

static void vary(uint8_t *data, size_t n)
{
    LLVMFuzzerTestOneInput(data, n);
    for (size_t cut = 0; cut < n; cut++)
        LLVMFuzzerTestOneInput(data, cut);
    for (size_t at = 0; at < n; at++)
        for (unsigned bit = 1; bit < 256; bit <<= 1) {
            data[at] = (uint8_t)(data[at] ^ bit);
            LLVMFuzzerTestOneInput(data, n);
            data[at] = (uint8_t)(data[at] ^ bit);
        }
}

int main(int argc, char **argv)
{
    static uint8_t data[INPUT_MAX];
    const char *top = getenv("srcdir");
    char folder[1024], path[2048];
    struct dirent *entry;
    int inputs = 0;
    DIR *d;

    (void)snprintf(folder, sizeof folder, "%s/tests/fuzz/corpus/%s", top ? top : ".", FUZZ_CORPUS);
    d = opendir(argc > 1 ? argv[1] : folder);
    if (!d) {
        perror(folder);
        return 1;
    }
    while ((entry = readdir(d))) {
        FILE *f;

        if (entry->d_name[0] == '.')
            continue;
        (void)snprintf(path, sizeof path, "%s/%s", argc > 1 ? argv[1] : folder, entry->d_name);
        f = fopen(path, "rb");
        if (!f) {
            perror(path);
            return 1;
        }
        vary(data, fread(data, 1, sizeof data, f));
        (void)fclose(f);
        inputs++;
    }
    (void)closedir(d);
    printf("%d inputs of %s and their neighbours\n", inputs, FUZZ_CORPUS);
    return inputs == 0;
}
