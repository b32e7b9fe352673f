/* Which addresses are the public internet's. */
#include "unit.h"

#include <arpa/inet.h>
#include <netinet/in.h>

#include "base/address.h"

static bool may(const char *text, const struct cfg_list *allowed)
{
    static const struct cfg_list none = {NULL, 0};
    struct sockaddr_in v4 = {.sin_family = AF_INET};
    struct sockaddr_in6 v6 = {.sin6_family = AF_INET6};

    if (inet_pton(AF_INET, text, &v4.sin_addr) == 1)
        return address_may((struct sockaddr *)&v4, allowed ? allowed : &none);
    ck_assert_msg(inet_pton(AF_INET6, text, &v6.sin6_addr) == 1, "%s", text);
    return address_may((struct sockaddr *)&v6, allowed ? allowed : &none);
}

START_TEST(public_addresses_are_let_through)
{
    static const char *const ok[] = {"1.1.1.1", "8.8.8.8", "9.255.255.255", "11.0.0.0", "100.63.255.255", "100.128.0.0", "126.255.255.255",
                                     "128.0.0.0", "169.253.0.1", "172.15.255.255", "172.32.0.0", "192.167.255.255", "192.169.0.0",
                                     "198.17.255.255", "198.20.0.0", "223.255.255.255", "2606:4700::1111", "2a00:1450::1", "::ffff:8.8.8.8"};

    for (size_t i = 0; i < sizeof ok / sizeof *ok; i++)
        ck_assert_msg(may(ok[i], NULL), "%s", ok[i]);
}
END_TEST

START_TEST(all_that_is_not_public_is_refused)
{
    static const char *const no[] = {
        "0.0.0.0", "0.1.2.3", "10.0.0.1", "10.255.255.255", "100.64.0.1", "100.127.255.255", "127.0.0.1", "127.255.255.255", "169.254.169.254",
        "172.16.0.1", "172.31.255.255", "192.0.0.1", "192.0.2.1", "192.168.0.1", "198.18.0.1", "198.19.255.255", "198.51.100.1",
        "203.0.113.9", "224.0.0.1", "239.255.255.255", "240.0.0.1", "255.255.255.255", "::", "::1", "::127.0.0.1", "::ffff:127.0.0.1",
        "::ffff:10.0.0.1", "::ffff:169.254.169.254", "64:ff9b::7f00:1", "64:ff9b:1::1", "100::1", "2001::1", "2001:db8::1", "2002:7f00:1::",
        "fc00::1", "fdff::1", "fe80::1", "febf::1", "fec0::1", "ff02::1",
    };

    for (size_t i = 0; i < sizeof no / sizeof *no; i++)
        ck_assert_msg(!may(no[i], NULL), "%s", no[i]);
}
END_TEST

START_TEST(what_is_named_is_let_through_and_no_more)
{
    char *items[] = {(char *)"127.0.0.1", (char *)"10.1.0.0/16", (char *)"fd00::/8"};
    const struct cfg_list list = {items, 3};

    ck_assert(may("127.0.0.1", &list));
    ck_assert(may("::ffff:127.0.0.1", &list));
    ck_assert(!may("127.0.0.2", &list));
    ck_assert(may("10.1.255.255", &list));
    ck_assert(!may("10.2.0.0", &list));
    ck_assert(may("fd12::1", &list));
    ck_assert(!may("fc00::1", &list));
}
END_TEST

START_TEST(other_families_are_refused)
{
    struct sockaddr s = {.sa_family = AF_UNIX};
    const struct cfg_list none = {NULL, 0};

    ck_assert(!address_may(&s, &none));
}
END_TEST

START_TEST(entries_of_a_list_are_addresses_or_ranges)
{
    static const char *const good[] = {"1.2.3.4", "1.2.3.4/0", "1.2.3.4/32", "::1", "fe80::/10", "::/128"};
    static const char *const bad[] = {"", "localhost", "1.2.3", "1.2.3.4/33", "1.2.3.4/", "1.2.3.4/x", "1.2.3.4/-1", "::1/129", "0x7f.1",
                                      "2130706433", "1.2.3.4/8/8", "1111:2222:3333:4444:5555:6666:7777:8888:9999:1111:2222:3333"};

    for (size_t i = 0; i < sizeof good / sizeof *good; i++)
        ck_assert_msg(address_parse(good[i]), "%s", good[i]);
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        ck_assert_msg(!address_parse(bad[i]), "%s", bad[i]);
}
END_TEST

UNIT_MAIN("address", public_addresses_are_let_through, all_that_is_not_public_is_refused, what_is_named_is_let_through_and_no_more,
          other_families_are_refused, entries_of_a_list_are_addresses_or_ranges)
