/* What tests of storage share: a directory, a catalogue, a storage with a disk that can be told to
 * fail, and a camera whose pictures are numbers. The test's thread is the hub's loop. */
#ifndef TESTS_STORAGE_RIG_H
#define TESTS_STORAGE_RIG_H

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

#include <stdatomic.h>

#include "base/mem.h"
#include "storage/storage_priv.h"
#include "storage/volume_io.h"

#define RIG_START_US INT64_C(1790000000000000) /* 2026-09-21T14:13:20Z */
#define RIG_FRAME_US INT64_C(40000)

/* A disk with a mind of its own. */
struct rig_io {
    struct volume_io io;
    atomic_int write_error; /* -errno of every write; 0 = fine */
    atomic_int create_error;
    atomic_int cut_error;
    atomic_int sync_error;
    _Atomic int64_t capacity; /* of all files; < 0 = as it is */
    atomic_bool is_stuck;     /* writes wait until it is cleared */
    atomic_int n_creates, n_writes, n_syncs;
    bool is_sync_real; /* asks the system too: for a tap that counts */
};

struct rig {
    char dir[64];
    struct rig_io disk;
    struct clock_virtual clock;
    struct catalogue *catalogue;
    struct storage *storage;
    struct storage_params params;
    struct volume_config volumes[3];
    struct loop *loop;

    struct hub *hub;
    struct format *format, *audio;
    struct recorder *recorder;
    struct recorder_status status;
    int n_gone;
    int64_t ticks, wall_us, mono_us; /* of the next picture */
    int64_t next_number;
    size_t picture_bytes; /* 0 = 1000, of a key frame 4000 */
};

int rig_setup(void **state);
int rig_teardown(void **state);

void rig_open(struct rig *rig);
void rig_close(struct rig *rig);
void rig_reopen(struct rig *rig);
/* In the rig's directory, where the first volume is "rec"; must succeed. */
void rig_shell(const struct rig *rig, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
/* On the catalogue; must succeed. */
void rig_sql(struct rig *rig, const char *sql);

/* A camera with an H.264 stream, recorded. */
void rig_record(struct rig *rig, const char *camera_id);
/* One more on the hub of the last, which has stopped. */
void rig_start_recorder(struct rig *rig);
void rig_stop(struct rig *rig); /* waits until everything is settled */
/* What many tests begin with: "cam" with four segments of 4 s, a key frame every second, the
 * pictures 0 to 399, all settled. The storage is open. */
void rig_record_some(struct rig *rig);

struct format *rig_format(uint8_t flavour);
/* The payload of the picture of this number; no two agree in much. */
void rig_fill(uint8_t *data, size_t n, int64_t number);
/* The number of a picture whose every byte is right; else -1. */
int64_t rig_number_of(const uint8_t *data, size_t n);
/* Finds the pictures in bytes that hold some. */
void rig_each_number(const uint8_t *data, size_t n, void (*fn)(void *ctx, int64_t number),
                     void *ctx);
/* The next picture, RIG_FRAME_US after the one before; its payload holds its number. */
void rig_picture(struct rig *rig, bool is_key);
/* No picture comes for so long; the camera's own time goes on or stands still. */
void rig_pause(struct rig *rig, int64_t us, bool is_media_time_going_on);
/* The camera is down for so long. */
void rig_outage(struct rig *rig, int64_t us);
/* n pictures, every `group`-th a key frame, beginning with one. */
void rig_pictures(struct rig *rig, size_t n, size_t group);
void rig_sound(struct rig *rig, int64_t ticks, int64_t wall_us);

/* Turns the loop until the condition holds; fails after some seconds. */
typedef bool rig_condition(struct rig *rig);
void rig_wait(struct rig *rig, rig_condition *condition);
bool rig_is_recording(struct rig *rig);
/* Everything that was sent has reached the disk. */
bool rig_is_written(struct rig *rig);

void rig_recordings(struct rig *rig, struct recordings *out);
/* All rows of segments. */
size_t rig_rows(struct rig *rig, struct segment_row *out, size_t cap);
size_t rig_unsettled(struct rig *rig);
/* The file of a row of the first volume. Returns dst. */
#define RIG_PATH_BYTES 300
char *rig_file(const struct rig *rig, const struct segment_row *row, char dst[RIG_PATH_BYTES]);

/* Every row's file is there and whole, nothing is unsettled, no file is without a row; returns the
 * frames of all segments. */
int64_t rig_check(struct rig *rig);

/* One span of so many frames, from the beginning on. */
void rig_check_one_span(struct rig *rig, int64_t frames);

#endif
