#include "depay_rig.h"

#include "base/err.h"

/* First slices have bit 7 set behind the header, later ones have not. */
static const struct depay_case cases[] = {
    {"single units, one per picture",
     {{1, "M", "6588aa"}, {2, "M", "4188bb"}, {3, "M", "4188cc"}},
     "1k=6588aa 2=4188bb 3=4188cc ",
     0,
     0},
    {"STAP-A with sets and a slice",
     {{1, "M", "78 0004 67420001 0002 68cc 0003 6588aa"}, {2, "M", "4188"}},
     "1k=6588aa 2=4188 ",
     0,
     0},
    {"FU-A of three fragments",
     {{1, "", "7c85 88aa"}, {1, "", "7c05 bb"}, {1, "M", "7c45 cc"}, {2, "M", "4188"}},
     "1k=6588aabbcc 2=4188 ",
     0,
     0},
    {"FU-A with start and end in one (H5)",
     {{1, "M", "7cc5 88aa"}, {2, "M", "5cc1 88"}},
     "1k=6588aa 2=4188 ",
     0,
     0},
    {"FU-A with empty fragments and another type behind (H5)",
     {{1, "", "7c85 88"}, {1, "", "7c05"}, {1, "", "7c01 aa"}, {1, "M", "7c45"}, {2, "M", "4188"}},
     "1k=6588aa 2=4188 ",
     0,
     0},
    {"FU-A without its end bit, then a new timestamp (H5)",
     {{1, "", "7c85 88aa"}, {1, "M", "7c05 bb"}, {2, "M", "4188"}},
     "1k=6588aabb 2=4188 ",
     0,
     0},
    {"FU-A without its end bit, then a start (H5)",
     {{1, "", "7c85 88aa"},
      {1, "", "7c05 bb"},
      {1, "", "7c85 08cc"},
      {1, "M", "7c45 dd"},
      {2, "M", "4188"}},
     "1k=6588aabb+6508ccdd 2=4188 ",
     0,
     0},
    {"reserved bit in the FU header (H5)",
     {{1, "", "7ca5 88"}, {1, "M", "7c65 aa"}, {2, "M", "4188"}},
     "1k=6588aa 2=4188 ",
     0,
     0},
    {"pictures of several slices, marker at the end",
     {{1, "", "6588aa"},
      {1, "", "6508bb"},
      {1, "M", "6508cc"},
      {2, "", "4188"},
      {2, "M", "4108"},
      {3, "M", "4188"}},
     "1k=6588aa+6508bb+6508cc 2=4188+4108 3=4188 ",
     0,
     0},
    {"marker on every slice (H1)",
     {{1, "M", "6588aa"},
      {1, "M", "6508bb"},
      {2, "M", "4188"},
      {2, "M", "4108"},
      {3, "M", "4188"},
      {3, "M", "4108"}},
     "1k=6588aa+6508bb 2=4188+4108 3=4188+4108 ",
     0,
     0},
    {"marker on every slice, found out late: one picture is lost, no more",
     {{1, "M", "6588"},
      {2, "M", "4188"},
      {3, "M", "4188"},
      {3, "M", "4108"},
      {4, "M", "4188"},
      {4, "M", "4108"},
      {5, "M", "4188"}},
     "1k=6588 2=4188 3=4188 4!=4188+4108 5=4188 ",
     1,
     0},
    {"no marker ever (H1)",
     {{1, "", "6588aa"}, {1, "", "6508bb"}, {2, "", "4188"}, {3, "", "4188"}},
     "1k=6588aa+6508bb 2=4188 3=4188 ",
     0,
     0},
    {"marker on sets and SEI (H1)",
     {{1, "M", "6588"},
      {2, "M", "67420001"},
      {2, "M", "68cc"},
      {2, "M", "0601aa"},
      {2, "M", "6588bb"},
      {3, "M", "4188"}},
     "1k=6588 2k=0601aa+6588bb 3=4188 ",
     0,
     0},
    {"equal timestamps are split by first_mb_in_slice (T4)",
     {{1, "", "6588aa"}, {1, "", "4188bb"}, {1, "", "4188cc"}},
     "1k=6588aa 1=4188bb 1=4188cc ",
     0,
     0},
    {"sets and SEI with the timestamp of the picture before (H2)",
     {{1, "M", "6588"},
      {2, "M", "4188"},
      {2, "", "67420001"},
      {2, "", "68cc"},
      {2, "", "0601aa"},
      {3, "M", "6588bb"}},
     "1k=6588 2=4188 3k=0601aa+6588bb ",
     0,
     0},
    {"the same without markers (H2)",
     {{1, "", "6588"}, {2, "", "4188"}, {2, "", "0601aa"}, {3, "", "6588bb"}},
     "1k=6588 2=4188 3k=0601aa+6588bb ",
     0,
     0},
    {"SEI between two slices stays there",
     {{1, "", "6588"}, {1, "", "0601aa"}, {1, "M", "6508"}, {2, "M", "4188"}},
     "1k=6588+0601aa+6508 2=4188 ",
     0,
     0},
    {"delimiters, filler and reserved types are dropped (H12)",
     {{1, "", "09f0"},
      {1, "", "67420001"},
      {1, "", "0601aa"},
      {1, "", "6588"},
      {1, "", "0cffff"},
      {1, "", "1faa"},
      {1, "M", "1eaa"},
      {2, "M", "09f0"},
      {2, "M", "4188"}},
     "1k=0601aa+6588 2=4188 ",
     0,
     0},
    {"filler behind the picture carries its marker",
     {{1, "M", "6588"}, {2, "", "4188"}, {2, "M", "0cffff"}, {3, "", "4188"}},
     "1k=6588 2=4188 3=4188 ",
     0,
     0},
    {"annex B in one packet (H4)",
     {{1, "M", "67420001 00000001 68cc 00000001 6588aa"}, {2, "M", "4188"}},
     "1k=6588aa 2=4188 ",
     0,
     0},
    {"a start code at the head of each packet (H4)",
     {{1, "M", "00000001 6588aa"}, {2, "M", "000001 4188"}},
     "1k=6588aa 2=4188 ",
     0,
     0},
    {"annex B inside FU-A, the start code cut apart (H4)",
     {{1, "", "7c80 0000"},
      {1, "", "7c00 01 67420001 000000"},
      {1, "M", "7c40 01 6588aa"},
      {2, "M", "4188"}},
     "1k=6588aa 2=4188 ",
     0,
     0},
    {"another slice glued to a fragmented one (H4)",
     {{1, "", "7c85 88aa"}, {1, "M", "7c45 00000001 6508bb"}, {2, "M", "4188"}},
     "1k=6588aa+6508bb 2=4188 ",
     0,
     0},
    {"STAP-A with padding, and with a size beyond the packet (H6)",
     {{1, "M", "78 0003 6588aa 0000 0000"}, {2, "M", "78 0002 4188 00ff 41"}, {3, "M", "4188"}},
     "1k=6588aa 2=4188 3=4188 ",
     0,
     1},
    {"STAP-B, MTAP16 and FU-B (H6)",
     {{1, "M", "79 0000 0002 6588"},
      {2, "M", "7a 0000 0005 00 0000 4188"},
      {3, "", "5d81 0001 88aa"},
      {3, "M", "5c41 bb"}},
     "1k=6588 2=4188 3=4188aabb ",
     0,
     0},
    {"loss inside a fragmented picture",
     {{1, "M", "6588"}, {2, "", "5c81 88"}, {2, "1M", "5c41 bb"}, {3, "M", "4188"}},
     "1k=6588 3!=4188 ",
     1,
     0},
    {"loss of the end of a picture, and of whole ones",
     {{1, "M", "6588"}, {2, "", "4188"}, {3, "3M", "4188"}, {4, "M", "4188"}, {6, "2M", "4188"}},
     "1k=6588 3!=4188 4=4188 6!=4188 ",
     1,
     0},
    {"loss of the beginning of a picture",
     {{1, "M", "6588"}, {2, "1", "5c01 88"}, {2, "M", "5c41 bb"}, {3, "M", "4188"}},
     "1k=6588 3!=4188 ",
     1,
     0},
    {"loss of a slice among others",
     {{1, "M", "6588"}, {2, "", "4188"}, {2, "1M", "4108"}, {3, "M", "4188"}},
     "1k=6588 3!=4188 ",
     1,
     0},
    {"loss of the first slice",
     {{1, "M", "6588"}, {2, "1M", "4108"}, {3, "M", "4188"}},
     "1k=6588 3!=4188 ",
     1,
     0},
    {"loss behind the first picture, whose marker is not proven yet",
     {{1, "M", "6588"}, {2, "1M", "4188"}, {3, "M", "4188"}},
     "1k=6588 2!=4188 3=4188 ",
     0,
     0},
    {"a fragment out of nowhere",
     {{1, "M", "6588"}, {2, "", "5c01 88"}, {2, "M", "4108"}, {3, "M", "4188"}},
     "1k=6588 3!=4188 ",
     1,
     1},
    {"runts are skipped",
     {{1, "", ""}, {1, "", "65"}, {1, "", "7c"}, {1, "", "78"}, {1, "M", "6588"}, {2, "M", "4188"}},
     "1k=6588 2=4188 ",
     0,
     3},
    {"prefix units of SVC do not end a picture",
     {{1, "", "6e01"},
      {1, "", "6588"},
      {1, "", "6e01"},
      {1, "", "6508"},
      {1, "M", "7401"},
      {2, "M", "4188"}},
     "1k=6e01+6588+6e01+6508+7401 2=4188 ",
     0,
     0},
    {"H.265 taken for H.264 gives no pictures (H8)",
     {{1, "", "40010c01ffff"},
      {1, "", "420101016000"},
      {1, "", "4401c172b4"},
      {1, "", "620193afaa"},
      {1, "M", "620153bb"},
      {2, "M", "0201d0aa"},
      {3, "M", "0001e0bb"},
      {4, "M", "2801afcc"}},
     "",
     0,
     0},
};

