/* fixture_db.h - a database of its own for each test case, in a temporary
 * directory that goes with the process. */
#ifndef WEIR_TESTS_FIXTURE_DB_H
#define WEIR_TESTS_FIXTURE_DB_H

#include <check.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "store/db.h"

static char fixture_dir[64], fixture_path[128];

static int fixture_remove(const char *path, const struct stat *st, int type, struct FTW *w)
{
    (void)st, (void)type, (void)w;
    return remove(path);
}

static inline void fixture_done(void)
{
    if (fixture_dir[0])
        nftw(fixture_dir, fixture_remove, 8, FTW_DEPTH | FTW_PHYS);
    fixture_dir[0] = '\0';
}

/* The path of a database that does not exist yet. */
static inline const char *fixture_new_path(void)
{
    fixture_done();
    snprintf(fixture_dir, sizeof fixture_dir, "/tmp/weir-unit-XXXXXX");
    ck_assert_ptr_nonnull(mkdtemp(fixture_dir));
    snprintf(fixture_path, sizeof fixture_path, "%s/weir.db", fixture_dir);
    atexit(fixture_done);
    return fixture_path;
}

/* A migrated database, open for writing. */
static inline struct db *fixture_db(void)
{
    char why[DB_WHY_SIZE];
    struct db *db;
    enum weir_err e = db_open(fixture_new_path(), &db, why);

    ck_assert_msg(e == WEIR_OK, "%s", why);
    return db;
}

/* A second, read-only connection to it. */
static inline struct db *fixture_reader(void)
{
    char why[DB_WHY_SIZE];
    struct db *ro;
    enum weir_err e = db_open_reader(fixture_path, &ro, why);

    ck_assert_msg(e == WEIR_OK, "%s", why);
    return ro;
}

/* How often `text` is in the bytes of the file fixture_path + `suffix`; 0 if there is no such file. */
static inline int fixture_file_has(const char *suffix, const char *text)
{
    char path[160];
    char *bytes;
    long n;
    int found = 0;
    FILE *f;

    snprintf(path, sizeof path, "%s%s", fixture_path, suffix);
    f = fopen(path, "rb");
    if (!f)
        return 0;
    ck_assert_int_eq(fseek(f, 0, SEEK_END), 0);
    n = ftell(f);
    rewind(f);
    bytes = malloc((size_t)n + 1);
    ck_assert_uint_eq(fread(bytes, 1, (size_t)n, f), (size_t)n);
    fclose(f);
    for (const char *at = bytes; (at = memmem(at, (size_t)(bytes + n - at), text, strlen(text))); at++)
        found++;
    free(bytes);
    return found;
}

static inline int64_t fixture_i64(struct db *db, const char *sql)
{
    struct query q = query(db, sql);
    int64_t n = query_row(&q) ? query_col_i64(&q, 0) : -1;

    ck_assert_int_eq(query_end(&q), WEIR_OK);
    return n;
}

#endif
