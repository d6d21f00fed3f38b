/* Which recorded samples come next: maps are asked for window by window, samples are read in
 * batches; both on the pool, one job at a time. */
#include "base/err.h"
#include "base/log.h"
#include "base/str.h"
#include "delivery/fragment.h"
#include "delivery/wall_playback_priv.h"

#define WINDOW_FIRST_US (10 * US_PER_S) /* a seek must be quick */
#define WINDOW_US       (60 * US_PER_S)
#define WINDOW_MAX_US   (32 * 86400 * US_PER_S)
#define MAP_SAMPLES     4000u
#define MAP_SAMPLES_MAX 400000u
#define SLACK_US        US_PER_S /* a picture stands for so long beyond its duration */
#define JUMP_US         (5 * US_PER_S)
#define STEP_BACK_US    (5 * US_PER_S)
#define RETRY_MS        1000 /* at the newest picture: the recording may have grown */
#define BUSY_MS         200  /* the pool is full */
#define FASTEST_STEP_US (US_PER_S / 25)

struct playback_job {
    struct playback *p;
    /* a map */
    bool is_map;
    struct sample_query query;
    struct sample_map *map; /* result; or what is read from, then the playback's */
    int rc;
    struct err err;
    /* or a batch */
    struct playback_pick picks[BATCH_MAX];
    size_t n_picks;
};

static int64_t now_us(const struct playback *p)
{
    return loop_wall_us(p->wall->loop);
}

static int64_t end_of(const struct sample_map *map, const struct sample *s)
{
    uint32_t timescale = map->formats[s->format]->timescale;
    return s->wall_us + (timescale ? (int64_t)s->duration * US_PER_S / timescale : 0);
}

static void drop_ready(struct playback *p)
{
    for (; p->n_ready > 0; p->n_ready--) {
        packet_unref(&p->ready[p->first_ready].pkt);
        p->first_ready = (p->first_ready + 1) % READY_MAX;
    }
    p->ready_bytes = 0;
}

void wall__reader_fini(struct playback *p)
{
    sample_map_free(&p->map);
    drop_ready(p);
}

/* To the first key frame that was not sent, as if nothing behind it had been read. */
static void rewind_now(struct playback *p)
{
    p->is_rewind_due = false;
    while (p->n_ready > 0) {
        struct playback_item *item = &p->ready[p->first_ready];
        if (item->pkt->is_video && item->pkt->is_key)
            break;
        p->ready_bytes -= item->pkt->size;
        packet_unref(&item->pkt);
        p->first_ready = (p->first_ready + 1) % READY_MAX;
        p->n_ready--;
    }
    p->needs_key = true;
    p->picked_us = 0;
    p->is_after_hole = true;
    if (p->n_ready == 0)
        return;
    const struct playback_item *item = &p->ready[p->first_ready];
    p->key_us = p->end_us = item->pkt->wall_us;
    p->open_gap = item->gap;
    p->axis = item->axis;
    p->clocks[1] = item->clock;
    track_clock_restart(&p->clocks[0]);
    p->has_last[0] = p->has_last[1] = p->is_passing = false;
    p->is_over = false;
    p->over_at_us = 0;
    drop_ready(p);
    sample_map_free(&p->map);
    p->to_us = p->key_us;
    p->window_us = WINDOW_FIRST_US;
}

void wall__reader_rewind(struct playback *p)
{
    if (p->job)
        p->is_rewind_due = true;
    else
        rewind_now(p);
}

/* --- jobs --- */

static void work(void *ctx)
{
    struct playback_job *job = ctx;
    if (job->is_map) {
        job->rc = source_map(job->p->source, &job->query, &job->map, &job->err);
        return;
    }
    for (size_t i = 0; i < job->n_picks; i++) {
        struct err err = {0};
        if (sample_read(job->map, job->picks[i].index, &job->picks[i].pkt, &err) < 0)
            log_debug(job->p->camera, "playback: %s", err.msg);
    }
}

static void take_map(struct playback *p, struct playback_job *job);
static void take_batch(struct playback *p, struct playback_job *job);

static void finish_job(void *ctx)
{
    struct playback_job *job = ctx;
    struct playback *p = job->p;
    p->job = NULL;
    if (!p->tile) {
        for (size_t i = 0; i < job->n_picks; i++)
            packet_unref(&job->picks[i].pkt);
        if (job->is_map)
            sample_map_free(&job->map);
        wall__playback_free(p);
    } else {
        if (job->is_map)
            take_map(p, job);
        else
            take_batch(p, job);
        if (p->is_rewind_due && !p->job)
            rewind_now(p);
        wall__playback_advance(p);
    }
    free(job);
}

