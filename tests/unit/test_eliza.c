/* test_eliza.c - what holds in every conversation, and a few lines of one. */
#include "rules/eliza.h"

#include <stdbool.h>
#include <string.h>

#include "base/rand.h"
#include "base/utf8.h"
#include "peer/builtin.h"
#include "rules/eliza_script.h"
#include "unit.h"

/* The reply after these lines, the last of which is NULL. Caller frees. */
static char *reply_to(const char *const *lines)
{
    struct builtin_turn turns[32];
    size_t n = 0;

    for (; lines[n]; n++)
        turns[n] = (struct builtin_turn){lines[n], strlen(lines[n])};
    return builtin_reply(turns, n);
}

#define REPLY(...) reply_to((const char *const[]){__VA_ARGS__, NULL})

static void says(char *reply, const char *what)
{
    ck_assert_msg(strstr(reply, what) != NULL, "\"%s\" is not in \"%s\"", what, reply);
    free(reply);
}

START_TEST(sentences_are_taken_apart_and_turned_around)
{
    says(REPLY("I am wasting my life"), "being wasting your life?");
    says(REPLY("You are not listening to me"), "that I am not listening to you?");
    says(REPLY("I remember the house where you were born"), "the house where I was born");
    says(REPLY("I think I am too loud for them"), "you are too loud for them?");
    says(REPLY("I\u2019m afraid of my boss's temper"), "your boss's temper");
    says(REPLY("I HATE MY JOB"), "What has your job done to you?");
    says(REPLY("I want to see Paris"), "to see Paris?");
}
END_TEST

START_TEST(the_key_of_highest_rank_is_taken_up_wherever_it_stands)
{
    says(REPLY("Hello. I have a cat, and my mother is ill."), "your mother");
    says(REPLY("hello, i feel strange today"), "feeling strange today");
}
END_TEST

START_TEST(replies_are_used_in_turn)
{
    char *first = REPLY("Because."), *second = REPLY("Because.", "Because."), *again = REPLY("Because.", "Because.",
                                                                                             "Because.", "Because.");

    ck_assert_str_ne(first, second);
    ck_assert_str_eq(first, again);                  /* there are three */
    free(first);
    free(second);
    free(again);
}
END_TEST

START_TEST(what_was_said_about_my_is_remembered_when_there_is_nothing_else)
{
    says(REPLY("My garden is full of weeds.", "Hmm."), "\u201cyour garden is full of weeds\u201d");
    says(REPLY("My garden is full of weeds.", "My cat ran off.", "Hmm.", "Hmm."), "\u201cyour cat ran off\u201d");
    says(REPLY("My garden is full of weeds.", "Hmm.", "Hmm."), "I am not sure I follow.");
}
END_TEST

START_TEST(it_says_what_it_is)
{
    static const char *const asked[] = {"What are you?", "who are you", "Are you ChatGPT?", "are you human?",
                                        "are you a robot", "What's your name?", "Hi Eliza", "what model is this?"};

    for (size_t i = 0; i < sizeof asked / sizeof *asked; i++)
        says(REPLY(asked[i]), "I am ELIZA, a small program after Joseph Weizenbaum's idea of 1966, not a language model.");
    says(REPLY("Write me a poem about the sea"), "work for a language model");
    says(REPLY("Please translate this"), "work for a language model");
    says(REPLY("I want to write a book"), "to write a book");
}
END_TEST

START_TEST(whoever_is_in_danger_is_told_where_help_is)
{
    says(REPLY("I want to die"), "emergency number");
    says(REPLY("I am going to kill myself"), "emergency number");
}
END_TEST

START_TEST(special_texts_have_answers_of_their_own)
{
    struct sb text = sb_make(1 << 16);

    says(REPLY(""), "What would you like to talk about?");
    says(REPLY("\u4f60\u597d\uff0c\u4e16\u754c"), "English");
    says(REPLY("int main(void) { return x[0] + y[1]; } // {} [] ; ; {};"), "code");
    says(builtin_reply(NULL, 0), "I am here.");
    for (int i = 0; i < 60; i++)
        sb_puts(&text, "The weather turned. ");
    sb_puts(&text, "My sister called.");
    says(REPLY(sb_str(&text)), "one thread of it. Tell me about your sister.");
    sb_done(&text);
}
END_TEST

