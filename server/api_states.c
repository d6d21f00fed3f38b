/* What is true of the cameras now. */
#include <string.h>

#include "server/json.h"
#include "server/routes.h"

json_t *camera_state_short_json(const struct camera_state *st)
{
    json_t *o = json_object();
    json_put_text(o, "cause", cause_name(st->cause));
    json_put_text(o, "detail", st->detail);
    json_put_time(o, "since", st->since_us ? st->since_us : clock_wall_us(clock_system()));
    json_put_bool(o, "reachable", st->is_reachable);
    json_put_bool(o, "advancing", st->is_advancing);
    json_put_bool(o, "recording", st->is_recording);
    json_put_bool(o, "has_sub", st->has_sub);
    return o;
}

static void put_known(json_t *o, const char *key, bool is_known, double value)
{
    if (is_known)
        json_put_real(o, key, value);
    else
        json_put_null(o, key);
}

json_t *camera_state_json(const struct camera_state *st, int64_t now_us)
{
    json_t *o = camera_state_short_json(st);
    bool is_known = st->codec != CODEC_NONE;
    json_put_text(o, "camera_id", st->camera_id);
    json_put_text(o, "stream", st->stream[0] ? st->stream : "main");
    json_put_time(o, "reachable_at", st->reachable_us);
    json_put_time(o, "advancing_at", st->advancing_us);
    json_put_time(o, "recorded_at", st->recorded_us);
    double retry_s = (double)(st->retry_us - now_us) / (double)US_PER_S;
    put_known(o, "retry_s", st->retry_us != 0, retry_s > 0 ? retry_s : 0);
    put_known(o, "fps", st->is_advancing && st->fps > 0, st->fps);
    put_known(o, "bitrate_bps", st->is_advancing, st->bitrate_bps);
    if (is_known)
        json_put_text(o, "codec", codec_name(st->codec));
    else
        json_put_null(o, "codec");
    json_put(o, "width", is_known && st->width > 0 ? json_integer(st->width) : json_null());
    json_put(o, "height", is_known && st->height > 0 ? json_integer(st->height) : json_null());
    put_known(o, "gop_s", st->is_advancing && st->gop_s > 0, st->gop_s);
    json_put_int(o, "viewers", st->n_viewers);
    json_put_int(o, "reconnects", (int64_t)st->n_reconnects);
    json_put_int(o, "lost_packets", (int64_t)st->n_lost_packets);
    put_known(o, "clock_offset_s", st->has_clock_offset, st->clock_offset_s);
    json_put_bool(o, "has_audio", st->has_audio);
    return o;
}

int states_list(struct api_call *call, struct err *err)
{
    (void)err;
    const struct district *d = call->district;
    int64_t now_us = clock_wall_us(clock_system());
    json_t *items = json_array();
    for (size_t i = 0; i < d->rows.n_cameras; i++) {
        struct node n = district_node_of_camera(d, &d->rows.cameras[i]);
        if (node_contains(&call->node, &n) && access_sees(&call->user, d, &n))
            json_array_append_new(items, camera_state_json(&call->states[i], now_us));
    }
    call->json = json_list(items);
    return 0;
}

int state_get(struct api_call *call, struct err *err)
{
    (void)err;
    size_t i = (size_t)(call->node.camera - call->district->rows.cameras);
    call->json = camera_state_json(&call->states[i], clock_wall_us(clock_system()));
    return 0;
}
