/* Pulls RTSP addresses for some seconds and prints what came: a tool for tests and for looking at a
 * camera.
 *   ingest_pull [--udp|--tcp] [--live] [--user U] [--password P] SECONDS URL... */

#include <inttypes.h>
#include <sys/resource.h>

#include "base/log.h"
#include "base/mem.h"
#include "base/str.h"
#include "ingest/stream.h"

#define MAX_STREAMS 1000

struct pull {
    struct stream *stream;
    struct sink sink;
    struct stream_status status;
    bool is_quiet;
    /* ingest loop */
    struct hub *hub;
    uint64_t n_video, n_keys, n_audio, n_bytes, n_breaks;
    int64_t first_wall_us, last_wall_us;
    int64_t first_pts, last_pts;
    uint64_t n_dts_back;
    int64_t last_dts[2];
};

static struct loop *home;
static struct loop *ingest;
static struct pull pulls[MAX_STREAMS];
static int n_pulls, n_gone;
static bool is_live;

static void on_push(struct sink *sink, struct packet *pkt)
{
    struct pull *p = CONTAINER_OF(sink, struct pull, sink);
    p->n_bytes += pkt->size;
    p->n_breaks += pkt->is_discontinuity;
    if (pkt->dts <= p->last_dts[pkt->is_video] && p->last_dts[pkt->is_video])
        p->n_dts_back++;
    p->last_dts[pkt->is_video] = pkt->dts;
    if (!pkt->is_video) {
        p->n_audio++;
        return;
    }
    if (p->n_video++ == 0) {
        p->first_wall_us = pkt->wall_us;
        p->first_pts = pkt->pts;
    }
    p->n_keys += pkt->is_key;
    p->last_wall_us = pkt->wall_us;
    p->last_pts = pkt->pts;
}

static void on_sink_gone(struct sink *sink)
{
    (void)sink;
}

static void attach(void *ctx)
{
    static const struct sink_ops ops = {.push = on_push, .gone = on_sink_gone};
    struct pull *p = ctx;
    p->sink =
        (struct sink){.ops = &ops, .wants_audio = true, .is_viewer = true, .is_live = is_live};
    hub_attach(stream_hub(p->stream), &p->sink, true);
}

static void on_status(void *ctx, const struct stream_status *st, bool is_change)
{
    struct pull *p = ctx;
    p->status = *st;
    if (is_change && !p->is_quiet)
        printf("%s: %s: %s (reachable %d, advancing %d)\n", st->camera_id, cause_name(st->cause),
               st->detail, st->is_reachable, st->is_advancing);
    fflush(stdout);
}

static void on_gone(void *ctx)
{
    (void)ctx;
    if (++n_gone == n_pulls)
        loop_stop(home);
}

static void stop_all(void *ctx)
{
    (void)ctx;
    for (int i = 0; i < n_pulls; i++)
        stream_stop(pulls[i].stream);
}

static double cpu_s(void)
{
    struct rusage u;
    getrusage(RUSAGE_SELF, &u);
    return (double)(u.ru_utime.tv_sec + u.ru_stime.tv_sec) +
           (double)(u.ru_utime.tv_usec + u.ru_stime.tv_usec) / 1e6;
}

static double warm_cpu_s;

static void on_warm(void *ctx)
{
    (void)ctx;
    warm_cpu_s = cpu_s();
}

static void report(const struct pull *p)
{
    const struct stream_status *st = &p->status;
    char offset[32] = "none";
    if (st->has_clock_offset)
        snprintf(offset, sizeof offset, "%.3f", st->clock_offset_s);
    printf("%s video %" PRIu64 " keys %" PRIu64 " audio %" PRIu64 " bytes %" PRIu64, st->camera_id,
           p->n_video, p->n_keys, p->n_audio, p->n_bytes);
    printf(" breaks %" PRIu64 " lost %" PRIu64 " damaged %" PRIu64 " dts_back %" PRIu64,
           p->n_breaks, st->n_lost_packets, st->n_damaged, p->n_dts_back);
    printf(" wall %.3f media %.3f fps %.2f bps %.0f gop %.2f",
           (double)(p->last_wall_us - p->first_wall_us) / 1e6,
           (double)(p->last_pts - p->first_pts) / 90000, st->fps, st->bitrate_bps, st->gop_s);
    printf(" codec %s size %dx%d offset %s cause %s reconnects %" PRIu64 "\n",
           codec_name(st->codec), st->width, st->height, offset, cause_name(st->cause),
           st->n_reconnects);
}

int main(int argc, char **argv)
{
    struct stream_config config = {.name = "main"};
    int i = 1;
    bool is_quiet = false;
    for (; i < argc && argv[i][0] == '-'; i++) {
        if (strcmp(argv[i], "--udp") == 0)
            config.transport = TRANSPORT_UDP;
        else if (strcmp(argv[i], "--tcp") == 0)
            config.transport = TRANSPORT_TCP;
        else if (strcmp(argv[i], "--live") == 0)
            is_live = true;
        else if (strcmp(argv[i], "--quiet") == 0)
            is_quiet = true;
        else if (strcmp(argv[i], "--debug") == 0)
            log_set_level(LOG_DEBUG);
        else if (strcmp(argv[i], "--user") == 0 && i + 1 < argc)
            str_copy(config.username, sizeof config.username, argv[++i]);
        else if (strcmp(argv[i], "--password") == 0 && i + 1 < argc)
            str_copy(config.password, sizeof config.password, argv[++i]);
    }
    uint64_t seconds;
    if (i + 2 > argc || !span_u64(span_of(argv[i++]), &seconds) || argc - i > MAX_STREAMS) {
        fprintf(stderr, "usage: ingest_pull [--udp|--tcp] [--live] [--quiet] [--debug] [--user U] "
                        "[--password P] SECONDS URL...\n");
        return 2;
    }
    home = loop_create(NULL);
    ingest = loop_create(&(struct loop_params){.name = "ingest"});
    struct resolver *resolver = resolver_create(NULL);
    loop_start(ingest);
    for (; i < argc; i++, n_pulls++) {
        struct pull *p = &pulls[n_pulls];
        p->is_quiet = is_quiet;
        snprintf(config.camera_id, sizeof config.camera_id, "cam%d", n_pulls);
        str_copy(config.url, sizeof config.url, argv[i]);
        struct stream_params params = {.home = home,
                                       .loop = ingest,
                                       .resolver = resolver,
                                       .config = &config,
                                       .status = on_status,
                                       .gone = on_gone,
                                       .ctx = p};
        p->stream = stream_start(&params);
        loop_post(ingest, attach, p);
    }
    struct timer warm = {0};
    timer_init(&warm, home, on_warm, NULL);
    timer_arm_ms(&warm, (int64_t)seconds * 500);
    struct timer stop = {0};
    timer_init(&stop, home, stop_all, NULL);
    timer_arm_ms(&stop, (int64_t)seconds * 1000);
    loop_run(home);
    /* The second half, when everything is warm. */
    double minutes = (double)seconds / 2 / 60 * n_pulls;
    fprintf(stderr, "cpu %.4f s per camera and minute\n", (cpu_s() - warm_cpu_s) / minutes);
    loop_stop(ingest);
    loop_join(ingest);
    uint64_t n_video = 0;
    for (i = 0; i < n_pulls; i++) {
        report(&pulls[i]);
        n_video += pulls[i].n_video > 0;
    }
    resolver_destroy(&resolver);
    loop_destroy(&ingest);
    loop_destroy(&home);
    return n_video == (uint64_t)n_pulls ? 0 : 1;
}
