/* disklog.h - what a loss of power leaves of a database and its spill file.
 *
 * A SQLite VFS under the database, and --wrap under the spill file, note every
 * write, truncation and sync in their order. From that a folder is rebuilt as a
 * disk may have it after the power went at any of these points: what was synced
 * is there; of what was not, each sector of 512 bytes is there or is not.
 *
 *     disklog_install();                 before the first connection
 *     disklog_begin(dir);                dir/weir.db, weir.db-wal, spill.ndjson as they are now
 *     … work, disklog_promise(n) …
 *     disklog_end();
 *     disklog_rebuild(at, &rng, to);     at never smaller than before */
#ifndef WEIR_TESTS_DISKLOG_H
#define WEIR_TESTS_DISKLOG_H

#include <stddef.h>
#include <stdint.h>

#include "base/rand.h"

void disklog_install(void);
void disklog_begin(const char *dir);
void disklog_end(void);
/* Somebody was told that `what` is stored. Any thread. */
void disklog_promise(int64_t what);
/* From now on so many syncs of a thousand fail with EIO, and what they were to write may never be written, whatever later
 * syncs say. */
void disklog_fail_syncs(int permille, uint64_t seed);
size_t disklog_failed_syncs(void);

size_t disklog_length(void);
/* Write the files into the folder `to`, which exists. */
void disklog_rebuild(size_t at, struct rng *r, const char *to);
/* The n-th promise made before `at`; -1: there are no more. */
int64_t disklog_promised(size_t at, size_t n);

#endif
