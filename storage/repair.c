#include "storage/repair.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>

#include "base/clock.h"
#include "storage/chain_read.h"
#include "storage/list.h"

struct mark {
    uint64_t at; /* of a fragment */
    int64_t wall_us;
};

/* What a walk over the fragments finds. */
struct walk {
    struct segment_end facts;
    struct fmp4_seek_entry *seeks;
    size_t n_seeks;
    uint64_t whole_bytes; /* up to the end of the last whole fragment */
    int64_t end_dts;      /* of its pictures */
    struct mark *marks;   /* one per fragment */
    size_t n_marks;
    struct segment_chain chain;
    uint8_t key_id[CHAIN_KEY_ID_BYTES];
    bool has_hash;
    struct chain_value value; /* in front of the last fragment */
};

static void walk_fini(struct walk *w)
{
    free(w->seeks);
    free(w->marks);
    *w = (struct walk){0};
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
    w->has_hash = r->has_hash;
    w->value = r->hash;
    w->marks = list_room(w->marks, w->n_marks, sizeof *w->marks);
    w->marks[w->n_marks++] = (struct mark){r->fragment_at, f->wall_us};
    if (first == NULL)
        return;
    if (w->facts.from_us == 0)
        w->facts.from_us = f->wall_us;
    else
        note_hole(w, f->wall_us, us_of_ticks(first->dts - w->end_dts, r->init.video->timescale));
    w->end_dts = first->dts + ticks;
    int64_t end_us = f->wall_us + us_of_ticks(ticks, r->init.video->timescale);
    w->facts.to_us = MAX(w->facts.to_us, end_us);
    if (!first->is_key)
        return;
    w->seeks = list_room(w->seeks, w->n_seeks, sizeof *w->seeks);
    w->seeks[w->n_seeks++] = (struct fmp4_seek_entry){.time = (uint64_t)first->dts,
                                                      .offset = r->fragment_at + f->moof_at};
}

static int walk_file(int fd, uint64_t bytes, struct walk *w, struct err *err)
{
    struct segment_reader r;
    *w = (struct walk){0};
    int rc = segment_reader_init(&r, fd, bytes, err);
    w->chain.has_before = r.has_chain;
    w->chain.before = r.before;
    memcpy(w->key_id, r.key_id, sizeof w->key_id);
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
    row->is_thinned = facts->is_thinned;
    row->chain.has_link = facts->has_link;
    row->chain.link = facts->link;
}

/* --- the newest fragments: are they there, or only their length? --- */

/* Where the fragments whose hashes are to be compared begin, as an index into marks. */
static size_t first_to_verify(const struct walk *w)
{
    size_t i = w->n_marks;
    int64_t from_us = i > 0 ? w->marks[i - 1].wall_us - REPAIR_VERIFY_US : 0;
    while (i > 0 && w->marks[i - 1].wall_us >= from_us)
        i--;
    return i;
}

/* The first fragment from marks[i] on that does not fit its hash; n_marks when all do. */
static size_t find_torn(int fd, uint64_t bytes, const struct chain_key *key,
                        const struct segment_id *id, const struct walk *w)
{
    struct segment_reader r;
    struct chain_value value = {0};
    size_t i = first_to_verify(w);
    int rc = segment_reader_init(&r, fd, bytes, NULL);
    if (rc >= 0 && i == 0)
        rc = chain_read_begin(&r, key, id, &value, NULL);
    if (rc >= 0 && i > 0) { /* the one in front is trusted, and tells the value */
        r.next_at = w->marks[i - 1].at;
        rc = segment_reader_next(&r, NULL);
        value = r.hash;
    }
    for (; rc >= 0 && i < w->n_marks && segment_reader_next(&r, NULL) == 1; i++)
        if (chain_read_fragment(&r, key, &value, &value, NULL) < 0 || !r.has_hash ||
            !chain_is_equal(&value, &r.hash))
            break;
    segment_reader_fini(&r);
    return i;
}

/* Walks again, up to the fragment that is torn. Values made with another key tell nothing. */
static int leave_out_torn(int fd, uint64_t *bytes, const struct chain_key *key,
                          const struct segment_id *id, struct walk *w, struct err *err)
{
    if (!w->chain.has_before || !w->has_hash || memcmp(w->key_id, key->id, sizeof w->key_id) != 0)
        return 0;
    size_t i = find_torn(fd, *bytes, key, id, w);
    if (i == w->n_marks)
        return 0;
    *bytes = w->marks[i].at;
    walk_fini(w);
    int rc = walk_file(fd, *bytes, w, err);
    return rc == ERR_PARSE ? 0 : rc;
}

