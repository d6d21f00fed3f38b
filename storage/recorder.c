/* The sink that records: gathers pictures into fragments on the hub's loop and hands each fragment
 * to the volume's loop. Times are the packets' own, so nothing here arms a timer, and the clock is
 * read only to ask, at a key frame, whether the disk answers. */
#include "storage/storage_priv.h"

#include <assert.h>

#include "base/log.h"
#include "base/str.h"
#include "media/hub.h"
#include "media/inband.h"
#include "storage/disk_fragment.h"
#include "storage/recorder_clock.h"
#include "storage/recorder_sound.h"
#include "storage/recorder_volume.h"
#include "storage/writer.h"

enum {
    FRAGMENT_MAX_BYTES = 1 << 20,
    FRAGMENT_MAX_TICKS = 2 * 90000,
    FRAGMENT_KEY_TICKS = 81000, /* a key frame begins a fragment, but not more often than this */
    FRAGMENT_MAX_PACKETS = 500, /* per track */
};

struct recorder {
    struct sink sink;
    struct storage *storage;
    struct hub *hub;
    struct recorder_link *link;
    bool is_detached;
    bool is_stopping;

    struct format *audio; /* the newest seen; NULL = none yet */
    enum segment_edge began;

    /* the open segment; writer NULL = waiting for a key frame */
    struct writer *writer;
    struct writer *last; /* the one before, for its link; NULL = none yet */
    struct inband sets;  /* of the pictures; its entry is that of the file */
    int64_t from_us;
    int64_t length_us; /* after which it ends at the next key frame */
    int64_t base_dts;
    int64_t bytes;
    size_t n_holes; /* inside, each in the middle of a group of pictures */
    uint32_t sequence;
    bool has_audio;     /* the file has a track for it; known from the first fragment on */
    bool is_cut_wanted; /* at the next key frame, for another format */

    int64_t sent_to_us; /* where the fragments sent so far end */
    struct recorder_clock clock;
    struct recorder_sound sound;

    struct disk_fragment *fragment; /* being gathered; NULL = none */
    size_t cap_video, cap_audio;    /* what the previous one needed */
};

/* --- fragments --- */

static void lose_fragment(struct recorder *r)
{
    if (r->fragment != NULL)
        atomic_fetch_add(&r->link->n_lost_fragments, 1);
    disk_fragment_destroy(&r->fragment);
}

static void close_segment(struct recorder *r, int64_t to_us, enum segment_edge ended)
{
    writer_close(r->writer, MAX(to_us, r->from_us + 1000), ended);
    writer_unref(&r->last);
    r->last = r->writer;
    r->writer = NULL;
    r->is_cut_wanted = false;
    r->began = ended == SEGMENT_DOWN ? SEGMENT_START : ended;
}

/* What cannot be written is a counted gap, and the file ends before it. */
static void shut_out(struct recorder *r, enum recorder_trouble trouble, int64_t now_us)
{
    lose_fragment(r);
    recorder_link_set(r->link, trouble, now_us);
    if (r->writer != NULL)
        close_segment(r, r->sent_to_us, SEGMENT_DISK);
}

/* to_us: where the pictures gathered so far end. */
static void send_fragment(struct recorder *r, int64_t to_us)
{
    struct disk_fragment *f = r->fragment;
    if (f == NULL)
        return;
    f->to_us = MAX(to_us, r->from_us + 1000);
    f->sequence = ++r->sequence;
    f->video_base_dts = r->base_dts;
    f->audio_base_dts = r->sound.base_dts;
    if (f->n_video > 0)
        f->video[f->n_video - 1].duration = r->clock.duration;
    if (f->sequence == 1) {
        f->video_format = format_ref(r->sets.entry);
        f->audio_format = r->audio != NULL ? format_ref(r->audio) : NULL;
        r->has_audio = r->audio != NULL;
    }
    int64_t sent_to_us = f->to_us;
    r->cap_video = CLAMP(f->n_video + f->n_video / 4, 16, FRAGMENT_MAX_PACKETS);
    r->cap_audio = CLAMP(f->n_audio + f->n_audio / 4, 16, FRAGMENT_MAX_PACKETS);
    if (!writer_send(r->writer, f)) {
        shut_out(r, RECORDER_SLOW, to_us);
        return;
    }
    r->fragment = NULL; /* the volume's now */
    r->sent_to_us = sent_to_us;
}

