/* A camera and its network, picture by picture, over simulated hours: when a picture is taken, what
 * stamp it gets, and when it arrives. The same seed gives the same hours. */
#ifndef TESTS_MEDIA_CAMERA_MODEL_H
#define TESTS_MEDIA_CAMERA_MODEL_H

#include <stdbool.h>
#include <stdint.h>

/* Zero means: not so. Seconds unless said otherwise. */
struct camera_traits {
    const char *name;
    double hours;
    double fps;       /* as delivered */
    double stamp_fps; /* counts pictures as if they came at this rate; 0: tells the time */
    double drift;     /* the camera's clock runs faster by this share */
    bool is_varying;  /* another rate between 5 and fps every few seconds, stamped truly */
    double night_fps; /* every other hour, stamped truly, or counted like the others */
    int n_b;          /* B-frames between two others */

    double jitter_s;                     /* 0 = 30 ms */
    int burst;                           /* pictures that arrive together */
    double stall_every_s, stall_s;       /* nothing comes, then everything at once */
    double narrow_every_s, narrow_for_s; /* the link carries too little */
    double narrow_share;
    int outlier_every, repeat_every, reverse_every; /* pictures */
    double reboot_every_s; /* the stamps start anew, the connection stays */
};

struct model_picture {
    uint32_t rtp;
    int64_t taken_us;    /* when it was to be sent, in decode order */
    int64_t punctual_us; /* when it would arrive if nothing held it up */
    int64_t arrival_us;  /* monotonic, never goes back */
    bool is_key;
    int64_t since_change_us; /* since the start, or since the speed of a wrong clock changed */
};

struct camera_model {
    const struct camera_traits *traits;
    uint64_t random;
    int64_t i; /* of the next picture */
    double t_s, stamp_s, fps;
    uint32_t base;
    double arrival_s, changed_s, next_rate_s;
    double stamps[8]; /* of a group of B-frames, by display */
    uint32_t last_rtp;
    double reboot_s;
};

#define MODEL_LATENCY_S 0.06

void camera_model_init(struct camera_model *m, const struct camera_traits *traits);

/* False when the hours are over. */
bool camera_model_next(struct camera_model *m, struct model_picture *out);

#endif
