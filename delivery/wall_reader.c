/* What comes next of a recording: packets are read ahead in batches on the pool, one job at a time;
 * the reader belongs to the job under way. */
#include "base/err.h"
#include "base/log.h"
#include "base/str.h"
#include "delivery/fragment.h"
#include "delivery/wall_playback_priv.h"

#define EDGE_US         (15 * US_PER_S) /* what is so new may not be on the disk yet */
#define STEP_BACK_US    (5 * US_PER_S)
#define RETRY_MS        1000 /* at the newest picture: the recording may have grown */
#define BUSY_MS         200  /* the pool is full */
#define FASTEST_STEP_US (US_PER_S / 25)

struct playback_job {
    struct playback *p;
    /* first, one of these */
    bool is_seek, is_return;
    int64_t at_us;
    enum reader_pick pick;
    struct sample_place place;
    /* then a batch */
    struct reader_want want;
    struct reader_item items[BATCH_MAX];
    size_t n;
    int64_t picked_us;    /* wall clock of the picture that was sought */
    int64_t end_us;       /* where the newest picture ends that was passed */
    struct format *audio; /* a reference; NULL = none there */
    int rc;               /* why the batch ends */
    struct err err;
};

static int64_t now_us(const struct playback *p)
{
    return loop_wall_us(p->wall->loop);
}

/* --- on the pool --- */

/* Pages name pictures to the millisecond. Where nothing is picked, the picture at the time is. */
static int seek(struct reader *r, struct playback_job *job)
{
    int64_t at_us = job->at_us, last_us = at_us + US_PER_MS - 1;
    if (job->pick == READER_AT)
        return reader_seek(r, at_us, READER_AT, &job->err);
    int rc = reader_seek(r, job->pick == READER_KEY_AFTER ? last_us : at_us, job->pick, &job->err);
    if (rc == READER_END || rc == READER_AGAIN)
        rc = reader_seek(r, last_us, READER_AT, &job->err);
    return rc;
}

static int go(struct reader *r, struct playback_job *job)
{
    if (job->is_return)
        return reader_return(r, &job->place, &job->err);
    int rc = job->is_seek ? seek(r, job) : READER_FOUND;
    job->picked_us = rc == READER_FOUND ? reader_position(r)->wall_us : 0;
    return rc;
}

static void work(void *ctx)
{
    struct playback_job *job = ctx;
    struct reader *r = job->p->reader;
    size_t bytes = 0;
    job->rc = go(r, job);
    while (job->rc == READER_FOUND && job->n < BATCH_MAX && bytes < BATCH_BYTES) {
        job->rc = reader_read(r, &job->want, &job->items[job->n], &job->err);
        if (job->rc == READER_FOUND)
            bytes += job->items[job->n++].pkt->size;
    }
    job->end_us = reader_position(r)->end_us;
    struct format *audio = reader_audio(r);
    if (audio != NULL && fragment_takes_sound(audio))
        job->audio = format_ref(audio);
}

/* --- on the loop --- */

static void drop_ready(struct playback *p)
{
    for (; p->n_ready > 0; p->n_ready--) {
        packet_unref(&p->ready[p->first_ready].read.pkt);
        p->first_ready = (p->first_ready + 1) % READY_MAX;
    }
    p->ready_bytes = 0;
}

void wall__reader_fini(struct playback *p)
{
    reader_destroy(&p->reader);
    drop_ready(p);
}

/* To the first key frame that was not sent, as if nothing behind it had been read. */
static void rewind_now(struct playback *p)
{
    p->is_rewind_due = false;
    while (p->n_ready > 0) {
        struct playback_item *item = &p->ready[p->first_ready];
        if (item->read.pkt->is_video && item->read.pkt->is_key)
            break;
        p->ready_bytes -= item->read.pkt->size;
        packet_unref(&item->read.pkt);
        p->first_ready = (p->first_ready + 1) % READY_MAX;
        p->n_ready--;
    }
    p->is_after_hole = p->n_ready > 0; /* else what comes says itself if it follows what was sent */
    if (p->n_ready == 0)
        return;
    const struct playback_item *item = &p->ready[p->first_ready];
    p->is_return_due = true;
    p->return_to = item->read.place;
    p->open_gap = item->read.gap;
    p->axis = item->axis;
    p->clocks[1] = item->clock;
    track_clock_restart(&p->clocks[0]);
    p->is_over = false;
    p->over_at_us = 0;
    drop_ready(p);
}

void wall__reader_rewind(struct playback *p)
{
    if (p->job)
        p->is_rewind_due = true;
    else
        rewind_now(p);
}

