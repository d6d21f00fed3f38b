#include "storage/chain_check.h"

#include <errno.h>
#include <fcntl.h>

#include "base/log.h"
#include "base/str.h"
#include "storage/chain_read.h"
#include "storage/list.h"
#include "storage/storage_priv.h"

static void tell(struct chain_check *c, const char *path, const char *what)
{
    c->report->n_changed++;
    if (c->fn != NULL)
        c->fn(c->ctx, path, what);
}

/* --- what the catalogue knows of a stream --- */

static int add_strand(void *ctx, const struct chain_row *strand)
{
    struct chain_check *c = ctx;
    c->strands = list_room(c->strands, c->n_strands, sizeof *c->strands);
    c->strands[c->n_strands++] = *strand;
    return 0;
}

static int job_strands(struct db *db, void *ctx, struct err *err)
{
    struct chain_check *c = ctx;
    return db_chains_of(db, c->last.camera, c->last.id.stream, add_strand, c, err);
}

struct stretch {
    const struct segment_id *id;
    int64_t camera, from_us, to_us;
    bool is_deleted;
};

static int note_deletion(void *ctx, int64_t from_us, int64_t to_us, const char *why)
{
    struct stretch *s = ctx;
    (void)why;
    s->is_deleted |= from_us < s->to_us && to_us > s->from_us;
    return 0;
}

static int job_deletions(struct db *db, void *ctx, struct err *err)
{
    struct stretch *s = ctx;
    return db_deletions_in(db, s->id->camera_id, s->id->stream, s->from_us, s->to_us, note_deletion,
                           s, err);
}

/* Whether the ledger says that something was deleted there. */
static bool is_in_ledger(struct chain_check *c, const struct segment_id *id, int64_t from_us,
                         int64_t to_us)
{
    struct stretch s = {.id = id, .from_us = from_us, .to_us = to_us};
    return catalogue_read(c->storage->catalogue, job_deletions, &s, NULL) >= 0 && s.is_deleted;
}

static int job_has_segment(struct db *db, void *ctx, struct err *err)
{
    const struct stretch *s = ctx;
    return db_segment_begins_in(db, s->camera, s->id->stream, s->from_us, s->to_us, err);
}

/* Recording goes on while files are read, which takes hours: whether there is a segment now that
 * was not there when the rows were read, or one that will be. */
static bool has_appeared(const struct chain_check *c, int64_t from_us, int64_t to_us)
{
    struct stretch s = {
        .id = &c->last.id, .camera = c->last.camera, .from_us = from_us, .to_us = to_us};
    return catalogue_read(c->storage->catalogue, job_has_segment, &s, NULL) == 1;
}

/* --- a stream --- */

/* Of strands that ended before then: all segments that may be their ends have been there. */
static void tell_other_ends(struct chain_check *c, int64_t until_us)
{
    char path[SEGMENT_PATH_BYTES];
    for (size_t i = 0; i < c->n_strands; i++) {
        struct chain_end *end = &c->ends[i];
        if (end->is_found || !end->is_other || c->strands[i].last_us >= until_us)
            continue;
        end->is_found = true;
        tell(c, segment_path(&end->other, path),
             "is not the file that was written: the index knows another hash");
    }
}

/* The segment that a strand ends with was not there, and the ledger does not know of it. */
static void finish_stream(struct chain_check *c)
{
    tell_other_ends(c, INT64_MAX);
    char path[SEGMENT_PATH_BYTES];
    for (size_t i = 0; i < c->n_strands; i++) {
        const struct chain_row *strand = &c->strands[i];
        struct segment_id id = c->last.id;
        id.from_us = strand->last_us;
        id.n = 0;
        if (c->ends[i].is_found || is_in_ledger(c, &id, strand->last_us, strand->last_us + 1) ||
            has_appeared(c, strand->last_us, strand->last_us + 1))
            continue;
        segment_path(&id, path);
        *strrchr(path, '-') = '\0';
        tell(c, path, "the segment that began then was taken out: the hash chain ends with it");
    }
    FREE(&c->strands);
    FREE(&c->ends);
    c->n_strands = 0;
}

