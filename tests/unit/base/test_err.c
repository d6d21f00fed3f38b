#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <errno.h>

#include <cmocka.h>

#include "base/err.h"

static void names_what_and_why(void **state)
{
    (void)state;
    struct err err = {0};
    assert_int_equal(err_set(&err, -ENOENT, "create %s", "x.mp4"), -ENOENT);
    assert_string_equal(err.msg, "create x.mp4: No such file or directory");
    assert_int_equal(err_wrap(&err, ERR_BUSY, "camera %d", 3), ERR_BUSY);
    assert_int_equal(err.code, ERR_BUSY);
    assert_string_equal(err.msg, "camera 3: create x.mp4: No such file or directory");
    err_text(&err, ERR_AUTH, "wrong %s", "user");
    assert_string_equal(err.msg, "wrong user");
    err_clear(&err);
    assert_int_equal(err.code, 0);
    assert_string_equal(err.msg, "");
}

static void works_without_a_place_for_text(void **state)
{
    (void)state;
    assert_int_equal(err_set(NULL, -1, "x"), -1);
    assert_int_equal(err_wrap(NULL, -1, "x"), -1);
    assert_int_equal(err_text(NULL, -1, "x"), -1);
    err_clear(NULL);
}

static void cuts_what_is_too_long(void **state)
{
    (void)state;
    struct err err = {0};
    char text[1000];
    memset(text, 'a', sizeof text - 1);
    text[sizeof text - 1] = 0;
    err_set(&err, -ENOENT, "%s", text);
    assert_int_equal(strlen(err.msg), ERR_MSG_BYTES - 1);
    err_wrap(&err, -ENOENT, "front");
    assert_int_equal(strlen(err.msg), ERR_MSG_BYTES - 1);
    assert_memory_equal(err.msg, "front: aaa", 10);
    for (int n = ERR_MSG_BYTES - 6; n < ERR_MSG_BYTES + 2; n++) {
        text[n] = 0;
        err_set(&err, ERR_AUTH, "%s", text);
        assert_true(strlen(err.msg) < ERR_MSG_BYTES);
        text[n] = 'a';
    }
}

static void a_word_comes_with_its_values(void **state)
{
    (void)state;
    struct err err;
    char value[ERR_MSG_BYTES];
    assert_int_equal(err_say(&err, ERR_INVALID, "word", "%s: 100 %% of \"%.3s\", %d to %zu, %s",
                             "id", "abcdef", -7, (size_t)9, "too many"),
                     ERR_INVALID);
    assert_string_equal(err.msg, "id: 100 % of \"abc\", -7 to 9, too many");
    assert_string_equal(err.word, "word");
    static const char *const values[] = {"id", "abc", "-7", "9", ""};
    err_wrap(&err, ERR_BUSY, "camera %s", "x");
    assert_string_equal(err.word, "word");
    for (unsigned i = 0; i < 5; i++) {
        err_value(&err, i, value, sizeof value);
        assert_string_equal(value, values[i]);
    }
    err_text(&err, ERR_BUSY, "no word");
    assert_null(err.word);
    assert_int_equal(err.n_values, 0);
    err_say(&err, ERR_BUSY, "word", "nothing to tell");
    assert_int_equal(err.n_values, 0);
    assert_int_equal(err_say(NULL, -1, "word", "%d", 1), -1);
}

static void facts_stay_inside_the_message_and_whole(void **state)
{
    (void)state;
    struct err err;
    char value[ERR_MSG_BYTES], text[1000];
    memset(text, 'a', sizeof text - 1);
    text[sizeof text - 1] = 0;
    err_say(&err, ERR_INVALID, "word", "%s %s", "short", text);
    assert_int_equal(err.n_values, 1);
    for (int i = 0; i < 100; i++)
        err_wrap(&err, ERR_INVALID, "some more in front");
    err_value(&err, 0, value, sizeof value);
    assert_true(err.n_values == 0 && value[0] == 0);
    err_say(&err, ERR_INVALID, "word", "%.5s|%.6s|%.2s", "\xe6\x9d\x91\xe9\x95\x87",
            "\xe6\x9d\x91\xe9\x95\x87", "\xe6\x9d\x91");
    err_value(&err, 0, value, sizeof value);
    assert_string_equal(value, "\xe6\x9d\x91");
    err_value(&err, 1, value, sizeof value);
    assert_string_equal(value, "\xe6\x9d\x91\xe9\x95\x87");
    err_value(&err, 2, value, sizeof value);
    assert_string_equal(value, "");
    err_value(&err, 1, value, 3);
    assert_string_equal(value, "");
}

static void knows_every_code(void **state)
{
    (void)state;
    for (int code = ERR_CLOSED; code <= ERR_PARSE; code++)
        assert_string_not_equal(err_name(code), "unknown error");
    assert_string_equal(err_name(-EAGAIN), "Resource temporarily unavailable");
    assert_string_equal(err_name(EAGAIN), "Resource temporarily unavailable");
    assert_string_equal(err_name(-99999), "unknown error");
    assert_string_equal(err_name(0), "success");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(names_what_and_why),
        cmocka_unit_test(works_without_a_place_for_text),
        cmocka_unit_test(cuts_what_is_too_long),
        cmocka_unit_test(a_word_comes_with_its_values),
        cmocka_unit_test(facts_stay_inside_the_message_and_whole),
        cmocka_unit_test(knows_every_code),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
