#include "tap.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/vfs.h>
#include <time.h>
#include <unistd.h>

#include "journal.h"

/* Everything the tap does itself goes to the kernel directly: there is nothing to be found first,
 * and no other library that stands in between is disturbed. */

enum { FD_MAX = 65536, PATH_BYTES = 4096, DEATH = 42 };
enum { FD_OTHER = 0, FD_FILE = 1, FD_CATALOGUE = 2, FD_DIRECTORY = 3 };

static struct {
    pthread_mutex_t lock;
    char root[PATH_BYTES]; /* empty = nothing is watched */
    size_t root_len;
    int journal_fd; /* -1 = none */
    bool is_sync_skipped;
    atomic_int steps, steps_to_death;
    _Atomic uint64_t n_syncs;
    struct tap_control *control;
    atomic_uchar fds[FD_MAX];
} tap = {.lock = PTHREAD_MUTEX_INITIALIZER, .journal_fd = -1};

/* --- which file is meant --- */

static bool path_of_fd(int fd, char path[PATH_BYTES])
{
    char link[40];
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    ssize_t n = syscall(SYS_readlinkat, AT_FDCWD, link, path, PATH_BYTES - 1);
    path[n > 0 ? n : 0] = '\0';
    return n > 0;
}

static bool path_at(int dirfd, const char *name, char path[PATH_BYTES])
{
    char dir[PATH_BYTES] = "";
    if (name[0] != '/') {
        if (dirfd == AT_FDCWD ? getcwd(dir, sizeof dir) == NULL : !path_of_fd(dirfd, dir))
            return false;
        if (strcmp(name, ".") == 0)
            name = "";
    }
    int n = snprintf(path, PATH_BYTES, "%s%s%s", dir, dir[0] != '\0' && name[0] != '\0' ? "/" : "",
                     name);
    while (n > 1 && n < PATH_BYTES && path[n - 1] == '/')
        path[--n] = '\0';
    return n < PATH_BYTES;
}

/* Below the root: the rest of the path ("" for the root itself), else NULL. */
static const char *below_root(const char *path)
{
    if (tap.root_len == 0 || strncmp(path, tap.root, tap.root_len) != 0)
        return NULL;
    const char *rest = path + tap.root_len;
    if (*rest != '\0' && *rest != '/')
        return NULL;
    rest += *rest == '/';
    const char *dash = strrchr(rest, '-');
    return dash != NULL && strcmp(dash, "-shm") == 0 ? NULL : rest;
}

static bool is_catalogue(const char *path)
{
    return strstr(path, "catalog.db") != NULL;
}

static int kind_of(int fd)
{
    return fd >= 0 && fd < FD_MAX ? atomic_load(&tap.fds[fd]) : FD_OTHER;
}

static uint64_t inode_of(int fd)
{
    struct stat st;
    return fstat(fd, &st) == 0 ? st.st_ino : 0;
}

/* --- the journal --- */

static int64_t now_us(clockid_t clock)
{
    struct timespec ts;
    syscall(SYS_clock_gettime, clock, &ts);
    return ts.tv_sec * INT64_C(1000000) + ts.tv_nsec / 1000;
}

static void append(struct journal_record head, const char *a, const char *b,
                   const struct iovec *data, size_t n_data)
{
    if (tap.journal_fd < 0)
        return;
    static const char zeros[8];
    struct iovec iov[1024 + 4];
    size_t n = 3, left = head.n;
    head.magic = JOURNAL_MAGIC;
    head.n_a = (uint16_t)(a != NULL ? strlen(a) : 0);
    head.n_b = (uint16_t)(b != NULL ? strlen(b) : 0);
    head.mono_us = now_us(CLOCK_MONOTONIC);
    head.wall_us = now_us(CLOCK_REALTIME);
    iov[0] = (struct iovec){&head, sizeof head};
    iov[1] = (struct iovec){(void *)a, head.n_a};
    iov[2] = (struct iovec){(void *)b, head.n_b};
    size_t total = sizeof head + head.n_a + head.n_b;
    for (size_t i = 0; i < n_data && left > 0; i++) { /* a short write is noted as short */
        size_t part = data[i].iov_len < left ? data[i].iov_len : left;
        iov[n++] = (struct iovec){data[i].iov_base, part};
        left -= part;
        total += part;
    }
    size_t pad = -total % sizeof zeros;
    iov[n++] = (struct iovec){(void *)zeros, pad};
    if (syscall(SYS_writev, tap.journal_fd, iov, n) != (long)(total + pad))
        abort(); /* a journal with a hole proves nothing */
}