static int begin_stream(struct chain_check *c, const struct segment_row *row, struct err *err)
{
    if (c->last.camera != 0)
        finish_stream(c);
    c->last = (struct segment_row){.camera = row->camera, .id = row->id};
    c->is_first = true;
    c->is_last_readable = false;
    c->n_tips = 0;
    int rc = catalogue_read(c->storage->catalogue, job_strands, c, err);
    c->ends = xcalloc(c->n_strands + 1, sizeof *c->ends);
    return rc < 0 ? rc : 0;
}

/* Strands go on and begin meanwhile. What was found of an end stays true. */
static void read_strands_again(struct chain_check *c)
{
    struct chain_row *strands = c->strands;
    struct chain_end *ends = c->ends;
    size_t n = c->n_strands;
    c->strands = NULL;
    c->n_strands = 0;
    if (catalogue_read(c->storage->catalogue, job_strands, c, NULL) < 0)
        log_warn("index", "the ends of the hash chains cannot be read again");
    c->ends = xcalloc(c->n_strands + 1, sizeof *c->ends);
    for (size_t i = 0; i < n; i++)
        for (size_t k = 0; k < c->n_strands; k++)
            if (strands[i].first_us == c->strands[k].first_us &&
                strands[i].first_n == c->strands[k].first_n &&
                strands[i].last_us == c->strands[k].last_us)
                c->ends[k] = ends[i];
    free(strands);
    free(ends);
}

/* --- where strands go on --- */

static void remove_tip(struct chain_check *c, size_t i)
{
    c->n_tips--;
    memmove(&c->tips[i], &c->tips[i + 1], (c->n_tips - i) * sizeof c->tips[0]);
}

/* NULL: one that is not known. */
static bool take_tip(struct chain_check *c, const struct chain_value *before)
{
    for (size_t i = c->n_tips; i-- > 0;) {
        const struct chain_tip *tip = &c->tips[i];
        if (before != NULL ? !tip->is_known || !chain_is_equal(&tip->link, before) : tip->is_known)
            continue;
        remove_tip(c, i);
        return true;
    }
    return false;
}

/* NULL: it is not known. */
static void add_tip(struct chain_check *c, const struct chain_value *link)
{
    if (c->n_tips == CHAIN_TIPS)
        remove_tip(c, 0);
    struct chain_tip *tip = &c->tips[c->n_tips++];
    *tip = (struct chain_tip){.is_known = link != NULL};
    if (link != NULL)
        tip->link = *link;
}

/* --- one segment --- */

static bool is_strand_start(const struct chain_check *c, const struct segment_row *row)
{
    for (size_t i = 0; i < c->n_strands; i++)
        if (c->strands[i].first_us == row->id.from_us && c->strands[i].first_n == row->id.n)
            return true;
    return false;
}

static bool is_new_strand(struct chain_check *c, const struct segment_row *row)
{
    read_strands_again(c);
    return is_strand_start(c, row);
}

static void compare_ends(struct chain_check *c, const struct segment_row *row,
                         const struct chain_file *file)
{
    bool is_comparable =
        (file->verdict == CHAIN_WHOLE || file->verdict == CHAIN_NONE) && !row->is_thinned;
    for (size_t i = 0; i < c->n_strands; i++) {
        struct chain_end *end = &c->ends[i];
        if (c->strands[i].last_us != row->id.from_us)
            continue;
        if (!is_comparable || chain_is_equal(&c->strands[i].link, &file->link)) {
            end->is_found = true;
        } else {
            end->is_other = true;
            end->other = row->id;
        }
    }
}

/* Of the oldest segment that is left of a stream: those of its strand in front of it. */
static void compare_front(struct chain_check *c, const char *path, const struct segment_row *row)
{
    for (size_t i = 0; i < c->n_strands; i++) {
        const struct chain_row *strand = &c->strands[i];
        char when[CLOCK_RFC3339_BYTES], text[128];
        if (strand->first_us >= row->id.from_us || strand->last_us < row->id.from_us ||
            is_in_ledger(c, &row->id, strand->first_us, row->id.from_us) ||
            has_appeared(c, strand->first_us, row->id.from_us))
            continue;
        snprintf(text, sizeof text, "segments in front of it were taken out: they began at %s",
                 rfc3339_print(strand->first_us, when));
        tell(c, path, text);
        return;
    }
}

