/* test_page.c - what the specification leaves open, and what must never happen. */
#include "web/page.h"

#include <fcntl.h>
#include <pthread.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "unit.h"

/* Render `text` over the JSON `ctx` and compare. */
static void expect(const char *text, const char *ctx, const char *want)
{
    struct page_set *set = page_set_new();
    struct sb out = sb_make(1 << 16);
    json_t *v = json_loads(ctx, JSON_DECODE_ANY, NULL);
    char why[PAGE_WHY];

    ck_assert_ptr_nonnull(v);
    ck_assert_int_eq(page_set_add(set, "t", text, strlen(text), why), WEIR_OK);
    ck_assert_int_eq(page_render(set, "t", v, &out), WEIR_OK);
    ck_assert_str_eq(sb_str(&out), want);
    json_decref(v);
    sb_done(&out);
    page_set_free(set);
}

START_TEST(text_from_people_never_becomes_markup)
{
    expect("<p title=\"{{v}}\">{{v}}</p>", "{\"v\": \"\\\"'><script>&\"}",
           "<p title=\"&quot;&#39;&gt;&lt;script&gt;&amp;\">&quot;&#39;&gt;&lt;script&gt;&amp;</p>");
}
END_TEST

START_TEST(integers_stay_integers_and_reals_read_back)
{
    expect("{{a}} {{b}} {{c}} {{d}}", "{\"a\": 9223372036854775807, \"b\": -1, \"c\": 0.1, \"d\": 3.0}",
           "9223372036854775807 -1 0.1 3");
}
END_TEST

START_TEST(zero_is_true_and_an_empty_string_is_false)
{
    expect("{{#n}}{{n}} calls{{/n}}{{#s}}never{{/s}}{{^s}}none{{/s}}", "{\"n\": 0, \"s\": \"\"}", "0 callsnone");
}
END_TEST

START_TEST(lists_and_objects_print_nothing)
{
    expect("[{{l}}{{o}}{{{l}}}]", "{\"l\": [1], \"o\": {\"a\": 1}}", "[]");
}
END_TEST

START_TEST(a_wrong_template_is_refused_with_its_line)
{
    static const struct {
        const char *text, *why;
    } wrong[] = {
        {"a\n{{#b}}", "line 2: the section b is not closed"},
        {"{{/b}}", "line 1: closes a section that is not open"},
        {"{{#a}}\n{{/b}}", "line 2: closes another section than the one open (a)"},
        {"\n\n{{x", "line 3: the tag is not closed with }}"},
        {"{{{x}}", "line 1: the tag is not closed with }}}"},
        {"{{}}", "line 1: the tag has no name"},
        {"{{a..b}}", "line 1: the tag has no name"},
        {"{{a b}}", "line 1: a name has no spaces in it"},
        {"{{=x=}}", "line 1: two delimiters of 1 to 8 characters are wanted"},
        {"{{=a b c=}}", "line 1: two delimiters are wanted"},
    };
    struct page_code code;
    char why[PAGE_WHY];

    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        ck_assert_int_eq(page_parse(wrong[i].text, strlen(wrong[i].text), &code, why), WEIR_E_INVALID_FIELD);
        ck_assert_str_eq(why, wrong[i].why);
        ck_assert_ptr_null(code.text);
    }
}
END_TEST

START_TEST(sections_nest_only_so_deep)
{
    struct sb text = sb_make(1 << 12);
    struct page_code code;
    char why[PAGE_WHY];

    for (int i = 0; i <= PAGE_NEST_MAX; i++)
        sb_puts(&text, "{{#a}}");
    ck_assert_int_eq(page_parse(text.p, text.len, &code, why), WEIR_E_INVALID_FIELD);
    ck_assert_str_eq(why, "line 1: more than 32 sections inside each other");
    sb_done(&text);
}
END_TEST

START_TEST(a_partial_that_holds_itself_ends_with_an_error)
{
    struct page_set *set = page_set_new();
    struct sb out = sb_make(1 << 16);
    char why[PAGE_WHY];

    ck_assert_int_eq(page_set_add(set, "p", "{{>p}}{{>p}}", 12, why), WEIR_OK);
    ck_assert_int_eq(page_render(set, "p", NULL, &out), WEIR_E_INTERNAL);
    sb_done(&out);
    page_set_free(set);
}
END_TEST

START_TEST(output_never_passes_the_builders_maximum)
{
    struct page_set *set = page_set_new();
    struct sb out = sb_make(10);
    json_t *v = json_loads("[1,2,3,4,5,6,7,8,9]", 0, NULL);
    char why[PAGE_WHY];

    ck_assert_int_eq(page_set_add(set, "t", "{{#.}}{{.}},{{/.}}", 18, why), WEIR_OK);
    ck_assert_int_eq(page_render(set, "t", v, &out), WEIR_E_INTERNAL);
    ck_assert_uint_le(out.len, 10);
    json_decref(v);
    sb_done(&out);
    page_set_free(set);
}
END_TEST

START_TEST(a_template_of_the_same_name_replaces_the_first)
{
    struct page_set *set = page_set_new();
    struct sb out = sb_make(100);
    char why[PAGE_WHY];

    ck_assert_int_eq(page_set_add(set, "t", "old", 3, why), WEIR_OK);
    ck_assert_int_eq(page_set_add(set, "t", "new", 3, why), WEIR_OK);
    ck_assert_int_eq(page_set_add(set, "t", "{{", 2, why), WEIR_E_INVALID_FIELD);
    ck_assert_int_eq(page_render(set, "t", NULL, &out), WEIR_OK);
    ck_assert_str_eq(sb_str(&out), "new");
    ck_assert_int_eq(page_render(set, "u", NULL, &out), WEIR_E_NOT_FOUND);
    sb_done(&out);
    page_set_free(set);
}
END_TEST

