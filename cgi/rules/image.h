/* image.h - how large an image is, and how many tokens models take it for. Pure. */
#ifndef WEIR_IMAGE_H
#define WEIR_IMAGE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { IMAGE_TOKENS_UNKNOWN = 1000 };      /* set aside for one whose size nobody knows */

/* Width and height, from the first bytes of a PNG, JPEG, GIF or WebP in base64. False: it is none of these, or they stand
 * beyond the first 64 KiB. */
bool image_size(const char *base64, size_t n, int64_t *width, int64_t *height) __attribute__((warn_unused_result));
/* The data behind "data:image/…;base64,", or NULL. */
const char *image_data_url(const char *url);

/* What OpenAI's tile models count: fitted to 2048 and then to 768 on the shorter side, so much for each tile of 512. */
int64_t image_tokens_tiles(const char *model, int64_t width, int64_t height, bool low_detail);
/* What Claude models count: by area, scaled down to 1568 on the longer side. */
int64_t image_tokens_area(int64_t width, int64_t height);

#endif
