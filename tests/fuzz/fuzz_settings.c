/* fuzz_settings.c - the configuration file: what is accepted prints and parses
 * to the same; what is refused is said with its line, or its key. */
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/settings_options.h"
#include "fuzz.h"

const size_t fuzz_neighbours = 60;

/* Each option, written as text and set from it anew. */
static void check_table(const struct cfg_bind *b, size_t size)
{
    void *copy = calloc(1, size);
    struct cfg_bind fresh = {b->options, b->n, copy};
    struct sb text = sb_make(1 << 20), why = sb_make(1 << 12);

    must(copy);
    cfg_defaults(&fresh);
    for (size_t i = 0; i < b->n; i++) {
        const struct cfg_option *o = &b->options[i];

        if (o->type == CFG_SECRET)
            continue;
        sb_reset(&text);
        cfg_value_text(o, b->base, &text);
        if (!text.len)
            continue;                   /* not set */
        must(cfg_set(o, copy, sb_str(&text), o->key, &why));
        must(cfg_equal(o, b->base, copy));
    }
    cfg_free(&fresh);
    free(copy);
    sb_done(&text);
    sb_done(&why);
}

static void check_accepted(struct settings *s)
{
    struct cfg_bind top = settings_bind_global(s), tuning = settings_bind_tuning(&s->defaults);
    struct sb shown = sb_make(1 << 22);

    must(s->n_upstreams >= 1 && s->n_upstreams <= SETTINGS_UPSTREAMS && s->n_budgets <= SETTINGS_BUDGETS);
    check_table(&top, sizeof *s);
    check_table(&tuning, sizeof s->defaults);
    for (size_t i = 0; i < s->n_upstreams; i++) {
        struct cfg_bind u = settings_bind_upstream(&s->upstreams[i]), t = settings_bind_tuning(&s->upstreams[i].tune);

        check_table(&u, sizeof s->upstreams[i]);
        check_table(&t, sizeof s->upstreams[i].tune);
    }
    settings_show(s, &shown);
    must(sb_ok(&shown));
    sb_done(&shown);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    int fd = memfd_create("weir.json", 0);
    struct sb why = sb_make(1 << 16);
    struct settings *s;
    char path[64];
    json_t *root;

    must(fd >= 0 && write(fd, data, n) == (ssize_t)n);
    (void)snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
    root = settings_read(path, &why);
    s = root ? settings_make(path, root, &why) : NULL;
    if (s) {
        must(why.len == 0 && !memchr(data, '\0', n));
        check_accepted(s);
    } else {
        must(sb_ok(&why) && why.len > strlen(path));
        must(root || strstr(sb_str(&why), "line ") || strstr(sb_str(&why), "one JSON object"));
    }
    settings_free(s);
    json_decref(root);
    sb_done(&why);
    (void)close(fd);
    return 0;
}
