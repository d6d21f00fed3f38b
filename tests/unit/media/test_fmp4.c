#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

#include <errno.h>

#include "media/fmp4.h"

struct rig {
    struct format *video, *audio;
    struct packet *packets[40];
    struct fmp4_sample video_samples[20], audio_samples[20];
    struct buf file;
};

static struct packet *make_packet(struct format *f, size_t size, int64_t dts, int64_t pts)
{
    struct packet *pkt = packet_create(size);
    memset(pkt->data, (int)size & 0xff, size);
    pkt->size = size;
    pkt->format = format_ref(f);
    pkt->is_video = codec_is_video(f->codec);
    pkt->dts = dts;
    pkt->pts = pts;
    pkt->wall_us = INT64_C(1790000000123456) + dts * 1000 / 90;
    return pkt;
}

static int setup(void **state)
{
    static const uint8_t sps[] = {0x67, 0x42, 0xc0, 0x1e, 0xd9, 0x00, 0xa0, 0x47, 0xfe, 0xc8};
    static const uint8_t pps[] = {0x68, 0xce, 0x3c, 0x80};
    struct rig *rig = xcalloc(1, sizeof *rig);
    buf_init(&rig->file, 0);
    assert_int_equal(format_create_video(CODEC_H264, (struct nal_span){0},
                                         (struct nal_span){sps, sizeof sps},
                                         (struct nal_span){pps, sizeof pps}, &rig->video),
                     0);
    assert_int_equal(format_create_audio(CODEC_PCMU, 8000, 1, NULL, 0, &rig->audio), 0);
    for (size_t i = 0; i < 20; i++) {
        int64_t dts = 5000 + (int64_t)i * 3600;
        rig->packets[i] = make_packet(rig->video, 100 + i, dts, dts);
        rig->packets[i]->is_key = i == 0;
        rig->video_samples[i] = (struct fmp4_sample){rig->packets[i], 3600};
        rig->packets[20 + i] = make_packet(rig->audio, 160, (int64_t)i * 160, (int64_t)i * 160);
        rig->audio_samples[i] = (struct fmp4_sample){rig->packets[20 + i], 160};
    }
    *state = rig;
    return 0;
}

static int teardown(void **state)
{
    struct rig *rig = *state;
    for (size_t i = 0; i < 40; i++)
        packet_unref(&rig->packets[i]);
    format_unref(&rig->video);
    format_unref(&rig->audio);
    buf_fini(&rig->file);
    free(rig);
    return 0;
}

static struct fmp4_fragment fragment_of(struct rig *rig, size_t n_video, size_t n_audio)
{
    return (struct fmp4_fragment){.sequence = 7,
                                  .video = rig->video_samples,
                                  .n_video = n_video,
                                  .video_base_dts = 5000,
                                  .audio = rig->audio_samples,
                                  .n_audio = n_audio};
}

static void put_payloads(struct rig *rig, const struct fmp4_fragment *f)
{
    for (size_t i = 0; i < f->n_video; i++)
        buf_append(&rig->file, f->video[i].pkt->data, f->video[i].pkt->size);
    for (size_t i = 0; i < f->n_audio; i++)
        buf_append(&rig->file, f->audio[i].pkt->data, f->audio[i].pkt->size);
}

static void init_comes_back(void **state)
{
    struct rig *rig = *state;
    struct fmp4_init init;
    struct err err = {0};
    size_t size = 0;
    assert_int_equal(fmp4_write_init(rig->video, rig->audio, false, &rig->file), 0);
    assert_int_equal(fmp4_read_init(rig->file.data, rig->file.len, &init, &size, &err), 0);
    assert_int_equal(size, rig->file.len);
    assert_true(format_eq(init.video, rig->video));
    assert_int_equal(init.video->timescale, 90000);
    assert_int_equal(init.audio->codec, CODEC_PCMU);
    assert_int_equal(init.audio->timescale, 8000);
    assert_int_equal(init.audio->channels, 1);
    fmp4_init_fini(&init);
    for (size_t n = 0; n < rig->file.len; n++) {
        assert_true(fmp4_read_init(rig->file.data, n, &init, &size, NULL) < 0);
        fmp4_init_fini(&init);
    }
}

