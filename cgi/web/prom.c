/* prom.c - see prom.h. */
#include "web/prom.h"

#include <inttypes.h>

void prom_family(struct prom *p, const char *name, const char *type, const char *help)
{
    p->family = name;
    sb_putf(p->out, "# HELP %s %s\n# TYPE %s %s\n", name, help, name, type);
}

static void put_escaped(struct sb *out, const char *s)
{
    for (; *s; s++) {
        if (*s == '"' || *s == '\\')
            sb_putc(out, '\\');
        if (*s == '\n')
            sb_puts(out, "\\n");
        else
            sb_putc(out, *s);
    }
}

static void put_decimal(struct sb *out, int64_t value, int64_t unit)
{
    int64_t part = value % unit;

    if (value < 0)
        sb_putc(out, '-');
    part = part < 0 ? -part : part;
    sb_i64(out, value / unit < 0 ? -(value / unit) : value / unit);
    if (part)
        sb_putc(out, '.');
    for (unit /= 10; part; unit /= 10) {
        sb_i64(out, part / unit);
        part %= unit;
    }
}

/* Name and labels; the value follows. `bound` NULL: no bucket. */
static void begin(struct prom *p, const char *suffix, const struct prom_label *labels, const char *bound)
{
    char before = '{';

    sb_puts(p->out, p->family);
    sb_puts(p->out, suffix);
    for (; labels->name; labels++) {
        if (!labels->value)
            continue;
        sb_putf(p->out, "%c%s=\"", before, labels->name);
        put_escaped(p->out, labels->value);
        sb_putc(p->out, '"');
        before = ',';
    }
    if (bound) {
        sb_putf(p->out, "%cle=\"%s\"", before, bound);
        before = ',';
    }
    sb_puts(p->out, before == ',' ? "} " : " ");
}

void prom_put(struct prom *p, const struct prom_label *labels, int64_t value)
{
    begin(p, "", labels, NULL);
    sb_putf(p->out, "%" PRId64 "\n", value);
}

void prom_put_decimal(struct prom *p, const struct prom_label *labels, int64_t value, int64_t unit)
{
    begin(p, "", labels, NULL);
    put_decimal(p->out, value, unit);
    sb_putc(p->out, '\n');
}

void prom_put_hist(struct prom *p, const struct prom_label *labels, const struct tally_scale *scale, const struct tally_hist *h)
{
    struct sb bound = sb_make(32);
    int64_t below = 0;

    for (size_t i = 0; i < scale->n; i++) {
        sb_reset(&bound);
        put_decimal(&bound, scale->bound[i], scale->unit);
        below += h->n[i];
        begin(p, "_bucket", labels, sb_str(&bound));
        sb_putf(p->out, "%" PRId64 "\n", below);
    }
    begin(p, "_bucket", labels, "+Inf");
    sb_putf(p->out, "%" PRId64 "\n", h->count);
    begin(p, "_sum", labels, NULL);
    put_decimal(p->out, h->sum, scale->unit);
    sb_putc(p->out, '\n');
    begin(p, "_count", labels, NULL);
    sb_putf(p->out, "%" PRId64 "\n", h->count);
    sb_done(&bound);
}
