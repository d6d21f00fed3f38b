/* Carries parameter sets that change through a track whose sample entry was written once: the sets
 * go into the stream, in front of the picture where they take effect and of every key frame behind
 * it, so that a reader may begin at any key frame.
 *
 * The sample entry stays named avc1 or hvc1 although ISO/IEC 14496-15 wants avc3 or hev1 where sets
 * stand in the stream: the first change comes when the name is written already, decoders do not
 * look at it, and players that know only the usual names would refuse the file.
 * Thread: belongs to its owner. */
#ifndef MEDIA_INBAND_H
#define MEDIA_INBAND_H

#include "media/packet.h"

struct inband {
    struct format *entry; /* the sample entry's; NULL = no track was begun yet */
    struct format *now;   /* in force behind the newest picture */
    bool is_used;         /* the stream has carried sets since the track began */
};

/* A track begins, with a sample entry written from this format. When the track before had the same
 * entry but ended with other sets, the stream carries sets from its first key frame on: a decoder
 * that reads on over an entry it has already would keep the others. */
void inband_begin(struct inband *b, struct format *entry);

/* Whether a picture of this format belongs to the track that is begun. */
bool inband_fits(const struct inband *b, const struct format *next);

/* What to write for a picture that fits: a reference to it, or to a copy with sets in front. NULL:
 * no memory for the copy, and the picture would not decode without. The caller owns the reference.
 */
struct packet *inband_take(struct inband *b, struct packet *pkt);

void inband_fini(struct inband *b);

#endif