static void M2_both_byte_orders_come_back(void **state)
{
    struct rig *rig = *state;
    static const enum codec codecs[] = {CODEC_S16BE, CODEC_S16LE};
    for (size_t i = 0; i < ARRAY_LEN(codecs); i++) {
        struct fmp4_init init;
        struct format *audio = NULL;
        size_t size = 0;
        buf_clear(&rig->file);
        assert_int_equal(format_create_audio(codecs[i], 48000, 2, NULL, 0, &audio), 0);
        assert_int_equal(fmp4_write_init(rig->video, audio, false, &rig->file), 0);
        assert_int_equal(fmp4_read_init(rig->file.data, rig->file.len, &init, &size, NULL), 0);
        assert_true(format_eq(init.audio, audio));
        assert_int_equal(init.audio->sample_rate, 48000);
        fmp4_init_fini(&init);
        format_unref(&audio);
    }
}

static void jpeg_needs_no_config(void **state)
{
    struct rig *rig = *state;
    struct fmp4_init init;
    struct format *jpeg = format_create_jpeg(1280, 720);
    size_t size = 0;
    assert_int_equal(fmp4_write_init(jpeg, rig->audio, false, &rig->file), 0);
    assert_int_equal(fmp4_read_init(rig->file.data, rig->file.len, &init, &size, NULL), 0);
    assert_true(format_eq(init.video, jpeg));
    assert_int_equal(init.video->timescale, 90000);
    assert_string_equal(init.video->codec_string, "mp4v.6C");
    fmp4_init_fini(&init);

    /* the same entry with another kind of pictures in it */
    uint8_t *kind = memmem(rig->file.data, rig->file.len, "\x04\x0d\x6c\x11", 4);
    assert_non_null(kind);
    kind[2] = 0x20;
    assert_int_equal(fmp4_read_init(rig->file.data, rig->file.len, &init, &size, NULL),
                     ERR_UNSUPPORTED);
    fmp4_init_fini(&init);
    format_unref(&jpeg);
}

static void formats_without_config_are_refused(void **state)
{
    struct rig *rig = *state;
    size_t size = rig->video->config_size;
    rig->video->config_size = 0;
    assert_int_equal(fmp4_write_init(rig->video, NULL, false, &rig->file), ERR_INVALID);
    rig->video->config_size = size;
}

static void check_samples(const struct rig *rig, const struct fmp4_read_fragment *r, size_t n_video)
{
    for (size_t i = 0; i < r->n_samples; i++) {
        const struct fmp4_read_sample *s = &r->samples[i];
        size_t k = i < n_video ? i : 20 + i - n_video;
        const struct packet *pkt = rig->packets[k];
        assert_int_equal(s->is_video, i < n_video);
        assert_int_equal(s->is_key, pkt->is_key || !pkt->is_video);
        assert_int_equal(s->size, pkt->size);
        assert_int_equal(s->dts, pkt->is_video ? pkt->dts - 5000 : pkt->dts);
        assert_int_equal(s->pts_offset, pkt->pts - pkt->dts);
        assert_memory_equal(rig->file.data + s->offset, pkt->data, pkt->size);
    }
}

static void check_fragment(struct rig *rig, size_t n_video, size_t n_audio)
{
    struct fmp4_fragment f = fragment_of(rig, n_video, n_audio);
    struct fmp4_read_fragment r = {0};
    size_t need = 0;
    buf_clear(&rig->file);
    assert_int_equal(fmp4_write_fragment(&f, &rig->file), 0);
    size_t head = rig->file.len;
    put_payloads(rig, &f);
    /* the header alone is enough, and never less */
    for (size_t n = 1; n < head; n++) {
        need = 0;
        assert_int_equal(fmp4_read_fragment(rig->file.data, n, &r, &need, NULL), 0);
        assert_true(need > n);
    }
    assert_int_equal(fmp4_read_fragment(rig->file.data, head, &r, &need, NULL), 1);
    assert_int_equal(r.size, rig->file.len);
    assert_int_equal(r.sequence, 7);
    assert_int_equal(r.wall_us, (n_video > 0 ? rig->packets[0] : rig->packets[20])->wall_us);
    assert_int_equal(r.n_samples, n_video + n_audio);
    check_samples(rig, &r, n_video);
    fmp4_read_fragment_fini(&r);
}

static void fragments_come_back(void **state)
{
    struct rig *rig = *state;
    check_fragment(rig, 1, 0);
    check_fragment(rig, 20, 0);
    check_fragment(rig, 20, 20);
    check_fragment(rig, 0, 3);
    rig->packets[9]->is_key = true; /* a second group inside */
    check_fragment(rig, 20, 4);
    rig->packets[3]->pts += 7200; /* reordering, also backward */
    rig->packets[4]->pts -= 3600;
    check_fragment(rig, 20, 0);
    rig->packets[0]->is_key = false;
    check_fragment(rig, 5, 0);
}