static void puts_access_units_together(void **state)
{
    (void)state;
    struct sdp_media media = {.codec = CODEC_H264};
    for (size_t i = 0; i < ARRAY_LEN(cases); i++)
        rig_run(&cases[i], &media);
}

static void hands_out_at_the_marker_once_it_is_proven(void **state)
{
    (void)state;
    struct depay_rig rig;
    rig_open(&rig, &(struct sdp_media){.codec = CODEC_H264});
    rig_feed(&rig, 1, true, 0, "6588");
    rig_expect(&rig, "");
    rig_feed(&rig, 2, true, 0, "4188");
    rig_expect(&rig, "1k=6588 2=4188 ");
    rig_feed(&rig, 3, true, 0, "4188");
    rig_expect(&rig, "3=4188 ");
    rig_close(&rig);
}

static void takes_the_format_from_the_stream(void **state)
{
    (void)state;
    struct depay_rig rig;
    rig_open(&rig, &(struct sdp_media){.codec = CODEC_H264});
    rig_feed(&rig, 1, true, 0, "6588");
    rig_feed(&rig, 2, false, 0, SPS_360);
    rig_expect(&rig, "1k=6588 ");
    assert_null(rig.format);
    rig_feed(&rig, 2, false, 0, PPS_360);
    rig_feed(&rig, 2, true, 0, "6588");
    rig_expect(&rig, "2k=6588 ");
    assert_int_equal(rig.format->width, 640);
    assert_int_equal(depay_stats(rig.d)->n_format_changes, 0);

    /* repeated: the same format object */
    struct format *before = rig.format;
    rig_feed(&rig, 3, false, 0, SPS_360);
    rig_feed(&rig, 3, false, 0, PPS_360);
    rig_feed(&rig, 3, true, 0, "6588");
    assert_ptr_equal(rig.format, before);

    /* changed while a picture is open: from the next one on (H8) */
    rig_feed(&rig, 4, false, 0, "4188");
    rig_feed(&rig, 4, false, 0, SPS_1080);
    rig_feed(&rig, 4, false, 0, PPS_1080);
    rig_feed(&rig, 5, false, 0, "6588");
    assert_int_equal(rig.format->width, 640);
    depay_flush(rig.d);
    assert_int_equal(rig.format->width, 1920);
    assert_int_equal(depay_stats(rig.d)->n_format_changes, 1);
    rig_expect(&rig, "3k=6588 4=4188 5k=6588 ");
    rig_close(&rig);
}

