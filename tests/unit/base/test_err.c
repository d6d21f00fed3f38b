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
        cmocka_unit_test(knows_every_code),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
