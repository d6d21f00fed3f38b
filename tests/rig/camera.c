#include "camsim.h"
#include "client.h"

#include "base/log.h"

static void on_script(void *ctx)
{
    struct camera *camera = ctx;
    const struct camera_config *config = camera->config;
    if (camera->mode == FAIL_NONE) {
        camera_set_mode(camera, config->fail, false);
        timer_arm_ms(&camera->script, (int64_t)(config->fail_for_s * 1000));
    } else {
        camera_start(camera);
    }
}

void camera_init(struct camera *camera, struct camsim *sim, const struct camera_config *config,
                 size_t number)
{
    *camera = (struct camera){.sim = sim, .config = config, .number = number};
    for (int i = 0; i < STREAMS; i++) {
        camera->streams[i].camera = camera;
        camera->streams[i].index = i;
        for (int t = 0; t < TRACKS; t++)
            camera->streams[i].tracks[t].stream = &camera->streams[i];
    }
    if (config->rules)
        camera->trace = json_array();
    timer_init(&camera->script, sim->loop, on_script, camera);
}

void camera_fini(struct camera *camera)
{
    timer_disarm(&camera->script);
    for (int i = 0; i < STREAMS; i++)
        stream_fini(&camera->streams[i]);
    if (camera->listener)
        listener_close(camera->listener);
    FREE(&camera->listener);
    json_decref(camera->trace);
}

void camera_start(struct camera *camera)
{
    const struct camera_config *config = camera->config;
    bool has_script = config->fail_every_s > 0 && config->fail != FAIL_NONE;
    camera_set_mode(camera, has_script ? FAIL_NONE : config->fail, false);
    if (has_script)
        timer_arm_ms(&camera->script,
                     (int64_t)((config->fail_every_s - config->fail_for_s) * 1000));
}

void camera_set_mode(struct camera *camera, enum fail_mode mode, bool is_manual)
{
    if (is_manual)
        timer_disarm(&camera->script);
    camera->is_manual = is_manual;
    if (camera->mode == mode)
        return;
    log_info(camera->config->id, "%s -> %s", fail_table[camera->mode].name, fail_table[mode].name);
    bool was_refusing = camera->mode == FAIL_REFUSE;
    camera->mode = mode;
    if (fail_table[mode].ends_clients)
        client_end_all(camera->sim, camera);
    if (!camera->listener)
        return;
    struct err err;
    if (mode == FAIL_REFUSE)
        listener_close(camera->listener);
    else if (was_refusing && listener_open(camera->listener, &err) < 0)
        log_error(camera->config->id, "%s", err.msg);
}

void camera_plug(struct camera *camera)
{
    camera_set_mode(camera, FAIL_NONE, true);
    camera->is_manual = false;
    if (camera->config->fail_every_s > 0)
        camera_start(camera);
}
