#include "stamps.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>

#include "base/mem.h"

int stamps_create(const char *path, size_t n_cameras, size_t n_units, struct stamps **out,
                  struct err *err)
{
    size_t bytes = stamps_bytes(n_cameras, n_units);
    int fd = open(path, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
    if (fd < 0)
        return err_set(err, -errno, "create %s", path);
    void *p = MAP_FAILED;
    if (ftruncate(fd, (off_t)bytes) == 0)
        p = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    int rc = p == MAP_FAILED ? err_set(err, -errno, "map %s", path) : 0;
    close(fd);
    if (rc < 0)
        return rc;
    *out = p;
    (*out)->n_cameras = n_cameras;
    (*out)->n_units = n_units;
    (*out)->magic = STAMPS_MAGIC;
    return 0;
}

int stamps_open(const char *path, struct stamps **out, struct err *err)
{
    struct stat st;
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return err_set(err, -errno, "open %s", path);
    void *p = MAP_FAILED;
    if (fstat(fd, &st) == 0 && (size_t)st.st_size >= sizeof(struct stamps))
        p = mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_SHARED, fd, 0);
    close(fd);
    if (p == MAP_FAILED)
        return err_text(err, ERR_INVALID, "%s: no table of times", path);
    struct stamps *s = p;
    if (s->magic != STAMPS_MAGIC || stamps_bytes(s->n_cameras, s->n_units) != (size_t)st.st_size) {
        munmap(p, (size_t)st.st_size);
        return err_text(err, ERR_INVALID, "%s: no table of times", path);
    }
    *out = s;
    return 0;
}

void stamps_close(struct stamps **s)
{
    if (*s)
        munmap(*s, stamps_bytes((*s)->n_cameras, (*s)->n_units));
    *s = NULL;
}
