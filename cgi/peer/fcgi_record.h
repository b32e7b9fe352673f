/* fcgi_record.h - FastCGI 1.0's record as both ends write it. Pure. */
#ifndef WEIR_FCGI_RECORD_H
#define WEIR_FCGI_RECORD_H

#include <stddef.h>
#include <stdint.h>

enum fcgi_record { FCGI_BEGIN_REQUEST = 1, FCGI_END_REQUEST = 3, FCGI_PARAMS = 4, FCGI_STDIN = 5, FCGI_STDOUT = 6 };
enum { FCGI_HEAD_BYTES = 8 };

/* The head of a record of request `id` with `n` (at most 65535) bytes of content and no padding. */
static inline void fcgi_record_head(unsigned char h[FCGI_HEAD_BYTES], enum fcgi_record type, uint16_t id, size_t n)
{
    h[0] = 1;                            /* the protocol's version */
    h[1] = (unsigned char)type;
    h[2] = (unsigned char)(id >> 8);
    h[3] = (unsigned char)(id & 0xff);
    h[4] = (unsigned char)(n >> 8);
    h[5] = (unsigned char)(n & 0xff);
    h[6] = h[7] = 0;
}

#endif
