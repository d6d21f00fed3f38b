/* What thinning a segment costs: of ten minutes at 2 Mbit/s with a key frame every two seconds.
 *
 *   thin_bench DIR N     makes one, thins it N times, and prints the medians */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>

#include "base/mem.h"
#include "storage/thin.h"

enum { FRAGMENTS = 300, PICTURES = 50, KEY_BYTES = 60000, DELTA_BYTES = 9000, TICKS = 3600 };
#define START_US INT64_C(1790000000000000)

static void must(int rc, const char *what)
{
    if (rc >= 0)
        return;
    fprintf(stderr, "%s: %s\n", what, err_name(rc));
    exit(1);
}

static struct packet *make_packet(struct format *format, size_t size, bool is_key)
{
    struct packet *pkt = packet_create(size);
    if (pkt == NULL)
        must(-ENOMEM, "packet");
    for (size_t i = 0; i < size; i++)
        pkt->data[i] = (uint8_t)(i * 2654435761u >> 24);
    pkt->size = size;
    pkt->format = format_ref(format);
    pkt->is_video = true;
    pkt->is_key = is_key;
    return pkt;
}

static void put(int fd, struct buf *buf, uint64_t *at)
{
    struct iovec iov = {buf->data, buf->len};
    must(volume_io_system()->write(volume_io_system(), fd, &iov, 1, *at), "write");
    *at += buf->len;
    buf_clear(buf);
}

static void put_fragment(struct buf *buf, struct packet *packets[PICTURES], int n)
{
    struct fmp4_sample samples[PICTURES];
    for (int i = 0; i < PICTURES; i++) {
        packets[i]->dts = packets[i]->pts = ((int64_t)n * PICTURES + i) * TICKS;
        packets[i]->wall_us = START_US + ((int64_t)n * PICTURES + i) * 40000;
        samples[i] = (struct fmp4_sample){packets[i], TICKS};
    }
    must(fmp4_write_fragment(&(struct fmp4_fragment){.sequence = (uint32_t)n + 1,
                                                     .video = samples,
                                                     .n_video = PICTURES},
                             buf),
         "fragment");
    for (int i = 0; i < PICTURES; i++)
        buf_append(buf, packets[i]->data, packets[i]->size);
}

static void make_whole(int dirfd, struct segment_row *row)
{
    static const uint8_t sps[] = {0x67, 0x42, 0xc0, 0x1e, 0xd9, 0x00, 0xa0, 0x47, 0xfe, 0};
    static const uint8_t pps[] = {0x68, 0xce, 0x3c, 0x80};
    char path[SEGMENT_PATH_BYTES];
    struct format *format;
    struct packet *packets[PICTURES];
    struct buf buf;
    uint64_t at = 0;
    buf_init(&buf, 0);
    must(format_create_video(CODEC_H264, (struct nal_span){0}, (struct nal_span){sps, sizeof sps},
                             (struct nal_span){pps, sizeof pps}, &format),
         "format");
    for (int i = 0; i < PICTURES; i++)
        packets[i] = make_packet(format, i == 0 ? KEY_BYTES : DELTA_BYTES, i == 0);
    int fd = volume_io_system()->create(volume_io_system(), dirfd, segment_path(&row->id, path));
    must(fd, path);
    must(fmp4_write_init(format, NULL, false, &buf), "init");
    for (int n = 0; n < FRAGMENTS; n++) {
        put_fragment(&buf, packets, n);
        put(fd, &buf, &at);
    }
    row->to_us = START_US + INT64_C(600000000);
    row->frames = FRAGMENTS * PICTURES;
    must(segment_write_end(&(struct segment_end){.from_us = row->id.from_us,
                                                 .to_us = row->to_us,
                                                 .frames = (uint64_t)row->frames},
                           NULL, 0, NULL, NULL, NULL, &buf),
         "end");
    put(fd, &buf, &at);
    row->bytes = (int64_t)at;
    close(fd);
    for (int i = 0; i < PICTURES; i++)
        packet_unref(&packets[i]);
    format_unref(&format);
    buf_fini(&buf);
}

static double cpu_ms(void)
{
    struct rusage u;
    getrusage(RUSAGE_SELF, &u);
    return (double)(u.ru_utime.tv_sec + u.ru_stime.tv_sec) * 1e3 +
           (double)(u.ru_utime.tv_usec + u.ru_stime.tv_usec) / 1e3;
}

static int by_size(const void *pa, const void *pb)
{
    const double *a = pa, *b = pb;
    return (*a > *b) - (*a < *b);
}

int main(int argc, char **argv)
{
    enum { MAX = 1000 };
    static double cpu[MAX];
    static const uint8_t secret[CHAIN_KEY_BYTES] = {1};
    struct segment_row whole = {.id = {.camera_id = "camera", .from_us = START_US, .n = 1}}, twin;
    struct chain_key key;
    char path[SEGMENT_PATH_BYTES];
    int n = argc == 3 ? (int)strtol(argv[2], NULL, 10) : 0;
    if (n < 1 || n > MAX) {
        fprintf(stderr, "usage: thin_bench DIR N\n");
        return 2;
    }
    int dirfd = open(argv[1], O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    must(dirfd < 0 ? -errno : 0, argv[1]);
    chain_key_init(&key, secret);
    make_whole(dirfd, &whole);
    for (int i = 0; i < n; i++) {
        struct err err = {0};
        double start_ms = cpu_ms();
        twin = whole;
        twin.id.n = 2 + i;
        int rc = thin_segment(volume_io_system(), dirfd, &key, &whole, &twin, &err);
        must(rc, rc < 0 ? err.msg : "thin");
        cpu[i] = cpu_ms() - start_ms;
        unlinkat(dirfd, segment_path(&twin.id, path), 0);
    }
    unlinkat(dirfd, segment_path(&whole.id, path), 0);
    close(dirfd);
    qsort(cpu, (size_t)n, sizeof cpu[0], by_size);
    printf("%.1f MB to %.1f MB, %lld pictures to %lld: %.1f ms CPU\n", (double)whole.bytes / 1e6,
           (double)twin.bytes / 1e6, (long long)whole.frames, (long long)twin.frames, cpu[n / 2]);
    return 0;
}
