/* settings_man.c - weir.json(5) in mdoc(7), from the chapters and tables that docs/settings.md is made from. */
#include "base/settings_options.h"

#include <string.h>

enum { LINE_MAX_BYTES = 76, WORD_MAX = 1000 };

/* One word of a text, `marked` ones bold, escaped for troff. */
static void put_word(struct sb *out, const char *word, size_t n, bool *bold)
{
    for (size_t i = 0; i < n; i++) {
        if (word[i] == '`') {
            *bold = !*bold;
            sb_puts(out, *bold ? "\\fB" : "\\fR");
        } else if (word[i] == '\\')
            sb_puts(out, "\\e");
        else if (word[i] == '-' && *bold)
            sb_puts(out, "\\-");
        else
            sb_putc(out, word[i]);
    }
}

/* Markdown of paragraphs and `words`: filled lines, each sentence on a new one. */
static void put_text(struct sb *out, const char *text)
{
    struct sb word = sb_make(WORD_MAX);
    size_t column = 0;                       /* 0: a line begins */
    bool bold = false;

    while (*(text += strspn(text, " "))) {
        size_t n = strcspn(text, " \n");

        if (n == 0) {                        /* a line's end; two are a paragraph's */
            if (*++text == '\n') {
                sb_puts(out, column ? "\n.Pp\n" : ".Pp\n");
                column = 0;
                text++;
            }
            continue;
        }
        sb_reset(&word);
        put_word(&word, text, n, &bold);
        if (column) {
            bool fits = column + 1 + word.len <= LINE_MAX_BYTES;

            sb_putc(out, fits ? ' ' : '\n');
            column = fits ? column + 1 : 0;
        }
        if (column == 0 && strchr(".'", *text))      /* it would be a request */
            sb_puts(out, "\\&");
        sb_put(out, sb_str(&word), word.len);
        column += word.len;
        text += n;
        if (text[-1] == '.') {               /* what follows is a sentence of its own */
            sb_putc(out, '\n');
            column = 0;
        }
    }
    if (column)
        sb_putc(out, '\n');
    sb_done(&word);
}

static void put_option(struct sb *out, const struct cfg_option *o, const struct settings_section *s)
{
    struct sb text = sb_make(8000);

    sb_putf(out, ".It Ic %s\n", o->key);
    sb_puts(&text, o->help);
    if (o->restart)
        sb_puts(&text, " A change needs a restart.");
    sb_puts(&text, "\n\nAllowed: ");
    cfg_allowed(o, &text);
    sb_puts(&text, ".");
    if (o->fallback)
        sb_putf(&text, " Default: `%s`.", o->fallback);
    if (s->prefix && strcmp(o->key, "name") != 0) {
        sb_puts(&text, " Environment: `");
        cfg_env_name(o, s->prefix, s->leaf, &text);
        sb_puts(&text, "`.");
    }
    if (o->aliases)
        sb_putf(&text, " Also spelled `%s`.", o->aliases);
    put_text(out, sb_str(&text));
    sb_done(&text);
}

static void put_section(struct sb *out, const struct settings_section *s)
{
    sb_puts(out, ".Sh ");
    for (const char *c = s->title; *c; c++)
        if (*c != '`')
            sb_putc(out, *c >= 'a' && *c <= 'z' ? (char)(*c - 'a' + 'A') : *c);
    sb_putc(out, '\n');
    put_text(out, s->intro);
    sb_puts(out, ".Bl -tag -width Ds\n");
    for (size_t i = 0; i < s->table.n; i++)
        put_option(out, &s->table.options[i], s);
    sb_puts(out, ".El\n");
}

void settings_man(struct sb *out)
{
    struct settings_section sections[SETTINGS_SECTIONS];
    size_t n = settings_sections(sections);

    sb_puts(out, ".\\\" Made from the tables in cgi/base/settings_options.c by make docs; a test compares the two.\n"
                 ".Dd November 26, 2026\n.Dt WEIR.JSON 5\n.Os\n.Sh NAME\n.Nm weir.json\n.Nd settings of Weir\n.Sh DESCRIPTION\n"
                 "One JSON object with the members below.\n"
                 "What is not set has its default; an empty object, or no file at all,\n"
                 "makes Weir answer with its built-in model.\n");
    for (size_t i = 0; i < n; i++)
        put_section(out, &sections[i]);
    sb_puts(out, ".Sh PRESETS\n.Bl -tag -width Ds\n");
    for (size_t i = 0; i < n_presets; i++) {
        struct sb text = sb_make(2000);

        sb_putf(out, ".It Ic %s\n", presets[i].name);
        sb_putf(&text, "%s Sets", presets[i].help);
        for (size_t j = 0; presets[i].set[j].key; j++)
            sb_putf(&text, "%s `%s` %s", j ? "," : "", presets[i].set[j].key, presets[i].set[j].value);
        sb_putc(&text, '.');
        put_text(out, sb_str(&text));
        sb_done(&text);
    }
    sb_puts(out, ".El\n.Sh EXAMPLES\nAnother provider, and a budget of 20 dollars a month for each user:\n"
                 ".Bd -literal -offset indent\n"
                 "{\n"
                 "  \"upstreams\": [\n"
                 "    {\"name\": \"openai\", \"key_file\": \"/etc/weir/openai.key\"}\n"
                 "  ],\n"
                 "  \"budgets\": [\n"
                 "    {\"scope\": \"user\", \"each\": true,\n"
                 "     \"window\": \"month\", \"limit_usd\": 20}\n"
                 "  ]\n"
                 "}\n"
                 ".Ed\n"
                 ".Sh SEE ALSO\n.Xr weir 1\n");
}
