/* The connection of a stream: names, connecting, reading in place, writing.
 *
 * Reading: one read per readiness into the loop's scratch, behind the few bytes that were left over
 * (a partial item); parsed there, copied once into packets. Nothing is allocated but these.
 *
 * Batching: while nobody watches live, a TCP socket wakes the loop only when BATCH_BYTES are there
 * (SO_RCVLOWAT), and the tick reads what has come at least every BATCH_MS: recording costs a
 * fraction of the wake-ups and stays at most that much behind. The kernel wakes earlier when its
 * buffer runs short, so the camera is never held back. As soon as somebody watches, every byte
 * wakes the loop. */
#include <errno.h>

#include "base/log.h"
#include "base/mem.h"
#include "ingest/stream_priv.h"

#define BATCH_BYTES (64 << 10)
#define PARTIAL_MAX (2 * RTSP_INPUT_BYTES)

/* --- names and connecting --- */

static void on_resolved(void *ctx, const struct err *err, const struct address *list, size_t n)
{
    struct stream *s = ctx;
    s->resolve = NULL;
    s->is_name_doubtful = err && err->code == ERR_DNS;
    if (err) {
        stream__fail(s, s->is_name_doubtful ? CAUSE_DNS : CAUSE_INTERNAL, "%s", err->msg);
        return;
    }
    s->n_addresses = MIN(n, ARRAY_LEN(s->list));
    memcpy(s->list, list, s->n_addresses * sizeof *list);
    s->i_address = 0;
    stream__connect(s);
}

void stream__resolve(struct stream *s)
{
    s->resolve = resolve_start(s->loop, s->resolver, s->url.host, s->url.port, s->is_name_doubtful,
                               on_resolved, s);
}

void stream__unresolved(struct stream *s)
{
    s->is_name_doubtful |= resolve_has_begun(s->resolve);
    if (s->is_name_doubtful)
        stream__fail(s, CAUSE_DNS, "host name %.100s did not resolve within 15 s", s->url.host);
    else
        stream__fail(s, CAUSE_INTERNAL,
                     "host name %.100s was not asked for: too many others do not resolve",
                     s->url.host);
}

static void connect_failed(struct stream *s, const struct err *err)
{
    bool is_of_network = err->code > ERR_PARSE;
    if (is_of_network && s->i_address + 1 < s->n_addresses) {
        s->i_address++;
        stream__connect(s);
        return;
    }
    stream__set_reachable(s, false);
    stream__fail(s, cause_of_code(err->code), "%s", err->msg);
}

static void begin_handshake(struct stream *s)
{
    bool has_own = s->config.username[0] != 0;
    struct rtsp_client_params params = {
        .url = &s->url,
        .user = has_own ? s->config.username : s->url.user,
        .password = has_own ? s->config.password : s->url.password,
        .is_udp = s->is_udp && stream__may_use_udp(s),
        .memory = &s->memory,
        .host = &stream__session_host,
        .ctx = s,
    };
    struct rtsp_client *client = rtsp_client_create(&params);
    s->session = rtsp_client_session(client);
    stream__enter(s, STREAM_HANDSHAKE);
    rtsp_client_start(client, loop_mono_us(s->loop));
    stream__flush(s);
    stream__session_moved(s); /* arms the time-out */
}

static void on_opened(void *ctx, const struct err *err)
{
    if (err)
        connect_failed(ctx, err);
    else
        begin_handshake(ctx);
}

static void on_readable(void *ctx)
{
    stream__read(ctx);
}

static const struct link_events link_events = {on_opened, on_readable};

void stream__adopt_link(struct stream *s, int fd)
{
    s->link = link_adopt(s->loop, fd, &link_events, s);
}

bool stream__may_use_udp(const struct stream *s)
{
    return !s->url.is_tls && !s->url.is_tunnel;
}

/* An old camera takes seconds for each handshake of TLS, and a tunnel with a login has three. */
int stream__connect_limit_s(const struct stream *s)
{
    return s->url.is_tls || s->url.is_tunnel ? 15 : 5;
}

void stream__connect(struct stream *s)
{
    bool has_own = s->config.username[0] != 0;
    stream__close_connection(s);
    stream__enter(s, STREAM_CONNECT);
    timer_arm_ms(&s->deadline, stream__connect_limit_s(s) * 1000LL); /* the state's is TCP's */
    s->link =
        link_open(&(struct link_params){.loop = s->loop,
                                        .url = &s->url,
                                        .address = &s->list[s->i_address],
                                        .tls = s->tls,
                                        .user = has_own ? s->config.username : s->url.user,
                                        .password = has_own ? s->config.password : s->url.password,
                                        .events = &link_events,
                                        .ctx = s});
}

/* --- writing --- */

void stream__flush(struct stream *s)
{
    link_flush(s->link, &s->session->out);
}

/* --- reading --- */

