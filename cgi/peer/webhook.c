/* webhook.c - signed, sent, and as little of the answer read as tells the status. */
#include "peer/webhook.h"

#include <arpa/inet.h>
#include <curl/curl.h>
#include <inttypes.h>
#include <sodium.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/sb.h"
#include "base/address.h"

enum { ANSWER_MAX = 64 * 1024 };

static const char prefix[] = "whsec_";

void webhook_secret(const unsigned char key[WEBHOOK_KEY_BYTES], const char *webhook_id, int64_t turn, char out[WEBHOOK_SECRET_SIZE])
{
    unsigned char mac[crypto_auth_hmacsha256_BYTES];
    char text[96];
    int n = snprintf(text, sizeof text, "webhook.%.48s.%" PRId64, webhook_id, turn);

    _Static_assert(WEBHOOK_KEY_BYTES == crypto_auth_hmacsha256_KEYBYTES, "the key of HMAC-SHA-256");
    (void)crypto_auth_hmacsha256(mac, (const unsigned char *)text, (unsigned long long)n, key);
    memcpy(out, prefix, sizeof prefix);
    (void)sodium_bin2base64(out + sizeof prefix - 1, WEBHOOK_SECRET_SIZE - sizeof prefix + 1, mac, sizeof mac,
                            sodium_base64_VARIANT_ORIGINAL);
    sodium_memzero(mac, sizeof mac);
}

bool webhook_sign(const char *secret, const char *id, int64_t at_s, const char *body, size_t n, char out[WEBHOOK_SIGNATURE_SIZE])
{
    unsigned char key[64], mac[crypto_auth_hmacsha256_BYTES];
    crypto_auth_hmacsha256_state s;
    char head[96];
    size_t key_n = 0;
    int head_n;

    if (strncmp(secret, prefix, sizeof prefix - 1) != 0 ||
        sodium_base642bin(key, sizeof key, secret + sizeof prefix - 1, strlen(secret) - sizeof prefix + 1, NULL, &key_n, NULL,
                          sodium_base64_VARIANT_ORIGINAL) != 0 || key_n < 24)
        return false;
    head_n = snprintf(head, sizeof head, "%.48s.%" PRId64 ".", id, at_s);
    (void)crypto_auth_hmacsha256_init(&s, key, key_n);
    (void)crypto_auth_hmacsha256_update(&s, (const unsigned char *)head, (unsigned long long)head_n);
    (void)crypto_auth_hmacsha256_update(&s, (const unsigned char *)body, n);
    (void)crypto_auth_hmacsha256_final(&s, mac);
    memcpy(out, "v1,", 4);
    (void)sodium_bin2base64(out + 3, WEBHOOK_SIGNATURE_SIZE - 3, mac, sizeof mac, sodium_base64_VARIANT_ORIGINAL);
    sodium_memzero(key, sizeof key);
    sodium_memzero(&s, sizeof s);
    return true;
}

/* A host that is an address by itself can be refused right away; every other is judged when it is connected to. */
static bool host_may(const char *host, const struct cfg_list *allowed)
{
    struct sockaddr_in v4 = {.sin_family = AF_INET};
    struct sockaddr_in6 v6 = {.sin6_family = AF_INET6};
    char bare[INET6_ADDRSTRLEN];
    size_t n = strlen(host);

    if (inet_pton(AF_INET, host, &v4.sin_addr) == 1)
        return address_may((const struct sockaddr *)&v4, allowed);
    if (*host != '[' || n < 3 || n >= sizeof bare)
        return true;
    memcpy(bare, host + 1, n - 2);
    bare[n - 2] = '\0';
    return inet_pton(AF_INET6, bare, &v6.sin6_addr) != 1 || address_may((const struct sockaddr *)&v6, allowed);
}

enum weir_err webhook_url_check(const char *url, const struct cfg_list *allowed, char why[WEBHOOK_WHY])
{
    CURLU *u = curl_url();
    char *scheme = NULL, *host = NULL, *user = NULL, *fragment = NULL;
    const char *wrong = NULL;
    enum weir_err e = WEIR_E_INVALID_FIELD;

    if (!u || curl_url_set(u, CURLUPART_URL, url, 0) != CURLUE_OK || curl_url_get(u, CURLUPART_SCHEME, &scheme, 0) != CURLUE_OK ||
        curl_url_get(u, CURLUPART_HOST, &host, 0) != CURLUE_OK)
        wrong = "This is not a URL.";
    else if (strcmp(scheme, "https") != 0 && strcmp(scheme, "http") != 0)
        wrong = "The URL must begin with https:// or http://.";
    else if (curl_url_get(u, CURLUPART_USER, &user, 0) == CURLUE_OK || curl_url_get(u, CURLUPART_FRAGMENT, &fragment, 0) == CURLUE_OK)
        wrong = "The URL must have no user name and no #fragment.";
    else
        e = host_may(host, allowed) ? WEIR_OK : WEIR_E_ADDRESS;
    (void)snprintf(why, WEBHOOK_WHY, "%s", wrong ? wrong : err_text(e));
    curl_free(scheme);
    curl_free(host);
    curl_free(user);
    curl_free(fragment);
    curl_url_cleanup(u);
    return e;
}

