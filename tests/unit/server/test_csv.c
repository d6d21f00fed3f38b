/* Comma-separated values as spreadsheets write them. */
#include "unit.h"

#include <string.h>

#include "server/csv.h"

/* Every record as "line:field|field;", and the code of the end. */
static char *parse(const char *text, size_t n, int *out_rc)
{
    struct csv c;
    struct csv_record r;
    struct err err;
    struct buf out;
    err_clear(&err);
    buf_init(&out, 0);
    csv_init(&c, text, n);
    while ((*out_rc = csv_next(&c, &r, &err)) == 1) {
        buf_printf(&out, "%u:", r.line);
        for (size_t i = 0; i < r.n_fields; i++)
            buf_printf(&out, "%s%s", i ? "|" : "", r.fields[i]);
        buf_puts(&out, ";");
    }
    csv_fini(&c);
    char *result = xstrdup(buf_cstr(&out));
    buf_fini(&out);
    return result;
}

static void records_are_cut_as_written(void **state)
{
    static const struct {
        const char *text, *expected;
        int rc;
    } cases[] = {
        {"", "", 0},
        {"\n\r\n\n", "", 0},
        {"a,b\nc,d", "1:a|b;2:c|d;", 0},
        {"a,b\r\nc,d\r\n", "1:a|b;2:c|d;", 0},
        {"a,,\n,\n", "1:a||;2:|;", 0},
        {" a , b ", "1:a|b;", 0},
        {"\"a,b\",\"c\"\"d\"", "1:a,b|c\"d;", 0},
        {"\"two\nlines\",x\ny", "1:two\nlines|x;3:y;", 0},
        {"\n\na\n\nb", "3:a;5:b;", 0},
        {"\"\"", "1:;", 0},
        {"\"a\"b,c", "1:ab|c;", 0},
        {"a\"b,c", "1:a\"b|c;", 0},
        {"x\n\"open,1\n2", "1:x;", ERR_PARSE},
    };
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        int rc;
        char *out = parse(cases[i].text, strlen(cases[i].text), &rc);
        assert_string_equal(out, cases[i].expected);
        assert_int_equal(rc, cases[i].rc);
        free(out);
    }
}

static void too_many_fields_are_refused(void **state)
{
    char text[2 * CSV_MAX_FIELDS + 1];
    int rc;
    (void)state;
    memset(text, ',', sizeof text);
    char *out = parse(text, sizeof text, &rc);
    assert_int_equal(rc, ERR_TOO_BIG);
    free(out);
}

static void text_is_brought_to_utf8(void **state)
{
    static const struct {
        const char *text;
        size_t n;
        const char *expected; /* NULL = refused */
    } cases[] = {
        {"\xEF\xBB\xBF"
         "abc",
         6, "abc"},
        {"\xE9\x95\x87", 3, "镇"},
        {"\xD5\xF2", 2, "镇"},
        {"\xFF\xFE"
         "a\0",
         4, NULL},
        {"a\0b", 3, NULL},
        {"\xFF\xFF\xFF", 3, NULL},
    };
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct buf out;
        struct err err;
        err_clear(&err);
        buf_init(&out, 1u << 16);
        int rc = csv_decode(cases[i].text, cases[i].n, &out, &err);
        if (cases[i].expected == NULL) {
            assert_int_equal(rc, ERR_PARSE);
        } else {
            assert_int_equal(rc, 0);
            assert_string_equal(buf_cstr(&out), cases[i].expected);
        }
        buf_fini(&out);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(records_are_cut_as_written),
        cmocka_unit_test(too_many_fields_are_refused),
        cmocka_unit_test(text_is_brought_to_utf8),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
