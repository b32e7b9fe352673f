/* replay.c - runs a fuzz target over its kept inputs, and over some of their
 * prefixes and single changed bits, so that make check has something of it.
 * fuzz_NAME reads corpus/NAME, or the folder or file it is given. */
#include <dirent.h>
#include <string.h>
#include <sys/stat.h>

#include "fuzz.h"

enum { INPUT_MAX = 1 << 16 };

static void vary(uint8_t *data, size_t n)
{
    size_t bits = n * 8, step = bits / (fuzz_neighbours + 1) + 1;

    LLVMFuzzerTestOneInput(data, n);
    for (size_t cut = 0; cut < n; cut += step)
        LLVMFuzzerTestOneInput(data, cut);
    for (size_t bit = 0; bit < bits; bit += step) {
        data[bit / 8] = (uint8_t)(data[bit / 8] ^ (1u << (bit % 8)));
        LLVMFuzzerTestOneInput(data, n);
        data[bit / 8] = (uint8_t)(data[bit / 8] ^ (1u << (bit % 8)));
    }
}

static void run(const char *path)
{
    static uint8_t data[INPUT_MAX];
    FILE *f = fopen(path, "rb");

    if (!f) {
        perror(path);
        exit(1);
    }
    vary(data, fread(data, 1, sizeof data, f));
    (void)fclose(f);
}

static int run_all(const char *folder)
{
    char path[2048];
    struct dirent *entry;
    DIR *d = opendir(folder);
    int inputs = 0;

    if (!d) {
        perror(folder);
        exit(1);
    }
    while ((entry = readdir(d))) {
        if (entry->d_name[0] == '.')
            continue;
        (void)snprintf(path, sizeof path, "%s/%s", folder, entry->d_name);
        run(path);
        inputs++;
    }
    (void)closedir(d);
    return inputs;
}

int main(int argc, char **argv)
{
    const char *top = getenv("srcdir"), *name = strstr(argv[0], "fuzz_");
    char folder[1024];
    struct stat is;
    int inputs = 1;

    (void)snprintf(folder, sizeof folder, "%s/tests/fuzz/corpus/%s", top ? top : ".", name ? name + strlen("fuzz_") : "");
    if (argc > 1 && stat(argv[1], &is) == 0 && S_ISREG(is.st_mode))
        run(argv[1]);
    else
        inputs = run_all(argc > 1 ? argv[1] : folder);
    printf("%d inputs and their neighbours\n", inputs);
    return inputs == 0;
}
