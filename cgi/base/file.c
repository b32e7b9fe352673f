/* file.c - read to the end or say why not; fsync of a directory. */
#include "base/file.h"

#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/mem.h"

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
