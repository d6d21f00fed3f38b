#include "delivery/clip_priv.h"

#include <assert.h>
#include <errno.h>

#include "base/clock.h"
#include "base/str.h"

#define MAP_SAMPLES 200000u
#define MAX_FILES   1024u
#define JUMP_US     (2 * US_PER_S)    /* pictures further apart are a gap, whatever the flags say */
#define EDGE_US     US_PER_S          /* less is missing at an end: no gap, the frame rate */
#define DRIFT_US    (120 * US_PER_MS) /* sound further off is set right */

/* A sample while the plan is made. */
struct piece {
    struct sample s;
    uint32_t map;
    uint32_t duration; /* until the next one of its track, ticks */
    bool is_after_gap;
};

struct plan {
    const struct clip_params *params;
    struct clip *clip;
    struct piece *pieces;
    size_t n, cap;
    size_t n_files;

    /* what goes in, found by choose_range */
    size_t first, last;                    /* pieces, inclusive; first is a key frame */
    bool is_gap_due;                       /* while collecting: before the next picture */
    int64_t first_pts, shown_pts, end_pts; /* ticks from the decoding time of `first` */
    int64_t shown_us, end_us;              /* wall clock */
    int64_t audio_start_us;
    struct format **formats;
    size_t n_formats;
};

static const struct format *format_of(const struct plan *plan, const struct piece *p)
{
    return plan->clip->maps[p->map]->formats[p->s.format];
}

static int64_t ticks_to_us(const struct plan *plan, const struct piece *p, int64_t ticks)
{
    return ticks * US_PER_S / format_of(plan, p)->timescale;
}

static int64_t end_of(const struct plan *plan, const struct piece *p)
{
    return p->s.wall_us + ticks_to_us(plan, p, p->s.duration);
}

/* --- collecting the samples --- */

static int add_piece(struct plan *plan, const struct sample *s, uint32_t map, struct err *err)
{
    if (plan->n >= CLIP_MAX_SAMPLES)
        return err_say(err, ERR_TOO_BIG, "clip_long",
                       "the clip is too long: ask for a shorter range");
    if (plan->n == plan->cap) {
        size_t cap = MAX(plan->cap * 2, (size_t)1024);
        struct piece *more = try_realloc(plan->pieces, cap * sizeof *more);
        if (!more)
            return err_set(err, -ENOMEM, "plan the clip");
        plan->pieces = more;
        plan->cap = cap;
    }
    plan->is_gap_due |= s->is_after_gap; /* it may stand on sound that comes before the picture */
    plan->pieces[plan->n++] = (struct piece){
        .s = *s,
        .map = map,
        .duration = s->duration,
        .is_after_gap = s->is_video && plan->is_gap_due,
    };
    plan->is_gap_due &= !s->is_video;
    return 0;
}

static bool is_usable(const struct plan *plan, const struct sample_map *map, const struct sample *s)
{
    if (s->format >= map->n_formats || !map->formats[s->format] ||
        map->formats[s->format]->timescale == 0 || s->file >= map->n_files)
        return false;
    return s->is_video || !plan->params->without_audio;
}

/* The map was cut by its bound: its last group may be incomplete, the next map begins with it.
 * Returns the number of samples to take. */
static size_t whole_groups(const struct sample_map *map)
{
    for (size_t i = map->n_samples; i-- > 1;)
        if (map->samples[i].is_video && map->samples[i].is_key)
            return i;
    return 0;
}

