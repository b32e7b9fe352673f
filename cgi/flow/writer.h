/* writer.h - the one thread that writes the database.
 *
 * Whoever has rows to write hands an operation over; all operations that wait
 * become one transaction (synchronous=FULL) and each hears its result after the
 * COMMIT. No linger: what arrives during a commit is the next batch. Operations
 * of one submitter run in the order they were submitted. */
#ifndef WEIR_WRITER_H
#define WEIR_WRITER_H

#include "base/err.h"

struct db;
struct writer;

struct write_op {
    /* Runs on the writer thread inside the transaction. A result other than OK undoes this operation alone; E_STORAGE
     * fails the whole batch. May run twice, the second time on a database that has not seen the first. */
    enum weir_err (*run)(struct db *db, struct write_op *op);
    /* Runs on the writer thread after COMMIT (or with the error that undid it); NULL for writer_call(). Must not block. */
    void (*done)(struct write_op *op, enum weir_err result);
    struct write_op *next;      /* the queue's, as is result */
    enum weir_err result;
};

/* Start the thread over the writing connection `db` (borrowed until writer_stop). */
struct writer *writer_start(struct db *db);
/* Hand an operation over; it stays the caller's memory and must live until `done`. Any thread, never blocks on I/O. */
void writer_submit(struct writer *w, struct write_op *op);
/* Hand over and wait for the COMMIT. Any thread but the engine and the writer. */
enum weir_err writer_call(struct writer *w, struct write_op *op) __attribute__((warn_unused_result));
/* True while the database can be written; /readyz and new billed calls ask this. Any thread. */
int writer_healthy(const struct writer *w);
/* Write all that waits, end the thread, free. */
void writer_stop(struct writer *w);

#endif
