/* How well motion is found: every key frame of a fragmented MP4 goes through rookery-worker, motion
 * and its events; the events are scored against labelled intervals (JSON: intervals of from_s,
 * to_s, label, motion). Usage: motion_bench WORKER VIDEO.mp4 LABELS.json; see ./motion. */
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>

#include <jansson.h>

#include "analysis/motion_events.h"
#include "analysis/worker.h"
#include "base/mem.h"
#include "media/fmp4.h"

#define MAX_EVENTS 1000

struct bench {
    struct loop *loop;
    struct worker *worker;
    struct motion *motion;
    struct motion_events events;
    bool is_answered;
    int64_t at_us; /* of the key frame under way */
    int n_keys, n_failed;
    struct event list[MAX_EVENTS];
    size_t n_events;
};

static void on_event(void *ctx, enum motion_change change, const struct event *ev)
{
    struct bench *b = ctx;
    if (change == MOTION_CLOSED && b->n_events < MAX_EVENTS)
        b->list[b->n_events++] = *ev;
}

static void on_grid(void *ctx, const struct luma_grid *grid, const struct err *err)
{
    struct bench *b = ctx;
    struct motion_result r;
    b->is_answered = true;
    if (err) {
        b->n_failed++;
        return;
    }
    motion_update(b->motion, grid, b->at_us, &r);
    motion_events_add(&b->events, &r, b->at_us);
}

static void look_at(struct bench *b, struct format *format, const uint8_t *data, size_t n,
                    int64_t at_us)
{
    struct packet *pkt = packet_create(n);
    memcpy(pkt->data, data, n);
    pkt->size = n;
    pkt->format = format_ref(format);
    pkt->is_video = pkt->is_key = true;
    b->at_us = at_us;
    b->is_answered = false;
    b->n_keys++;
    if (worker_grid(b->worker, pkt, on_grid, b) < 0)
        b->is_answered = true;
    packet_unref(&pkt);
    while (!b->is_answered)
        loop_turn(b->loop, true);
}

/* Times begin at 1 s, as 0 means "none" to events. */
static int play(struct bench *b, const uint8_t *file, size_t size)
{
    struct fmp4_init init = {0};
    struct fmp4_read_fragment f = {0};
    size_t at = 0, need;
    if (fmp4_read_init(file, size, &init, &at, NULL) < 0 || !init.video)
        return -1;
    while (fmp4_read_fragment(file + at, size - at, &f, &need, NULL) == 1) {
        for (size_t i = 0; i < f.n_samples; i++) {
            const struct fmp4_read_sample *s = &f.samples[i];
            if (s->is_video && s->is_key && at + s->offset + s->size <= size)
                look_at(b, init.video, file + at + s->offset, s->size,
                        US_PER_S + s->dts * US_PER_S / init.video->timescale);
        }
        at += f.size;
    }
    motion_events_end(&b->events);
    fmp4_read_fragment_fini(&f);
    fmp4_init_fini(&init);
    return 0;
}

/* The label of a picture taken half an interval before is as right as that of the picture. */
static bool overlaps(const struct event *ev, double from_s, double to_s)
{
    double from = (double)(ev->from_us - US_PER_S) / 1e6, to = (double)(ev->to_us - US_PER_S) / 1e6;
    return from < to_s && to >= from_s;
}

static void score(const struct bench *b, json_t *intervals)
{
    int n_hits = 0, n_missed = 0, n_false = 0, n_quiet = 0;
    for (size_t i = 0; i < json_array_size(intervals); i++) {
        json_t *o = json_array_get(intervals, i);
        double from_s = json_number_value(json_object_get(o, "from_s"));
        double to_s = json_number_value(json_object_get(o, "to_s"));
        bool is_motion = json_is_true(json_object_get(o, "motion"));
        int n = 0;
        for (size_t k = 0; k < b->n_events; k++)
            n += overlaps(&b->list[k], from_s, to_s);
        n_hits += is_motion && n > 0;
        n_missed += is_motion && n == 0;
        n_false += !is_motion && n > 0;
        n_quiet += !is_motion && n == 0;
        printf("%7.1f %7.1f  %-12s %-7s %d event(s)%s\n", from_s, to_s,
               json_string_value(json_object_get(o, "label")), is_motion ? "motion" : "still", n,
               is_motion == (n > 0) ? "" : "   WRONG");
    }
    for (size_t k = 0; k < b->n_events; k++) {
        const struct event *ev = &b->list[k];
        printf("event %.1f-%.1f s, score %.3f, at %.2f,%.2f size %.2fx%.2f\n",
               (double)(ev->from_us - US_PER_S) / 1e6, (double)(ev->to_us - US_PER_S) / 1e6,
               ev->score, ev->x, ev->y, ev->w, ev->h);
    }
    printf("precision %.2f  recall %.2f  (%d hit, %d missed, %d false, %d quiet)\n",
           n_hits + n_false ? (double)n_hits / (n_hits + n_false) : 1,
           n_hits + n_missed ? (double)n_hits / (n_hits + n_missed) : 1, n_hits, n_missed, n_false,
           n_quiet);
}

static void set_flag(void *ctx)
{
    *(bool *)ctx = true;
}

int main(int argc, char **argv)
{
    struct stat st;
    int fd = argc == 4 ? open(argv[2], O_RDONLY | O_CLOEXEC) : -1;
    json_t *labels = argc == 4 ? json_load_file(argv[3], 0, NULL) : NULL;
    if (fd < 0 || fstat(fd, &st) < 0 || !labels) {
        fprintf(stderr, "usage: motion_bench WORKER VIDEO.mp4 LABELS.json\n");
        return 2;
    }
    uint8_t *file = mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_PRIVATE, fd, 0);
    struct bench *b = xcalloc(1, sizeof *b);
    b->loop = loop_create(NULL);
    b->worker = worker_create(&(struct worker_params){.loop = b->loop, .path = argv[1]});
    b->motion = motion_create();
    motion_events_init(
        &b->events, &(struct motion_events_params){.camera_id = "bench", .fn = on_event, .ctx = b});
    int64_t start_us = clock_mono_us(clock_system());
    int rc = play(b, file, (size_t)st.st_size);
    double ms = (double)(clock_mono_us(clock_system()) - start_us) / 1e3;
    score(b, json_object_get(labels, "intervals"));
    printf("%d key frames, %d failed, %.2f ms each\n", b->n_keys, b->n_failed,
           ms / MAX(b->n_keys, 1));
    bool is_done = false;
    worker_stop(b->worker, set_flag, &is_done);
    while (!is_done)
        loop_turn(b->loop, true);
    motion_destroy(&b->motion);
    loop_destroy(&b->loop);
    free(b);
    json_decref(labels);
    munmap(file, (size_t)st.st_size);
    close(fd);
    return rc < 0;
}
