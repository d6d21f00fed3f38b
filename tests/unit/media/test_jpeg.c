#include "media_rig.h"

#include "base/err.h"
#include "jpeg_images.h"
#include "media/jpeg.h"

static void reads_the_head_of_real_images(void **state)
{
    (void)state;
    struct jpeg j;
    assert_int_equal(jpeg_read(jpeg_420, sizeof jpeg_420, &j), 0);
    assert_true(j.width == 48 && j.height == 32 && j.n_components == 3 && j.sampling == 0x22);
    assert_true(j.is_baseline && j.has_standard_codes && j.has_plain_chroma);
    assert_ptr_equal(j.tables[0].p, j.tables[1].p);
    assert_int_equal(j.scan_end, sizeof jpeg_420 - 2);

    assert_int_equal(jpeg_read(jpeg_422, sizeof jpeg_422, &j), 0);
    assert_true(j.width == 40 && j.height == 24 && j.n_components == 3 && j.sampling == 0x21);
    assert_true(j.is_baseline && j.has_standard_codes && j.has_plain_chroma);
    assert_ptr_not_equal(j.tables[0].p, j.tables[1].p);
    assert_int_equal(j.restart_interval, 0);
}

static void refuses_what_is_cut_off_or_no_image(void **state)
{
    (void)state;
    struct jpeg j;
    assert_int_equal(jpeg_read(jpeg_422, sizeof jpeg_422, &j), 0);
    size_t scan_at = j.scan_at;
    for (size_t n = 0; n < scan_at; n++) {
        uint8_t *copy = xmalloc(n + 1);
        memcpy(copy, jpeg_422, n);
        assert_int_equal(jpeg_read(copy, n, &j), ERR_PARSE);
        free(copy);
    }
    assert_int_equal(jpeg_read((const uint8_t *)"not an image", 12, &j), ERR_PARSE);
}

static void writes_a_head_that_reads_back(void **state)
{
    (void)state;
    uint8_t standard[2][JPEG_TABLE_VALUES], wide[2 * JPEG_TABLE_VALUES], head[JPEG_HEAD_MAX_BYTES];
    jpeg_standard_tables(75, standard);
    memset(wide, 1, sizeof wide);
    const struct jpeg cases[] = {
        {.width = 640, .height = 480, .sampling = 0x22, .tables = {{standard[0]}, {standard[1]}}},
        {.width = 3840,
         .height = 2160,
         .sampling = 0x21,
         .restart_interval = 120,
         .tables = {{wide, true}, {wide, true}}},
        {.width = 8, .height = 8, .sampling = 0x21, .tables = {{standard[0]}}},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        const struct jpeg *in = &cases[i];
        struct jpeg j;
        size_t n = jpeg_write_head(in, head);
        assert_true(n <= sizeof head);
        assert_int_equal(jpeg_read(head, n, &j), 0);
        assert_true(j.width == in->width && j.height == in->height);
        assert_true(j.sampling == in->sampling && j.restart_interval == in->restart_interval);
        assert_true(j.is_baseline && j.has_standard_codes && j.has_plain_chroma);
        assert_int_equal(j.scan_at, n);
        for (int t = 0; t < 2; t++) {
            const struct jpeg_table *want = in->tables[t].p ? &in->tables[t] : &in->tables[0];
            assert_int_equal(j.tables[t].is_wide, want->is_wide);
            assert_memory_equal(j.tables[t].p, want->p, jpeg_table_bytes(want));
        }
    }
}

/* libjpeg scales the tables of annex K by the same rule: GStreamer's image is of quality 40. */
static void makes_the_tables_of_a_quality(void **state)
{
    (void)state;
    struct jpeg j;
    uint8_t t[2][JPEG_TABLE_VALUES];
    assert_int_equal(jpeg_read(jpeg_422, sizeof jpeg_422, &j), 0);
    jpeg_standard_tables(40, t);
    assert_memory_equal(t[0], j.tables[0].p, JPEG_TABLE_VALUES);
    assert_memory_equal(t[1], j.tables[1].p, JPEG_TABLE_VALUES);
    jpeg_standard_tables(1, t);
    assert_int_equal(t[1][0], 255);
    jpeg_standard_tables(120, t);
    assert_int_equal(t[0][0], 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(reads_the_head_of_real_images),
        cmocka_unit_test(refuses_what_is_cut_off_or_no_image),
        cmocka_unit_test(writes_a_head_that_reads_back),
        cmocka_unit_test(makes_the_tables_of_a_quality),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
