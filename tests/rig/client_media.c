/* Media to one client: interleaved into its connection, or as datagrams. */
#include <errno.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <sys/uio.h>

#include "client_priv.h"
#include "media/rtp.h"

#define BATCH_MAX        64
#define FRAME_HEAD_BYTES 4
#define US_1900_TO_1970  (INT64_C(2208988800) * US_PER_S)

static bool is_lost(const struct camera *camera)
{
    uint32_t dice;
    if (camera->mode != FAIL_DROP || camera->config->drop <= 0)
        return false;
    if (getrandom(&dice, sizeof dice, 0) != sizeof dice)
        return false;
    return dice < camera->config->drop * UINT32_MAX;
}

static void send_datagrams(struct client *c, const struct client_track *ct, struct unit *unit)
{
    struct mmsghdr messages[BATCH_MAX];
    struct iovec iov[BATCH_MAX];
    size_t at = 0;
    bool has_more = true;
    while (has_more) {
        unsigned n = 0;
        uint8_t *frame;
        size_t size;
        while (n < BATCH_MAX && (has_more = unit_next(unit, &at, &frame, &size))) {
            if (is_lost(c->camera)) {
                c->camera->n_lost_packets++;
                continue;
            }
            iov[n] = (struct iovec){frame + FRAME_HEAD_BYTES, size - FRAME_HEAD_BYTES};
            messages[n].msg_hdr = (struct msghdr){.msg_name = (void *)(uintptr_t)&ct->rtp.sa,
                                                  .msg_namelen = ct->rtp.len,
                                                  .msg_iov = &iov[n],
                                                  .msg_iovlen = 1};
            n++;
        }
        int sent =
            n > 0 ? sendmmsg(c->sim->udp_fd[ct->is_from_other_port], messages, n, MSG_DONTWAIT) : 0;
        c->camera->n_lost_packets += n - (unsigned)MAX(sent, 0);
    }
}

/* What the kernel does not take at once waits in `out`: a unit is sent whole or not at all. */
static void send_run(struct client *c, const uint8_t *p, size_t n)
{
    ssize_t sent = 0;
    if (c->out.len == 0)
        sent = send(c->fd, p, n, MSG_NOSIGNAL | MSG_DONTWAIT);
    if (sent < 0 && errno != EAGAIN && errno != EINTR) {
        client_close(c);
        return;
    }
    sent = MAX(sent, 0);
    if ((size_t)sent < n) {
        buf_append(&c->out, p + sent, n - (size_t)sent);
        client__flush(c);
    }
}

static void send_interleaved_lossy(struct client *c, struct unit *unit)
{
    size_t at = 0;
    uint8_t *frame;
    size_t size;
    while (!c->is_closed && unit_next(unit, &at, &frame, &size)) {
        if (is_lost(c->camera))
            c->camera->n_lost_packets++;
        else
            send_run(c, frame, size);
    }
}

static void send_garbage(struct client *c, size_t n)
{
    uint8_t *scratch = loop_scratch(c->sim->loop);
    n = MIN(n, (size_t)LOOP_SCRATCH_BYTES);
    for (size_t at = 0; at < n; at += 256)
        if (getrandom(scratch + at, MIN(n - at, (size_t)256), 0) < 0)
            return;
    send_run(c, scratch, n);
}

/* Whether there is room; when not, the client waits for the next key frame. */
static bool has_room(struct client *c, struct client_track *ct, const struct unit *unit)
{
    bool is_waiting = ct->needs_key && !unit->is_key;
    bool is_full = c->out.len + unit->size > CLIENT_OUT_MAX_BYTES / 2;
    if (!is_waiting && !is_full) {
        ct->needs_key = false;
        return true;
    }
    /* what comes before the first key frame of all is not missed */
    if (is_full || ct->n_packets > 0)
        c->camera->n_dropped_units++;
    ct->needs_key = true;
    return false;
}

static uint64_t ntp_of(int64_t wall_us)
{
    uint64_t us = (uint64_t)(wall_us + US_1900_TO_1970);
    return us / US_PER_S << 32 | (us % US_PER_S << 32) / US_PER_S;
}

/* --- changed on the way --- */

