/* files.h - files that people upload for batches, and those a batch leaves
 * behind: their rows, and the bytes of uploaded ones in parts.
 *
 * What a batch leaves behind is kept by its items (store/batch_items.h); here is
 * only its name. A file that is dropped is gone for everybody at once, and its
 * bytes leave in steps. Whose it is, is part of every question. */
#ifndef WEIR_FILES_H
#define WEIR_FILES_H

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "base/rand.h"
#include "base/sb.h"
#include "store/db.h"

enum file_kind { FILE_INPUT, FILE_OUTPUT, FILE_ERRORS };
enum { FILE_PART_BYTES = 256 * 1024, FILE_NAME_MAX = 255 };

struct file_row {
    int64_t id, user;
    char file_id[RAND_ID_SIZE];
    enum file_kind kind;
    int64_t batch;                       /* whose lines it has; 0: it was uploaded */
    char name[FILE_NAME_MAX + 1];
    int64_t bytes, created_ms, expires_ms;
};

/* --- any connection --- */

/* A file that is there. E_NOT_FOUND: also somebody else's. */
enum weir_err files_find(struct db *ro, const char *user_id, const char *file_id, struct file_row *out) __attribute__((warn_unused_result));
/* The same by its number, whosever it is. */
enum weir_err files_get(struct db *ro, int64_t id, struct file_row *out) __attribute__((warn_unused_result));
/* At most `limit` of a person's, newest first or `oldest` first, behind the file `after` (NULL: from the beginning), into
 * `out`, which has room for one more than `limit`: it tells whether there is another. `uploaded`: 1 only such, 0 only others, -1 all. */
enum weir_err files_list(struct db *ro, const char *user_id, const char *after, bool oldest, int uploaded, int64_t limit, struct file_row *out,
                         size_t *n) __attribute__((warn_unused_result));
/* Append `n` bytes from `start` on, or as many as there are, of an uploaded file. */
enum weir_err files_read(struct db *ro, const struct file_row *f, int64_t start, int64_t n, struct sb *out) __attribute__((warn_unused_result));

/* --- writer --- */

/* An upload begins: gives the row's number. Nobody sees it until files_finish(). */
enum weir_err files_begin(struct db *db, const char *user_id, const char *file_id, const char *name, int64_t now_ms, int64_t *id)
    __attribute__((warn_unused_result));
/* Its n-th part, from 0: all but the last have FILE_PART_BYTES. E_OUT_OF_RANGE: with it the person's files would have more than
 * `user_max` bytes; each counts as 4 KiB at least, so that their number has an end too. */
enum weir_err files_add_part(struct db *db, int64_t id, int64_t n, const void *p, size_t bytes, int64_t user_max) __attribute__((warn_unused_result));
enum weir_err files_finish(struct db *db, int64_t id, int64_t expires_ms) __attribute__((warn_unused_result));
/* The lines of a batch become a file. */
enum weir_err files_of_batch(struct db *db, int64_t batch, int64_t user, enum file_kind kind, const char *name, int64_t bytes, int64_t now_ms,
                             int64_t expires_ms) __attribute__((warn_unused_result));
/* E_CONFLICT: a batch that has not ended uses it. */
enum weir_err files_drop(struct db *db, int64_t id) __attribute__((warn_unused_result));
/* All of a person's, used or not. */
enum weir_err files_drop_all(struct db *db, int64_t user) __attribute__((warn_unused_result));
/* At the start: nobody goes on with an upload that was under way. */
enum weir_err files_drop_unfinished(struct db *db) __attribute__((warn_unused_result));
/* Those whose time is over and that no batch uses. */
enum weir_err files_expire(struct db *db, int64_t now_ms) __attribute__((warn_unused_result));
/* A step of what dropped files leave behind: parts, lines, rows. *left: there is more. `user`: only this one's; 0: everybody's. */
enum weir_err files_purge_some(struct db *db, int64_t user, bool *left) __attribute__((warn_unused_result));

#endif
