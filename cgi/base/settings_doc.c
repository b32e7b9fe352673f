/* settings_doc.c - what `weir config` prints: check, show, and the documents made from the tables. */
#include "base/settings_options.h"

#include <string.h>

#include "base/mem.h"

bool settings_check(const char *path, struct sb *out)
{
    struct settings *s = settings_load(path, out);

    if (!s)
        return false;
    sb_putf(out, "%s is right. Upstreams:", s->config ? s->config : "The environment (there is no weir.json)");
    for (size_t i = 0; i < s->n_upstreams; i++)
        sb_putf(out, "%s %s", i ? "," : "", s->upstreams[i].name);
    sb_puts(out, ".");
    for (size_t i = 0; i < s->n_budgets; i++) {
        sb_puts(out, i ? ", " : " Budgets: ");
        settings_budget_name(&s->budgets[i], out);
    }
    sb_puts(out, s->n_budgets ? "." : "");
    settings_free(s);
    return true;
}

/* prefix + key=value for one table; what is not set has an empty value. */
static void show_table(struct sb *out, const struct cfg_bind *b, const char *prefix)
{
    for (size_t i = 0; i < b->n; i++) {
        if (b->options[i].type == CFG_SECRET)
            continue;
        sb_putf(out, "%s%s=", prefix, b->options[i].key);
        cfg_value_text(&b->options[i], b->base, out);
        sb_putc(out, '\n');
    }
}

void settings_show(const struct settings *s, struct sb *out)
{
    struct cfg_bind top = settings_bind_global((struct settings *)(uintptr_t)s);

    show_table(out, &top, "");
    for (size_t i = 0; i < s->n_upstreams; i++) {
        struct upstream_settings *u = &s->upstreams[i];
        struct cfg_bind b[] = {settings_bind_upstream(u), settings_bind_tuning(&u->tune)};
        struct sb prefix = sb_make(100);

        if (!u->enabled)
            continue;
        sb_putf(&prefix, "upstreams.%s.", u->name);
        show_table(out, &b[0], sb_str(&prefix));
        show_table(out, &b[1], sb_str(&prefix));
        sb_done(&prefix);
    }
    for (size_t i = 0; i < s->n_budgets; i++) {
        struct cfg_bind b = settings_bind_budget(&s->budgets[i]);
        struct sb prefix = sb_make(400);

        sb_puts(&prefix, "budgets.");
        settings_budget_name(&s->budgets[i], &prefix);
        sb_putc(&prefix, '.');
        show_table(out, &b, sb_str(&prefix));
        sb_putf(out, "%swarn=", sb_str(&prefix));
        for (int w = 0; w < s->budgets[i].warns; w++)
            sb_putf(out, "%s%d.%06d", w ? "," : "", (int)s->budgets[i].warn_ppm[w] / 1000000, (int)s->budgets[i].warn_ppm[w] % 1000000);
        sb_putc(out, '\n');
        sb_done(&prefix);
    }
}

static void doc_line(struct sb *out, const struct cfg_option *o, const char *prefix, bool leaf)
{
    struct sb env = sb_make(200), allowed = sb_make(1000);

    if (prefix && strcmp(o->key, "name") != 0)     /* what the variables are named after */
        cfg_env_name(o, prefix, leaf, &env);
    cfg_allowed(o, &allowed);
    sb_putf(out, "| `%s`", o->key);
    for (const char *p = o->aliases; p && *p;) {
        size_t n = strcspn(p, " ");

        sb_putf(out, ", `%.*s`", (int)n, p);
        p += n + strspn(p + n, " ");
    }
    sb_putf(out, " | %s%s%s | %s | %s | %s%s |\n", env.len ? "`" : "", env.len ? sb_str(&env) : "–", env.len ? "`" : "",
            o->fallback ? o->fallback : "–", sb_str(&allowed), o->help,
            o->restart ? " A change needs a restart." : "");
    sb_done(&env);
    sb_done(&allowed);
}