static void compare_links(struct chain_check *c, const char *path, const struct segment_row *row,
                          const struct chain_file *file)
{
    /* two may follow one segment: the next one written, and one that was settled late */
    if (is_strand_start(c, row) || take_tip(c, &file->before) || row->is_thinned)
        return;
    if (c->is_first)
        compare_front(c, path, row);
    else if (!take_tip(c, NULL) &&
             !is_in_ledger(c, &row->id, c->last.id.from_us, row->id.from_us) &&
             !has_appeared(c, c->last.id.from_us + 1, row->id.from_us) && !is_new_strand(c, row))
        tell(c, path,
             "does not follow the segment in front: one between was taken out or exchanged");
}

static void judge(struct chain_check *c, const char *path, const struct segment_row *row,
                  const struct chain_file *file, const struct err *problem)
{
    compare_ends(c, row, file);
    const struct chain_value *link = file->has_link && !row->is_thinned ? &file->link : NULL;
    switch (file->verdict) {
    case CHAIN_BROKEN:
        tell(c, path, problem->msg);
        take_tip(c, &file->before);
        add_tip(c, link);
        return;
    case CHAIN_FOREIGN:
        c->report->n_foreign++;
        add_tip(c, NULL);
        return;
    case CHAIN_NONE:
        if (c->is_last_readable && c->last.chain.has_link)
            tell(c, path, "has no hashes, though the segment in front has");
        return;
    case CHAIN_WHOLE:
        compare_links(c, path, row, file);
        add_tip(c, link);
        if (row->ended ==
            SEGMENT_DISK) /* what follows may have been linked to what the disk lost */
            add_tip(c, NULL);
        return;
    }
}

int chain_check_row(struct chain_check *c, int dirfd, const char *path,
                    const struct segment_row *row, struct err *err)
{
    struct chain_file file;
    struct err problem = {0};
    int rc = 0;
    if (row->camera != c->last.camera || row->id.stream != c->last.id.stream)
        rc = begin_stream(c, row, err);
    if (rc < 0)
        return rc;
    tell_other_ends(c, row->id.from_us);
    int fd = openat(dirfd, path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    bool is_readable = fd >= 0 && chain_check_file(fd, (uint64_t)row->bytes, &c->storage->chain,
                                                   &row->id, &file, &problem) == 0;
    if (fd >= 0) {
        posix_fadvise(fd, 0, 0, POSIX_FADV_DONTNEED); /* recording needs the memory */
        close(fd);
    }
    if (is_readable)
        judge(c, path, row, &file, &problem);
    else
        add_tip(c, NULL);
    c->is_first = false;
    c->last = *row;
    c->is_last_readable = is_readable && file.verdict != CHAIN_FOREIGN;
    if (is_readable)
        c->last.chain = (struct segment_chain){true, file.has_link, file.before, file.link};
    return 0;
}

/* --- streams without any row --- */

struct bare_streams {
    struct segment_row *list; /* camera and stream only */
    size_t n;
};

static int add_bare(void *ctx, int64_t camera, const char *camera_id, enum stream_kind stream)
{
    struct bare_streams *b = ctx;
    b->list = list_room(b->list, b->n, sizeof *b->list);
    struct segment_row *row = &b->list[b->n++];
    *row = (struct segment_row){.camera = camera, .id.stream = stream};
    str_copy(row->id.camera_id, sizeof row->id.camera_id, camera_id);
    return 0;
}

static int job_bare(struct db *db, void *ctx, struct err *err)
{
    return db_chains_bare(db, add_bare, ctx, err);
}

int chain_check_finish(struct chain_check *c, struct err *err)
{
    struct bare_streams bare = {0};
    int rc = catalogue_read(c->storage->catalogue, job_bare, &bare, err);
    for (size_t i = 0; i < bare.n && rc >= 0; i++)
        rc = begin_stream(c, &bare.list[i], err);
    if (c->last.camera != 0)
        finish_stream(c);
    c->last = (struct segment_row){0};
    free(bare.list);
    return rc < 0 ? rc : 0;
}

void chain_check_fini(struct chain_check *c)
{
    free(c->strands);
    free(c->ends);
}
