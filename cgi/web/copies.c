/* copies.c - "weir.db.before-<schema>", which a migration leaves. */
#include "web/copies.h"

#include <dirent.h>
#include <string.h>

void copies_json(const char *state, struct sb *out)
{
    static const char begin[] = "weir.db.before-";
    const char *comma = "";
    DIR *d = opendir(state);
    const struct dirent *f;

    sb_putc(out, '[');
    while (d && (f = readdir(d)) != NULL) {
        if (strncmp(f->d_name, begin, sizeof begin - 1) != 0)
            continue;
        sb_puts(out, comma);
        sb_json(out, f->d_name);
        comma = ",";
    }
    sb_putc(out, ']');
    if (d)
        (void)closedir(d);
}