struct answer {
    const struct cfg_list *allowed;
    size_t bytes;
    bool refused;                    /* the address is not one Weir may connect to */
};

static curl_socket_t open_socket(void *ctx, curlsocktype purpose, struct curl_sockaddr *a)
{
    struct answer *answer = ctx;

    (void)purpose;
    if (address_may(&a->addr, answer->allowed))
        return socket(a->family, a->socktype | SOCK_CLOEXEC, a->protocol);
    answer->refused = true;
    return CURL_SOCKET_BAD;
}

static size_t on_body(char *p, size_t one, size_t n, void *ctx)
{
    struct answer *a = ctx;

    (void)p, (void)one;
    a->bytes += n;
    return a->bytes > ANSWER_MAX ? 0 : n;
}

static struct curl_slist *headers_of(const struct webhook_call *c)
{
    struct curl_slist *list = NULL, *longer;
    struct sb h[5];
    char signature[WEBHOOK_SIGNATURE_SIZE];
    bool ok = webhook_sign(c->secret, c->id, c->at_s, c->body, strlen(c->body), signature);

    for (size_t i = 0; i < 5; i++)
        h[i] = sb_make(256);
    sb_puts(&h[0], "Content-Type: application/json");
    sb_puts(&h[1], "Expect:");
    sb_putf(&h[2], "webhook-id: %s", c->id);
    sb_putf(&h[3], "webhook-timestamp: %" PRId64, c->at_s);
    sb_putf(&h[4], "webhook-signature: %s", ok ? signature : "");
    for (size_t i = 0; i < 5; i++) {
        longer = ok && sb_ok(&h[i]) ? curl_slist_append(list, sb_str(&h[i])) : NULL;
        ok = longer != NULL;
        list = longer ? longer : list;
        sb_done(&h[i]);
    }
    if (ok)
        return list;
    curl_slist_free_all(list);
    return NULL;
}

static CURLcode perform(CURL *c, const struct webhook_call *call, struct curl_slist *headers, struct answer *a)
{
    CURLcode bad = CURLE_OK;

#define SET(option, value) bad = bad ? bad : curl_easy_setopt(c, option, value)
    SET(CURLOPT_URL, call->url);
    SET(CURLOPT_HTTPHEADER, headers);
    SET(CURLOPT_POSTFIELDS, call->body);
    SET(CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)strlen(call->body));
    SET(CURLOPT_PROTOCOLS_STR, "http,https");
    SET(CURLOPT_PROXY, "");
    SET(CURLOPT_FOLLOWLOCATION, 0L);
    SET(CURLOPT_USERAGENT, "weir-webhook");
    SET(CURLOPT_NOSIGNAL, 1L);
    SET(CURLOPT_TIMEOUT_MS, (long)WEBHOOK_TIMEOUT_MS);
    SET(CURLOPT_SSLVERSION, (long)CURL_SSLVERSION_TLSv1_2);
    SET(CURLOPT_CAPATH, NULL);
    if (call->ca_file)
        SET(CURLOPT_CAINFO, call->ca_file);
    SET(CURLOPT_OPENSOCKETFUNCTION, open_socket);
    SET(CURLOPT_OPENSOCKETDATA, a);
    SET(CURLOPT_WRITEFUNCTION, on_body);
    SET(CURLOPT_WRITEDATA, a);
#undef SET
    return bad ? bad : curl_easy_perform(c);
}

int webhook_send(const struct webhook_call *c, char why[WEBHOOK_WHY])
{
    struct curl_slist *headers = headers_of(c);
    struct answer a = {.allowed = c->allowed};
    CURL *easy = headers ? curl_easy_init() : NULL;
    CURLcode code = easy ? perform(easy, c, headers, &a) : CURLE_OUT_OF_MEMORY;
    long status = 0;

    why[0] = '\0';
    if (easy)
        curl_easy_getinfo(easy, CURLINFO_RESPONSE_CODE, &status);
    if (a.refused) {
        status = 0;
        (void)snprintf(why, WEBHOOK_WHY, "%s", err_text(WEIR_E_ADDRESS));
    } else if (status == 0)
        (void)snprintf(why, WEBHOOK_WHY, "No answer: %s.", curl_easy_strerror(code));
    curl_easy_cleanup(easy);
    curl_slist_free_all(headers);
    return (int)status;
}
