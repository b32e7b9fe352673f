/* content_key.c - the folder of keys, and a small memory of them. One file for each user, "<number>.key":
 * nonce and the key sealed with the master key, bound to the number. */
#include "store/content_key.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <pthread.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/rand.h"
#include "store/db_impl.h"

enum { NONCE = crypto_aead_xchacha20poly1305_ietf_NPUBBYTES, TAG = crypto_aead_xchacha20poly1305_ietf_ABYTES,
       FILE_BYTES = NONCE + CONTENT_KEY_BYTES + TAG, KEPT = 256 };

static struct {
    bool set;
    char *folder;
    unsigned char master[CONTENT_KEY_BYTES];
    pthread_mutex_t lock;                    /* leaf: over what is remembered */
    struct {
        int64_t user;                        /* 0: free */
        unsigned char key[CONTENT_KEY_BYTES];
    } kept[KEPT];
} keys = {.lock = PTHREAD_MUTEX_INITIALIZER};

/* --- sealing --- */

static void seal(const unsigned char key[CONTENT_KEY_BYTES], const char *what, const void *text, size_t n, unsigned char *out)
{
    unsigned long long len;

    rand_bytes(out, NONCE);
    (void)crypto_aead_xchacha20poly1305_ietf_encrypt(out + NONCE, &len, text, n, (const unsigned char *)what, strlen(what), NULL, out, key);
}

static bool unseal(const unsigned char key[CONTENT_KEY_BYTES], const char *what, const unsigned char *sealed, size_t n, unsigned char *out)
{
    unsigned long long len;

    return n >= NONCE + TAG
           && crypto_aead_xchacha20poly1305_ietf_decrypt(out, &len, NULL, sealed + NONCE, n - NONCE, (const unsigned char *)what, strlen(what),
                                                         sealed, key) == 0;
}

/* --- keys of people --- */

static void path_of(int64_t user, struct sb *out)
{
    sb_putf(out, "%s/%" PRId64 ".key", keys.folder, user);
}

static void name_of(int64_t user, char out[40])
{
    (void)snprintf(out, 40, "key %" PRId64, user);
}

static bool recall(int64_t user, unsigned char key[CONTENT_KEY_BYTES])
{
    size_t i = (size_t)(user % KEPT);
    bool found;

    (void)pthread_mutex_lock(&keys.lock);
    found = keys.kept[i].user == user;
    if (found)
        memcpy(key, keys.kept[i].key, CONTENT_KEY_BYTES);
    (void)pthread_mutex_unlock(&keys.lock);
    return found;
}

/* NULL: forget. */
static void remember(int64_t user, const unsigned char *key)
{
    size_t i = (size_t)(user % KEPT);

    (void)pthread_mutex_lock(&keys.lock);
    if (key || keys.kept[i].user == user)
        sodium_memzero(&keys.kept[i], sizeof keys.kept[i]);
    if (key) {
        keys.kept[i].user = user;
        memcpy(keys.kept[i].key, key, CONTENT_KEY_BYTES);
    }
    (void)pthread_mutex_unlock(&keys.lock);
}

/* *there false: there is no such file. */
static enum weir_err read_key(const char *path, int64_t user, unsigned char key[CONTENT_KEY_BYTES], bool *there)
{
    unsigned char bytes[FILE_BYTES + 1];
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    char name[40];
    ssize_t n = -1;

    *there = fd >= 0 || errno != ENOENT;
    if (fd >= 0) {
        n = read(fd, bytes, sizeof bytes);
        (void)close(fd);
    } else if (!*there) {
        return WEIR_OK;
    }
    name_of(user, name);
    if (n == FILE_BYTES && unseal(keys.master, name, bytes, FILE_BYTES, key))
        return WEIR_OK;
    log_error("%s: this is no key that the content key opens", path);
    return WEIR_E_STORAGE;
}

/* On the disk before anything is sealed with it. */
static enum weir_err make_key(const char *path, int64_t user, unsigned char key[CONTENT_KEY_BYTES])
{
    unsigned char bytes[FILE_BYTES];
    struct sb part = sb_make(4096);
    char name[40];
    bool ok;
    int fd;

