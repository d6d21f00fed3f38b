/* The ways a camera misbehaves on purpose, as data: one row per mode. */
#ifndef RIG_FAIL_H
#define RIG_FAIL_H

#include <stdbool.h>

enum fail_mode {
    FAIL_NONE,
    FAIL_PULL,         /* the cable is out: nothing is read or written, sockets stay */
    FAIL_REFUSE,       /* connections are reset; on a port of its own nobody listens */
    FAIL_SILENT,       /* takes connections, never answers */
    FAIL_STALL,        /* answers everything, sends no media */
    FAIL_GARBAGE,      /* random bytes after PLAY */
    FAIL_UNAUTHORIZED, /* no password is right */
    FAIL_NOT_FOUND,    /* 404 to DESCRIBE */
    FAIL_BUSY,         /* 453 to DESCRIBE */
    FAIL_NO_VIDEO,     /* a description with sound only */
    FAIL_HTTP,         /* a web server is there instead of a camera */
    FAIL_DROP,         /* RTP packets get lost */
    FAIL_SLOW,         /* every answer takes FAIL_SLOW_MS */
    FAIL_MODES
};
#define FAIL_SLOW_MS 1500

struct fail_facts {
    const char *name;
    bool ends_clients; /* who is connected when it begins is thrown out */
    bool is_deaf;      /* what clients send is ignored */
    bool has_no_media;
    int answer; /* status of DESCRIBE; 0 = as usual */
};
extern const struct fail_facts fail_table[FAIL_MODES];

bool fail_of(const char *name, enum fail_mode *out); /* false: no such mode */

#endif
