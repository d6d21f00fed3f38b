/* What is true of the cameras now, and what was. */
#include <string.h>

#include "base/mem.h"
#include "server/json.h"
#include "server/routes.h"
#include "storage/db_states.h"

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

static void put_sound(json_t *state, const struct sound_status *sound)
{
    if (sound->state == SOUND_UNKNOWN) {
        json_put_null(state, "audio");
        return;
    }
    json_t *o = json_object();
    if (sound->codec[0])
        json_put_text(o, "codec", sound->codec);
    else
        json_put_null(o, "codec");
    json_put_text(o, "state", sound_state_name(sound->state));
    json_put_text(o, "detail", sound->detail);
    json_put(state, "audio", o);
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
    json_put_int(o, "damaged_pictures", (int64_t)st->n_damaged);
    json_put_int(o, "resyncs", (int64_t)st->n_resyncs);
    json_put_int(o, "unrequested_packets", (int64_t)st->n_unrequested);
    put_known(o, "clock_offset_s", st->has_clock_offset, st->clock_offset_s);
    json_put_bool(o, "has_audio", st->has_audio);
    put_sound(o, &st->sound);
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

/* Of the camera, or of one of its streams. */
static int read_state(const struct api_call *call, struct camera_state *out, struct err *err)
{
    const struct fleet *fleet = call->server->fleet;
    const char *stream = api_query(call, "stream");
    if (stream == NULL) {
        fleet_state(fleet, call->id, out);
        return 0;
    }
    if (api_query_stream(call, err) == NULL)
        return err->code;
    if (!fleet_has_stream(fleet, call->id, stream))
        return err_text(err, ERR_NOT_FOUND, "the camera has no %s stream", stream);
    fleet_stream_state(fleet, call->id, stream, out);
    return 0;
}

void state_take(struct api_call *call)
{
    struct camera_state st = {0};
    struct err err;
    err_clear(&err);
    if (read_state(call, &st, &err) < 0) {
        api_fail(call, &err);
        return;
    }
    call->json = camera_state_json(&st, loop_wall_us(call->server->loop));
    api_finish(call);
}

/* --- history --- */

#define HISTORY_MAX 5000 /* states in one answer, newest first */

struct history {
    const char *camera_id;
    enum stream_kind stream;
    int64_t from_us, to_us;
    struct state_row *rows; /* a ring of the newest HISTORY_MAX */
    size_t n;               /* in all */
    json_t *runs;
};

static int add_row(void *ctx, const struct state_row *row)
{
    struct history *h = ctx;
    if (row->stream == h->stream)
        h->rows[h->n++ % HISTORY_MAX] = *row;
    return 0;
}

static int add_run(void *ctx, const struct run_row *run)
{
    struct history *h = ctx;
    if (run->to_us <= h->from_us)
        return 0;
    json_t *o = json_object();
    json_put_time(o, "from", run->from_us);
    json_put_time(o, "to", run->to_us);
    json_put_bool(o, "clean", run->is_clean);
    json_array_append_new(h->runs, o);
    return 0;
}

static int read_history(struct db *db, void *ctx, struct err *err)
{
    struct history *h = ctx;
    int rc = db_states_in(db, h->camera_id, h->from_us, h->to_us, add_row, h, err);
    return rc < 0 ? rc : db_runs_in(db, h->from_us, h->to_us, add_run, h, err);
}

static json_t *row_json(const struct state_row *row)
{
    json_t *o = json_object();
    json_put_time(o, "from", row->from_us);
    json_put_time(o, "to", row->to_us);
    json_put_text(o, "cause", row->cause);
    json_put_text(o, "detail", row->detail);
    json_put_time(o, "evidence_at", row->evidence_us);
    json_put_bool(o, "reachable", row->is_reachable);
    json_put_bool(o, "advancing", row->is_advancing);
    json_put_bool(o, "recording", row->is_recording);
    return o;
}

int state_history(struct api_call *call, struct err *err)
{
    const char *stream = api_query_stream(call, err);
    int64_t now_us = clock_wall_us(clock_system());
    struct history h = {
        .camera_id = call->id, .from_us = now_us - 86400 * US_PER_S, .to_us = now_us};
    if (stream == NULL)
        return err->code;
    int rc = api_query_time(call, "from", false, &h.from_us, err);
    if (rc == 0)
        rc = api_query_time(call, "to", false, &h.to_us, err);
    if (rc < 0)
        return rc;
    h.stream = strcmp(stream, "sub") == 0 ? STREAM_SUB : STREAM_MAIN;
    h.rows = xcalloc(HISTORY_MAX, sizeof *h.rows);
    h.runs = json_array();
    rc = catalogue_read(call->server->catalogue, read_history, &h, err);
    if (rc < 0) {
        json_decref(h.runs);
    } else {
        json_t *items = json_array();
        for (size_t i = 0; i < MIN(h.n, (size_t)HISTORY_MAX); i++)
            json_array_append_new(items, row_json(&h.rows[(h.n - 1 - i) % HISTORY_MAX]));
        call->json = json_list(items);
        json_put(call->json, "server_runs", h.runs);
    }
    free(h.rows);
    return rc;
}
