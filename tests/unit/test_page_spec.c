/* test_page_spec.c - the official Mustache specification, case by case.
 *
 * The files are read from $MUSTACHE_SPEC, or from shared/mustache-spec beside
 * one of the folders above the source. Where there are none, it is skipped. */
#include "web/page.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { SKIPPED = 77 };

static const char *const files[] = {"interpolation", "sections", "inverted", "comments", "delimiters", "partials"};

/* The folder of the specification; NULL if there is none. */
static const char *find_spec(char path[4096])
{
    const char *dir = getenv("MUSTACHE_SPEC"), *src = getenv("srcdir");
    char up[64] = "..";

    if (dir)
        return dir;
    for (int i = 0; i < 4; i++) {
        (void)snprintf(path, 4096, "%s/%s/shared/mustache-spec", src ? src : ".", up);
        if (!access(path, R_OK))
            return path;
        strcat(up, "/..");
    }
    return NULL;
}

static bool add(struct page_set *set, const char *name, const json_t *text)
{
    char why[PAGE_WHY];

    if (!page_set_add(set, name, json_string_value(text), json_string_length(text), why))
        return true;
    printf("  template %s: %s\n", name, why);
    return false;
}

static bool run_case(const json_t *test)
{
    const char *expected = json_string_value(json_object_get(test, "expected"));
    struct page_set *set = page_set_new();
    struct sb out = sb_make(1 << 16);
    bool fine = add(set, "(main)", json_object_get(test, "template"));
    const char *name;
    json_t *partial;

    json_object_foreach(json_object_get(test, "partials"), name, partial)
        fine = fine && add(set, name, partial);
    fine = fine && !page_render(set, "(main)", json_object_get(test, "data"), &out);
    if (!fine || strcmp(sb_str(&out), expected) != 0) {
        printf("  FAILED: %s\n  expected: %s\n  came out: %s\n", json_string_value(json_object_get(test, "name")),
               expected, sb_str(&out));
        fine = false;
    }
    sb_done(&out);
    page_set_free(set);
    return fine;
}

int main(void)
{
    char path[4096], file[4200];
    const char *dir = find_spec(path);
    int failed = 0;

    if (!dir) {
        printf("skipped: no Mustache specification here (set MUSTACHE_SPEC to its folder)\n");
        return SKIPPED;
    }
    for (size_t i = 0; i < sizeof files / sizeof *files; i++) {
        size_t k, passed = 0;
        json_t *spec, *tests, *test;

        (void)snprintf(file, sizeof file, "%s/%s.json", dir, files[i]);
        spec = json_load_file(file, JSON_DECODE_ANY, NULL);
        tests = json_object_get(spec, "tests");
        json_array_foreach(tests, k, test)
            passed += run_case(test);
        printf("%s: %zu of %zu\n", files[i], passed, json_array_size(tests));
        if (!passed || passed < json_array_size(tests))
            failed++;
        json_decref(spec);
    }
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
