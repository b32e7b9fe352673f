/* test_translate.c - requests of each protocol in the other's words, and what there are no words for. */
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "peer/translate.h"
#include "unit.h"

typedef enum weir_err translate_fn(const json_t *from, json_t **out, struct translate_fault *fault);

static json_t *parse(const char *text)
{
    json_error_t at;
    json_t *v = json_loads(text, 0, &at);

    ck_assert_msg(v != NULL, "%s: %s", at.text, text);
    return v;
}

static void check_same(translate_fn *fn, const char *from, const char *want)
{
    struct translate_fault fault = {.why = ""};
    json_t *body = parse(from), *expected = parse(want), *got = NULL;
    enum weir_err e = fn(body, &got, &fault);
    char *text;

    ck_assert_msg(e == WEIR_OK, "%s: %s", fault.why, from);
    text = json_dumps(got, JSON_COMPACT);
    ck_assert_msg(json_equal(got, expected), "\n got %s\nwant %s", text, want);
    free(text);
    json_decref(body);
    json_decref(expected);
    json_decref(got);
}

static void check_refused(translate_fn *fn, const char *from, const char *param)
{
    struct translate_fault fault = {.why = ""};
    json_t *body = parse(from), *got = NULL;
    enum weir_err e = fn(body, &got, &fault);

    ck_assert_msg(e == WEIR_E_INVALID_FIELD, "%d: %s", (int)e, from);
    ck_assert_ptr_null(got);
    ck_assert_str_eq(fault.param, param);
    ck_assert_msg(strstr(fault.why, "'") != NULL && fault.why[strlen(fault.why) - 1] == '.', "%s", fault.why);
    json_decref(body);
}

/* Said in both, in the form each has it: there and back is the same. */
static const struct {
    const char *chat, *messages;
} pairs[] = {
    {"{\"messages\":[{\"role\":\"system\",\"content\":\"Be brief.\"},{\"role\":\"user\",\"content\":\"Hi\"}]}",
     "{\"system\":\"Be brief.\",\"messages\":[{\"role\":\"user\",\"content\":[{\"type\":\"text\",\"text\":\"Hi\"}]}]}"},
    {"{\"messages\":[{\"role\":\"user\",\"content\":[{\"type\":\"text\",\"text\":\"What is it?\"},"
     "{\"type\":\"image_url\",\"image_url\":{\"url\":\"data:image/png;base64,aGk=\"}},"
     "{\"type\":\"image_url\",\"image_url\":{\"url\":\"https://example.org/a.png\"}},"
     "{\"type\":\"file\",\"file\":{\"filename\":\"a.pdf\",\"file_data\":\"data:application/pdf;base64,JVBERg==\"}}]}]}",
     "{\"messages\":[{\"role\":\"user\",\"content\":[{\"type\":\"text\",\"text\":\"What is it?\"},"
     "{\"type\":\"image\",\"source\":{\"type\":\"base64\",\"media_type\":\"image/png\",\"data\":\"aGk=\"}},"
     "{\"type\":\"image\",\"source\":{\"type\":\"url\",\"url\":\"https://example.org/a.png\"}},"
     "{\"type\":\"document\",\"source\":{\"type\":\"base64\",\"media_type\":\"application/pdf\",\"data\":\"JVBERg==\"},\"title\":\"a.pdf\"}]}]}"},
    {"{\"messages\":[{\"role\":\"user\",\"content\":\"Hi\"}],\"tools\":[{\"type\":\"function\",\"function\":{\"name\":\"f\",\"parameters\":{\"type\":\"object\",\"properties\":{}}}}],"
     "\"tool_choice\":{\"type\":\"function\",\"function\":{\"name\":\"f\"}}}",
     "{\"messages\":[{\"role\":\"user\",\"content\":[{\"type\":\"text\",\"text\":\"Hi\"}]}],\"tools\":[{\"name\":\"f\",\"input_schema\":{\"type\":\"object\",\"properties\":{}}}],"
     "\"tool_choice\":{\"type\":\"tool\",\"name\":\"f\"}}"},
    {"{\"messages\":[{\"role\":\"user\",\"content\":\"Hi\"}],\"stop\":[\"a\",\"b\"],\"user\":\"u-1\",\"service_tier\":\"default\"}",
     "{\"messages\":[{\"role\":\"user\",\"content\":[{\"type\":\"text\",\"text\":\"Hi\"}]}],\"stop_sequences\":[\"a\",\"b\"],\"metadata\":{\"user_id\":\"u-1\"},\"service_tier\":\"standard_only\"}"},
    {"{\"messages\":[{\"role\":\"user\",\"content\":\"Hi\"}],\"reasoning_effort\":\"high\",\"response_format\":{\"type\":\"json_schema\","
     "\"json_schema\":{\"name\":\"answer\",\"strict\":true,\"schema\":{\"type\":\"object\"}}}}",
     "{\"messages\":[{\"role\":\"user\",\"content\":[{\"type\":\"text\",\"text\":\"Hi\"}]}],\"thinking\":{\"type\":\"adaptive\"},"
     "\"output_config\":{\"effort\":\"high\",\"format\":{\"type\":\"json_schema\",\"schema\":{\"type\":\"object\"}}}}"},
};

