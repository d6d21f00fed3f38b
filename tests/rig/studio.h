/* A thread that draws and encodes scenes as they happen. A shot nobody wants costs nothing.
 * Thread: functions are called on the home loop; drawing and encoding happen on the studio's own.
 */
#ifndef RIG_STUDIO_H
#define RIG_STUDIO_H

#include "base/loop.h"
#include "config.h"
#include "unit.h"

struct studio;
struct shot;

struct studio *studio_create(struct loop *home);
/* Ends every shot: none is called any more. The memory goes in a message of the home loop. */
void studio_destroy(struct studio **s);

/* On the home loop; the callee owns the unit. Its times count 90 kHz ticks since shot_origin_us. */
typedef void shot_fn(void *ctx, struct unit *unit);

/* Blocks while the encoder is made. */
int shot_create(struct studio *studio, const struct picture_source *source, const char *label,
                shot_fn *fn, void *ctx, struct shot **out, struct err *err);

struct format *shot_format(const struct shot *shot); /* borrowed */
int64_t shot_origin_us(const struct shot *shot);     /* monotonic */

/* Starts with a key frame, or stops. Wanting it once more asks for another key frame. */
void shot_want(struct shot *shot, bool is_wanted);

/* [scene_reel.c] Encodes ten seconds of a scene in advance, or reads them from the cache. Blocks.
 */
struct reel;
int scene_reel_create(const struct picture_source *source, const char *label, const char *cache_dir,
                      struct reel **out, struct err *err);

#endif
