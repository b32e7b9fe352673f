/* nginx's configuration as it is made from the settings: what is filled in, and what is refused. */
#include "unit.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/settings.h"
#include "web/nginx_conf.h"

static char dir[] = "/tmp/weir-nginx-XXXXXX";
static char site_path[64], whole_path[64];

static void write_file(char path[64], const char *name, const char *text)
{
    FILE *f;

    snprintf(path, 64, "%s/%s", dir, name);
    f = fopen(path, "w");
    ck_assert_ptr_nonnull(f);
    ck_assert_int_ge(fputs(text, f), 0);
    fclose(f);
}

/* Fill the template with settings made from these environment variables, as the site of a nginx.conf that is
 * "user[@SITE@]"; the text or the refusal goes to `out`. */
static bool fill(const char *template, const char *const (*env)[2], size_t n, const char *user, struct sb *out)
{
    struct sb why = sb_make(4000);
    struct settings *s;
    bool ok;

    ck_assert_int_eq(clearenv(), 0);
    ck_assert_ptr_nonnull(mkdtemp(dir));
    write_file(site_path, "nginx-site.conf", template);
    write_file(whole_path, "nginx.conf", "@USER@[@SITE@]");
    setenv("WEIR_STATE", dir, 1);
    setenv("WEIR_DATA", dir, 1);
    for (size_t i = 0; i < n; i++)
        setenv(env[i][0], env[i][1], 1);
    s = settings_load(NULL, &why);
    ck_assert_msg(s != NULL, "%s", sb_str(&why));
    ok = nginx_conf(s, dir, user, !user, out, &why);
    if (!ok) {
        sb_reset(out);
        sb_puts(out, sb_str(&why));
    }
    unlink(site_path);
    unlink(whole_path);
    rmdir(dir);
    settings_free(s);
    sb_done(&why);
    return ok;
}

START_TEST(words_between_two_signs_become_settings_and_other_signs_stay)
{
    static const char *const env[][2] = {{"WEIR_HTTP_PORT", "8123"}, {"WEIR_HTTP_MAX_BODY_BYTES", "2048"}};
    struct sb out = sb_make(4000), want = sb_make(4000);

    ck_assert(fill("a@b @LISTEN@ @ @MAX_BODY@@MAX_BODY_V1@ @STATE@ @SOCKET@|@", env, 2, "www-data", &out));
    sb_putf(&want, "user www-data;[a@b 127.0.0.1:8123 @ 204833554432 %s %s/weir.sock|@]", dir, dir);
    ck_assert_str_eq(sb_str(&out), sb_str(&want));
    sb_done(&out);
    sb_done(&want);
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

START_TEST(lines_for_tls_are_remarks_without_a_certificate)
{
    static const char *const tls[][2] = {{"WEIR_HTTP_TLS_CERTIFICATE", "/tls/c.pem"}, {"WEIR_HTTP_TLS_KEY", "/tls/k.pem"}};
    struct sb out = sb_make(4000);

    ck_assert(fill("@LISTEN_OPTIONS@|@TLS@cert @TLS_CERTIFICATE@ @TLS_KEY@", NULL, 0, NULL, &out));
    ck_assert_str_eq(sb_str(&out), "|# cert /etc/ssl/weir.pem /etc/ssl/private/weir.key");
    sb_reset(&out);
    strcpy(dir + strlen(dir) - 6, "XXXXXX");
    ck_assert(fill("@LISTEN_OPTIONS@|@TLS@cert @TLS_CERTIFICATE@ @TLS_KEY@", tls, 2, NULL, &out));
    ck_assert_str_eq(sb_str(&out), " ssl http2|cert /tls/c.pem /tls/k.pem");
    sb_done(&out);
}
END_TEST

UNIT_MAIN("nginx_conf", words_between_two_signs_become_settings_and_other_signs_stay,
          an_unknown_word_is_a_mistake_in_the_template, at_this_machine_only_its_own_names_are_answered,
          at_every_address_any_name_is_answered_unless_names_are_given, given_names_are_the_only_ones_answered,
          lines_for_tls_are_remarks_without_a_certificate)
