/* nginx's configuration as it is made from the settings: what is filled in, and what is refused. */
#include "unit.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/settings.h"
#include "web/nginx_conf.h"

static char dir[] = "/tmp/weir-nginx-XXXXXX";
static char template_path[64];

/* Fill the template with settings made from these environment variables; both texts or the refusal go to `out`. */
static bool fill(const char *template, const char *const (*env)[2], size_t n, const char *user, struct sb *out)
{
    struct sb why = sb_make(4000);
    struct settings *s;
    FILE *f;
    bool ok;

    ck_assert_int_eq(clearenv(), 0);
    ck_assert_ptr_nonnull(mkdtemp(dir));
    snprintf(template_path, sizeof template_path, "%s/nginx.conf", dir);
    f = fopen(template_path, "w");
    ck_assert_ptr_nonnull(f);
    ck_assert_int_ge(fputs(template, f), 0);
    fclose(f);
    setenv("WEIR_STATE", dir, 1);
    setenv("WEIR_DATA", dir, 1);
    for (size_t i = 0; i < n; i++)
        setenv(env[i][0], env[i][1], 1);
    s = settings_load(NULL, &why);
    ck_assert_msg(s != NULL, "%s", sb_str(&why));
    ok = nginx_conf(s, template_path, user, out, &why);
    if (!ok) {
        sb_reset(out);
        sb_puts(out, sb_str(&why));
    }
    unlink(template_path);
    rmdir(dir);
    settings_free(s);
    sb_done(&why);
    return ok;
}

START_TEST(words_between_two_signs_become_settings_and_other_signs_stay)
{
    static const char *const env[][2] = {{"WEIR_HTTP_PORT", "8123"}, {"WEIR_HTTP_MAX_BODY_BYTES", "2048"}};
    struct sb out = sb_make(4000), want = sb_make(4000);

    ck_assert(fill("a@b @LISTEN@ @ @MAX_BODY@@MAX_BODY_V1@ @STATE@ @SOCKET@ @USER@|@", env, 2, "www-data", &out));
    sb_putf(&want, "a@b 127.0.0.1:8123 @ 204833554432 %s %s/weir.sock user www-data;|@", dir, dir);
    ck_assert_str_eq(sb_str(&out), sb_str(&want));
    sb_done(&out);
    sb_done(&want);
}
END_TEST

START_TEST(without_root_no_user_is_named)
{
    struct sb out = sb_make(4000);

    ck_assert(fill("[@USER@]", NULL, 0, NULL, &out));
    ck_assert_str_eq(sb_str(&out), "[]");
    sb_done(&out);
}
END_TEST

START_TEST(an_unknown_word_is_a_mistake_in_the_template)
{
    struct sb out = sb_make(4000);

    ck_assert(!fill("listen @PROT@;", NULL, 0, NULL, &out));
    ck_assert_ptr_nonnull(strstr(sb_str(&out), "@PROT@"));
    sb_done(&out);
}
END_TEST

START_TEST(at_this_machine_only_its_own_names_are_answered)
{
    struct sb out = sb_make(4000);

    ck_assert(fill("@HOSTS@ first @FIRST_HOST@", NULL, 0, NULL, &out));
    ck_assert_str_eq(sb_str(&out), "localhost 1; \"127.0.0.1\" 1; \"[::1]\" 1; default 0; first localhost");
    sb_done(&out);
}
END_TEST

START_TEST(at_every_address_any_name_is_answered_unless_names_are_given)
{
    static const char *const any[][2] = {{"WEIR_HTTP_ADDRESS", "::"}};
    struct sb out = sb_make(4000);

    ck_assert(fill("@LISTEN@@LISTEN_OPTIONS@ @HOSTS@", any, 1, NULL, &out));
    ck_assert_str_eq(sb_str(&out), "[::]:8080 ipv6only=off localhost 1; \"127.0.0.1\" 1; \"[::1]\" 1; default 1;");
    sb_done(&out);
}
END_TEST

START_TEST(given_names_are_the_only_ones_answered)
{
    static const char *const named[][2] = {{"WEIR_HTTP_ADDRESS", "0.0.0.0"}, {"WEIR_HTTP_HOSTS", "weir.example, chat.example"}};
    struct sb out = sb_make(4000);

    ck_assert(fill("@HOSTS@ first @FIRST_HOST@", named, 2, NULL, &out));
    ck_assert_str_eq(sb_str(&out), "\"weir.example\" 1; \"chat.example\" 1; default 0; first weir.example");
    sb_done(&out);
}
END_TEST

UNIT_MAIN("nginx_conf", words_between_two_signs_become_settings_and_other_signs_stay, without_root_no_user_is_named,
          an_unknown_word_is_a_mistake_in_the_template, at_this_machine_only_its_own_names_are_answered,
          at_every_address_any_name_is_answered_unless_names_are_given, given_names_are_the_only_ones_answered)
