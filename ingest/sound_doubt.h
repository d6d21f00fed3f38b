/* Whether a camera's sound is to blame that its stream does not come up (quirk M1). A plain value,
 * zero at first; lives as long as the stream has these settings.
 *
 * Enough blame in a row, and one try goes without sound. Do pictures come then, that connection
 * stays without; the next one asks for sound again, because a camera that was restarting looks the
 * same. The second time it is certain, and sound is not asked for again. */
#ifndef INGEST_SOUND_DOUBT_H
#define INGEST_SOUND_DOUBT_H

#include <stdbool.h>

enum sound_blame {
    SOUND_INNOCENT,
    SOUND_SUSPECT,  /* it may be the sound: the second time in a row is enough */
    SOUND_TO_BLAME, /* it was the sound that was asked for, and time passed: enough */
};

struct sound_doubt {
    int blame;      /* of tries in a row */
    int n_proofs;   /* pictures came without sound, after there had been enough blame */
    char text[128]; /* the newest failure, half a sentence */
};

/* A try with sound failed. */
void sound_doubt_failed(struct sound_doubt *d, enum sound_blame blame, const char *text);
/* The user may not hear it, for example: no doubt is left. */
void sound_doubt_settle(struct sound_doubt *d, const char *text);
/* Whether to leave sound out now. */
bool sound_doubt_spares(const struct sound_doubt *d);
/* What could be set up without sound is: the next try asks for it again, unless it is certain. */
void sound_doubt_use_up(struct sound_doubt *d);
/* Pictures came, of a session with sound, or of one that spared it. */
void sound_doubt_played(struct sound_doubt *d, bool with_sound);
/* The camera cannot be reached: that explains the failures before. */
void sound_doubt_excuse(struct sound_doubt *d);

#endif
