/* RTP over UDP: a pair of ports per track, opened through the firewall by a packet of our own, and
 * locked to the first source that is the camera (quirk P7). The pairs of extras stay unread. */
#include <errno.h>
#include <sys/socket.h>

#include "base/buf.h"
#include "base/mem.h"
#include "ingest/stream_priv.h"
#include "media/rtp.h"

#define BATCH        8 /* datagrams per call, each up to 64 KiB of the loop's scratch (quirk I5) */
#define MAX_ROUNDS   4 /* so that one camera does not hold the loop */
#define SLOT_BYTES   (LOOP_SCRATCH_BYTES / BATCH)
#define RCVBUF_BYTES (1 << 20)
#define UNREAD_BYTES 1 /* the kernel makes its least of it */

int stream__open_udp(void *ctx, int i_media)
{
    struct stream *s = ctx;
    int *fd =
        i_media < SESSION_MAX_TRACKS ? s->udp[i_media].fd : s->unread[i_media - SESSION_MAX_TRACKS];
    struct address local;
    uint16_t port;
    if (link_local(s->link, &local) < 0)
        return -1;
    if (!stream__allow(s, 2))
        return -EMFILE;
    address_set_port(&local, 0);
    int rc = socket_udp_pair(&local, fd, &port, NULL);
    if (rc < 0) {
        fd[0] = fd[1] = -1;
        return rc;
    }
    if (i_media < SESSION_MAX_TRACKS)
        socket_set_rcvbuf(fd[0], RCVBUF_BYTES);
    return port;
}

static bool is_from_camera(struct stream *s, struct udp_end *end, const struct address *from)
{
    struct address *lock = &s->udp[end->track].source[end->which];
    if (!address_same_host(from, &s->list[s->i_address]))
        return false;
    if (lock->len == 0)
        *lock = *from;
    return address_port(lock) == address_port(from);
}

static int read_round(struct stream *s, struct udp_end *end, int fd)
{
    struct address from[BATCH];
    struct iovec iov[BATCH];
    struct mmsghdr messages[BATCH];
    uint8_t *scratch = loop_scratch(s->loop);
    memset(messages, 0, sizeof messages);
    for (int i = 0; i < BATCH; i++) {
        iov[i] = (struct iovec){scratch + i * SLOT_BYTES, SLOT_BYTES};
        messages[i].msg_hdr.msg_name = &from[i].sa;
        messages[i].msg_hdr.msg_namelen = sizeof from[i].sa;
        messages[i].msg_hdr.msg_iov = &iov[i];
        messages[i].msg_hdr.msg_iovlen = 1;
    }
    int n = recvmmsg(fd, messages, BATCH, MSG_DONTWAIT, NULL);
    for (int i = 0; i < n; i++) {
        from[i].len = messages[i].msg_hdr.msg_namelen;
        if (s->is_receiving && is_from_camera(s, end, &from[i]))
            receiver_input(s->receiver, end->track, iov[i].iov_base, messages[i].msg_len);
    }
    return n;
}

static void on_datagrams(void *ctx, int fd, short what)
{
    (void)what;
    struct udp_end *end = ctx;
    struct stream *s = end->s;
    s->bytes_mono_us = loop_mono_us(s->loop);
    receiver_arrive(s->receiver, s->bytes_mono_us, loop_wall_us(s->loop));
    for (int i = 0; i < MAX_ROUNDS; i++)
        if (read_round(s, end, fd) < BATCH)
            return;
}

/* What comes to an open port that nobody reads ends there, without a wake-up, and the camera is not
 * told that the port is closed. */
static void leave_unread(const int fd[2])
{
    for (int i = 0; i < 2 && fd[i] >= 0; i++)
        socket_set_rcvbuf(fd[i], UNREAD_BYTES);
}

void stream__start_udp(struct stream *s)
{
    for (int t = s->session->n_tracks; t < SESSION_MAX_TRACKS; t++)
        leave_unread(s->udp[t].fd);
    for (size_t i = 0; i < ARRAY_LEN(s->unread); i++)
        leave_unread(s->unread[i]);
    for (int t = 0; t < s->session->n_tracks; t++) {
        struct udp_pair *pair = &s->udp[t];
        for (int i = 0; i < 2 && pair->fd[i] >= 0; i++) {
            pair->end[i] = (struct udp_end){.s = s, .track = t, .which = i};
            watch_start(&pair->watch[i], s->loop, pair->fd[i], WATCH_READ, on_datagrams,
                        &pair->end[i]);
        }
        stream__punch(s, t);
    }
}

static void send_to_camera(struct stream *s, int track, int which, const uint8_t *p, size_t n)
{
    const struct udp_pair *pair = &s->udp[track];
    uint16_t port = s->session->tracks[track].server_port[which];
    struct address to = s->list[s->i_address];
    if (pair->source[which].len > 0)
        port = address_port(&pair->source[which]);
    if (port == 0 || pair->fd[which] < 0)
        return;
    address_set_port(&to, port);
    ssize_t rc = sendto(pair->fd[which], p, n, MSG_DONTWAIT | MSG_NOSIGNAL,
                        (const struct sockaddr *)(const void *)&to.sa, to.len);
    (void)rc; /* lost reports cost nothing; the next one follows */
}

void stream__punch(struct stream *s, int track)
{
    static const uint8_t empty_rtp[RTP_HEADER_BYTES] = {0x80};
    static const uint8_t empty_report[8] = {0x80, 201, 0, 1};
    if (s->udp[track].source[0].len == 0)
        send_to_camera(s, track, 0, empty_rtp, sizeof empty_rtp);
    if (s->udp[track].source[1].len == 0)
        send_to_camera(s, track, 1, empty_report, sizeof empty_report);
}

void stream__send_udp_report(struct stream *s, int track, const uint8_t *p, size_t n)
{
    send_to_camera(s, track, 1, p, n);
}

void stream__close_udp(struct stream *s)
{
    for (int t = 0; t < SESSION_MAX_TRACKS; t++) {
        struct udp_pair *pair = &s->udp[t];
        for (int i = 0; i < 2; i++) {
            watch_stop(&pair->watch[i]);
            if (pair->fd[i] >= 0)
                close(pair->fd[i]);
            pair->fd[i] = -1;
            pair->source[i].len = 0;
        }
    }
    for (size_t k = 0; k < ARRAY_LEN(s->unread); k++) {
        for (int i = 0; i < 2; i++) {
            if (s->unread[k][i] >= 0)
                close(s->unread[k][i]);
            s->unread[k][i] = -1;
        }
    }
}
