/* Looks through finished recordings (tally.h).
 * usage: check_frames IDENTITY_FILE DIRECTORY…   one directory per camera stream, searched for
 * *.mp4 */
#include <errno.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/mem.h"
#include "files.h"
#include "tally.h"

static int check_bytes(const uint8_t *p, size_t n, const struct identity_table *t,
                       struct tally *tally, struct err *err)
{
    struct fmp4_init init = {0};
    struct fmp4_read_fragment f = {0};
    size_t at = 0;
    bool is_end = false;
    int64_t rc = fmp4_read_init(p, n, &init, &at, err);
    if (rc >= 0)
        rc = tally_fragments(tally, t, &init, &f, p + at, n - at, &is_end, err);
    fmp4_read_fragment_fini(&f);
    fmp4_init_fini(&init);
    return rc < 0 ? (int)rc : 0;
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
    tally->n_files++;
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
        struct files files = {0};
        struct tally tally = {0};
        files_find(argv[i], ".mp4", &files);
        for (size_t k = 0; k < files.n; k++)
            is_bad = check_file(files.list[k], &table, &tally) < 0 || is_bad;
        is_bad = tally_print(&tally, argv[i]) || is_bad;
        files_free(&files);
    }
    identity_free(&table);
    return is_bad ? 1 : 0;
}
