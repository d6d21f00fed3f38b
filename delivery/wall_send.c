/* Media on its way to one connection, accounted per tile. */
#include "base/clock.h"
#include "delivery/wall_priv.h"

struct wall_sending *wall__sending_create(struct wall_tile *tile)
{
    struct wall_sending *s = xcalloc(1, sizeof *s);
    s->tile = tile;
    s->last = &s->first;
    return s;
}

void wall__sending_forget(struct wall_sending **s)
{
    if (*s) {
        (*s)->tile = NULL;
        if (!(*s)->first)
            free(*s);
    }
    *s = NULL;
}

bool wall__sending_has_room(const struct wall_sending *s, size_t bytes, int64_t mono_us)
{
    if (!s->first)
        return true; /* a key frame may be larger than the bound */
    return s->waiting_bytes + bytes <= WALL_TILE_BYTES &&
           mono_us - s->first->queued_us <= WALL_TILE_WAIT_US;
}

/* The socket took it, or is gone. In order of sending per connection. */
static void on_released(void *ctx)
{
    struct wall_sent *sent = ctx;
    struct wall_sending *s = sent->sending;
    struct wall_sent **link = &s->first;
    while (*link != sent)
        link = &(*link)->next;
    *link = sent->next;
    if (!*link)
        s->last = link;
    s->waiting_bytes -= sent->bytes;
    fragment_unref(&sent->fragment);
    free(sent);
    if (!s->tile && !s->first)
        free(s);
    else if (s->tile && s->tile->playback)
        wall__playback_room(s->tile->playback);
}

static void count(struct wall_tile *tile, size_t bytes)
{
    tile->view.n_bytes += bytes;
    tile->conn->wall->stats.n_bytes += bytes;
}

static bool is_over_bound(struct wall_conn *conn)
{
    if (conn->is_closing)
        return true;
    if (conn->ops->pending(conn->io) <= WALL_CLOSE_BYTES)
        return false;
    conn->wall->stats.n_closed_slow++;
    wall__conn_close(conn, 1013, "the connection is too slow");
    return true;
}

void wall__send_init(struct wall_tile *tile, struct fragment *init)
{
    struct wall_conn *conn = tile->conn;
    if (is_over_bound(conn))
        return;
    struct buf text;
    buf_init(&text, 4096);
    wall_print_format(&text, tile->subject, init->video, init->audio);
    wall__conn_say(conn, &text);

    uint8_t header[WALL_HEADER_BYTES];
    wall_print_header(header, tile->subject, init, tile->is_live ? 0 : WALL_FLAG_RECORDED, 0);
    struct conn_part parts[2] = {{.data = header, .n = sizeof header},
                                 {.data = init->head, .n = init->head_size}};
    conn->ops->send_binary(conn->io, parts, 2);
    count(tile, init->head_size);
}

void wall__send_media(struct wall_tile *tile, struct fragment *f, unsigned flags, uint32_t duration)
{
    struct wall_conn *conn = tile->conn;
    if (is_over_bound(conn))
        return;
    struct wall_sent *sent = xmalloc(sizeof *sent);
    *sent = (struct wall_sent){
        .sending = tile->sending,
        .fragment = fragment_ref(f),
        .bytes = tile->is_joining ? 0 : f->pkt->size,
        .queued_us = loop_mono_us(conn->wall->loop),
    };
    *tile->sending->last = sent;
    tile->sending->last = &sent->next;
    tile->sending->waiting_bytes += sent->bytes;

    flags |= (f->is_key ? WALL_FLAG_KEY : 0u) | (f->is_audio ? WALL_FLAG_AUDIO : 0u) |
             (f->is_discontinuity ? WALL_FLAG_DISCONTINUITY : 0u) |
             (tile->is_live ? 0u : WALL_FLAG_RECORDED);
    uint8_t header[WALL_HEADER_BYTES];
    wall_print_header(header, tile->subject, f, flags, duration);
    struct conn_part parts[3] = {{.data = header, .n = sizeof header},
                                 {.data = f->head, .n = f->head_size},
                                 {f->pkt->data, f->pkt->size, on_released, sent}};
    tile->view.n_pictures += !f->is_audio;
    count(tile, fragment_size(f));
    conn->ops->send_binary(conn->io, parts, 3);
}
