#include <errno.h>
#include <sys/stat.h>

#include "av_encode.h"
#include "av_file.h"
#include "studio.h"

#define LAP_SECONDS 10
/* Sensor noise, which is what makes real pictures cost their bits. */
#define NOISE_LEVELS 6
#define FIRST_WALL_US                                                                              \
    INT64_C(1767225600000000) /* 2026-01-01: a loop is the same wherever it is made */

struct making {
    struct reel *reel;
    struct file_writer *writer; /* NULL = no cache */
    int rc;
};

static void on_packet(void *ctx, const struct packet *pkt)
{
    struct making *m = ctx;
    if (m->rc >= 0)
        m->rc = reel_append(m->reel, pkt);
    if (m->rc >= 0 && m->writer)
        m->rc = file_writer_put(m->writer, pkt);
}

static int encode_lap(const struct picture_source *source, const char *label,
                      struct encoder *encoder, struct making *m)
{
    struct scene *scene = scene_create(&(struct scene_params){.kind = source->scene,
                                                              .seed = source->seed,
                                                              .width = source->width,
                                                              .height = source->height,
                                                              .label = label});
    int n_frames = LAP_SECONDS * source->fps_milli / 1000;
    for (int i = 0; i < n_frames && m->rc >= 0; i++) {
        struct picture *p = encoder_picture(encoder);
        scene_draw(scene, p, FIRST_WALL_US + i * INT64_C(1000) * US_PER_S / source->fps_milli,
                   (uint64_t)i);
        picture_noise(p, NOISE_LEVELS, (uint32_t)i + 1);
        int rc = encoder_encode(encoder, i, false, on_packet, m);
        m->rc = m->rc < 0 ? m->rc : rc;
    }
    if (m->rc >= 0)
        m->rc = encoder_encode(encoder, -1, false, on_packet, m);
    scene_destroy(&scene);
    return m->rc;
}

static int make(const struct picture_source *source, const char *label, const char *cache_path,
                struct reel **out, struct err *err)
{
    struct encoder *encoder;
    struct making m = {0};
    int rc = encoder_open(&(struct encoder_params){.codec = source->codec,
                                                   .width = source->width,
                                                   .height = source->height,
                                                   .fps_milli = source->fps_milli,
                                                   .gop = source->gop,
                                                   .n_slices = source->slices,
                                                   .n_b_frames = source->b_frames,
                                                   .bitrate_bps = source->bitrate_bps},
                          &encoder, err);
    if (rc < 0)
        return rc;
    m.reel = reel_create(encoder_format(encoder));
    if (cache_path)
        rc = file_writer_open(cache_path, encoder_format(encoder), &m.writer, err);
    if (rc >= 0 && (rc = encode_lap(source, label, encoder, &m)) < 0)
        err_set(err, rc, "encode the scene %s", scene_name(source->scene));
    if (rc >= 0)
        rc = reel_finish(m.reel, err);
    int close_rc = file_writer_close(&m.writer, rc >= 0, rc < 0 ? NULL : err);
    rc = rc < 0 ? rc : close_rc;
    encoder_close(&encoder);
    if (rc < 0)
        reel_destroy(&m.reel);
    *out = m.reel;
    return rc;
}

int scene_reel_create(const struct picture_source *source, const char *label, const char *cache_dir,
                      struct reel **out, struct err *err)
{
    if (!cache_dir)
        return make(source, label, NULL, out, err);
    if (mkdir(cache_dir, 0755) != 0 && errno != EEXIST)
        return err_set(err, -errno, "create the cache %s", cache_dir);
    char *path = xasprintf("%s/%s-%u-%s-%dx%d-%d-gop%d-%d-%d-%lld.mp4", cache_dir,
                           scene_name(source->scene), source->seed, codec_name(source->codec),
                           source->width, source->height, source->fps_milli / 1000, source->gop,
                           source->slices, source->b_frames, (long long)source->bitrate_bps);
    struct reel_pair pair;
    int rc = 0;
    if (access(path, R_OK) == 0 && reel_load_file(path, &pair, NULL) >= 0) {
        reel_destroy(&pair.audio);
        *out = pair.video;
    } else {
        rc = make(source, label, path, out, err);
    }
    free(path);
    return rc;
}