static void note_path(enum journal_type type, uint64_t file, const char *a, const char *b)
{
    append((struct journal_record){.type = (uint16_t)type, .file = file}, a, b, NULL, 0);
}

static void note_size(enum journal_type type, int fd, uint64_t size)
{
    append((struct journal_record){.type = (uint16_t)type, .file = inode_of(fd), .at = size}, NULL,
           NULL, NULL, 0);
}

/* --- faults --- */

static void wait_ms(uint32_t ms)
{
    struct timespec ts = {ms / 1000, ms % 1000 * 1000000L};
    syscall(SYS_nanosleep, &ts, NULL);
}

/* What the rules say to an operation on this path: 0 or an errno. */
static int rule_for(enum tap_op op, const char *path)
{
    for (int i = 0; tap.control != NULL && i < TAP_RULES; i++) {
        struct tap_rule *rule = &tap.control->rules[i];
        uint32_t ops = __atomic_load_n(&rule->ops, __ATOMIC_ACQUIRE);
        if ((ops & (uint32_t)op) == 0 || strncmp(path, rule->path, strlen(rule->path)) != 0)
            continue;
        __atomic_fetch_add(&rule->n_hits, 1, __ATOMIC_RELAXED);
        uint32_t delay_ms = rule->delay_ms;
        int error = rule->error;
        if (delay_ms > 0)
            wait_ms(delay_ms);
        if (error != 0)
            return error;
    }
    return 0;
}

static bool is_refused_path(enum tap_op op, const char *path)
{
    int error = tap.control != NULL ? rule_for(op, path) : 0;
    if (error != 0)
        errno = error;
    return error != 0;
}

static bool is_refused_fd(enum tap_op op, int fd)
{
    char path[PATH_BYTES];
    return tap.control != NULL && path_of_fd(fd, path) && is_refused_path(op, path);
}

/* True when the process is to end in this step. */
static bool is_last_step(void)
{
    if (tap.root_len == 0)
        return false;
    atomic_fetch_add(&tap.steps, 1);
    return atomic_load(&tap.steps_to_death) > 0 && atomic_fetch_sub(&tap.steps_to_death, 1) == 1;
}

static void step(bool is_counted)
{
    if (is_counted && is_last_step())
        _exit(DEATH);
}

/* --- names --- */

static int open_file(int dirfd, const char *name, int flags, mode_t mode)
{
    char path[PATH_BYTES];
    const char *rest = path_at(dirfd, name, path) ? below_root(path) : NULL;
    bool is_made = false;
    if ((flags & O_CREAT) != 0 && tap.control != NULL) {
        if (is_refused_path(TAP_CREATE, path))
            return -1;
    }
    if (rest == NULL) {
        int fd = (int)syscall(SYS_openat, dirfd, name, flags, mode);
        if (fd >= 0 && fd < FD_MAX) /* closedir closes unseen: the number may be known as ours */
            atomic_store(&tap.fds[fd], FD_OTHER);
        return fd;
    }
    pthread_mutex_lock(&tap.lock);
    if ((flags & O_CREAT) != 0) {
        struct stat st;
        is_made = fstatat(dirfd, name, &st, AT_SYMLINK_NOFOLLOW) < 0;
        step(is_made && !is_catalogue(rest));
    }
    int fd = (int)syscall(SYS_openat, dirfd, name, flags, mode);
    if (fd >= 0 && fd < FD_MAX) {
        struct stat st;
        bool is_dir = fstat(fd, &st) == 0 && S_ISDIR(st.st_mode);
        atomic_store(&tap.fds[fd], is_dir               ? FD_DIRECTORY
                                   : is_catalogue(rest) ? FD_CATALOGUE
                                                        : FD_FILE);
        if (is_made)
            note_path(JOURNAL_CREATE, st.st_ino, rest, NULL);
        else if ((flags & O_TRUNC) != 0 && !is_dir)
            note_size(JOURNAL_SIZE, fd, 0);
    }
    pthread_mutex_unlock(&tap.lock);
    return fd;
}

