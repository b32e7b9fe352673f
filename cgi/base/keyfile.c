/* keyfile.c - 256 random bits as text. */
#include "base/keyfile.h"

#include <errno.h>
#include <fcntl.h>
#include <sodium.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/rand.h"

enum { HEX = 2 * KEYFILE_BYTES };

static bool make(const char *path, unsigned char key[KEYFILE_BYTES], struct sb *why)
{
    char hex[HEX + 1];
    int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    bool written;

    if (fd < 0) {
        sb_putf(why, "%s: cannot be made: %s", path, strerror(errno));
        return false;
    }
    rand_bytes(key, KEYFILE_BYTES);
    (void)sodium_bin2hex(hex, sizeof hex, key, KEYFILE_BYTES);
    written = dprintf(fd, "%s\n", hex) == HEX + 1 && fsync(fd) == 0;
    sodium_memzero(hex, sizeof hex);
    if (close(fd) < 0 || !written) {
        sb_putf(why, "%s: cannot be written: %s", path, strerror(errno));
        (void)unlink(path);
        return false;
    }
    return true;
}

bool keyfile_load(const char *path, unsigned char key[KEYFILE_BYTES], struct sb *why)
{
    char hex[HEX + 8] = "";
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    struct stat st;
    size_t got = 0;
    ssize_t n;

    if (fd < 0 && errno == ENOENT)
        return make(path, key, why);
    if (fd < 0 || fstat(fd, &st) < 0 || (n = read(fd, hex, sizeof hex - 1)) < 0) {
        sb_putf(why, "%s: cannot be read: %s", path, strerror(errno));
        if (fd >= 0)
            (void)close(fd);
        return false;
    }
    (void)close(fd);
    hex[n] = '\0';
    hex[strcspn(hex, "\r\n")] = '\0';
    if (st.st_mode & 077)
        sb_putf(why, "%s: others may read it (mode %03o); it must be 600", path, (unsigned)st.st_mode & 0777);
    else if (strlen(hex) != HEX || sodium_hex2bin(key, KEYFILE_BYTES, hex, HEX, NULL, &got, NULL) != 0 || got != KEYFILE_BYTES)
        sb_putf(why, "%s: this is no key of Weir's; put the right one back, or remove the file and a new one is made", path);
    else
        got = KEYFILE_BYTES + 1;
    sodium_memzero(hex, sizeof hex);
    return got > KEYFILE_BYTES;
}