static void keeps_the_format_of_the_description_until_the_stream_differs(void **state)
{
    (void)state;
    struct depay_rig rig;
    struct format *f = h264_format(SPS_360, PPS_360);
    rig_open(&rig, &(struct sdp_media){.codec = CODEC_H264, .format = f});
    rig_feed(&rig, 1, false, 0, SPS_360 "0000");
    rig_feed(&rig, 1, false, 0, PPS_360);
    rig_feed(&rig, 1, true, 0, "6588");
    depay_flush(rig.d);
    assert_ptr_equal(rig.format, f);
    /* a second PPS with an id of its own is added, and both may alternate */
    rig_feed(&rig, 2, false, 0, "6848e3cb20");
    rig_feed(&rig, 2, true, 0, "4188");
    for (uint32_t i = 3; i < 9; i++) {
        rig_feed(&rig, i, false, 0, i & 1 ? PPS_360 : "6848e3cb20");
        rig_feed(&rig, i, true, 0, "4188");
    }
    assert_int_equal(depay_stats(rig.d)->n_format_changes, 1);
    assert_int_equal(rig.format->width, 640);
    format_unref(&f);
    rig_close(&rig);
}

static void bounds_what_parameter_sets_may_take(void **state)
{
    (void)state;
    struct depay_rig rig;
    rig_open(&rig, &(struct sdp_media){.codec = CODEC_H264});
    uint8_t big[8000];
    memset(big, 0xff, sizeof big);
    for (unsigned i = 0; i < 2000; i++) {
        big[0] = i & 1 ? 0x67 : 0x68;
        big[1] = (uint8_t)i;
        big[2] = (uint8_t)(i >> 4);
        big[6] = (uint8_t)(i * 7);
        struct rtp rtp = {.timestamp = i, .payload = big, .payload_size = i % 500 * 16 + 8};
        depay_input(rig.d, &rtp, 0);
        rig_feed(&rig, i, true, 0, "6588");
        assert_true(!rig.format || rig.format->config_size <= FORMAT_CONFIG_MAX_BYTES);
    }
    rig_close(&rig);
}

