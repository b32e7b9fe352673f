/* content.h - what people wrote and were answered: the one place where it is
 * written and read. Everything else in the database is numbers and ids.
 *
 * With a key (store/content_key.h) it is written sealed, and so are titles; what
 * was written before stays readable as it is.
 *
 * Whether text is kept at all is the process's; it is asked where text is
 * written, so what was written before stays until retention takes it out. */
#ifndef WEIR_CONTENT_H
#define WEIR_CONTENT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "base/sb.h"
#include "store/db.h"

/* True at the start. Any thread. */
void content_keep(bool keep);
bool content_kept(void);

struct content {
    const char *text, *reasoning;          /* reasoning NULL: none */
    int64_t text_bytes, reasoning_bytes;
};
/* The text of message `id` (session * 2^20 + seq), which is of at_ms; nothing is written where none is kept. Its session then
 * knows that it has a text so old. Writer only. */
enum weir_err content_add(struct db *db, int64_t id, int64_t at_ms, const struct content *c) __attribute__((warn_unused_result));
/* A sealed text of user `from` is sealed for user `to` instead, or goes if its key was destroyed. Writer only. */
enum weir_err content_reseal(struct db *db, int64_t id, int64_t from, int64_t to) __attribute__((warn_unused_result));
/* A session learns again how old its oldest text is: after some have gone. Writer only. */
enum weir_err content_oldest(struct db *db, int64_t session) __attribute__((warn_unused_result));
/* The title a new session gets of its own accord: `title`, which is taken from its first message, or where no text is
 * kept a neutral one. Borrowed. */
const char *content_title(const char *title);
/* A title as it is stored, and back; appended to `out`. A title whose key was destroyed is "". */
enum weir_err content_title_put(int64_t user, const char *session_id, const char *title, struct sb *out)
    __attribute__((warn_unused_result));
enum weir_err content_title_get(int64_t user, const char *session_id, const char *stored, struct sb *out)
    __attribute__((warn_unused_result));

/* What a running answer has come to, in place of what there is: it is found by its words once it is added whole. And away with
 * all from id `from` to `to`. Writer only. */
enum weir_err content_mark(struct db *db, int64_t id, int64_t at_ms, const struct content *c) __attribute__((warn_unused_result));
enum weir_err content_forget(struct db *db, int64_t from, int64_t to) __attribute__((warn_unused_result));

/* A deleted text's words stay in the index until its parts are merged: merge at most about `pages` of them; *left is false
 * when there is nothing more to do. Writer only. */
enum weir_err content_merge_words(struct db *db, int64_t pages, bool *left) __attribute__((warn_unused_result));

struct content_found {
    bool kept;                             /* false: there is no text (any longer), and the rest is empty */
    char *text, *reasoning;                /* owned, ended by a zero byte; reasoning NULL: none */
    size_t text_bytes, reasoning_bytes;
};
/* Any connection. Gives `out`, freed with content_done() also after a failure. */
enum weir_err content_read(struct db *ro, int64_t id, struct content_found *out) __attribute__((warn_unused_result));
void content_done(struct content_found *f);

#endif
