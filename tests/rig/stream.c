#include <sys/random.h>

#include "base/buf.h"
#include "camsim.h"
#include "client.h"

/* Cameras are served in batches of this grain, so that a thousand of them wake the loop no more
 * than a thousand times a second. */
#define GRAIN_US INT64_C(1000)
/* Someone later than this (a stopped process) goes on with what is due now. */
#define LATE_MAX_US US_PER_S

static int64_t ticks_to_us(const struct track *t, int64_t ticks)
{
    return ticks * US_PER_S / (int64_t)t->format->timescale;
}

static int64_t elapsed_ticks(const struct track *t)
{
    struct loop *loop = t->stream->camera->sim->loop;
    return (loop_mono_us(loop) - t->origin_us) * (int64_t)t->format->timescale / US_PER_S;
}

uint32_t track_timestamp(const struct track *t)
{
    return t->timestamp_base + (uint32_t)elapsed_ticks(t);
}

static int64_t next_due_us(const struct track *t)
{
    const struct reel *r = t->reel;
    return t->origin_us + ticks_to_us(t, t->lap * r->duration + r->units[t->next]->dts);
}

/* Puts the track to where it would be if it had run since its origin. */
static void seek_to_now(struct track *t)
{
    const struct reel *r = t->reel;
    int64_t ticks = elapsed_ticks(t);
    t->lap = ticks / r->duration;
    t->next = reel_find(r, ticks % r->duration);
    if (t->next == r->n_units) {
        t->next = 0;
        t->lap++;
    }
}

/* The next key frame becomes due at once. */
static void seek_to_key(struct track *t)
{
    const struct reel *r = t->reel;
    for (size_t i = 0; i < r->n_units && !r->units[t->next]->is_key; i++) {
        t->next++;
        if (t->next == r->n_units) {
            t->next = 0;
            t->lap++;
        }
    }
    t->origin_us -= next_due_us(t) - loop_mono_us(t->stream->camera->sim->loop);
}

/* Sends a unit `ticks` after the origin. Clients may end meanwhile. */
static void emit(struct track *t, struct unit *unit, int64_t ticks)
{
    struct camera *camera = t->stream->camera;
    unit_patch(unit, &(struct unit_stamp){.payload_type = t->payload_type,
                                          .seq = t->seq,
                                          .timestamp = t->timestamp_base + (uint32_t)ticks,
                                          .ssrc = t->ssrc});
    t->seq = (uint16_t)(t->seq + unit->n_packets);
    if (fail_table[camera->mode].has_no_media)
        return;
    camera->n_units++;
    struct client *next;
    for (struct client *c = t->stream->playing; c; c = next) {
        next = client_next_playing(c);
        client_send_unit(c, (int)(t - t->stream->tracks), unit);
    }
}

static void arm(struct track *t)
{
    int64_t due_us = (next_due_us(t) + GRAIN_US - 1) / GRAIN_US * GRAIN_US;
    timer_arm_us(&t->timer, due_us - loop_mono_us(t->stream->camera->sim->loop));
}

/* Before the sending, so that nobody can have the picture without its time. */
static void publish(const struct track *t)
{
    const struct camera *camera = t->stream->camera;
    struct camsim *sim = camera->sim;
    if (sim->stamps && t->stream->index == STREAM_MAIN && t == &t->stream->tracks[TRACK_VIDEO])
        stamps_set(sim->stamps, camera->number, t->next, clock_mono_us(loop_clock(sim->loop)));
}

static void on_due(void *ctx)
{
    struct track *t = ctx;
    struct loop *loop = t->stream->camera->sim->loop;
    const struct reel *r = t->reel;
    if (loop_mono_us(loop) - next_due_us(t) > LATE_MAX_US) {
        int64_t was = t->lap * (int64_t)r->n_units + (int64_t)t->next;
        seek_to_now(t);
        t->stream->camera->n_skipped_units +=
            (uint64_t)(t->lap * (int64_t)r->n_units + (int64_t)t->next - was);
    }
    while (t->stream->playing && next_due_us(t) <= loop_mono_us(loop)) {
        struct unit *unit = r->units[t->next];
        publish(t);
        emit(t, unit, t->lap * r->duration + unit->pts);
        t->next++;
        if (t->next == r->n_units) {
            t->next = 0;
            t->lap++;
        }
    }
    if (t->stream->playing)
        arm(t);
}

void stream_on_shot(void *ctx, struct unit *unit)
{
    struct track *t = ctx;
    emit(t, unit, unit->pts);
    unit_destroy(&unit);
}

/* Another place in the loop for each camera, and another phase within the frame's interval. */
static int64_t spread_us(const struct track *t)
{
    const struct camera *camera = t->stream->camera;
    int64_t lap_us = ticks_to_us(t, t->reel->duration);
    int64_t number = (int64_t)camera->number;
    return lap_us * number / (int64_t)camera->sim->config->n_cameras +
           number * 7919 % (lap_us / (int64_t)t->reel->n_units);
}

static void start_track(struct track *t)
{
    const struct camsim *sim = t->stream->camera->sim;
    bool is_audio = t == &t->stream->tracks[TRACK_AUDIO];
    if (!t->timer.fn) {
        timer_init(&t->timer, sim->loop, on_due, t);
        uint8_t random[10];
        if (getrandom(random, sizeof random, 0) == sizeof random) {
            t->ssrc = get_be32(random);
            t->timestamp_base = get_be32(random + 4);
            t->seq = get_be16(random + 8);
        }
        if (t->reel)
            t->origin_us = loop_mono_us(sim->loop) / US_PER_S * US_PER_S - 60 * US_PER_S;
        if (t->reel && sim->config->is_spread && !is_audio)
            t->origin_us -= spread_us(t);
    }
    if (t->shot) {
        shot_want(t->shot, true);
        return;
    }
    seek_to_now(t);
    if (!sim->config->is_spread || is_audio)
        seek_to_key(t);
    arm(t);
}

static void stop_track(struct track *t)
{
    if (t->shot)
        shot_want(t->shot, false);
    timer_disarm(&t->timer);
}

void stream_join(struct stream *stream, struct client *client)
{
    client_link_playing(client, &stream->playing);
    stream->n_playing++;
    for (int i = 0; i < TRACKS; i++) {
        struct track *t = &stream->tracks[i];
        /* a further client of a live stream gets a key frame of its own */
        if (t->format && (stream->n_playing == 1 || t->shot))
            start_track(t);
    }
}

void stream_leave(struct stream *stream, struct client *client)
{
    client_unlink_playing(client, &stream->playing);
    stream->n_playing--;
    for (int i = 0; i < TRACKS && stream->n_playing == 0; i++)
        if (stream->tracks[i].format)
            stop_track(&stream->tracks[i]);
}

void stream_fini(struct stream *stream)
{
    for (int i = 0; i < TRACKS; i++)
        timer_disarm(&stream->tracks[i].timer);
}