static int put_end(int fd, struct walk *w, const struct chain_key *key, uint64_t *bytes,
                   struct err *err)
{
    struct buf buf;
    buf_init(&buf, 0);
    w->facts.has_link = w->chain.has_before && w->has_hash;
    int rc = segment_write_end(&w->facts, w->seeks, w->n_seeks, key,
                               w->facts.has_link ? &w->value : NULL, &w->facts.link, &buf);
    if (rc == 0 && ftruncate(fd, (off_t)w->whole_bytes) < 0)
        rc = -errno;
    if (rc == 0 && pwrite(fd, buf.data, buf.len, (off_t)w->whole_bytes) != (ssize_t)buf.len)
        rc = -EIO;
    /* A disk that is full keeps the segment without its end: still readable. */
    if (rc < 0 && ftruncate(fd, (off_t)w->whole_bytes) == 0) {
        rc = 0;
        buf.len = 0;
        w->facts.link = w->value;
    }
    *bytes = w->whole_bytes + buf.len;
    buf_fini(&buf);
    return rc < 0 ? err_set(err, rc, "close recovered segment") : 0;
}

/* A power cut may leave the end of a file and not what stands in front of it. */
static bool is_end_true(const struct segment_end *end, const struct walk *w, uint64_t bytes)
{
    return w->facts.frames == end->frames && w->whole_bytes < bytes &&
           (!end->has_link || w->has_hash);
}

static int repair_open_file(int fd, const struct chain_key *key, const struct segment_id *id,
                            struct segment_row *row, struct err *err)
{
    struct stat st;
    struct walk w = {0};
    if (fstat(fd, &st) < 0)
        return err_set(err, -errno, "stat segment");
    uint64_t file_bytes = (uint64_t)st.st_size, bytes = file_bytes;
    struct segment_end end = {0};
    int has_end = segment_read_end(fd, bytes, &end, NULL, NULL, err);
    int rc = has_end < 0 ? has_end : walk_file(fd, bytes, &w, err);
    if (rc == 0 || rc == ERR_PARSE)
        rc = leave_out_torn(fd, &bytes, key, id, &w, err);
    if (rc == 0 && has_end == 1 && is_end_true(&end, &w, bytes)) { /* only the row is missing */
        fill_row(row, &end, file_bytes);
        /* blocks that were reserved behind it are free again */
        rc = ftruncate(fd, st.st_size) < 0 ? err_set(err, -errno, "close recovered segment") : 0;
    } else if (rc == 0) {
        w.facts.began = row->began;
        w.facts.ended = row->ended == SEGMENT_DISK ? SEGMENT_DISK : SEGMENT_CRASH;
        rc = ERR_NOT_FOUND;
        if (w.facts.frames > 0)
            rc = put_end(fd, &w, key, &bytes, err);
        if (rc == 0)
            fill_row(row, &w.facts, bytes);
    }
    walk_fini(&w);
    return rc;
}

int repair_segment(int dirfd, const char *path, const struct chain_key *key, bool is_synced,
                   struct segment_row *row, struct err *err)
{
    struct segment_id id = row->id;
    int fd = openat(dirfd, path, O_RDWR | O_CLOEXEC | O_NOFOLLOW);
    if (fd < 0)
        return errno == ENOENT ? ERR_NOT_FOUND : err_set(err, -errno, "open %s", path);
    int64_t from_us = row->id.from_us;
    if (from_us == 0) /* the name says what the hashes say */
        segment_path_parse(path, &id);
    int rc = repair_open_file(fd, key, &id, row, err);
    if (rc == 0 && is_synced && fdatasync(fd) < 0)
        rc = err_set(err, -errno, "sync %s", path);
    close(fd);
    inspect_chain(dirfd, path, row);
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
        if (!has_end) {
            end = w.facts;
            end.has_link = w.chain.has_before && w.has_hash;
            end.link = w.value;
        }
    }
    if (rc >= 0)
        fill_row(row, &end, bytes);
    walk_fini(&w);
    close(fd);
    return rc < 0 ? rc : 0;
}

void inspect_chain(int dirfd, const char *path, struct segment_row *row)
{
    struct segment_reader r;
    int fd = openat(dirfd, path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    row->chain.has_before = false;
    if (fd < 0)
        return;
    if (segment_reader_init(&r, fd, (uint64_t)row->bytes, NULL) >= 0 && r.has_chain) {
        row->chain.has_before = true;
        row->chain.before = r.before;
    }
    segment_reader_fini(&r);
    close(fd);
}
