/* builtin.c - plays the conversation to ELIZA again, so that she needs no memory
 * of her own between two requests. */
#include "peer/builtin.h"

#include <string.h>

#include "base/mem.h"
#include "base/sb.h"
#include "rules/eliza.h"

enum { REPLAY_MAX = 200 };   /* turns; older ones no longer matter */

char *builtin_reply(const struct builtin_turn *turns, size_t n)
{
    struct sb out = sb_make(ELIZA_REPLY_MAX);
    struct eliza eliza = {.memories = 0};
    size_t from = n > REPLAY_MAX ? n - REPLAY_MAX : 0;
    char *reply;

    if (!n)
        eliza_say(&eliza, "", 0, &out);
    for (size_t i = from; i < n; i++) {
        sb_reset(&out);
        eliza_say(&eliza, turns[i].text, turns[i].bytes, &out);
    }
    reply = mem_strdup(sb_str(&out));
    sb_done(&out);
    return reply;
}

size_t builtin_next_chunk(const char *reply, size_t *at)
{
    const char *s = reply + *at;
    size_t n = strcspn(s, " \n");

    n += strspn(s + n, " \n");
    *at += n;
    return n;
}
