#include "scene_priv.h"

#include "base/mem.h"

#define R SHAPE_RECT
#define Q SHAPE_QUAD
#define D SHAPE_DISC

static const struct shape entrance_shapes[] = {
    {R, 0xd8c7a8, {0.0, 0.10, 1.78, 0.16}},
    {R, 0xb9402f, {0.35, 0.16, 1.43, 0.27}},
    {R, 0xf3e3b3, {0.40, 0.185, 1.38, 0.245}},
    {R, 0x5b6b74, {0.55, 0.28, 1.23, 0.66}},
    {R, 0x9fc3cf, {0.58, 0.31, 0.88, 0.65}},
    {R, 0x9fc3cf, {0.90, 0.31, 1.20, 0.65}},
    {R, 0x3f4b52, {0.855, 0.45, 0.87, 0.52}},
    {R, 0x3f4b52, {0.91, 0.45, 0.925, 0.52}},
    {R, 0x8ea98f, {0.08, 0.32, 0.36, 0.52}},
    {R, 0xcfe3e8, {0.10, 0.34, 0.34, 0.50}},
    {R, 0x8ea98f, {1.42, 0.32, 1.70, 0.52}},
    {R, 0xcfe3e8, {1.44, 0.34, 1.68, 0.50}},
    {Q, 0x7d7469, {0.60, 0.66, 1.18, 0.66, 1.35, 0.80, 0.43, 0.80}},
    {R, 0xa8643c, {0.42, 0.58, 0.50, 0.67}},
    {D, 0x3f7d45, {0.46, 0.52, 0.07, 0.08}},
    {R, 0xa8643c, {1.28, 0.58, 1.36, 0.67}},
    {D, 0x3f7d45, {1.32, 0.52, 0.07, 0.08}},
};
static const struct actor entrance_actors[] = {
    {MOVE_WALK, false, 0x2d5d8c, 23, 7, 0, {0.89, 0.68}, {0.30, 1.04}},
    {MOVE_WALK, true, 0xe0a030, 23, 7, 0, {0.97, 0.68}, {0.42, 1.04}},
    {MOVE_WALK, false, 0x8c3d5d, 37, 8, 11, {1.60, 1.03}, {0.92, 0.68}},
    {MOVE_WALK, false, 0x4d6d3d, 61, 9, 31, {-0.1, 0.86}, {1.9, 0.82}},
};

static const struct shape activity_shapes[] = {
    {R, 0xbfdce6, {0.14, 0.10, 0.62, 0.34}},
    {R, 0xffffff, {0.37, 0.10, 0.385, 0.34}},
    {R, 0xf2b8a0, {0.09, 0.08, 0.15, 0.38}},
    {R, 0xf2b8a0, {0.61, 0.08, 0.67, 0.38}},
    {R, 0xb98a55, {1.02, 0.24, 1.66, 0.50}},
    {R, 0xe9d3a8, {1.04, 0.26, 1.64, 0.36}},
    {R, 0xe9d3a8, {1.04, 0.38, 1.64, 0.48}},
    {R, 0xd9443f, {1.07, 0.30, 1.13, 0.36}},
    {R, 0x3f7fd9, {1.16, 0.28, 1.22, 0.36}},
    {D, 0xf0b43c, {1.31, 0.32, 0.04, 0.04}},
    {R, 0x4fa35a, {1.42, 0.29, 1.52, 0.36}},
    {R, 0x9a5fc0, {1.08, 0.42, 1.20, 0.48}},
    {D, 0xe66f9c, {1.30, 0.44, 0.04, 0.04}},
    {R, 0x45b3b0, {1.40, 0.41, 1.58, 0.48}},
    {Q, 0xe88c7a, {0.45, 0.60, 0.75, 0.60, 0.66, 0.76, 0.28, 0.76}},
    {Q, 0x7ab8e8, {0.75, 0.60, 1.05, 0.60, 1.04, 0.76, 0.66, 0.76}},
    {Q, 0xf2d16b, {1.05, 0.60, 1.35, 0.60, 1.42, 0.76, 1.04, 0.76}},
    {Q, 0x8fd18a, {0.28, 0.76, 0.66, 0.76, 0.54, 0.96, 0.06, 0.96}},
    {Q, 0xf2d16b, {0.66, 0.76, 1.04, 0.76, 1.02, 0.96, 0.54, 0.96}},
    {Q, 0xe88c7a, {1.04, 0.76, 1.42, 0.76, 1.50, 0.96, 1.02, 0.96}},
};
static const struct actor activity_actors[] = {
    {MOVE_PLAY, true, 0xd9443f, 9, 9, 0, {0.62, 0.72}, {0.22, 0.07}},
    {MOVE_PLAY, true, 0x3f7fd9, 13, 13, 4, {1.15, 0.80}, {0.25, 0.09}},
    {MOVE_SIT, true, 0xf0b43c, 21, 9, 3, {0.86, 0.74}, {0, 0}},
    {MOVE_SIT, true, 0x4fa35a, 17, 6, 8, {1.34, 0.70}, {0, 0}},
    {MOVE_WALK, false, 0x6d7fa8, 47, 10, 6, {1.75, 0.78}, {0.25, 0.70}},
    {MOVE_PLAY, true, 0x9a5fc0, 11, 11, 2, {0.50, 0.88}, {0.18, 0.05}},
};

