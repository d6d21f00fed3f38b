#include "media/source.h"

#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/mem.h"

void sample_map_free(struct sample_map **map)
{
    struct sample_map *m = *map;
    *map = NULL;
    if (!m)
        return;
    for (size_t i = 0; i < m->n_files; i++) {
        if (m->files[i].fd >= 0)
            close(m->files[i].fd);
    }
    for (size_t i = 0; i < m->n_formats; i++)
        format_unref(&m->formats[i]);
    free(m->samples);
    free(m->files);
    free(m->formats);
    free(m->gaps);
    free(m);
}

static int read_all(int fd, uint8_t *dst, size_t n, uint64_t offset, struct err *err)
{
    while (n > 0) {
        ssize_t got = pread(fd, dst, n, (off_t)offset);
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0)
            return err_set(err, -errno, "read sample at %llu", (unsigned long long)offset);
        if (got == 0)
            return err_set(err, ERR_EOF, "read sample at %llu", (unsigned long long)offset);
        dst += got;
        n -= (size_t)got;
        offset += (uint64_t)got;
    }
    return 0;
}

int sample_read(const struct sample_map *map, size_t index, struct packet **out, struct err *err)
{
    if (index >= map->n_samples)
        return err_set(err, ERR_NOT_FOUND, "sample %zu", index);
    const struct sample *s = &map->samples[index];
    if (s->file >= map->n_files || s->format >= map->n_formats)
        return err_set(err, ERR_PARSE, "sample %zu", index);
    struct packet *pkt = packet_create(s->size);
    if (!pkt)
        return err_set(err, ERR_TOO_BIG, "sample of %u bytes", s->size);
    int rc = read_all(map->files[s->file].fd, pkt->data, s->size, s->offset, err);
    if (rc < 0) {
        packet_unref(&pkt);
        return rc;
    }
    pkt->size = s->size;
    pkt->format = map->formats[s->format] ? format_ref(map->formats[s->format]) : NULL;
    pkt->dts = s->dts;
    pkt->pts = s->dts + s->pts_offset;
    pkt->wall_us = s->wall_us;
    pkt->is_video = s->is_video;
    pkt->is_key = s->is_key;
    pkt->is_discontinuity = s->is_after_gap;
    *out = pkt;
    return 0;
}
