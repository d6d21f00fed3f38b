#include "depay_rig.h"

/* Types: 26 01 = IDR_W_RADL (19), 2a 01 = CRA (21), 02 01 = TRAIL_R (1), 62 01 = FU, 60 01 = AP. */
static const struct depay_case cases[] = {
    {"single units",
     {{1, "M", "2601af"}, {2, "M", "0201d0"}, {3, "M", "2a01af"}},
     "1k=2601af 2=0201d0 3k=2a01af ",
     0,
     0},
    {"aggregate with sets and a slice (H6)",
     {{1, "M", "6001 0005 40010c01ff 0004 44010001 0004 2601afaa"}, {2, "M", "0201d0"}},
     "1k=2601afaa 2=0201d0 ",
     0,
     0},
    {"fragments",
     {{1, "", "620193 afaa"}, {1, "", "620113 bb"}, {1, "M", "620153 cc"}, {2, "M", "0201d0"}},
     "1k=2601afaabbcc 2=0201d0 ",
     0,
     0},
    {"start and end in one (H5)",
     {{1, "M", "6201d3 afaa"}, {2, "M", "0201d0"}},
     "1k=2601afaa 2=0201d0 ",
     0,
     0},
    {"slices by first_slice_segment_in_pic_flag",
     {{1, "", "2601af"},
      {1, "", "260120"},
      {1, "", "0201d0"},
      {1, "", "020120"},
      {1, "", "0201d1"}},
     "1k=2601af+260120 1=0201d0+020120 1=0201d1 ",
     0,
     0},
    {"SEI in front and behind",
     {{1, "", "4e0101"},
      {1, "", "2601af"},
      {1, "M", "500102"},
      {2, "", "4e0102"},
      {2, "M", "0201d0"}},
     "1k=4e0101+2601af+500102 2=4e0102+0201d0 ",
     0,
     0},
    {"delimiter, filler, other layers and reserved types are dropped (H12)",
     {{1, "", "460150"},
      {1, "", "2601af"},
      {1, "", "4c01ff"},
      {1, "", "2609af"},
      {1, "", "1601af"},
      {1, "M", "7e01aa"},
      {2, "M", "0201d0"}},
     "1k=2601af 2=0201d0 ",
     0,
     0},
    {"annex B in one packet (H4)",
     {{1, "M", "40010c01 00000001 2601afaa"}, {2, "M", "00000001 0201d0"}},
     "1k=2601afaa 2=0201d0 ",
     0,
     0},
    {"a PACI is unwrapped",
     {{1, "M", "6401 a610 ff af"}, {2, "M", "0201d0"}},
     "1k=2601af 2=0201d0 ",
     0,
     0},
    {"loss inside",
     {{1, "M", "2601af"}, {2, "", "620181 d0"}, {2, "1M", "620141 bb"}, {3, "M", "0201d0"}},
     "1k=2601af 3!=0201d0 ",
     1,
     0},
    {"runts",
     {{1, "", ""}, {1, "", "2601"}, {1, "", "6201"}, {1, "M", "2601af"}, {2, "M", "0201d0"}},
     "1k=2601af 2=0201d0 ",
     0,
     2},
};

static const struct depay_case with_don[] = {
    {"decoding order numbers are skipped",
     {{1, "M", "2601 0000 afaa"},
      {2, "", "620181 0001 d0"},
      {2, "M", "620141 bb"},
      {3, "M", "6001 0000 0003 0201d0 00 0003 020120"},
      {4, "M", "0201 0003 d0"}},
     "1k=2601afaa 2=0201d0bb 3=0201d0+020120 4=0201d0 ",
     0,
     0},
};

static void puts_access_units_together(void **state)
{
    (void)state;
    struct sdp_media media = {.codec = CODEC_H265};
    for (size_t i = 0; i < ARRAY_LEN(cases); i++)
        rig_run(&cases[i], &media);
    media.max_don_diff = 1;
    rig_run(&with_don[0], &media);
}

static void takes_the_format_from_the_stream(void **state)
{
    (void)state;
    struct depay_rig rig;
    rig_open(&rig, &(struct sdp_media){.codec = CODEC_H265});
    rig_feed(&rig, 1, false, 0, VPS_5M);
    rig_feed(&rig, 1, false, 0, SPS_5M);
    rig_feed(&rig, 1, false, 0, PPS_5M);
    rig_feed(&rig, 1, true, 0, "2601af");
    rig_feed(&rig, 2, false, 0, VPS_D1);
    rig_feed(&rig, 2, false, 0, SPS_D1);
    assert_int_equal(rig.format->width, 2592);
    rig_feed(&rig, 2, false, 0, PPS_D1);
    rig_feed(&rig, 2, true, 0, "2601af");
    assert_int_equal(rig.format->width, 704);
    rig_expect(&rig, "1k=2601af 2k=2601af ");
    assert_int_equal(depay_stats(rig.d)->n_format_changes, 1);
    rig_close(&rig);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(puts_access_units_together),
        cmocka_unit_test(takes_the_format_from_the_stream),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
