/* What fmp4 writes, as an independent player sees it: pictures and sound made by ffmpeg, packaged
 * by us, counted and decoded by ffprobe and ffmpeg. Skipped where ffmpeg is missing. */
#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

#include <sys/stat.h>

#include "media/aac.h"
#include "media/fmp4.h"
#include "media/h264.h"
#include "media/h265.h"
#include "media/jpeg.h"
#include "media/nal.h"

enum { MAX_PACKETS = 400, N_FRAMES = 60 };

struct rig {
    char dir[64];
    struct format *video, *audio;
    struct packet *packets[MAX_PACKETS]; /* video */
    size_t n;
    struct packet *sounds[MAX_PACKETS];
    size_t n_sounds;
};

static bool has_ffmpeg(void)
{
    return system("ffmpeg -version >/dev/null 2>&1 && ffprobe -version >/dev/null 2>&1") == 0;
}

static int setup(void **state)
{
    struct rig *rig = xcalloc(1, sizeof *rig);
    snprintf(rig->dir, sizeof rig->dir, "/tmp/rk-fmp4-XXXXXX");
    *state = rig;
    return mkdtemp(rig->dir) == NULL;
}

static int teardown(void **state)
{
    struct rig *rig = *state;
    char cmd[128];
    for (size_t i = 0; i < rig->n; i++)
        packet_unref(&rig->packets[i]);
    for (size_t i = 0; i < rig->n_sounds; i++)
        packet_unref(&rig->sounds[i]);
    format_unref(&rig->video);
    format_unref(&rig->audio);
    snprintf(cmd, sizeof cmd, "rm -rf %s", rig->dir);
    int rc = system(cmd);
    free(rig);
    return rc;
}