static void doc_table(struct sb *out, const struct cfg_bind *b, const char *prefix, bool leaf)
{
    sb_puts(out, "| key | environment | default | allowed | meaning |\n| --- | --- | --- | --- | --- |\n");
    for (size_t i = 0; i < b->n; i++)
        doc_line(out, &b->options[i], prefix, leaf);
    sb_putc(out, '\n');
}

size_t settings_sections(struct settings_section out[SETTINGS_SECTIONS])
{
    const struct settings_section all[] = {
        {"Weir as a whole",
         "Weir reads `weir.json` in the folder it is started from, or the file that `WEIR_CONFIG` names, and then the\n"
         "environment, which wins. A key with a dot is a member of an object: `queue.max_size` is\n"
         "`{\"queue\": {\"max_size\": 1000}}`. A key that is not known or a value that is not allowed stops the start with\n"
         "exit status 78 and a sentence that says which and why; `weir config check` says the same without starting,\n"
         "`weir config show` prints what is in force. A duration is a number of seconds (`1.2`) or a text with a unit\n"
         "(`\"250ms\"`, `\"90s\"`, `\"5m\"`, `\"1h\"`, `\"7d\"`). `null`, and an empty environment variable, mean: not set.\n\n"
         "`POST /admin/reload`, or SIGHUP to `weir serve` or `script/server`, reads the file and its key files again; the\n"
         "environment is that of the start. A file that is wrong changes nothing: the answer and the log say why. One that is\n"
         "right takes effect at once, and nothing that runs is dropped: calls under way keep the address and key they began\n"
         "with, what a limit has counted and a budget holds stays, an upstream that is gone takes no new calls and what waited\n"
         "for it alone is told so. The few settings that need a restart say so below; until then they keep their old value, and\n"
         "the answer names them.",
         settings_bind_global(NULL), "WEIR_", false},
        {"How each upstream is used",
         "At the top of `weir.json` (or as `WEIR_…`) these are the defaults of every upstream; in an entry of `upstreams`\n"
         "they are that upstream's own. The default limits below are those of providers; the built-in model has none\n"
         "unless the top or its entry gives some.",
         settings_bind_tuning(NULL), "WEIR_", false},
        {"One upstream: an entry of `upstreams`",
         "`OPENAI_API_KEY` or `OPENAI_BASE_URL` makes an upstream `openai` without any file, and `ANTHROPIC_API_KEY` or\n"
         "`ANTHROPIC_BASE_URL` one named `anthropic`. Everything in this table and the one above can be set for them as\n"
         "`OPENAI_…` and `ANTHROPIC_…` with the last part of the key (`OPENAI_REQUESTS_PER_MINUTE`, `OPENAI_MAX_RETRIES`;\n"
         "the time-outs are `OPENAI_CONNECT_TIMEOUT` and so on), and for any upstream as `WEIR_UPSTREAM_<NAME>_…`, its name in\n"
         "capitals with `_` for all else. The upstream `builtin` is there without an entry; one may give it limits, or\n"
         "`\"enabled\": false`.",
         settings_bind_upstream(NULL), "OPENAI_", true},
        {"One budget: an entry of `budgets`",
         "`{\"budgets\": [{\"scope\": \"user\", \"each\": true, \"window\": \"month\", \"limit_usd\": 20}]}`, beside those that\n"
         "were set at `/admin/budgets`, where these are shown too and can be changed in the file alone. `warn` is a rising list\n"
         "of shares of the limit, `[0.5, 0.8, 0.95]` unless set.",
         settings_bind_budget(NULL), NULL, false},
    };
    size_t n = sizeof all / sizeof *all;

    _Static_assert(sizeof all / sizeof *all <= SETTINGS_SECTIONS, "room for all");
    memcpy(out, all, sizeof all);
    return n;
}