static mode_t mode_of(int flags, va_list args)
{
    return (flags & (O_CREAT | O_TMPFILE)) != 0 ? (mode_t)va_arg(args, int) : 0;
}

int openat(int dirfd, const char *name, int flags, ...)
{
    va_list args;
    va_start(args, flags);
    mode_t mode = mode_of(flags, args);
    va_end(args);
    return open_file(dirfd, name, flags, mode);
}

int open(const char *name, int flags, ...)
{
    va_list args;
    va_start(args, flags);
    mode_t mode = mode_of(flags, args);
    va_end(args);
    return open_file(AT_FDCWD, name, flags, mode);
}

int close(int fd)
{
    if (fd >= 0 && fd < FD_MAX)
        atomic_store(&tap.fds[fd], FD_OTHER);
    return (int)syscall(SYS_close, fd);
}

int dup3(int from, int to, int flags)
{
    int fd = (int)syscall(SYS_dup3, from, to, flags);
    if (fd >= 0 && fd < FD_MAX)
        atomic_store(&tap.fds[fd], (unsigned char)kind_of(from));
    return fd;
}

int mkdirat(int dirfd, const char *name, mode_t mode)
{
    char path[PATH_BYTES];
    const char *rest = path_at(dirfd, name, path) ? below_root(path) : NULL;
    struct stat st;
    if (rest == NULL || fstatat(dirfd, name, &st, AT_SYMLINK_NOFOLLOW) == 0)
        return (int)syscall(SYS_mkdirat, dirfd, name, mode);
    if (is_refused_path(TAP_CREATE, path))
        return -1;
    pthread_mutex_lock(&tap.lock);
    step(true);
    int rc = (int)syscall(SYS_mkdirat, dirfd, name, mode);
    if (rc == 0)
        note_path(JOURNAL_MKDIR, 0, rest, NULL);
    pthread_mutex_unlock(&tap.lock);
    return rc;
}

int mkdir(const char *name, mode_t mode)
{
    return mkdirat(AT_FDCWD, name, mode);
}

int unlinkat(int dirfd, const char *name, int flags)
{
    char path[PATH_BYTES];
    const char *rest = path_at(dirfd, name, path) ? below_root(path) : NULL;
    if (rest == NULL)
        return (int)syscall(SYS_unlinkat, dirfd, name, flags);
    if (is_refused_path(TAP_REMOVE, path))
        return -1;
    pthread_mutex_lock(&tap.lock);
    step(!is_catalogue(rest));
    int rc = (int)syscall(SYS_unlinkat, dirfd, name, flags);
    if (rc == 0)
        note_path((flags & AT_REMOVEDIR) != 0 ? JOURNAL_RMDIR : JOURNAL_UNLINK, 0, rest, NULL);
    pthread_mutex_unlock(&tap.lock);
    return rc;
}

int unlink(const char *name)
{
    return unlinkat(AT_FDCWD, name, 0);
}

int rmdir(const char *name)
{
    return unlinkat(AT_FDCWD, name, AT_REMOVEDIR);
}

