/* Passwords: which are refused, and that a check takes as long for nobody as for somebody. */
#include "base/password.h"

#include <sodium.h>
#include <string.h>

#include "base/clock.h"
#include "unit.h"

START_TEST(short_common_and_repeated_passwords_are_refused)
{
    static const char *const bad[] = {"", "eleven-char", "password1234", "PASSWORD!!2024", "qwertyuiop12", "aaaaaaaaaaaaaa", "123456789012",
                                      "Passw0rd1234", "weir weir weir", "margarethe1234", "correct horse battery staple"};

    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        ck_assert_msg(password_fault(bad[i], "margarethe") != NULL, "'%s' was taken", bad[i]);
    ck_assert_ptr_null(password_fault("seven green tomatoes", "margarethe"));
    ck_assert_ptr_null(password_fault("margarethe1234", NULL));
    ck_assert_ptr_null(password_fault("zwölf Zeichen", "x"));
    ck_assert_ptr_nonnull(password_fault("äöüäöüäöüäö", NULL));      /* eleven characters, 22 bytes */
}
END_TEST

START_TEST(a_hash_says_its_password_is_right_and_when_it_is_weak)
{
    char hash[PASSWORD_HASH_SIZE], old[crypto_pwhash_argon2id_STRBYTES];
    bool weak;

    ck_assert_int_eq(password_hash("seven green tomatoes", hash), WEIR_OK);
    ck_assert(strncmp(hash, "$argon2id$v=19$m=65536,t=2,p=1$", 31) == 0);
    ck_assert_int_eq(password_check(hash, "seven green tomatoes", &weak), WEIR_OK);
    ck_assert(!weak);
    ck_assert_int_eq(password_check(hash, "seven green tomatoeS", &weak), WEIR_E_UNAUTHENTICATED);
    ck_assert_int_eq(crypto_pwhash_argon2id_str(old, "seven green tomatoes", 20, 1, 8192), 0);
    ck_assert_int_eq(password_check(old, "seven green tomatoes", &weak), WEIR_OK);
    ck_assert(weak);
}
END_TEST

static int64_t cost_of(const char *hash)
{
    int64_t began = clock_cpu_us();
    bool weak;

    ck_assert_int_eq(password_check(hash, "not the password", &weak), WEIR_E_UNAUTHENTICATED);
    return clock_cpu_us() - began;
}

START_TEST(nobody_costs_as_much_as_somebody)
{
    char hash[PASSWORD_HASH_SIZE];
    int64_t somebody, nobody;

    ck_assert_int_eq(password_hash("seven green tomatoes", hash), WEIR_OK);
    (void)cost_of(hash);
    somebody = cost_of(hash);
    nobody = cost_of("");
    ck_assert_msg(nobody > somebody / 2 && nobody < somebody * 2, "somebody %lld us, nobody %lld us", (long long)somebody, (long long)nobody);
}
END_TEST

UNIT_MAIN("password", short_common_and_repeated_passwords_are_refused, a_hash_says_its_password_is_right_and_when_it_is_weak,
          nobody_costs_as_much_as_somebody)
