/* file.c - read to the end or say why not; write beside and rename; fsync of a directory. */
#include "base/file.h"

#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/mem.h"

enum { PATH_BYTES = 4096 };

bool file_read(const char *path, struct sb *out, struct sb *why)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    ssize_t n = fd < 0 ? -1 : 1;
    char piece[8192];

    while (n > 0 && sb_ok(out)) {
        n = read(fd, piece, sizeof piece);
        if (n > 0)
            sb_put(out, piece, (size_t)n);
    }
    if (n < 0)
        sb_putf(why, "%s cannot be read: %s.", path, strerror(errno));
    else if (!sb_ok(out))
        sb_putf(why, "%s cannot be read: it has more than %zu bytes.", path, out->max);
    if (fd >= 0)
        (void)close(fd);
    return n >= 0 && sb_ok(out);
}

bool file_sync_directory_of(const char *path)
{
    char *copy = mem_strdup(path);
    int fd = open(dirname(copy), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    bool ok = fd >= 0 && fsync(fd) == 0;

    if (fd >= 0)
        (void)close(fd);
    free(copy);
    return ok;
}

bool file_write(int fd, const char *p, size_t n)
{
    while (n > 0) {
        ssize_t sent = write(fd, p, n);

        if (sent < 0 && errno == EINTR)
            continue;
        if (sent <= 0)
            return false;
        p += sent;
        n -= (size_t)sent;
    }
    return true;
}

bool file_replace(const char *path, mode_t mode, const char *text, size_t n, struct sb *why)
{
    struct sb made = sb_make(PATH_BYTES);
    bool ok = false;
    int fd;

    sb_putf(&made, "%s.XXXXXX", path);
    fd = sb_ok(&made) ? mkstemp(made.p) : -1;
    if (fd >= 0) {
        ok = fchmod(fd, mode) == 0 && file_write(fd, text, n) && fsync(fd) == 0;
        ok = close(fd) == 0 && ok && rename(made.p, path) == 0;
        if (!ok) {
            int what = errno;

            (void)unlink(made.p);
            errno = what;
        }
        ok = ok && file_sync_directory_of(path);
    }
    if (!ok)
        sb_putf(why, "%s cannot be written: %s.", path, sb_ok(&made) ? strerror(errno) : "its name is too long");
    sb_done(&made);
    return ok;
}