/* Takes the reference to pkt. */
static void add_sample(struct fmp4_sample **list, size_t *n, size_t *cap, struct packet *pkt,
                       uint32_t duration)
{
    if (*n == *cap) {
        *cap = MAX(16, *cap * 2);
        *list = xrealloc(*list, *cap * sizeof **list);
    }
    (*list)[(*n)++] = (struct fmp4_sample){.pkt = pkt, .duration = duration};
}

static struct disk_fragment *need_fragment(struct recorder *r)
{
    if (r->fragment == NULL)
        r->fragment =
            disk_fragment_create(MAX(r->cap_video, 16), r->audio != NULL ? r->cap_audio : 0);
    return r->fragment;
}

static bool is_fragment_due(const struct recorder *r, const struct packet *pkt)
{
    const struct disk_fragment *f = r->fragment;
    if (f == NULL || f->n_video == 0)
        return false;
    if (r->clock.is_jump) /* every fragment tells the wall clock of its first picture */
        return true;
    int64_t age = pkt->dts - f->video[0].pkt->dts;
    return (pkt->is_key && age >= FRAGMENT_KEY_TICKS) || age >= FRAGMENT_MAX_TICKS ||
           f->bytes + pkt->size > FRAGMENT_MAX_BYTES || f->n_video >= FRAGMENT_MAX_PACKETS;
}

/* --- segments --- */

static void end_segment(struct recorder *r, int64_t to_us, enum segment_edge ended)
{
    send_fragment(r, to_us);
    if (r->writer != NULL)
        close_segment(r, to_us, ended);
}

static bool open_segment(struct recorder *r, const struct packet *key)
{
    struct segment_id id = {.stream = r->link->stream, .from_us = key->wall_us};
    struct volume *volume = recorder_volume_take(r->storage, r->link, key->wall_us);
    if (volume == NULL)
        return false;
    str_copy(id.camera_id, sizeof id.camera_id, r->link->camera_id);
    id.n = atomic_fetch_add(&r->storage->next_n, 1);
    r->writer = writer_create(volume, r->link, &id, r->began, &r->last);
    inband_begin(&r->sets, key->format);
    r->from_us = r->sent_to_us = key->wall_us;
    r->length_us = r->storage->segment_us;
    if (r->storage->is_staggered)
        r->length_us = rotation_length_us(id.camera_id, id.stream, key->arrival_mono_us,
                                          r->storage->segment_us);
    r->base_dts = key->dts;
    r->bytes = 0;
    r->sequence = 0;
    r->n_holes = 0;
    r->has_audio = false;
    r->sound = (struct recorder_sound){0};
    recorder_clock_begin(&r->clock, r->sets.entry->timescale);
    return true;
}

/* Whether this picture begins another segment, and why. Only a format that the file cannot hold or
 * a broken timeline may do so without a key frame; then pictures are missing until the next one. */
static bool is_cut(const struct recorder *r, const struct packet *pkt, enum segment_edge *edge)
{
    const struct storage *s = r->storage;
    int64_t media_us = us_of_ticks(pkt->dts - r->base_dts, r->clock.timescale);
    *edge = pkt->is_key ? SEGMENT_HOLE : SEGMENT_NO_KEY;
    if (pkt->dts <= r->clock.dts || media_us > SEGMENT_LIMIT_US - 60 * US_PER_S)
        return true;
    *edge = pkt->is_key ? SEGMENT_FORMAT : SEGMENT_NO_KEY;
    if (!inband_fits(&r->sets, pkt->format))
        return true;
    if (!pkt->is_key) {
        *edge = SEGMENT_NO_KEY;
        return r->clock.is_hole && r->n_holes == SEGMENT_HOLES_MAX;
    }
    if (r->is_cut_wanted)
        return true;
    *edge = SEGMENT_CLOCK;
    if (r->clock.step_us != 0)
        return true;
    /* after a loss the pictures up to this one came, but could not be decoded */
    *edge = pkt->lost_before > 0 ? SEGMENT_NO_KEY : SEGMENT_HOLE;
    if (r->clock.is_hole)
        return true;
    *edge = SEGMENT_MOVED;
    if (recorder_volume_is_to_be_left(r->storage, r->link, r->writer->volume))
        return true;
    *edge = SEGMENT_ROTATED;
    return media_us >= r->length_us || r->bytes >= s->segment_max_bytes ||
           r->n_holes > SEGMENT_HOLES_MAX / 2;
}

