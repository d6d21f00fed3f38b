/* Where sound stands beside the pictures of a segment: by its own media time, until that has
 * drifted away from the wall clock. Sound never stops or delays pictures.
 * Thread: belongs to its recorder. */
#ifndef STORAGE_RECORDER_SOUND_H
#define STORAGE_RECORDER_SOUND_H

#include "media/packet.h"

struct recorder_sound {
    bool is_placed;
    int64_t base_dts; /* at the segment's first picture */
    int64_t last_dts, end;
};

/* beside_dts: where the packet's wall clock puts it, from the segment's first picture on, in its
 * own ticks. It is placed there when media time does not tell, but only where that can be said: at
 * the start of a fragment. False: this packet cannot be kept. */
bool recorder_sound_place(struct recorder_sound *s, const struct packet *pkt, int64_t beside_dts,
                          bool is_fragment_start);

/* Of a packet that was placed and kept. */
uint32_t recorder_sound_take(struct recorder_sound *s, const struct packet *pkt);

#endif