static void run(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
static void run(const char *fmt, ...)
{
    char cmd[1024];
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(cmd, sizeof cmd, fmt, ap);
    va_end(ap);
    if (system(cmd) != 0)
        fail_msg("failed: %s", cmd);
}

static uint8_t *load(const struct rig *rig, const char *name, size_t *n)
{
    char path[128];
    snprintf(path, sizeof path, "%s/%s", rig->dir, name);
    FILE *f = fopen(path, "rb");
    assert_non_null(f);
    uint8_t *p = xmalloc(4u << 20);
    *n = fread(p, 1, 4u << 20, f);
    fclose(f);
    return p;
}

static bool is_kind(enum codec codec, struct nal_span nal, unsigned h264, unsigned h265)
{
    return codec == CODEC_H264 ? h264_nal_type(nal.p[0]) == h264 : h265_nal_type(nal.p[0]) == h265;
}

static bool is_key_nal(enum codec codec, struct nal_span nal)
{
    unsigned t = h265_nal_type(nal.p[0]);
    return codec == CODEC_H264 ? h264_nal_type(nal.p[0]) == H264_NAL_IDR
                               : t >= H265_NAL_IRAP_FIRST && t <= H265_NAL_IRAP_LAST;
}

/* Access units begin with a delimiter (the encoder is told so). */
static void read_pictures(struct rig *rig, enum codec codec, const char *name)
{
    size_t n, pos = 0;
    uint8_t *p = load(rig, name, &n);
    struct nal_span nal, vps = {0}, sps = {0}, pps = {0};
    struct packet *pkt = NULL;
    while (nal_next(p, n, &pos, &nal)) {
        if (is_kind(codec, nal, H264_NAL_AUD, H265_NAL_AUD)) {
            pkt = packet_create(1u << 20);
            pkt->is_video = true;
            rig->packets[rig->n++] = pkt;
        } else if (codec == CODEC_H265 && is_kind(codec, nal, 99, H265_NAL_VPS)) {
            vps = nal;
        } else if (is_kind(codec, nal, H264_NAL_SPS, H265_NAL_SPS)) {
            sps = nal;
        } else if (is_kind(codec, nal, H264_NAL_PPS, H265_NAL_PPS)) {
            pps = nal;
        } else {
            uint32_t size = (uint32_t)nal.n;
            uint8_t head[4] = {(uint8_t)(size >> 24), (uint8_t)(size >> 16), (uint8_t)(size >> 8),
                               (uint8_t)size};
            memcpy(pkt->data + pkt->size, head, 4);
            memcpy(pkt->data + pkt->size + 4, nal.p, nal.n);
            pkt->size += 4 + nal.n;
            pkt->is_key |= is_key_nal(codec, nal);
        }
    }
    assert_int_equal(format_create_video(codec, vps, sps, pps, &rig->video), 0);
    for (size_t i = 0; i < rig->n; i++)
        rig->packets[i]->format = format_ref(rig->video);
    free(p);
}

/* Images back to back. */
static void read_images(struct rig *rig, const char *name)
{
    size_t n, at = 0;
    uint8_t *p = load(rig, name, &n);
    struct jpeg j;
    while (at < n) {
        assert_int_equal(jpeg_read(p + at, n - at, &j), 0);
        struct packet *pkt = packet_create(j.scan_end + 2);
        memcpy(pkt->data, p + at, j.scan_end + 2);
        pkt->size = j.scan_end + 2;
        pkt->is_video = pkt->is_key = true;
        rig->packets[rig->n++] = pkt;
        at += pkt->size;
    }
    rig->video = format_create_jpeg(j.width, j.height);
    for (size_t i = 0; i < rig->n; i++)
        rig->packets[i]->format = format_ref(rig->video);
    free(p);
}

/* Times as ffmpeg's own muxer gives them: lines of "stream, dts, pts, duration, size, crc". */
static void read_times(struct rig *rig, const char *name)
{
    char path[128], line[256];
    long long dts, pts, shift = 0;
    size_t i = 0;
    snprintf(path, sizeof path, "%s/%s", rig->dir, name);
    FILE *f = fopen(path, "r");
    assert_non_null(f);
    while (fgets(line, sizeof line, f) != NULL) {
        if (sscanf(line, "0, %lld, %lld", &dts, &pts) != 2)
            continue;
        if (i == 0)
            shift = -dts;
        assert_true(i < rig->n);
        rig->packets[i]->dts = 1000000 + (dts + shift) * 3600;
        rig->packets[i]->pts = 1000000 + (pts + shift) * 3600;
        rig->packets[i]->wall_us = INT64_C(1790000000123456) + (dts + shift) * 40000;
        i++;
    }
    fclose(f);
    assert_int_equal(i, rig->n);
}

static void make_images(struct rig *rig)
{
    run("cd %s && ffmpeg -v error -y -f lavfi -i testsrc2=s=160x120:r=25 -frames:v %d -map 0:v "
        "-c:v mjpeg -huffman default -pix_fmt yuvj420p -f tee '[f=mjpeg]v.bin|[f=framecrc]v.txt'",
        rig->dir, N_FRAMES);
    read_images(rig, "v.bin");
    read_times(rig, "v.txt");
}

static void make_pictures(struct rig *rig, enum codec codec, int n_b)
{
    if (codec == CODEC_JPEG) {
        make_images(rig);
        return;
    }
    const char *lib = codec == CODEC_H264 ? "libx264 -x264-params aud=1:keyint=25:scenecut=0"
                                          : "libx265 -x265-params aud=1:keyint=25:scenecut=0:"
                                            "log-level=none:repeat-headers=1:pools=1";
    const char *ext = codec == CODEC_H264 ? "h264" : "hevc";
    run("cd %s && ffmpeg -v error -y -f lavfi -i testsrc2=s=160x120:r=25 -frames:v %d -map 0:v "
        "-c:v %s -preset ultrafast -bf %d -f tee '[f=%s]v.bin|[f=framecrc]v.txt'",
        rig->dir, N_FRAMES, lib, n_b, ext);
    read_pictures(rig, codec, "v.bin");
    read_times(rig, "v.txt");
}

static void add_sound(struct rig *rig, const uint8_t *p, size_t n, int64_t dts)
{
    struct packet *pkt = packet_create(n);
    memcpy(pkt->data, p, n);
    pkt->size = n;
    pkt->dts = pkt->pts = dts;
    pkt->format = format_ref(rig->audio);
    rig->sounds[rig->n_sounds++] = pkt;
}

static void make_sound(struct rig *rig, enum codec codec)
{
    size_t n, at = 0;
    const char *args = codec == CODEC_AAC     ? "-c:a aac -f adts"
                       : codec == CODEC_PCMA  ? "-ar 8000 -f alaw"
                       : codec == CODEC_PCMU  ? "-ar 8000 -f mulaw"
                       : codec == CODEC_S16BE ? "-ar 8000 -ac 2 -f s16be"
                                              : "-ar 8000 -ac 2 -f s16le";
    run("cd %s && ffmpeg -v error -y -f lavfi -i sine=440:r=16000 -t 2.4 %s a.bin", rig->dir, args);
    uint8_t *p = load(rig, "a.bin", &n);
    if (codec == CODEC_AAC) {
        uint8_t config[AAC_CONFIG_MAX_BYTES];
        size_t size = aac_write_config(16000, 1, config);
        assert_int_equal(format_create_audio(codec, 16000, 1, config, size, &rig->audio), 0);
        struct aac_adts adts;
        for (; aac_read_adts(p + at, n - at, &adts) == 0; at += adts.frame_size)
            add_sound(rig, p + at + adts.header_size, adts.frame_size - adts.header_size,
                      (int64_t)rig->n_sounds * 1024);
    } else {
        int channels = codec_is_s16(codec) ? 2 : 1;
        assert_int_equal(format_create_audio(codec, 8000, channels, NULL, 0, &rig->audio), 0);
        size_t size = 160 * format_moment_bytes(rig->audio);
        for (; n - at >= size; at += size)
            add_sound(rig, p + at, size, (int64_t)rig->n_sounds * 160);
    }
    free(p);
}

static void put_payload(struct buf *file, const struct fmp4_sample *s, size_t n)
{
    for (size_t i = 0; i < n; i++)
        buf_append(file, s[i].pkt->data, s[i].pkt->size);
}

static size_t take_samples(struct packet *const *list, size_t n, size_t from, size_t count,
                           uint32_t last_duration, struct fmp4_sample *out)
{
    size_t k = 0;
    for (size_t i = from; i < n && k < count; i++, k++) {
        out[k].pkt = list[i];
        out[k].duration = i + 1 < n ? (uint32_t)(list[i + 1]->dts - list[i]->dts) : last_duration;
    }
    return k;
}

/* Fragments of `step` pictures with the sound that belongs to them. */
static void package(struct rig *rig, size_t step, bool is_inband, struct buf *file)
{
    struct fmp4_sample video[N_FRAMES], audio[MAX_PACKETS];
    struct fmp4_seek_entry seeks[N_FRAMES];
    size_t n_seeks = 0, sound = 0, per = rig->n_sounds / ((rig->n + step - 1) / step) + 1;
    uint32_t sequence = 0;
    assert_int_equal(fmp4_write_init(rig->video, rig->audio, is_inband, file), 0);
    for (size_t i = 0; i < rig->n; i += step) {
        struct fmp4_fragment f = {.sequence = ++sequence,
                                  .video = video,
                                  .video_base_dts = rig->packets[0]->dts,
                                  .audio = audio};
        f.n_video = take_samples(rig->packets, rig->n, i, step, 3600, video);
        f.n_audio = take_samples(rig->sounds, rig->n_sounds, sound, per, 160, audio);
        sound += f.n_audio;
        size_t at = file->len;
        assert_int_equal(fmp4_write_fragment(&f, file), 0);
        put_payload(file, video, f.n_video);
        put_payload(file, audio, f.n_audio);
        if (video[0].pkt->is_key)
            seeks[n_seeks++] = (struct fmp4_seek_entry){
                .time = (uint64_t)(video[0].pkt->dts - f.video_base_dts), .offset = at + 32};
    }
    assert_int_equal(fmp4_write_mfra(seeks, n_seeks, file), 0);
}

static void save(const struct rig *rig, const struct buf *file)
{
    char path[128];
    snprintf(path, sizeof path, "%s/out.mp4", rig->dir);
    FILE *f = fopen(path, "wb");
    assert_non_null(f);
    assert_int_equal(fwrite(file->data, 1, file->len, f), file->len);
    fclose(f);
}

static void check_output(const struct rig *rig, const char *cmd, const char *want)
{
    char full[512], got[4096];
    snprintf(full, sizeof full, "cd %s && %s 2>&1", rig->dir, cmd);
    FILE *f = popen(full, "r");
    assert_non_null(f);
    size_t n = fread(got, 1, sizeof got - 1, f);
    got[n] = '\0';
    assert_int_equal(pclose(f), 0);
    assert_string_equal(got, want);
}

static void check_file(const struct rig *rig, const char *streams)
{
    check_output(rig,
                 "ffprobe -v error -count_frames -show_entries "
                 "stream=codec_name,codec_tag_string,width,height,nb_read_frames -of csv=p=0 "
                 "out.mp4",
                 streams);
    check_output(rig, "ffmpeg -v error -xerror -i out.mp4 -f null -", "");
}

static void plays(struct rig *rig, size_t step, bool is_inband, const char *streams)
{
    struct buf file;
    buf_init(&file, 0);
    package(rig, step, is_inband, &file);
    save(rig, &file);
    check_file(rig, streams);
    buf_fini(&file);
}

static void h264_in_groups(void **state)
{
    if (!has_ffmpeg())
        skip();
    make_pictures(*state, CODEC_H264, 0);
    plays(*state, 25, false, "h264,avc1,160,120,60\n");
}

static void h264_with_reordering_frame_by_frame(void **state)
{
    if (!has_ffmpeg())
        skip();
    make_pictures(*state, CODEC_H264, 2);
    plays(*state, 1, true, "h264,avc3,160,120,60\n");
}

static void h265_with_alaw(void **state)
{
    if (!has_ffmpeg())
        skip();
    make_pictures(*state, CODEC_H265, 0);
    make_sound(*state, CODEC_PCMA);
    plays(*state, 25, false, "hevc,hvc1,160,120,60\npcm_alaw,alaw,120\n");
}

static void h265_inband_with_ulaw(void **state)
{
    if (!has_ffmpeg())
        skip();
    make_pictures(*state, CODEC_H265, 2);
    make_sound(*state, CODEC_PCMU);
    plays(*state, 30, true, "hevc,hev1,160,120,60\npcm_mulaw,ulaw,120\n");
}

static void jpeg_in_fragments_of_a_second(void **state)
{
    if (!has_ffmpeg())
        skip();
    make_pictures(*state, CODEC_JPEG, 0);
    make_sound(*state, CODEC_PCMA);
    plays(*state, 25, false, "mjpeg,mp4v,160,120,60\npcm_alaw,alaw,120\n");
}

static void jpeg_picture_by_picture(void **state)
{
    if (!has_ffmpeg())
        skip();
    make_pictures(*state, CODEC_JPEG, 0);
    plays(*state, 1, true, "mjpeg,mp4v,160,120,60\n");
    /* every one of them is a place to seek to */
    check_output(
        *state,
        "ffprobe -v error -show_entries packet=flags -of csv=p=0 out.mp4 | sort | uniq -c |"
        " tr -s ' '",
        " 60 K_\n");
}

/* The bytes lie in the file as they came, and players read them in the order that its entry tells.
 */
static void plays_16_bit_samples(struct rig *rig, enum codec codec, const char *name,
                                 const char *streams)
{
    char cmd[512];
    make_pictures(rig, CODEC_H264, 0);
    make_sound(rig, codec);
    plays(rig, 25, false, streams);
    snprintf(
        cmd, sizeof cmd,
        "ffmpeg -v error -y -i out.mp4 -map 0:a -c copy -f data bytes.bin && cmp a.bin bytes.bin"
        " && ffmpeg -v error -y -f %s -ar 8000 -ac 2 -i a.bin -f u16be sent.bin"
        " && ffmpeg -v error -y -i out.mp4 -map 0:a -f u16be heard.bin"
        " && cmp sent.bin heard.bin",
        name);
    check_output(rig, cmd, "");
}

static void M2_upper_byte_first_plays(void **state)
{
    if (!has_ffmpeg())
        skip();
    plays_16_bit_samples(*state, CODEC_S16BE, "s16be",
                         "h264,avc1,160,120,60\npcm_s16be,twos,120\n");
}

static void M2_lower_byte_first_plays(void **state)
{
    if (!has_ffmpeg())
        skip();
    plays_16_bit_samples(*state, CODEC_S16LE, "s16le",
                         "h264,avc1,160,120,60\npcm_s16le,sowt,120\n");
}

static void h264_with_aac(void **state)
{
    if (!has_ffmpeg())
        skip();
    make_pictures(*state, CODEC_H264, 0);
    make_sound(*state, CODEC_AAC);
    plays(*state, 10, false, "h264,avc1,160,120,60\naac,mp4a,39\n");
}

/* One second from 0.5 s: 25 pictures are shown although decoding starts at the key frame. */
/* trim_start_us of an image is where one begins: a player shows the one that it lies in whole. */
static void check_clip(struct rig *rig, enum codec codec, enum codec sound, int64_t trim_start_us)
{
    make_pictures(rig, codec, codec == CODEC_H264 ? 2 : 0);
    make_sound(rig, sound);
    struct fmp4_clip_sample samples[N_FRAMES + MAX_PACKETS];
    struct format *formats[] = {rig->video, rig->audio};
    struct fmp4_clip clip = {.formats = formats,
                             .n_formats = 2,
                             .samples = samples,
                             .trim_start_us = trim_start_us,
                             .duration_us = 1000000,
                             .wall_us = INT64_C(1790000000000000)};
    struct buf file;
    buf_init(&file, 0);
    for (size_t i = 0; i < rig->n; i++) {
        const struct packet *p = rig->packets[i];
        samples[clip.n_samples++] =
            (struct fmp4_clip_sample){.is_video = true,
                                      .is_key = p->is_key,
                                      .format = 0,
                                      .size = (uint32_t)p->size,
                                      .duration = 3600,
                                      .pts_offset = (int32_t)(p->pts - p->dts)};
        if (i < rig->n_sounds)
            samples[clip.n_samples++] =
                (struct fmp4_clip_sample){.is_key = true,
                                          .format = 1,
                                          .size = (uint32_t)rig->sounds[i]->size,
                                          .duration = sound == CODEC_AAC ? 1024 : 160};
    }
    assert_int_equal(fmp4_write_clip_header(&clip, &file), 0);
    for (size_t i = 0; i < rig->n; i++) {
        buf_append(&file, rig->packets[i]->data, rig->packets[i]->size);
        if (i < rig->n_sounds)
            buf_append(&file, rig->sounds[i]->data, rig->sounds[i]->size);
    }
    save(rig, &file);
    buf_fini(&file);
    check_output(rig,
                 "ffprobe -v error -count_frames -select_streams v -show_entries "
                 "stream=nb_read_frames,start_time:format=duration -of csv=p=0 out.mp4",
                 "0.000000,25\n1.000000\n");
    check_output(rig, "ffmpeg -v error -xerror -i out.mp4 -f null -", "");
}

static void clip_shows_exactly_what_was_asked(void **state)
{
    if (!has_ffmpeg())
        skip();
    check_clip(*state, CODEC_H264, CODEC_AAC, 500000);
}

static void M2_clip_holds_16_bit_samples(void **state)
{
    if (!has_ffmpeg())
        skip();
    check_clip(*state, CODEC_H264, CODEC_S16BE, 500000);
    /* 60 of 120 packets are in it */
    check_output(*state,
                 "ffmpeg -v error -y -i out.mp4 -map 0:a -c copy -f data bytes.bin &&"
                 " cmp -n 38400 a.bin bytes.bin && stat -c %s bytes.bin",
                 "38400\n");
}

static void clip_of_jpeg_too(void **state)
{
    if (!has_ffmpeg())
        skip();
    check_clip(*state, CODEC_JPEG, CODEC_AAC, 480000);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(h264_in_groups, setup, teardown),
        cmocka_unit_test_setup_teardown(h264_with_reordering_frame_by_frame, setup, teardown),
        cmocka_unit_test_setup_teardown(h265_with_alaw, setup, teardown),
        cmocka_unit_test_setup_teardown(h265_inband_with_ulaw, setup, teardown),
        cmocka_unit_test_setup_teardown(jpeg_in_fragments_of_a_second, setup, teardown),
        cmocka_unit_test_setup_teardown(jpeg_picture_by_picture, setup, teardown),
        cmocka_unit_test_setup_teardown(M2_upper_byte_first_plays, setup, teardown),
        cmocka_unit_test_setup_teardown(M2_lower_byte_first_plays, setup, teardown),
        cmocka_unit_test_setup_teardown(h264_with_aac, setup, teardown),
        cmocka_unit_test_setup_teardown(clip_shows_exactly_what_was_asked, setup, teardown),
        cmocka_unit_test_setup_teardown(M2_clip_holds_16_bit_samples, setup, teardown),
        cmocka_unit_test_setup_teardown(clip_of_jpeg_too, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