static void open_receiver(struct stream *s)
{
    const struct session_track *video = &s->session->tracks[RECEIVER_VIDEO];
    const struct sdp_media *audio =
        s->session->n_tracks > 1 ? s->session->tracks[RECEIVER_AUDIO].media : NULL;
    receiver_arrive(s->receiver, loop_mono_us(s->loop), loop_wall_us(s->loop));
    s->heard_at_open = stream__heard(s);
    if (receiver_open(s->receiver, video->media, audio, !video->is_tcp) == 0)
        s->is_receiving = true;
    if (!video->is_tcp)
        stream__start_udp(s);
}

static void on_frame(void *ctx, int track, const uint8_t *p, size_t n)
{
    struct stream *s = ctx;
    if (!s->is_receiving)
        open_receiver(s);
    if (s->is_receiving)
        receiver_input(s->receiver, track, p, n);
}

const struct session_host stream__session_host = {
    .frame = on_frame,
    .open_udp = stream__open_udp,
};
const struct session_host stream__feed_host = {.frame = on_frame};

/* Offers bytes to the session and keeps what it leaves. */
static void digest(struct stream *s, const uint8_t *p, size_t n)
{
    size_t used = session_input(s->session, loop_mono_us(s->loop), p, n);
    buf_clear(&s->partial);
    if (used < n)
        buf_append(&s->partial, p + used, n - used);
    if (s->session->has_answered && !s->status.is_reachable) {
        stream__set_reachable(s, true);
        stream__post_status(s, false);
    }
    if (s->session->has_logged_in && s->state == STREAM_HANDSHAKE)
        stream__logged_in(s);
    enum session_phase phase = session_phase(s->session);
    bool may_receive = phase == SESSION_SETTLED || phase == SESSION_PLAYING;
    if (may_receive && !s->is_receiving)
        open_receiver(s);
    if (s->session->out.len > 0)
        stream__flush(s);
    if (s->state != STREAM_PLAYING || phase != SESSION_PLAYING)
        stream__session_moved(s);
}

void stream__redigest(struct stream *s)
{
    size_t n = s->partial.len;
    uint8_t *scratch = loop_scratch(s->loop);
    if (n > 0)
        memcpy(scratch, s->partial.data, n);
    digest(s, scratch, n);
}

static const char *lost_text(const struct stream *s, const struct err *why)
{
    if (stream__is_pushed(s) && why->code == ERR_EOF)
        return "the encoder closed the connection";
    if (stream__is_pushed(s) && (why->code == -ECONNRESET || why->code == -EPIPE))
        return "the encoder reset the connection";
    return why->msg;
}

static void connection_lost(struct stream *s)
{
    const struct err *why = link_why(s->link);
    enum stream_cause cause = CAUSE_UNREACHABLE;
    if (why->code == -ETIMEDOUT)
        cause = CAUSE_TIMEOUT;
    else if (why->code <= ERR_PARSE && why->code != ERR_EOF)
        cause = cause_of_code(why->code);
    if (s->url.foreign[0]) /* it says why it ends, unless it cannot */
        session_closed(s->session, CAUSE_INTERNAL, "rookery-remux ended unexpectedly");
    else
        session_closed(s->session, cause, lost_text(s, why));
    stream__session_moved(s);
}

void stream__read(struct stream *s)
{
    uint8_t *scratch = loop_scratch(s->loop);
    size_t have = s->partial.len;
    if (have > 0)
        memcpy(scratch, s->partial.data, have);
    ssize_t n = link_read(s->link, scratch + have, LOOP_SCRATCH_BYTES - have);
    if (n == -EAGAIN)
        return;
    if (n < 0) {
        connection_lost(s);
        return;
    }
    s->bytes_mono_us = loop_mono_us(s->loop);
    receiver_arrive(s->receiver, s->bytes_mono_us, loop_wall_us(s->loop));
    digest(s, scratch, have + (size_t)n);
}

void stream__choose_batching(struct stream *s)
{
    bool is_tcp = s->session->tracks[RECEIVER_VIDEO].is_tcp;
    /* A socket pair knows no low-water mark; the process sends whole pictures anyway. */
    bool can_wait = is_tcp && !s->url.foreign[0];
    bool is_batched = can_wait && s->n_live == 0 && s->is_up && s->state == STREAM_PLAYING;
    if (s->is_batched == is_batched)
        return;
    s->is_batched = is_batched;
    link_set_lowat(s->link, is_batched ? BATCH_BYTES : 1);
}

void stream__close_connection(struct stream *s)
{
    resolve_cancel(&s->resolve);
    timer_disarm(&s->tick);
    link_close(&s->link); /* it may hold on to the session's output */
    if (s->session) {
        s->n_resyncs_before += s->session->parser.n_losses;
        s->n_unrequested_before += s->session->n_unrequested;
    }
    if (s->is_receiving)
        receiver_close(s->receiver);
    s->is_receiving = false;
    s->is_batched = false;
    s->probed_mono_us = 0;
    session_destroy(&s->session);
    stream__close_udp(s);
    buf_fini(&s->partial);
    buf_init(&s->partial, PARTIAL_MAX);
}
