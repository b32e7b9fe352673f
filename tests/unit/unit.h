/* unit.h - the few lines each unit test program shares.
 *
 * A test file defines its cases with START_TEST(a_sentence_about_behaviour) and
 * ends with UNIT_MAIN("module", a_sentence…, another…). One case alone:
 * CK_RUN_CASE=name tests/unit/test_x - each test is a Check case of its own name. */
#ifndef WEIR_TESTS_UNIT_H
#define WEIR_TESTS_UNIT_H

#include <check.h>
#include <stdlib.h>

/* So many random steps; a fifth under a sanitizer, where each takes ten times as long. The whole of them has been through the
 * same asserts in the ordinary build; what a sanitizer sees, it sees the first times a line is reached. */
#if defined __SANITIZE_ADDRESS__ || defined __SANITIZE_THREAD__
#define UNIT_TIMES(n) ((n) / 5)
#else
#define UNIT_TIMES(n) (n)
#endif

static inline int unit_run(const char *module, const TTest *const *tests, size_t n)
{
    Suite *suite = suite_create(module);
    SRunner *runner;
    int failed;

    for (size_t i = 0; i < n; i++) {
        TCase *tc = tcase_create(tests[i]->name);

        tcase_set_timeout(tc, 120);
        tcase_add_test(tc, tests[i]);
        suite_add_tcase(suite, tc);
    }
    runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}

#define UNIT_MAIN(module, ...)                                             \
    int main(void)                                                         \
    {                                                                      \
        static const TTest *tests[64];                                     \
        const TTest *all[] = {__VA_ARGS__};                                \
        size_t n = sizeof all / sizeof *all;                               \
        for (size_t i = 0; i < n && i < 64; i++)                           \
            tests[i] = all[i];                                             \
        return unit_run(module, tests, n);                                 \
    }

#endif
