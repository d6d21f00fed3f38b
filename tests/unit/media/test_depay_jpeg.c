#include "media_rig.h"

#include "base/buf.h"
#include "base/err.h"
#include "jpeg_images.h"
#include "media/depay.h"
#include "media/jpeg.h"
#include "media/pay.h"

/* What came out, newest last. */
struct rig {
    struct depay *d;
    struct packet *out[8];
    size_t n_out;
    uint32_t timestamps[8];
};

static void on_unit(void *ctx, struct packet *pkt, uint32_t timestamp)
{
    struct rig *rig = ctx;
    assert_true(rig->n_out < ARRAY_LEN(rig->out));
    assert_true(pkt->is_video && pkt->is_key && pkt->format);
    rig->timestamps[rig->n_out] = timestamp;
    rig->out[rig->n_out++] = pkt;
}

static void rig_open(struct rig *rig, int width, int height)
{
    struct sdp_media media = {.codec = CODEC_JPEG, .is_video = true, .payload_type = 26};
    *rig = (struct rig){.n_out = 0};
    if (width > 0)
        media.format = format_create_jpeg(width, height);
    assert_int_equal(depay_create(&media, on_unit, rig, &rig->d), 0);
    format_unref(&media.format);
}

static void rig_close(struct rig *rig)
{
    for (size_t i = 0; i < rig->n_out; i++)
        packet_unref(&rig->out[i]);
    depay_destroy(&rig->d);
}

/* One payload: head in hexadecimal, then n bytes. Copied to the heap, so that a sanitizer sees
 * every read past the end. */
static void feed(struct rig *rig, uint32_t timestamp, bool marker, uint32_t lost, const char *head,
                 const void *data, size_t n)
{
    struct bytes h = unhex(head);
    uint8_t *copy = xmalloc(h.n + n);
    memcpy(copy, h.p, h.n);
    if (n > 0)
        memcpy(copy + h.n, data, n);
    struct rtp rtp = {
        .marker = marker, .timestamp = timestamp, .payload = copy, .payload_size = h.n + n};
    depay_input(rig->d, &rtp, lost);
    free(copy);
}

/* An image of quality 50 and 16x8 pixels; only its scan counts here. */
#define HEAD_0 "00000000 00 32 02 01"
#define HEAD_4 "00000004 00 32 02 01"
#define HEAD_8 "00000008 00 32 02 01"

static void expect_scan(const struct packet *pkt, const char *want)
{
    struct jpeg j;
    assert_int_equal(jpeg_read(pkt->data, pkt->size, &j), 0);
    assert_int_equal(j.scan_end - j.scan_at, strlen(want));
    assert_memory_equal(pkt->data + j.scan_at, want, strlen(want));
    assert_int_equal(j.scan_end, pkt->size - 2);
}

static void puts_a_head_in_front_of_the_scan(void **state)
{
    (void)state;
    static const struct {
        const char *head;
        int width, height;
        uint8_t sampling;
        uint16_t restart_interval;
    } cases[] = {
        {"00000000 00 32 50 3c", 640, 480, 0x21, 0},
        {"00000000 01 32 ff 87", 2040, 1080, 0x22, 0},
        {"00000000 40 32 02 01 0028 c000", 16, 8, 0x21, 40},
        {"00000000 41 32 02 01 0001 ffff", 16, 8, 0x22, 1},
    };
    uint8_t t[2][JPEG_TABLE_VALUES];
    jpeg_standard_tables(50, t);
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct rig rig;
        struct jpeg j;
        rig_open(&rig, 0, 0);
        feed(&rig, 1, true, 0, cases[i].head, "scan", 4);
        assert_int_equal(rig.n_out, 1);
        assert_int_equal(jpeg_read(rig.out[0]->data, rig.out[0]->size, &j), 0);
        assert_true(j.width == cases[i].width && j.height == cases[i].height);
        assert_true(rig.out[0]->format->width == j.width);
        assert_true(rig.out[0]->format->height == j.height);
        assert_int_equal(j.sampling, cases[i].sampling);
        assert_int_equal(j.restart_interval, cases[i].restart_interval);
        assert_memory_equal(j.tables[0].p, t[0], sizeof t[0]);
        assert_memory_equal(j.tables[1].p, t[1], sizeof t[1]);
        expect_scan(rig.out[0], "scan");
        rig_close(&rig);
    }
}

