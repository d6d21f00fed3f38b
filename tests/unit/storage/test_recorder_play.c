/* Real encodings whose parameter sets change on the way, recorded, exported and decoded by ffmpeg:
 * the same pictures come out as from the encodings themselves. Skipped where ffmpeg is missing. */
#include "rig.h"

#include <fcntl.h>
#include <unistd.h>

#include "delivery/clip.h"
#include "media/h264.h"
#include "media/h265.h"
#include "media/hub.h"
#include "media/nal.h"

enum { N_PART = 50, GROUP = 25 };

static bool has_ffmpeg(void)
{
    return system("ffmpeg -version >/dev/null 2>&1 && ffprobe -version >/dev/null 2>&1") == 0;
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

static char *ask(char *dst, size_t cap, const char *fmt, ...) __attribute__((format(printf, 3, 4)));
static char *ask(char *dst, size_t cap, const char *fmt, ...)
{
    char cmd[1024];
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(cmd, sizeof cmd, fmt, ap);
    va_end(ap);
    FILE *f = popen(cmd, "r");
    assert_non_null(f);
    dst[fread(dst, 1, cap - 1, f)] = '\0';
    if (pclose(f) != 0)
        fail_msg("failed: %s: %s", cmd, dst);
    return dst;
}

/* --- the camera --- */

struct feed {
    struct rig *rig;
    enum codec codec;
    struct nal_span vps, sps, pps;
    struct packet *pkt; /* under construction */
    int n;
};

static unsigned type_of(const struct feed *f, struct nal_span nal)
{
    return f->codec == CODEC_H264 ? h264_nal_type(nal.p[0]) : h265_nal_type(nal.p[0]);
}

static void publish(struct feed *f)
{
    struct rig *rig = f->rig;
    if (f->pkt == NULL)
        return;
    f->pkt->is_video = true;
    f->pkt->dts = f->pkt->pts = rig->ticks;
    f->pkt->wall_us = rig->wall_us;
    f->pkt->arrival_mono_us = rig->mono_us;
    hub_publish(rig->hub, f->pkt);
    packet_unref(&f->pkt);
    rig->ticks += 3600;
    rig->wall_us += RIG_FRAME_US;
    rig->mono_us += RIG_FRAME_US;
    atomic_store(&rig->clock.now_wall_us, rig->wall_us);
    f->n++;
}

static void add_nal(struct feed *f, struct nal_span nal, bool is_key)
{
    struct packet *pkt = f->pkt;
    const uint8_t head[4] = {(uint8_t)(nal.n >> 24), (uint8_t)(nal.n >> 16), (uint8_t)(nal.n >> 8),
                             (uint8_t)nal.n};
    memcpy(pkt->data + pkt->size, head, 4);
    memcpy(pkt->data + pkt->size + 4, nal.p, nal.n);
    pkt->size += 4 + nal.n;
    pkt->is_key |= is_key;
    if (pkt->format == NULL)
        assert_int_equal(format_create_video(f->codec, f->vps, f->sps, f->pps, &pkt->format), 0);
}

static void take_nal(struct feed *f, struct nal_span nal)
{
    bool is_h264 = f->codec == CODEC_H264;
    unsigned type = type_of(f, nal);
    if (type == (is_h264 ? (unsigned)H264_NAL_AUD : (unsigned)H265_NAL_AUD)) {
        publish(f);
        f->pkt = packet_create(1u << 20);
    } else if (!is_h264 && type == H265_NAL_VPS) {
        f->vps = nal;
    } else if (type == (is_h264 ? (unsigned)H264_NAL_SPS : (unsigned)H265_NAL_SPS)) {
        f->sps = nal;
    } else if (type == (is_h264 ? (unsigned)H264_NAL_PPS : (unsigned)H265_NAL_PPS)) {
        f->pps = nal;
    } else {
        add_nal(f, nal, is_h264 ? type == H264_NAL_IDR : type >= 16 && type <= H265_NAL_IRAP_LAST);
    }
}

static void feed_file(struct feed *f, const char *name)
{
    char path[128];
    uint8_t *p = xmalloc(4u << 20);
    size_t pos = 0;
    struct nal_span nal;
    snprintf(path, sizeof path, "%s/%s", f->rig->dir, name);
    FILE *file = fopen(path, "rb");
    assert_non_null(file);
    size_t n = fread(p, 1, 4u << 20, file);
    fclose(file);
    while (nal_next(p, n, &pos, &nal))
        take_nal(f, nal);
    publish(f);
    free(p);
}

/* Two seconds with an access unit delimiter in front of every picture. */
static void encode(struct rig *rig, enum codec codec, const char *name, const char *size,
                   const char *params)
{
    bool is_h264 = codec == CODEC_H264;
    run("cd %s && ffmpeg -v error -y -f lavfi -i testsrc2=s=%s:r=25 -frames:v %d -pix_fmt yuv420p "
        "-c:v %s -preset ultrafast -bf 0 %s %saud=1:keyint=%d:scenecut=0:repeat-headers=1%s "
        "-f %s %s",
        rig->dir, size, N_PART, is_h264 ? "libx264 -profile:v main -level 3.1" : "libx265",
        is_h264 ? "-x264-params" : "-x265-params",
        is_h264 ? "" : "log-level=none:pools=1:level-idc=31:", GROUP, params,
        is_h264 ? "h264" : "hevc", name);
}

/* --- looking --- */

/* One sum over all decoded pictures; a decoder that complains fails. */
static char *sum_of(const struct rig *rig, const char *input, char *dst, size_t cap)
{
    return ask(
        dst, cap,
        "cd %s && ffmpeg -v error -xerror -i %s -map 0:v -fps_mode passthrough -f md5 - 2>&1",
        rig->dir, input);
}

static void expect_frames(const struct rig *rig, const char *file, int n)
{
    char got[64], want[32];
    snprintf(want, sizeof want, "%d\n", n);
    ask(got, sizeof got,
        "cd %s && ffprobe -v error -count_frames -select_streams v -show_entries "
        "stream=nb_read_frames -of csv=p=0 %s 2>&1 | head -1",
        rig->dir, file);
    assert_string_equal(got, want);
}

static void export_all(struct rig *rig, int n)
{
    struct clip *clip;
    struct err err = {0};
    char path[128];
    struct clip_params params = {.source = storage_source(rig->storage),
                                 .camera_id = "cam",
                                 .from_us = RIG_START_US,
                                 .to_us = rig->wall_us};
    if (clip_plan(&params, &clip, &err) < 0)
        fail_msg("%s", err.msg);
    assert_int_equal(clip_n_pictures(clip), n);
    snprintf(path, sizeof path, "%s/clip.mp4", rig->dir);
    int fd = open(path, O_CREAT | O_TRUNC | O_WRONLY, 0600);
    assert_true(fd >= 0);
    assert_int_equal(clip_write(clip, fd, NULL, NULL, NULL), 0);
    close(fd);
    clip_free(&clip);
}

static void record_parts(struct rig *rig, enum codec codec, const char *const *parts, size_t n)
{
    struct feed f = {.rig = rig, .codec = codec};
    rig_open(rig);
    rig_record(rig, "cam");
    for (size_t i = 0; i < n; i++)
        feed_file(&f, parts[i]);
    rig_stop(rig);
    assert_int_equal(rig_check(rig), f.n);
    assert_int_equal(f.n, n * N_PART);
}

/* One after the other and back: one segment, and the pictures of the encodings themselves. */
static void sets_change(struct rig *rig, enum codec codec, const char *a, const char *b)
{
    static const char *const parts[] = {"a.bin", "b.bin", "a.bin", "b.bin", "b.bin"};
    struct segment_row row;
    char path[SEGMENT_PATH_BYTES], file[SEGMENT_PATH_BYTES + 8], want[128], got[1024];
    if (!has_ffmpeg())
        skip();
    encode(rig, codec, "a.bin", "320x240", a);
    encode(rig, codec, "b.bin", "320x240", b);
    run("cd %s && cat a.bin b.bin a.bin b.bin b.bin > all.bin", rig->dir);
    record_parts(rig, codec, parts, ARRAY_LEN(parts));
    assert_int_equal(rig_rows(rig, &row, 1), 1);
    snprintf(file, sizeof file, "rec/%s", segment_path(&row.id, path));
    sum_of(rig, "all.bin", want, sizeof want);
    assert_string_equal(sum_of(rig, file, got, sizeof got), want);
    expect_frames(rig, file, 5 * N_PART);
    export_all(rig, 5 * N_PART);
    assert_string_equal(sum_of(rig, "clip.mp4", got, sizeof got), want);
    /* a player that begins in the middle, at a key frame of the second encoding */
    run("cd %s && ffmpeg -v error -xerror -ss 3 -i %s -f null - 2>&1 | (! grep .)", rig->dir, file);
}

static void size_changes(struct rig *rig, enum codec codec)
{
    static const char *const parts[] = {"a.bin", "b.bin", "a.bin"};
    struct segment_row rows[4];
    if (!has_ffmpeg())
        skip();
    encode(rig, codec, "a.bin", "320x240", "");
    encode(rig, codec, "b.bin", "640x360", "");
    record_parts(rig, codec, parts, ARRAY_LEN(parts));
    assert_int_equal(rig_rows(rig, rows, 4), 3);
    for (size_t i = 0; i < 3; i++) {
        char path[SEGMENT_PATH_BYTES], file[SEGMENT_PATH_BYTES + 8], got[1024];
        snprintf(file, sizeof file, "rec/%s", segment_path(&rows[i].id, path));
        expect_frames(rig, file, N_PART);
        char want[128];
        sum_of(rig, parts[i], want, sizeof want);
        assert_string_equal(sum_of(rig, file, got, sizeof got), want);
        assert_true(i == 0 || rows[i].id.from_us == rows[i - 1].to_us);
    }
    export_all(rig, 3 * N_PART);
    expect_frames(rig, "clip.mp4", 3 * N_PART);
    run("cd %s && ffmpeg -v error -xerror -i clip.mp4 -f null - 2>&1 | (! grep .)", rig->dir);
}

static bool is_thinned(struct rig *rig)
{
    struct segment_row row;
    return rig_rows(rig, &row, 1) == 1 && row.is_thinned && rig_unsettled(rig) == 0;
}

/* The key frames of the encoding, each shown for a second, in a file that other players read. */
static void what_thinning_leaves_plays(void **state)
{
    struct rig *rig = *state;
    static const char *const parts[] = {"a.bin", "a.bin"};
    struct segment_row row;
    char path[SEGMENT_PATH_BYTES], file[SEGMENT_PATH_BYTES + 8], want[128], got[1024];
    if (!has_ffmpeg())
        skip();
    encode(rig, CODEC_H264, "a.bin", "320x240", "");
    record_parts(rig, CODEC_H264, parts, ARRAY_LEN(parts));
    rig_close(rig);
    rig->params.thin_after_days = 30;
    atomic_store(&rig->clock.now_wall_us, RIG_START_US + 31 * 86400 * US_PER_S);
    rig_open(rig);
    rig_wait(rig, is_thinned);
    assert_int_equal(rig_rows(rig, &row, 1), 1);
    snprintf(file, sizeof file, "rec/%s", segment_path(&row.id, path));
    expect_frames(rig, file, 2 * N_PART / GROUP);
    run("cd %s && cat a.bin a.bin > all.bin && ffmpeg -v error -skip_frame nokey -i all.bin -map 0:v"
        " -fps_mode passthrough -f md5 want.txt",
        rig->dir);
    ask(want, sizeof want, "cat %s/want.txt", rig->dir);
    assert_string_equal(sum_of(rig, file, got, sizeof got), want);
    ask(got, sizeof got,
        "cd %s && ffprobe -v error -show_entries packet=pts_time:format=duration -of csv=p=0 %s",
        rig->dir, file);
    assert_string_equal(got, "0.000000\n1.000000\n2.000000\n3.000000\n4.000000\n");
    export_all(rig, 2 * N_PART / GROUP);
    assert_string_equal(sum_of(rig, "clip.mp4", got, sizeof got), want);
}

static void H8_h264_sets_change(void **state)
{
    sets_change(*state, CODEC_H264, ":qp=22:ref=1:cabac=1", ":qp=38:ref=3:cabac=1");
}

static void H8_h265_sets_change(void **state)
{
    sets_change(*state, CODEC_H265, ":crf=24:sao=0:signhide=0", ":crf=36:sao=1:signhide=1");
}

static void H8_h264_size_changes(void **state)
{
    size_changes(*state, CODEC_H264);
}

static void H8_h265_size_changes(void **state)
{
    size_changes(*state, CODEC_H265);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, rig_setup, rig_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(H8_h264_sets_change),        TEST(H8_h265_sets_change),  TEST(H8_h264_size_changes),
        TEST(what_thinning_leaves_plays), TEST(H8_h265_size_changes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
