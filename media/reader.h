/* Reads the recording of one stream: goes to any time, and from there forward and back by picture
 * or by key frame, over file boundaries and gaps, up to the newest picture of the segment being
 * written.
 *
 * It stands on one picture. Stepping goes in the order in which pictures are shown; reading goes on
 * in the order in which they are decoded, and after a seek or a step begins with the key frame of
 * the group of pictures it stands in: so stepping back by a picture gives what its decoder needs.
 * Times are of pictures as they are shown: with B-frames, too, they rise in a file.
 *
 * Invariants:
 * 1. [reader I1] Stepping from end to end gives every picture that can be read once, in the order
 *    of struct sample_place, and back the same in reverse; from any picture, the rest of it.
 * 2. [reader I2] What is missing between two pictures given one after the other (a gap, a file that
 *    is gone or cannot be read) is told with the second one. Where the wall clock was set back, the
 *    files overlap; nothing is missing, and everything is given.
 * 3. [reader I3] READER_END, READER_AGAIN and failures leave it on the picture where it was.
 * 4. [reader I4] It holds one window of the recording: some seconds of one file, at least from the
 *    key frame of the group it stands in. A file deleted meanwhile is read to the end of that.
 *
 * Thread: blocks (files, SQLite): pool threads; one at a time.
 */
#ifndef MEDIA_READER_H
#define MEDIA_READER_H

#include "media/source.h"

struct reader;

struct reader_params {
    struct source *source; /* borrowed: outlives the reader */
    const char *camera_id;
    const char *stream; /* "main" or "sub" */
    bool wants_audio;
};
struct reader *reader_create(const struct reader_params *params);
void reader_destroy(struct reader **r);

/* Functions that go somewhere return one of these, or < 0: ERR_NOT_FOUND nothing of the stream was
 * ever recorded, else the recordings cannot be read now. */
enum reader_found {
    READER_END = 0,
    READER_FOUND = 1,
    READER_AGAIN = 2, /* nothing more yet, but the recording grows: ask again in a second */
};

/* What a seek looks for. */
enum reader_pick {
    READER_AT,         /* the picture shown at the time; in a gap the first one behind it */
    READER_BEFORE,     /* the newest one earlier than the time, wherever that is */
    READER_KEY_BEFORE, /* the newest key frame earlier than the time */
    READER_KEY_AFTER,  /* the oldest key frame later than the time */
};
int reader_seek(struct reader *r, int64_t wall_us, enum reader_pick pick, struct err *err);

/* Goes to a picture that was given earlier; to the first one behind when it is gone. */
int reader_return(struct reader *r, const struct sample_place *place, struct err *err);

int reader_next(struct reader *r, struct err *err);
int reader_prev(struct reader *r, struct err *err);
int reader_next_key(struct reader *r, struct err *err); /* begins the next group */
int reader_prev_key(struct reader *r, struct err *err); /* of its own group, if it is on another */

/* Where it stands; valid after READER_FOUND until the next call. */
struct reader_at {
    int64_t wall_us, end_us; /* the picture's, and where it ends */
    bool is_key;
    struct sample_gap gap; /* between the picture (a seek: the time) it came from and this one, in
                              whichever direction; to_us 0 = none */
};
const struct reader_at *reader_position(const struct reader *r);

/* The picture it stands on, alone: what a decoder needs before it is read with reader_read. */
int reader_picture(struct reader *r, struct packet **out, struct err *err);

/* The sound of the file it stands in; NULL without, and without wants_audio. Borrowed. */
struct format *reader_audio(const struct reader *r);

/* What reading gives. */
struct reader_want {
    bool sound;
    bool only_keys;
    int64_t key_step_us; /* only_keys: no two pictures nearer than this */
};
struct reader_item {
    struct packet *pkt; /* the caller's */
    struct sample_place place;
    uint32_t duration;     /* ticks */
    bool is_after_skip;    /* pictures before it were passed over: not wanted, or not readable */
    struct sample_gap gap; /* between it and the one read before; to_us 0 = none */
};

/* Reads on in decoding order, and stands on the newest picture that was passed, wanted or not. What
 * cannot be read is passed over up to the next key frame. */
int reader_read(struct reader *r, const struct reader_want *want, struct reader_item *out,
                struct err *err);

#endif