#define COT(x, y)                                                                                  \
    {Q, 0x9c7a52, {(x), (y), (x) + 0.30, (y), (x) + 0.27, (y) + 0.20, (x)-0.06, (y) + 0.20}},      \
        {Q,                                                                                        \
         0xe8e4da,                                                                                 \
         {(x) + 0.01, (y)-0.01, (x) + 0.29, (y)-0.01, (x) + 0.26, (y) + 0.17, (x)-0.05,            \
          (y) + 0.17}},                                                                            \
    {                                                                                              \
        D, 0xf6f3ec,                                                                               \
        {                                                                                          \
            (x) + 0.13, (y) + 0.02, 0.07, 0.022                                                    \
        }                                                                                          \
    }
static const struct shape sleeping_shapes[] = {
    {R, 0x39465e, {0.20, 0.06, 0.72, 0.34}},
    {R, 0x51607c, {0.16, 0.04, 0.36, 0.38}},
    {R, 0x51607c, {0.56, 0.04, 0.76, 0.38}},
    {R, 0x6e5e4c, {1.22, 0.16, 1.50, 0.52}},
    {D, 0xf2d9a0, {1.62, 0.30, 0.05, 0.05}},
    {R, 0x6d6354, {1.61, 0.35, 1.63, 0.52}},
    COT(0.20, 0.56),
    COT(0.64, 0.56),
    COT(1.08, 0.56),
    COT(0.10, 0.80),
    COT(0.62, 0.80),
    COT(1.16, 0.80),
};
static const struct actor sleeping_actors[] = {
    {MOVE_TURN, true, 0x6a86b8, 190, 6, 20, {0.32, 0.63}, {0, 0}},
    {MOVE_TURN, true, 0xb87a86, 260, 5, 140, {0.76, 0.63}, {0, 0}},
    {MOVE_TURN, true, 0x7fae84, 310, 7, 60, {1.20, 0.63}, {0, 0}},
    {MOVE_TURN, true, 0xc2a35c, 230, 5, 90, {0.21, 0.88}, {0, 0}},
    {MOVE_TURN, true, 0x8d78b0, 280, 6, 200, {0.73, 0.88}, {0, 0}},
    {MOVE_WALK, false, 0x5a6b7c, 300, 14, 100, {1.82, 0.76}, {-0.1, 0.76}},
};