/* Tables of Q 128 to 254 are sent once, those of 255 hold for one picture. */
static void remembers_tables_by_q(void **state)
{
    (void)state;
    struct rig rig;
    struct jpeg j;
    uint8_t tables[192];
    memset(tables, 3, 64);
    memset(tables + 64, 7, 128);
    rig_open(&rig, 0, 0);
    feed(&rig, 1, true, 0, "00000000 00 80 02 01 00 00 0000", "scan", 4); /* none known yet */
    assert_int_equal(rig.n_out, 0);
    assert_int_equal(depay_stats(rig.d)->n_bad_payloads, 1);
    feed(&rig, 2, false, 0, "00000000 00 80 02 01 00 00 0080", tables, 128);
    feed(&rig, 2, true, 0, "00000000 00 80 02 01 00 00 0080", tables, 128 + 4);
    feed(&rig, 3, true, 0, "00000000 00 81 02 01 00 02 00c0", tables, 192);
    feed(&rig, 3, true, 0, "00000000 00 81 02 01 00 02 00c0", tables, 192);
    depay_flush(rig.d);
    assert_int_equal(rig.n_out, 1); /* the others have no scan */
    feed(&rig, 4, true, 0, "00000000 00 80 02 01 00 00 0000", "scan", 4);
    feed(&rig, 5, true, 0, "00000000 00 81 02 01 00 00 0000", "scan", 4);
    feed(&rig, 6, true, 0, "00000000 00 ff 02 01 00 00 0000", "scan", 4); /* must bring its own */
    assert_int_equal(rig.n_out, 3);
    assert_int_equal(jpeg_read(rig.out[1]->data, rig.out[1]->size, &j), 0);
    assert_int_equal(j.tables[0].p[0], 3);
    assert_int_equal(j.tables[1].p[0], 7);
    assert_false(j.tables[1].is_wide);
    assert_int_equal(jpeg_read(rig.out[2]->data, rig.out[2]->size, &j), 0);
    assert_true(j.tables[1].is_wide);
    rig_close(&rig);
}

static void puts_fragments_together_by_offset(void **state)
{
    (void)state;
    struct rig rig;
    rig_open(&rig, 0, 0);
    feed(&rig, 1, false, 0, HEAD_0, "abcd", 4);
    feed(&rig, 1, false, 0, HEAD_4, "efgh", 4);
    feed(&rig, 1, false, 0, HEAD_4, "efgh", 4); /* twice the same */
    feed(&rig, 1, true, 0, HEAD_8, "ij", 2);
    feed(&rig, 2, false, 0, HEAD_0, "klmn", 4); /* no marker: the next one ends it */
    feed(&rig, 3, true, 0, HEAD_0, "op\xff\xd9", 4);
    assert_int_equal(rig.n_out, 3);
    expect_scan(rig.out[0], "abcdefghij");
    expect_scan(rig.out[1], "klmn");
    expect_scan(rig.out[2], "op");
    for (size_t i = 0; i < 3; i++) {
        assert_int_equal(rig.timestamps[i], i + 1);
        assert_false(rig.out[i]->is_discontinuity);
    }
    assert_ptr_equal(rig.out[0]->format, rig.out[2]->format);
    assert_int_equal(depay_stats(rig.d)->n_damaged, 0);
    rig_close(&rig);
}

