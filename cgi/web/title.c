/* title.c - character by character into a small buffer, then cut. */
#include "web/title.h"

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#include "base/utf8.h"

enum { CHARS_MAX = 120, BYTES_MAX = 4 * CHARS_MAX };

static bool is_space(uint32_t c)
{
    return c == ' ' || (c >= '\t' && c <= '\r') || c == 0x85 || c == 0xa0 || c == 0x2028 || c == 0x2029 || c == 0x3000;
}

/* Control characters, zero-width ones, and those that turn the direction of the text around them. */
static bool is_hidden(uint32_t c)
{
    return c < 0x20 || (c >= 0x7f && c <= 0x9f) || c == 0xad || c == 0x61c || (c >= 0x200b && c <= 0x200f)
           || (c >= 0x202a && c <= 0x202e) || (c >= 0x2060 && c <= 0x206f) || c == 0xfeff || (c >= 0xfff9 && c <= 0xfffb)
           || (c >= 0xe0000 && c <= 0xe0fff);
}

void title_put(struct sb *out, const char *text, size_t max_chars)
{
    char line[BYTES_MAX + 1];
    size_t used = 0, chars = 0, word_end = 0, word_chars = 0;
    bool gap = false, cut = false;
    size_t left = strlen(text);

    if (max_chars > CHARS_MAX)
        max_chars = CHARS_MAX;
    while (left) {
        size_t n = utf8_len(text, left);
        uint32_t c = n ? utf8_decode(text, n) : 0xfffd;

        if (n && !is_space(c) && !is_hidden(c)) {
            if (gap && used) {
                word_end = used;
                word_chars = chars;
            }
            if (chars + (gap && used ? 1 : 0) >= max_chars) {
                cut = true;
                break;
            }
            if (gap && used) {
                line[used++] = ' ';
                chars++;
            }
            memcpy(line + used, text, n);
            used += n;
            chars++;
            gap = false;
        } else if (n && is_space(c))
            gap = true;
        n = n ? n : utf8_bad_len(text, left);
        text += n;
        left -= n;
    }
    if (cut && word_chars * 2 >= max_chars)
        used = word_end;
    sb_put(out, line, used);
    if (cut)
        sb_puts(out, "\xe2\x80\xa6");
}
