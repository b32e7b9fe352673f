/* Signatures as Standard Webhooks publishes them, secrets, and what is no URL of a receiver. */
#include "unit.h"

#include "peer/webhook.h"

static const struct cfg_list none = {NULL, 0};

START_TEST(the_published_example_comes_out)
{
    static const char body[] = "{\"test\": 2432232314}";
    char signature[WEBHOOK_SIGNATURE_SIZE];

    ck_assert(webhook_sign("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", "msg_p5jXN8AQM9LWM0D4loKWxJek", 1614265330, body, strlen(body), signature));
    ck_assert_str_eq(signature, "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=");
}
END_TEST

START_TEST(an_empty_short_or_foreign_secret_signs_nothing)
{
    static const char *const bad[] = {"", "whsec_", "whsec_c2hvcnQ=", "MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", "whsec_%%%"};
    char signature[WEBHOOK_SIGNATURE_SIZE];

    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        ck_assert_msg(!webhook_sign(bad[i], "m", 1, "x", 1, signature), "%s", bad[i]);
}
END_TEST

START_TEST(each_webhook_and_each_turn_has_a_secret_of_its_own)
{
    const unsigned char key[WEBHOOK_KEY_BYTES] = {1, 2, 3}, other[WEBHOOK_KEY_BYTES] = {9};
    char a[WEBHOOK_SECRET_SIZE], b[WEBHOOK_SECRET_SIZE], signature[WEBHOOK_SIGNATURE_SIZE];

    webhook_secret(key, "whk_a", 1, a);
    webhook_secret(key, "whk_a", 1, b);
    ck_assert_str_eq(a, b);
    ck_assert(webhook_sign(a, "m", 1, "x", 1, signature));
    webhook_secret(key, "whk_b", 1, b);
    ck_assert_str_ne(a, b);
    webhook_secret(key, "whk_a", 2, b);
    ck_assert_str_ne(a, b);
    webhook_secret(other, "whk_a", 1, b);
    ck_assert_str_ne(a, b);
}
END_TEST

START_TEST(urls_of_receivers)
{
    static const char *const good[] = {"https://example.org/hook", "http://example.org:8080", "https://example.org/a?b=c", "https://1.1.1.1/x",
                                       "https://[2606:4700::1111]/x"};
    static const struct {
        const char *url;
        enum weir_err e;
    } bad[] = {
        {"example.org/hook", WEIR_E_INVALID_FIELD}, {"ftp://example.org", WEIR_E_INVALID_FIELD}, {"file:///etc/passwd", WEIR_E_INVALID_FIELD},
        {"https://u:p@example.org", WEIR_E_INVALID_FIELD}, {"https://u@example.org", WEIR_E_INVALID_FIELD},
        {"https://example.org/#x", WEIR_E_INVALID_FIELD}, {"https://", WEIR_E_INVALID_FIELD}, {"gopher://x", WEIR_E_INVALID_FIELD},
        {"http://127.0.0.1/", WEIR_E_ADDRESS}, {"http://2130706433/", WEIR_E_ADDRESS}, {"http://0x7f.1/", WEIR_E_ADDRESS},
        {"http://017700000001/", WEIR_E_ADDRESS}, {"http://127.1/", WEIR_E_ADDRESS}, {"http://[::1]/", WEIR_E_ADDRESS},
        {"http://[::ffff:127.0.0.1]/", WEIR_E_ADDRESS}, {"http://169.254.169.254/latest/meta-data/", WEIR_E_ADDRESS},
        {"http://[fe80::1]/", WEIR_E_ADDRESS}, {"http://0/", WEIR_E_ADDRESS}, {"http://10.0.0.1:80/", WEIR_E_ADDRESS},
    };
    char why[WEBHOOK_WHY];

    for (size_t i = 0; i < sizeof good / sizeof *good; i++)
        ck_assert_msg(webhook_url_check(good[i], &none, why) == WEIR_OK, "%s: %s", good[i], why);
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        ck_assert_msg(webhook_url_check(bad[i].url, &none, why) == bad[i].e, "%s", bad[i].url);
        ck_assert_uint_gt(strlen(why), 10);
    }
}
END_TEST

/* A name is judged by the address it turns out to have. */
START_TEST(a_name_of_this_machine_is_not_connected_to)
{
    char secret[WEBHOOK_SECRET_SIZE], why[WEBHOOK_WHY];
    const unsigned char key[WEBHOOK_KEY_BYTES] = {1};
    const struct webhook_call c = {.url = "http://localhost:9/", .secret = secret, .id = "dlv_1", .body = "{}", .at_s = 1, .allowed = &none};

    webhook_secret(key, "whk_a", 1, secret);
    ck_assert_int_eq(webhook_url_check(c.url, &none, why), WEIR_OK);
    ck_assert_int_eq(webhook_send(&c, why), 0);
    ck_assert_str_eq(why, err_text(WEIR_E_ADDRESS));
}
END_TEST

UNIT_MAIN("webhook", the_published_example_comes_out, an_empty_short_or_foreign_secret_signs_nothing,
          each_webhook_and_each_turn_has_a_secret_of_its_own, urls_of_receivers, a_name_of_this_machine_is_not_connected_to)
