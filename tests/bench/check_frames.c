/* Proves from the recordings alone that no picture was lost, doubled or put in the wrong order: the
 * slices of every recorded access unit are looked up in the table the simulator wrote, and must be
 * the loop's pictures k, k+1, k+2 … in a circle.
 * usage: check_frames IDENTITY_FILE DIRECTORY…   one directory per camera stream, searched for
 * *.mp4 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <sys/mman.h>
#include <sys/stat.h>

#include "base/mem.h"
#include "base/str.h"
#include "identity.h"
#include "media/fmp4.h"
#include "rig/vcl.h"

#define MAX_FILES  100000
#define PATH_BYTES 1024

/* What is known of one camera so far. */
struct tally {
    uint64_t n_frames, n_missing, n_doubled, n_unknown, n_breaks, n_bytes;
    uint64_t n_sounds;
    int64_t media_90k;                /* of the durations of all pictures */
    int64_t from_wall_us, to_wall_us; /* of the first fragment, and of the end of the newest */
    size_t expected;                  /* next place in the loop */
    bool has_started;
};

struct paths {
    char **list;
    size_t n;
};

static void find_files(const char *dir, struct paths *out)
{
    DIR *d = opendir(dir);
    struct dirent *e;
    if (!d)
        return;
    while ((e = readdir(d))) {
        if (e->d_name[0] == '.' || out->n >= MAX_FILES)
            continue;
        char *path = xasprintf("%s/%s", dir, e->d_name);
        if (str_ends(path, ".mp4")) {
            out->list = xrealloc(out->list, (out->n + 1) * sizeof *out->list);
            out->list[out->n++] = path;
            continue;
        }
        find_files(path, out);
        free(path);
    }
    closedir(d);
}

static int by_name(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

static void count_frame(const struct identity_table *t, uint64_t identity, struct tally *tally)
{
    tally->n_frames++;
    size_t place = identity_find(t, identity, tally->has_started ? tally->expected : t->n);
    if (place == IDENTITY_NONE) {
        tally->n_unknown++;
        return;
    }
    if (tally->has_started && place != tally->expected) {
        size_t jump = (place + t->n - tally->expected) % t->n;
        tally->n_breaks++;
        if (jump < t->n / 2)
            tally->n_missing += jump;
        else
            tally->n_doubled += t->n - jump;
    }
    tally->has_started = true;
    tally->expected = (place + 1) % t->n;
}

static void count_time(const struct fmp4_read_fragment *f, struct tally *tally)
{
    int64_t ticks = 0;
    for (size_t i = 0; i < f->n_samples; i++) {
        tally->n_sounds += !f->samples[i].is_video;
        ticks += f->samples[i].is_video ? f->samples[i].duration : 0;
    }
    if (tally->media_90k == 0)
        tally->from_wall_us = f->wall_us;
    tally->media_90k += ticks;
    tally->to_wall_us = f->wall_us + ticks * 100 / 9;
}

static int check_bytes(const uint8_t *p, size_t n, const struct identity_table *t,
                       struct tally *tally, struct err *err)
{
    struct fmp4_init init = {0};
    struct fmp4_read_fragment f = {0};
    size_t at = 0;
    int rc = fmp4_read_init(p, n, &init, &at, err);
    while (rc >= 0 && at < n) {
        size_t need = 0;
        rc = fmp4_read_fragment(p + at, n - at, &f, &need, err);
        if (rc <= 0 || f.size > n - at)
            break;
        count_time(&f, tally);
        for (size_t i = 0; i < f.n_samples; i++) {
            const struct fmp4_read_sample *s = &f.samples[i];
            if (s->is_video && init.video)
                count_frame(t, vcl_hash(init.video->codec, p + at + s->offset, s->size), tally);
        }
        at += f.size;
    }
    fmp4_read_fragment_fini(&f);
    fmp4_init_fini(&init);
    return rc == ERR_EOF ? 0 : rc;
}

static int check_file(const char *path, const struct identity_table *t, struct tally *tally)
{
    struct stat st;
    struct err err = {0};
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0 || fstat(fd, &st) < 0)
        return -errno;
    int rc = 0;
    if (st.st_size > 0) {
        uint8_t *p = mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_PRIVATE, fd, 0);
        rc = p == MAP_FAILED ? -errno : check_bytes(p, (size_t)st.st_size, t, tally, &err);
        if (p != MAP_FAILED)
            munmap(p, (size_t)st.st_size);
    }
    close(fd);
    if (rc < 0)
        fprintf(stderr, "%s: %s\n", path, err.msg[0] ? err.msg : err_name(rc));
    tally->n_bytes += (uint64_t)st.st_size;
    return rc;
}

int main(int argc, char **argv)
{
    struct identity_table table;
    bool is_bad = false;
    if (argc < 3) {
        fprintf(stderr, "usage: check_frames IDENTITY_FILE DIRECTORY...\n");
        return 2;
    }
    if (identity_read(argv[1], &table) < 0) {
        fprintf(stderr, "check_frames: %s cannot be read\n", argv[1]);
        return 2;
    }
    for (int i = 2; i < argc; i++) {
        struct paths paths = {0};
        struct tally tally = {0};
        find_files(argv[i], &paths);
        qsort(paths.list, paths.n, sizeof *paths.list, by_name);
        for (size_t k = 0; k < paths.n; k++) {
            is_bad = check_file(paths.list[k], &table, &tally) < 0 || is_bad;
            free(paths.list[k]);
        }
        printf("%s files=%zu frames=%" PRIu64 " missing=%" PRIu64 " doubled=%" PRIu64
               " unknown=%" PRIu64 " breaks=%" PRIu64 " bytes=%" PRIu64 " sounds=%" PRIu64
               " media_ms=%" PRId64 " from_ms=%" PRId64 " to_ms=%" PRId64 "\n",
               argv[i], paths.n, tally.n_frames, tally.n_missing, tally.n_doubled, tally.n_unknown,
               tally.n_breaks, tally.n_bytes, tally.n_sounds, tally.media_90k / 90,
               tally.from_wall_us / 1000, tally.to_wall_us / 1000);
        is_bad = is_bad || tally.n_frames == 0 || tally.n_breaks > 0 || tally.n_unknown > 0;
        free(paths.list);
    }
    identity_free(&table);
    return is_bad ? 1 : 0;
}