/* 1 = more to come, from *from_us; 0 = complete. */
static int collect_map(struct plan *plan, int64_t *from_us, struct err *err)
{
    const struct clip_params *params = plan->params;
    struct sample_query query = {
        .camera_id = params->camera_id,
        .stream = params->stream,
        .from_us = *from_us,
        .to_us = params->to_us,
        .wants_audio = !params->without_audio,
        .max_samples = MAP_SAMPLES,
    };
    struct sample_map *map = NULL;
    int rc = source_map(params->source, &query, &map, err);
    if (rc < 0)
        return rc;
    struct clip *clip = plan->clip;
    clip->maps = xrealloc(clip->maps, (clip->n_maps + 1) * sizeof(struct sample_map *));
    uint32_t index = (uint32_t)clip->n_maps++;
    clip->maps[index] = map;
    plan->n_files += map->n_files;

    size_t n = map->next_us != 0 ? whole_groups(map) : map->n_samples;
    if ((map->next_us != 0 && n == 0) || plan->n_files > MAX_FILES)
        return err_say(err, ERR_TOO_BIG, "clip_long",
                       "the clip is too long: ask for a shorter range");
    bool is_first = index == 0;
    for (size_t i = 0; i < n; i++) {
        const struct sample *s = &map->samples[i];
        if (!is_usable(plan, map, s) || (!is_first && s->is_video && s->wall_us < *from_us))
            continue;
        rc = add_piece(plan, s, index, err);
        if (rc < 0)
            return rc;
    }
    if (map->next_us == 0)
        return 0;
    int64_t next_us = map->samples[n].wall_us;
    if (next_us <= *from_us && !is_first)
        return err_say(err, ERR_TOO_BIG, "clip_long",
                       "the clip is too long: ask for a shorter range");
    *from_us = next_us;
    FREE(&map->samples);
    map->n_samples = 0;
    return 1;
}

/* --- what goes in --- */

/* The first picture shown is the first one at or after `from`; decoding begins at its key frame.
 * The last is the last one before `to`. Drops the other pieces, and sound from outside. False:
 * there is no picture. */
static bool choose_pieces(struct plan *plan)
{
    const struct clip_params *params = plan->params;
    size_t key = SIZE_MAX, first = SIZE_MAX, last = SIZE_MAX;
    for (size_t i = 0; i < plan->n; i++) {
        const struct sample *s = &plan->pieces[i].s;
        if (!s->is_video)
            continue;
        if (s->is_key)
            key = i;
        if (key == SIZE_MAX || s->wall_us < params->from_us || s->wall_us >= params->to_us)
            continue;
        if (first == SIZE_MAX)
            first = key;
        last = i;
    }
    if (first == SIZE_MAX)
        return false;
    int64_t first_us = plan->pieces[first].s.wall_us;
    size_t n = 0;
    for (size_t i = first; i < plan->n; i++) {
        const struct sample *s = &plan->pieces[i].s;
        bool is_in = s->is_video ? i <= last : s->wall_us >= first_us && s->wall_us < params->to_us;
        if (is_in)
            plan->pieces[n++] = plan->pieces[i];
    }
    plan->n = n;
    return true;
}

/* The next piece of the same track; SIZE_MAX at its end. */
static size_t next_of_track(const struct plan *plan, size_t i)
{
    for (size_t k = i + 1; k < plan->n; k++)
        if (plan->pieces[k].s.is_video == plan->pieces[i].s.is_video)
            return k;
    return SIZE_MAX;
}

/* Within a file, decoding times tell how long a sample lasts, also where the camera stood still. */
static void take_durations(struct plan *plan)
{
    for (size_t i = 0; i < plan->n; i++) {
        struct piece *p = &plan->pieces[i];
        size_t k = next_of_track(plan, i);
        if (k == SIZE_MAX)
            continue;
        struct piece *next = &plan->pieces[k];
        int64_t delta = next->s.dts - p->s.dts;
        bool is_same_file = next->map == p->map && next->s.file == p->s.file;
        bool is_continuous =
            is_same_file && delta > 0 && delta < INT32_MAX &&
            llabs(ticks_to_us(plan, p, delta) - (next->s.wall_us - p->s.wall_us)) < JUMP_US;
        next->is_after_gap |=
            next->s.is_video && !is_continuous && next->s.wall_us - end_of(plan, p) > JUMP_US;
        if (is_continuous && !next->is_after_gap)
            p->duration = (uint32_t)delta;
    }
}

/* Keeps sound beside the picture: after a gap, and when the clocks drift, the sample before is made
 * longer or shorter. */
