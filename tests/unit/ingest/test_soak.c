/* Hours of cameras that come, go and misbehave, in virtual time: a few streams with their recorders
 * and viewers, and cameras and disks that get a new way to fail every few seconds. Every now and
 * then all are well again; then every stream must come back by itself, and descriptors, threads,
 * timers and memory must be what they were. Sockets and files are real; that time passes while
 * they work is not: virtual time waits for the network and for the disk.
 * One hour; SOAK_HOURS asks for more, as tests/bench/soak does. */
#include "ingest/stream.h"

#include <dirent.h>
#include <errno.h>
#include <malloc.h>
#include <sched.h>
#include <sys/socket.h>
#include <time.h>

#include "base/log.h"
#include "base/loop_priv.h"
#include "fake_camera.h"
#include "ingest/gate.h"
#include "rig.h"
#include "storage/storage_priv.h"
#include "storage/volume_io.h"

#define N_CAMERAS  8
#define N_VOLUMES  2
#define STEP_MS    500 /* a picture of every camera */
#define GOP        4
#define TURNS      12 /* enough for a question and its answer */
#define TROUBLE_MS INT64_C(1800000)
#define CURE_MS    INT64_C(5400000) /* at most: a wrong password is tried again after an hour */
#define CALM_MS    60000
#define WALL0_US   INT64_C(1790000000000000)

#define MEMORY_SLACK (300 << 10)

struct soak;

struct unit {
    struct soak *soak;
    struct fake_camera *cam;
    struct stream *stream; /* NULL = gone, and not started again yet */
    struct recorder *recorder;
    struct stream_config config;
    struct stream_status status;
    struct recorder_status recorded;
    struct sink viewer;
    bool is_watched;
    bool is_mute; /* sends no pictures */
    int n_pictures, n_parts;
};

enum illness { DISK_WELL, DISK_UNWRITABLE, DISK_DEAD };

struct disks {
    struct volume_io io;
    atomic_int illness[N_VOLUMES]; /* enum illness */
};

struct figures {
    int n_fds, n_threads;
    size_t n_timers, bytes;
};

struct soak {
    uint64_t n_steps;
    struct clock_virtual clock;
    struct loop *loop;
    struct gate *gate;
    char dir[64];
    struct disks disks;
    struct catalogue *catalogue;
    struct storage *storage;
    struct unit units[N_CAMERAS];
    uint64_t random;
    int64_t n_troubles, n_pushed;
    int echo[2];
    struct figures first, last;
};

static uint32_t dice(struct soak *s, uint32_t sides)
{
    s->random = s->random * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
    return (uint32_t)(s->random >> 33) % sides;
}

/* --- a camera, its stream, its recorder, a viewer --- */

static void on_push(struct sink *sink, struct packet *pkt)
{
    struct unit *u = CONTAINER_OF(sink, struct unit, viewer);
    (void)pkt;
    u->soak->n_pushed++;
}

static void on_source_changed(struct sink *sink, bool is_up)
{
    (void)sink;
    (void)is_up;
}

static void on_viewer_gone(struct sink *sink)
{
    CONTAINER_OF(sink, struct unit, viewer)->is_watched = false;
}

static const struct sink_ops viewer_ops = {
    .push = on_push, .source_changed = on_source_changed, .gone = on_viewer_gone};

static void on_status(void *ctx, const struct stream_status *st, bool is_change)
{
    struct unit *u = ctx;
    (void)is_change;
    u->status = *st;
}

static void on_stream_gone(void *ctx)
{
    struct unit *u = ctx;
    u->stream = NULL;
    u->n_parts--;
}

static void on_recorded(void *ctx, const struct recorder_status *st)
{
    struct unit *u = ctx;
    u->recorded = *st;
}

static void on_recorder_gone(void *ctx)
{
    struct unit *u = ctx;
    u->n_parts--;
}

