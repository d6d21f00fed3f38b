/* Making fragments; used by the packager and by playback.
 * Thread: pure functions. */
#ifndef DELIVERY_FRAGMENT_H
#define DELIVERY_FRAGMENT_H

#include "delivery/packager.h"

/* Whether sound of this format goes out: AAC; G.711 and 16-bit samples as they are. */
bool fragment_takes_sound(const struct format *f);

/* An init segment; audio may be NULL. NULL when the formats cannot be written (no configuration).
 */
struct fragment *fragment_create_init(struct format *video, struct format *audio);

/* One access unit at `dts` of the axis. NULL when it cannot be written. */
struct fragment *fragment_create(struct packet *pkt, int64_t dts, uint32_t duration,
                                 uint32_t sequence, bool is_discontinuity);

#endif
