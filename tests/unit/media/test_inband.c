#include "media_rig.h"

#include "base/buf.h"
#include "media/inband.h"

/* 640x360 as SPS_360, but 12 fps; the same with level 2.1; with a constraint flag fewer. */
#define SPS_360_12FPS    "6742c016d900a02ff970110000030001000003000c0f162e48"
#define SPS_360_LEVEL_21 "6742c015d900a02ff970110000030001000003001e0f162e48"
#define SPS_360_BASELINE "674200 16d900a02ff970110000030001000003001e0f162e48"
#define PPS_OTHER        "68ca83cb20"

static struct packet *picture(struct format *f, bool is_key)
{
    struct packet *pkt = packet_create(8);
    memcpy(pkt->data, "\0\0\0\4abcd", 8);
    pkt->size = 8;
    pkt->format = format_ref(f);
    pkt->is_video = true;
    pkt->is_key = is_key;
    pkt->dts = 3600;
    pkt->pts = 7200;
    pkt->wall_us = 5;
    pkt->seq = 9;
    pkt->lost_before = 2;
    return pkt;
}

static void one_entry_serves_what_keeps_its_promises(void **state)
{
    (void)state;
    static const struct {
        const char *entry, *next;
        bool is_compatible;
    } cases[] = {
        {SPS_360, SPS_360, true},
        {SPS_360, SPS_360_12FPS, true},
        {SPS_360, SPS_360_LEVEL_21, true},
        {SPS_360_LEVEL_21, SPS_360, false}, /* more than the decoder was made for */
        {SPS_360_BASELINE, SPS_360, true},
        {SPS_360, SPS_360_BASELINE, false}, /* a flag fewer */
        {SPS_360, SPS_1080, false},
        {SPS_CIF_422, SPS_360, false},
        {"67640028", "67640028", true}, /* unreadable, but the same */
        {"67640028", "67640029", false},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct format *a = h264_format(cases[i].entry, PPS_360);
        struct format *b = h264_format(cases[i].next, PPS_OTHER);
        assert_int_equal(format_is_compatible(a, b), cases[i].is_compatible);
        format_unref(&a);
        format_unref(&b);
    }
}

static void h265_is_judged_alike(void **state)
{
    (void)state;
    struct format *d1 = h265_format(VPS_D1, SPS_D1, PPS_D1);
    struct format *other_pps = h265_format(VPS_D1, SPS_D1, "4401c172b46241");
    struct format *hd = h265_format(VPS_HD, SPS_HD, PPS_HD);
    struct format *h264 = h264_format(SPS_360, PPS_360);
    assert_false(format_eq(d1, other_pps));
    assert_true(format_is_compatible(d1, other_pps));
    assert_false(format_is_compatible(d1, hd));
    assert_false(format_is_compatible(d1, h264));
    assert_false(format_is_compatible(NULL, d1));
    format_unref(&d1);
    format_unref(&other_pps);
    format_unref(&hd);
    format_unref(&h264);
}

static void expect_sets(const struct packet *pkt, const char *sets)
{
    struct bytes want = unhex(sets);
    assert_int_equal(pkt->size, want.n + 8);
    assert_memory_equal(pkt->data, want.p, want.n);
    assert_memory_equal(pkt->data + want.n, "\0\0\0\4abcd", 8);
}

#define IN_SPS "00000019" SPS_360
#define IN_PPS "00000005" PPS_OTHER

static void a_copy_has_the_sets_in_front(void **state)
{
    (void)state;
    struct format *known = h264_format(SPS_360, PPS_360), *f = h264_format(SPS_360, PPS_OTHER);
    struct packet *pkt = picture(f, true);
    struct packet *all = packet_with_sets(pkt, NULL), *some = packet_with_sets(pkt, known);
    expect_sets(all, IN_SPS IN_PPS);
    expect_sets(some, IN_PPS);
    assert_true(all->is_key && all->is_video && all->dts == 3600 && all->pts == 7200);
    assert_true(all->wall_us == 5 && all->seq == 9 && all->lost_before == 2);
    packet_unref(&pkt);
    packet_unref(&all);
    packet_unref(&some);
    pkt = packet_create(PACKET_MAX_BYTES);
    pkt->size = PACKET_MAX_BYTES;
    pkt->format = f;
    assert_null(packet_with_sets(pkt, NULL));
    packet_unref(&pkt);
    format_unref(&known);
}

static void expect_taken(struct inband *b, struct format *f, bool is_key, const char *sets)
{
    struct packet *pkt = picture(f, is_key);
    assert_true(inband_fits(b, f));
    struct packet *out = inband_take(b, pkt);
    assert_int_equal(out == pkt, *sets == '\0');
    expect_sets(out, sets);
    packet_unref(&out);
    packet_unref(&pkt);
}

static void sets_go_where_they_take_effect_and_to_key_frames(void **state)
{
    (void)state;
    struct format *a = h264_format(SPS_360, PPS_360), *b = h264_format(SPS_360, PPS_OTHER);
    struct format *wide = h264_format(SPS_1080, PPS_1080);
    struct inband in = {0};
    inband_begin(&in, a);
    expect_taken(&in, a, true, "");
    expect_taken(&in, a, false, "");
    expect_taken(&in, b, false, IN_PPS);
    expect_taken(&in, b, false, "");
    expect_taken(&in, b, true, IN_SPS IN_PPS);
    expect_taken(&in, a, true, IN_SPS "00000005" PPS_360);
    expect_taken(&in, a, true, IN_SPS "00000005" PPS_360); /* who begins here may come from b */
    assert_false(inband_fits(&in, wide));

    inband_begin(&in, a); /* nothing has changed between the tracks */
    expect_taken(&in, a, true, "");
    expect_taken(&in, b, false, IN_PPS);
    inband_begin(&in, b); /* another entry: a decoder takes its sets */
    expect_taken(&in, b, true, "");
    expect_taken(&in, a, false, "00000005" PPS_360);
    inband_begin(&in, b); /* the same entry: a decoder that reads on has the sets of a */
    expect_taken(&in, b, true, IN_SPS IN_PPS);
    inband_begin(&in, wide);
    expect_taken(&in, wide, true, "");
    inband_fini(&in);
    format_unref(&a);
    format_unref(&b);
    format_unref(&wide);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(one_entry_serves_what_keeps_its_promises),
        cmocka_unit_test(h265_is_judged_alike),
        cmocka_unit_test(a_copy_has_the_sets_in_front),
        cmocka_unit_test(sets_go_where_they_take_effect_and_to_key_frames),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