START_TEST(what_both_can_say_comes_back_as_it_was)
{
    for (size_t i = 0; i < sizeof pairs / sizeof *pairs; i++) {
        check_same(translate_to_messages, pairs[i].chat, pairs[i].messages);
        check_same(translate_to_chat, pairs[i].messages, pairs[i].chat);
    }
}
END_TEST

START_TEST(calls_and_their_results_are_turns_of_both_sides)
{
    static const char chat[] =
        "{\"messages\":[{\"role\":\"user\",\"content\":\"Weather?\"},"
        "{\"role\":\"assistant\",\"content\":\"I look.\",\"tool_calls\":[{\"id\":\"call_1\",\"type\":\"function\",\"function\":{\"name\":\"weather\",\"arguments\":\"{\\\"city\\\":\\\"Ulm\\\"}\"}},"
        "{\"id\":\"call_2\",\"type\":\"function\",\"function\":{\"name\":\"now\",\"arguments\":\"{}\"}}]},"
        "{\"role\":\"assistant\",\"content\":null,\"tool_calls\":[{\"id\":\"call_3\",\"type\":\"function\",\"function\":{\"name\":\"now\",\"arguments\":\"{}\"}}]}],"
        "\"tools\":[{\"type\":\"function\",\"function\":{\"name\":\"weather\",\"description\":\"It tells.\",\"parameters\":{\"type\":\"object\",\"properties\":{\"city\":{\"type\":\"string\"}}},\"strict\":true}}],"
        "\"tool_choice\":\"required\",\"parallel_tool_calls\":false}";
    static const char tools[] = "[{\"name\":\"weather\",\"description\":\"It tells.\",\"input_schema\":{\"type\":\"object\",\"properties\":{\"city\":{\"type\":\"string\"}}},\"strict\":true}]";
    char want[2048];

    (void)snprintf(want, sizeof want,
                   "{\"messages\":[{\"role\":\"user\",\"content\":[{\"type\":\"text\",\"text\":\"Weather?\"}]},"
                   "{\"role\":\"assistant\",\"content\":[{\"type\":\"text\",\"text\":\"I look.\"},"
                   "{\"type\":\"tool_use\",\"id\":\"call_1\",\"name\":\"weather\",\"input\":{\"city\":\"Ulm\"}},"
                   "{\"type\":\"tool_use\",\"id\":\"call_2\",\"name\":\"now\",\"input\":{}},"
                   "{\"type\":\"tool_use\",\"id\":\"call_3\",\"name\":\"now\",\"input\":{}}]}],"
                   "\"tools\":%s,\"tool_choice\":{\"type\":\"any\",\"disable_parallel_tool_use\":true}}", tools);
    check_same(translate_to_messages, chat, want);
    check_same(translate_to_messages,
               "{\"messages\":[{\"role\":\"tool\",\"tool_call_id\":\"call_1\",\"content\":\"rain\"},"
               "{\"role\":\"tool\",\"tool_call_id\":\"call_2\",\"content\":[{\"type\":\"text\",\"text\":\"noon\"}]},{\"role\":\"user\",\"content\":\"And?\"}]}",
               "{\"messages\":[{\"role\":\"user\",\"content\":[{\"type\":\"tool_result\",\"tool_use_id\":\"call_1\",\"content\":[{\"type\":\"text\",\"text\":\"rain\"}]},"
               "{\"type\":\"tool_result\",\"tool_use_id\":\"call_2\",\"content\":[{\"type\":\"text\",\"text\":\"noon\"}]},{\"type\":\"text\",\"text\":\"And?\"}]}]}");
    check_same(translate_to_chat,
               "{\"messages\":[{\"role\":\"user\",\"content\":[{\"type\":\"tool_result\",\"tool_use_id\":\"t1\",\"content\":\"rain\"},"
               "{\"type\":\"tool_result\",\"tool_use_id\":\"t2\",\"is_error\":true,\"content\":[{\"type\":\"text\",\"text\":\"no\"},{\"type\":\"text\",\"text\":\"clock\"}]},"
               "{\"type\":\"tool_result\",\"tool_use_id\":\"t3\"},{\"type\":\"text\",\"text\":\"And?\"}]}],"
               "\"tools\":[{\"type\":\"custom\",\"name\":\"f\",\"input_schema\":{\"type\":\"object\"},\"cache_control\":{\"type\":\"ephemeral\"}}],"
               "\"tool_choice\":{\"type\":\"any\",\"disable_parallel_tool_use\":true}}",
               "{\"messages\":[{\"role\":\"tool\",\"tool_call_id\":\"t1\",\"content\":\"rain\"},{\"role\":\"tool\",\"tool_call_id\":\"t2\",\"content\":\"Error: no\\nclock\"},"
               "{\"role\":\"tool\",\"tool_call_id\":\"t3\",\"content\":\"\"},{\"role\":\"user\",\"content\":\"And?\"}],"
               "\"tools\":[{\"type\":\"function\",\"function\":{\"name\":\"f\",\"parameters\":{\"type\":\"object\"}}}],"
               "\"tool_choice\":\"required\",\"parallel_tool_calls\":false}");
}
END_TEST

