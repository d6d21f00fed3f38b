#include "depay_rig.h"

static struct sdp_media aac_media(const char *config)
{
    struct bytes b = unhex(config);
    struct sdp_media m = {.codec = CODEC_AAC,
                          .clock_rate = 16000,
                          .aac_size_length = 13,
                          .aac_index_length = 3,
                          .aac_index_delta_length = 3};
    assert_int_equal(format_create_audio(CODEC_AAC, 16000, 1, b.p, b.n, &m.format), 0);
    return m;
}

static const struct depay_case aac_cases[] = {
    {"one unit", {{10, "M", "0010 0018 aabbcc"}}, "10=aabbcc ", 0, 0},
    {"three units, 1024 ticks apart",
     {{10, "M", "0030 0008 0010 0008 aa bbcc dd"}},
     "10=aa 1034=bbcc 2058=dd ",
     0,
     0},
    {"fragments of one unit",
     {{10, "", "0010 0028 aabb"}, {10, "M", "0010 0028 ccddee"}},
     "10=aabbccddee ",
     0,
     0},
    {"a lost fragment", {{10, "", "0010 0028 aabb"}, {20, "1M", "0010 0008 cc"}}, "20!=cc ", 1, 0},
    {"a header section counted in bytes (M1)", {{10, "M", "0002 0018 aabbcc"}}, "10=aabbcc ", 0, 0},
    {"a size that is too large, marked as whole (M1)",
     {{10, "M", "0010 0050 aabbcc"}},
     "10=aabbcc ",
     0,
     0},
    {"more sizes than bytes", {{10, "M", "0020 0008 0050 aabb"}}, "10=aa ", 0, 1},
    {"ADTS inside the unit (M1)", {{10, "M", "0010 0048 fff16040013ffc aabb"}}, "10=aabb ", 0, 0},
    {"ADTS in place of the payload (M1)",
     {{10, "M", "fff16040013ffc aabb fff16040011ffc cc"}},
     "10=aabb 1034=cc ",
     0,
     0},
    {"garbage",
     {{10, "", ""}, {10, "M", "00"}, {10, "M", "ffff aa"}, {10, "M", "0000 aa"}, {10, "M", "0010"}},
     "",
     0,
     5},
};

static void reads_aac(void **state)
{
    (void)state;
    struct sdp_media media = aac_media("1408");
    for (size_t i = 0; i < ARRAY_LEN(aac_cases); i++)
        rig_run(&aac_cases[i], &media);
    format_unref(&media.format);
}

static void believes_adts_about_rate_and_channels(void **state)
{
    (void)state;
    struct depay_rig rig;
    struct sdp_media media = aac_media("1588");
    rig_open(&rig, &media);
    rig_feed(&rig, 10, true, 0, "0010 0048 fff16040013ffc aabb");
    assert_int_equal(rig.format->sample_rate, 16000);
    assert_int_equal(depay_stats(rig.d)->n_format_changes, 1);
    rig_close(&rig);
    format_unref(&media.format);
}

static void T8_follows_the_clock_of_the_configuration(void **state)
{
    (void)state;
    struct depay_rig rig;
    struct sdp_media media = aac_media("1408"); /* 16000 */
    media.clock_rate = 8000;                    /* says the description */
    rig_open(&rig, &media);
    rig_feed(&rig, 10, true, 0, "0020 0008 0008 aa bb");
    rig_expect(&rig, "10=aa 522=bb "); /* nothing is known yet */
    rig_feed(&rig, 2058, true, 0, "0020 0008 0008 aa bb");
    rig_expect(&rig, "2058=aa 3082=bb ");
    rig_close(&rig);
    media.clock_rate = 32000; /* which may be right as well */
    rig_open(&rig, &media);
    for (uint32_t i = 0; i < 3; i++)
        rig_feed(&rig, 4096 * i, true, 0, "0020 0008 0008 aa bb");
    rig_expect(&rig, "0=aa 2048=bb 4096=aa 6144=bb 8192=aa 10240=bb ");
    rig_close(&rig);
    format_unref(&media.format);
}

static void passes_g711_through(void **state)
{
    (void)state;
    struct depay_rig rig;
    struct format *f = NULL;
    assert_int_equal(format_create_audio(CODEC_PCMU, 8000, 1, NULL, 0, &f), 0);
    rig_open(&rig, &(struct sdp_media){.codec = CODEC_PCMU, .format = f});
    rig_feed(&rig, 1, true, 0, "00112233");
    rig_feed(&rig, 5, false, 0, "44");
    rig_feed(&rig, 5, false, 0, "");
    rig_feed(&rig, 9, false, 2, "55");
    rig_expect(&rig, "1=00112233 5=44 9!=55 ");
    assert_ptr_equal(rig.format, f);
    format_unref(&f);
    rig_close(&rig);
}

