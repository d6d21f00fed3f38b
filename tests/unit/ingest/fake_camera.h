/* A camera for tests of streams: an RTSP server on a loopback port, on the test's own loop, that
 * behaves as badly as it is told to. */
#ifndef TESTS_INGEST_FAKE_CAMERA_H
#define TESTS_INGEST_FAKE_CAMERA_H

#include "base/loop.h"
#include "net/rtsp.h"
#include "net/socket.h"

enum fake_mode {
    FAKE_OK,
    FAKE_NOT_FOUND,
    FAKE_UNAVAILABLE, /* 503 */
    FAKE_WRONG_PASSWORD,
    FAKE_FORBIDDEN,
    FAKE_WEB_SERVER,
    FAKE_NO_VIDEO,
    FAKE_MPEG2,
    FAKE_SILENT,              /* accepts and says nothing */
    FAKE_HANGS_UP,            /* accepts and closes */
    FAKE_NO_TCP,              /* 461 unless asked for UDP */
    FAKE_NO_UDP,              /* 461 when asked for UDP */
    FAKE_REDIRECT,            /* for ever */
    FAKE_CHALLENGE_AND_CLOSE, /* closes after its 401 */
    FAKE_METADATA,            /* describes an application media besides the video */
    FAKE_MUTE_SOUND,          /* describes sound, and never answers its SETUP */
};

struct fake_camera;

struct fake_camera *fake_camera_create(struct loop *loop);
void fake_camera_destroy(struct fake_camera **cam);
uint16_t fake_camera_port(const struct fake_camera *cam);
void fake_camera_set_mode(struct fake_camera *cam, enum fake_mode mode);

/* Stops listening; connections stay. Listening again takes the same port. */
void fake_camera_listen(struct fake_camera *cam, bool is_on);

/* One picture in one RTP packet to the newest connection, over the transport it asked for. */
/* Parameter sets, to go in front of a key frame. */
void fake_camera_format(struct fake_camera *cam, bool is_other);
/* The same for pictures of another width. */
void fake_camera_size(struct fake_camera *cam, bool is_other);
/* The same under another payload type: what it never described. */
void fake_camera_foreign(struct fake_camera *cam);
void fake_camera_picture(struct fake_camera *cam, bool is_key);
void fake_camera_bytes(struct fake_camera *cam, const void *p, size_t n);
/* A datagram to the port asked for last; false: nobody has it open. */
bool fake_camera_datagram(struct fake_camera *cam);
void fake_camera_hang_up(struct fake_camera *cam);

struct fake_counts {
    int n_connections, n_open;
    int n[RTSP_METHODS]; /* requests */
    int n_setups;        /* of the newest connection */
    int n_signed;        /* with Authorization */
    int n_reports;       /* interleaved frames from the client */
    bool is_playing;
};
const struct fake_counts *fake_camera_counts(const struct fake_camera *cam);

#endif