/* The source stood still in the middle of a group and goes on with it: the pictures so far end
 * where they ended, and media time goes on with the wall clock whatever the camera's did. */
static void leave_hole(struct recorder *r, const struct packet *pkt)
{
    int64_t from_us = recorder_clock_end_us(&r->clock);
    int64_t hole_us = recorder_clock_of(&r->clock, pkt) - from_us;
    int64_t end_dts = r->clock.dts - r->base_dts + r->clock.duration;
    send_fragment(r, from_us);
    if (r->writer == NULL)
        return;
    r->base_dts = pkt->dts - end_dts - ticks_of_us(hole_us, r->clock.timescale);
    r->n_holes++;
    need_fragment(r)->hole = (struct segment_hole){from_us, from_us + hole_us};
}

/* Ends what this picture does not belong to. */
static void cut_before(struct recorder *r, const struct packet *pkt)
{
    enum segment_edge edge;
    recorder_clock_compare(&r->clock, pkt);
    bool is_new_segment = is_cut(r, pkt, &edge);
    int64_t to_us = recorder_clock_end_us(&r->clock);
    if (r->clock.is_hole && !is_new_segment) {
        leave_hole(r, pkt);
        return;
    }
    if (pkt->dts > r->clock.dts && !(is_new_segment && r->clock.is_hole)) {
        r->clock.duration = (uint32_t)MIN(pkt->dts - r->clock.dts, UINT32_MAX);
        to_us = recorder_clock_of(&r->clock, pkt);
    }
    if (is_new_segment)
        end_segment(r, to_us, edge);
    else if (is_fragment_due(r, pkt))
        send_fragment(r, to_us);
    else if (r->fragment != NULL && r->fragment->n_video > 0)
        r->fragment->video[r->fragment->n_video - 1].duration = r->clock.duration;
}

/* Without memory for its parameter sets a picture and those that follow it cannot be decoded. */
static void lose_picture(struct recorder *r)
{
    atomic_fetch_add(&r->link->n_lost_fragments, 1);
    end_segment(r, recorder_clock_end_us(&r->clock), SEGMENT_NO_KEY);
}

static void push_video(struct recorder *r, struct packet *pkt)
{
    if (r->writer != NULL && atomic_load(&r->writer->is_failed)) {
        lose_fragment(r);
        close_segment(r, r->sent_to_us, SEGMENT_DISK);
    }
    if (r->writer != NULL)
        cut_before(r, pkt);
    if (r->writer == NULL && (!pkt->is_key || pkt->format == NULL || !open_segment(r, pkt)))
        return;
    struct packet *sample = inband_take(&r->sets, pkt);
    if (sample == NULL) {
        lose_picture(r);
        return;
    }
    struct disk_fragment *f = need_fragment(r);
    add_sample(&f->video, &f->n_video, &f->cap_video, sample, r->clock.duration);
    f->bytes += sample->size;
    f->lost_packets += pkt->lost_before;
    r->bytes += (int64_t)sample->size;
    recorder_clock_take(&r->clock, pkt);
}

/* --- sound --- */

static void note_audio_format(struct recorder *r, const struct packet *pkt)
{
    if (r->audio == pkt->format)
        return;
    bool is_same = r->audio != NULL && format_eq(r->audio, pkt->format);
    format_unref(&r->audio);
    r->audio = format_ref(pkt->format);
    if (!is_same && r->writer != NULL && r->sequence > 0)
        r->is_cut_wanted = true;
}

