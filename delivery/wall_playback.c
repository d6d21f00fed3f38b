/* A recorded tile: sends what was read, at most WALL_AHEAD_US of playing time ahead of the cursor.
 */
#include "delivery/wall_playback_priv.h"

#include "base/str.h"
#include "delivery/fragment.h"

#define MAX_STEPS 100

static void on_timer(void *ctx)
{
    wall__playback_advance(ctx);
}

void wall__playback_start(struct wall_tile *tile, int64_t at_us, enum reader_pick pick)
{
    struct wall *wall = tile->conn->wall;
    struct playback *p = xcalloc(1, sizeof *p);
    p->wall = wall;
    p->tile = tile;
    p->reader = reader_create(&(struct reader_params){.source = tile->source,
                                                      .camera_id = tile->camera,
                                                      .stream = tile->stream,
                                                      .wants_audio = tile->wants_audio});
    str_copy(p->camera, sizeof p->camera, tile->camera);
    p->wants_audio = tile->wants_audio;
    p->speed = tile->speed;
    p->at_us = at_us;
    p->pick = pick;
    timer_init(&p->timer, wall->loop, on_timer, p);
    tile->playback = p;
    wall->n_playbacks++;
    wall->stats.n_recorded_tiles++;
    wall__playback_advance(p);
}

void wall__playback_free(struct playback *p)
{
    struct wall *wall = p->wall;
    timer_disarm(&p->timer);
    wall__reader_fini(p);
    format_unref(&p->video);
    format_unref(&p->audio);
    format_unref(&p->next_audio);
    free(p);
    wall->n_playbacks--;
    wall__finish_if_done(wall);
}

void wall__playback_stop(struct wall_tile *tile)
{
    struct playback *p = tile->playback;
    if (!p)
        return;
    tile->playback = NULL;
    p->tile = NULL;
    p->wall->stats.n_recorded_tiles--;
    timer_disarm(&p->timer);
    if (!p->job)
        wall__playback_free(p);
}

void wall__playback_picked(struct playback *p, int64_t at_us)
{
    struct buf text;
    buf_init(&text, 0);
    p->at_us = at_us;
    wall_print_picked(&text, p->tile->subject, at_us);
    wall__conn_say(p->tile->conn, &text);
}

void wall__playback_end(struct playback *p, int64_t at_us)
{
    p->is_over = true;
    if (p->n_ready > 0) {
        p->over_at_us = at_us; /* what was read comes first */
        return;
    }
    struct buf text;
    buf_init(&text, 0);
    wall_print_end(&text, p->tile->subject, at_us);
    wall__conn_say(p->tile->conn, &text);
}

void wall__playback_fail(struct playback *p, int rc, const char *detail)
{
    p->is_over = true;
    wall__tile_error(p->tile, rc, detail);
}

/* --- the cursor: where the page is, in axis time --- */

static int64_t axis_us(const struct playback *p, const struct playback_item *item)
{
    uint32_t timescale = p->clocks[item->read.pkt->is_video].timescale;
    return item->dts / timescale * US_PER_S + item->dts % timescale * US_PER_S / timescale;
}

int64_t wall__playback_cursor_us(struct playback *p)
{
    int64_t now = loop_mono_us(p->wall->loop);
    int64_t at = p->cursor_us;
    if (p->is_running)
        at += (int64_t)((double)(now - p->anchor_mono_us) * p->speed);
    if (at > p->sent_us && p->n_ready == 0) { /* starved: the page waits, too */
        at = p->sent_us;
        p->cursor_us = at;
        p->anchor_mono_us = now;
    }
    return at;
}

static void anchor(struct playback *p, int64_t at_us, bool is_running)
{
    p->cursor_us = at_us;
    p->anchor_mono_us = loop_mono_us(p->wall->loop);
    p->is_running = is_running;
}

static bool should_run(const struct playback *p)
{
    return p->is_shown && !p->tile->is_paused && p->tile->is_visible;
}

void wall__playback_changed(struct playback *p)
{
    int64_t at = wall__playback_cursor_us(p);
    bool was_keys_only = playback_is_keys_only(p);
    p->speed = p->tile->speed;
    if (was_keys_only && !playback_is_keys_only(p))
        wall__reader_rewind(p);
    if (!p->tile->is_paused)
        p->n_steps = 0;
    anchor(p, at, should_run(p));
    timer_arm_us(&p->timer, 0);
}

void wall__playback_step(struct playback *p)
{
    if (!p->tile->is_paused || p->n_steps >= MAX_STEPS)
        return;
    p->n_steps++;
    timer_arm_us(&p->timer, 0);
}

void wall__playback_room(struct playback *p)
{
    if (!p->is_blocked)
        return;
    p->is_blocked = false;
    timer_arm_us(&p->timer, 0);
}

/* --- sending --- */

static int64_t ahead_us(const struct playback *p)
{
    return (int64_t)((double)WALL_AHEAD_US * MAX(p->speed, 1.0));
}

