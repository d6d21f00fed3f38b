/* What every camera's state was, when, and whether the server itself was there to see it.
 * Thread: inside a catalogue job. */
#ifndef STORAGE_DB_STATES_H
#define STORAGE_DB_STATES_H

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "storage/segment.h"

struct db;

struct state_row {
    char camera_id[65];
    enum stream_kind stream;
    int64_t from_us, to_us; /* to_us 0 = still so */
    char cause[24];
    char detail[200];
    bool is_reachable, is_advancing, is_recording;
    bool is_unasked;     /* recording is switched off */
    int64_t evidence_us; /* newest sign of life when the state began; 0 = never one */
};
typedef int state_row_fn(void *ctx, const struct state_row *row);

/* The state from row->from_us on: ends the one before. Nothing happens when only the detail
 * differs. to_us is ignored. */
int db_state_change(struct db *db, const struct state_row *row, struct err *err);

/* Ends the camera's open states (it was deleted), or everybody's when camera_id is NULL. */
int db_states_end(struct db *db, const char *camera_id, int64_t to_us, struct err *err);

/* States that touch [from_us, to_us), by camera, stream and time; camera_id NULL = all cameras. A
 * camera that never had one gives no rows. */
int db_states_in(struct db *db, const char *camera_id, int64_t from_us, int64_t to_us,
                 state_row_fn *fn, void *ctx, struct err *err);

/* --- runs of the server --- */

/* A run begins. States and events that a crash left open end with the last sign of life of the run
 * before. *out_id is for the other two. */
int db_run_begin(struct db *db, int64_t now_us, const char *version, int64_t *out_id,
                 struct err *err);
/* A sign of life; every 10 s, so that a kill is known that well. */
int db_run_beat(struct db *db, int64_t id, int64_t now_us, struct err *err);
/* In good order: also ends open states and events. */
int db_run_end(struct db *db, int64_t id, int64_t now_us, struct err *err);

struct run_row {
    int64_t from_us, to_us; /* to_us: the newest sign of life */
    bool is_clean;
};
typedef int run_row_fn(void *ctx, const struct run_row *row);

/* Runs that touch [from_us, to_us), and the one before. */
int db_runs_in(struct db *db, int64_t from_us, int64_t to_us, run_row_fn *fn, void *ctx,
               struct err *err);

#endif
