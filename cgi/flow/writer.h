/* writer.h - the one thread that writes the database.
 *
 * Whoever has rows to write hands an operation over; all operations that wait
 * become one transaction (synchronous=FULL) and each hears its result after the
 * COMMIT. No linger: what arrives during a commit is the next batch. Operations
 * of one submitter run and are answered in the order they were submitted.
 *
 * Settlements are what must never be lost. One that cannot be committed goes to
 * the spill file (store/spill.h), and if that fails too, to stderr as one line
 * with all its numbers. Under BATCH and ASYNC they go to the spill file first,
 * are answered then, and are committed in groups. */
#ifndef WEIR_WRITER_H
#define WEIR_WRITER_H

#include <stdbool.h>

#include "base/err.h"
#include "base/settings.h"

struct db;
struct spill;
struct call_record;
struct writer;

struct write_op {
    /* Runs on the writer thread inside the transaction. A result other than OK undoes this operation alone; E_STORAGE
     * fails the whole batch. May run twice, the second time on a database that has not seen the first. */
    enum weir_err (*run)(struct db *db, struct write_op *op);
    /* Runs on the writer thread after COMMIT (or with the error that undid it); NULL for writer_call(). Must not block. */
    void (*done)(struct write_op *op, enum weir_err result);
    const struct call_record *settles;   /* what it settles, and it does nothing else; or NULL */
    bool after_settlements;     /* runs when everything settled before it has its rows; E_STORAGE if that cannot be had */
    struct write_op *next;      /* the queue's, as are the two below */
    bool spilled;
    enum weir_err result;
};

/* Start the thread over the writing connection `db` (borrowed until writer_stop). NULL: no thread is to be had; logged. */
struct writer *writer_start(struct db *db);
/* Before the first operation: where settlements go and how (`spill` is borrowed until writer_stop). Without this they
 * are committed, or lost with a log line. */
void writer_use_spill(struct writer *w, struct spill *spill, const struct durability_settings *how);
/* Hand an operation over; it stays the caller's memory and must live until `done`. Any thread, never blocks on I/O. */
void writer_submit(struct writer *w, struct write_op *op);
/* Hand over and wait for the COMMIT. Any thread but the engine and the writer. */
enum weir_err writer_call(struct writer *w, struct write_op *op) __attribute__((warn_unused_result));
/* What was answered as settled has its rows when this returns: for whoever reads a conversation. At once where nothing
 * waits, or the database cannot be written. Any thread but the engine and the writer. */
void writer_catch_up(struct writer *w);
enum { WRITER_RETRY_MS = 10000 };     /* when it is worth trying again what was refused because it could not be */
/* True while the database can be written; /readyz and new billed calls ask this. Any thread. */
int writer_healthy(const struct writer *w);
/* How often since the start that became false, so that nobody misses a short time of it. Any thread. */
long writer_outages(const struct writer *w);
/* Write all that waits, the spill file's settlements too if the database takes them; end the thread, free. */
void writer_stop(struct writer *w);

#endif