static void fit_audio(struct plan *plan)
{
    int64_t video_us = 0, audio_us = 0;            /* clip time at the end of what was placed */
    int64_t offset_us = plan->pieces[0].s.wall_us; /* wall clock minus clip time */
    struct piece *last_audio = NULL;
    for (size_t i = 0; i < plan->n; i++) {
        struct piece *p = &plan->pieces[i];
        if (p->s.is_video) {
            if (p->s.is_key)
                offset_us = p->s.wall_us - video_us;
            video_us += ticks_to_us(plan, p, p->duration);
            continue;
        }
        int64_t at_us = p->s.wall_us - offset_us;
        if (!last_audio) {
            plan->audio_start_us = audio_us = at_us;
        } else if (at_us - audio_us > DRIFT_US || audio_us - at_us > DRIFT_US) {
            int64_t fix = (at_us - audio_us) * format_of(plan, p)->timescale / US_PER_S;
            int64_t fixed = MAX((int64_t)last_audio->duration + fix, 1);
            audio_us += ticks_to_us(plan, p, fixed - last_audio->duration);
            last_audio->duration = (uint32_t)MIN(fixed, INT32_MAX);
        }
        audio_us += ticks_to_us(plan, p, p->duration);
        last_audio = p;
    }
}

/* Presentation: where it begins and ends, in ticks of the video track. */
static void measure(struct plan *plan)
{
    const struct clip_params *params = plan->params;
    int64_t dts = 0;
    plan->first_pts = plan->pieces[0].s.pts_offset;
    plan->shown_pts = INT64_MAX;
    for (size_t i = 0; i < plan->n; i++) {
        const struct piece *p = &plan->pieces[i];
        if (!p->s.is_video)
            continue;
        int64_t pts = dts + p->s.pts_offset;
        dts += p->duration;
        if (p->s.wall_us < params->from_us || p->s.wall_us >= params->to_us)
            continue;
        plan->clip->n_pictures++;
        if (pts < plan->shown_pts) {
            plan->shown_pts = pts;
            plan->shown_us = p->s.wall_us;
        }
        if (pts + p->duration > plan->end_pts) {
            plan->end_pts = pts + p->duration;
            plan->end_us = end_of(plan, p);
        }
    }
}

/* --- gaps --- */

static void name_cause(const struct plan *plan, struct clip_gap *gap)
{
    int64_t longest = 0;
    str_copy(gap->cause, sizeof gap->cause, "unknown");
    for (size_t m = 0; m < plan->clip->n_maps; m++) {
        const struct sample_map *map = plan->clip->maps[m];
        for (size_t i = 0; i < map->n_gaps; i++) {
            int64_t shared = MIN(gap->to_us + EDGE_US, map->gaps[i].to_us) -
                             MAX(gap->from_us - EDGE_US, map->gaps[i].from_us);
            if (shared <= longest)
                continue;
            longest = shared;
            str_copy(gap->cause, sizeof gap->cause, map->gaps[i].cause);
        }
    }
}

static void add_gap(struct plan *plan, int64_t from_us, int64_t to_us)
{
    struct clip *clip = plan->clip;
    if (clip->n_gaps == CLIP_MAX_GAPS) {
        clip->gaps[CLIP_MAX_GAPS - 1].to_us = to_us;
        str_copy(clip->gaps[CLIP_MAX_GAPS - 1].cause, sizeof clip->gaps[0].cause, "several");
        return;
    }
    if (!clip->gaps)
        clip->gaps = xcalloc(CLIP_MAX_GAPS, sizeof *clip->gaps);
    struct clip_gap *gap = &clip->gaps[clip->n_gaps++];
    *gap = (struct clip_gap){.from_us = from_us, .to_us = to_us};
    name_cause(plan, gap);
}

static void list_gaps(struct plan *plan)
{
    const struct clip_params *params = plan->params;
    const struct piece *before = NULL;
    if (plan->shown_us - params->from_us > EDGE_US)
        add_gap(plan, params->from_us, plan->shown_us);
    for (size_t i = 0; i < plan->n; i++) {
        const struct piece *p = &plan->pieces[i];
        if (!p->s.is_video)
            continue;
        if (before && p->is_after_gap && p->s.wall_us > params->from_us)
            add_gap(plan, MAX(end_of(plan, before), params->from_us), p->s.wall_us);
        before = p;
    }
    if (params->to_us - plan->end_us > EDGE_US)
        add_gap(plan, plan->end_us, params->to_us);
}

/* --- laying out --- */