    rand_bytes(key, CONTENT_KEY_BYTES);
    name_of(user, name);
    seal(keys.master, name, key, CONTENT_KEY_BYTES, bytes);
    sb_putf(&part, "%s.part", path);
    (void)unlink(sb_str(&part));
    fd = open(sb_str(&part), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    ok = fd >= 0 && write(fd, bytes, sizeof bytes) == (ssize_t)sizeof bytes && fsync(fd) == 0;
    if (fd >= 0)
        (void)close(fd);
    ok = ok && rename(sb_str(&part), path) == 0 && file_sync_directory_of(path);
    if (!ok)
        log_error("%s: cannot be written: %s", path, strerror(errno));
    sb_done(&part);
    return ok ? WEIR_OK : WEIR_E_STORAGE;
}

static enum weir_err key_of(int64_t user, bool make, unsigned char key[CONTENT_KEY_BYTES], bool *there)
{
    struct sb path = sb_make(4096);
    enum weir_err e = WEIR_OK;

    *there = recall(user, key);
    if (!*there) {
        path_of(user, &path);
        e = read_key(sb_str(&path), user, key, there);
        if (!e && !*there && make) {
            e = make_key(sb_str(&path), user, key);
            *there = true;
        }
        if (!e && *there)
            remember(user, key);
    }
    sb_done(&path);
    return e;
}

/* --- for content.c --- */

bool content_key_set(void)
{
    return keys.set;
}

enum weir_err content_key_seal(int64_t user, const char *what, const void *text, size_t n, struct sb *out)
{
    unsigned char key[CONTENT_KEY_BYTES], *sealed;
    bool there;
    enum weir_err e = key_of(user, true, key, &there);

    if (e)
        return e;
    sealed = mem_zalloc(n + CONTENT_SEAL_BYTES, 1);
    seal(key, what, text, n, sealed);
    sb_put(out, sealed, n + CONTENT_SEAL_BYTES);
    free(sealed);
    sodium_memzero(key, sizeof key);
    return WEIR_OK;
}

enum weir_err content_key_open(int64_t user, const char *what, const void *sealed, size_t n, char **out, size_t *out_n)
{
    unsigned char key[CONTENT_KEY_BYTES];
    bool there = false;
    enum weir_err e = keys.set ? key_of(user, false, key, &there) : WEIR_OK;

    *out = NULL;
    *out_n = 0;
    if (e || !there)
        return e;
    *out = mem_zalloc(n + 1, 1);
    if (unseal(key, what, sealed, n, (unsigned char *)*out)) {
        *out_n = n - CONTENT_SEAL_BYTES;
        (*out)[*out_n] = '\0';
    } else {
        log_error("content: %s is not what was sealed", what);
        free(*out);
        *out = NULL;
        e = WEIR_E_STORAGE;
    }
    sodium_memzero(key, sizeof key);
    return e;
}

enum weir_err content_key_destroy(int64_t user)
{
    struct sb path = sb_make(4096);
    enum weir_err e = WEIR_OK;

    if (keys.set) {
        path_of(user, &path);
        remember(user, NULL);
        if (unlink(sb_str(&path)) < 0 && errno != ENOENT) {
            log_error("%s: cannot be removed: %s", sb_str(&path), strerror(errno));
            e = WEIR_E_STORAGE;
        }
        if (!e && !file_sync_directory_of(sb_str(&path)))
            e = WEIR_E_STORAGE;
        remember(user, NULL);
    }
    sb_done(&path);
    return e;
}

/* One of the keys is tried: with the wrong master key nothing could be read, and what is written could not be read later. */
static bool opens(struct sb *why)
{
    unsigned char key[CONTENT_KEY_BYTES];
    DIR *d = opendir(keys.folder);
    const struct dirent *f;
    bool ok = true, there;

    while (d && (f = readdir(d)) != NULL) {
        struct sb path = sb_make(4096);
        char *end;
        int64_t user = strtoll(f->d_name, &end, 10);

        sb_putf(&path, "%s/%s", keys.folder, f->d_name);
        ok = user <= 0 || strcmp(end, ".key") != 0 || read_key(sb_str(&path), user, key, &there) == WEIR_OK;
        if (!ok)
            sb_putf(why, "%s was sealed with another key than the one in content.key_file; put that one back", sb_str(&path));
        sb_done(&path);
        if (!ok || strcmp(end, ".key") == 0)
            break;
    }
    if (d)
        (void)closedir(d);
    sodium_memzero(key, sizeof key);
    return ok;
}

bool content_key_use(const char *folder, const unsigned char master[CONTENT_KEY_BYTES], struct sb *why)
{
    if (mkdir(folder, 0700) < 0 && errno != EEXIST) {
        sb_putf(why, "%s: cannot be made: %s", folder, strerror(errno));
        return false;
    }
    free(keys.folder);
    keys.folder = mem_strdup(folder);
    memcpy(keys.master, master, sizeof keys.master);
    sodium_memzero(keys.kept, sizeof keys.kept);
    keys.set = true;
    return opens(why);
}
