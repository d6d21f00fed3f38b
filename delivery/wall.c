#include "delivery/wall.h"

#include "base/str.h"
#include "delivery/wall_priv.h"

static bool is_homeless(const struct wall_tile *tile)
{
    return tile->is_live && !tile->hub;
}

/* A tile whose stream is not there asks again, so that it finds a hub made anew. */
static void on_retry(void *ctx)
{
    struct wall *wall = ctx;
    bool is_left = false;
    for (struct wall_conn *conn = wall->conns; conn; conn = conn->next) {
        for (struct wall_tile *tile = conn->tiles, *next; tile; tile = next) {
            next = tile->next;
            if (is_homeless(tile))
                wall__tile_recheck(tile);
        }
        for (struct wall_tile *tile = conn->tiles; tile; tile = tile->next)
            is_left |= is_homeless(tile);
    }
    if (is_left)
        wall__arm_retry(wall);
}

void wall__arm_retry(struct wall *wall)
{
    if (!timer_is_armed(&wall->retry) && !wall->is_stopping)
        timer_arm_ms(&wall->retry, WALL_RETRY_MS);
}

struct wall *wall_create(const struct wall_params *params)
{
    struct wall *wall = xcalloc(1, sizeof *wall);
    wall->params = *params;
    wall->host = *params->host;
    wall->params.host = NULL;
    wall->loop = params->loop;
    timer_init(&wall->retry, wall->loop, on_retry, wall);
    return wall;
}

void wall_stats(const struct wall *wall, struct wall_stats *out)
{
    *out = wall->stats;
}

/* --- the end --- */

static void wall_free(void *ctx)
{
    struct wall *wall = ctx;
    loop_fn *done = wall->done;
    void *done_ctx = wall->done_ctx;
    timer_disarm(&wall->retry);
    free(wall);
    if (done)
        done(done_ctx);
}

void wall__finish_if_done(struct wall *wall)
{
    if (!wall->is_stopping || wall->is_done || wall->conns || wall->n_playbacks > 0)
        return;
    wall->is_done = true;
    loop_post(wall->loop, wall_free, wall); /* behind the messages other threads posted before */
}

void wall_stop(struct wall *wall, loop_fn *done, void *ctx)
{
    loop_assert(wall->loop);
    if (wall->is_stopping)
        return;
    wall->is_stopping = true;
    wall->done = done;
    wall->done_ctx = ctx;
    for (struct wall_conn *conn = wall->conns; conn; conn = conn->next)
        wall__conn_close(conn, 1001, "the server is stopping");
    wall__finish_if_done(wall);
}

/* --- news from other threads --- */

struct news {
    struct wall *wall;
    char camera_id[65], stream[8]; /* camera_id empty: all */
    struct wall_state state;
};

static struct news *news_create(struct wall *wall, const char *camera_id)
{
    struct news *news = xcalloc(1, sizeof *news);
    news->wall = wall;
    str_copy(news->camera_id, sizeof news->camera_id, camera_id ? camera_id : "");
    return news;
}

static void for_each_tile(struct wall *wall, const struct news *news,
                          void (*fn)(struct wall_tile *tile, const struct news *news))
{
    for (struct wall_conn *conn = wall->conns; conn; conn = conn->next) {
        for (struct wall_tile *tile = conn->tiles, *next; tile; tile = next) {
            next = tile->next;
            if (!news->camera_id[0] || !strcmp(news->camera_id, tile->camera))
                fn(tile, news);
        }
    }
}

static void take_state(struct wall_tile *tile, const struct news *news)
{
    if (!tile->is_live || strcmp(tile->stream, news->stream) != 0)
        return;
    wall__tile_state(tile, &news->state);
    if (is_homeless(tile))
        wall__tile_recheck(tile);
}

static void on_state_news(void *ctx)
{
    struct news *news = ctx;
    for_each_tile(news->wall, news, take_state);
    free(news);
}

void wall_state_changed(struct wall *wall, const char *camera_id, const char *stream,
                        const struct wall_state *state)
{
    struct news *news = news_create(wall, camera_id);
    str_copy(news->stream, sizeof news->stream, stream);
    news->state = *state;
    loop_post(wall->loop, on_state_news, news);
}

static void take_recheck(struct wall_tile *tile, const struct news *news)
{
    (void)news;
    wall__tile_recheck(tile);
}

static void on_recheck_news(void *ctx)
{
    struct news *news = ctx;
    for_each_tile(news->wall, news, take_recheck);
    free(news);
}

void wall_recheck(struct wall *wall, const char *camera_id)
{
    loop_post(wall->loop, on_recheck_news, news_create(wall, camera_id));
}
