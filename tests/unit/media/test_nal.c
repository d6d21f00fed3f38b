#include "media_rig.h"

#include "media/bits.h"
#include "media/nal.h"

static void reads_numbers_of_every_kind(void **state)
{
    (void)state;
    /* 101 1 010 011 00100 00101 00110, then ones */
    struct bytes raw = unhex("b4c85fff");
    struct bits b;
    bits_init(&b, raw.p, raw.n);
    assert_int_equal(bits_u(&b, 3), 5);
    assert_int_equal(bits_ue(&b), 0);
    assert_int_equal(bits_ue(&b), 1);
    assert_int_equal(bits_ue(&b), 2);
    assert_int_equal(bits_se(&b), 2);
    assert_int_equal(bits_se(&b), -2);
    assert_false(b.is_failed);
}

static void takes_out_emulation_prevention(void **state)
{
    (void)state;
    struct bytes raw = unhex("000003010000030003ff");
    struct bits b;
    bits_init(&b, raw.p, raw.n);
    assert_int_equal(bits_u(&b, 24), 0x000001);
    assert_int_equal(bits_u(&b, 32), 0x00000003);
    assert_int_equal(bits_u(&b, 8), 0xff);
    assert_false(b.is_failed);
    bits_init_plain(&b, raw.p, raw.n);
    assert_int_equal(bits_u(&b, 32), 0x00000301);
}

static void fails_at_the_end_and_gives_zeros(void **state)
{
    (void)state;
    struct bytes raw = unhex("ff");
    struct bits b;
    bits_init(&b, raw.p, raw.n);
    bits_skip(&b, 7);
    assert_int_equal(bits_u(&b, 9), 0);
    assert_true(b.is_failed);
    assert_int_equal(bits_ue(&b), 0);
    raw = unhex("0000000000000000");
    bits_init_plain(&b, raw.p, raw.n);
    assert_int_equal(bits_ue(&b), 0);
    assert_true(b.is_failed);
    bits_init(&b, raw.p, 1);
    bits_skip(&b, UINT32_MAX);
    assert_true(b.is_failed);
}

static void finds_start_codes_at_every_place(void **state)
{
    (void)state;
    for (size_t n = 3; n < 40; n++) {
        for (size_t at = 0; at + 3 <= n; at++) {
            uint8_t p[40];
            memset(p, 0xaa, sizeof p);
            memcpy(p + at, "\0\0\1", 3);
            assert_int_equal(nal_find_start_code(p, n, 0), at);
            assert_int_equal(nal_find_start_code(p, n, at + 1), n);
            p[at + 2] = 2;
            assert_int_equal(nal_find_start_code(p, n, 0), n);
        }
    }
    assert_int_equal(nal_find_start_code((const uint8_t *)"\0\0", 2, 0), 2);
}

static void splits_annex_b(void **state)
{
    (void)state;
    static const struct {
        const char *stream;
        const char *nals[4];
    } cases[] = {
        {"000000016742aa00000168cc", {"6742aa", "68cc"}},
        {"00000167420000000168cc", {"6742", "68cc"}},
        {"6742aa00000168cc000001", {"6742aa", "68cc"}},
        {"000001000001000000016742", {"6742"}},
        {"674200000300", {"6742000003"}},
        {"00000000", {NULL}},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct bytes s = unhex(cases[i].stream);
        struct nal_span nal;
        size_t pos = 0, n = 0;
        while (nal_next(s.p, s.n, &pos, &nal)) {
            struct bytes want = unhex(cases[i].nals[n]);
            assert_int_equal(nal.n, want.n);
            assert_memory_equal(nal.p, want.p, want.n);
            n++;
        }
        assert_null(cases[i].nals[n]);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(reads_numbers_of_every_kind),
        cmocka_unit_test(takes_out_emulation_prevention),
        cmocka_unit_test(fails_at_the_end_and_gives_zeros),
        cmocka_unit_test(finds_start_codes_at_every_place),
        cmocka_unit_test(splits_annex_b),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