static void append(struct playback *p, const struct reader_item *read)
{
    const struct packet *pkt = read->pkt;
    struct playback_item *item = &p->ready[(p->first_ready + p->n_ready) % READY_MAX];
    *item =
        (struct playback_item){.read = *read, .axis = p->axis, .clock = p->clocks[pkt->is_video]};
    if (pkt->is_video && p->open_gap.to_us != 0) {
        item->read.gap = p->open_gap;
        p->open_gap.to_us = 0;
    }
    bool closes_gap = item->read.gap.to_us != 0 && p->clocks[1].is_started;
    item->dts = track_clock_next(&p->clocks[pkt->is_video], &p->axis, pkt, closes_gap);
    item->is_after_hole = p->is_after_hole || closes_gap || read->is_after_skip;
    if (closes_gap)
        track_clock_restart(&p->clocks[0]);
    p->is_after_hole = pkt->is_video && playback_is_keys_only(p);
    p->n_ready++;
    p->ready_bytes += pkt->size;
}

/* Nothing is recorded from `at` on, or not yet. */
static void start_earlier(struct playback *p, struct playback_job *job)
{
    if (job->rc < 0 && job->rc != ERR_NOT_FOUND) {
        log_warn(p->camera, "playback: %s", job->err.msg);
        wall__playback_fail(p, job->rc, "recordings cannot be read now");
    } else if (job->rc < 0) {
        wall__playback_fail(p, ERR_EOF, "nothing was recorded");
    } else if (p->at_us > now_us(p) - EDGE_US) {
        /* not on the disk yet: what is newest there */
        p->at_us = MIN(p->at_us, now_us(p)) - STEP_BACK_US;
    } else {
        wall__playback_fail(p, ERR_EOF, "nothing is recorded from there on");
    }
}

static void take(struct playback *p, struct playback_job *job)
{
    bool is_found = job->rc == READER_FOUND || job->n > 0;
    if (job->is_seek && !is_found) {
        start_earlier(p, job);
        return;
    }
    p->is_started = true;
    p->end_us = job->end_us;
    if (job->is_seek && p->pick != READER_AT)
        wall__playback_picked(p, job->picked_us);
    if (job->audio) {
        format_unref(&p->next_audio);
        p->next_audio = format_ref(job->audio);
    }
    wall__playback_cursor_us(p); /* what was starved goes on from what was sent */
    for (size_t i = 0; i < job->n; i++)
        append(p, &job->items[i]);
    job->n = 0;
    if (job->rc == READER_AGAIN) {
        p->retry_mono_us = loop_mono_us(p->wall->loop) + RETRY_MS * US_PER_MS;
    } else if (job->rc == READER_END || job->rc == ERR_NOT_FOUND) {
        wall__playback_end(p, p->end_us);
    } else if (job->rc < 0) {
        log_warn(p->camera, "playback: %s", job->err.msg);
        wall__playback_fail(p, job->rc, "recordings cannot be read now");
    }
}

static void finish_job(void *ctx)
{
    struct playback_job *job = ctx;
    struct playback *p = job->p;
    p->job = NULL;
    if (!p->tile) {
        for (size_t i = 0; i < job->n; i++)
            packet_unref(&job->items[i].pkt);
        wall__playback_free(p);
    } else {
        take(p, job);
        if (p->is_rewind_due)
            rewind_now(p);
        wall__playback_advance(p);
    }
    format_unref(&job->audio);
    free(job);
}

static void submit(struct playback *p)
{
    struct playback_job *job = xcalloc(1, sizeof *job);
    job->p = p;
    job->is_seek = !p->is_started;
    job->at_us = p->at_us;
    job->pick = p->pick;
    job->is_return = p->is_return_due;
    job->place = p->return_to;
    job->want = (struct reader_want){
        .sound = p->wants_audio && p->speed == 1,
        .only_keys = playback_is_keys_only(p),
        .key_step_us = (int64_t)(p->speed * (double)FASTEST_STEP_US),
    };
    if (pool_submit(p->wall->params.pool, work, p->wall->loop, finish_job, job)) {
        p->job = job;
        p->is_return_due = false;
        return;
    }
    free(job);
    p->retry_mono_us = loop_mono_us(p->wall->loop) + BUSY_MS * US_PER_MS;
}

void wall__reader_fetch(struct playback *p)
{
    bool is_enough = p->n_ready >= READY_MIN || p->ready_bytes >= READY_MIN_BYTES;
    bool is_early = loop_mono_us(p->wall->loop) < p->retry_mono_us;
    if (!p->job && !p->is_over && !is_enough && !is_early)
        submit(p);
}