START_TEST(markup_is_never_said_back)
{
    char *reply = REPLY("I am <b onclick=\"x()\">bold</b> & \xe2\x80\xae`tricky`");

    ck_assert_msg(!strpbrk(reply, "<>&\"`\xe2"), "%s", reply);
    free(reply);
}
END_TEST

START_TEST(any_bytes_get_a_decent_answer_and_always_the_same)
{
    static const char *const words[] = {"i ", "am ", "you ", "my ", "mother ", "why ", "don't ", "if ", "feel ", "\xff",
                                        "\u00e9t\u00e9 ", ". ", "<i>", "''-", "remember ", "are ", "\0x", "\u2019", "supercalifragilisticexpialidocious "};
    struct rng rng = rng_make(3);

    for (int round = 0; round < 3000; round++) {
        struct builtin_turn turns[4];
        char text[4][400];
        char *reply, *same;

        for (int t = 0; t < 4; t++) {
            size_t n = 0;

            for (int64_t k = rng_below(&rng, 14); k > 0; k--) {
                const char *w = words[rng_below(&rng, (int64_t)(sizeof words / sizeof *words))];
                size_t len = *w ? strlen(w) : 2;

                memcpy(text[t] + n, w, len);
                n += len;
            }
            turns[t] = (struct builtin_turn){text[t], n};
        }
        reply = builtin_reply(turns, 4);
        same = builtin_reply(turns, 4);
        ck_assert_str_eq(reply, same);
        ck_assert_uint_gt(strlen(reply), 2);
        ck_assert_uint_eq(utf8_valid(reply, strlen(reply)), strlen(reply));
        ck_assert_msg(!strpbrk(reply, "<>$=+"), "%s", reply);
        free(reply);
        free(same);
    }
}
END_TEST

START_TEST(each_row_of_the_script_is_sound)
{
    int words = 0;

    for (size_t row = 0; row < eliza_row_count; row++) {
        const struct eliza_row *r = &eliza_rows[row];
        int parts = 1;

        for (const char *s = r->pattern; *s; s++)
            parts += *s == ' ';
        for (const char *s = r->keys; s; s = strchr(s, ' '), s = s ? s + 1 : s)
            words++;
        ck_assert_ptr_nonnull(r->reply[0]);
        ck_assert(r->keys || row > 0);
        for (int i = 0; i < ELIZA_REPLIES && r->reply[i]; i++) {
            const char *reply = r->reply[i];

            for (const char *s = strchr(reply, '$'); s && strcmp(r->keys ? r->keys : "", "(memory)") != 0;
                 s = strchr(s + 1, '$'))
                ck_assert_msg(s[1] >= '1' && s[1] - '0' <= parts, "%s: %s", r->pattern, reply);
            if (*reply == '=') {
                size_t to = 0;

                while (to < eliza_row_count && !(eliza_rows[to].keys && strstr(eliza_rows[to].keys, reply + 1)))
                    to++;
                ck_assert_msg(to < eliza_row_count, "%s leads nowhere", reply);
            }
        }
    }
    ck_assert_int_lt(words, ELIZA_SLOTS / 2);
}
END_TEST

START_TEST(chunks_are_words_and_make_up_the_reply)
{
    static const char reply[] = "Tell me  more.\nNow?";
    static const size_t lengths[] = {5, 4, 6, 4, 0};
    size_t at = 0;

    for (size_t i = 0; i < sizeof lengths / sizeof *lengths; i++)
        ck_assert_uint_eq(builtin_next_chunk(reply, &at), lengths[i]);
    ck_assert_uint_eq(at, sizeof reply - 1);
}
END_TEST

UNIT_MAIN("eliza", sentences_are_taken_apart_and_turned_around,
          the_key_of_highest_rank_is_taken_up_wherever_it_stands, replies_are_used_in_turn,
          what_was_said_about_my_is_remembered_when_there_is_nothing_else, it_says_what_it_is,
          whoever_is_in_danger_is_told_where_help_is, special_texts_have_answers_of_their_own,
          markup_is_never_said_back, any_bytes_get_a_decent_answer_and_always_the_same,
          each_row_of_the_script_is_sound, chunks_are_words_and_make_up_the_reply)