struct loss_case {
    const char *name;
    struct {
        uint32_t timestamp;
        bool marker;
        uint32_t lost;
        const char *head;
    } steps[6]; /* four bytes of scan each */
    int n_units, n_damaged;
    bool is_discontinuity; /* of the last unit */
    uint32_t lost_before;
};

static void never_shows_a_picture_with_a_hole(void **state)
{
    (void)state;
    static const struct loss_case cases[] = {
        {"the middle is missing",
         {{1, false, 0, HEAD_0}, {1, true, 1, HEAD_8}, {2, true, 0, HEAD_0}},
         1,
         1,
         true,
         1},
        {"the beginning is missing",
         {{1, false, 1, HEAD_4}, {1, true, 0, HEAD_8}, {2, true, 0, HEAD_0}},
         1,
         1,
         true,
         1},
        {"the end is missing",
         {{1, false, 0, HEAD_0}, {2, true, 1, HEAD_0}, {3, true, 0, HEAD_0}},
         2,
         1,
         false,
         0},
        {"the end and the next beginning are missing",
         {{1, false, 0, HEAD_0}, {2, true, 2, HEAD_4}, {3, true, 0, HEAD_0}},
         1,
         2,
         true,
         2},
        {"a whole picture is missing", {{1, true, 0, HEAD_0}, {3, true, 1, HEAD_0}}, 2, 0, true, 1},
        {"fragments out of order",
         {{1, false, 0, HEAD_0}, {1, false, 0, HEAD_8}, {1, true, 0, HEAD_4}, {2, true, 0, HEAD_0}},
         1,
         1,
         true,
         0},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        const struct loss_case *c = &cases[i];
        struct rig rig;
        rig_open(&rig, 0, 0);
        for (size_t k = 0; k < ARRAY_LEN(c->steps) && c->steps[k].head; k++)
            feed(&rig, c->steps[k].timestamp, c->steps[k].marker, c->steps[k].lost,
                 c->steps[k].head, "scan", 4);
        depay_flush(rig.d);
        if ((int)rig.n_out != c->n_units || depay_stats(rig.d)->n_damaged != (uint64_t)c->n_damaged)
            print_error("case: %s\n", c->name);
        assert_int_equal(rig.n_out, c->n_units);
        assert_int_equal(depay_stats(rig.d)->n_damaged, c->n_damaged);
        const struct packet *last = rig.out[rig.n_out - 1];
        expect_scan(last, "scan");
        assert_int_equal(last->is_discontinuity, c->is_discontinuity);
        assert_int_equal(last->lost_before, c->lost_before);
        rig_close(&rig);
    }
}

static void takes_the_size_of_the_description_when_the_payload_has_none(void **state)
{
    (void)state;
    struct rig rig;
    rig_open(&rig, 3840, 2160);
    feed(&rig, 1, true, 0, "00000000 01 32 00 00", "scan", 4);
    assert_int_equal(rig.n_out, 1);
    assert_true(rig.out[0]->format->width == 3840 && rig.out[0]->format->height == 2160);
    assert_int_equal(depay_stats(rig.d)->n_format_changes, 0);
    rig_close(&rig);

    rig_open(&rig, 0, 0);
    feed(&rig, 1, false, 0, "00000000 01 32 00 00", "scan", 4);
    feed(&rig, 1, true, 0, "00000004 01 32 00 00", "scan", 4);
    assert_int_equal(rig.n_out, 0);
    assert_int_equal(depay_stats(rig.d)->n_bad_payloads, 1);
    assert_int_equal(depay_stats(rig.d)->n_damaged, 0);
    rig_close(&rig);
}