static uint16_t intern_format(struct plan *plan, const struct piece *p)
{
    struct format *f = plan->clip->maps[p->map]->formats[p->s.format];
    for (size_t i = plan->n_formats; i-- > 0;)
        if (plan->formats[i] == f || format_eq(plan->formats[i], f))
            return (uint16_t)i;
    plan->formats = xrealloc(plan->formats, (plan->n_formats + 1) * sizeof(struct format *));
    plan->formats[plan->n_formats++] = f;
    return (uint16_t)(plan->n_formats - 1);
}

static void add_extent(struct clip *clip, int fd, uint64_t offset, uint64_t size)
{
    struct clip_extent *last = clip->n_extents > 0 ? &clip->extents[clip->n_extents - 1] : NULL;
    if (last && last->fd == fd && last->offset + last->size == offset) {
        last->size += size;
    } else {
        if (clip->n_extents == clip->cap_extents) {
            clip->cap_extents = MAX(clip->cap_extents * 2, (size_t)256);
            clip->extents = xrealloc(clip->extents, clip->cap_extents * sizeof *clip->extents);
        }
        assert(clip->extents != NULL);
        clip->extents[clip->n_extents++] = (struct clip_extent){fd, offset, size, clip->size};
    }
    clip->size += size; /* the header is added at the end */
}

static int lay_out(struct plan *plan, struct err *err)
{
    struct clip *clip = plan->clip;
    struct fmp4_clip_sample *samples = try_malloc(plan->n * sizeof *samples);
    if (!samples)
        return err_set(err, -ENOMEM, "plan the clip");
    size_t n = 0;
    for (size_t i = 0; i < plan->n; i++) {
        const struct piece *p = &plan->pieces[i];
        if (plan->n_formats > UINT16_MAX - 1)
            break;
        samples[n++] = (struct fmp4_clip_sample){
            .is_video = p->s.is_video,
            .is_key = p->s.is_key,
            .format = intern_format(plan, p),
            .size = p->s.size,
            .duration = p->duration,
            .pts_offset = p->s.pts_offset,
        };
        const struct sample_map *map = clip->maps[p->map];
        add_extent(clip, map->files[p->s.file].fd, p->s.offset, p->s.size);
    }
    const struct piece *first = &plan->pieces[0];
    struct fmp4_clip header = {
        .formats = plan->formats,
        .n_formats = plan->n_formats,
        .samples = samples,
        .n_samples = n,
        .trim_start_us = ticks_to_us(plan, first, plan->shown_pts - plan->first_pts),
        .duration_us = ticks_to_us(plan, first, plan->end_pts - plan->shown_pts),
        .audio_start_us = plan->audio_start_us,
        .wall_us = plan->shown_us,
    };
    int rc = fmp4_write_clip_header(&header, &clip->header);
    free(samples);
    if (rc < 0)
        return err_set(err, rc, "write the head of the clip");
    for (size_t i = 0; i < clip->n_extents; i++)
        clip->extents[i].clip_at += clip->header.len;
    clip->size += clip->header.len;
    return 0;
}

static int make_plan(struct plan *plan, struct err *err)
{
    int64_t from_us = plan->params->from_us;
    int rc;
    do {
        rc = collect_map(plan, &from_us, err);
    } while (rc > 0);
    if (rc < 0)
        return rc;
    if (!choose_pieces(plan))
        return err_say(err, ERR_NOT_FOUND, "nothing_recorded",
                       "nothing was recorded between these times");
    take_durations(plan);
    fit_audio(plan);
    measure(plan);
    list_gaps(plan);
    plan->clip->from_us = plan->shown_us;
    plan->clip->to_us = plan->end_us;
    return lay_out(plan, err);
}

int clip_plan(const struct clip_params *params, struct clip **out, struct err *err)
{
    if (params->to_us <= params->from_us)
        return err_say(err, ERR_INVALID, "range_empty", "the range ends before it begins");
    struct clip *clip = xcalloc(1, sizeof *clip);
    buf_init(&clip->header, 0);
    struct plan plan = {.params = params, .clip = clip};
    int rc = make_plan(&plan, err);
    free(plan.pieces);
    free(plan.formats);
    for (size_t i = 0; i < clip->n_maps; i++) {
        FREE(&clip->maps[i]->samples);
        clip->maps[i]->n_samples = 0;
    }
    if (rc < 0)
        clip_free(&clip);
    *out = clip;
    return rc;
}