static void start(struct unit *u)
{
    struct loop *loop = u->soak->loop;
    u->status = (struct stream_status){0};
    u->recorded = (struct recorder_status){0};
    u->stream = stream_start(&(struct stream_params){.home = loop,
                                                     .loop = loop,
                                                     .gate = u->soak->gate,
                                                     .config = &u->config,
                                                     .status = on_status,
                                                     .gone = on_stream_gone,
                                                     .ctx = u});
    u->recorder =
        recorder_start(u->soak->storage, &(struct recorder_params){.hub = stream_hub(u->stream),
                                                                   .status_loop = loop,
                                                                   .status = on_recorded,
                                                                   .gone = on_recorder_gone,
                                                                   .ctx = u});
    u->n_parts = 2;
}

static void stop(struct unit *u)
{
    recorder_stop(u->recorder);
    stream_stop(u->stream);
    u->recorder = NULL;
}

static void watch(struct unit *u, bool wants)
{
    if (wants == u->is_watched)
        return;
    if (wants) {
        u->viewer = (struct sink){.ops = &viewer_ops, .is_viewer = true, .is_live = true};
        u->is_watched = true;
        hub_attach(stream_hub(u->stream), &u->viewer, true);
    } else {
        hub_detach(stream_hub(u->stream), &u->viewer);
    }
}

/* --- time --- */

/* A connection with ourselves. What was sent before a byte of it has been processed by the kernel
 * when the byte arrives: all of it passes one queue, as the process stays on one CPU. Without this
 * virtual time outruns a busy machine's network, and everything times out. */
static void open_echo(struct soak *s)
{
    struct address at;
    struct err err;
    cpu_set_t cpus;
    CPU_ZERO(&cpus);
    CPU_SET(sched_getcpu(), &cpus);
    assert_int_equal(sched_setaffinity(0, sizeof cpus, &cpus), 0);
    assert_int_equal(address_parse("127.0.0.1", 0, &at), 0);
    int listener = socket_listen(&at, 1, false, &err);
    assert_true(listener >= 0);
    socket_local(listener, &at);
    s->echo[0] = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(connect(s->echo[0], (struct sockaddr *)&at.sa, at.len), 0);
    s->echo[1] = accept(listener, NULL, NULL);
    assert_true(s->echo[1] >= 0);
    socket_set_nodelay(s->echo[0]);
    close(listener);
}

static void await_network(struct soak *s)
{
    char byte = 0;
    assert_int_equal(write(s->echo[0], &byte, 1), 1);
    assert_int_equal(read(s->echo[1], &byte, 1), 1);
}

