/* test_sha256.c - the vectors of FIPS 180-4 and of NIST's CAVP, and pieces against the whole. */
#include "base/sha256.h"

#include <string.h>

#include "unit.h"

START_TEST(the_published_vectors_come_out)
{
    static const struct {
        const char *text, *hex;
    } known[] = {
        {"", "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"},
        {"abc", "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"},
        {"abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq",
         "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1"},
        {"abcdefghbcdefghicdefghijdefghijkefghijklfghijklmghijklmnhijklmnoijklmnopjklmnopqklmnopqrlmnopqrsmnopqrst"
         "nopqrstu",
         "cf5b16a778af8380036ce59e7b0492370b249b11e8f07a51afac45037afee9d1"},
        {"\xbd", "68325720aabd7c82f30f554b313d0570c95accbb7dc4b5aae11204c08ffe732b"},
        {"\xc9\x8c\x8e\x55", "7abc22c0ae5af26ce93dbb94433a0e0b2e119d014f8e7f65bd56c61ccccd9504"},
    };
    char hex[SHA256_HEX_SIZE];

    for (size_t i = 0; i < sizeof known / sizeof *known; i++) {
        sha256_hex(known[i].text, strlen(known[i].text), hex);
        ck_assert_str_eq(hex, known[i].hex);
    }
}
END_TEST

START_TEST(a_million_letters_a_come_out)
{
    struct sha256 s;
    unsigned char digest[SHA256_BYTES];
    char block[1000], hex[SHA256_HEX_SIZE];

    memset(block, 'a', sizeof block);
    sha256_init(&s);
    for (int i = 0; i < 1000; i++)
        sha256_update(&s, block, sizeof block);
    sha256_final(&s, digest);
    sha256_to_hex(digest, hex);
    ck_assert_str_eq(hex, "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0");
}
END_TEST

START_TEST(however_the_text_is_cut_the_digest_is_the_same)
{
    unsigned char text[200], whole[SHA256_BYTES], pieces[SHA256_BYTES];
    struct sha256 s;

    for (size_t i = 0; i < sizeof text; i++)
        text[i] = (unsigned char)(i * 7 + 1);
    for (size_t n = 0; n <= sizeof text; n++) {
        sha256(text, n, whole);
        for (size_t cut = 0; cut <= n; cut += 1 + cut / 4) {
            sha256_init(&s);
            sha256_update(&s, text, cut);
            sha256_update(&s, NULL, 0);
            sha256_update(&s, text + cut, n - cut);
            sha256_final(&s, pieces);
            ck_assert_mem_eq(pieces, whole, sizeof whole);
        }
    }
}
END_TEST

UNIT_MAIN("sha256", the_published_vectors_come_out, a_million_letters_a_come_out,
          however_the_text_is_cut_the_digest_is_the_same)
