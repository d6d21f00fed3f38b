#include "wall_rig.h"

#include "base/err.h"
#include "base/mem.h"
#include "base/str.h"
#include "delivery/wall_playback_priv.h"

/* --- the fake socket --- */

static struct rig_message *add_message(struct wall_rig *rig)
{
    assert_true(rig->n_messages < RIG_MAX_MESSAGES);
    struct rig_message *m = &rig->messages[rig->n_messages++];
    *m = (struct rig_message){0};
    return m;
}

static void send_text(void *io, const char *text, size_t n)
{
    struct rig_message *m = add_message(io);
    m->text = xstrndup(text, n);
    m->json = json_loads(m->text, 0, NULL);
    assert_non_null(m->json);
}

static void let_go(struct wall_rig *rig, struct rig_message *m)
{
    loop_fn *release = m->release;
    m->release = NULL;
    if (!release)
        return;
    rig->pending -= m->size;
    release(m->release_ctx);
}

static void send_binary(void *io, const struct conn_part *parts, size_t n_parts)
{
    struct wall_rig *rig = io;
    struct rig_message *m = add_message(rig);
    const uint8_t *h = parts[0].data;
    assert_int_equal(parts[0].n, WALL_HEADER_BYTES);
    m->kind = h[0];
    m->flags = h[1];
    m->tile = get_be16(h + 2);
    m->gen = get_be32(h + 4);
    m->wall_us = (int64_t)get_be64(h + 8);
    m->pts = (int64_t)get_be64(h + 16);
    m->payload_at = get_be32(h + 24);
    m->duration = get_be32(h + 28);
    for (size_t i = 0; i < n_parts; i++)
        m->size += parts[i].n;
    if (n_parts < 3)
        return;
    assert_int_equal(m->payload_at, parts[1].n);
    memcpy(&m->picture, parts[2].data, 8);
    m->release = parts[2].release;
    m->release_ctx = parts[2].ctx;
    rig->pending += m->size;
    if (!rig->is_stuck)
        let_go(rig, m);
}

static size_t pending(void *io)
{
    return ((struct wall_rig *)io)->pending;
}

static void close_io(void *io, int code, const char *reason)
{
    struct wall_rig *rig = io;
    assert_non_null(reason);
    rig->close_code = code;
}

static const struct wall_io_ops io_ops = {send_text, send_binary, pending, close_io};

/* --- the fake server --- */

static int resolve(void *ctx, void *user, const char *camera_id, const char *stream,
                   enum wall_action action, struct wall_grant *out)
{
    struct wall_rig *rig = ctx;
    assert_ptr_equal(user, rig);
    rig->n_resolved++;
    for (size_t i = 0; i < ARRAY_LEN(rig->cameras); i++) {
        struct rig_camera *cam = &rig->cameras[i];
        if (!cam->id || strcmp(cam->id, camera_id) != 0)
            continue;
        if (cam->refuse < 0)
            return cam->refuse;
        bool is_sub = !strcmp(stream, "sub") || (!strcmp(stream, "auto") && cam->sub);
        str_copy(out->stream, sizeof out->stream, is_sub ? "sub" : "main");
        struct hub *hub = is_sub ? cam->sub : cam->hub;
        if (hub && action == WALL_LIVE)
            out->hub = hub_ref(hub);
        out->source = cam->source;
        out->state = rig->state;
        return 0;
    }
    return ERR_NOT_FOUND;
}

static void view_opened(void *ctx, void *user, const struct wall_view *view)
{
    struct wall_rig *rig = ctx;
    (void)user;
    rig->n_opened++;
    rig->last_view = *view;
}

static void view_closed(void *ctx, void *user, const struct wall_view *view)
{
    struct wall_rig *rig = ctx;
    (void)user;
    rig->n_closed++;
    rig->last_view = *view;
}

static void conn_closed(void *ctx, void *user)
{
    (void)user;
    ((struct wall_rig *)ctx)->n_conns_closed++;
}

static struct hub *make_hub(struct wall_rig *rig, const char *id, const char *stream)
{
    struct hub *hub = hub_create(rig->clock.loop, id, stream, NULL);
    hub_set_up(hub, true);
    return hub;
}

int wall_rig_setup(void **state)
{
    struct wall_rig *rig = calloc(1, sizeof *rig);
    rig->messages = calloc(RIG_MAX_MESSAGES, sizeof *rig->messages);
    rig_clock_init(&rig->clock);
    rig->pool = pool_create(&(struct pool_params){.n_threads = 1});
    rig->packagers = packager_table_create(rig->clock.loop);
    rig->state = (struct wall_state){.is_advancing = true, .cause = "ok", .retry_s = -1};
    rig->video = rig_video(16);
    rig->cameras[0] = (struct rig_camera){
        .id = "cam-1", .hub = make_hub(rig, "cam-1", "main"), .sub = make_hub(rig, "cam-1", "sub")};
    rig->cameras[1] = (struct rig_camera){.id = "cam-2", .hub = make_hub(rig, "cam-2", "main")};
    rig->cameras[2] = (struct rig_camera){.id = "cam-off"};
    struct wall_host host = {resolve, view_opened, view_closed, conn_closed, rig};
    rig->wall = wall_create(&(struct wall_params){
        .loop = rig->clock.loop, .pool = rig->pool, .packagers = rig->packagers, .host = &host});
    rig->conn = wall__conn_create(rig->wall, &io_ops, rig, rig);
    *state = rig;
    return 0;
}

