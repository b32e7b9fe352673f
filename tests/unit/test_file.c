/* test_file.c - files as text. */
#include "base/file.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "unit.h"

static char path[64];

static void write_file(const char *text)
{
    FILE *f;

    (void)snprintf(path, sizeof path, "/tmp/weir-test-file-%d", (int)getpid());
    f = fopen(path, "w");
    ck_assert_ptr_nonnull(f);
    ck_assert_int_ge(fputs(text, f), 0);
    ck_assert_int_eq(fclose(f), 0);
}

START_TEST(a_file_is_appended_whole)
{
    struct sb out = sb_make(64), why = sb_make(512);

    write_file("of weirs");
    sb_puts(&out, "> ");
    ck_assert(file_read(path, &out, &why));
    ck_assert_str_eq(sb_str(&out), "> of weirs");
    ck_assert_str_eq(sb_str(&why), "");
    (void)unlink(path);
    sb_done(&out);
    sb_done(&why);
}
END_TEST

START_TEST(an_empty_file_is_read_too)
{
    struct sb out = sb_make(64), why = sb_make(512);

    write_file("");
    ck_assert(file_read(path, &out, &why));
    ck_assert_uint_eq(out.len, 0);
    (void)unlink(path);
    sb_done(&out);
    sb_done(&why);
}
END_TEST

START_TEST(what_cannot_be_read_or_is_too_large_is_said_with_its_name)
{
    struct sb out = sb_make(4), why = sb_make(512);

    write_file("of weirs");
    ck_assert(!file_read(path, &out, &why));
    ck_assert_ptr_nonnull(strstr(sb_str(&why), "more than 4 bytes"));
    ck_assert_ptr_nonnull(strstr(sb_str(&why), path));
    (void)unlink(path);
    sb_reset(&why);
    sb_reset(&out);
    ck_assert(!file_read(path, &out, &why));
    ck_assert_ptr_nonnull(strstr(sb_str(&why), "No such file"));
    sb_reset(&why);
    ck_assert(!file_read("/tmp", &out, &why));
    ck_assert_ptr_nonnull(strstr(sb_str(&why), "directory"));
    sb_done(&out);
    sb_done(&why);
}
END_TEST

START_TEST(a_file_is_replaced_whole_with_its_mode_and_leaves_nothing_beside_it)
{
    struct sb out = sb_make(64), why = sb_make(512);
    char folder[] = "/tmp/weir-test-replace-XXXXXX", file[64];
    struct stat st;

    ck_assert_ptr_nonnull(mkdtemp(folder));
    (void)snprintf(file, sizeof file, "%s/x", folder);
    ck_assert(file_replace(file, 0640, "old and long", 12, &why));
    ck_assert(file_replace(file, 0600, "new", 3, &why));
    ck_assert(file_read(file, &out, &why));
    ck_assert_str_eq(sb_str(&out), "new");
    ck_assert_int_eq(stat(file, &st), 0);
    ck_assert_int_eq(st.st_mode & 0777, 0600);
    ck_assert_int_eq(unlink(file), 0);
    ck_assert_int_eq(mkdir(file, 0700), 0);              /* a name that cannot be replaced */
    ck_assert(!file_replace(file, 0600, "new", 3, &why));
    ck_assert_ptr_nonnull(strstr(sb_str(&why), "cannot be written"));
    ck_assert_int_eq(rmdir(file), 0);
    ck_assert_int_eq(rmdir(folder), 0);                  /* it is empty */
    sb_done(&out);
    sb_done(&why);
}
END_TEST

UNIT_MAIN("file", a_file_is_replaced_whole_with_its_mode_and_leaves_nothing_beside_it, a_file_is_appended_whole, an_empty_file_is_read_too, what_cannot_be_read_or_is_too_large_is_said_with_its_name)
