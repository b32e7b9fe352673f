/* settings_options.h - the tables behind settings.h, shared by loading and documenting. */
#ifndef WEIR_SETTINGS_OPTIONS_H
#define WEIR_SETTINGS_OPTIONS_H

#include "base/settings.h"

/* The three tables, bound to the struct they fill. Borrow `s`, `t`, `u`. */
struct cfg_bind settings_bind_global(struct settings *s);
struct cfg_bind settings_bind_tuning(struct tuning_settings *t);
struct cfg_bind settings_bind_upstream(struct upstream_settings *u);

/* A preset is a named handful of tuning values; NULL ends the list of values. */
struct preset {
    const char *name, *help;
    struct {
        const char *key, *value;
    } set[8];
};
extern const struct preset presets[];
extern const size_t n_presets;

/* Set what the preset sets; its values are the table's own, so nothing can fail. */
void preset_apply(const struct preset *p, struct tuning_settings *t);
/* NULL if there is none of this name. */
const struct preset *preset_find(const char *name);

#endif
