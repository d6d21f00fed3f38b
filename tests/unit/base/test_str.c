#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/mem.h"
#include "base/str.h"

static void compares_spans(void **state)
{
    (void)state;
    assert_true(span_eq(SPAN("abc"), "abc"));
    assert_false(span_eq(SPAN("abc"), "ABC"));
    assert_false(span_eq(SPAN("abc"), "ab"));
    assert_true(span_ieq(SPAN("aBc"), "AbC"));
    assert_true(span_istarts(SPAN("RTSP/1.0"), "rtsp/"));
    assert_false(span_istarts(SPAN("RT"), "rtsp/"));
    assert_int_equal(span_of(NULL).n, 0);
    assert_true(span_eq(span_trim(SPAN(" \t a b \r\n")), "a b"));
    assert_true(span_eq(span_trim(SPAN("  ")), ""));
}

static void cuts_at_separators(void **state)
{
    (void)state;
    struct span s = SPAN("a;;b");
    struct span head;
    assert_true(span_cut(&s, ';', &head) && span_eq(head, "a"));
    assert_true(span_cut(&s, ';', &head) && span_eq(head, ""));
    assert_true(span_cut(&s, ';', &head) && span_eq(head, "b"));
    assert_false(span_cut(&s, ';', &head));
    s = SPAN("one\r\ntwo\n\nthree");
    assert_true(span_line(&s, &head) && span_eq(head, "one"));
    assert_true(span_line(&s, &head) && span_eq(head, "two"));
    assert_true(span_line(&s, &head) && span_eq(head, ""));
    assert_true(span_line(&s, &head) && span_eq(head, "three"));
    assert_false(span_line(&s, &head));
}

static void reads_whole_numbers_only(void **state)
{
    (void)state;
    uint64_t u = 7;
    int64_t i = 7;
    double d = 7;
    assert_true(span_u64(SPAN(" 18446744073709551615 "), &u) && u == UINT64_MAX);
    assert_false(span_u64(SPAN("18446744073709551616"), &u));
    assert_false(span_u64(SPAN(""), &u));
    assert_false(span_u64(SPAN(" "), &u));
    assert_false(span_u64(SPAN("1x"), &u));
    assert_false(span_u64(SPAN("-1"), &u));
    assert_false(span_u64(SPAN("1 2"), &u));
    assert_true(span_i64(SPAN("-9223372036854775808"), &i) && i == INT64_MIN);
    assert_true(span_i64(SPAN("9223372036854775807"), &i) && i == INT64_MAX);
    assert_true(span_i64(SPAN("+5"), &i) && i == 5);
    assert_false(span_i64(SPAN("9223372036854775808"), &i));
    assert_false(span_i64(SPAN("-9223372036854775809"), &i));
    assert_false(span_i64(SPAN("- 5"), &i));
    assert_false(span_i64(SPAN("-"), &i));
    assert_true(span_hex_u64(SPAN("fFfFfFfFfFfFfFfF"), &u) && u == UINT64_MAX);
    assert_false(span_hex_u64(SPAN("10000000000000000"), &u));
    assert_false(span_hex_u64(SPAN("0x1"), &u));
    assert_true(span_double(SPAN(" -2.5e1 "), &d) && d == -25);
    assert_false(span_double(SPAN("nan"), &d));
    assert_false(span_double(SPAN("1e999"), &d));
    assert_false(span_double(SPAN("0x10"), &d));
    assert_false(span_double(SPAN("1 2"), &d));
    assert_int_equal(u, UINT64_MAX);
}

static void copies_within_bounds(void **state)
{
    (void)state;
    char dst[4];
    assert_true(span_copy(SPAN("abc"), dst, sizeof dst));
    assert_false(span_copy(SPAN("abcd"), dst, sizeof dst));
    assert_string_equal(dst, "abc");
    assert_false(str_copy(dst, 1, "x"));
    assert_string_equal(dst, "");
    assert_false(span_copy(SPAN(""), dst, 0));
    char *s = span_dup(SPAN("hey"));
    assert_string_equal(s, "hey");
    free(s);
    assert_true(str_starts("camera", "cam") && !str_starts("ca", "cam"));
    assert_true(str_ends("a.mp4", ".mp4") && !str_ends("4", ".mp4"));
}

