#include "delivery/live.h"

#include "base/clock.h"
#include "net/http.h"

/* With sound asked for, so long is waited for its format: an init segment cannot be taken back. */
#define AUDIO_WAIT_MS 1500

struct live {
    struct live_params params;
    struct viewer viewer;
    struct hub *hub;
    struct timer first; /* waits for sound, then for the first picture */
    struct live_stats stats;
    bool is_started; /* the head of the answer and the init segment went out */
    bool is_ended;
    bool is_dropping; /* until a key frame that fits */
    bool has_waited;  /* for sound */
};

static void release_packet(void *ctx)
{
    struct packet *pkt = ctx;
    packet_unref(&pkt);
}

static void live_free(void *ctx)
{
    struct live *live = ctx;
    if (live->params.closed)
        live->params.closed(live->params.ctx, &live->stats);
    hub_unref(&live->hub);
    free(live);
}

/* Ends the answer, whatever it was doing; the one way out. */
static void finish(struct live *live)
{
    if (live->is_ended)
        return;
    live->is_ended = true;
    timer_disarm(&live->first);
    packager_detach(&live->viewer);
    if (live->is_started) {
        http_stream_end(live->params.req);
    } else {
        http_add_header(live->params.req, "Retry-After", "5");
        http_reply_problem(live->params.req, 503, "the camera delivers no picture now");
    }
    loop_defer(live->params.loop, live_free, live);
}

static void on_client_gone(void *ctx)
{
    finish(ctx);
}

static void write_fragment(struct live *live, struct fragment *f)
{
    struct conn_part parts[2] = {{.data = f->head, .n = f->head_size}};
    if (f->pkt)
        parts[1] =
            (struct conn_part){f->pkt->data, f->pkt->size, release_packet, packet_ref(f->pkt)};
    http_stream_write_parts(live->params.req, parts, f->pkt ? 2 : 1);
    live->stats.n_bytes += fragment_size(f);
}

static void on_init(struct viewer *v, struct fragment *f)
{
    struct live *live = CONTAINER_OF(v, struct live, viewer);
    if (live->is_started) {
        finish(live); /* players do not take a second moov: let them come again */
        return;
    }
    if (v->wants_audio && !f->audio)
        return; /* see on_push and on_wait_over */
    timer_disarm(&live->first);
    http_stream_start(live->params.req, 200, "video/mp4", -1);
    live->is_started = true;
    write_fragment(live, f);
}

static void on_push(struct viewer *v, struct fragment *f)
{
    struct live *live = CONTAINER_OF(v, struct live, viewer);
    if (!live->is_started) {
        if (v->wants_audio && !live->has_waited && packager_has_audio(v))
            timer_arm_us(&live->first, 0); /* begin anew, with sound */
        return;
    }
    size_t pending = http_pending(live->params.req);
    bool fits = pending == 0 || pending + fragment_size(f) <= LIVE_PENDING_MAX_BYTES;
    if (!fits || (live->is_dropping && !f->is_key)) {
        live->is_dropping = true;
        live->stats.n_dropped++;
        return;
    }
    live->is_dropping = false;
    live->stats.n_pictures += !f->is_audio;
    write_fragment(live, f);
}

static void on_gone(struct viewer *v)
{
    finish(CONTAINER_OF(v, struct live, viewer));
}

static const struct viewer_ops live_viewer_ops = {on_init, on_push, NULL, on_gone};

static void on_wait_over(void *ctx)
{
    struct live *live = ctx;
    if (live->viewer.wants_audio &&
        !live->has_waited) { /* the sound is known now, or not in time */
        live->viewer.wants_audio = packager_has_audio(&live->viewer);
        live->has_waited = true;
        packager_detach(&live->viewer);
        timer_arm_ms(&live->first, LIVE_FIRST_PICTURE_MS - AUDIO_WAIT_MS);
        packager_attach(live->params.packagers, live->hub, &live->viewer);
    } else {
        finish(live);
    }
}

void live_start(const struct live_params *params)
{
    struct live *live = xcalloc(1, sizeof *live);
    live->params = *params;
    live->hub = hub_ref(params->hub);
    live->stats.opened_us = loop_wall_us(params->loop);
    live->viewer.ops = &live_viewer_ops;
    live->viewer.wants_audio = !params->without_audio;
    timer_init(&live->first, params->loop, on_wait_over, live);
    if (params->req->method == HTTP_HEAD) {
        http_stream_start(params->req, 200, "video/mp4", -1);
        live->is_started = true;
        finish(live);
        return;
    }
    http_on_closed(params->req, on_client_gone, live);
    timer_arm_ms(&live->first, params->without_audio ? LIVE_FIRST_PICTURE_MS : AUDIO_WAIT_MS);
    packager_attach(params->packagers, live->hub, &live->viewer);
}