static void walls_are_exact_to_the_microsecond(void **state)
{
    struct rig *rig = *state;
    static const int64_t walls[] = {1, 999999, INT64_C(1790000000000001),
                                    INT64_C(2085978495999999),  /* the last of the NTP era */
                                    INT64_C(2085978496000001)}; /* and the next */
    for (size_t i = 0; i < ARRAY_LEN(walls); i++) {
        rig->packets[0]->wall_us = walls[i];
        check_fragment(rig, 2, 0);
    }
}

static void impossible_fragments_are_refused(void **state)
{
    struct rig *rig = *state;
    struct fmp4_fragment f = fragment_of(rig, 0, 0);
    assert_int_equal(fmp4_write_fragment(&f, &rig->file), -EINVAL);
    f = fragment_of(rig, 1, 0);
    f.video_base_dts = 5001;
    assert_int_equal(fmp4_write_fragment(&f, &rig->file), -EINVAL);
    struct buf small;
    buf_init(&small, 100);
    f = fragment_of(rig, 20, 0);
    assert_int_equal(fmp4_write_fragment(&f, &small), ERR_TOO_BIG);
    buf_fini(&small);
}

static void seek_table_comes_back(void **state)
{
    struct rig *rig = *state;
    struct fmp4_seek_entry in[3] = {{0, 800}, {90000, 5000}, {180000, UINT64_C(5000000000)}};
    struct fmp4_seek_entry *out = NULL;
    struct fmp4_read_fragment r = {0};
    size_t n = 0, size = 0, need = 0;
    buf_puts(&rig->file, "what comes before");
    size_t before = rig->file.len;
    assert_int_equal(fmp4_write_mfra(in, 3, &rig->file), 0);
    size_t tail = rig->file.len - before;
    assert_int_equal(fmp4_read_mfra(rig->file.data, rig->file.len, &out, &n, &size, &need), 1);
    assert_int_equal(n, 3);
    assert_memory_equal(out, in, sizeof in);
    assert_int_equal(size, tail);
    free(out);
    /* too little of the tail: it says how much it needs */
    const uint8_t *end = rig->file.data + rig->file.len;
    assert_int_equal(fmp4_read_mfra(end - 8, 8, &out, &n, &size, &need), 0);
    assert_int_equal(fmp4_read_mfra(end - 16, 16, &out, &n, &size, &need), 0);
    assert_int_equal(need, tail);
    assert_int_equal(fmp4_read_mfra(rig->file.data, before + 4, &out, &n, &size, &need),
                     ERR_NOT_FOUND);
    /* fragments end where it begins */
    assert_int_equal(fmp4_read_fragment(end - tail, tail, &r, &need, NULL), ERR_EOF);
    assert_int_equal(fmp4_read_fragment(end, 0, &r, &need, NULL), ERR_EOF);
}

static void damaged_fragments_are_refused(void **state)
{
    struct rig *rig = *state;
    struct fmp4_fragment f = fragment_of(rig, 20, 5);
    struct fmp4_read_fragment r = {0};
    size_t need;
    assert_int_equal(fmp4_write_fragment(&f, &rig->file), 0);
    put_payloads(rig, &f);
    /* any single damaged byte: read, refused, or more wanted, but never outside of the bytes */
    for (size_t i = 0; i < rig->file.len; i++) {
        for (int bit = 0; bit < 8; bit++) {
            rig->file.data[i] ^= (uint8_t)(1 << bit);
            int rc = fmp4_read_fragment(rig->file.data, rig->file.len, &r, &need, NULL);
            for (size_t k = 0; rc == 1 && k < r.n_samples; k++)
                assert_true(r.samples[k].offset + r.samples[k].size <= r.size);
            rig->file.data[i] ^= (uint8_t)(1 << bit);
        }
    }
    fmp4_read_fragment_fini(&r);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(init_comes_back),
        TEST(M2_both_byte_orders_come_back),
        TEST(jpeg_needs_no_config),
        TEST(formats_without_config_are_refused),
        TEST(fragments_come_back),
        TEST(walls_are_exact_to_the_microsecond),
        TEST(impossible_fragments_are_refused),
        TEST(seek_table_comes_back),
        TEST(damaged_fragments_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
