/* csv.c - one cell at a time. */
#include "base/csv.h"

#include <string.h>

struct csv csv_make(const char *text, size_t n, char separator)
{
    static const char mark[] = "\xEF\xBB\xBF";
    size_t skip = n >= 3 && memcmp(text, mark, 3) == 0 ? 3 : 0;

    return (struct csv){.at = text + skip, .end = text + n, .separator = separator, .line = 1};
}

bool csv_cell(struct csv *c, struct sb *cell)
{
    bool quoted = c->at < c->end && *c->at == '"';

    sb_reset(cell);
    for (c->at += quoted; c->at < c->end; c->at++) {
        char x = *c->at;

        if (quoted && x == '"' && c->at + 1 < c->end && c->at[1] == '"')
            c->at++;
        else if (quoted && x == '"') {
            quoted = false;
            continue;
        } else if (!quoted && (x == c->separator || x == '\n'))
            break;
        c->line += x == '\n';
        if (quoted || x != '\r')
            sb_putc(cell, x);
    }
    c->row_over = c->at == c->end || *c->at == '\n';
    c->line += c->at < c->end && *c->at == '\n';
    c->at += c->at < c->end;
    return !quoted && sb_ok(cell);
}
