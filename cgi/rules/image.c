/* image.c - see image.h. */
#include "rules/image.h"

#include <string.h>

enum { BYTES_LOOKED_AT = 64 * 1024 };

static int digit(char c)
{
    if (c >= 'A' && c <= 'Z')
        return c - 'A';
    if (c >= 'a' && c <= 'z')
        return c - 'a' + 26;
    if (c >= '0' && c <= '9')
        return c - '0' + 52;
    return c == '+' || c == '-' ? 62 : c == '/' || c == '_' ? 63 : -1;
}

/* The byte at this place of what the text stands for; -1: there is none. */
static int byte_at(const char *text, size_t n, size_t at)
{
    size_t from = at / 3 * 4, in = at % 3;
    int high, low;

    if (at >= BYTES_LOOKED_AT || from + in + 1 >= n)
        return -1;
    high = digit(text[from + in]);
    low = digit(text[from + in + 1]);
    if (high < 0 || low < 0)
        return -1;
    return (high << (2 + 2 * in) | low >> (4 - 2 * in)) & 0xff;
}

/* `count` bytes as a number, the first the highest; -1: they are not there. */
static int64_t number_at(const char *t, size_t n, size_t at, int count, bool little)
{
    int64_t v = 0;

    for (int i = 0; i < count; i++) {
        int b = byte_at(t, n, little ? at + (size_t)(count - 1 - i) : at + (size_t)i);

        if (b < 0)
            return -1;
        v = v << 8 | b;
    }
    return v;
}

static bool begins(const char *t, size_t n, size_t at, const char *what, size_t len)
{
    for (size_t i = 0; i < len; i++)
        if (byte_at(t, n, at + i) != (unsigned char)what[i])
            return false;
    return true;
}

/* From segment to segment to the one that begins the picture. */
static bool jpeg_size(const char *t, size_t n, int64_t *w, int64_t *h)
{
    for (size_t at = 2;;) {
        int64_t mark = number_at(t, n, at, 2, false), len = number_at(t, n, at + 2, 2, false);
        int kind = (int)(mark & 0xff);

        if (mark < 0xff00 || len < 2)
            return false;
        if (kind >= 0xc0 && kind <= 0xcf && kind != 0xc4 && kind != 0xc8 && kind != 0xcc) {
            *h = number_at(t, n, at + 5, 2, false);
            *w = number_at(t, n, at + 7, 2, false);
            return true;
        }
        at += 2 + (size_t)len;
    }
}

static bool webp_size(const char *t, size_t n, int64_t *w, int64_t *h)
{
    if (begins(t, n, 12, "VP8X", 4)) {
        *w = number_at(t, n, 24, 3, true) + 1;
        *h = number_at(t, n, 27, 3, true) + 1;
    } else if (begins(t, n, 12, "VP8L", 4)) {
        int64_t bits = number_at(t, n, 21, 4, true);

        *w = (bits & 0x3fff) + 1;
        *h = (bits >> 14 & 0x3fff) + 1;
    } else if (begins(t, n, 12, "VP8 ", 4)) {
        *w = number_at(t, n, 26, 2, true) & 0x3fff;
        *h = number_at(t, n, 28, 2, true) & 0x3fff;
    } else {
        return false;
    }
    return true;
}

bool image_size(const char *t, size_t n, int64_t *w, int64_t *h)
{
    *w = *h = 0;
    if (begins(t, n, 0, "\x89PNG", 4)) {
        *w = number_at(t, n, 16, 4, false);
        *h = number_at(t, n, 20, 4, false);
    } else if (begins(t, n, 0, "GIF8", 4)) {
        *w = number_at(t, n, 6, 2, true);
        *h = number_at(t, n, 8, 2, true);
    } else if (begins(t, n, 0, "\xff\xd8", 2)) {
        if (!jpeg_size(t, n, w, h))
            return false;
    } else if (!begins(t, n, 0, "RIFF", 4) || !begins(t, n, 8, "WEBP", 4) || !webp_size(t, n, w, h)) {
        return false;
    }
    return *w > 0 && *h > 0;
}

const char *image_data_url(const char *url)
{
    const char *data = strncmp(url, "data:image/", 11) == 0 ? strstr(url, ";base64,") : NULL;

    return data ? data + 8 : NULL;
}

static int64_t fitted(int64_t side, int64_t by, int64_t to)
{
    int64_t s = by > to ? side * to / by : side;

    return s > 0 ? s : 1;
}

int64_t image_tokens_tiles(const char *model, int64_t w, int64_t h, bool low_detail)
{
    static const struct {
        const char *begins;
        int64_t base, tile;
    } families[] = {{"gpt-4o-mini", 2833, 5667}, {"gpt-5", 70, 140}, {"o1", 75, 150}, {"o3", 75, 150}, {"", 85, 170}};
    const char *slash = strrchr(model, '/'), *name = slash ? slash + 1 : model;
    int64_t long_side, fit_w, fit_h, shorter;
    size_t f = 0;

    while (strncmp(name, families[f].begins, strlen(families[f].begins)) != 0)
        f++;
    if (low_detail)
        return families[f].base;
    long_side = w > h ? w : h;
    fit_w = fitted(w, long_side, 2048);
    fit_h = fitted(h, long_side, 2048);
    shorter = fit_w < fit_h ? fit_w : fit_h;
    fit_w = fitted(fit_w, shorter, 768);
    fit_h = fitted(fit_h, shorter, 768);
    return families[f].base + families[f].tile * ((fit_w + 511) / 512) * ((fit_h + 511) / 512);
}

int64_t image_tokens_area(int64_t width, int64_t height)
{
    enum { LONGEST = 1568, PIXELS_PER_TOKEN = 750 };
    int64_t longer = width > height ? width : height;

    if (longer > LONGEST) {
        width = width * LONGEST / longer;
        height = height * LONGEST / longer;
    }
    return width * height / PIXELS_PER_TOKEN + 1;
}
