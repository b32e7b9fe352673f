/* disklog.c - the VFS, the wrapped calls, and the disk that forgets. */
#include "disklog.h"

#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sqlite3.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum file { FILE_DB, FILE_WAL, FILE_SPILL, FILES, FILE_NONE = FILES };
static const char *const names[FILES] = {"weir.db", "weir.db-wal", "spill.ndjson"};

enum kind { OP_WRITE, OP_TRUNCATE, OP_SYNC, OP_SYNC_FAILED, OP_PROMISE };
enum { SECTOR = 512 };

struct op {
    enum kind kind;
    enum file file;
    int64_t at;            /* offset, size, or what is promised */
    size_t n;
    unsigned char *bytes;
    bool doomed;           /* a sync of it failed */
};

struct image {
    unsigned char *p;
    size_t n, cap;
};

static struct {
    pthread_mutex_t lock;
    bool on;
    char dir[256];
    ino_t spill;
    struct op *op;
    size_t n, cap;
    int fail_permille;
    size_t failed;
    struct rng fate;

    size_t applied;        /* ops that went into … */
    struct image disk[FILES];
    size_t *pending[FILES], pending_n[FILES];
} g = {.lock = PTHREAD_MUTEX_INITIALIZER};

static void note(enum kind kind, enum file file, int64_t at, const void *bytes, size_t n)
{
    pthread_mutex_lock(&g.lock);
    if (g.on && file != FILE_NONE) {
        if (g.n == g.cap)
            g.op = realloc(g.op, (g.cap = g.cap ? g.cap * 2 : 4096) * sizeof *g.op);
        g.op[g.n] = (struct op){.kind = kind, .file = file, .at = at, .n = n};
        if (n)
            g.op[g.n].bytes = memcpy(malloc(n), bytes, n);
        g.n++;
    }
    pthread_mutex_unlock(&g.lock);
}

static bool sync_fails(enum file file)
{
    bool fails;

    pthread_mutex_lock(&g.lock);
    fails = g.on && file != FILE_NONE && rng_below(&g.fate, 1000) < g.fail_permille;
    g.failed += fails;
    pthread_mutex_unlock(&g.lock);
    return fails;
}

/* --- SQLite --- */

struct shim {
    sqlite3_file base;
    enum file file;
    sqlite3_file *real;
};
static sqlite3_vfs *root, vfs;

#define REAL(f) (((struct shim *)(f))->real)
#define METHOD(f) (REAL(f)->pMethods)

static int x_close(sqlite3_file *f) { return METHOD(f)->xClose(REAL(f)); }
static int x_read(sqlite3_file *f, void *p, int n, sqlite3_int64 at) { return METHOD(f)->xRead(REAL(f), p, n, at); }
static int x_size(sqlite3_file *f, sqlite3_int64 *n) { return METHOD(f)->xFileSize(REAL(f), n); }
static int x_lock(sqlite3_file *f, int how) { return METHOD(f)->xLock(REAL(f), how); }
static int x_unlock(sqlite3_file *f, int how) { return METHOD(f)->xUnlock(REAL(f), how); }
static int x_reserved(sqlite3_file *f, int *out) { return METHOD(f)->xCheckReservedLock(REAL(f), out); }
static int x_control(sqlite3_file *f, int op, void *arg) { return METHOD(f)->xFileControl(REAL(f), op, arg); }
static int x_sector(sqlite3_file *f) { return METHOD(f)->xSectorSize(REAL(f)); }
static int x_device(sqlite3_file *f) { return METHOD(f)->xDeviceCharacteristics(REAL(f)); }
static int x_shm_map(sqlite3_file *f, int i, int n, int more, void volatile **p) { return METHOD(f)->xShmMap(REAL(f), i, n, more, p); }
static int x_shm_lock(sqlite3_file *f, int at, int n, int flags) { return METHOD(f)->xShmLock(REAL(f), at, n, flags); }
static void x_shm_barrier(sqlite3_file *f) { METHOD(f)->xShmBarrier(REAL(f)); }
static int x_shm_unmap(sqlite3_file *f, int del) { return METHOD(f)->xShmUnmap(REAL(f), del); }

static int x_write(sqlite3_file *f, const void *p, int n, sqlite3_int64 at)
{
    note(OP_WRITE, ((struct shim *)f)->file, at, p, (size_t)n);
    return METHOD(f)->xWrite(REAL(f), p, n, at);
}