void settings_doc(struct sb *out)
{
    struct settings_section sections[SETTINGS_SECTIONS];
    size_t n = settings_sections(sections);

    sb_puts(out, "# Settings\n\n"
                 "Made from the tables in `cgi/base/settings_options.c` by `make docs`; a test compares the two.\n\n");
    for (size_t i = 0; i < n; i++) {
        sb_putf(out, "## %s\n\n%s\n\n", sections[i].title, sections[i].intro);
        doc_table(out, &sections[i].table, sections[i].prefix, sections[i].leaf);
    }
    sb_puts(out, "## Presets\n\n| name | sets | meaning |\n| --- | --- | --- |\n");
    for (size_t i = 0; i < n_presets; i++) {
        sb_putf(out, "| `%s` |", presets[i].name);
        for (size_t j = 0; presets[i].set[j].key; j++)
            sb_putf(out, "%s `%s` %s", j ? "," : "", presets[i].set[j].key, presets[i].set[j].value);
        sb_putf(out, " | %s |\n", presets[i].help);
    }
}

/* Members of one table that have a default, grouped into objects where keys have a dot. */
static void example_members(struct sb *out, const struct cfg_bind *b)
{
    char section[64] = "";
    bool first = true;

    for (size_t i = 0; i < b->n; i++) {
        const struct cfg_option *o = &b->options[i];
        const char *dot = strchr(o->key, '.');
        size_t n = dot ? (size_t)(dot - o->key) : 0;

        if (!o->fallback)
            continue;
        if (*section && (n != strlen(section) || memcmp(section, o->key, n) != 0)) {
            sb_puts(out, "}");
            *section = '\0';
        } else if (*section) {
            sb_puts(out, ", ");
        }
        if (!*section) {
            sb_puts(out, first ? "  " : ",\n  ");
            if (dot) {
                memcpy(section, o->key, n);
                section[n] = '\0';
                sb_putf(out, "\"%s\": {", section);
            }
        }
        sb_json(out, dot ? dot + 1 : o->key);
        sb_puts(out, ": ");
        cfg_value_json(o, b->base, out);
        first = false;
    }
    sb_puts(out, *section ? "},\n" : ",\n");
}

void settings_example(struct sb *out)
{
    struct settings *s = mem_zalloc(1, sizeof *s);
    struct cfg_bind global = settings_bind_global(s), tuning = settings_bind_tuning(&s->defaults);

    cfg_defaults(&global);
    cfg_defaults(&tuning);
    sb_puts(out, "{\n");
    example_members(out, &global);
    sb_puts(out,
            "  \"max_concurrent\": 32,\n"
            "  \"reserve\": 0.15,\n"
            "  \"upstreams\": [\n"
            "    {\"name\": \"openai\", \"enabled\": false, \"key_env\": \"OPENAI_API_KEY\", \"preset\": \"production\",\n"
            "     \"limits\": {\"requests_per_minute\": 60, \"tokens_per_minute\": 150000}},\n"
            "    {\"name\": \"openai-dev\", \"enabled\": false, \"base_url\": \"https://api.openai.com/v1\",\n"
            "     \"key_file\": \"/etc/weir/openai-dev.key\", \"preset\": \"development\", \"models\": [\"gpt-4o-mini\"]},\n"
            "    {\"name\": \"anthropic\", \"enabled\": false, \"key_env\": \"ANTHROPIC_API_KEY\", \"preset\": \"anthropic-50\"},\n"
            "    {\"name\": \"ollama\", \"enabled\": false, \"base_url\": \"http://127.0.0.1:11434/v1\", \"max_concurrent\": 2},\n"
            "    {\"name\": \"llama-cpp\", \"enabled\": false, \"base_url\": \"http://127.0.0.1:8081/v1\", \"max_concurrent\": 1},\n"
            "    {\"name\": \"builtin\", \"max_concurrent\": 32}\n"
            "  ]\n"
            "}\n");
    cfg_free(&global);
    cfg_free(&tuning);
    settings_free(s);
}