static void submit(struct playback *p, struct playback_job *job)
{
    job->p = p;
    if (pool_submit(p->wall->params.pool, work, p->wall->loop, finish_job, job)) {
        p->job = job;
        return;
    }
    free(job);
    p->retry_mono_us = loop_mono_us(p->wall->loop) + BUSY_MS * US_PER_MS;
}

static void ask_map(struct playback *p, int64_t from_us)
{
    struct playback_job *job = xcalloc(1, sizeof *job);
    job->is_map = true;
    p->to_us = MAX(p->to_us, from_us) + p->window_us;
    job->query = (struct sample_query){
        .camera_id = p->camera,
        .stream = p->stream,
        .from_us = from_us,
        .to_us = p->to_us,
        .wants_audio = p->wants_audio,
        .max_samples = p->max_samples,
    };
    submit(p, job);
}

/* --- where to begin --- */

static const struct format *find_audio(const struct playback *p)
{
    for (size_t i = 0; p->wants_audio && i < p->map->n_formats; i++)
        if (fragment_takes_sound(p->map->formats[i]))
            return p->map->formats[i];
    return NULL;
}

static void describe_gap(const struct playback *p, int64_t from_us, int64_t to_us,
                         struct playback_gap *out)
{
    const struct sample_map *map = p->map;
    *out = (struct playback_gap){.from_us = from_us, .to_us = to_us};
    str_copy(out->cause, sizeof out->cause, "unknown");
    int64_t longest = 0;
    for (size_t i = 0; i < map->n_gaps; i++) {
        int64_t shared = MIN(to_us + SLACK_US, map->gaps[i].to_us) -
                         MAX(from_us - SLACK_US, map->gaps[i].from_us);
        if (shared <= longest)
            continue;
        longest = shared;
        str_copy(out->cause, sizeof out->cause, map->gaps[i].cause);
    }
}

/* The key frame to begin with: the last one at or before `at`; SIZE_MAX when there is none. */
static size_t find_key(const struct playback *p)
{
    size_t found = SIZE_MAX;
    for (size_t i = 0; i < p->map->n_samples; i++) {
        const struct sample *s = &p->map->samples[i];
        if (!s->is_video || !s->is_key)
            continue;
        if (found != SIZE_MAX && s->wall_us > p->at_us)
            break;
        found = i;
    }
    return found;
}

/* The first picture behind the gap that follows sample `from`; *out_end_us is where the gap begins.
 */
static size_t find_after_gap(const struct playback *p, size_t from, int64_t *out_end_us)
{
    const struct sample_map *map = p->map;
    *out_end_us = end_of(map, &map->samples[from]);
    uint16_t file = map->samples[from].file;
    bool is_gap = false;
    for (size_t i = from + 1; i < map->n_samples; i++) {
        const struct sample *s = &map->samples[i];
        is_gap |= s->is_after_gap;
        if (!s->is_video)
            continue;
        if (is_gap || (s->file != file && s->wall_us - *out_end_us > JUMP_US))
            return i;
        file = s->file;
        *out_end_us = end_of(map, s);
    }
    return SIZE_MAX;
}

/* 1 = begins at p->next; 0 = the window tells nothing; -1 = nothing is recorded from there on. */
static int find_start(struct playback *p)
{
    bool is_last = p->map->next_us == 0 && p->to_us >= now_us(p);
    size_t key = find_key(p);
    if (key == SIZE_MAX)
        return is_last ? -1 : 0;
    int64_t key_us = p->map->samples[key].wall_us;
    if (key_us > p->at_us + SLACK_US)
        describe_gap(p, p->at_us, key_us, &p->open_gap);
    p->next = key;

    int64_t end_us;
    size_t after = find_after_gap(p, key, &end_us);
    p->end_us = end_us;
    if (p->at_us <= end_us + SLACK_US || key_us > p->at_us)
        return 1;
    if (after != SIZE_MAX) { /* `at` lies in a gap */
        describe_gap(p, end_us, p->map->samples[after].wall_us, &p->open_gap);
        p->next = after;
        return 1;
    }
    if (!is_last)
        return 0;
    return end_us > now_us(p) - EDGE_US ? 1 : -1;
}

