#include "media_rig.h"

#include "base/err.h"
#include "media/event.h"

static void names_codecs_as_rfc_6381_does(void **state)
{
    (void)state;
    struct format *f[] = {h264_format(SPS_1080, PPS_1080), h264_format(SPS_360, PPS_360),
                          h265_format(VPS_5M, SPS_5M, PPS_5M), h265_format(VPS_D1, SPS_D1, PPS_D1)};
    static const char *const want[] = {"avc1.640028", "avc1.42C016", "hvc1.1.6.L150.90",
                                       "hvc1.2.4.L90.90"};
    for (size_t i = 0; i < ARRAY_LEN(f); i++) {
        assert_string_equal(f[i]->codec_string, want[i]);
        assert_int_equal(f[i]->timescale, 90000);
        format_unref(&f[i]);
        assert_null(f[i]);
    }
}

static void knows_size_and_reordering(void **state)
{
    (void)state;
    struct format *f = h265_format(VPS_5M, SPS_5M, PPS_5M);
    assert_int_equal(f->width, 2592);
    assert_int_equal(f->height, 1944);
    assert_int_equal(f->reorder_frames, 2);
    format_unref(&f);
}

static void survives_an_unreadable_sps(void **state)
{
    (void)state;
    struct format *f = h264_format("67640028", PPS_1080);
    assert_int_equal(f->width, 0);
    assert_string_equal(f->codec_string, "avc1.640028");
    format_unref(&f);
    f = h265_format(VPS_5M, "420101ff", PPS_5M);
    assert_int_equal(f->width, 0);
    format_unref(&f);
}

static void needs_every_kind_of_set(void **state)
{
    (void)state;
    struct format *f = NULL;
    struct bytes sps = unhex(SPS_5M), pps = unhex(PPS_5M);
    assert_int_equal(format_create_video(CODEC_H265, (struct nal_span){0}, span_bytes(&sps),
                                         span_bytes(&pps), &f),
                     ERR_PARSE);
    assert_null(f);
}

static void comes_back_from_its_record(void **state)
{
    (void)state;
    struct format *made[] = {h264_format(SPS_360, PPS_360), h265_format(VPS_D1, SPS_D1, PPS_D1)};
    for (size_t i = 0; i < ARRAY_LEN(made); i++) {
        struct format *f = NULL;
        assert_int_equal(format_create_config(made[i]->codec, made[i]->config, made[i]->config_size,
                                              1, 1, 0, 0, &f),
                         0);
        assert_int_equal(f->width, made[i]->width);
        assert_string_equal(f->codec_string, made[i]->codec_string);
        assert_true(format_eq(f, made[i]));
        format_unref(&f);
    }
    assert_false(format_eq(made[0], made[1]));
    format_unref(&made[0]);
    format_unref(&made[1]);
}

static void describes_audio(void **state)
{
    (void)state;
    struct format *a = NULL, *b = NULL;
    struct bytes config = unhex("1408");
    assert_int_equal(format_create_audio(CODEC_AAC, 8000, 0, config.p, config.n, &a), 0);
    assert_int_equal(a->sample_rate, 16000);
    assert_int_equal(a->timescale, 16000);
    assert_int_equal(a->channels, 1);
    assert_string_equal(a->codec_string, "mp4a.40.2");
    assert_int_equal(format_create_audio(CODEC_AAC, 16000, 1, NULL, 0, &b), 0);
    assert_true(format_eq(a, b));
    format_unref(&b);
    assert_int_equal(format_create_audio(CODEC_PCMA, 0, 0, NULL, 0, &b), 0);
    assert_int_equal(b->sample_rate, 8000);
    assert_string_equal(b->codec_string, "alaw");
    assert_int_equal(b->config_size, 0);
    assert_int_equal(format_moment_bytes(a), 0);
    assert_int_equal(format_moment_bytes(b), 1);
    format_unref(&a);
    format_unref(&b);
    assert_int_equal(format_create_audio(CODEC_AAC, 0, 0, config.p, 1, &a), ERR_PARSE);
    assert_int_equal(format_create_audio(CODEC_H264, 0, 0, NULL, 0, &a), ERR_UNSUPPORTED);
}

static void M2_describes_16_bit_samples_in_both_orders(void **state)
{
    (void)state;
    struct format *big = NULL, *little = NULL, *f = NULL;
    assert_int_equal(format_create_audio(CODEC_S16BE, 48000, 2, NULL, 0, &big), 0);
    assert_int_equal(format_create_audio(CODEC_S16LE, 48000, 2, NULL, 0, &little), 0);
    assert_string_equal(big->codec_string, "twos");
    assert_string_equal(little->codec_string, "sowt");
    assert_int_equal(big->timescale, 48000);
    assert_int_equal(format_moment_bytes(big), 4);
    assert_int_equal(big->config_size, 0);
    assert_false(format_eq(big, little));
    format_unref(&big);
    format_unref(&little);
    static const int strange[][2] = {{7999, 1}, {48001, 1}, {96000, 2}, {16000, 3}};
    for (size_t i = 0; i < ARRAY_LEN(strange); i++)
        assert_int_equal(
            format_create_audio(CODEC_S16BE, strange[i][0], strange[i][1], NULL, 0, &f),
            ERR_UNSUPPORTED);
}

static void names_things(void **state)
{
    (void)state;
    assert_string_equal(codec_name(CODEC_H265), "h265");
    assert_string_equal(codec_name(CODEC_NONE), "none");
    assert_string_equal(event_type_name(EVENT_MOTION), "motion");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(names_codecs_as_rfc_6381_does),
        cmocka_unit_test(knows_size_and_reordering),
        cmocka_unit_test(survives_an_unreadable_sps),
        cmocka_unit_test(needs_every_kind_of_set),
        cmocka_unit_test(comes_back_from_its_record),
        cmocka_unit_test(describes_audio),
        cmocka_unit_test(M2_describes_16_bit_samples_in_both_orders),
        cmocka_unit_test(names_things),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
