#include "media_rig.h"

#include "base/err.h"
#include "media/aac.h"

static void reads_configurations(void **state)
{
    (void)state;
    static const struct {
        const char *hex;
        int rc, object_type, rate, channels;
    } cases[] = {
        {"1190", 0, 2, 48000, 2},         {"1408", 0, 2, 16000, 1},       /* quirk M1: mono although
                                                                             rtpmap says nothing */
        {"1588", 0, 2, 8000, 1},          {"119056e500", 0, 2, 48000, 2}, /* SBR told at the end */
        {"2b8a0800", 0, 2, 22050, 1}, /* SBR told in front: object type 5 */
        {"178015888800", 0, 2, 11025, 1}, {"11", ERR_PARSE, 0, 0, 0},     {"", ERR_PARSE, 0, 0, 0},
        {"1680", ERR_PARSE, 0, 0, 0}, /* a rate index that stands for nothing */
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct bytes b = unhex(cases[i].hex);
        struct aac_config c;
        assert_int_equal(aac_read_config(b.p, b.n, &c), cases[i].rc);
        if (cases[i].rc < 0)
            continue;
        assert_int_equal(c.object_type, cases[i].object_type);
        assert_int_equal(c.sample_rate, cases[i].rate);
        assert_int_equal(c.channels, cases[i].channels);
        assert_int_equal(c.frame_samples, 1024);
    }
}

static void writes_what_it_reads(void **state)
{
    (void)state;
    static const int rates[] = {8000, 16000, 44100, 48000, 96000, 10000};
    for (size_t i = 0; i < ARRAY_LEN(rates); i++) {
        for (int channels = 1; channels <= 8; channels++) {
            if (channels == 7)
                continue;
            uint8_t p[AAC_CONFIG_MAX_BYTES];
            struct aac_config c;
            size_t n = aac_write_config(rates[i], channels, p);
            assert_int_equal(aac_read_config(p, n, &c), 0);
            assert_int_equal(c.sample_rate, rates[i]);
            assert_int_equal(c.channels, channels);
            assert_int_equal(c.object_type, 2);
        }
    }
}

static void reads_adts(void **state)
{
    (void)state;
    struct bytes b = unhex("fff160400160fc 01020304");
    struct aac_adts adts;
    b.p[3] = 0x40 | 0;
    b.p[4] = 11 >> 3;
    b.p[5] = (uint8_t)((11 & 7) << 5 | 0x1f);
    assert_int_equal(aac_read_adts(b.p, b.n, &adts), 0);
    assert_int_equal(adts.header_size, 7);
    assert_int_equal(adts.frame_size, 11);
    assert_int_equal(adts.config.sample_rate, 16000);
    assert_int_equal(adts.config.channels, 1);
    for (size_t n = 0; n < 11; n++)
        assert_int_equal(aac_read_adts(b.p, n, &adts), ERR_PARSE);
    b.p[0] = 0xfe;
    assert_int_equal(aac_read_adts(b.p, b.n, &adts), ERR_PARSE);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(reads_configurations),
        cmocka_unit_test(writes_what_it_reads),
        cmocka_unit_test(reads_adts),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