START_TEST(what_has_another_form_there_takes_it)
{
    check_same(translate_to_messages,
               "{\"model\":\"m\",\"stream\":true,\"max_tokens\":5,\"max_completion_tokens\":9,\"stream_options\":{\"include_usage\":true},\"temperature\":1,\"top_p\":0.5,"
               "\"n\":1,\"stop\":\"x\",\"logprobs\":false,\"seed\":null,\"modalities\":[\"text\"],\"verbosity\":\"medium\",\"frequency_penalty\":0,"
               "\"reasoning_effort\":\"minimal\",\"safety_identifier\":\"s\",\"response_format\":{\"type\":\"text\"},\"parallel_tool_calls\":false,"
               "\"messages\":[{\"role\":\"developer\",\"content\":[{\"type\":\"text\",\"text\":\"A\"},{\"type\":\"text\",\"text\":\"B\"}]},"
               "{\"role\":\"user\",\"content\":[{\"type\":\"text\",\"text\":\"one\",\"cache_control\":{\"type\":\"ephemeral\"}},{\"type\":\"text\",\"text\":\"\"}]},"
               "{\"role\":\"system\",\"content\":\"C\"},{\"role\":\"user\",\"content\":\"two\"},"
               "{\"role\":\"assistant\",\"content\":\"\",\"refusal\":\"No.\",\"annotations\":[],\"reasoning_content\":\"hm\"}]}",
               "{\"temperature\":1,\"top_p\":0.5,\"stop_sequences\":[\"x\"],\"thinking\":{\"type\":\"adaptive\"},\"output_config\":{\"effort\":\"low\"},\"metadata\":{\"user_id\":\"s\"},"
               "\"messages\":[{\"role\":\"user\",\"content\":[{\"type\":\"text\",\"text\":\"one\",\"cache_control\":{\"type\":\"ephemeral\"}},{\"type\":\"text\",\"text\":\"two\"}]},"
               "{\"role\":\"assistant\",\"content\":[{\"type\":\"text\",\"text\":\"No.\"}]}],\"system\":\"A\\n\\nB\\n\\nC\"}");
    check_same(translate_to_messages, "{\"messages\":[{\"role\":\"user\",\"content\":\"Hi\"}],\"reasoning_effort\":\"none\"}",
               "{\"messages\":[{\"role\":\"user\",\"content\":[{\"type\":\"text\",\"text\":\"Hi\"}]}],\"thinking\":{\"type\":\"disabled\"}}");
    check_same(translate_to_chat,
               "{\"model\":\"m\",\"stream\":true,\"max_tokens\":5,\"temperature\":1,\"cache_control\":{\"type\":\"ephemeral\"},\"thinking\":{\"type\":\"enabled\",\"budget_tokens\":8000},"
               "\"speed\":\"standard\",\"stop_sequences\":[],\"tools\":[],"
               "\"messages\":[{\"role\":\"user\",\"content\":\"Hi\"},{\"role\":\"assistant\",\"content\":[{\"type\":\"thinking\",\"thinking\":\"hm\",\"signature\":\"s\"},"
               "{\"type\":\"redacted_thinking\",\"data\":\"x\"},{\"type\":\"text\",\"text\":\"a\",\"citations\":null},{\"type\":\"text\",\"text\":\"b\",\"citations\":[]}]},"
               "{\"role\":\"system\",\"content\":\"later\"},{\"role\":\"user\",\"content\":[{\"type\":\"document\",\"source\":{\"type\":\"text\",\"media_type\":\"text/plain\",\"data\":\"doc\"}}]}],"
               "\"system\":[{\"type\":\"text\",\"text\":\"A\",\"cache_control\":{\"type\":\"ephemeral\"}},{\"type\":\"text\",\"text\":\"B\"}]}",
               "{\"temperature\":1,\"reasoning_effort\":\"medium\",\"messages\":[{\"role\":\"system\",\"content\":\"A\\n\\nB\"},{\"role\":\"user\",\"content\":\"Hi\"},"
               "{\"role\":\"assistant\",\"content\":\"ab\"},{\"role\":\"system\",\"content\":\"later\"},{\"role\":\"user\",\"content\":\"doc\"}]}");
    check_same(translate_to_chat,
               "{\"messages\":[{\"role\":\"user\",\"content\":\"Hi\"}],\"output_config\":{\"effort\":\"max\"},\"thinking\":{\"type\":\"enabled\",\"budget_tokens\":1024}}",
               "{\"messages\":[{\"role\":\"user\",\"content\":\"Hi\"}],\"reasoning_effort\":\"max\"}");
}
END_TEST

