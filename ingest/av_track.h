/* One track on its way from libavformat's packets to interleaved RTP: bitstream filter, RTP muxer,
 * framing. Time stamps are the input's, made to go forward only.
 *
 * H.264 and H.265 are turned into Annex B first where they came length-prefixed, because this puts
 * changed parameter sets in front of key frames; AAC loses its ADTS headers.
 * Thread: one thread of rookery-remux. */
#ifndef INGEST_AV_TRACK_H
#define INGEST_AV_TRACK_H

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"

struct AVFormatContext;
struct AVStream;
struct AVPacket;
struct av_track;

/* Whether RTP of this kind is understood on the other side. */
bool av_track_can_carry(const struct AVStream *stream);

/* NULL when a filter is missing. `first` is the track's first packet, needed for AAC with ADTS;
 * NULL = none yet. The channels are `channel` and the one above. */
struct av_track *av_track_create(const struct AVStream *stream, const struct AVPacket *first,
                                 uint8_t channel);
void av_track_destroy(struct av_track **track);

/* For av_sdp_create. */
struct AVFormatContext *av_track_muxer(struct av_track *track);

/* Appends the RTP of a packet of this track, which is left empty. mono_us stamps packets of formats
 * without time. 0 or an AVERROR; one bad packet is no reason to stop. */
int av_track_write(struct av_track *track, struct AVPacket *pkt, int64_t mono_us, struct buf *out);

#endif
