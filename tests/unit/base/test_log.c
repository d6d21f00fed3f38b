#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <fcntl.h>

#include <cmocka.h>

#include "base/clock.h"
#include "base/log.h"

/* What one line looks like on standard error, without its time. */
static void capture(enum log_level level, const char *who, const char *msg, char *dst, size_t cap)
{
    int fds[2];
    assert_int_equal(pipe2(fds, O_NONBLOCK), 0);
    int saved = dup(STDERR_FILENO);
    dup2(fds[1], STDERR_FILENO);
    log_line(level, who, "%s", msg);
    dup2(saved, STDERR_FILENO);
    close(saved);
    close(fds[1]);
    ssize_t n = read(fds[0], dst, cap - 1);
    close(fds[0]);
    dst[n > 0 ? n : 0] = 0;
}

static void writes_text_without_control_bytes(void **state)
{
    (void)state;
    char line[8192];
    log_setup(LOG_INFO, false);
    capture(LOG_WARN, "cam-1", "a\nb\x1b[31m\"q\"", line, sizeof line);
    assert_string_equal(line + 24, " warn cam-1: a\\x0ab\\x1b[31m\"q\"\n");
    capture(LOG_DEBUG, "cam-1", "quiet", line, sizeof line);
    assert_string_equal(line, "");
    log_set_level(LOG_DEBUG);
    assert_true(log_is_on(LOG_DEBUG));
    capture(LOG_DEBUG, NULL, "loud", line, sizeof line);
    assert_string_equal(line + 24, " debug -: loud\n");
}

static void writes_json(void **state)
{
    (void)state;
    char line[32768];
    log_setup(LOG_INFO, true);
    capture(LOG_ERROR, "v\"1", "a\nb \\ \"q\"", line, sizeof line);
    assert_string_equal(line + 9 + 24, "\",\"level\":\"error\",\"who\":\"v\\\"1\","
                                       "\"msg\":\"a\\u000ab \\\\ \\\"q\\\"\"}\n");
    char text[4000];
    memset(text, 1, sizeof text - 1);
    text[sizeof text - 1] = 0;
    capture(LOG_ERROR, "x", text, line, sizeof line);
    assert_string_equal(line + strlen(line) - 3, "\"}\n");
    log_setup(LOG_INFO, false);
}

static void counts_what_it_holds_back(void **state)
{
    (void)state;
    struct log_every every = {0};
    uint64_t n = 9;
    assert_true(log_every(&every, 5 * US_PER_S, &n));
    assert_int_equal(n, 0);
    assert_false(log_every(&every, 5 * US_PER_S + 1, &n));
    assert_false(log_every(&every, 6 * US_PER_S - 1, &n));
    assert_true(log_every(&every, 6 * US_PER_S, &n));
    assert_int_equal(n, 2);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(writes_text_without_control_bytes),
        cmocka_unit_test(writes_json),
        cmocka_unit_test(counts_what_it_holds_back),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
