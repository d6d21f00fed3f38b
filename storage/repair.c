#include "storage/repair.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>

#include "storage/list.h"

/* What a walk over the fragments finds. */
struct walk {
    struct segment_end facts;
    struct fmp4_seek_entry *seeks;
    size_t n_seeks;
    uint64_t whole_bytes; /* up to the end of the last whole fragment */
    int64_t end_dts;      /* of its pictures */
};

static int64_t ticks_to_us(int64_t ticks, uint32_t timescale)
{
    return ticks / timescale * 1000000 + ticks % timescale * 1000000 / timescale;
}

static void note_hole(struct walk *w, int64_t wall_us, int64_t media_us)
{
    struct segment_holes *holes = &w->facts.holes;
    if (media_us > SEGMENT_HOLE_US && wall_us > w->facts.to_us && holes->n < SEGMENT_HOLES_MAX)
        holes->list[holes->n++] = (struct segment_hole){w->facts.to_us, wall_us};
}

static void note_fragment(struct walk *w, const struct segment_reader *r)
{
    const struct fmp4_read_fragment *f = &r->fragment;
    int64_t ticks = 0;
    const struct fmp4_read_sample *first = NULL;
    for (size_t i = 0; i < f->n_samples; i++) {
        if (!f->samples[i].is_video)
            continue;
        if (first == NULL)
            first = &f->samples[i];
        ticks += f->samples[i].duration;
        w->facts.frames++;
    }
    w->facts.lost_packets += r->lost_packets;
    w->whole_bytes = r->next_at;
    if (first == NULL)
        return;
    if (w->facts.from_us == 0)
        w->facts.from_us = f->wall_us;
    else
        note_hole(w, f->wall_us, ticks_to_us(first->dts - w->end_dts, r->init.video->timescale));
    w->end_dts = first->dts + ticks;
    int64_t end_us = f->wall_us + ticks_to_us(ticks, r->init.video->timescale);
    w->facts.to_us = MAX(w->facts.to_us, end_us);
    if (!first->is_key)
        return;
    w->seeks = list_room(w->seeks, w->n_seeks, sizeof *w->seeks);
    /* the moof stands right behind what precedes the fragment: mdat offsets count from it */
    w->seeks[w->n_seeks++] = (struct fmp4_seek_entry){
        .time = (uint64_t)first->dts,
        .offset = r->fragment_at + (r->lost_packets > 0 ? 28 : 0) + (f->wall_us != 0 ? 32 : 0)};
}

static int walk_file(int fd, uint64_t bytes, struct walk *w, struct err *err)
{
    struct segment_reader r;
    *w = (struct walk){0};
    int rc = segment_reader_init(&r, fd, bytes, err);
    while (rc >= 0 && (rc = segment_reader_next(&r, err)) == 1)
        note_fragment(w, &r);
    segment_reader_fini(&r);
    return rc;
}

static void fill_row(struct segment_row *row, const struct segment_end *facts, uint64_t bytes)
{
    row->id.from_us = facts->from_us;
    row->to_us = facts->to_us;
    row->bytes = (int64_t)bytes;
    row->frames = (int64_t)facts->frames;
    row->lost_packets = (int64_t)facts->lost_packets;
    row->began = facts->began;
    row->ended = facts->ended;
    row->holes = facts->holes;
}

static int put_end(int fd, struct walk *w, uint64_t *bytes, struct err *err)
{
    struct buf buf;
    buf_init(&buf, 0);
    int rc = segment_write_end(&w->facts, w->seeks, w->n_seeks, &buf);
    if (rc == 0 && ftruncate(fd, (off_t)w->whole_bytes) < 0)
        rc = -errno;
    if (rc == 0 && pwrite(fd, buf.data, buf.len, (off_t)w->whole_bytes) != (ssize_t)buf.len)
        rc = -EIO;
    /* A disk that is full keeps the segment without its end: still readable. */
    if (rc < 0 && ftruncate(fd, (off_t)w->whole_bytes) == 0)
        rc = 0, buf.len = 0;
    if (rc == 0 && fdatasync(fd) < 0)
        rc = -errno;
    *bytes = w->whole_bytes + buf.len;
    buf_fini(&buf);
    return rc < 0 ? err_set(err, rc, "close recovered segment") : 0;
}

static int repair_open_file(int fd, struct segment_row *row, struct err *err)
{
    struct stat st;
    struct walk w = {0};
    if (fstat(fd, &st) < 0)
        return err_set(err, -errno, "stat segment");
    uint64_t bytes = (uint64_t)st.st_size;
    struct segment_end end = {0};
    int rc = segment_read_end(fd, bytes, &end, NULL, NULL, err);
    if (rc == 1) { /* written, but the row was not */
        fill_row(row, &end, bytes);
        return fdatasync(fd) < 0 ? err_set(err, -errno, "sync segment") : 0;
    }
    rc = walk_file(fd, bytes, &w, err);
    if (rc == 0 || rc == ERR_PARSE) {
        w.facts.began = row->began;
        w.facts.ended = SEGMENT_CRASH;
        rc = ERR_NOT_FOUND;
        if (w.facts.frames > 0)
            rc = put_end(fd, &w, &bytes, err);
        if (rc == 0)
            fill_row(row, &w.facts, bytes);
    }
    free(w.seeks);
    return rc;
}

int repair_segment(int dirfd, const char *path, struct segment_row *row, struct err *err)
{
    int fd = openat(dirfd, path, O_RDWR | O_CLOEXEC | O_NOFOLLOW);
    if (fd < 0)
        return errno == ENOENT ? ERR_NOT_FOUND : err_set(err, -errno, "open %s", path);
    int64_t from_us = row->id.from_us;
    int rc = repair_open_file(fd, row, err);
    close(fd);
    if (rc == ERR_NOT_FOUND && unlinkat(dirfd, path, 0) < 0)
        rc = err_set(err, -errno, "remove %s", path);
    if (from_us != 0) /* the row leads; the file tells the same but for rounding */
        row->id.from_us = from_us;
    return rc;
}

int inspect_segment(int dirfd, const char *path, bool is_deep, struct segment_row *row,
                    struct err *err)
{
    struct stat st;
    struct walk w = {0};
    struct segment_end end = {0};
    int fd = openat(dirfd, path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    if (fd < 0)
        return err_set(err, -errno, "open %s", path);
    int rc = fstat(fd, &st) < 0 ? err_set(err, -errno, "stat %s", path) : 0;
    uint64_t bytes = (uint64_t)st.st_size;
    if (rc == 0)
        rc = segment_read_end(fd, bytes, &end, NULL, NULL, err);
    bool has_end = rc == 1;
    if (rc == 0 || (rc == 1 && is_deep)) {
        rc = walk_file(fd, bytes, &w, err);
        if (rc == 0 && has_end && w.facts.frames != end.frames)
            rc = err_text(err, ERR_PARSE, "%llu pictures where %llu were written",
                          (unsigned long long)w.facts.frames, (unsigned long long)end.frames);
        if (rc == 0 && !has_end && (w.facts.frames == 0 || w.whole_bytes != bytes))
            rc = err_text(err, ERR_PARSE, "not closed: whole up to byte %llu of %llu",
                          (unsigned long long)w.whole_bytes, (unsigned long long)bytes);
        if (!has_end)
            end = w.facts;
    }
    if (rc >= 0)
        fill_row(row, &end, bytes);
    free(w.seeks);
    close(fd);
    return rc < 0 ? rc : 0;
}