/* `count` samples of a tone in packets of 20 ms. */
static void feed_tone(struct depay_rig *rig, int channels, bool is_little, int count, int *at)
{
    uint8_t payload[4 * 160];
    for (int end = *at + count; *at < end; *at += 160) {
        uint8_t *w = payload;
        for (int i = 0; i < 160; i++) {
            /* a parabola is as good as a sine */
            int phase = (*at + i) % 80 - 40;
            unsigned v = (unsigned)(phase * (40 - abs(phase)) * 10 + (*at + i) % 3);
            for (int c = 0; c < channels; c++) {
                *w++ = (uint8_t)(is_little ? v : v >> 8);
                *w++ = (uint8_t)(is_little ? v >> 8 : v);
            }
        }
        struct rtp rtp = {
            .timestamp = (uint32_t)*at, .payload = payload, .payload_size = (size_t)(w - payload)};
        depay_input(rig->d, &rtp, 0);
    }
}

static void open_s16(struct depay_rig *rig, enum codec codec, int channels)
{
    struct sdp_media media = {.codec = codec, .clock_rate = 8000};
    assert_int_equal(format_create_audio(codec, 8000, channels, NULL, 0, &media.format), 0);
    rig_open(rig, &media);
    format_unref(&media.format);
}

/* The name says one order, the samples are in one: what comes out is called what they are in, and
 * its bytes are those that came. */
static void M2_names_16_bit_samples_by_their_order(void **state)
{
    (void)state;
    static const enum codec codecs[] = {CODEC_S16BE, CODEC_S16LE};
    for (unsigned i = 0; i < 8; i++) {
        enum codec label = codecs[i & 1], real = codecs[i >> 1 & 1];
        struct depay_rig rig;
        int at = 0, channels = i & 4 ? 2 : 1;
        open_s16(&rig, label, channels);
        feed_tone(&rig, channels, real == CODEC_S16LE, 8000, &at);
        assert_true(rig.n_units > 20);
        assert_int_equal(rig.format->codec, real);
        assert_int_equal(rig.format->channels, channels);
        assert_int_equal(depay_stats(rig.d)->byte_order,
                         real == CODEC_S16BE ? BYTE_ORDER_BIG : BYTE_ORDER_LITTLE);
        assert_int_equal(depay_stats(rig.d)->n_format_changes, label != real);
        buf_clear(&rig.text);
        rig_feed(&rig, 77, false, 0, "0102030405060708");
        rig_expect(&rig, "77=0102030405060708 ");
        rig_close(&rig);
    }
}

/* After a second in which nothing can be told the label is believed; sound may still tell. */
static void M2_believes_the_label_in_silence(void **state)
{
    (void)state;
    struct depay_rig rig;
    open_s16(&rig, CODEC_S16BE, 1);
    static uint8_t zeros[1600];
    struct rtp rtp = {.payload = zeros, .payload_size = sizeof zeros};
    for (int i = 0; i < 10; i++)
        depay_input(rig.d, &rtp, 0);
    assert_int_equal(rig.n_units, 0);
    depay_input(rig.d, &rtp, 0);
    assert_int_equal(rig.n_units, 1);
    assert_int_equal(rig.format->codec, CODEC_S16BE);
    assert_int_equal(depay_stats(rig.d)->byte_order, BYTE_ORDER_UNKNOWN);
    int at = 0;
    feed_tone(&rig, 1, true, 8000, &at);
    assert_int_equal(rig.format->codec, CODEC_S16LE);
    rig_close(&rig);
}

static void leaves_out_half_a_moment(void **state)
{
    (void)state;
    struct depay_rig rig;
    int at = 0;
    open_s16(&rig, CODEC_S16BE, 2);
    feed_tone(&rig, 2, false, 8000, &at);
    buf_clear(&rig.text);
    rig_feed(&rig, 1, false, 0, "01020304050607");
    rig_feed(&rig, 2, false, 0, "010203");
    rig_feed(&rig, 3, false, 0, "");
    rig_feed(&rig, 4, false, 1, "01020304");
    rig_expect(&rig, "1=01020304 4!=01020304 ");
    assert_int_equal(depay_stats(rig.d)->n_bad_payloads, 2);
    rig_close(&rig);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(reads_aac),
        cmocka_unit_test(believes_adts_about_rate_and_channels),
        cmocka_unit_test(T8_follows_the_clock_of_the_configuration),
        cmocka_unit_test(passes_g711_through),
        cmocka_unit_test(M2_names_16_bit_samples_by_their_order),
        cmocka_unit_test(M2_believes_the_label_in_silence),
        cmocka_unit_test(leaves_out_half_a_moment),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
