/* prom.h - Prometheus' text format 0.0.4: families, and samples with labels. */
#ifndef WEIR_PROM_H
#define WEIR_PROM_H

#include <stdint.h>

#include "base/sb.h"
#include "flow/tally.h"

struct prom {
    struct sb *out;
    const char *family;          /* of the samples that follow */
};

struct prom_label {
    const char *name, *value;    /* value NULL: this sample does not have it */
};
/* Labels of one sample, as in PROM({"provider", name}, {"dim", "rpm"}); PROM_NONE: it has none. */
#define PROM(...) ((const struct prom_label[]){__VA_ARGS__, {NULL, NULL}})
#define PROM_NONE ((const struct prom_label[]){{NULL, NULL}})

/* Begin a family; all its samples follow before the next one begins. `type`: counter, gauge or histogram. */
void prom_family(struct prom *p, const char *name, const char *type, const char *help);
void prom_put(struct prom *p, const struct prom_label *labels, int64_t value);
/* value/unit, exact; `unit` is a power of ten. */
void prom_put_decimal(struct prom *p, const struct prom_label *labels, int64_t value, int64_t unit);
void prom_put_hist(struct prom *p, const struct prom_label *labels, const struct tally_scale *scale, const struct tally_hist *h);

#endif
