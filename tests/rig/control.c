/* The simulator's remote control: cables pulled and plugged, failures switched, counters read. */
#include <jansson.h>
#include <string.h>

#include "camsim.h"
#include "client.h"
#include "net/http.h"

static json_t *camera_json(const struct camera *camera)
{
    int n_playing = 0;
    for (int i = 0; i < STREAMS; i++)
        n_playing += camera->streams[i].n_playing;
    return json_pack(
        "{s:s, s:s, s:s, s:b, s:i, s:i, s:i, s:I, s:I, s:I, s:I, s:I}", "id", camera->config->id,
        "name", camera->config->name, "mode", fail_table[camera->mode].name, "manual",
        camera->is_manual, "port",
        camera->listener ? camera->listener->port : camera->sim->common.port, "clients",
        camera->n_clients, "playing", n_playing, "accepted", (json_int_t)camera->n_accepted,
        "units", (json_int_t)camera->n_units, "bytes", (json_int_t)camera->n_bytes, "dropped_units",
        (json_int_t)camera->n_dropped_units, "lost_packets", (json_int_t)camera->n_lost_packets);
}

static void reply_json(struct http_request *req, int status, json_t *value)
{
    char *text = json_dumps(value, JSON_INDENT(1));
    http_reply_text(req, status, "application/json", text ? text : "{}");
    free(text);
    json_decref(value);
}

static void list_cameras(struct camsim *sim, struct http_request *req)
{
    json_t *items = json_array();
    for (size_t i = 0; i < sim->config->n_cameras; i++)
        json_array_append_new(items, camera_json(&sim->cameras[i]));
    reply_json(req, 200, json_pack("{s:i, s:o}", "clients", sim->n_clients, "items", items));
}

/* What the camera saw, and the identities of its pictures. */
static void read_camera(const struct camera *camera, const char *what, struct http_request *req)
{
    const struct reel *reel = camera->streams[STREAM_MAIN].tracks[TRACK_VIDEO].reel;
    if (strcmp(what, "trace") == 0 && camera->trace) {
        reply_json(req, 200, json_incref(camera->trace));
    } else if (strcmp(what, "identity") == 0 && reel) {
        struct buf text;
        buf_init(&text, 0);
        reel_print_identity(reel, &text);
        http_reply_text(req, 200, "text/plain", buf_cstr(&text));
        buf_fini(&text);
    } else {
        http_reply_problem(
            req, 404,
            "there is only trace (of a camera with rules) and identity (of one that loops)");
    }
}

/* What a camera is told; false when the request was refused. FAIL_NONE: plug. */
static bool read_order(const char *verb, struct http_request *req, enum fail_mode *out)
{
    const char *name = http_query(req, "mode");
    *out = strcmp(verb, "pull") == 0 ? FAIL_PULL : FAIL_NONE;
    if (strcmp(verb, "plug") == 0 || strcmp(verb, "pull") == 0)
        return true;
    if (strcmp(verb, "fail") != 0)
        http_reply_problem(req, 404, "a camera can be told: pull, plug, fail?mode=");
    else if (!name || !fail_of(name, out))
        http_reply_problem(req, 422, "mode must name a failure, such as stall");
    else
        return true;
    return false;
}

static void obey(struct camera *camera, enum fail_mode mode)
{
    if (mode == FAIL_NONE)
        camera_plug(camera);
    else
        camera_set_mode(camera, mode, true);
}

static void change_camera(struct camera *camera, const char *verb, struct http_request *req)
{
    enum fail_mode mode;
    if (!read_order(verb, req, &mode))
        return;
    obey(camera, mode);
    reply_json(req, 200, camera_json(camera));
}

static size_t number_of(struct http_request *req, const char *key, size_t otherwise)
{
    const char *text = http_query(req, key);
    int64_t v;
    return text && span_i64(span_of(text), &v) && v >= 0 ? (size_t)v : otherwise;
}

/* All cameras at once, or the first to last of them, counted from 1. */
static void change_all(struct camsim *sim, const char *verb, struct http_request *req)
{
    enum fail_mode mode;
    size_t first = number_of(req, "first", 1);
    size_t last = MIN(number_of(req, "last", sim->config->n_cameras), sim->config->n_cameras);
    if (!read_order(verb, req, &mode))
        return;
    for (size_t i = MAX(first, 1); i <= last; i++)
        obey(&sim->cameras[i - 1], mode);
    reply_json(req, 200, json_pack("{s:i}", "clients", sim->n_clients));
}

/* Sums, and the peaks since they were last reset (POST). */
static void read_load(struct camsim *sim, struct http_request *req)
{
    const struct load *l = &sim->load;
    json_int_t units = 0, bytes = 0, dropped = 0, skipped = 0;
    int playing = 0;
    for (size_t i = 0; i < sim->config->n_cameras; i++) {
        const struct camera *c = &sim->cameras[i];
        for (int k = 0; k < STREAMS; k++)
            playing += c->streams[k].n_playing;
        units += (json_int_t)c->n_units;
        bytes += (json_int_t)c->n_bytes;
        skipped += (json_int_t)c->n_skipped_units;
        dropped += (json_int_t)(c->n_dropped_units + c->n_lost_packets);
    }
    json_t *value =
        json_pack("{s:i, s:i, s:I, s:I, s:I, s:I, s:I, s:I, s:i, s:i, s:i}", "clients",
                  sim->n_clients, "playing", playing, "accepted", (json_int_t)l->n_accepted,
                  "played", (json_int_t)l->n_played, "units", units, "bytes", bytes, "dropped",
                  dropped, "skipped", skipped, "shaking", l->n_shaking, "most_shaking",
                  l->most_shaking, "most_accepted_per_s", l->most_in_second);
    if (req->method == HTTP_POST) {
        sim->load.most_shaking = l->n_shaking;
        sim->load.most_in_second = 0;
    }
    reply_json(req, 200, value);
}

static void on_request(void *ctx, struct http_request *req)
{
    struct camsim *sim = ctx;
    const char *const *path = req->segments;
    if (req->n_segments == 1 && strcmp(path[0], "load") == 0) {
        read_load(sim, req);
        return;
    }
    if (req->n_segments == 0 || strcmp(path[0], "cameras") != 0 || req->n_segments > 3) {
        http_reply_problem(req, 404, "there are only /cameras and /load");
        return;
    }
    if (req->n_segments == 1) {
        list_cameras(sim, req);
        return;
    }
    if (req->n_segments == 3 && strcmp(path[1], "all") == 0 && req->method == HTTP_POST) {
        change_all(sim, path[2], req);
        return;
    }
    struct camera *camera = map_get(sim->by_id, path[1]);
    if (!camera)
        http_reply_problem(req, 404, "there is no camera %s", path[1]);
    else if (req->n_segments == 2)
        reply_json(req, 200, camera_json(camera));
    else if (req->method != HTTP_POST)
        read_camera(camera, path[2], req);
    else
        change_camera(camera, path[2], req);
}

int control_open(struct camsim *sim, struct err *err)
{
    char *listen = xasprintf("%s:%u", sim->config->address, sim->config->control_port);
    int rc = http_server_create(
        &(struct http_server_params){
            .loop = sim->loop, .listen = listen, .handler = on_request, .ctx = sim},
        &sim->control, err);
    free(listen);
    return rc;
}