/* ONVIF: marker segments in a header extension, padded with 0xff. */
static void takes_the_size_of_a_header_extension(void **state)
{
    (void)state;
    static const struct {
        const char *extension;
        uint16_t profile;
        int n_units;
    } cases[] = {
        {"ffc0 0011 08 0870 0f00 03 01 21 00 02 11 01 03 11 01 ff", 0xffd8, 1},
        {"ffc0 0011 08 0870 0f00 03 01 21 00 02 11 01 03 11 01 ff", 0xabac, 0},
        {"ffc0 0011 08 0870 0f00 03 01 21 00 02 12 01 03 11 01 ff", 0xffd8, 0},
        {"ffc0 0020 08 0870 0f00 03 01 21 00 02 11 01 03 11 01 ff", 0xffd8, 0},
        {"ffdd 0004 0010 ffff", 0xffd8, 0},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct rig rig;
        struct jpeg j;
        struct bytes payload = unhex("00000000 01 32 00 00 aabb"), e = unhex(cases[i].extension);
        uint8_t *copy = xmalloc(e.n);
        memcpy(copy, e.p, e.n);
        struct rtp rtp = {.marker = true,
                          .timestamp = 1,
                          .payload = payload.p,
                          .payload_size = payload.n,
                          .extension_profile = cases[i].profile,
                          .extension = copy,
                          .extension_size = e.n};
        rig_open(&rig, 0, 0);
        depay_input(rig.d, &rtp, 0);
        free(copy);
        assert_int_equal(rig.n_out, cases[i].n_units);
        if (rig.n_out > 0) {
            assert_int_equal(jpeg_read(rig.out[0]->data, rig.out[0]->size, &j), 0);
            assert_true(j.width == 3840 && j.height == 2160 && j.sampling == 0x21);
            assert_int_equal(rig.out[0]->format->width, 3840);
        }
        rig_close(&rig);
    }
}

static void takes_whole_images_as_they_are(void **state)
{
    (void)state;
    static const char *const heads[] = {"00000000 01 32 00 00", "00000000 05 ff 00 00",
                                        "00000000 01 ff 02 01 00 00 0000"};
    for (size_t i = 0; i < ARRAY_LEN(heads); i++) {
        struct rig rig;
        rig_open(&rig, 0, 0);
        feed(&rig, 1, false, 0, heads[i], jpeg_422, 256);
        feed(&rig, 1, true, 0, "00000100 01 32 00 00", jpeg_422 + 256, sizeof jpeg_422 - 256);
        assert_int_equal(rig.n_out, 1);
        assert_int_equal(rig.out[0]->size, sizeof jpeg_422);
        assert_memory_equal(rig.out[0]->data, jpeg_422, sizeof jpeg_422);
        assert_true(rig.out[0]->format->width == 40 && rig.out[0]->format->height == 24);
        feed(&rig, 2, true, 0, heads[i], jpeg_422, 100); /* no whole head */
        assert_int_equal(rig.n_out, 1);
        assert_int_equal(depay_stats(rig.d)->n_damaged, 1);
        rig_close(&rig);
    }
}

static void makes_a_new_format_when_the_size_changes(void **state)
{
    (void)state;
    struct rig rig;
    rig_open(&rig, 0, 0);
    feed(&rig, 1, true, 0, "00000000 00 32 50 3c", "scan", 4);
    feed(&rig, 2, true, 0, "00000000 00 32 50 3c", "scan", 4);
    feed(&rig, 3, true, 0, "00000000 00 32 a0 5a", "scan", 4);
    assert_int_equal(rig.n_out, 3);
    assert_ptr_equal(rig.out[0]->format, rig.out[1]->format);
    assert_false(format_eq(rig.out[1]->format, rig.out[2]->format));
    assert_int_equal(rig.out[2]->format->width, 1280);
    assert_int_equal(depay_stats(rig.d)->n_format_changes, 1);
    assert_string_equal(rig.out[2]->format->codec_string, "mp4v.6C");
    rig_close(&rig);
}

static void drops_what_was_begun_at_a_restart(void **state)
{
    (void)state;
    struct rig rig;
    rig_open(&rig, 0, 0);
    feed(&rig, 1, false, 0, HEAD_0, "abcd", 4);
    depay_restart(rig.d, 7);
    feed(&rig, 7, true, 0, HEAD_0, "efgh", 4);
    assert_int_equal(rig.n_out, 1);
    expect_scan(rig.out[0], "efgh");
    assert_true(rig.out[0]->is_discontinuity);
    rig_close(&rig);
}

