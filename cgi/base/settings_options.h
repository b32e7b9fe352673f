/* settings_options.h - the tables behind settings.h, shared by loading and documenting. */
#ifndef WEIR_SETTINGS_OPTIONS_H
#define WEIR_SETTINGS_OPTIONS_H

#include "base/settings.h"

/* The tables, bound to the struct they fill. Borrow what they are given. */
struct cfg_bind settings_bind_global(struct settings *s);
struct cfg_bind settings_bind_tuning(struct tuning_settings *t);
struct cfg_bind settings_bind_upstream(struct upstream_settings *u);
struct cfg_bind settings_bind_budget(struct budget_settings *b);

/* settings_doc.c: the chapters of docs/settings.md and weir.json(5). `intro` is Markdown of paragraphs and `words`. */
enum { SETTINGS_SECTIONS = 8 };
struct settings_section {
    const char *title, *intro;
    struct cfg_bind table;           /* bound to nothing */
    const char *prefix;              /* of its variables in the environment; NULL: it has none */
    bool leaf;                       /* they are named after the last part of the key */
};
size_t settings_sections(struct settings_section out[SETTINGS_SECTIONS]);

/* settings.c: free what an upstream's entry owns. */
void settings_upstream_done(struct upstream_settings *u);
/* settings_budgets.c: read the member `budgets` (may be NULL). */
bool settings_load_budgets(struct settings *s, const json_t *list, struct sb *why) __attribute__((warn_unused_result));

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

/* Upstreams that need no entry in the file: the environment makes them, or they are always there. */
struct known_upstream {
    const char *name;
    const char *prefix;      /* of their variables beside WEIR_UPSTREAM_<NAME>_; NULL: none */
    const char *base_url;    /* unless set; NULL: none */
    enum protocol protocol;
};
extern const struct known_upstream known_upstreams[];
extern const size_t n_known_upstreams;

/* settings.c, for settings_edit.c: the file settings_load(path) reads, NULL if there is none (borrowed); a file as JSON, a new
 * reference, NULL with a sentence; and the settings of such JSON (NULL: of no file), which `path` names in sentences. */
const char *settings_path(const char *path);
json_t *settings_read(const char *path, struct sb *why) __attribute__((warn_unused_result));
struct settings *settings_make(const char *path, const json_t *root, struct sb *why) __attribute__((warn_unused_result));

/* settings_models.c: false with a sentence if auto or fallbacks name a model twice, themselves, or in a circle. */
bool settings_check_models(const struct settings *s, struct sb *why) __attribute__((warn_unused_result));

/* settings_env.c: append "WEIR_UPSTREAM_MY_LLM_" for my-llm. */
void settings_env_prefix(struct sb *out, const char *name);
/* Is any of these variables set, and not empty, under this prefix? `leaves` ends with NULL. */
bool settings_env_has(const char *prefix, const char *const *leaves);
/* False with a sentence if a variable that begins with WEIR_ is nearly a setting, or one of an upstream that neither
 * the file's `entries` (may be NULL) nor known_upstreams have. */
bool settings_env_check(const json_t *entries, struct sb *why) __attribute__((warn_unused_result));

#endif