static int name_again(enum journal_type type, int from_fd, const char *from, int to_fd,
                      const char *to)
{
    char a[PATH_BYTES], b[PATH_BYTES];
    const char *rest_a = path_at(from_fd, from, a) ? below_root(a) : NULL;
    const char *rest_b = path_at(to_fd, to, b) ? below_root(b) : NULL;
    bool is_watched = rest_a != NULL && rest_b != NULL;
    if (is_watched && is_refused_path(TAP_REMOVE, b))
        return -1;
    pthread_mutex_lock(&tap.lock);
    step(is_watched && !is_catalogue(rest_b));
    int rc = type == JOURNAL_LINK ? (int)syscall(SYS_linkat, from_fd, from, to_fd, to, 0)
                                  : (int)syscall(SYS_renameat2, from_fd, from, to_fd, to, 0);
    if (rc == 0 && is_watched)
        note_path(type, 0, rest_a, rest_b);
    pthread_mutex_unlock(&tap.lock);
    return rc;
}

int renameat(int from_fd, const char *from, int to_fd, const char *to)
{
    return name_again(JOURNAL_RENAME, from_fd, from, to_fd, to);
}

int link(const char *from, const char *to)
{
    return name_again(JOURNAL_LINK, AT_FDCWD, from, AT_FDCWD, to);
}

int rename(const char *from, const char *to)
{
    return renameat(AT_FDCWD, from, AT_FDCWD, to);
}

/* --- bytes --- */

/* Of the process's last step half arrives. */
static void write_half(int fd, const struct iovec *iov, int n, off_t at)
{
    struct iovec half[1024];
    memcpy(half, iov, (size_t)n * sizeof *iov);
    half[n - 1].iov_len /= 2;
    long rc = syscall(SYS_pwritev, fd, half, n, at, 0);
    size_t left = rc > 0 ? (size_t)rc : 0;
    append(
        (struct journal_record){
            .type = JOURNAL_WRITE, .file = inode_of(fd), .at = (uint64_t)at, .n = left},
        NULL, NULL, half, (size_t)n);
    _exit(DEATH);
}

/* at < 0: where the file's own position is. */
static ssize_t write_at(int fd, const struct iovec *iov, int n, off_t at)
{
    int kind = kind_of(fd);
    if (kind == FD_OTHER)
        return at < 0 ? syscall(SYS_writev, fd, iov, n) : syscall(SYS_pwritev, fd, iov, n, at, 0);
    if (is_refused_fd(TAP_WRITE, fd))
        return -1;
    pthread_mutex_lock(&tap.lock);
    off_t begin = at >= 0 ? at : syscall(SYS_lseek, fd, 0, SEEK_CUR);
    if (kind == FD_FILE && is_last_step())
        write_half(fd, iov, n, begin);
    ssize_t rc = at < 0 ? syscall(SYS_writev, fd, iov, n) : syscall(SYS_pwritev, fd, iov, n, at, 0);
    if (rc > 0)
        append((struct journal_record){.type = JOURNAL_WRITE,
                                       .file = inode_of(fd),
                                       .at = (uint64_t)begin,
                                       .n = (uint64_t)rc},
               NULL, NULL, iov, (size_t)n);
    pthread_mutex_unlock(&tap.lock);
    return rc;
}

ssize_t write(int fd, const void *p, size_t n)
{
    struct iovec iov = {(void *)p, n};
    return kind_of(fd) == FD_OTHER ? syscall(SYS_write, fd, p, n) : write_at(fd, &iov, 1, -1);
}

ssize_t writev(int fd, const struct iovec *iov, int n)
{
    return write_at(fd, iov, n, -1);
}

ssize_t pwrite(int fd, const void *p, size_t n, off_t at)
{
    struct iovec iov = {(void *)p, n};
    return write_at(fd, &iov, 1, at);
}

ssize_t pwritev(int fd, const struct iovec *iov, int n, off_t at)
{
    return write_at(fd, iov, n, at);
}

ssize_t read(int fd, void *p, size_t n)
{
    if (kind_of(fd) != FD_OTHER && is_refused_fd(TAP_READ, fd))
        return -1;
    return syscall(SYS_read, fd, p, n);
}

ssize_t pread(int fd, void *p, size_t n, off_t at)
{
    if (kind_of(fd) != FD_OTHER && is_refused_fd(TAP_READ, fd))
        return -1;
    return syscall(SYS_pread64, fd, p, n, at);
}

