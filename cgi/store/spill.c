/* spill.c - append, sync, replay, empty.
 *
 * A write that failed in its middle leaves the begin of a line: the next one
 * begins with a newline, and replay passes over what has no valid checksum. The
 * commit of a replay comes before the file is emptied, so a stop in between
 * replays again, which changes nothing. */
#include "store/spill.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "base/log.h"
#include "base/mem.h"
#include "store/spill_line.h"

enum { ROOM = 4 << 20, LINE_MAX_BYTES = 256 << 20, LINE_KEPT = 1 << 20, REPLAY_BATCH = 500 };

struct spill {
    char *path;
    int fd;
    int64_t waiting;
    bool torn;             /* the file ends in the middle of a line */
    struct sb line;
};

/* Room beyond the end: appending needs no more of the disk until it is used up. */
static void set_room_aside(struct spill *s)
{
    if (fallocate(s->fd, FALLOC_FL_KEEP_SIZE, 0, ROOM) != 0 && errno != EOPNOTSUPP)
        log_warn("%s: no room can be set aside: %s", s->path, strerror(errno));
}

enum weir_err spill_open(const char *path, struct spill **out, char why[DB_WHY_SIZE])
{
    struct spill *s = mem_zalloc(1, sizeof *s);
    struct stat st;

    *out = NULL;
    s->path = mem_strdup(path);
    s->line = sb_make(LINE_MAX_BYTES);
    s->fd = open(path, O_RDWR | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
    if (s->fd < 0 || fstat(s->fd, &st) != 0 || !file_sync_directory_of(path)) {
        (void)snprintf(why, DB_WHY_SIZE, "%s: the spill file cannot be used: %s", path, strerror(errno));
        spill_close(s);
        return WEIR_E_STORAGE;
    }
    set_room_aside(s);
    s->waiting = st.st_size > 0;
    s->torn = st.st_size > 0;            /* perhaps */
    *out = s;
    return WEIR_OK;
}

void spill_close(struct spill *s)
{
    if (!s)
        return;
    if (s->fd >= 0)
        (void)close(s->fd);
    sb_done(&s->line);
    free(s->path);
    free(s);
}

/* --- in --- */

static enum weir_err append(struct spill *s, const struct sb *b)
{
    size_t done = 0;

    while (done < b->len) {
        ssize_t n = write(s->fd, b->p + done, b->len - done);

        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0) {
            log_error("%s: cannot be written: %s", s->path, strerror(errno));
            s->torn = s->torn || done > 0;
            return WEIR_E_STORAGE;
        }
        done += (size_t)n;
    }
    s->torn = false;
    return WEIR_OK;
}

enum weir_err spill_put(struct spill *s, const struct call_record *r)
{
    enum weir_err e;

    for (int text = 1; text >= 0; text--) {          /* numbers alone where the whole has no room in memory */
        sb_reset(&s->line);
        if (s->torn)
            sb_putc(&s->line, '\n');
        spill_line_put(&s->line, r, text != 0);
        sb_putc(&s->line, '\n');
        if (sb_ok(&s->line))
            break;
    }
    e = sb_ok(&s->line) ? append(s, &s->line) : WEIR_E_STORAGE;
    s->waiting += !e;
    if (s->line.cap > LINE_KEPT)
        sb_done(&s->line);
    return e;
}

enum weir_err spill_sync(struct spill *s)
{
    if (fdatasync(s->fd) == 0)
        return WEIR_OK;
    log_error("%s: cannot be synced: %s", s->path, strerror(errno));
    return WEIR_E_STORAGE;
}

int64_t spill_waiting(const struct spill *s)
{
    return s->waiting;
}

/* --- out --- */

/* One settlement, undone alone if the ledger refuses it. */
static enum weir_err settle_one(struct db *db, const struct call_record *r)
{
    enum weir_err e = db_mark(db), refused;

    if (e)
        return e;
    refused = usage_settle(db, r);
    if (refused == WEIR_E_STORAGE || !db_in_transaction(db))
        return WEIR_E_STORAGE;
    if (refused) {
        struct sb line = sb_make(LINE_KEPT);

        spill_line_put(&line, r, false);
        log_error("a settlement is refused by the ledger (%s) and left out: %s", err_code(refused), sb_str(&line));
        sb_done(&line);
    }
    return refused ? db_mark_undo(db) : db_mark_keep(db);
}

/* At most REPLAY_BATCH lines in one transaction; *lines is how many there were. */
static enum weir_err replay_batch(struct spill *s, struct db *db, FILE *f, char **line, size_t *cap, int64_t *lines)
{
    enum weir_err e = db_begin(db);
    ssize_t n = 0;

    *lines = 0;
    while (!e && *lines < REPLAY_BATCH && (n = getline(line, cap, f)) >= 0) {
        struct spill_line l;

        if (n > 0 && (*line)[n - 1] == '\n')
            n--;
        if (n == 0)
            continue;
        ++*lines;
        if (!spill_line_read(*line, (size_t)n, &l)) {
            log_warn("%s: a damaged line of %zd bytes is passed over", s->path, n);
            continue;
        }
        e = settle_one(db, &l.rec);
        spill_line_done(&l);
    }
    if (!e && ferror(f)) {
        log_error("%s: cannot be read: %s", s->path, strerror(errno));
        e = WEIR_E_STORAGE;
    }
    if (!e)
        return db_commit(db);
    db_rollback(db);
    return e;
}

enum weir_err spill_replay(struct spill *s, struct db *db, int64_t *settled)
{
    int fd = lseek(s->fd, 0, SEEK_SET) < 0 ? -1 : fcntl(s->fd, F_DUPFD_CLOEXEC, 0);
    FILE *f = fd < 0 ? NULL : fdopen(fd, "r");
    enum weir_err e = f ? WEIR_OK : WEIR_E_STORAGE;
    int64_t lines = REPLAY_BATCH;
    char *line = NULL;
    size_t cap = 0;

    *settled = 0;
    if (!f) {
        log_error("%s: cannot be read: %s", s->path, strerror(errno));
        if (fd >= 0)
            (void)close(fd);
        return e;
    }
    while (!e && lines == REPLAY_BATCH) {
        e = replay_batch(s, db, f, &line, &cap, &lines);
        *settled += e ? 0 : lines;
    }
    free(line);
    (void)fclose(f);
    if (e)
        return e;
    if (ftruncate(s->fd, 0) != 0) {
        log_error("%s: cannot be emptied: %s", s->path, strerror(errno));
        return WEIR_E_STORAGE;
    }
    set_room_aside(s);
    s->waiting = 0;
    s->torn = false;
    return WEIR_OK;
}