static void set_flag(void *ctx)
{
    *(bool *)ctx = true;
}

void wall_rig_hang_up(struct wall_rig *rig)
{
    if (rig->conn)
        wall__conn_gone(rig->conn);
    rig->conn = NULL;
}

int wall_rig_teardown(void **state)
{
    struct wall_rig *rig = *state;
    wall_rig_unstick(rig);
    wall_stop(rig->wall, set_flag, &rig->is_stopped);
    wall_rig_hang_up(rig);
    while (!rig->is_stopped)
        loop_turn(rig->clock.loop, true);
    rig->wall = NULL;
    assert_int_equal(rig->n_opened, rig->n_closed);
    assert_int_equal(rig->n_conns_closed, 1);
    rig->is_stopped = false;
    packager_table_stop(rig->packagers, set_flag, &rig->is_stopped);
    wall_rig_settle(rig);
    assert_true(rig->is_stopped);
    for (size_t i = 0; i < 2; i++) {
        hub_close(rig->cameras[i].hub);
        hub_unref(&rig->cameras[i].hub);
        if (rig->cameras[i].sub)
            hub_close(rig->cameras[i].sub);
        hub_unref(&rig->cameras[i].sub);
    }
    pool_destroy(&rig->pool);
    rig_clock_fini(&rig->clock);
    format_unref(&rig->video);
    for (size_t i = 0; i < rig->n_messages; i++) {
        free(rig->messages[i].text);
        json_decref(rig->messages[i].json);
    }
    free(rig->messages);
    free(rig);
    return 0;
}

/* --- driving it --- */

/* A job on the pool is under way: its result will wake the loop. */
static bool is_reading(const struct wall_rig *rig)
{
    int n = 0;
    for (struct wall_tile *t = rig->conn ? rig->conn->tiles : NULL; t; t = t->next) {
        n += t->playback != NULL;
        if (t->playback && t->playback->job)
            return true;
    }
    return rig->wall && rig->wall->n_playbacks > n;
}

void wall_rig_settle(struct wall_rig *rig)
{
    rig_settle(&rig->clock);
    while (is_reading(rig)) {
        loop_turn(rig->clock.loop, true);
        rig_advance_ms(&rig->clock, 0);
    }
}

void wall_rig_advance_ms(struct wall_rig *rig, int64_t ms)
{
    for (; ms > 0; ms -= 100) {
        rig_advance_ms(&rig->clock, MIN(ms, 100));
        wall_rig_settle(rig);
    }
}

void wall_rig_send(struct wall_rig *rig, const char *text)
{
    wall__conn_text(rig->conn, text, strlen(text));
    wall_rig_settle(rig);
}

void wall_rig_publish(struct wall_rig *rig, struct hub *hub, int64_t from, int64_t to, size_t size)
{
    for (int64_t i = from; i < to; i++) {
        struct packet *pkt = rig_picture(rig->video, i, size);
        hub_publish(hub, pkt);
        packet_unref(&pkt);
        rig_settle(&rig->clock);
    }
}

void wall_rig_unstick(struct wall_rig *rig)
{
    rig->is_stuck = false;
    for (size_t i = 0; i < rig->n_messages; i++)
        let_go(rig, &rig->messages[i]);
    if (rig->conn)
        wall__conn_drained(rig->conn);
}

/* --- looking at what came --- */

struct rig_message *wall_rig_next(struct wall_rig *rig)
{
    return rig->n_read < rig->n_messages ? &rig->messages[rig->n_read++] : NULL;
}

const char *rig_text(const struct rig_message *m, const char *member)
{
    const char *s = json_string_value(json_object_get(m->json, member));
    return s ? s : "";
}

int64_t rig_int(const struct rig_message *m, const char *member)
{
    return json_integer_value(json_object_get(m->json, member));
}

struct rig_message *wall_rig_find(struct wall_rig *rig, const char *type)
{
    struct rig_message *m;
    while ((m = wall_rig_next(rig)))
        if (m->json && !strcmp(rig_text(m, "type"), type))
            return m;
    fail_msg("no message of type %s", type);
    return NULL;
}

int wall_rig_count_media(struct wall_rig *rig, uint16_t tile)
{
    int n = 0;
    for (size_t i = rig->n_read; i < rig->n_messages; i++)
        n += rig->messages[i].kind == WALL_KIND_MEDIA && rig->messages[i].tile == tile;
    return n;
}
