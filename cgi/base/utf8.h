/* utf8.h - UTF-8 as RFC 3629 allows it: no overlong forms, no surrogates,
 * nothing above U+10FFFF. Any bytes may be passed. Pure. */
#ifndef WEIR_UTF8_H
#define WEIR_UTF8_H

#include <stddef.h>
#include <stdint.h>

/* Bytes of the character at s (1 to 4), 0 if none begins there or it is cut off. n >= 1. */
size_t utf8_len(const char *s, size_t n);
/* The code point of the valid character of `len` bytes at s. */
uint32_t utf8_decode(const char *s, size_t len);
/* Bytes that one U+FFFD stands for where utf8_len() is 0: the longest beginning
 * of a character, at least 1 (what WHATWG's decoder does). n >= 1. */
size_t utf8_bad_len(const char *s, size_t n);
/* How many bytes from the beginning are whole, valid characters. */
size_t utf8_valid(const char *s, size_t n);
/* Code points; each U+FFFD that would be put in counts as one. */
int64_t utf8_count(const char *s, size_t n);

#endif
