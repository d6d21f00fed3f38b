#include "media_rig.h"

#include "base/err.h"
#include "media/h264.h"

static const struct {
    const char *hex;
    uint8_t profile, level;
    int width, height, reorder;
    double fps;
    bool is_interlaced;
    uint32_t chroma, depth;
} cases[] = {
    {SPS_1080, 100, 40, 1920, 1080, 2, 25, false, 1, 8},
    {SPS_360, 66, 22, 640, 360, 0, 15, false, 1, 8},
    {SPS_576I, 100, 30, 720, 576, 0, 25, true, 1, 8},
    {SPS_CIF_422, 122, 13, 352, 288, 0, 25, false, 2, 8},
};

static void reads_real_parameter_sets(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct bytes nal = unhex(cases[i].hex);
        struct h264_sps sps;
        assert_int_equal(h264_read_sps(nal.p, nal.n, &sps), 0);
        assert_int_equal(sps.profile, cases[i].profile);
        assert_int_equal(sps.level, cases[i].level);
        assert_int_equal(sps.width, cases[i].width);
        assert_int_equal(sps.height, cases[i].height);
        assert_int_equal(sps.reorder_frames, cases[i].reorder);
        assert_true(sps.fps > cases[i].fps - 0.01 && sps.fps < cases[i].fps + 0.01);
        assert_int_equal(sps.is_interlaced, cases[i].is_interlaced);
        assert_int_equal(sps.chroma_format, cases[i].chroma);
        assert_int_equal(sps.bit_depth_luma, cases[i].depth);
    }
}

static void forgives_trailing_bytes_and_a_cut_vui(void **state)
{
    (void)state;
    struct h264_sps sps;
    struct bytes nal = unhex(SPS_1080 "0000deadbeef");
    assert_int_equal(h264_read_sps(nal.p, nal.n, &sps), 0);
    assert_int_equal(sps.width, 1920);
    nal = unhex(SPS_1080);
    assert_int_equal(h264_read_sps(nal.p, 14, &sps), 0);
    assert_int_equal(sps.width, 1920);
    assert_int_equal(sps.reorder_frames, -1);
}

static void refuses_what_has_no_size(void **state)
{
    (void)state;
    struct h264_sps sps;
    struct bytes nal = unhex(SPS_1080);
    assert_int_equal(h264_read_sps(nal.p, 3, &sps), ERR_PARSE);
    assert_int_equal(h264_read_sps(nal.p, 6, &sps), ERR_PARSE);
    assert_int_equal(sps.profile, 100);
    /* cropped to nothing */
    nal = unhex("6742001e f4 05 01 ff fc 00 00 00 80 00 00 00 80");
    assert_true(h264_read_sps(nal.p, nal.n, &sps) < 0 || sps.width > 0);
}

static void writes_and_reads_the_record(void **state)
{
    (void)state;
    struct bytes sps = unhex(SPS_1080), pps = unhex(PPS_1080), more = unhex("68ce3880");
    /* in any order, and with something else among them */
    struct nal_span sets[] = {
        span_bytes(&pps), span_bytes(&sps), span_bytes(&more), {(const uint8_t *)"\x06\x01", 2}};
    struct buf out = {0};
    assert_int_equal(h264_write_config(sets, ARRAY_LEN(sets), &out), 0);
    assert_memory_equal(out.data, "\x01\x64\x00\x28\xff\xe1", 6);
    assert_memory_equal(out.data + out.len - 4, "\xfd\xf8\xf8\x00", 4);

    struct nal_span back[4];
    assert_int_equal(h264_read_config(out.data, out.len, back, 4), 3);
    assert_int_equal(back[0].n, sps.n);
    assert_memory_equal(back[0].p, sps.p, sps.n);
    assert_memory_equal(back[1].p, pps.p, pps.n);
    assert_memory_equal(back[2].p, more.p, more.n);
    assert_int_equal(h264_read_config(out.data, out.len, back, 1), 1);
    for (size_t n = 0; n < out.len - 4; n++)
        assert_int_equal(h264_read_config(out.data, n, back, 4), ERR_PARSE);
    buf_fini(&out);

    assert_int_equal(h264_write_config(sets, 1, &out), ERR_PARSE);
    assert_int_equal(h264_write_config(sets + 1, 1, &out), ERR_PARSE);
    buf_fini(&out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(reads_real_parameter_sets),
        cmocka_unit_test(forgives_trailing_bytes_and_a_cut_vui),
        cmocka_unit_test(refuses_what_has_no_size),
        cmocka_unit_test(writes_and_reads_the_record),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
