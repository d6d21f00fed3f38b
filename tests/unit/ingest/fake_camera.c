#include "fake_camera.h"

#include <errno.h>
#include <sys/socket.h>

#include "rig.h"

struct fake_camera {
    struct loop *loop;
    struct address at;
    int listener;
    struct watch accepting;
    enum fake_mode mode;
    struct fake_counts counts;
    /* the newest connection */
    int fd;
    struct watch reading;
    struct rtsp_parser parser;
    struct buf in;
    int udp;
    struct address udp_to;
    uint16_t udp_newest; /* port asked for last */
    uint16_t seq;
    uint32_t timestamp;
};

static void drop(struct fake_camera *cam)
{
    watch_stop(&cam->reading);
    if (cam->fd >= 0)
        close(cam->fd);
    cam->counts.n_open -= cam->fd >= 0;
    cam->fd = -1;
    if (cam->udp >= 0)
        close(cam->udp);
    cam->udp = -1;
    buf_clear(&cam->in);
    cam->counts.is_playing = false;
    cam->counts.n_setups = 0;
}

/* A client that has gone, or does not read, is dropped. */
static void say(struct fake_camera *cam, const void *p, size_t n)
{
    if (cam->fd >= 0 && send(cam->fd, p, n, MSG_NOSIGNAL | MSG_DONTWAIT) != (ssize_t)n)
        drop(cam);
}

static void answer(struct fake_camera *cam, const struct rtsp_message *m, int status,
                   const char *name, const char *value, const char *body)
{
    struct buf out;
    buf_init(&out, 0);
    rtsp_response_begin(&out, status, NULL, m->cseq, NULL);
    if (m->method != RTSP_OPTIONS && m->method != RTSP_DESCRIBE)
        rtsp_put(&out, "Session", "4711;timeout=60");
    if (name)
        rtsp_put(&out, name, "%s", value);
    rtsp_end(&out, body ? "application/sdp" : NULL, body, body ? strlen(body) : 0);
    say(cam, out.data, out.len);
    buf_fini(&out);
}

static void describe(struct fake_camera *cam, const struct rtsp_message *m)
{
    static const char sdp[] = RIG_SDP_HEAD RIG_VIDEO RIG_FMTP "a=control:v\r\n";
    struct span ignored;
    char location[64];
    switch (cam->mode) {
    case FAKE_NOT_FOUND:
        answer(cam, m, 404, NULL, NULL, NULL);
        break;
    case FAKE_UNAVAILABLE:
        answer(cam, m, 503, NULL, NULL, NULL);
        break;
    case FAKE_FORBIDDEN:
        answer(cam, m, 403, NULL, NULL, NULL);
        break;
    case FAKE_WRONG_PASSWORD:
        answer(cam, m, 401, "WWW-Authenticate", "Digest realm=\"x\", nonce=\"same\"", NULL);
        break;
    case FAKE_CHALLENGE_AND_CLOSE:
        if (rtsp_get(m, "Authorization", &ignored)) {
            answer(cam, m, 200, NULL, NULL, sdp);
            break;
        }
        answer(cam, m, 401, "WWW-Authenticate", "Digest realm=\"x\", nonce=\"same\"", NULL);
        drop(cam);
        break;
    case FAKE_NO_VIDEO:
        answer(cam, m, 200, NULL, NULL, RIG_SDP_HEAD RIG_AUDIO);
        break;
    case FAKE_MPEG2:
        answer(cam, m, 200, NULL, NULL,
               RIG_SDP_HEAD "m=video 0 RTP/AVP 32\r\na=rtpmap:32 MPV/90000\r\n");
        break;
    case FAKE_METADATA:
        answer(cam, m, 200, NULL, NULL,
               RIG_SDP_HEAD RIG_VIDEO RIG_FMTP
               "a=control:v\r\nm=application 0 RTP/AVP 107\r\na=control:meta\r\n");
        break;
    case FAKE_MUTE_SOUND:
        answer(cam, m, 200, NULL, NULL,
               RIG_SDP_HEAD RIG_VIDEO RIG_FMTP "a=control:v\r\n" RIG_AUDIO "a=control:a\r\n");
        break;
    case FAKE_REDIRECT:
        snprintf(location, sizeof location, "rtsp://127.0.0.1:%d/again", address_port(&cam->at));
        answer(cam, m, 302, "Location", location, NULL);
        break;
    case FAKE_OK:
    case FAKE_WEB_SERVER:
    case FAKE_SILENT:
    case FAKE_HANGS_UP:
    case FAKE_NO_TCP:
    case FAKE_NO_UDP:
        answer(cam, m, 200, NULL, NULL, sdp);
        break;
    }
}