static int x_truncate(sqlite3_file *f, sqlite3_int64 n)
{
    note(OP_TRUNCATE, ((struct shim *)f)->file, n, NULL, 0);
    return METHOD(f)->xTruncate(REAL(f), n);
}

static int x_sync(sqlite3_file *f, int flags)
{
    enum file file = ((struct shim *)f)->file;

    if (sync_fails(file)) {
        note(OP_SYNC_FAILED, file, 0, NULL, 0);
        return SQLITE_IOERR_FSYNC;
    }
    note(OP_SYNC, file, 0, NULL, 0);
    return METHOD(f)->xSync(REAL(f), flags);
}

static const sqlite3_io_methods methods = {
    .iVersion = 2, .xClose = x_close, .xRead = x_read, .xWrite = x_write, .xTruncate = x_truncate, .xSync = x_sync,
    .xFileSize = x_size, .xLock = x_lock, .xUnlock = x_unlock, .xCheckReservedLock = x_reserved, .xFileControl = x_control,
    .xSectorSize = x_sector, .xDeviceCharacteristics = x_device, .xShmMap = x_shm_map, .xShmLock = x_shm_lock,
    .xShmBarrier = x_shm_barrier, .xShmUnmap = x_shm_unmap,
};

static int x_open(sqlite3_vfs *v, const char *name, sqlite3_file *f, int flags, int *out)
{
    struct shim *s = (struct shim *)f;
    int rc;

    (void)v;
    s->real = (sqlite3_file *)(s + 1);
    s->file = flags & SQLITE_OPEN_MAIN_DB ? FILE_DB : flags & SQLITE_OPEN_WAL ? FILE_WAL : FILE_NONE;
    rc = root->xOpen(root, name, s->real, flags, out);
    s->base.pMethods = rc == SQLITE_OK ? &methods : NULL;
    return rc;
}

void disklog_install(void)
{
    root = sqlite3_vfs_find(NULL);
    vfs = *root;
    vfs.zName = "disklog";
    vfs.szOsFile = (int)sizeof(struct shim) + root->szOsFile;
    vfs.xOpen = x_open;
    vfs.pNext = NULL;
    ck_assert_int_eq(sqlite3_vfs_register(&vfs, 1), SQLITE_OK);
}

/* --- the spill file --- */

ssize_t __real_write(int fd, const void *p, size_t n);
int __real_fdatasync(int fd);
int __real_ftruncate(int fd, off_t n);
ssize_t __wrap_write(int fd, const void *p, size_t n);
int __wrap_fdatasync(int fd);
int __wrap_ftruncate(int fd, off_t n);

/* FILE_SPILL with its size, or FILE_NONE. */
static enum file file_of(int fd, int64_t *size)
{
    struct stat st;

    if (!g.on || fstat(fd, &st) != 0 || st.st_ino != g.spill || !S_ISREG(st.st_mode))
        return FILE_NONE;
    *size = st.st_size;
    return FILE_SPILL;
}

ssize_t __wrap_write(int fd, const void *p, size_t n)
{
    int64_t size = 0;
    enum file file = file_of(fd, &size);

    note(OP_WRITE, file, size, p, n);                    /* it appends */
    return __real_write(fd, p, n);
}

int __wrap_fdatasync(int fd)
{
    int64_t size;
    enum file file = file_of(fd, &size);

    if (sync_fails(file)) {
        note(OP_SYNC_FAILED, file, 0, NULL, 0);
        errno = EIO;
        return -1;
    }
    note(OP_SYNC, file, 0, NULL, 0);
    return __real_fdatasync(fd);
}

int __wrap_ftruncate(int fd, off_t n)
{
    int64_t size;

    note(OP_TRUNCATE, file_of(fd, &size), n, NULL, 0);
    return __real_ftruncate(fd, n);
}

/* --- recording --- */

