/* Shared by the files of the recording lifecycle only. */
#ifndef STORAGE_STORAGE_PRIV_H
#define STORAGE_STORAGE_PRIV_H

#include <stdatomic.h>

#include "storage/chain.h"
#include "storage/frontier.h"
#include "storage/registry.h"
#include "storage/storage.h"
#include "storage/volume.h"

struct storage {
    /* set at open, then const */
    struct catalogue *catalogue;
    const struct clock *clock;
    struct chain_key chain;
    struct volume *volumes[STORAGE_MAX_VOLUMES];
    size_t n_volumes;
    int retention_days;
    int thin_after_days; /* 0 = never */
    enum thin_keep thin_keep;
    int64_t segment_us, segment_max_bytes;
    bool is_reader, is_offline, is_staggered;
    struct loop *status_loop;
    void (*volume_changed)(void *ctx, const struct volume_status *st);
    void *volume_ctx;
    struct registry *registry; /* NULL for a reader */
    struct loop *keeper;       /* recovery and retention: blocks on disks; NULL for a reader */
    struct source source;

    /* main only: of `rookery index` */
    index_progress_fn *index_progress;
    void *index_ctx;

    /* keeper only */
    struct timer retention_tick;
    int64_t by_age_mono_us; /* when to look for what is too old again */
    struct frontier by_age, by_space[STORAGE_MAX_VOLUMES]; /* of each volume */
    int64_t forget_mono_us;                                /* when to forget their bounds */
    int64_t seen_wall_us; /* newest time of day that retention saw */
    uint64_t seen_hold_changes;
    struct thinning *thinning; /* NULL = off */
    struct segment_row *left;  /* a crash left them open, and their volume could not settle them */
    size_t n_left;
    bool is_recovery_refused;             /* by the catalogue */
    bool was_usable[STORAGE_MAX_VOLUMES]; /* a second ago */

    /* any thread, atomic */
    _Atomic int64_t next_n;                  /* number of the next file */
    atomic_bool is_stock_old, is_stock_made; /* is to be made anew; somebody does */
    _Atomic uint64_t n_hold_changes;
    struct queue *stock_cell; /* its one entry is the newest struct stock; taken while it is used */
    atomic_bool is_closing;
    struct volume_budget budget;
};

/* [any] The volume for the next segment of a camera: see volume_pick. NULL when none is usable. */
struct volume *storage__pick_volume(struct storage *s, const char *camera_id);

/* [any] How long a segment that begins now is, if segments of all cameras shall not end together:
 * up to the next moment of the camera's own grid, whose phase is a hash; half a period to one and a
 * half. Behind a rotation that is the whole period, whatever started, failed or moved together. */
int64_t rotation_length_us(const char *camera_id, enum stream_kind stream, int64_t now_mono_us,
                           int64_t period_us);

/* [pool] By key; NULL when it is not mounted. */
struct volume *storage__volume(const struct storage *s, int64_t key);

/* recovery.c [keeper]: settles what a crash left unsettled; and what could not be settled or
 * removed then or since, once its volume can be used again, or the catalogue be written: is_by_age,
 * a minute later. */
void storage__recover(struct storage *s);
void storage__recover_returned(struct storage *s, bool is_by_age);
void storage__recovery_fini(struct storage *s); /* [main] */

/* retention.c [keeper]: one round, of what is too old if is_by_age, and of volumes without space;
 * returns whether more is to be done at once. */
bool storage__retain(struct storage *s, bool is_by_age);
void storage__retention_fini(struct storage *s); /* [main] */

/* retention.c [keeper]: false when it stays for now, which is logged. */
bool storage__unlink(struct storage *s, const struct segment_row *row);

/* thinning.c */
void thinning__start(struct storage *s); /* [keeper] when it has recovered */
void thinning__stop(struct storage *s);  /* [main] after the keeper's thread ended */

/* stock.c */
void stock__open(struct storage *s);
void stock__close(struct storage *s);

/* source.c */
int storage__map(struct source *source, const struct sample_query *q, struct sample_map **out,
                 struct err *err);
/* window.c */
int storage__window(struct source *source, const struct window_query *q, struct sample_window *out,
                    struct err *err);

#endif