#define HI "\"messages\":[{\"role\":\"user\",\"content\":\"Hi\"}]"

static const struct {
    translate_fn *fn;
    const char *body, *param;
} refused[] = {
    {translate_to_messages, "{" HI ",\"seed\":1}", "seed"},
    {translate_to_messages, "{" HI ",\"n\":2}", "n"},
    {translate_to_messages, "{" HI ",\"logprobs\":true}", "logprobs"},
    {translate_to_messages, "{" HI ",\"logit_bias\":{\"1\":5}}", "logit_bias"},
    {translate_to_messages, "{" HI ",\"temperature\":1.5}", "temperature"},
    {translate_to_messages, "{" HI ",\"response_format\":{\"type\":\"json_object\"}}", "response_format"},
    {translate_to_messages, "{" HI ",\"response_format\":{\"type\":\"json_schema\"}}", "response_format.json_schema.schema"},
    {translate_to_messages, "{" HI ",\"reasoning_effort\":\"some\"}", "reasoning_effort"},
    {translate_to_messages, "{" HI ",\"service_tier\":\"flex\"}", "service_tier"},
    {translate_to_messages, "{" HI ",\"modalities\":[\"audio\"]}", "modalities"},
    {translate_to_messages, "{" HI ",\"verbosity\":\"low\"}", "verbosity"},
    {translate_to_messages, "{" HI ",\"user\":1}", "user"},
    {translate_to_messages, "{" HI ",\"tools\":[{\"type\":\"custom\",\"custom\":{\"name\":\"f\"}}]}", "tools[0]"},
    {translate_to_messages, "{" HI ",\"tools\":[{\"type\":\"function\",\"function\":{}}]}", "tools[0].function.name"},
    {translate_to_messages, "{" HI ",\"tool_choice\":{\"type\":\"allowed_tools\"}}", "tool_choice"},
    {translate_to_messages, "{\"messages\":[{\"role\":\"system\",\"content\":\"A\"}]}", "messages"},
    {translate_to_messages, "{\"messages\":[{\"role\":\"user\",\"content\":\"a\",\"name\":\"Al\"}]}", "messages[0].name"},
    {translate_to_messages, "{\"messages\":[{\"role\":\"function\",\"content\":\"a\"}]}", "messages[0].role"},
    {translate_to_messages, "{\"messages\":[{\"role\":\"user\",\"content\":5}]}", "messages[0].content"},
    {translate_to_messages, "{\"messages\":[{\"role\":\"user\",\"content\":[{\"type\":\"input_audio\"}]}]}", "messages[0].content[0]"},
    {translate_to_messages, "{\"messages\":[{\"role\":\"user\",\"content\":[{\"type\":\"image_url\",\"image_url\":{\"url\":\"data:image/png,x\"}}]}]}", "messages[0].content[0]"},
    {translate_to_messages, "{\"messages\":[{\"role\":\"user\",\"content\":[{\"type\":\"file\",\"file\":{\"file_id\":\"f\"}}]}]}", "messages[0].content[0]"},
    {translate_to_messages, "{\"messages\":[{\"role\":\"assistant\",\"tool_calls\":[{\"id\":\"c\",\"type\":\"function\",\"function\":{\"name\":\"f\",\"arguments\":\"[1]\"}}]}]}",
     "messages[0].tool_calls[0].function.arguments"},
    {translate_to_messages, "{\"messages\":[{\"role\":\"tool\",\"content\":\"x\"}]}", "messages[0].tool_call_id"},
    {translate_to_chat, "{" HI ",\"top_k\":5}", "top_k"},
    {translate_to_chat, "{" HI ",\"max_tokens\":0}", "max_tokens"},
    {translate_to_chat, "{" HI ",\"container\":\"c\"}", "container"},
    {translate_to_chat, "{" HI ",\"speed\":\"fast\"}", "speed"},
    {translate_to_chat, "{" HI ",\"thinking\":{\"type\":\"between_tools\"}}", "thinking"},
    {translate_to_chat, "{" HI ",\"stop_sequences\":[\"a\",\"b\",\"c\",\"d\",\"e\"]}", "stop_sequences"},
    {translate_to_chat, "{" HI ",\"output_config\":{\"task_budget\":{}}}", "output_config.task_budget"},
    {translate_to_chat, "{" HI ",\"metadata\":{\"a\":1}}", "metadata"},
    {translate_to_chat, "{" HI ",\"system\":5}", "system"},
    {translate_to_chat, "{" HI ",\"tools\":[{\"type\":\"web_search_20250305\",\"name\":\"w\"}]}", "tools[0]"},
    {translate_to_chat, "{" HI ",\"tools\":[{\"name\":\"w\",\"defer_loading\":true}]}", "tools[0].defer_loading"},
    {translate_to_chat, "{\"messages\":[{\"role\":\"user\",\"content\":[{\"type\":\"image\",\"source\":{\"type\":\"file\",\"file_id\":\"f\"}}]}]}", "messages[0].content[0]"},
    {translate_to_chat, "{\"messages\":[{\"role\":\"user\",\"content\":[{\"type\":\"tool_result\",\"tool_use_id\":\"t\",\"content\":[{\"type\":\"image\"}]}]}]}",
     "messages[0].content[0].content[0]"},
    {translate_to_chat, "{\"messages\":[{\"role\":\"assistant\",\"content\":[{\"type\":\"server_tool_use\"}]}]}", "messages[0].content[0]"},
    {translate_to_chat, "{\"messages\":[{\"role\":\"assistant\",\"content\":[{\"type\":\"tool_use\",\"id\":\"t\",\"name\":\"f\",\"input\":\"x\"}]}]}", "messages[0].content[0].input"},
    {translate_to_chat, "{\"messages\":[{\"role\":\"user\",\"content\":[{\"type\":\"document\",\"source\":{\"type\":\"text\",\"data\":\"d\"},\"citations\":{\"enabled\":true}}]}]}",
     "messages[0].content[0].citations"},
    {translate_to_chat, "{\"messages\":[{\"role\":\"user\",\"content\":[{\"type\":\"document\",\"source\":{\"type\":\"text\",\"data\":\"d\"},\"context\":\"c\"}]}]}",
     "messages[0].content[0].context"},
    {translate_to_chat, "{\"messages\":[{\"role\":\"assistant\",\"content\":[{\"type\":\"text\",\"text\":\"a\",\"citations\":[{\"type\":\"char_location\"}]}]}]}",
     "messages[0].content[0].citations"},
    {translate_to_messages, "{\"messages\":[{\"role\":\"user\",\"content\":[{\"type\":\"text\",\"text\":\"a\",\"new\":1}]}]}", "messages[0].content[0].new"},
    {translate_to_messages, "{" HI ",\"tools\":[{\"type\":\"function\",\"function\":{\"name\":\"f\",\"new\":1}}]}", "tools[0].function.new"},
    {translate_to_chat, "{\"messages\":[{\"role\":\"tool\",\"content\":\"x\"}]}", "messages[0]"},
    {translate_to_chat, "{\"messages\":[7]}", "messages[0].role"},
};

