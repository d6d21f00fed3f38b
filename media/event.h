/* Something that happened in a picture: what analysis reports and storage keeps. A plain value. */
#ifndef MEDIA_EVENT_H
#define MEDIA_EVENT_H

#include <stdbool.h>
#include <stdint.h>

enum event_type { EVENT_MOTION };

struct event {
    char camera_id[65];
    enum event_type type;
    int64_t from_us;
    int64_t to_us; /* while it lasts: the newest evidence */
    bool is_open;  /* still going on */
    double score;  /* 0..1, the highest so far */
    /* where in the picture, as shares of its width and height, 0..1 */
    double x, y, w, h;
};

const char *event_type_name(enum event_type type); /* "motion" */

#endif
