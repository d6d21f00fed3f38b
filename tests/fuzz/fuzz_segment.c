/* A segment file as a stranger might leave it, through the index's eyes: its end, its hashes, and
 * what recovery makes of it. A mended file must be whole. */
#include <assert.h>
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

#include "storage/chain_read.h"
#include "storage/repair.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static char dir[] = "/tmp/rk-fuzz-segment-XXXXXX";

static void remove_dir(void)
{
    rmdir(dir);
}

static int open_dir(void)
{
    if (mkdtemp(dir) == NULL)
        abort();
    atexit(remove_dir);
    return open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const uint8_t secret[CHAIN_KEY_BYTES];
    static int dirfd = -1;
    struct chain_key key;
    struct chain_file file;
    struct segment_row row = {0}, again = {0};
    if (dirfd < 0)
        dirfd = open_dir();
    int fd = openat(dirfd, "s", O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    if (fd < 0 || write(fd, data, size) != (ssize_t)size)
        abort();
    chain_key_init(&key, secret);
    segment_path_parse("cam/main/2026/09/21/141320.000-1.mp4", &row.id);
    chain_check_file(fd, size, &key, &row.id, &file, NULL);
    close(fd);
    inspect_segment(dirfd, "s", true, &row, NULL);
    if (repair_segment(dirfd, "s", &key, false, &row, NULL) == 0)
        assert(inspect_segment(dirfd, "s", false, &again, NULL) == 0 && again.bytes == row.bytes);
    unlinkat(dirfd, "s", 0);
    return 0;
}
