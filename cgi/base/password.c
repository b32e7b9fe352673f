/* password.c - libsodium's Argon2id behind a door for two. */
#include "base/password.h"

#include <pthread.h>
#include <sodium.h>
#include <string.h>
#include <strings.h>

#include "base/utf8.h"

enum { RUNNING = 2, WAITING = 2, OPSLIMIT = 2, MEMLIMIT = 64 * 1024 * 1024 };

/* Of those that lists of leaked passwords begin with, the ones that are long enough, and the words they are made of: a password
 * that is such a word again and again, or with digits behind it, is no better. */
static const char *const common[] = {
    "password", "passwort", "kennwort", "changeme", "letmein", "welcome", "iloveyou", "administrator", "admin", "qwerty", "qwertz",
    "qwertyuiop", "asdfghjkl", "zxcvbnm", "1q2w3e4r", "1qaz2wsx", "q1w2e3r4", "1234567890", "0987654321", "123456789", "987654321",
    "12345678", "1234567", "123456", "12345", "1234", "abcdefghijkl", "abcdef", "abc123", "monkey", "dragon", "sunshine", "princess",
    "football", "baseball", "superman", "batman", "starwars", "trustno1", "whatever", "master", "shadow", "michael", "jordan", "secret",
    "test", "user", "guest", "root", "login", "default", "hello", "weir", "openai", "chatgpt", "computer", "internet", "samsung",
    "correcthorsebatterystaple", "correct horse battery staple", "passw0rd", "p@ssw0rd", "p@ssword",
};

/* --- new ones --- */

static bool begins(const char *s, const char *word)
{
    return *word && strncasecmp(s, word, strlen(word)) == 0;
}

/* Nothing but words of the list, the name, digits and signs. */
static bool is_common(const char *s, const char *name)
{
    while (*s) {
        size_t longest = name && begins(s, name) ? strlen(name) : 0;

        for (size_t i = 0; i < sizeof common / sizeof *common; i++)
            if (strlen(common[i]) > longest && begins(s, common[i]))
                longest = strlen(common[i]);
        if (longest == 0)
            longest = strspn(s, "0123456789!.-_ ?#$*+") > 0;
        if (longest == 0)
            return false;
        s += longest;
    }
    return true;
}

static bool is_one_character(const char *s)
{
    return strspn(s, (char[]){s[0], '\0'}) == strlen(s);
}

const char *password_fault(const char *password, const char *name)
{
    if (utf8_count(password, strlen(password)) < PASSWORD_MIN)
        return "A password has at least 12 characters; a few words are easy to remember.";
    if (strlen(password) > PASSWORD_MAX)
        return "A password has at most 256 bytes.";
    if (is_one_character(password) || is_common(password, name))
        return "This password is among the first that others would try; choose another.";
    return NULL;
}

/* --- the door --- */

static struct {
    pthread_mutex_t lock;
    pthread_cond_t one_less;
    int inside, running;
} door = {PTHREAD_MUTEX_INITIALIZER, PTHREAD_COND_INITIALIZER, 0, 0};

static bool enter(void)
{
    bool room;

    (void)pthread_mutex_lock(&door.lock);
    room = door.inside < RUNNING + WAITING;
    if (room) {
        door.inside++;
        while (door.running == RUNNING)
            (void)pthread_cond_wait(&door.one_less, &door.lock);
        door.running++;
    }
    (void)pthread_mutex_unlock(&door.lock);
    return room;
}

static void leave(void)
{
    (void)pthread_mutex_lock(&door.lock);
    door.inside--;
    door.running--;
    (void)pthread_cond_signal(&door.one_less);
    (void)pthread_mutex_unlock(&door.lock);
}

/* --- hashes --- */

enum weir_err password_hash(const char *password, char out[PASSWORD_HASH_SIZE])
{
    bool done;

    _Static_assert(PASSWORD_HASH_SIZE >= crypto_pwhash_argon2id_STRBYTES, "a hash fits");
    if (!enter())
        return WEIR_E_OVERLOADED;
    done = crypto_pwhash_argon2id_str(out, password, strlen(password), OPSLIMIT, MEMLIMIT) == 0;
    leave();
    return done ? WEIR_OK : WEIR_E_OVERLOADED;
}

/* Of a password nobody knows, with today's effort. */
static const char nobodys[PASSWORD_HASH_SIZE] =
    "$argon2id$v=19$m=65536,t=2,p=1$wpl4SnSd9SbMCRqVgyXJtA$UkLTtKjxZ2qz6HMGGdhLYqqMBg0EuOUJYhB1gI8AXVU";

enum weir_err password_check(const char *hash, const char *password, bool *weak)
{
    bool known = hash && *hash, right;

    *weak = false;
    if (!enter())
        return WEIR_E_OVERLOADED;
    right = crypto_pwhash_argon2id_str_verify(known ? hash : nobodys, password, strlen(password)) == 0 && known;
    leave();
    if (right)
        *weak = crypto_pwhash_argon2id_str_needs_rehash(hash, OPSLIMIT, MEMLIMIT) != 0;
    return right ? WEIR_OK : WEIR_E_UNAUTHENTICATED;
}
