/* Whether a disk answers: operations are timed by the thread that makes them, and judged by whoever
 * asks. */
#include "storage/volume.h"

#include "base/mem.h"
#include "base/str.h"

/* --- what happened --- */

void volume__begin(struct volume *v, struct volume_lane *lane)
{
    atomic_store(&lane->busy_mono_us, MAX(clock_mono_us(v->clock), 1));
}

static void note_error(struct volume *v, enum volume_op op, int code, int64_t now_us)
{
    atomic_store(&v->last_error_op, (int)op);
    atomic_store(&v->last_error, code);
    atomic_store(&v->last_error_us, clock_wall_us(v->clock));
    atomic_store(&v->sound_us, now_us + VOLUME_TRIAL_US);
    atomic_fetch_add(&v->n_errors, 1);
}

void volume__end(struct volume *v, struct volume_lane *lane, enum volume_op op, int rc,
                 int64_t bytes)
{
    int64_t now_us = clock_mono_us(v->clock);
    int64_t took_us = now_us - atomic_load_explicit(&lane->busy_mono_us, memory_order_relaxed);
    bool is_on_trial = now_us < atomic_load(&v->prompt_us);
    if (took_us >= VOLUME_STALL_US || (is_on_trial && took_us >= VOLUME_PROMPT_US))
        atomic_store(&v->prompt_us, now_us + VOLUME_TRIAL_US);
    atomic_store(&lane->busy_mono_us, 0);
    if (op == OP_WRITE || op == OP_SYNC)
        latency_add(&lane->latency, now_us, took_us, rc < 0 ? 0 : bytes);
    if (rc < 0)
        note_error(v, op, rc, now_us);
}

int volume__create_file(struct volume *v, const char *path)
{
    volume__begin(v, &v->writing);
    int fd = v->io->create(v->io, v->dirfd, path);
    volume__end(v, &v->writing, OP_CREATE, fd, 0);
    return fd;
}

int volume__write(struct volume *v, int fd, struct iovec *iov, size_t n, uint64_t at)
{
    int64_t bytes = 0;
    for (size_t i = 0; i < n; i++)
        bytes += (int64_t)iov[i].iov_len;
    volume__begin(v, &v->writing);
    int rc = v->io->write(v->io, fd, iov, n, at);
    volume__end(v, &v->writing, OP_WRITE, rc, bytes);
    return rc;
}

/* --- what follows from it --- */

static bool is_silent(const struct volume *v, int64_t now_us)
{
    int64_t writing = atomic_load(&v->writing.busy_mono_us);
    int64_t syncing = atomic_load(&v->syncing.busy_mono_us);
    return (writing != 0 && now_us - writing >= VOLUME_STALL_US) ||
           (syncing != 0 && now_us - syncing >= VOLUME_STALL_US);
}

enum volume_grade volume_grade(const struct volume *v, int64_t now_mono_us)
{
    if (!volume_is_ok(v) || atomic_load(&v->queued_bytes) > v->queue_max_bytes / 2)
        return VOLUME_UNUSABLE;
    if (is_silent(v, now_mono_us))
        return VOLUME_SILENT;
    if (now_mono_us < atomic_load(&v->prompt_us) || now_mono_us < atomic_load(&v->sound_us))
        return VOLUME_ON_TRIAL;
    return VOLUME_SOUND;
}

enum volume_fault volume_state(const struct volume *v, int64_t now_mono_us)
{
    enum volume_fault fault = (enum volume_fault)atomic_load(&v->fault);
    bool is_stalled = is_silent(v, now_mono_us) || now_mono_us < atomic_load(&v->prompt_us);
    return fault == VOLUME_OK && is_stalled ? VOLUME_STALLED : fault;
}

const char *volume_fault_name(enum volume_fault fault)
{
    static const char *const names[] = {
        [VOLUME_OK] = "ok",           [VOLUME_MISSING] = "missing", [VOLUME_SWAPPED] = "swapped",
        [VOLUME_FOREIGN] = "foreign", [VOLUME_TAKEN] = "taken",     [VOLUME_FULL] = "full",
        [VOLUME_FAILED] = "failed",   [VOLUME_STALLED] = "stalled"};
    return names[fault];
}

static const char *op_name(enum volume_op op)
{
    static const char *const names[VOLUME_OPS] = {[OP_CREATE] = "create a file",
                                                  [OP_WRITE] = "write",
                                                  [OP_SYNC] = "sync",
                                                  [OP_SPACE] = "ask for its space",
                                                  [OP_CARE] = "prepare a file"};
    return names[op];
}

static void describe_state(const struct volume *v, struct volume_status *out, int64_t now_us)
{
    enum volume_fault state = volume_state(v, now_us);
    str_copy(out->state, sizeof out->state, volume_fault_name(state));
    out->is_ok = state == VOLUME_OK;
    if (state != VOLUME_STALLED)
        volume_describe(v, out->detail, sizeof out->detail);
    else if (is_silent(v, now_us))
        snprintf(out->detail, sizeof out->detail, "volume %.180s does not answer", v->path);
    else
        snprintf(out->detail, sizeof out->detail,
                 "volume %.140s did not answer and is watched before it is used again", v->path);
}

void volume_fill_status(const struct volume *v, int64_t now_mono_us, struct volume_status *out)
{
    *out = (struct volume_status){.key = atomic_load(&v->key),
                                  .total_bytes = atomic_load(&v->total_bytes),
                                  .free_bytes = atomic_load(&v->free_bytes),
                                  .reserve_bytes = volume_reserve_bytes(v),
                                  .n_errors = atomic_load(&v->n_errors),
                                  .last_error_us = atomic_load(&v->last_error_us),
                                  .n_recording = atomic_load(&v->n_recording)};
    out->used_bytes = out->total_bytes - out->free_bytes;
    str_copy(out->path, sizeof out->path, v->path);
    if (out->key != 0) /* the id is not changed any more once the key is there */
        str_copy(out->id, sizeof out->id, v->uuid);
    describe_state(v, out, now_mono_us);
    int code = atomic_load(&v->last_error);
    if (code < 0)
        snprintf(out->last_error, sizeof out->last_error, "%s: %s",
                 op_name((enum volume_op)atomic_load(&v->last_error_op)), err_name(code));
    latency_read(&v->writing.latency, now_mono_us, &out->writes);
    latency_read(&v->syncing.latency, now_mono_us, &out->syncs);
}