static void splits_fields_only_by_their_timestamps(void **state)
{
    (void)state;
    struct depay_rig rig;
    struct format *f = h264_format(SPS_576I, PPS_576I);
    rig_open(&rig, &(struct sdp_media){.codec = CODEC_H264, .format = f});
    rig_feed(&rig, 1, false, 0, "6588aa");
    rig_feed(&rig, 1, true, 0, "4188bb");
    rig_feed(&rig, 2, false, 0, "4188cc");
    rig_feed(&rig, 2, true, 0, "4188dd");
    rig_expect(&rig, "1k=6588aa+4188bb 2=4188cc+4188dd ");
    format_unref(&f);
    rig_close(&rig);
}

static void H15_drops_what_is_too_big_and_goes_on(void **state)
{
    (void)state;
    struct depay_rig rig;
    rig_open(&rig, &(struct sdp_media){.codec = CODEC_H264});
    size_t n = 60000;
    uint8_t *p = xcalloc(1, n);
    memset(p, 0xaa, n);
    for (size_t i = 0; i < PACKET_MAX_BYTES / n + 20; i++) {
        p[0] = 0x7c;
        p[1] = i == 0 ? 0x85 : 0x05;
        struct rtp rtp = {.timestamp = 1, .payload = p, .payload_size = n};
        depay_input(rig.d, &rtp, 0);
    }
    rig_feed(&rig, 2, true, 0, "4188");
    rig_feed(&rig, 3, true, 0, "4188");
    rig_expect(&rig, "2!=4188 3=4188 ");
    assert_int_equal(depay_stats(rig.d)->n_oversize, 1);
    free(p);
    rig_close(&rig);
}

static void R5_keeps_what_is_whole_when_the_count_restarts(void **state)
{
    (void)state;
    struct depay_rig rig;
    rig_open(&rig, &(struct sdp_media){.codec = CODEC_H264});
    rig_feed(&rig, 1, false, 0, "6588");
    depay_restart(rig.d, 2); /* without markers: the next timestamp ends it */
    rig_feed(&rig, 2, false, 0, "0601aa");
    rig_feed(&rig, 2, true, 0, "6588");
    depay_restart(rig.d, 3);
    rig_expect(&rig, "1k=6588 2k!=0601aa+6588 ");
    rig_feed(&rig, 3, true, 0, "4188");
    rig_feed(&rig, 4, false, 0, "5c81 88");
    depay_restart(rig.d, 5); /* an open fragment is dropped */
    rig_feed(&rig, 5, true, 0, "4188");
    rig_feed(&rig, 6, true, 0, "4188");
    rig_feed(&rig, 7, false, 0, "4188");
    depay_restart(rig.d, 8); /* and so is a picture without its marker */
    rig_feed(&rig, 8, true, 0, "4188");
    rig_expect(&rig, "3!=4188 5!=4188 6=4188 8!=4188 ");
    assert_int_equal(depay_stats(rig.d)->n_damaged, 2);
    rig_close(&rig);
}

static void refuses_an_unknown_codec(void **state)
{
    (void)state;
    struct depay *d = NULL;
    assert_int_equal(depay_create(&(struct sdp_media){0}, rig_unit, NULL, &d), ERR_UNSUPPORTED);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(puts_access_units_together),
        cmocka_unit_test(hands_out_at_the_marker_once_it_is_proven),
        cmocka_unit_test(takes_the_format_from_the_stream),
        cmocka_unit_test(keeps_the_format_of_the_description_until_the_stream_differs),
        cmocka_unit_test(bounds_what_parameter_sets_may_take),
        cmocka_unit_test(splits_fields_only_by_their_timestamps),
        cmocka_unit_test(H15_drops_what_is_too_big_and_goes_on),
        cmocka_unit_test(R5_keeps_what_is_whole_when_the_count_restarts),
        cmocka_unit_test(refuses_an_unknown_codec),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
