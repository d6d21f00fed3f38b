/* What to simulate: from the command line, or camera by camera from a JSON file.
 * Thread: read once at the start, then const. */
#ifndef RIG_CONFIG_H
#define RIG_CONFIG_H

#include <jansson.h>

#include "base/err.h"
#include "fail.h"
#include "media/format.h"
#include "net/digest.h"
#include "scene.h"

#define CONFIG_MAX_CAMERAS 5000
#define CONFIG_TEXT_BYTES  128

/* Where the pictures of a stream come from. */
struct picture_source {
    bool is_on;
    char *file; /* NULL = a scene */
    enum scene_kind scene;
    bool is_live; /* the scene is encoded as it happens; else once, and looped */
    enum codec codec;
    int width, height, fps_milli, gop;
    int slices, b_frames; /* as in encoder_params */
    int64_t bitrate_bps;
    unsigned seed;
};

/* "h264", "h265" or "mjpeg"; false = no such codec. */
bool config_codec(const char *name, enum codec *out);

enum sound { SOUND_NONE, SOUND_FILE, SOUND_AAC, SOUND_PCMA, SOUND_L16, SOUND_PCM };

enum { STREAM_MAIN, STREAM_SUB, STREAMS };

struct camera_config {
    char id[CONFIG_TEXT_BYTES], name[CONFIG_TEXT_BYTES], label[CONFIG_TEXT_BYTES];
    struct picture_source pictures[STREAMS];
    enum sound sound;
    enum auth_scheme auth;
    char user[CONFIG_TEXT_BYTES], password[CONFIG_TEXT_BYTES];
    char realm[CONFIG_TEXT_BYTES];
    bool has_qop;
    int session_timeout_s;           /* 0 = the common one */
    char address[CONFIG_TEXT_BYTES]; /* of its own port; "" = the common one */
    bool has_port;                   /* one of its own: */
    uint16_t port;                   /* 0 = any free one */
    int payload_types[2];            /* of video and sound; 0 = the usual ones */
    json_t *rules;                   /* what it does differently (script.h); NULL = nothing */
    json_t *uris;                    /* the only ones it knows; NULL = the usual ones */
    json_t *mutations;               /* of its RTP packets; NULL = none */
    enum fail_mode fail;             /* from the start, or by script: */
    double fail_every_s;             /* 0 = no script */
    double fail_for_s;               /* at the end of each `every` */
    double drop;                     /* share of RTP packets lost while FAIL_DROP */
};

struct config {
    char address[CONFIG_TEXT_BYTES];
    uint16_t port, control_port;
    bool has_control;
    bool allows_tcp, allows_udp;
    int n_addresses; /* 127.1.0.1, 127.1.0.2 … beside `address` */
    bool is_spread;  /* looped streams run from the start, each at another place */
    int session_timeout_s;
    char *cache_dir;     /* for looped scenes; NULL = none */
    char *identity_path; /* where to write the identities of the first camera's loop; NULL */
    char *stamps_path;   /* where to publish times of sending (stamps.h); NULL */
    struct camera_config *cameras;
    size_t n_cameras;
};

void config_init(struct config *c); /* the defaults */
void config_fini(struct config *c);

/* Fills c. Returns 0, 1 when help was printed, or < 0. */
int config_from_args(struct config *c, int argc, char **argv, struct err *err);

/* [config_json.c] Adds the cameras of a file and takes over its settings. */
int config_from_json(struct config *c, const char *path, struct err *err);

#endif
