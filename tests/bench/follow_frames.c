/* Checks recordings while they are being written (tally.h) and gives the space of what was checked
 * back to the file system by punching holes, so that hours of a thousand cameras fit into memory:
 * the files keep their length and lose their bytes.
 * usage: follow_frames IDENTITY_FILE DIRECTORY…  one directory per camera stream, with *.mp4
 *        follow_frames - DIRECTORY…              only gives space back, of *.rtp
 * Ends when its standard input ends: then it looks at the rest and prints like check_frames. */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/mem.h"
#include "files.h"
#include "tally.h"

#define PASS_MS    1000
#define READ_BYTES (8u << 20) /* more than a fragment */

/* A camera and the file that is read now. */
struct follower {
    const char *dir;
    char *path; /* NULL = none yet */
    int fd;
    uint64_t at; /* everything in front was looked at */
    bool has_init, is_end, is_bad;
    struct fmp4_init init;
    struct tally tally;
};

struct bench {
    struct identity_table table;
    bool is_checking;
    struct fmp4_read_fragment fragment;
    uint8_t *bytes;
};

static void punch(int fd, uint64_t from, uint64_t to)
{
    if (to > from && fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, (off_t)from,
                               (off_t)(to - from)) < 0) {
        fprintf(stderr, "follow_frames: the file system cannot punch holes: %s\n", strerror(errno));
        exit(1);
    }
}

/* Returns what of the bytes at `at` can be forgotten; 0 = wait for more. */
static size_t look(struct bench *b, struct follower *f, size_t n)
{
    struct err err = {0};
    size_t at = 0;
    if (!f->has_init) {
        int rc = fmp4_read_init(b->bytes, n, &f->init, &at, &err);
        f->has_init = rc >= 0;
        return rc >= 0 ? at : 0; /* perhaps only half of it is there */
    }
    int64_t used = tally_fragments(&f->tally, &b->table, &f->init, &b->fragment, b->bytes, n,
                                   &f->is_end, &err);
    if (used < 0) {
        fprintf(stderr, "%s: %s\n", f->path, err.msg);
        f->is_bad = f->is_end = true;
    }
    return used < 0 ? 0 : (size_t)used;
}

static void read_on(struct bench *b, struct follower *f)
{
    uint64_t from = f->at;
    while (!f->is_end) {
        ssize_t n = pread(f->fd, b->bytes, READ_BYTES, (off_t)f->at);
        size_t used = n > 0 ? look(b, f, (size_t)n) : 0;
        if (used == 0)
            break;
        f->at += used;
    }
    punch(f->fd, from & ~UINT64_C(4095), f->at & ~UINT64_C(4095));
}

static void close_file(struct follower *f)
{
    if (!f->path)
        return;
    close(f->fd);
    fmp4_init_fini(&f->init);
    FREE(&f->path);
}

static void open_file(struct follower *f, const char *path)
{
    close_file(f);
    f->fd = open(path, O_RDWR | O_CLOEXEC);
    if (f->fd < 0)
        return;
    f->path = xstrdup(path);
    f->at = 0;
    f->has_init = f->is_end = false;
    f->init = (struct fmp4_init){0};
    f->tally.n_files++;
}

static void follow(struct bench *b, struct follower *f)
{
    struct files files = {0};
    files_find(f->dir, ".mp4", &files);
    for (size_t i = 0; i < files.n; i++) {
        int order = f->path ? strcmp(files.list[i], f->path) : 1;
        if (order > 0)
            open_file(f, files.list[i]);
        if (order >= 0 && f->path)
            read_on(b, f);
    }
    files_free(&files);
}

static void discard(const char *dir)
{
    struct files files = {0};
    struct stat st;
    files_find(dir, ".rtp", &files);
    for (size_t i = 0; i < files.n; i++) {
        int fd = open(files.list[i], O_RDWR | O_CLOEXEC);
        if (fd >= 0 && fstat(fd, &st) == 0)
            punch(fd, 0, (uint64_t)st.st_size & ~UINT64_C(4095));
        close(fd);
    }
    files_free(&files);
}

static bool is_over(void)
{
    char byte;
    struct pollfd in = {.fd = 0, .events = POLLIN};
    return poll(&in, 1, PASS_MS) > 0 && read(0, &byte, 1) <= 0;
}

int main(int argc, char **argv)
{
    struct bench b = {.bytes = xmalloc(READ_BYTES)};
    struct rlimit files = {10000, 10000};
    bool is_bad = false, is_last;
    size_t n = argc > 2 ? (size_t)argc - 2 : 0;
    if (n == 0) {
        fprintf(stderr, "usage: follow_frames IDENTITY_FILE|- DIRECTORY...\n");
        return 2;
    }
    b.is_checking = strcmp(argv[1], "-") != 0;
    if (b.is_checking && identity_read(argv[1], &b.table) < 0) {
        fprintf(stderr, "follow_frames: %s cannot be read\n", argv[1]);
        return 2;
    }
    setrlimit(RLIMIT_NOFILE, &files);
    struct follower *followers = xcalloc(n, sizeof *followers);
    for (size_t i = 0; i < n; i++)
        followers[i].dir = argv[i + 2];
    do {
        is_last = is_over();
        for (size_t i = 0; i < n; i++) {
            if (b.is_checking)
                follow(&b, &followers[i]);
            else
                discard(followers[i].dir);
        }
    } while (!is_last);
    for (size_t i = 0; i < n && b.is_checking; i++) {
        is_bad =
            tally_print(&followers[i].tally, followers[i].dir) || followers[i].is_bad || is_bad;
        close_file(&followers[i]);
    }
    free(followers);
    free(b.bytes);
    fmp4_read_fragment_fini(&b.fragment);
    if (b.is_checking)
        identity_free(&b.table);
    return is_bad ? 1 : 0;
}