void disklog_begin(const char *dir)
{
    struct stat st;
    char path[512];

    snprintf(g.dir, sizeof g.dir, "%s", dir);
    for (int i = 0; i < FILES; i++) {
        int fd;

        snprintf(path, sizeof path, "%s/%s", dir, names[i]);
        fd = open(path, O_RDONLY | O_CLOEXEC);
        if (fd < 0)
            continue;
        ck_assert_int_eq(fstat(fd, &st), 0);
        g.disk[i].cap = (size_t)st.st_size;
        g.disk[i].p = malloc(g.disk[i].cap + 1);
        g.disk[i].n = (size_t)read(fd, g.disk[i].p, g.disk[i].cap);
        ck_assert_uint_eq(g.disk[i].n, g.disk[i].cap);
        close(fd);
        if (i == FILE_SPILL)
            g.spill = st.st_ino;
    }
    g.on = true;
}

void disklog_end(void)
{
    pthread_mutex_lock(&g.lock);
    g.on = false;
    pthread_mutex_unlock(&g.lock);
    for (int i = 0; i < FILES; i++)
        g.pending[i] = malloc((g.n + 1) * sizeof(size_t));
}

void disklog_promise(int64_t what)
{
    note(OP_PROMISE, FILE_DB, what, NULL, 0);
}

void disklog_fail_syncs(int permille, uint64_t seed)
{
    g.fate = rng_make(seed);
    g.fail_permille = permille;
}

size_t disklog_failed_syncs(void)
{
    return g.failed;
}

size_t disklog_length(void)
{
    return g.n;
}

int64_t disklog_promised(size_t at, size_t n)
{
    static size_t from, found;           /* asked in order, mostly */

    if (n < found || from > at)
        from = found = 0;
    for (; from < at; from++) {
        if (g.op[from].kind == OP_PROMISE && found++ == n)
            return g.op[from++].at;
    }
    from = found = 0;
    return -1;
}

/* --- the disk --- */

static void resize(struct image *m, size_t n)
{
    if (n > m->cap) {
        m->cap = n * 2;
        m->p = realloc(m->p, m->cap);
    }
    if (n > m->n)
        memset(m->p + m->n, 0, n - m->n);
    m->n = n;
}

/* Each sector of it reaches the disk with this chance. */
static void apply(struct image *m, const struct op *o, int keep_permille, struct rng *r)
{
    if (o->kind == OP_TRUNCATE) {
        if (rng_below(r, 1000) < keep_permille)
            resize(m, (size_t)o->at);
        return;
    }
    for (size_t from = 0; from < o->n;) {
        size_t at = (size_t)o->at + from, n = SECTOR - at % SECTOR;

        if (n > o->n - from)
            n = o->n - from;
        if (rng_below(r, 1000) < keep_permille) {
            if (at + n > m->n)
                resize(m, at + n);
            memcpy(m->p + at, o->bytes + from, n);
        }
        from += n;
    }
}

static void advance(size_t at, struct rng *r)
{
    for (; g.applied < at; g.applied++) {
        struct op *o = &g.op[g.applied];
        size_t *pending = g.pending[o->file], *n = &g.pending_n[o->file];

        switch (o->kind) {
        case OP_WRITE:
        case OP_TRUNCATE: pending[(*n)++] = g.applied; break;
        case OP_SYNC_FAILED:
            for (size_t i = 0; i < *n; i++)
                g.op[pending[i]].doomed = true;
            break;
        case OP_SYNC:
            for (size_t i = 0; i < *n; i++)
                apply(&g.disk[o->file], &g.op[pending[i]], g.op[pending[i]].doomed ? 500 : 1000, r);
            *n = 0;
            break;
        case OP_PROMISE: break;
        }
    }
}

void disklog_rebuild(size_t at, struct rng *r, const char *to)
{
    static const int chances[] = {0, 100, 500, 900, 1000};
    int keep = chances[rng_below(r, 5)];

    ck_assert_uint_ge(at, g.applied);
    advance(at, r);
    for (int i = 0; i < FILES; i++) {
        struct image m = {.p = malloc(g.disk[i].n + 1), .n = g.disk[i].n, .cap = g.disk[i].n};
        char path[512];
        int fd;

        if (m.n)
            memcpy(m.p, g.disk[i].p, m.n);
        for (size_t k = 0; k < g.pending_n[i]; k++)
            apply(&m, &g.op[g.pending[i][k]], keep, r);
        snprintf(path, sizeof path, "%s/%s", to, names[i]);
        fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
        ck_assert_int_ge(fd, 0);
        ck_assert_int_eq(write(fd, m.p, m.n), (ssize_t)m.n);
        close(fd);
        free(m.p);
    }
}