static void write_file(const char *dir, const char *name, const char *text)
{
    char path[256];
    int fd;

    (void)snprintf(path, sizeof path, "%s/%s", dir, name);
    fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0600);
    ck_assert_int_ge(fd, 0);
    ck_assert_int_eq(write(fd, text, strlen(text)), (ssize_t)strlen(text));
    (void)close(fd);
}

static void remove_file(const char *dir, const char *name)
{
    char path[256];

    (void)snprintf(path, sizeof path, "%s/%s", dir, name);
    ck_assert_int_eq(unlink(path), 0);
}

START_TEST(a_folder_is_loaded_whole_or_refused_with_file_and_line)
{
    char dir[] = "/tmp/weir-pages-XXXXXX", why[PAGE_WHY];
    struct page_set *set = NULL;
    struct sb out = sb_make(100);

    ck_assert_ptr_nonnull(mkdtemp(dir));
    ck_assert_int_eq(page_set_load("/nonexistent", &set, why), WEIR_E_UNAVAILABLE);
    ck_assert_ptr_null(set);
    write_file(dir, "page.mustache", "<main>\n  {{>part}}\n</main>\n");
    write_file(dir, "notes.txt", "{{");
    ck_assert_int_eq(page_set_load(dir, &set, why), WEIR_E_INVALID_FIELD);
    ck_assert_str_eq(why, "page.mustache: there is no partial part");
    write_file(dir, "part.mustache", "<p>\n{{/x}}");
    ck_assert_int_eq(page_set_load(dir, &set, why), WEIR_E_INVALID_FIELD);
    ck_assert_str_eq(why, "part.mustache, line 2: closes a section that is not open");
    write_file(dir, "part.mustache", "<p>\n</p>\n");
    ck_assert_int_eq(page_set_load(dir, &set, why), WEIR_OK);
    ck_assert_int_eq(page_render(set, "page", NULL, &out), WEIR_OK);
    ck_assert_str_eq(sb_str(&out), "<main>\n  <p>\n  </p>\n</main>\n");
    sb_done(&out);
    page_set_free(set);
    remove_file(dir, "page.mustache");
    remove_file(dir, "part.mustache");
    remove_file(dir, "notes.txt");
    ck_assert_int_eq(rmdir(dir), 0);
}
END_TEST

static void *render_often(void *arg)
{
    json_t *v = json_loads("{\"rows\": [{\"a\": 1}, {\"a\": 2}], \"t\": \"x\"}", 0, NULL);
    struct sb out = sb_make(1000);

    for (int i = 0; i < 500; i++) {
        sb_reset(&out);
        if (page_render(arg, "t", v, &out) || strcmp(sb_str(&out), "1x2x") != 0)
            return arg;
    }
    sb_done(&out);
    json_decref(v);
    return NULL;
}

START_TEST(eight_threads_render_from_one_set)
{
    static const char text[] = "{{#rows}}{{>cell}}{{/rows}}";
    struct page_set *set = page_set_new();
    pthread_t thread[8];
    char why[PAGE_WHY];

    ck_assert_int_eq(page_set_add(set, "t", text, strlen(text), why), WEIR_OK);
    ck_assert_int_eq(page_set_add(set, "cell", "{{a}}{{t}}", 10, why), WEIR_OK);
    for (int i = 0; i < 8; i++)
        ck_assert_int_eq(pthread_create(&thread[i], NULL, render_often, set), 0);
    for (int i = 0; i < 8; i++) {
        void *failed;

        ck_assert_int_eq(pthread_join(thread[i], &failed), 0);
        ck_assert_ptr_null(failed);
    }
    page_set_free(set);
}
END_TEST

START_TEST(no_bytes_upset_the_parser)
{
    static const char alphabet[] = "{{{}}}#^/>&!=. \n\rab|\"<";
    unsigned seed = 1;
    char text[48], why[PAGE_WHY];

    for (int round = 0; round < 20000; round++) {
        struct page_set *set = page_set_new();
        struct sb out = sb_make(4096);
        size_t n = 0;

        while (n < sizeof text && (seed = seed * 1103515245 + 12345, n < (size_t)(round % 49)))
            text[n++] = alphabet[(seed >> 16) % sizeof alphabet];
        if (!page_set_add(set, "a", text, n, why))
            ck_assert_int_ne(page_render(set, "a", NULL, &out), WEIR_E_NOT_FOUND);
        sb_done(&out);
        page_set_free(set);
    }
}
END_TEST

UNIT_MAIN("page", text_from_people_never_becomes_markup, integers_stay_integers_and_reals_read_back,
          zero_is_true_and_an_empty_string_is_false, lists_and_objects_print_nothing,
          a_wrong_template_is_refused_with_its_line, sections_nest_only_so_deep,
          a_partial_that_holds_itself_ends_with_an_error, output_never_passes_the_builders_maximum,
          a_template_of_the_same_name_replaces_the_first, a_folder_is_loaded_whole_or_refused_with_file_and_line,
          eight_threads_render_from_one_set, no_bytes_upset_the_parser)
