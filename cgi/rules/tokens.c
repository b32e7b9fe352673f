/* tokens.c - splits a text by its encoding's pattern and adds up the pieces. Each
 * thread that counts has its own match data and stack for the compiled pattern,
 * made at its first count and freed when it ends. */
#include "rules/tokens.h"

#include <pthread.h>
#include <stdlib.h>

#include "base/mem.h"
#include "base/utf8.h"
#include "rules/bpe.h"
#include "rules/tokens_encoding.h"

enum {
    JIT_STACK_MIN = 32 << 10,
    JIT_STACK_MAX = 8 << 20      /* reserved, not used, until a piece needs it */
};

struct scratch {
    pcre2_match_data *data;
    pcre2_match_context *context;
    pcre2_jit_stack *stack;
};

static struct {
    pthread_once_t once;
    pthread_key_t key;
} threads = {.once = PTHREAD_ONCE_INIT};

static void scratch_free(void *p)
{
    struct scratch *s = p;

    pcre2_match_data_free(s->data);
    pcre2_match_context_free(s->context);
    pcre2_jit_stack_free(s->stack);
    free(s);
}

static void key_make(void)
{
    if (pthread_key_create(&threads.key, scratch_free))
        abort();
}

/* This thread's scratch; NULL if memory ran out. */
static struct scratch *scratch_get(void)
{
    struct scratch *s;

    (void)pthread_once(&threads.once, key_make);
    s = pthread_getspecific(threads.key);
    if (s)
        return s;
    s = mem_zalloc(1, sizeof *s);
    s->data = pcre2_match_data_create(1, NULL);
    s->context = pcre2_match_context_create(NULL);
    s->stack = pcre2_jit_stack_create(JIT_STACK_MIN, JIT_STACK_MAX, NULL);
    if (!s->data || !s->context || !s->stack || pthread_setspecific(threads.key, s)) {
        scratch_free(s);
        return NULL;
    }
    pcre2_jit_stack_assign(s->context, NULL, s->stack);
    return s;
}

/* The end of the piece that begins at `at`; 0 if the matcher gave up. */
static size_t piece_end(const struct tokens_encoding *e, const struct scratch *s, const char *text, size_t n, size_t at)
{
    PCRE2_SPTR subject = (PCRE2_SPTR)text;
    const PCRE2_SIZE *span = pcre2_get_ovector_pointer(s->data);
    int rc = e->jit ? pcre2_jit_match(e->pattern, subject, n, at, PCRE2_NO_UTF_CHECK, s->data, s->context)
                    : pcre2_match(e->pattern, subject, n, at, PCRE2_NO_UTF_CHECK, s->data, s->context);

    return rc > 0 && span[0] == at && span[1] > at ? span[1] : 0;
}

/* Count a text that is valid UTF-8. */
static int64_t count_valid(const struct tokens_encoding *e, const char *text, size_t n)
{
    const struct scratch *s = scratch_get();
    int64_t count = 0;

    for (size_t at = 0; at < n;) {
        size_t end = s ? piece_end(e, s, text, n, at) : 0;

        if (!end)
            return count + tokens_guess(text + at, n - at);
        count += bpe_count(&e->ranks, (const unsigned char *)text + at, end - at);
        at = end;
    }
    return count;
}

/* A copy in which U+FFFD stands for what is no UTF-8; NULL if memory ran out. */
static char *repaired(const char *text, size_t n, size_t *out_bytes)
{
    char *copy = malloc(3 * n + 1);
    size_t len = 0;

    if (!copy)
        return NULL;
    for (size_t i = 0; i < n;) {
        size_t valid = utf8_valid(text + i, n - i);

        memcpy(copy + len, text + i, valid);
        len += valid;
        i += valid;
        if (i < n) {
            memcpy(copy + len, "\xef\xbf\xbd", 3);
            len += 3;
            i += utf8_bad_len(text + i, n - i);
        }
    }
    *out_bytes = len;
    return copy;
}

int64_t tokens_count(const struct tokens_encoding *e, const char *text, size_t n)
{
    int64_t count;
    size_t bytes;
    char *copy;

    if (!e || !n)
        return tokens_guess(text, n);
    if (utf8_valid(text, n) == n)
        return count_valid(e, text, n);
    copy = repaired(text, n, &bytes);
    count = copy ? count_valid(e, copy, bytes) : tokens_guess(text, n);
    free(copy);
    return count;
}

int64_t tokens_chars(const char *text, size_t n)
{
    return utf8_count(text, n);
}

int64_t tokens_count_for(const struct tokens_model *m, const char *text, size_t n)
{
    int64_t count = tokens_count(m->encoding, text, n);

    return (count * m->permille + 999) / 1000;
}

int64_t tokens_count_chat(const struct tokens_model *m, const struct tokens_message *messages, size_t n)
{
    int64_t count = 3;

    for (size_t i = 0; i < n; i++) {
        const struct tokens_message *msg = &messages[i];

        count += 3 + tokens_count_for(m, msg->role, strlen(msg->role));
        if (msg->content)
            count += tokens_count_for(m, msg->content, msg->content_bytes);
        if (msg->name)
            count += 1 + tokens_count_for(m, msg->name, strlen(msg->name));
    }
    return count;
}