static void knows_ids(void **state)
{
    (void)state;
    char text[66];
    memset(text, 'a', 65);
    text[65] = 0;
    assert_false(str_is_id(text));
    assert_true(str_is_id(text + 1));
    assert_true(str_is_id("Cam_0-1"));
    assert_false(str_is_id(""));
    assert_false(str_is_id("a b"));
    assert_false(str_is_id("a/b"));
    assert_false(str_is_id("\xe4\xb8\x80"));
}

static void knows_utf8(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        bool is_good;
    } cases[] = {
        {"", true},
        {"abc", true},
        {"\xc3\xa4\xe6\x8a\xa4\xf0\x9f\x98\x80", true},
        {"\xf4\x8f\xbf\xbf", true},
        {"\xc0\x80", false},         /* overlong */
        {"\xe0\x9f\xbf", false},     /* overlong */
        {"\xf0\x8f\xbf\xbf", false}, /* overlong */
        {"\xed\xa0\x80", false},     /* surrogate */
        {"\xf4\x90\x80\x80", false}, /* too high */
        {"\xf5\x80\x80\x80", false},
        {"\x80", false},
        {"\xe6\x8a", false},
        {"\xe6\x41\x41", false},
        {"\xc4\xe3", false}, /* GBK */
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++)
        assert_int_equal(str_is_utf8(cases[i].text, strlen(cases[i].text)), cases[i].is_good);
}

static void codes_hex_and_base64(void **state)
{
    (void)state;
    static const char *const vectors[][2] = {/* RFC 4648 10 */
                                             {"", ""},
                                             {"f", "Zg=="},
                                             {"fo", "Zm8="},
                                             {"foo", "Zm9v"},
                                             {"foob", "Zm9vYg=="},
                                             {"fooba", "Zm9vYmE="},
                                             {"foobar", "Zm9vYmFy"}};
    char text[32];
    uint8_t raw[32];
    for (size_t i = 0; i < ARRAY_LEN(vectors); i++) {
        size_t n = strlen(vectors[i][0]);
        assert_int_equal(base64_encode(vectors[i][0], n, text, sizeof text), strlen(vectors[i][1]));
        assert_string_equal(text, vectors[i][1]);
        assert_int_equal(base64_decode(span_of(text), raw, sizeof raw), n);
        assert_memory_equal(raw, vectors[i][0], n);
    }
    assert_int_equal(base64_encode("foobar", 6, text, 8), 0); /* no room for the NUL */
    assert_int_equal(base64_decode(SPAN("Zm 9v\r\nYg"), raw, sizeof raw), 4);
    assert_int_equal(base64_decode(SPAN("Zm9vY"), raw, sizeof raw), -1);
    assert_int_equal(base64_decode(SPAN("Zm9v!"), raw, sizeof raw), -1);
    assert_int_equal(base64_decode(SPAN("Zg==x"), raw, sizeof raw), -1);
    assert_int_equal(base64_decode(SPAN("Zm9vYmFy"), raw, 5), -1);
    hex_encode("\x00\xff\x5a", 3, text);
    assert_string_equal(text, "00ff5a");
}

static void compares_secrets(void **state)
{
    (void)state;
    assert_true(secret_eq("abc", "abc", 3));
    assert_false(secret_eq("abc", "abd", 3));
    assert_true(secret_eq("a", "b", 0));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(compares_spans),
        cmocka_unit_test(cuts_at_separators),
        cmocka_unit_test(reads_whole_numbers_only),
        cmocka_unit_test(copies_within_bounds),
        cmocka_unit_test(knows_ids),
        cmocka_unit_test(knows_utf8),
        cmocka_unit_test(codes_hex_and_base64),
        cmocka_unit_test(compares_secrets),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
