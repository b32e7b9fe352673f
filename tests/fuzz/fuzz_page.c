/* fuzz_page.c - templates: any bytes parse or are refused with a line, and no
 * value ever puts markup into a page.
 *
 * The input is a template. For the second promise its own markup is taken out,
 * so that whatever of < > & " ' is in the page came from a value. */
#include <string.h>

#include "fuzz.h"
#include "web/page.h"

const size_t fuzz_neighbours = 1000;

enum { OUT_MAX = 1 << 18 };

/* Every kind of value, with names a template is likely to use. */
static json_t *context(void)
{
    static const char hostile[] = "<a href=\"x\" title='y'>&amp;</a>";

    return json_pack("{s:s, s:s, s:[{s:s},{s:s},s,i], s:{s:s, s:{s:s}}, s:i, s:f, s:b, s:b, s:n, s:[]}", "a", hostile, "text", hostile, "list",
                     "a", hostile, "b", "'", "\"", 3, "o", "a", "&<", "in", "a", ">", "n", -7, "f", 0.5, "yes", 1, "no", 0, "null",
                     "empty");
}

static void render(const char *text, size_t n, const json_t *ctx, struct sb *out)
{
    struct page_set *set = page_set_new();
    char why[PAGE_WHY] = "";
    enum weir_err e = page_set_add(set, "t", text, n, why);

    if (e) {
        must(e == WEIR_E_INVALID_FIELD && strncmp(why, "line ", 5) == 0 && why[5] >= '1' && why[5] <= '9');
    } else {
        e = page_render(set, "t", ctx, out);
        must(e == WEIR_OK || e == WEIR_E_INTERNAL || e == WEIR_E_NOT_FOUND);
    }
    page_set_free(set);
}

static void check_escaped(const struct sb *out)
{
    static const char *const known[] = {"&amp;", "&lt;", "&gt;", "&quot;", "&#39;"};

    for (const char *c = sb_str(out); c < sb_str(out) + out->len; c++) {
        bool reference = false;

        must(*c != '<' && *c != '>' && *c != '"' && *c != '\'');
        for (size_t i = 0; *c == '&' && i < sizeof known / sizeof *known; i++)
            reference = reference || strncmp(c, known[i], strlen(known[i])) == 0;
        must(*c != '&' || reference);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    struct sb out = sb_make(OUT_MAX);
    json_t *ctx = context();
    char *plain = malloc(n + 1), *whole = malloc(n ? n : 1);
    size_t m = 0;

    must(ctx);
    memcpy(whole, data, n);
    render(whole, n, ctx, &out);
    sb_reset(&out);
    for (size_t i = 0; i < n; i++) {
        if (strchr("<>&\"'", whole[i]) && whole[i])
            continue;
        plain[m++] = whole[i];
        if (m >= 3 && memcmp(plain + m - 3, "{{{", 3) == 0)     /* the one way around the escapes */
            m--;
    }
    plain[m] = '\0';
    if (!strstr(plain, "{{=")) {                                /* other delimiters have their own */
        render(plain, m, ctx, &out);
        check_escaped(&out);
    }
    json_decref(ctx);
    sb_done(&out);
    free(plain);
    free(whole);
    return 0;
}
