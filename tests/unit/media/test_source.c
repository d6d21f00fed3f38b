#include "media_rig.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#include "base/err.h"
#include "media/source.h"

static int temp_file(const void *p, size_t n)
{
    char path[] = "/tmp/rookery-test-XXXXXX";
    int fd = mkstemp(path);
    assert_true(fd >= 0);
    unlink(path);
    assert_int_equal(write(fd, p, n), n);
    return fd;
}

static struct sample_map *make_map(int fd)
{
    struct sample_map *m = xcalloc(1, sizeof *m);
    m->n_files = 1;
    m->files = xcalloc(1, sizeof *m->files);
    m->files[0].fd = fd;
    m->n_formats = 1;
    m->formats = xcalloc(1, sizeof *m->formats);
    m->formats[0] = h264_format(SPS_360, PPS_360);
    m->n_samples = 3;
    m->samples = xcalloc(3, sizeof *m->samples);
    m->samples[0] = (struct sample){.wall_us = 7,
                                    .dts = 100,
                                    .pts_offset = 50,
                                    .size = 4,
                                    .offset = 2,
                                    .is_key = true,
                                    .is_video = true};
    m->samples[1] = (struct sample){.size = 4, .offset = 8, .is_after_gap = true};
    m->samples[2] = (struct sample){.size = 4, .offset = 0, .file = 1};
    return m;
}

static void reads_a_sample_as_a_packet(void **state)
{
    (void)state;
    int fd = temp_file("0123456789", 10);
    struct sample_map *m = make_map(fd);
    struct packet *pkt = NULL;
    assert_int_equal(sample_read(m, 0, &pkt, NULL), 0);
    assert_int_equal(pkt->size, 4);
    assert_memory_equal(pkt->data, "2345", 4);
    assert_int_equal(pkt->dts, 100);
    assert_int_equal(pkt->pts, 150);
    assert_int_equal(pkt->wall_us, 7);
    assert_true(pkt->is_key && pkt->is_video && !pkt->is_discontinuity);
    struct format *f = format_ref(pkt->format);
    sample_map_free(&m);
    assert_null(m);
    assert_int_equal(pkt->format->width, 640); /* outlives the map */
    packet_unref(&pkt);
    assert_int_equal(atomic_load(&f->refs.n), 1);
    format_unref(&f);
    assert_int_equal(fcntl(fd, F_GETFD), -1);
    assert_int_equal(errno, EBADF);
    sample_map_free(&m);
}

static void says_what_cannot_be_read(void **state)
{
    (void)state;
    struct sample_map *m = make_map(temp_file("0123456789", 10));
    struct packet *pkt = NULL;
    struct err err;
    assert_int_equal(sample_read(m, 1, &pkt, &err), ERR_EOF); /* cut off */
    assert_int_equal(sample_read(m, 2, &pkt, &err), ERR_PARSE);
    assert_int_equal(sample_read(m, 3, &pkt, &err), ERR_NOT_FOUND);
    m->samples[0].size = PACKET_MAX_BYTES + 1;
    assert_int_equal(sample_read(m, 0, &pkt, &err), ERR_TOO_BIG);
    assert_null(pkt);
    sample_map_free(&m);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(reads_a_sample_as_a_packet),
        cmocka_unit_test(says_what_cannot_be_read),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
