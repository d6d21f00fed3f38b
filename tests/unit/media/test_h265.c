#include "media_rig.h"

#include "base/err.h"
#include "media/h265.h"

static const struct {
    const char *hex;
    uint8_t level;
    int width, height, reorder;
    double fps;
    uint32_t depth;
} cases[] = {
    {SPS_5M, 150, 2592, 1944, 2, 20, 8},
    {SPS_D1, 90, 704, 576, 0, 25, 10},
    {SPS_HD, 120, 1920, 1080, 2, 15, 8},
};

static void reads_real_parameter_sets(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct bytes nal = unhex(cases[i].hex);
        struct h265_sps sps;
        assert_int_equal(h265_read_sps(nal.p, nal.n, &sps), 0);
        assert_int_equal(sps.ptl[11], cases[i].level);
        assert_int_equal(sps.width, cases[i].width);
        assert_int_equal(sps.height, cases[i].height);
        assert_int_equal(sps.reorder_frames, cases[i].reorder);
        assert_true(sps.fps > cases[i].fps - 0.01 && sps.fps < cases[i].fps + 0.01);
        assert_int_equal(sps.bit_depth_luma, cases[i].depth);
        assert_int_equal(sps.bit_depth_chroma, cases[i].depth);
    }
}

static void forgives_a_cut_end_but_not_a_missing_size(void **state)
{
    (void)state;
    struct h265_sps sps;
    struct bytes nal = unhex(SPS_5M);
    assert_int_equal(h265_read_sps(nal.p, 30, &sps), 0);
    assert_int_equal(sps.width, 2592);
    assert_int_equal(h265_read_sps(nal.p, 20, &sps), ERR_PARSE);
    assert_int_equal(h265_read_sps(nal.p, 2, &sps), ERR_PARSE);
}

static void reads_ids(void **state)
{
    (void)state;
    static const struct {
        const char *hex;
        int rc;
        uint32_t id;
    } ids[] = {{VPS_5M, 0, 0},   {SPS_5M, 0, 0},         {PPS_5M, 0, 0},
               {"440150", 0, 1}, {"40013c01ffff", 0, 3}, {"4201", ERR_PARSE, 0}};
    for (size_t i = 0; i < ARRAY_LEN(ids); i++) {
        struct bytes nal = unhex(ids[i].hex);
        uint32_t id = 0;
        assert_int_equal(h265_read_set_id(nal.p, nal.n, &id), ids[i].rc);
        assert_int_equal(id, ids[i].id);
    }
}

static void writes_and_reads_the_record(void **state)
{
    (void)state;
    struct bytes vps = unhex(VPS_D1), sps = unhex(SPS_D1), pps = unhex(PPS_D1);
    struct nal_span sets[] = {span_bytes(&pps), span_bytes(&sps), span_bytes(&vps)};
    struct buf out = {0};
    assert_int_equal(h265_write_config(sets, 3, &out), 0);
    assert_int_equal(out.data[0], 1);
    assert_int_equal(out.data[1], 2);   /* Main 10 */
    assert_int_equal(out.data[12], 90); /* level 3 */
    assert_int_equal(out.data[16], 0xfd);
    assert_int_equal(out.data[17], 0xfa);
    assert_int_equal(out.data[21] & 3, 3);
    struct nal_span back[4];
    assert_int_equal(h265_read_config(out.data, out.len, back, 4), 3);
    assert_memory_equal(back[0].p, vps.p, vps.n);
    assert_memory_equal(back[1].p, sps.p, sps.n);
    assert_memory_equal(back[2].p, pps.p, pps.n);
    for (size_t n = 0; n < out.len; n++)
        assert_int_equal(h265_read_config(out.data, n, back, 4), ERR_PARSE);
    buf_fini(&out);
    assert_int_equal(h265_write_config(sets, 2, &out), ERR_PARSE);
    buf_fini(&out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(reads_real_parameter_sets),
        cmocka_unit_test(forgives_a_cut_end_but_not_a_missing_size),
        cmocka_unit_test(reads_ids),
        cmocka_unit_test(writes_and_reads_the_record),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
