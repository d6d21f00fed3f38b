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

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(reads_aac),
        cmocka_unit_test(believes_adts_about_rate_and_channels),
        cmocka_unit_test(T8_follows_the_clock_of_the_configuration),
        cmocka_unit_test(passes_g711_through),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