static bool has_picture_ready(const struct playback *p)
{
    for (size_t i = 0; i < p->n_ready; i++)
        if (p->ready[(p->first_ready + i) % READY_MAX].read.pkt->is_video)
            return true;
    return false;
}

/* 0 = send it now; > 0 = after so many microseconds; < 0 = not before something happens. */
static int64_t wait_us(struct playback *p, const struct playback_item *item)
{
    if (!p->tile->is_visible)
        return -1;
    if (!wall__sending_has_room(p->tile->sending, item->read.pkt->size,
                                loop_mono_us(p->wall->loop))) {
        p->is_blocked = true;
        return -1;
    }
    if (!p->is_shown)
        return 0;
    /* sound that was recorded ahead of its picture must not hold up the pictures behind it */
    if (!item->read.pkt->is_video && has_picture_ready(p))
        return 0;
    if (p->tile->is_paused)
        return p->n_steps > 0 ? 0 : -1;
    int64_t early_us = axis_us(p, item) - wall__playback_cursor_us(p) - ahead_us(p);
    return early_us <= 0 ? 0 : (int64_t)((double)early_us / p->speed) + 1;
}

static bool is_same_format(const struct format *a, const struct format *b)
{
    return a == b || (a && b && format_eq(a, b));
}

/* At a key frame: sends the init segment when the format is another. */
static void take_format(struct playback *p, struct format *video)
{
    if (is_same_format(p->video, video) && is_same_format(p->audio, p->next_audio))
        return;
    struct fragment *init = fragment_create_init(video, p->next_audio);
    p->is_waiting_key = init == NULL;
    if (!init)
        return;
    format_unref(&p->video);
    format_unref(&p->audio);
    p->video = format_ref(video);
    p->audio = p->next_audio ? format_ref(p->next_audio) : NULL;
    wall__send_init(p->tile, init);
    fragment_unref(&init);
}

static void say_gap(struct playback *p, const struct sample_gap *gap)
{
    struct buf text;
    buf_init(&text, 0);
    wall_print_gap(&text, p->tile->subject, gap->from_us, gap->to_us, gap->cause);
    wall__conn_say(p->tile->conn, &text);
}

static bool is_fit(struct playback *p, const struct packet *pkt)
{
    if (!pkt->is_video)
        return !p->is_waiting_key && p->audio && p->speed == 1 &&
               is_same_format(p->audio, pkt->format);
    if (pkt->is_key) {
        p->is_waiting_key = false;
        take_format(p, pkt->format);
    } else if (playback_is_keys_only(p)) {
        return false;
    } else if (!is_same_format(p->video, pkt->format)) {
        p->is_waiting_key = true;
    }
    return !p->is_waiting_key;
}

static void note_shown(struct playback *p, const struct playback_item *item)
{
    p->sent_us = MAX(p->sent_us, axis_us(p, item));
    if (p->is_shown) {
        if (p->n_steps > 0)
            p->n_steps--;
        if (p->tile->is_paused)
            p->cursor_us = p->sent_us;
    } else if (item->read.pkt->wall_us >= p->at_us) {
        p->is_shown = true;
        anchor(p, p->sent_us, should_run(p));
    }
}

static void send_item(struct playback *p, const struct playback_item *item)
{
    struct packet *pkt = item->read.pkt;
    if (item->read.gap.to_us != 0)
        say_gap(p, &item->read.gap);
    if (!is_fit(p, pkt))
        return;
    struct fragment *f =
        fragment_create(pkt, item->dts, item->read.duration, ++p->n_sent, item->is_after_hole);
    if (!f)
        return;
    wall__send_media(p->tile, f, 0, item->read.duration);
    fragment_unref(&f);
    if (pkt->is_video)
        note_shown(p, item);
}

/* Returns how long until the next one is due; < 0 = not by time. */
static int64_t send_due(struct playback *p)
{
    while (p->n_ready > 0 && !p->is_rewind_due) {
        struct playback_item *item = &p->ready[p->first_ready];
        int64_t wait = wait_us(p, item);
        if (wait != 0)
            return wait;
        send_item(p, item);
        p->first_ready = (p->first_ready + 1) % READY_MAX;
        p->n_ready--;
        p->ready_bytes -= item->read.pkt->size;
        packet_unref(&item->read.pkt);
    }
    if (p->over_at_us != 0 && !p->is_rewind_due) {
        int64_t at_us = p->over_at_us;
        p->over_at_us = 0;
        wall__playback_end(p, at_us);
    }
    return -1;
}

void wall__playback_advance(struct playback *p)
{
    if (p->is_advancing)
        return;
    p->is_advancing = true;
    timer_disarm(&p->timer);
    int64_t wait = send_due(p);
    wall__reader_fetch(p);
    int64_t retry = p->retry_mono_us - loop_mono_us(p->wall->loop);
    if (retry > 0 && !p->job && !p->is_over && (wait < 0 || retry < wait))
        wait = retry;
    if (wait >= 0)
        timer_arm_us(&p->timer, wait);
    p->is_advancing = false;
}