/* For what happens in other threads: real time passes. */
#define await(s, done)                                                                             \
    do {                                                                                           \
        for (int tries_ = 0; !(done); tries_++) {                                                  \
            if (tries_ > 20000)                                                                    \
                fail_msg("never: %s", #done);                                                      \
            nanosleep(&(struct timespec){.tv_nsec = 500000}, NULL);                                \
            loop_turn((s)->loop, false);                                                           \
        }                                                                                          \
    } while (0)

/* Virtual time must not outrun the disks: hours would pass until a file is on one. */
static bool is_written(struct soak *s)
{
    for (int i = 0; i < N_VOLUMES; i++)
        if (atomic_load(&s->storage->volumes[i]->queued_bytes) > 0)
            return false;
    return true;
}

static bool is_ill(const struct soak *s)
{
    for (int i = 0; i < N_VOLUMES; i++)
        if (atomic_load(&s->disks.illness[i]) != DISK_WELL)
            return true;
    return false;
}

/* A recorder that was stopped is gone when its file is in the catalogue. */
static bool is_settled(struct soak *s)
{
    for (int i = 0; i < N_CAMERAS && !is_ill(s); i++) {
        struct unit *u = &s->units[i];
        if (u->recorder == NULL && u->n_parts > (u->stream != NULL))
            return false;
    }
    return true;
}

static void step(struct soak *s)
{
    for (int i = 0; i < N_CAMERAS; i++) {
        struct unit *u = &s->units[i];
        if (!u->is_mute && fake_camera_counts(u->cam)->is_playing)
            fake_camera_picture(u->cam, u->n_pictures++ % GOP == 0);
    }
    for (int i = 0; i < TURNS; i++) {
        await_network(s);
        loop_turn(s->loop, false);
    }
    await(s, is_settled(s));
    loop_advance(s->loop, &s->clock, STEP_MS * US_PER_MS);
    for (int i = 0; i < N_CAMERAS; i++)
        if (s->units[i].n_parts == 0)
            start(&s->units[i]);
}

static void pass(struct soak *s, int64_t ms)
{
    for (; ms > 0; ms -= STEP_MS) {
        step(s);
        if (++s->n_steps % 64 == 0)
            await(s, is_written(s));
    }
}

/* --- trouble and cure --- */

static void make_trouble(struct soak *s, struct unit *u)
{
    uint8_t junk[2000];
    s->n_troubles++;
    switch (dice(s, 14)) {
    case 0:
        fake_camera_hang_up(u->cam);
        break;
    case 1:
        fake_camera_listen(u->cam, false);
        fake_camera_hang_up(u->cam);
        break;
    case 2:
        fake_camera_listen(u->cam, true);
        break;
    case 3:
        u->is_mute = !u->is_mute;
        break;
    case 4:
        for (size_t i = 0; i < sizeof junk; i++)
            junk[i] = (uint8_t)dice(s, 256);
        fake_camera_bytes(u->cam, junk, sizeof junk);
        break;
    case 5:
        fake_camera_format(u->cam, dice(s, 2));
        u->n_pictures = 0;
        break;
    case 6:
        fake_camera_foreign(u->cam);
        break;
    case 7:
        if (u->recorder)
            watch(u, dice(s, 2));
        break;
    case 8:
        if (u->recorder)
            stop(u);
        break;
    case 9:
        u->config.password[0] = (char)('a' + dice(s, 20));
        if (u->recorder)
            stream_configure(u->stream, &u->config);
        break;
    case 10:
    case 11:
        atomic_store(&s->disks.illness[dice(s, N_VOLUMES)], (int)dice(s, DISK_DEAD + 1));
        break;
    default:
        fake_camera_set_mode(u->cam, (enum fake_mode)dice(s, FAKE_CHALLENGE_AND_CLOSE + 1));
        fake_camera_hang_up(u->cam);
        break;
    }
}

static void trouble(struct soak *s, int64_t ms)
{
    for (; ms > 0; ms -= 5000) {
        make_trouble(s, &s->units[dice(s, N_CAMERAS)]);
        pass(s, 5000);
    }
}

static int n_well(const struct soak *s)
{
    int n = 0;
    for (int i = 0; i < N_CAMERAS; i++)
        n += s->units[i].status.cause == CAUSE_OK && s->units[i].status.is_advancing &&
             s->units[i].recorded.is_recording;
    return n;
}

static bool are_volumes_ok(const struct soak *s)
{
    for (int i = 0; i < N_VOLUMES; i++)
        if (!volume_is_ok(s->storage->volumes[i]))
            return false;
    return true;
}

/* No stream is told to try again: each has a timer that does. */
static void cure(struct soak *s)
{
    for (int i = 0; i < N_VOLUMES; i++)
        atomic_store(&s->disks.illness[i], DISK_WELL);
    await(s, are_volumes_ok(s));
    for (int i = 0; i < N_CAMERAS; i++) {
        struct unit *u = &s->units[i];
        fake_camera_set_mode(u->cam, FAKE_OK);
        fake_camera_listen(u->cam, true);
        u->is_mute = false;
        if (u->recorder)
            watch(u, false);
    }
    for (int64_t ms = 0; n_well(s) < N_CAMERAS; ms += 1000) {
        if (ms > CURE_MS)
            for (int i = 0; i < N_CAMERAS; i++)
                print_error(
                    "%d: %s: %s%s; %srecording %s\n", i, cause_name(s->units[i].status.cause),
                    s->units[i].status.detail, s->units[i].status.is_advancing ? "" : ", still",
                    s->units[i].recorded.is_recording ? "" : "not ", s->units[i].recorded.detail);
        assert_true(ms <= CURE_MS);
        pass(s, 1000);
    }
    for (int i = 0; i < N_CAMERAS; i++)
        watch(&s->units[i], true);
    pass(s, CALM_MS);
    for (int i = 0; i < N_CAMERAS; i++)
        watch(&s->units[i], false);
    pass(s, CALM_MS);
    await(s, is_written(s));
}

/* --- what may not grow --- */

static int count_threads(void)
{
    int n = 0;
    DIR *d = opendir("/proc/self/task");
    while (readdir(d))
        n++;
    closedir(d);
    return n - 2; /* without . and .. */
}

/* Recordings are closed in another thread, a moment after they have ended, and a volume tries its
 * disk when it likes to. */
static int count_fds(bool are_recordings)
{
    char target[256];
    int n = 0;
    DIR *d = opendir("/proc/self/fd");
    for (struct dirent *e; (e = readdir(d));) {
        ssize_t len = readlinkat(dirfd(d), e->d_name, target, sizeof target - 1);
        target[MAX(len, 0)] = '\0';
        if (!str_ends(target, "/.rookery-probe"))
            n += len > 0 && str_ends(target, ".mp4") == are_recordings;
    }
    closedir(d);
    return n;
}

/* Some cameras were taken to UDP meanwhile, which needs a pair of sockets here and one there. */
static int n_udp_fds(const struct soak *s)
{
    int n = 0;
    for (int i = 0; i < N_CAMERAS; i++)
        n += strstr(s->units[i].status.detail, "over UDP") ? 3 : 0;
    return n;
}

static struct figures measure(const struct soak *s)
{
    struct mallinfo2 info = mallinfo2();
    return (struct figures){.n_fds = count_fds(false) - n_udp_fds(s),
                            .n_threads = count_threads(),
                            .n_timers = s->loop->timers.n,
                            .bytes = info.uordblks + info.hblkhd};
}

/* Between two segments, with nothing else open for a moment; what leaks is never at rest. */
static bool is_at_rest(const struct soak *s)
{
    return count_fds(true) == N_CAMERAS &&
           (s->first.n_fds == 0 || measure(s).n_fds == s->first.n_fds);
}

static void look(struct soak *s, double hours)
{
    for (int tries = 0; tries < 5000 && !is_at_rest(s); tries++) {
        pass(s, STEP_MS);
        nanosleep(&(struct timespec){.tv_nsec = 500000}, NULL);
    }
    assert_int_equal(count_fds(true), N_CAMERAS);
    struct figures now = measure(s);
    if (getenv("SOAK_HOURS"))
        print_message(
            "%6.1f h  %6lld troubles  %3d descriptors  %3d threads  %3zu timers  %6zu KB\n", hours,
            (long long)s->n_troubles, now.n_fds, now.n_threads, now.n_timers, now.bytes >> 10);
    if (s->first.n_fds == 0)
        s->first = now; /* warmed up */
    s->last = now;
    assert_int_equal(now.n_fds, s->first.n_fds);
    assert_int_equal(now.n_threads, s->first.n_threads);
    assert_int_equal(now.n_timers, s->first.n_timers);
    if (now.bytes > s->first.bytes + MEMORY_SLACK)
        fail_msg("memory grew from %zu to %zu KB", s->first.bytes >> 10, now.bytes >> 10);
}

/* --- disks --- */

static enum illness illness_of(const struct volume_io *io, int fd)
{
    char link[64];
    char path[256];
    const struct disks *d = CONTAINER_OF(io, struct disks, io);
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    ssize_t n = readlink(link, path, sizeof path - 1);
    path[MAX(n, 0)] = '\0';
    return (enum illness)atomic_load(&d->illness[strstr(path, "/rec-1") != NULL]);
}

static int disk_create(const struct volume_io *io, int dirfd, const char *path)
{
    return illness_of(io, dirfd) == DISK_DEAD ? -EIO : volume_io_system()->create(io, dirfd, path);
}

static int disk_write(const struct volume_io *io, int fd, struct iovec *iov, size_t n, uint64_t at)
{
    return illness_of(io, fd) != DISK_WELL ? -EIO : volume_io_system()->write(io, fd, iov, n, at);
}

/* Nothing here is about a power cut, and asking for all of the machine's disk takes seconds when
 * others write to it too. */
static int disk_sync(const struct volume_io *io, int dirfd)
{
    return illness_of(io, dirfd) == DISK_DEAD ? -EIO : 0;
}

/* --- life --- */

static void open_storage(struct soak *s)
{
    struct err err = {0};
    char paths[N_VOLUMES][80];
    struct volume_config volumes[N_VOLUMES] = {0};
    str_copy(s->dir, sizeof s->dir, "/tmp/rk-soak-XXXXXX");
    assert_non_null(mkdtemp(s->dir));
    for (int i = 0; i < N_VOLUMES; i++) {
        snprintf(paths[i], sizeof paths[i], "%s/rec-%d", s->dir, i);
        volumes[i].path = paths[i];
    }
    s->disks.io = *volume_io_system();
    s->disks.io.create = disk_create;
    s->disks.io.write = disk_write;
    s->disks.io.sync = disk_sync;
    if (catalogue_open(s->dir, &s->clock.clock, &s->catalogue, &err) < 0 ||
        storage_open(&(struct storage_params){.catalogue = s->catalogue,
                                              .clock = &s->clock.clock,
                                              .volumes = volumes,
                                              .n_volumes = N_VOLUMES,
                                              .retention_days = 1,
                                              .io = &s->disks.io,
                                              .sync_interval_us = 50000},
                     &s->storage, &err) < 0)
        fail_msg("%s", err.msg);
}

static void open_unit(struct soak *s, int i)
{
    struct unit *u = &s->units[i];
    u->soak = s;
    u->cam = fake_camera_create(s->loop);
    snprintf(u->config.camera_id, sizeof u->config.camera_id, "cam-%d", i);
    str_copy(u->config.name, sizeof u->config.name, "main");
    str_copy(u->config.username, sizeof u->config.username, "admin");
    str_copy(u->config.password, sizeof u->config.password, "secret");
    snprintf(u->config.url, sizeof u->config.url, "rtsp://127.0.0.1:%d/x",
             fake_camera_port(u->cam));
    start(u);
}

static bool is_over(const struct soak *s)
{
    for (int i = 0; i < N_CAMERAS; i++)
        if (s->units[i].n_parts > 0)
            return false;
    return true;
}

static void close_all(struct soak *s)
{
    char cmd[96];
    for (int i = 0; i < N_CAMERAS; i++)
        stop(&s->units[i]);
    for (int i = 0; i < 10; i++)
        loop_advance(s->loop, &s->clock, 500 * US_PER_MS);
    await(s, is_over(s));
    for (int i = 0; i < N_CAMERAS; i++)
        fake_camera_destroy(&s->units[i].cam);
    storage_close(&s->storage);
    catalogue_close(&s->catalogue);
    close(s->echo[0]);
    close(s->echo[1]);
    gate_destroy(&s->gate);
    loop_destroy(&s->loop);
    snprintf(cmd, sizeof cmd, "rm -rf %s", s->dir);
    assert_int_equal(system(cmd), 0);
}

static void stays_the_same_for_hours(void **state)
{
    const char *text = getenv("SOAK_HOURS");
    double hours = text ? strtod(text, NULL) : 1;
    struct soak s = {.random = 20261126};
    (void)state;
    log_set_level(LOG_ERROR);
    clock_virtual_init(&s.clock, WALL0_US);
    s.loop = loop_create(&(struct loop_params){.name = "soak", .clock = &s.clock.clock});
    s.gate = gate_create(s.loop, N_CAMERAS);
    open_echo(&s);
    open_storage(&s);
    for (int i = 0; i < N_CAMERAS; i++)
        open_unit(&s, i);
    do {
        trouble(&s, TROUBLE_MS);
        cure(&s);
        look(&s, (double)(loop_wall_us(s.loop) - WALL0_US) / 3600e6);
    } while ((double)(loop_wall_us(s.loop) - WALL0_US) < hours * 3600e6);
    assert_true(s.n_pushed > 0);
    close_all(&s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(stays_the_same_for_hours)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