static void on_piece(void *ctx, const struct pay_piece *piece)
{
    struct rig *rig = ctx;
    size_t n = piece->prefix_size + piece->size;
    uint8_t *p = xmalloc(n);
    memcpy(p, piece->prefix, piece->prefix_size);
    memcpy(p + piece->prefix_size, piece->data, piece->size);
    struct rtp rtp = {.marker = piece->marker, .timestamp = 1, .payload = p, .payload_size = n};
    depay_input(rig->d, &rtp, 0);
    free(p);
}

static void carries_real_images_through(void **state)
{
    (void)state;
    static const struct {
        const uint8_t *p;
        size_t n;
    } images[] = {{jpeg_420, sizeof jpeg_420}, {jpeg_422, sizeof jpeg_422}};
    static const size_t payloads[] = {160, 700, 1400};
    for (size_t i = 0; i < ARRAY_LEN(images) * ARRAY_LEN(payloads); i++) {
        struct rig rig;
        struct jpeg in, out;
        struct packet *pkt = packet_create(images[i % 2].n);
        memcpy(pkt->data, images[i % 2].p, images[i % 2].n);
        pkt->size = images[i % 2].n;
        assert_int_equal(jpeg_read(pkt->data, pkt->size, &in), 0);
        pkt->format = format_create_jpeg(in.width, in.height);
        rig_open(&rig, 0, 0);
        assert_int_equal(pay_packet(pkt, true, payloads[i / 2], on_piece, &rig), 0);
        assert_int_equal(rig.n_out, 1);
        assert_int_equal(jpeg_read(rig.out[0]->data, rig.out[0]->size, &out), 0);
        assert_true(out.width == in.width && out.height == in.height);
        assert_int_equal(out.sampling, in.sampling);
        assert_int_equal(out.scan_end - out.scan_at, in.scan_end - in.scan_at);
        assert_memory_equal(rig.out[0]->data + out.scan_at, pkt->data + in.scan_at,
                            in.scan_end - in.scan_at);
        for (int t = 0; t < 2; t++)
            assert_memory_equal(out.tables[t].p, in.tables[t].p, JPEG_TABLE_VALUES);
        packet_unref(&pkt);
        rig_close(&rig);
    }
}

static void ends_pictures_that_never_end(void **state)
{
    (void)state;
    enum { STEP = 60000 };
    static uint8_t scan[STEP];
    struct rig rig;
    rig_open(&rig, 0, 0);
    for (uint32_t at = 0; at < PACKET_MAX_BYTES + 2 * STEP; at += STEP) {
        char head[32];
        snprintf(head, sizeof head, "00%06x00320201", at);
        feed(&rig, 1, false, 0, head, scan, STEP);
    }
    assert_int_equal(rig.n_out, 0);
    assert_int_equal(depay_stats(rig.d)->n_oversize, 1);
    feed(&rig, 2, true, 0, HEAD_0, "scan", 4);
    assert_int_equal(rig.n_out, 1);
    rig_close(&rig);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(puts_a_head_in_front_of_the_scan),
        cmocka_unit_test(remembers_tables_by_q),
        cmocka_unit_test(puts_fragments_together_by_offset),
        cmocka_unit_test(never_shows_a_picture_with_a_hole),
        cmocka_unit_test(takes_the_size_of_the_description_when_the_payload_has_none),
        cmocka_unit_test(takes_the_size_of_a_header_extension),
        cmocka_unit_test(takes_whole_images_as_they_are),
        cmocka_unit_test(makes_a_new_format_when_the_size_changes),
        cmocka_unit_test(drops_what_was_begun_at_a_restart),
        cmocka_unit_test(carries_real_images_through),
        cmocka_unit_test(ends_pictures_that_never_end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