int ftruncate(int fd, off_t size)
{
    int kind = kind_of(fd);
    if (kind == FD_OTHER)
        return (int)syscall(SYS_ftruncate, fd, size);
    if (is_refused_fd(TAP_WRITE, fd))
        return -1;
    pthread_mutex_lock(&tap.lock);
    step(kind == FD_FILE);
    int rc = (int)syscall(SYS_ftruncate, fd, size);
    if (rc == 0)
        note_size(JOURNAL_SIZE, fd, (uint64_t)size);
    pthread_mutex_unlock(&tap.lock);
    return rc;
}

int fallocate(int fd, int mode, off_t at, off_t n)
{
    int kind = kind_of(fd);
    if (kind == FD_OTHER)
        return (int)syscall(SYS_fallocate, fd, mode, at, n);
    if (is_refused_fd(TAP_WRITE, fd))
        return -1;
    pthread_mutex_lock(&tap.lock);
    step(kind == FD_FILE);
    int rc = (int)syscall(SYS_fallocate, fd, mode, at, n);
    if (rc == 0 && (mode & FALLOC_FL_KEEP_SIZE) == 0)
        note_size(JOURNAL_ALLOC, fd, (uint64_t)(at + n));
    pthread_mutex_unlock(&tap.lock);
    return rc;
}

int posix_fallocate(int fd, off_t at, off_t n)
{
    return fallocate(fd, 0, at, n) == 0 ? 0 : errno;
}

/* --- syncs --- */

static int sync_fd(int fd, long call, enum journal_scope scope)
{
    int kind = kind_of(fd);
    char path[PATH_BYTES] = "";
    if (kind == FD_OTHER)
        return (int)syscall(call, fd);
    if (is_refused_fd(TAP_SYNC, fd))
        return -1;
    if (kind == FD_DIRECTORY && !path_of_fd(fd, path))
        return -1;
    if (kind == FD_DIRECTORY && scope == JOURNAL_OF_FILE)
        scope = JOURNAL_OF_DIRECTORY;
    const char *rest = path[0] != '\0' ? below_root(path) : NULL;
    struct journal_record head = {.type = JOURNAL_SYNC,
                                  .file = inode_of(fd),
                                  .at = atomic_fetch_add(&tap.n_syncs, 1) + 1,
                                  .n = (uint64_t)scope};
    pthread_mutex_lock(&tap.lock);
    step(true);
    append(head, rest, NULL, NULL, 0);
    pthread_mutex_unlock(&tap.lock);
    int rc = tap.is_sync_skipped ? 0 : (int)syscall(call, fd);
    pthread_mutex_lock(&tap.lock);
    head.type = JOURNAL_SYNCED;
    head.n = 0;
    if (rc == 0)
        append(head, NULL, NULL, NULL, 0);
    pthread_mutex_unlock(&tap.lock);
    return rc;
}

int fsync(int fd)
{
    return sync_fd(fd, SYS_fsync, JOURNAL_OF_FILE);
}

int fdatasync(int fd)
{
    return sync_fd(fd, SYS_fdatasync, JOURNAL_OF_FILE);
}

int syncfs(int fd)
{
    return sync_fd(fd, SYS_syncfs, JOURNAL_OF_TREE);
}

/* --- space and time --- */

int fstatvfs(int fd, struct statvfs *out)
{
    char path[PATH_BYTES];
    struct statfs st;
    int error = tap.control != NULL && path_of_fd(fd, path) ? rule_for(TAP_SPACE, path) : 0;
    if (error != 0 && error != ENOSPC) {
        errno = error;
        return -1;
    }
    if (syscall(SYS_fstatfs, fd, &st) < 0)
        return -1;
    *out = (struct statvfs){.f_bsize = (unsigned long)st.f_bsize,
                            .f_frsize = (unsigned long)st.f_frsize,
                            .f_blocks = st.f_blocks,
                            .f_bfree = error == 0 ? st.f_bfree : 0,
                            .f_bavail = error == 0 ? st.f_bavail : 0,
                            .f_files = st.f_files,
                            .f_ffree = st.f_ffree,
                            .f_favail = st.f_ffree,
                            .f_namemax = (unsigned long)st.f_namelen};
    return 0;
}