static void send_mutated(void *ctx, int track, bool is_rtcp, const uint8_t *p, size_t n)
{
    struct client *c = ctx;
    const struct client_track *ct = &c->tracks[track];
    const struct address *to = is_rtcp ? &ct->rtcp : &ct->rtp;
    if (!ct->is_udp && !c->is_closed)
        send_run(c, p, n);
    else if (ct->is_udp)
        sendto(c->sim->udp_fd[is_rtcp], p, n, MSG_DONTWAIT,
               (const struct sockaddr *)(const void *)&to->sa, to->len);
}

/* NULL when the camera sends what it should. */
static struct mutator *mutator_of(struct client *c)
{
    struct mutate_params params = {.list = c->camera->config->mutations,
                                   .is_udp = c->tracks[TRACK_VIDEO].is_udp,
                                   .connection = c->connection,
                                   .send = send_mutated,
                                   .ctx = c};
    params.other = c->camera->streams[STREAM_SUB].tracks[TRACK_VIDEO].reel;
    for (int i = 0; i < TRACKS; i++)
        params.channel[i] = c->tracks[i].channel;
    if (!c->mutator && params.list)
        c->mutator = mutator_create(&params);
    return c->mutator;
}

static void send_report(struct client *c, int track)
{
    struct loop *loop = c->sim->loop;
    const struct client_track *ct = &c->tracks[track];
    const struct track *t = &c->stream->tracks[track];
    uint8_t frame[FRAME_HEAD_BYTES + 64];
    struct rtcp_sender_report sr = {
        .ssrc = t->ssrc, .ntp = ntp_of(loop_wall_us(loop)), .timestamp = track_timestamp(t)};
    size_t n =
        rtcp_print_sender_report(&sr, ct->n_packets, ct->n_bytes, frame + FRAME_HEAD_BYTES, 64);
    if (mutator_of(c)) {
        mutator_report(c->mutator, track, frame + FRAME_HEAD_BYTES, n);
        return;
    }
    if (ct->is_udp) {
        sendto(c->sim->udp_fd[1], frame + FRAME_HEAD_BYTES, n, MSG_DONTWAIT,
               (const struct sockaddr *)&ct->rtcp.sa, ct->rtcp.len);
        return;
    }
    rtsp_frame_head(frame, (uint8_t)(ct->channel + 1), (uint16_t)n);
    send_run(c, frame, FRAME_HEAD_BYTES + n);
}

void client__send_reports(struct client *c)
{
    for (int i = 0; i < TRACKS && !c->is_closed; i++) {
        const struct client_track *ct = &c->tracks[i];
        if (ct->is_setup && ct->n_packets > 0 && c->out.len < CLIENT_OUT_MAX_BYTES / 2)
            send_report(c, i);
    }
}

void client_send_unit(struct client *c, int track, struct unit *unit)
{
    struct client_track *ct = &c->tracks[track];
    if (!ct->is_setup || ct->needs_punch || c->is_closing || !has_room(c, ct, unit))
        return;
    /* Says from the first packet on how sound and picture belong together. */
    if (ct->n_packets == 0)
        send_report(c, track);
    if (c->is_closed)
        return;
    ct->n_packets += unit->n_packets;
    ct->n_bytes += (uint32_t)unit->n_payload_bytes;
    c->camera->n_bytes += unit->size;
    if (mutator_of(c)) {
        mutator_unit(c->mutator, track, c->stream->tracks[track].format->codec, unit);
        return;
    }
    if (ct->is_udp) {
        send_datagrams(c, ct, unit);
        return;
    }
    unit_set_channel(unit, ct->channel);
    if (c->camera->mode == FAIL_GARBAGE)
        send_garbage(c, unit->size);
    else if (c->camera->mode == FAIL_DROP)
        send_interleaved_lossy(c, unit);
    else
        send_run(c, unit->bytes, unit->size);
}

void client_heard_udp(struct camsim *sim, const struct address *from)
{
    uint16_t port = address_port(from);
    for (struct client *c = sim->clients; c; c = c->next) {
        for (int i = 0; i < TRACKS; i++) {
            const struct client_track *ct = &c->tracks[i];
            if (ct->is_setup && ct->is_udp &&
                (address_port(&ct->rtp) == port || address_port(&ct->rtcp) == port) &&
                address_same_host(from, &c->peer)) {
                c->heard_mono_us = loop_mono_us(sim->loop);
                c->tracks[i].needs_punch = false;
            }
        }
    }
}