START_TEST(what_there_are_no_words_for_is_refused_by_name)
{
    for (size_t i = 0; i < sizeof refused / sizeof *refused; i++)
        check_refused(refused[i].fn, refused[i].body, refused[i].param);
}
END_TEST

static const char *const strange[] = {"null", "true", "5", "\"x\"", "[]", "{}", "[5]", "[{}]", "{\"type\":\"text\"}"};

/* Either it is translated, or it is refused and says where. */
static void check_answered(translate_fn *fn, const json_t *body)
{
    struct translate_fault fault = {.why = ""};
    json_t *got = NULL;
    enum weir_err e = fn(body, &got, &fault);

    ck_assert((e == WEIR_OK) == (got != NULL));
    ck_assert((e == WEIR_OK) == (fault.why[0] == '\0' && fault.param[0] == '\0'));
    json_decref(got);
}

/* Put something strange in each place of v in turn; `body` is the whole. */
static void disturb(translate_fn *fn, const json_t *body, json_t *v)
{
    const char *name;
    json_t *member;
    void *next;

    for (size_t i = 0; i < json_array_size(v); i++) {
        json_t *was = json_incref(json_array_get(v, i));

        disturb(fn, body, was);
        for (size_t s = 0; s < sizeof strange / sizeof *strange; s++) {
            json_array_set_new(v, i, json_loads(strange[s], JSON_DECODE_ANY, NULL));
            check_answered(fn, body);
        }
        json_array_set_new(v, i, was);
    }
    json_object_foreach_safe(v, next, name, member) {
        json_t *was = json_incref(member);

        disturb(fn, body, was);
        for (size_t s = 0; s < sizeof strange / sizeof *strange; s++) {
            json_object_set_new(v, name, json_loads(strange[s], JSON_DECODE_ANY, NULL));
            check_answered(fn, body);
        }
        json_object_set_new(v, name, was);
    }
}

START_TEST(a_strange_value_anywhere_is_answered)
{
    for (size_t i = 0; i < sizeof pairs / sizeof *pairs; i++) {
        json_t *chat = parse(pairs[i].chat), *messages = parse(pairs[i].messages);

        disturb(translate_to_messages, chat, chat);
        disturb(translate_to_chat, messages, messages);
        json_decref(chat);
        json_decref(messages);
    }
}
END_TEST

UNIT_MAIN("translate", what_both_can_say_comes_back_as_it_was, calls_and_their_results_are_turns_of_both_sides,
          what_has_another_form_there_takes_it, what_there_are_no_words_for_is_refused_by_name, a_strange_value_anywhere_is_answered)
