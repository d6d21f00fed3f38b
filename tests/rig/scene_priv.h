/* The rooms' data, shared by scene.c and scene_rooms.c only. */
#ifndef RIG_SCENE_PRIV_H
#define RIG_SCENE_PRIV_H

#include <stddef.h>

#include "scene.h"

/* Something that never moves. Coordinates in picture heights, for a picture of 16:9. */
enum shape_kind { SHAPE_QUAD, SHAPE_RECT, SHAPE_DISC };
struct shape {
    enum shape_kind kind;
    uint32_t rgb;
    double at[8]; /* quad: 4 corners; rect: x0 y0 x1 y1; disc: x y rx ry */
};

/* Somebody. Depth is told by the height of the feet in the picture. */
enum move_kind {
    MOVE_WALK, /* from one point to the other during `active_s`, absent for the rest of the period
                */
    MOVE_PLAY, /* wanders around `from` with radius `to`, never still */
    MOVE_SIT,  /* stays at `from`; moves head and arms during `active_s` of each period */
    MOVE_TURN, /* lies at `from` and turns during `active_s` of each period */
};
struct actor {
    enum move_kind kind;
    bool is_child;
    uint32_t shirt;
    double period_s, active_s, phase_s;
    struct point from, to;
};

struct room {
    const char *name;
    uint32_t wall_top, wall_bottom, floor_far, floor_near;
    double horizon;   /* y where wall and floor meet */
    double size_far;  /* of an adult at the horizon, in picture heights */
    double size_near; /* at the lower edge */
    const struct shape *shapes;
    size_t n_shapes;
    const struct actor *actors;
    size_t n_actors;
    bool has_swaying_tree;
};

extern const struct room scene__rooms[SCENE_KINDS];

#endif
