#include "camsim.h"

#include <sys/resource.h>

#include "base/log.h"
#include "client.h"
#include "net/http.h"

#define UDP_SNDBUF_BYTES (8 << 20)

static void on_datagram(void *ctx, int fd, short what)
{
    struct camsim *sim = ctx;
    uint8_t bytes[2048];
    (void)what;
    for (int i = 0; i < 64; i++) {
        struct address from = {.len = sizeof from.sa};
        ssize_t n =
            recvfrom(fd, bytes, sizeof bytes, MSG_DONTWAIT, (struct sockaddr *)&from.sa, &from.len);
        if (n < 0)
            return;
        client_heard_udp(sim, &from);
    }
}

static int open_udp(struct camsim *sim, struct err *err)
{
    struct address at;
    int rc = address_parse(sim->config->address, 0, &at);
    if (rc < 0)
        return err_set(err, rc, "address %s", sim->config->address);
    rc = socket_udp_pair(&at, sim->udp_fd, &sim->udp_port, err);
    if (rc < 0)
        return rc;
    for (int i = 0; i < 2; i++)
        watch_start(&sim->udp_watch[i], sim->loop, sim->udp_fd[i], WATCH_READ, on_datagram, sim);
    socket_set_sndbuf(sim->udp_fd[0], UDP_SNDBUF_BYTES);
    return 0;
}

/* The common port again on 127.1.x.y, so that cameras seem to be many hosts. */
static int open_spread(struct camsim *sim, struct err *err)
{
    int n = sim->config->n_addresses;
    sim->spread = xcalloc((size_t)MAX(n, 1), sizeof *sim->spread);
    for (int i = 0; i < n; i++)
        sim->spread[i] = (struct listener){.sim = sim, .port = sim->common.port, .fd = -1};
    for (int i = 0; i < n; i++) {
        struct listener *l = &sim->spread[i];
        snprintf(l->address, sizeof l->address, "127.1.%d.%d", i / 250 % 250, 1 + i % 250);
        int rc = listener_open(l, err);
        if (rc < 0)
            return rc;
    }
    return 0;
}

static int open_listeners(struct camsim *sim, struct err *err)
{
    bool needs_common = false;
    for (size_t i = 0; i < sim->config->n_cameras; i++) {
        struct camera *camera = &sim->cameras[i];
        if (!camera->config->has_port) {
            needs_common = true;
            continue;
        }
        struct listener *l = xcalloc(1, sizeof *l);
        *l =
            (struct listener){.sim = sim, .camera = camera, .port = camera->config->port, .fd = -1};
        span_copy(span_of(camera->config->address), l->address, sizeof l->address);
        camera->listener = l;
        int rc = listener_open(l, err);
        if (rc < 0)
            return rc;
    }
    if (!needs_common)
        return 0;
    int rc = listener_open(&sim->common, err);
    return rc < 0 ? rc : open_spread(sim, err);
}

static int open_stamps(struct camsim *sim, struct err *err)
{
    const struct reel *reel = sim->cameras[0].streams[STREAM_MAIN].tracks[TRACK_VIDEO].reel;
    if (!sim->config->identity_path && !sim->config->stamps_path)
        return 0;
    if (!reel)
        return err_text(err, ERR_INVALID,
                        "--identity and --stamps need looped pictures, not live scenes");
    int rc = 0;
    if (sim->config->identity_path)
        rc = reel_write_identity(reel, sim->config->identity_path, err);
    if (rc >= 0 && sim->config->stamps_path)
        rc = stamps_create(sim->config->stamps_path, sim->config->n_cameras, reel->n_units,
                           &sim->stamps, err);
    return rc;
}

static int open_cameras(struct camsim *sim, struct err *err)
{
    for (size_t i = 0; i < sim->config->n_cameras; i++)
        camera_init(&sim->cameras[i], sim, &sim->config->cameras[i], i);
    for (size_t i = 0; i < sim->config->n_cameras; i++) {
        struct camera *camera = &sim->cameras[i];
        if (map_put(sim->by_id, camera->config->id, camera))
            return err_text(err, ERR_INVALID, "camera %s is there twice", camera->config->id);
        int rc = source_open(camera, err);
        if (rc < 0)
            return rc;
    }
    return 0;
}

/* Thousands of cameras need thousands of descriptors. */
static void raise_limits(void)
{
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit) == 0) {
        limit.rlim_cur = limit.rlim_max;
        setrlimit(RLIMIT_NOFILE, &limit);
    }
}

int camsim_create(const struct config *config, struct loop *loop, struct camsim **out,
                  struct err *err)
{
    struct camsim *sim = xcalloc(1, sizeof *sim);
    sim->config = config;
    sim->loop = loop;
    sim->udp_fd[0] = sim->udp_fd[1] = -1;
    sim->common = (struct listener){.sim = sim, .port = config->port, .fd = -1};
    sim->by_id = map_create();
    sim->cameras = xcalloc(config->n_cameras, sizeof *sim->cameras);
    raise_limits();
    int rc = open_cameras(sim, err);
    if (rc >= 0)
        rc = open_stamps(sim, err);
    if (rc >= 0)
        rc = open_udp(sim, err);
    if (rc >= 0)
        rc = open_listeners(sim, err);
    if (rc >= 0 && config->has_control)
        rc = control_open(sim, err);
    if (rc < 0) {
        camsim_destroy(&sim);
        return rc;
    }
    for (size_t i = 0; i < config->n_cameras; i++)
        camera_start(&sim->cameras[i]);
    *out = sim;
    return 0;
}

void camsim_destroy(struct camsim **simp)
{
    struct camsim *sim = *simp;
    if (!sim)
        return;
    while (sim->clients)
        client_close(sim->clients);
    if (sim->control)
        http_server_destroy(&sim->control);
    studio_destroy(&sim->studio);
    listener_close(&sim->common);
    for (int i = 0; sim->spread && i < sim->config->n_addresses; i++)
        listener_close(&sim->spread[i]);
    free(sim->spread);
    for (int i = 0; i < 2; i++) {
        if (sim->udp_fd[i] < 0)
            continue;
        watch_stop(&sim->udp_watch[i]);
        close(sim->udp_fd[i]);
    }
    for (size_t i = 0; i < sim->config->n_cameras; i++)
        if (sim->cameras[i].sim)
            camera_fini(&sim->cameras[i]);
    source_free_shared(sim);
    stamps_close(&sim->stamps);
    map_destroy(&sim->by_id);
    free(sim->cameras);
    FREE(simp);
}
