/* Where the pictures of cameras come from: loops shared by all that ask for the same, or shots. */
#include <string.h>

#include "camsim.h"

/* Finds the pair of that key; otherwise a new, empty one is added and *out_is_new set. */
static struct shared_reel *share(struct camsim *sim, const char *key, bool *out_is_new)
{
    for (struct shared_reel *r = sim->reels; r; r = r->next) {
        if (strcmp(r->key, key) == 0) {
            *out_is_new = false;
            return r;
        }
    }
    struct shared_reel *r = xcalloc(1, sizeof *r);
    r->key = xstrdup(key);
    r->next = sim->reels;
    sim->reels = r;
    *out_is_new = true;
    return r;
}

void source_free_shared(struct camsim *sim)
{
    while (sim->reels) {
        struct shared_reel *r = sim->reels;
        sim->reels = r->next;
        reel_destroy(&r->pair.video);
        reel_destroy(&r->pair.audio);
        free(r->key);
        free(r);
    }
}

static int find_pictures(struct camsim *sim, const struct picture_source *s, const char *label,
                         struct reel_pair *out, struct err *err)
{
    char *key = s->file ? xasprintf("file %s", s->file)
                        : xasprintf("scene %d %u %d %dx%d %d %d %d %d %lld %s", s->scene, s->seed,
                                    s->codec, s->width, s->height, s->fps_milli, s->gop, s->slices,
                                    s->b_frames, (long long)s->bitrate_bps, label);
    bool is_new;
    int rc = 0;
    struct shared_reel *shared = share(sim, key, &is_new);
    free(key);
    if (is_new && s->file)
        rc = reel_load_file(s->file, &shared->pair, err);
    else if (is_new)
        rc = scene_reel_create(s, label, sim->config->cache_dir, &shared->pair.video, err);
    *out = shared->pair;
    return rc;
}

static int find_sound(struct camsim *sim, enum sound sound, struct reel **out, struct err *err)
{
    static const struct {
        const char *key;
        enum codec codec;
    } tones[] = {[SOUND_AAC] = {"tone aac", CODEC_AAC},
                 [SOUND_PCMA] = {"tone pcma", CODEC_PCMA},
                 [SOUND_L16] = {"tone l16", CODEC_S16BE},
                 [SOUND_PCM] = {"tone pcm", CODEC_S16LE}};
    bool is_new;
    int rc = 0;
    struct shared_reel *shared = share(sim, tones[sound].key, &is_new);
    if (is_new && sound == SOUND_AAC)
        rc = reel_tone_aac(&shared->pair.audio, err);
    else if (is_new)
        shared->pair.audio = reel_tone_plain(tones[sound].codec);
    *out = shared->pair.audio;
    return rc;
}

static int usual_payload_type(enum codec codec)
{
    switch (codec) {
    case CODEC_PCMU:
        return 0;
    case CODEC_PCMA:
        return 8;
    case CODEC_AAC:
    case CODEC_S16BE:
    case CODEC_S16LE:
        return 97;
    case CODEC_JPEG:
        return 26;
    case CODEC_H264:
    case CODEC_H265:
    case CODEC_NONE:
        break;
    }
    return 96;
}

static void set_reel(struct track *t, struct reel *reel)
{
    if (!reel)
        return;
    t->reel = reel;
    t->format = reel->format;
    int own = t->stream->camera->config->payload_types[t - t->stream->tracks];
    t->payload_type = (uint8_t)(own ? own : usual_payload_type(reel->format->codec));
}

static int open_stream(struct camera *camera, int index, struct err *err)
{
    struct camsim *sim = camera->sim;
    const struct picture_source *source = &camera->config->pictures[index];
    struct stream *stream = &camera->streams[index];
    struct track *video = &stream->tracks[TRACK_VIDEO];
    enum sound sound = camera->config->sound;
    struct reel_pair pair = {0};
    int rc;

    stream->is_on = source->is_on;
    if (!source->is_on)
        return 0;
    if (source->is_live && !source->file) {
        if (!sim->studio)
            sim->studio = studio_create(sim->loop);
        rc = shot_create(sim->studio, source, camera->config->label, stream_on_shot, video,
                         &video->shot, err);
        if (rc < 0)
            return rc;
        video->format = shot_format(video->shot);
        video->payload_type = (uint8_t)usual_payload_type(video->format->codec);
        video->origin_us = shot_origin_us(video->shot);
    } else {
        rc = find_pictures(sim, source, camera->config->label, &pair, err);
        if (rc < 0)
            return rc;
        set_reel(video, pair.video);
    }
    if (sound != SOUND_NONE && sound != SOUND_FILE)
        rc = find_sound(sim, sound, &pair.audio, err);
    if (rc >= 0 && sound != SOUND_NONE)
        set_reel(&stream->tracks[TRACK_AUDIO], pair.audio);
    return rc;
}

int source_open(struct camera *camera, struct err *err)
{
    for (int i = 0; i < STREAMS; i++) {
        int rc = open_stream(camera, i, err);
        if (rc < 0)
            return err_wrap(err, rc, "camera %s", camera->config->id);
    }
    return 0;
}