/* The map begins with the group read last: goes to what is new in it. */
static void skip_known(struct playback *p)
{
    const struct sample_map *map = p->map;
    bool is_same_group = map->n_samples > 0 && map->samples[0].wall_us == p->key_us;
    for (p->next = 0; p->next < map->n_samples; p->next++) {
        const struct sample *s = &map->samples[p->next];
        bool is_known = is_same_group
                            ? s->file == map->samples[0].file && p->has_last[s->is_video] &&
                                  s->dts <= p->last_dts[s->is_video]
                            : s->wall_us < p->end_us;
        if (!is_known)
            break;
    }
}

/* The map is used up, or had nothing new: the next window, a wider one, later, or never. */
static void go_on_behind(struct playback *p, bool is_empty)
{
    int64_t now = now_us(p);
    if (p->map->next_us != 0) {
        if (is_empty)
            p->max_samples = MIN(p->max_samples * 4, (size_t)MAP_SAMPLES_MAX);
    } else if (p->to_us < now) {
        if (is_empty)
            p->window_us = MIN(p->window_us * 4, WINDOW_MAX_US);
    } else if (p->is_started && p->end_us > now - EDGE_US) {
        p->to_us = now;
        p->window_us = WINDOW_US;
        sample_map_free(&p->map);
        p->retry_mono_us = loop_mono_us(p->wall->loop) + RETRY_MS * US_PER_MS;
        return;
    } else if (!p->is_started && p->at_us > now - EDGE_US) {
        p->at_us =
            MIN(p->at_us, now) - STEP_BACK_US; /* not on the disk yet: what is newest there */
        p->to_us = 0;
        p->window_us = WINDOW_FIRST_US;
    } else if (p->is_started || p->end_us > 0) {
        wall__playback_end(p, p->end_us);
        return;
    } else {
        wall__playback_fail(p, ERR_EOF, "nothing is recorded from there on");
        return;
    }
    sample_map_free(&p->map);
}

static void take_map(struct playback *p, struct playback_job *job)
{
    if (job->rc < 0) {
        bool is_absent = job->rc == ERR_NOT_FOUND;
        if (is_absent && p->is_started)
            wall__playback_end(p, p->end_us);
        else
            wall__playback_fail(p, is_absent ? ERR_EOF : job->rc,
                                is_absent ? "nothing was recorded"
                                          : "recordings cannot be read now");
        if (!is_absent)
            log_warn(p->camera, "playback: %s", job->err.msg);
        return;
    }
    p->map = job->map;
    const struct format *audio = find_audio(p);
    if (audio) {
        format_unref(&p->next_audio);
        p->next_audio = format_ref((struct format *)(uintptr_t)audio);
    }
    if (p->is_started) {
        skip_known(p);
    } else {
        int found = find_start(p);
        p->is_started = found > 0;
        if (found <= 0)
            p->next = p->map->n_samples;
    }
    if (p->next >= p->map->n_samples)
        go_on_behind(p, true);
    else
        p->window_us = WINDOW_US;
}

/* --- batches --- */

/* At high speed, where every picture is a key frame (MJPEG): no more than a screen shows. */
static bool is_too_dense(const struct playback *p, const struct sample *s)
{
    int64_t since_us = s->wall_us - p->picked_us;
    return playback_is_keys_only(p) && since_us > 0 &&
           (double)since_us < p->speed * (double)FASTEST_STEP_US;
}

static bool is_wanted(const struct playback *p, const struct sample *s)
{
    if (s->is_video)
        return s->is_key ? !is_too_dense(p, s) : !playback_is_keys_only(p) && !p->needs_key;
    return p->wants_audio && p->speed == 1 && !p->is_gap_due &&
           fragment_takes_sound(p->map->formats[s->format]);
}

/* Decoding times that go on as the wall clock does: a camera that stood still, not a gap. */
static bool is_continuous(const struct playback *p, const struct sample *s)
{
    int64_t delta = s->dts - p->last_dts[1];
    int64_t apart_us = s->wall_us - p->last_us;
    if (!p->has_last[1] || delta <= 0 || delta > INT64_C(1) << 40)
        return false;
    apart_us -= delta * US_PER_S / p->map->formats[s->format]->timescale;
    return apart_us < SLACK_US && apart_us > -SLACK_US;
}

