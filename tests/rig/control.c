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

static void change_camera(struct camera *camera, const char *verb, struct http_request *req)
{
    enum fail_mode mode = FAIL_PULL;
    if (strcmp(verb, "plug") == 0) {
        camera_plug(camera);
    } else if (strcmp(verb, "pull") == 0) {
        camera_set_mode(camera, FAIL_PULL, true);
    } else if (strcmp(verb, "fail") == 0) {
        const char *name = http_query(req, "mode");
        if (!name || !fail_of(name, &mode)) {
            http_reply_problem(req, 422, "mode must name a failure, such as stall");
            return;
        }
        camera_set_mode(camera, mode, true);
    } else {
        http_reply_problem(req, 404, "a camera can be told: pull, plug, fail?mode=");
        return;
    }
    reply_json(req, 200, camera_json(camera));
}

static void on_request(void *ctx, struct http_request *req)
{
    struct camsim *sim = ctx;
    const char *const *path = req->segments;
    if (req->n_segments == 0 || strcmp(path[0], "cameras") != 0 || req->n_segments > 3) {
        http_reply_problem(req, 404, "there is only /cameras");
        return;
    }
    if (req->n_segments == 1) {
        list_cameras(sim, req);
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