static void set_up(struct fake_camera *cam, const struct rtsp_message *m)
{
    struct rtsp_transport t;
    struct span value;
    char text[128];
    assert_true(rtsp_get(m, "Transport", &value) && rtsp_transport_next(&value, &t));
    if (cam->mode == (t.is_tcp ? FAKE_NO_TCP : FAKE_NO_UDP)) {
        answer(cam, m, 461, NULL, NULL, NULL);
        return;
    }
    cam->counts.n_setups++;
    if (cam->mode == FAKE_MUTE_SOUND && cam->counts.n_setups > 1)
        return;
    if (t.is_tcp) {
        snprintf(text, sizeof text, "RTP/AVP/TCP;unicast;interleaved=%d-%d", t.interleaved[0],
                 t.interleaved[1]);
        answer(cam, m, 200, "Transport", text, NULL);
        return;
    }
    struct address local;
    if (cam->udp < 0) { /* the first one is the video */
        assert_int_equal(address_parse("127.0.0.1", 0, &local), 0);
        cam->udp = socket_udp(&local, NULL);
        assert_true(cam->udp >= 0);
        assert_int_equal(address_parse("127.0.0.1", t.client_port[0], &cam->udp_to), 0);
    }
    cam->udp_newest = t.client_port[0];
    socket_local(cam->udp, &local);
    snprintf(text, sizeof text, "RTP/AVP;unicast;client_port=%d-%d;server_port=%d-%d",
             t.client_port[0], t.client_port[1], address_port(&local), address_port(&local) + 1);
    answer(cam, m, 200, "Transport", text, NULL);
}

static void on_request(struct fake_camera *cam, const struct rtsp_message *m)
{
    struct span ignored;
    cam->counts.n[m->method]++;
    cam->counts.n_signed += rtsp_get(m, "Authorization", &ignored);
    switch (m->method) {
    case RTSP_DESCRIBE:
        describe(cam, m);
        break;
    case RTSP_SETUP:
        set_up(cam, m);
        break;
    case RTSP_TEARDOWN:
        cam->counts.is_playing = false;
        answer(cam, m, 200, NULL, NULL, NULL);
        break;
    case RTSP_PLAY:
        cam->counts.is_playing = true;
        answer(cam, m, 200, NULL, NULL, NULL);
        break;
    case RTSP_OPTIONS:
    case RTSP_GET_PARAMETER:
        answer(cam, m, 200, "Public", "OPTIONS, DESCRIBE, SETUP, PLAY, TEARDOWN, GET_PARAMETER",
               NULL);
        break;
    case RTSP_UNKNOWN_METHOD:
    case RTSP_PAUSE:
    case RTSP_SET_PARAMETER:
    case RTSP_ANNOUNCE:
    case RTSP_RECORD:
    case RTSP_REDIRECT:
        answer(cam, m, 501, NULL, NULL, NULL);
        break;
    }
}

static void on_bytes(void *ctx, int fd, short what)
{
    struct fake_camera *cam = ctx;
    static const char page[] = "HTTP/1.0 400 Bad Request\r\nContent-Length: 3\r\n\r\nbad";
    (void)what;
    assert_true(buf_reserve(&cam->in, 4096));
    ssize_t n = recv(fd, cam->in.data + cam->in.len, 4096, MSG_DONTWAIT);
    if (n <= 0) {
        drop(cam);
        return;
    }
    cam->in.len += (size_t)n;
    if (cam->mode == FAKE_WEB_SERVER)
        say(cam, page, sizeof page - 1);
    if (cam->mode == FAKE_WEB_SERVER || cam->mode == FAKE_SILENT) {
        buf_clear(&cam->in);
        return;
    }
    struct rtsp_item item;
    size_t used;
    while (cam->fd >= 0 &&
           (used = rtsp_parse(&cam->parser, cam->in.data, cam->in.len, &item)) > 0) {
        if (item.kind == RTSP_REQUEST)
            on_request(cam, &item.message);
        cam->counts.n_reports += item.kind == RTSP_FRAME;
        if (cam->fd >= 0)
            buf_consume(&cam->in, used);
    }
}

static void on_accept(void *ctx, int fd, short what)
{
    struct fake_camera *cam = ctx;
    (void)what;
    int peer = socket_accept(fd, NULL);
    if (peer < 0)
        return;
    cam->counts.n_connections++;
    if (cam->mode == FAKE_HANGS_UP) {
        close(peer);
        return;
    }
    drop(cam);
    cam->fd = peer;
    cam->counts.n_open++;
    socket_set_nodelay(peer);
    rtsp_parser_init(&cam->parser);
    watch_start(&cam->reading, cam->loop, peer, WATCH_READ, on_bytes, cam);
}