static const struct shape outdoor_shapes[] = {
    {R, 0xc9b28b, {0.0, 0.34, 1.78, 0.46}},
    {R, 0xb39a70, {0.0, 0.37, 1.78, 0.385}},
    {R, 0xb39a70, {0.0, 0.42, 1.78, 0.435}},
    {D, 0x4d8a4a, {0.10, 0.30, 0.16, 0.14}},
    {D, 0x58965a, {1.70, 0.29, 0.18, 0.15}},
    {R, 0x6d4c33, {0.33, 0.30, 0.365, 0.56}},
    {Q, 0xd9443f, {1.10, 0.46, 1.16, 0.46, 1.42, 0.72, 1.34, 0.72}},
    {R, 0x3f7fd9, {1.00, 0.44, 1.14, 0.46}},
    {R, 0x3f7fd9, {1.00, 0.44, 1.02, 0.70}},
    {R, 0x3f7fd9, {1.10, 0.44, 1.12, 0.70}},
    {D, 0xd8bf8a, {0.70, 0.84, 0.26, 0.075}},
    {D, 0xe6d2a4, {0.70, 0.835, 0.23, 0.06}},
};
static const struct actor outdoor_actors[] = {
    {MOVE_PLAY, true, 0xf0b43c, 8, 8, 0, {0.72, 0.74}, {0.30, 0.06}},
    {MOVE_PLAY, true, 0xe66f9c, 12, 12, 5, {1.28, 0.86}, {0.28, 0.07}},
    {MOVE_SIT, true, 0x45b3b0, 14, 6, 1, {0.70, 0.84}, {0, 0}},
    {MOVE_WALK, true, 0x3f7fd9, 19, 6, 2, {1.9, 0.66}, {-0.1, 0.70}},
    {MOVE_WALK, false, 0x8c5a3d, 53, 16, 9, {-0.1, 0.62}, {1.9, 0.62}},
};

static const struct shape corridor_shapes[] = {
    {Q, 0xd5dccf, {0.0, 0.0, 0.72, 0.26, 0.72, 0.52, 0.0, 1.0}},
    {Q, 0xc3ccbd, {1.78, 0.0, 1.06, 0.26, 1.06, 0.52, 1.78, 1.0}},
    {R, 0xeef0ea, {0.72, 0.26, 1.06, 0.52}},
    {R, 0x8fb0bf, {0.82, 0.32, 0.96, 0.50}},
    {Q, 0xa9744a, {0.12, 0.22, 0.30, 0.26, 0.30, 0.80, 0.12, 0.92}},
    {Q, 0xa9744a, {0.46, 0.29, 0.57, 0.31, 0.57, 0.62, 0.46, 0.69}},
    {Q, 0xa9744a, {1.66, 0.22, 1.48, 0.26, 1.48, 0.80, 1.66, 0.92}},
    {Q, 0xa9744a, {1.32, 0.29, 1.21, 0.31, 1.21, 0.62, 1.32, 0.69}},
    {Q, 0xfaf8ee, {0.80, 0.06, 0.98, 0.06, 0.94, 0.14, 0.84, 0.14}},
};
static const struct actor corridor_actors[] = {
    {MOVE_WALK, false, 0x7a4f86, 31, 9, 0, {0.89, 0.53}, {0.80, 1.12}},
    {MOVE_WALK, true, 0xd9443f, 43, 11, 14, {1.05, 1.10}, {0.90, 0.53}},
    {MOVE_WALK, true, 0x3f7fd9, 43, 11, 13, {0.95, 1.08}, {0.88, 0.53}},
    {MOVE_WALK, false, 0x3d6d6d, 71, 6, 40, {0.25, 0.84}, {1.56, 0.84}},
};