#ifdef TAP_IS_LIBRARY
int clock_gettime(clockid_t clock, struct timespec *ts)
{
    int rc = (int)syscall(SYS_clock_gettime, clock, ts);
    if (rc == 0 && tap.control != NULL &&
        (clock == CLOCK_REALTIME || clock == CLOCK_REALTIME_COARSE))
        ts->tv_sec += __atomic_load_n(&tap.control->wall_shift_us, __ATOMIC_RELAXED) / 1000000;
    return rc;
}

time_t time(time_t *out)
{
    struct timespec ts;
    clock_gettime(CLOCK_REALTIME, &ts);
    if (out != NULL)
        *out = ts.tv_sec;
    return ts.tv_sec;
}
#endif

/* x86-64 and arm64 have one kind of offset under two names. */
#define SAME_AS(name) __attribute__((alias(#name)))
int open64(const char *name, int flags, ...) SAME_AS(open);
int openat64(int dirfd, const char *name, int flags, ...) SAME_AS(openat);
ssize_t pread64(int fd, void *p, size_t n, off64_t at) SAME_AS(pread);
ssize_t pwrite64(int fd, const void *p, size_t n, off64_t at) SAME_AS(pwrite);
ssize_t pwritev64(int fd, const struct iovec *iov, int n, off64_t at) SAME_AS(pwritev);
int ftruncate64(int fd, off64_t size) SAME_AS(ftruncate);
int fallocate64(int fd, int mode, off64_t at, off64_t n) SAME_AS(fallocate);
int posix_fallocate64(int fd, off64_t at, off64_t n) SAME_AS(posix_fallocate);

/* --- life --- */

void tap_start(const char *root, const char *journal)
{
    snprintf(tap.root, sizeof tap.root, "%s", root);
    if (journal != NULL) {
        tap.journal_fd = (int)syscall(SYS_openat, AT_FDCWD, journal,
                                      O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
        if (tap.journal_fd < 0)
            abort();
    }
    tap.is_sync_skipped = true;
    /* numbers of syncs stay unique when another process has written before us */
    atomic_store(&tap.n_syncs, (uint64_t)getpid() << 32);
    atomic_store(&tap.steps, 0);
    tap.root_len = strlen(tap.root);
}

void tap_stop(void)
{
    tap.root_len = 0;
    tap.root[0] = '\0';
    if (tap.journal_fd >= 0)
        syscall(SYS_close, tap.journal_fd);
    tap.journal_fd = -1;
    atomic_store(&tap.steps_to_death, 0);
}

void tap_note(const char *text, uint64_t value)
{
    pthread_mutex_lock(&tap.lock);
    append((struct journal_record){.type = JOURNAL_NOTE, .at = value}, text, NULL, NULL, 0);
    pthread_mutex_unlock(&tap.lock);
}

void tap_die_at(int n)
{
    atomic_store(&tap.steps_to_death, n);
}

int tap_steps(void)
{
    return atomic_load(&tap.steps);
}

#ifdef TAP_IS_LIBRARY
__attribute__((constructor)) static void begin(void)
{
    const char *root = getenv("ROOKERY_TAP_ROOT");
    const char *control = getenv("ROOKERY_TAP_CONTROL");
    const char *journal = getenv("ROOKERY_TAP_JOURNAL");
    int fd = control != NULL ? (int)syscall(SYS_openat, AT_FDCWD, control, O_RDWR | O_CLOEXEC) : -1;
    if (fd >= 0) {
        void *p = mmap(NULL, sizeof *tap.control, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
        tap.control = p != MAP_FAILED ? p : NULL;
        syscall(SYS_close, fd);
    }
    if (root != NULL)
        tap_start(root, journal);
    if (journal == NULL)
        tap.is_sync_skipped = false;
}
#endif