void fake_camera_listen(struct fake_camera *cam, bool is_on)
{
    watch_stop(&cam->accepting);
    if (cam->listener >= 0)
        close(cam->listener);
    cam->listener = -1;
    if (!is_on)
        return;
    cam->listener = socket_listen(&cam->at, 16, false, NULL);
    assert_true(cam->listener >= 0);
    socket_local(cam->listener, &cam->at);
    watch_start(&cam->accepting, cam->loop, cam->listener, WATCH_READ, on_accept, cam);
}

struct fake_camera *fake_camera_create(struct loop *loop)
{
    struct fake_camera *cam = xcalloc(1, sizeof *cam);
    cam->loop = loop;
    cam->listener = cam->fd = cam->udp = -1;
    buf_init(&cam->in, 0);
    assert_int_equal(address_parse("127.0.0.1", 0, &cam->at), 0);
    fake_camera_listen(cam, true);
    return cam;
}

void fake_camera_destroy(struct fake_camera **cam)
{
    fake_camera_listen(*cam, false);
    drop(*cam);
    buf_fini(&(*cam)->in);
    FREE(cam);
}

uint16_t fake_camera_port(const struct fake_camera *cam)
{
    return address_port(&cam->at);
}

void fake_camera_set_mode(struct fake_camera *cam, enum fake_mode mode)
{
    cam->mode = mode;
}

#define NAL_BYTES 300

static void send_nal(struct fake_camera *cam, uint8_t pt, bool is_last, const uint8_t *nal,
                     size_t nal_bytes)
{
    uint8_t bytes[4 + 12 + NAL_BYTES];
    size_t n = rig_rtp(bytes + 4, pt, is_last, cam->seq++, cam->timestamp, 7, nal, nal_bytes);
    if (cam->udp >= 0) {
        sendto(cam->udp, bytes + 4, n, 0, (const struct sockaddr *)(const void *)&cam->udp_to.sa,
               cam->udp_to.len);
        return;
    }
    rtsp_frame_head(bytes, 0, (uint16_t)n);
    say(cam, bytes, 4 + n);
}

static void send_picture(struct fake_camera *cam, uint8_t pt, bool is_key)
{
    uint8_t nal[NAL_BYTES];
    cam->timestamp += 3600;
    rig_slice(nal, is_key, sizeof nal);
    send_nal(cam, pt, true, nal, sizeof nal);
}

void fake_camera_picture(struct fake_camera *cam, bool is_key)
{
    send_picture(cam, 96, is_key);
}

static void send_sets(struct fake_camera *cam, size_t at, uint8_t value)
{
    static const uint8_t pps[] = {RIG_PPS};
    uint8_t sps[] = {RIG_SPS};
    sps[at] = value;
    send_nal(cam, 96, false, sps, sizeof sps);
    send_nal(cam, 96, false, pps, sizeof pps);
}

void fake_camera_format(struct fake_camera *cam, bool is_other)
{
    send_sets(cam, 3, is_other ? 0x1f : 0x1e); /* the level: another format for a decoder */
}

void fake_camera_size(struct fake_camera *cam, bool is_other)
{
    send_sets(cam, 6, is_other ? 0xa4 : 0xa0); /* 656 in place of 640 */
}

void fake_camera_foreign(struct fake_camera *cam)
{
    send_picture(cam, 98, true);
}

void fake_camera_bytes(struct fake_camera *cam, const void *p, size_t n)
{
    say(cam, p, n);
}

bool fake_camera_datagram(struct fake_camera *cam)
{
    uint8_t bytes[1400] = {0x80, 107};
    struct address to;
    struct address local;
    assert_int_equal(address_parse("127.0.0.1", 0, &local), 0);
    assert_int_equal(address_parse("127.0.0.1", cam->udp_newest, &to), 0);
    int fd = socket_udp(&local, NULL);
    assert_true(fd >= 0);
    assert_int_equal(connect(fd, (const struct sockaddr *)(const void *)&to.sa, to.len), 0);
    send(fd, bytes, sizeof bytes, 0);
    bool is_open = send(fd, bytes, sizeof bytes, 0) >= 0; /* else it was told meanwhile */
    close(fd);
    return is_open;
}

void fake_camera_hang_up(struct fake_camera *cam)
{
    drop(cam);
}

const struct fake_counts *fake_camera_counts(const struct fake_camera *cam)
{
    return &cam->counts;
}
