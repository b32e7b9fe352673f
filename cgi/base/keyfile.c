/* keyfile.c - a line of text; 256 random bits as one. */
#include "base/keyfile.h"

#include <errno.h>
#include <fcntl.h>
#include <sodium.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "base/rand.h"

enum { HEX = 2 * KEYFILE_BYTES, HEX_SIZE = HEX + 8 };

static bool put(const char *path, char *line, struct sb *why)
{
    size_t n = strlen(line);
    bool ok;

    line[n] = '\n';                 /* in the place of its end */
    ok = file_replace(path, 0600, line, n + 1, why);
    line[n] = '\0';
    return ok;
}

bool keyfile_line(const char *path, char *line, size_t size, void (*make)(char *line), struct sb *why)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    struct stat st;
    ssize_t n;

    if (fd < 0 && errno == ENOENT) {
        make(line);
        return put(path, line, why);
    }
    if (fd < 0 || fstat(fd, &st) < 0 || (n = read(fd, line, size - 1)) < 0) {
        sb_putf(why, "%s: cannot be read: %s", path, strerror(errno));
        if (fd >= 0)
            (void)close(fd);
        return false;
    }
    (void)close(fd);
    line[n] = '\0';
    line[strcspn(line, "\r\n")] = '\0';
    if (st.st_mode & 077)
        sb_putf(why, "%s: others may read it (mode %03o); it must be 600", path, (unsigned)st.st_mode & 0777);
    return !(st.st_mode & 077);
}

static void make_key(char *line)
{
    unsigned char key[KEYFILE_BYTES];

    rand_bytes(key, sizeof key);
    (void)sodium_bin2hex(line, HEX + 1, key, sizeof key);
    sodium_memzero(key, sizeof key);
}

bool keyfile_load(const char *path, unsigned char key[KEYFILE_BYTES], struct sb *why)
{
    char hex[HEX_SIZE];
    size_t got = 0;
    bool ok = keyfile_line(path, hex, sizeof hex, make_key, why);

    if (ok && (strlen(hex) != HEX || sodium_hex2bin(key, KEYFILE_BYTES, hex, HEX, NULL, &got, NULL) != 0 || got != KEYFILE_BYTES)) {
        sb_putf(why, "%s: this is no key of Weir's; put the right one back, or remove the file and a new one is made", path);
        ok = false;
    }
    sodium_memzero(hex, sizeof hex);
    return ok;
}
