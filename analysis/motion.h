/* Motion between the key frames of one camera: block means of luma against an adaptive background.
 *
 * Pure arithmetic, no decoding: a grid per picture in, score and region out. Sensor noise is learnt
 * per block; gain and offset between picture and background are fitted and taken out, so that light
 * that changes slowly, or at once everywhere, is not motion.
 * Thread: belongs to its owner. */
#ifndef ANALYSIS_MOTION_H
#define ANALYSIS_MOTION_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define GRID_SIDE       80 /* blocks along the longer side: 8x8 pixels of a 640x480 picture */
#define GRID_MAX_BLOCKS (GRID_SIDE * GRID_SIDE)

/* Mean luma of square blocks, row by row; 256 = one step of an 8-bit sample. */
struct luma_grid {
    uint16_t cols, rows;
    uint16_t mean[GRID_MAX_BLOCKS];
};

struct motion_result {
    bool is_motion;
    bool is_learning;  /* not enough seen yet, or everything changed at once */
    double score;      /* 0..1: share of the picture that moves, weighted; > 0 only with motion */
    double x, y, w, h; /* bounding region, shares of width and height */
};

struct motion;
struct motion *motion_create(void);
void motion_destroy(struct motion **m);

/* The next picture. wall_us spaces the learning; a grid of another size starts anew. */
void motion_update(struct motion *m, const struct luma_grid *grid, int64_t wall_us,
                   struct motion_result *out);

#endif