#define TABLE(x, y)                                                                                \
    {Q, 0xd9a866, {(x)-0.20, (y), (x) + 0.20, (y), (x) + 0.24, (y) + 0.09, (x)-0.24, (y) + 0.09}}, \
        {R, 0xa87c42, {(x)-0.20, (y) + 0.09, (x)-0.17, (y) + 0.17}},                               \
        {R, 0xa87c42, {(x) + 0.17, (y) + 0.09, (x) + 0.20, (y) + 0.17}},                           \
        {D, 0xffffff, {(x)-0.09, (y) + 0.04, 0.035, 0.014}},                                       \
    {                                                                                              \
        D, 0xffffff,                                                                               \
        {                                                                                          \
            (x) + 0.09, (y) + 0.05, 0.035, 0.014                                                   \
        }                                                                                          \
    }
static const struct shape dining_shapes[] = {
    {R, 0xcfe3e8, {0.10, 0.10, 0.42, 0.34}},
    {R, 0xcfe3e8, {0.50, 0.10, 0.82, 0.34}},
    {R, 0x9aa7ad, {1.10, 0.22, 1.70, 0.50}},
    {R, 0xdfe5e8, {1.12, 0.24, 1.68, 0.34}},
    {D, 0xe0a030, {1.24, 0.22, 0.06, 0.03}},
    {D, 0xb9402f, {1.42, 0.22, 0.06, 0.03}},
    {D, 0x4fa35a, {1.58, 0.22, 0.05, 0.03}},
    TABLE(0.45, 0.58),
    TABLE(1.15, 0.58),
    TABLE(0.72, 0.78),
};
static const struct actor dining_actors[] = {
    {MOVE_SIT, true, 0xe66f9c, 7, 4, 0, {0.36, 0.72}, {0, 0}},
    {MOVE_SIT, true, 0x4fa35a, 9, 4, 2, {0.58, 0.73}, {0, 0}},
    {MOVE_SIT, true, 0x3f7fd9, 8, 3, 5, {1.06, 0.72}, {0, 0}},
    {MOVE_SIT, true, 0xf0b43c, 10, 5, 1, {1.26, 0.73}, {0, 0}},
    {MOVE_SIT, true, 0x9a5fc0, 6, 3, 3, {0.62, 0.94}, {0, 0}},
    {MOVE_WALK, false, 0xe8e8e8, 29, 12, 4, {1.80, 0.64}, {0.20, 0.98}},
};

#define SHAPES(a) .shapes = a, .n_shapes = ARRAY_LEN(a)
#define ACTORS(a) .actors = a, .n_actors = ARRAY_LEN(a)

const struct room scene__rooms[SCENE_KINDS] = {
    [SCENE_ENTRANCE] = {"entrance", 0xe9dcc4, 0xd8c7a8, 0xa39a8e, 0x8a8178, 0.62, 0.34, 0.66,
                        SHAPES(entrance_shapes), ACTORS(entrance_actors), false},
    [SCENE_ACTIVITY] = {"activity", 0xf6ead2, 0xf1dfc0, 0xd9b68a, 0xc79f70, 0.52, 0.36, 0.62,
                        SHAPES(activity_shapes), ACTORS(activity_actors), false},
    [SCENE_SLEEPING] = {"sleeping", 0x4a5168, 0x565d74, 0x5c5448, 0x4d463c, 0.52, 0.36, 0.60,
                        SHAPES(sleeping_shapes), ACTORS(sleeping_actors), false},
    [SCENE_OUTDOOR] = {"outdoor", 0x9fd0f0, 0xe3f1f7, 0x8dbb6a, 0x6f9f52, 0.46, 0.26, 0.62,
                       SHAPES(outdoor_shapes), ACTORS(outdoor_actors), true},
    [SCENE_CORRIDOR] = {"corridor", 0xf4f4ee, 0xe6e8e0, 0xb9b3a4, 0x9d9788, 0.52, 0.20, 0.80,
                        SHAPES(corridor_shapes), ACTORS(corridor_actors), false},
    [SCENE_DINING] = {"dining", 0xf7efe0, 0xefe2cb, 0xcbb79a, 0xb39f83, 0.50, 0.38, 0.60,
                      SHAPES(dining_shapes), ACTORS(dining_actors), false},
};
