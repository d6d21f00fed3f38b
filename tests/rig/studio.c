#include "studio.h"

#include <stdatomic.h>

#include "av_encode.h"
#include "base/log.h"

#define LATE_MAX_US (400 * US_PER_MS)

struct shot {
    /* set at create, then const */
    struct studio *studio;
    struct scene *scene;
    struct encoder *encoder;
    int fps_milli;
    int64_t origin_us;
    shot_fn *fn;
    void *ctx;
    struct shot *next;

    /* studio's loop only */
    struct timer timer;
    int64_t frame;
    bool is_running;
    bool wants_key;
};

struct studio {
    struct loop *home, *loop;
    struct shot *shots;
    bool is_closed; /* home loop only: pictures on their way have nobody to go to */
};

/* A message to either loop. */
struct note {
    struct shot *shot;
    struct unit *unit;
    bool is_wanted;
};

struct studio *studio_create(struct loop *home)
{
    struct studio *s = xcalloc(1, sizeof *s);
    s->home = home;
    s->loop = loop_create(&(struct loop_params){.name = "studio"});
    loop_start(s->loop);
    return s;
}

static void release(void *ctx)
{
    struct studio *s = ctx;
    struct shot *next;
    for (struct shot *shot = s->shots; shot; shot = next) {
        next = shot->next;
        free(shot);
    }
    free(s);
}

void studio_destroy(struct studio **sp)
{
    struct studio *s = *sp;
    if (!s)
        return;
    *sp = NULL;
    s->is_closed = true;
    loop_stop(s->loop);
    loop_join(s->loop);
    for (struct shot *shot = s->shots; shot; shot = shot->next)
        timer_disarm(&shot->timer);
    loop_destroy(&s->loop);
    for (struct shot *shot = s->shots; shot; shot = shot->next) {
        encoder_close(&shot->encoder);
        scene_destroy(&shot->scene);
    }
    loop_post(s->home, release, s); /* behind the pictures on their way */
}

static void deliver(void *ctx)
{
    struct note *note = ctx;
    struct shot *shot = note->shot;
    if (shot->studio->is_closed)
        unit_destroy(&note->unit);
    else
        shot->fn(shot->ctx, note->unit);
    free(note);
}

static void on_packet(void *ctx, const struct packet *pkt)
{
    struct shot *shot = ctx;
    struct unit *unit;
    int rc = unit_create(pkt, &unit);
    if (rc < 0) {
        log_error("studio", "a picture cannot be sent: %s", err_name(rc));
        return;
    }
    struct note *note = xmalloc(sizeof *note);
    *note = (struct note){.shot = shot, .unit = unit};
    loop_post(shot->studio->home, deliver, note);
}

static int64_t frame_due_us(const struct shot *shot, int64_t frame)
{
    return shot->origin_us + frame * 1000 * US_PER_S / shot->fps_milli;
}

static void take_picture(void *ctx)
{
    struct shot *shot = ctx;
    struct loop *loop = shot->studio->loop;
    struct picture *p = encoder_picture(shot->encoder);
    scene_draw(shot->scene, p, loop_wall_us(loop), (uint64_t)shot->frame);
    int rc = encoder_encode(shot->encoder, shot->frame, shot->wants_key, on_packet, shot);
    if (rc < 0)
        log_error("studio", "a picture cannot be encoded: %s", err_name(rc));
    shot->wants_key = false;

    /* A short hold-up is made good; a machine that is too slow gets fewer pictures, not later ones.
     */
    int64_t now_us = clock_mono_us(loop_clock(loop));
    shot->frame++;
    if (frame_due_us(shot, shot->frame) < now_us - LATE_MAX_US)
        shot->frame = (now_us - shot->origin_us) * shot->fps_milli / 1000 / US_PER_S + 1;
    timer_arm_us(&shot->timer, frame_due_us(shot, shot->frame) - loop_mono_us(loop));
}

static void on_want(void *ctx)
{
    struct note *note = ctx;
    struct shot *shot = note->shot;
    struct loop *loop = shot->studio->loop;
    shot->wants_key = note->is_wanted;
    if (note->is_wanted && !shot->is_running) {
        int64_t now_us = loop_mono_us(loop);
        shot->frame =
            MAX((now_us - shot->origin_us) * shot->fps_milli / 1000 / US_PER_S + 1, shot->frame);
        timer_arm_us(&shot->timer, frame_due_us(shot, shot->frame) - now_us);
    }
    if (!note->is_wanted)
        timer_disarm(&shot->timer);
    shot->is_running = note->is_wanted;
    free(note);
}

void shot_want(struct shot *shot, bool is_wanted)
{
    struct note *note = xmalloc(sizeof *note);
    *note = (struct note){.shot = shot, .is_wanted = is_wanted};
    loop_post(shot->studio->loop, on_want, note);
}

static void add_shot(void *ctx)
{
    struct shot *shot = ctx;
    timer_init(&shot->timer, shot->studio->loop, take_picture, shot);
}

int shot_create(struct studio *studio, const struct picture_source *source, const char *label,
                shot_fn *fn, void *ctx, struct shot **out, struct err *err)
{
    struct encoder *encoder = NULL;
    int rc = encoder_open(&(struct encoder_params){.codec = source->codec,
                                                   .width = source->width,
                                                   .height = source->height,
                                                   .fps_milli = source->fps_milli,
                                                   .gop = source->gop,
                                                   .bitrate_bps = source->bitrate_bps,
                                                   .is_live = true},
                          &encoder, err);
    if (rc < 0)
        return rc;
    struct shot *shot = xcalloc(1, sizeof *shot);
    shot->studio = studio;
    shot->encoder = encoder;
    shot->scene = scene_create(&(struct scene_params){.kind = source->scene,
                                                      .seed = source->seed,
                                                      .width = source->width,
                                                      .height = source->height,
                                                      .label = label});
    shot->fps_milli = source->fps_milli;
    /* the pictures of many cameras are not due at the same instant */
    int64_t interval_us = 1000 * US_PER_S / source->fps_milli;
    shot->origin_us =
        clock_mono_us(loop_clock(studio->home)) + source->seed * INT64_C(7919) % interval_us;
    shot->fn = fn;
    shot->ctx = ctx;
    shot->next = studio->shots;
    studio->shots = shot;
    loop_post(studio->loop, add_shot, shot);
    *out = shot;
    return 0;
}

struct format *shot_format(const struct shot *shot)
{
    return encoder_format(shot->encoder);
}

int64_t shot_origin_us(const struct shot *shot)
{
    return shot->origin_us;
}
