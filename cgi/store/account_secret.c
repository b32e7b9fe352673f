/* account_secret.c - the texts people carry: made from the kernel's randomness,
 * recognisable by their form, checkable without a look-up. */
#include <string.h>

#include "store/account.h"

static const char url_alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
static const char base62[] = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";

enum { PREFIX_LEN = 5, PUBLIC_LEN = 10, SECRET_LEN = 43, CHECK_LEN = 6 };

/* CRC-32 as in IEEE 802.3, bit by bit: it runs once per token. */
static uint32_t crc32_of(const char *s, size_t n)
{
    uint32_t crc = 0xffffffffU;

    for (size_t i = 0; i < n; i++) {
        crc ^= (unsigned char)s[i];
        for (int bit = 0; bit < 8; bit++)
            crc = crc & 1 ? crc >> 1 ^ 0xedb88320U : crc >> 1;
    }
    return ~crc;
}

static void put_check(const char *s, size_t n, char out[CHECK_LEN])
{
    uint32_t crc = crc32_of(s, n);

    for (int i = CHECK_LEN - 1; i >= 0; i--) {
        out[i] = base62[crc % 62];
        crc /= 62;
    }
}

/* n characters of 6 random bits each. */
static void put_random(char *out, size_t n)
{
    unsigned char bytes[64];

    rand_bytes(bytes, n);
    for (size_t i = 0; i < n; i++)
        out[i] = url_alphabet[bytes[i] & 63];
    explicit_bzero(bytes, sizeof bytes);
}

void account_secret_make(char out[ACCOUNT_SECRET_SIZE])
{
    memset(out, 0, ACCOUNT_SECRET_SIZE);
    put_random(out, SECRET_LEN);
}

void account_token_make(char out[ACCOUNT_TOKEN_SIZE])
{
    char id[RAND_ID_SIZE];
    size_t n = 0;

    memset(out, 0, ACCOUNT_TOKEN_SIZE);
    memcpy(out, "weir_", PREFIX_LEN);
    n = PREFIX_LEN;
    rand_id(id, "");                        /* "_" and base62: no dash or underscore within the public part */
    memcpy(out + n, id + 1 + 8, PUBLIC_LEN);
    n += PUBLIC_LEN;
    out[n++] = '_';
    put_random(out + n, SECRET_LEN);
    n += SECRET_LEN;
    put_check(out, n, out + n);
}

bool account_token_plausible(const char *s)
{
    char check[CHECK_LEN];

    if (strlen(s) != ACCOUNT_TOKEN_LEN || strncmp(s, "weir_", PREFIX_LEN) != 0 || s[PREFIX_LEN + PUBLIC_LEN] != '_')
        return false;
    put_check(s, ACCOUNT_TOKEN_LEN - CHECK_LEN, check);
    return memcmp(s + ACCOUNT_TOKEN_LEN - CHECK_LEN, check, CHECK_LEN) == 0;
}
