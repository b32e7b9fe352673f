/* budgets_file.c - the budgets of the configuration as rows beside those of the table. */
#include "store/budgets.h"

#include <sodium.h>
#include <stdio.h>
#include <string.h>

void budgets_from_file(const struct budget_settings *b, struct budget_row *out)
{
    enum { ID_BYTES = 11 };
    unsigned char digest[crypto_hash_sha256_BYTES];
    struct sb name = sb_make(400);
    char hex[2 * ID_BYTES + 1];

    *out = (struct budget_row){.from_file = true};
    out->rule.scope = (enum budget_scope)b->scope;       /* the words of the setting stand in the enums' order */
    out->rule.window = (enum budget_window)b->window;
    out->rule.each = b->each;
    out->rule.limit = b->limit_pico;
    out->rule.warns = b->warns;
    memcpy(out->rule.warn, b->warn_ppm, sizeof out->rule.warn);
    (void)snprintf(out->rule.key, sizeof out->rule.key, "%s", b->key ? b->key : "");
    (void)snprintf(out->tz, sizeof out->tz, "%s", b->tz);
    sb_puts(&name, b->each ? "each:" : "one:");
    settings_budget_name(b, &name);
    crypto_hash_sha256(digest, (const unsigned char *)sb_str(&name), name.len);
    sodium_bin2hex(hex, sizeof hex, digest, ID_BYTES);
    (void)snprintf(out->rule.id, sizeof out->rule.id, "bud_%s", hex);
    sb_done(&name);
}

bool budgets_check(const struct settings *s, struct sb *why)
{
    struct zone zone;

    for (size_t i = 0; i < s->n_budgets; i++)
        if (!zone_load(s->budgets[i].tz, &zone)) {
            sb_putf(why, "%s: budgets[%zu].tz is ", s->config, i);
            sb_json(why, s->budgets[i].tz);
            sb_puts(why, ", but it must be the name of a time zone, as \"Europe/Berlin\".");
            return false;
        }
    return true;
}
