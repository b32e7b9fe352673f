/* translate_impl.h - what both directions of translate.h share: the walk over a
 * body's members by a table, and refusals that name their place. Private to
 * translate*.c. */
#ifndef WEIR_TRANSLATE_IMPL_H
#define WEIR_TRANSLATE_IMPL_H

#include "base/sb.h"
#include "peer/translate.h"

enum { TRANSLATE_PATH = 96, TRANSLATE_TEXT_MAX = 64 * 1024 * 1024 };

struct translation {
    const char *there;               /* whose words it becomes: "Anthropic's" */
    const json_t *from;              /* borrowed */
    json_t *to;                      /* what there is so far */
    json_t *messages;                /* owned by `to` */
    struct sb system;                /* what Anthropic has beside the messages */
    struct translate_fault *fault;
};

/* A member of a body. */
struct translate_rule {
    const char *name;
    enum weir_err (*put)(struct translation *t, const char *at, const json_t *v);      /* `at` is its name; NULL: of no consequence */
};

/* Every member that is there and not null, by its rule; one without a rule is refused. */
enum weir_err translate_members(struct translation *t, const struct translate_rule *rules, size_t n)
    __attribute__((warn_unused_result));

/* Refusals: of a thing there are no words for, and of a value that is wrong in itself (`must`: "a string"). */
enum weir_err translate_nothing_like(struct translation *t, const char *at);
enum weir_err translate_must(struct translation *t, const char *at, const char *must);

/* Every member of v that says something (translate_only_nothing) is one of these (`n`), or refused. */
enum weir_err translate_known(struct translation *t, const char *at, const json_t *v, const char *const *known, size_t n)
    __attribute__((warn_unused_result));

/* A rule: false, 0, an empty list or object say nothing; anything else is refused. */
enum weir_err translate_only_nothing(struct translation *t, const char *at, const json_t *v);
/* A rule: it means the same there, under the same name. */
enum weir_err translate_same(struct translation *t, const char *at, const json_t *v);

/* The member `name` of v, whose place is `at`; a string is needed. NULL: refused. `path` gets the member's place. */
const char *translate_string(struct translation *t, const json_t *v, const char *at, const char *name);
/* A place: `at`, a member of it, an element of that (index < 0: none). */
void translate_path(char out[TRANSLATE_PATH], const char *at, const char *name, int index);
/* The object under `name` in t->to, made if it is not there yet. */
json_t *translate_object(struct translation *t, const char *name);
/* A content that is nothing but text, a string or blocks of text, at the end of `out`, `between` blocks. */
enum weir_err translate_texts(struct translation *t, const char *at, const json_t *v, const char *between, struct sb *out)
    __attribute__((warn_unused_result));
/* `text` as a JSON string; NULL for none. */
json_t *translate_text(struct sb *text);

#endif
