/* Drawn rooms with people walking through them: a pure function of kind, seed and time, so that the
 * main and the sub picture of a camera show the same.
 * Thread: belongs to one owner. */
#ifndef RIG_SCENE_H
#define RIG_SCENE_H

#include "picture.h"

#include <stdbool.h>

enum scene_kind {
    SCENE_ENTRANCE,
    SCENE_ACTIVITY,
    SCENE_SLEEPING,
    SCENE_OUTDOOR,
    SCENE_CORRIDOR,
    SCENE_DINING,
    SCENE_KINDS
};
const char *scene_name(enum scene_kind kind);
bool scene_of(const char *name, enum scene_kind *out); /* false: no such scene */

struct scene;

struct scene_params {
    enum scene_kind kind;
    unsigned seed;     /* changes who walks when, and sometimes mirrors the room */
    int width, height; /* even, 64 to 4096 */
    const char *label; /* ASCII, drawn in the upper left corner; copied */
};
struct scene *scene_create(const struct scene_params *params);
void scene_destroy(struct scene **s);

/* Draws the whole picture at a wall clock time, which is shown in local time with the frame's
 * number.
 */
void scene_draw(const struct scene *s, struct picture *p, int64_t wall_us, uint64_t frame);

#endif