/* By its wall clock, beside the newest picture. */
static bool place_audio(struct recorder *r, const struct packet *pkt)
{
    int64_t picture_us = us_of_ticks(r->clock.dts - r->base_dts, r->clock.timescale);
    int64_t beside_us = picture_us + pkt->wall_us - r->clock.wall_us;
    bool is_fragment_start = r->fragment == NULL || r->fragment->n_audio == 0;
    return recorder_sound_place(&r->sound, pkt, ticks_of_us(beside_us, pkt->format->timescale),
                                is_fragment_start);
}

static void push_audio(struct recorder *r, struct packet *pkt)
{
    if (pkt->format == NULL || pkt->format->timescale == 0)
        return;
    note_audio_format(r, pkt);
    bool is_open = r->writer != NULL && !r->is_cut_wanted && (r->sequence == 0 || r->has_audio);
    if (!is_open || (r->fragment != NULL && r->fragment->n_audio >= FRAGMENT_MAX_PACKETS) ||
        !place_audio(r, pkt))
        return;
    struct disk_fragment *f = need_fragment(r);
    if (f->n_audio > 0) {
        int64_t step = pkt->dts - r->sound.last_dts;
        f->audio[f->n_audio - 1].duration = (uint32_t)MIN(step, UINT32_MAX);
    }
    uint32_t duration = recorder_sound_take(&r->sound, pkt);
    add_sample(&f->audio, &f->n_audio, &f->cap_audio, packet_ref(pkt), duration);
    f->bytes += pkt->size;
    f->lost_packets += pkt->lost_before;
    r->bytes += (int64_t)pkt->size;
}

/* --- sink --- */

static void on_push(struct sink *sink, struct packet *pkt)
{
    struct recorder *r = CONTAINER_OF(sink, struct recorder, sink);
    if (pkt->is_video)
        push_video(r, pkt);
    else
        push_audio(r, pkt);
}

static void end_all(struct recorder *r, enum segment_edge ended)
{
    if (r->writer == NULL) {
        lose_fragment(r);
        return;
    }
    end_segment(r, recorder_clock_end_us(&r->clock), ended);
}

static void on_source_changed(struct sink *sink, bool is_up)
{
    struct recorder *r = CONTAINER_OF(sink, struct recorder, sink);
    if (!is_up)
        end_all(r, SEGMENT_DOWN);
}

static void release(struct recorder *r)
{
    registry_stopped(r->storage->registry, r->link);
    writer_unref(&r->last);
    recorder_link_unref(&r->link);
    format_unref(&r->audio);
    inband_fini(&r->sets);
    hub_unref(&r->hub);
    free(r);
}

static void on_gone(struct sink *sink)
{
    struct recorder *r = CONTAINER_OF(sink, struct recorder, sink);
    end_all(r, SEGMENT_STOPPED);
    r->is_detached = true;
    if (r->is_stopping)
        release(r);
}

static const struct sink_ops ops = {
    .push = on_push, .source_changed = on_source_changed, .gone = on_gone};

struct recorder *recorder_start(struct storage *s, const struct recorder_params *params)
{
    struct recorder *r = xcalloc(1, sizeof *r);
    struct recorder_link *l = xcalloc(1, sizeof *l);
    refcount_init(&l->refs);
    l->registry = s->registry;
    str_copy(l->camera_id, sizeof l->camera_id, hub_camera_id(params->hub));
    int rc = stream_kind_parse(hub_stream(params->hub), &l->stream);
    assert(rc == 0);
    (void)rc;
    l->status_loop = params->status_loop;
    l->status = params->status;
    l->gone = params->gone;
    l->ctx = params->ctx;

    r->sink = (struct sink){.ops = &ops, .wants_audio = true};
    r->storage = s;
    r->hub = hub_ref(params->hub);
    r->link = l;
    registry_add(s->registry, l);
    hub_attach(r->hub, &r->sink, true);
    return r;
}

void recorder_stop(struct recorder *r)
{
    assert(!r->is_stopping);
    r->is_stopping = true;
    if (r->is_detached)
        release(r);
    else
        hub_detach(r->hub, &r->sink);
}