/* Keeps track of gaps and of what was passed, whether the sample is wanted or not. */
static void pass(struct playback *p, const struct sample *s)
{
    bool is_hole = s->is_video && s->wall_us - p->end_us > JUMP_US && !is_continuous(p, s);
    p->has_last[s->is_video] = true;
    p->last_dts[s->is_video] = s->dts;
    if (!s->is_video)
        return;
    if (s->is_key) {
        p->key_us = s->wall_us;
        p->has_last[0] = false;
    }
    bool is_gap = p->is_passing && (p->is_gap_due || is_hole);
    p->is_gap_due = false;
    if (is_gap && p->open_gap.to_us == 0)
        describe_gap(p, p->end_us, s->wall_us, &p->open_gap);
    p->end_us = end_of(p->map, s);
    p->last_us = s->wall_us;
    p->is_passing = true;
}

static void pick_batch(struct playback *p, struct playback_job *job)
{
    size_t bytes = 0;
    while (job->n_picks < BATCH_MAX && p->next < p->map->n_samples) {
        const struct sample *s = &p->map->samples[p->next];
        p->is_gap_due |= s->is_after_gap; /* it may stand on sound that comes before the picture */
        bool wanted = is_wanted(p, s);
        if (wanted && job->n_picks > 0 && bytes + s->size > BATCH_MAX_BYTES)
            break;
        pass(p, s);
        if (wanted) {
            struct playback_pick *pick = &job->picks[job->n_picks++];
            *pick = (struct playback_pick){.index = p->next};
            bytes += s->size;
            if (s->is_video) {
                p->picked_us = s->wall_us;
                pick->gap = p->open_gap;
                p->open_gap.to_us = 0;
                p->needs_key = false;
            }
        }
        p->next++;
    }
}

static void append(struct playback *p, struct playback_pick *pick)
{
    const struct sample *s = &p->map->samples[pick->index];
    struct packet *pkt = pick->pkt;
    bool closes_gap = pick->gap.to_us != 0 && p->clocks[1].is_started;
    struct playback_item *item = &p->ready[(p->first_ready + p->n_ready) % READY_MAX];
    struct axis axis = p->axis;
    struct track_clock clock = p->clocks[pkt->is_video];
    *item = (struct playback_item){
        .pkt = pkt,
        .dts = track_clock_next(&p->clocks[pkt->is_video], &p->axis, pkt, closes_gap),
        .duration = s->duration,
        .is_after_hole = p->is_after_hole || closes_gap,
        .gap = pick->gap,
        .axis = axis,
        .clock = clock,
    };
    if (closes_gap)
        track_clock_restart(&p->clocks[0]);
    p->is_after_hole = pkt->is_video && playback_is_keys_only(p);
    p->n_ready++;
    p->ready_bytes += pkt->size;
}

static void take_batch(struct playback *p, struct playback_job *job)
{
    wall__playback_cursor_us(p); /* what was starved goes on from what was sent */
    bool is_broken = false;
    for (size_t i = 0; i < job->n_picks; i++) {
        struct packet *pkt = job->picks[i].pkt;
        if (pkt && (!is_broken || (pkt->is_video && pkt->is_key)) && pkt->format) {
            is_broken = false;
            append(p, &job->picks[i]);
            continue;
        }
        packet_unref(&job->picks[i].pkt);
        is_broken = true;
        p->is_after_hole = true;
    }
    p->needs_key |= is_broken;
}

/* False: nothing of what was passed is wanted. */
static bool ask_batch(struct playback *p)
{
    struct playback_job *job = xcalloc(1, sizeof *job);
    job->map = p->map;
    pick_batch(p, job);
    if (job->n_picks == 0) {
        free(job);
        return false;
    }
    submit(p, job);
    if (!p->job) /* the pool is full: what was passed is lost up to the next key frame */
        p->needs_key = p->is_after_hole = true;
    return true;
}

void wall__reader_fetch(struct playback *p)
{
    if (p->max_samples == 0) {
        p->max_samples = MAP_SAMPLES;
        p->window_us = WINDOW_FIRST_US;
    }
    for (;;) {
        bool is_enough = p->n_ready >= READY_MIN || p->ready_bytes >= READY_MIN_BYTES;
        bool is_early = loop_mono_us(p->wall->loop) < p->retry_mono_us;
        if (p->job || p->is_over || is_enough || is_early)
            return;
        if (!p->map) {
            ask_map(p, p->is_started ? p->key_us : p->at_us);
            return;
        }
        if (p->next >= p->map->n_samples)
            go_on_behind(p, false);
        else if (ask_batch(p))
            return;
    }
}
