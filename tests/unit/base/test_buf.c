#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/buf.h"

static void grows_and_writes_big_endian(void **state)
{
    (void)state;
    struct buf b;
    buf_init(&b, 0);
    assert_string_equal(buf_cstr(&b), "");
    buf_puts(&b, "ab");
    buf_put_u8(&b, 1);
    buf_put_be16(&b, 0x0203);
    buf_put_be24(&b, 0x040506);
    buf_put_be32(&b, 0x0708090a);
    buf_put_be64(&b, UINT64_C(0x0b0c0d0e0f101112));
    assert_int_equal(b.len, 20);
    for (uint8_t i = 1; i <= 18; i++)
        assert_int_equal(b.data[1 + i], i);
    buf_set_be32(&b, 2, 0xfffefdfc);
    assert_int_equal(get_be32(b.data + 2), 0xfffefdfc);
    assert_int_equal(get_be64(b.data + 12), UINT64_C(0x0b0c0d0e0f101112));
    assert_int_equal(get_be24(b.data + 5), 0xfc0506);
    buf_consume(&b, 19);
    assert_int_equal(b.len, 1);
    assert_int_equal(b.data[0], 0x12);
    buf_fini(&b);
}

static void prints_short_and_long_text(void **state)
{
    (void)state;
    struct buf b;
    buf_init(&b, 0);
    buf_printf(&b, "%d-%s;", 7, "x");
    buf_printf(&b, "%0700d", 5);
    assert_int_equal(b.len, 704);
    assert_int_equal(b.data[703], '5');
    assert_int_equal(strlen(buf_cstr(&b)), 704);
    buf_fini(&b);
}

static void keeps_what_it_has_at_its_bound(void **state)
{
    (void)state;
    struct buf b;
    buf_init(&b, 10);
    buf_puts(&b, "12345678");
    assert_false(buf_reserve(&b, 3));
    assert_true(b.is_failed);
    buf_puts(&b, "9"); /* would fit, but something is missing already */
    assert_int_equal(b.len, 8);
    assert_string_equal(buf_cstr(&b), "");
    buf_clear(&b);
    buf_puts(&b, "1234567890");
    assert_false(b.is_failed);
    buf_put_u8(&b, 'x');
    assert_true(b.is_failed);
    assert_int_equal(b.len, 10);
    buf_fini(&b);
    assert_int_equal(b.max, 10);
    buf_printf(&b, "%s", "longer than ten");
    assert_true(b.is_failed);
    buf_fini(&b);
}

static void hands_its_memory_over(void **state)
{
    (void)state;
    struct buf b;
    size_t n = 9;
    buf_init(&b, 0);
    assert_null(buf_steal(&b, &n));
    assert_int_equal(n, 0);
    buf_reserve(&b, 100);
    assert_null(buf_steal(&b, NULL));
    buf_puts(&b, "abc");
    uint8_t *p = buf_steal(&b, &n);
    assert_int_equal(n, 3);
    assert_memory_equal(p, "abc", 3);
    assert_int_equal(b.len, 0);
    free(p);
    buf_fini(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(grows_and_writes_big_endian),
        cmocka_unit_test(prints_short_and_long_text),
        cmocka_unit_test(keeps_what_it_has_at_its_bound),
        cmocka_unit_test(hands_its_memory_over),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
