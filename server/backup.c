#include "server/backup.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <sys/stat.h>

#include <sodium.h>

#include "base/buf.h"
#include "base/mem.h"
#include "base/str.h"
#include "server/server.h"
#include "server/tar.h"
#include "storage/db_schema.h"

enum { CHUNK_BYTES = 1 << 20, SMALL_BYTES = 1 << 20, MAX_KEYS = 64 };

static const char info_name[] = "rookery-backup.txt", sums_name[] = "SHA256SUMS";
static const char info_head[] = "rookery backup 1\n";

/* An archive while it is written or read. */
struct archive {
    int fd;
    uint8_t *chunk;
    struct buf sums;                /* "hex  name\n" of every entry so far */
    crypto_hash_sha256_state state; /* of this entry */
};

static void archive_init(struct archive *a)
{
    *a = (struct archive){.fd = -1, .chunk = xmalloc(CHUNK_BYTES)};
    buf_init(&a->sums, SMALL_BYTES);
}

static void archive_fini(struct archive *a)
{
    if (a->fd >= 0)
        close(a->fd);
    free(a->chunk);
    buf_fini(&a->sums);
}

static void add_sum(struct archive *a, const char *name)
{
    uint8_t sum[crypto_hash_sha256_BYTES];
    char hex[2 * sizeof sum + 1];
    crypto_hash_sha256_final(&a->state, sum);
    hex_encode(sum, sizeof sum, hex);
    buf_printf(&a->sums, "%s  %s\n", hex, name);
}

/* --- writing --- */

static int put(struct archive *a, const void *p, size_t n)
{
    for (size_t done = 0; done < n;) {
        ssize_t k = write(a->fd, (const char *)p + done, n - done);
        if (k < 0 && errno != EINTR)
            return -errno;
        done += k > 0 ? (size_t)k : 0;
    }
    return 0;
}

static int put_header(struct archive *a, const char *name, uint64_t bytes, int64_t now_us)
{
    uint8_t block[TAR_BLOCK];
    struct tar_entry e = {.bytes = bytes, .mtime_s = now_us / US_PER_S, .mode = 0600};
    if (!str_copy(e.name, sizeof e.name, name))
        return -ENAMETOOLONG;
    tar_write_header(&e, block);
    crypto_hash_sha256_init(&a->state);
    return put(a, block, sizeof block);
}

static int put_padding(struct archive *a, uint64_t bytes)
{
    static const uint8_t zeros[2 * TAR_BLOCK];
    return put(a, zeros, (size_t)bytes);
}

static int put_text(struct archive *a, const char *name, const void *p, size_t n, int64_t now_us)
{
    int rc = put_header(a, name, n, now_us);
    if (rc == 0)
        rc = put(a, p, n);
    if (rc == 0)
        rc = put_padding(a, tar_padding(n));
    crypto_hash_sha256_update(&a->state, p, n);
    add_sum(a, name);
    return rc;
}

static int put_content(struct archive *a, int fd, uint64_t bytes)
{
    for (uint64_t at = 0; at < bytes;) {
        ssize_t n = pread(fd, a->chunk, (size_t)MIN(bytes - at, CHUNK_BYTES), (off_t)at);
        if (n <= 0)
            return n < 0 ? -errno : -EIO;
        crypto_hash_sha256_update(&a->state, a->chunk, (size_t)n);
        int rc = put(a, a->chunk, (size_t)n);
        if (rc < 0)
            return rc;
        at += (uint64_t)n;
    }
    return put_padding(a, tar_padding(bytes));
}

static int put_file(struct archive *a, int dirfd, const char *path, const char *name,
                    int64_t now_us, uint64_t *out_bytes)
{
    struct stat st;
    int fd = openat(dirfd, path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    if (fd < 0)
        return -errno;
    int rc = fstat(fd, &st) < 0 ? -errno : 0;
    if (rc == 0)
        rc = put_header(a, name, (uint64_t)st.st_size, now_us);
    if (rc == 0)
        rc = put_content(a, fd, (uint64_t)st.st_size);
    close(fd);
    if (rc == 0) {
        add_sum(a, name);
        *out_bytes = (uint64_t)st.st_size;
    }
    return rc;
}

static int put_keys(struct archive *a, const char *data_dir, int64_t now_us, int *out_n)
{
    char *path = xasprintf("%s/keys", data_dir);
    DIR *dir = opendir(path);
    int rc = dir == NULL && errno != ENOENT ? -errno : 0;
    uint64_t bytes;
    free(path);
    for (const struct dirent *e; dir != NULL && rc == 0 && (e = readdir(dir)) != NULL;) {
        char name[300];
        struct stat st;
        if (e->d_name[0] == '.' || fstatat(dirfd(dir), e->d_name, &st, AT_SYMLINK_NOFOLLOW) < 0 ||
            !S_ISREG(st.st_mode))
            continue;
        snprintf(name, sizeof name, "keys/%s", e->d_name);
        rc = put_file(a, dirfd(dir), e->d_name, name, now_us, &bytes);
        ++*out_n;
    }
    if (dir != NULL)
        closedir(dir);
    return rc;
}

static int put_info(struct archive *a, const struct backup_facts *facts)
{
    struct buf text;
    char time[CLOCK_RFC3339_BYTES];
    buf_init(&text, SMALL_BYTES);
    buf_printf(&text, "%sversion %s\nschema %" PRId64 "\nmade %s\n", info_head, facts->version,
               facts->schema, rfc3339_print(facts->made_us, time));
    int rc = put_text(a, info_name, text.data, text.len, facts->made_us);
    buf_fini(&text);
    return rc;
}

static int put_all(struct archive *a, const char *data_dir, const char *copy,
                   struct backup_facts *facts)
{
    int rc = put_info(a, facts);
    if (rc == 0)
        rc = put_file(a, AT_FDCWD, copy, "catalog.db", facts->made_us, &facts->catalogue_bytes);
    if (rc == 0)
        rc = put_keys(a, data_dir, facts->made_us, &facts->n_keys);
    if (rc == 0) {
        struct buf sums = a->sums; /* grows by its own line, which is not in it */
        rc = put_text(a, sums_name, sums.data, sums.len, facts->made_us);
    }
    if (rc == 0)
        rc = put_padding(a, 2 * TAR_BLOCK);
    return rc == 0 && fsync(a->fd) < 0 ? -errno : rc;
}

/* A file that only its owner may read, and that was not there. */
static int create_private(const char *path)
{
    int fd = open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
    return fd < 0 ? -errno : fd;
}

static int copy_catalogue(struct catalogue *c, const char *copy, struct err *err)
{
    int fd = create_private(copy);
    if (fd < 0)
        return err_set(err, fd, "create %s", copy);
    close(fd);
    return catalogue_backup(c, copy, err);
}

static void sync_directory_of(const char *path)
{
    char *dir = xstrdup(path);
    char *cut = strrchr(dir, '/');
    if (cut != NULL)
        cut[cut == dir ? 1 : 0] = '\0';
    int fd = open(cut != NULL ? dir : ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd >= 0) {
        fsync(fd);
        close(fd);
    }
    free(dir);
}

int backup_write(struct catalogue *c, const char *data_dir, const char *path, int64_t now_us,
                 struct backup_facts *out, struct err *err)
{
    struct archive a;
    if (access(path, F_OK) == 0)
        return err_text(err, ERR_CONFLICT, "%s exists already: choose another name", path);
    char *copy = xasprintf("%s.%ld.db", path, (long)getpid());
    char *part = xasprintf("%s.%ld.part", path, (long)getpid());
    archive_init(&a);
    *out = (struct backup_facts){.made_us = now_us, .schema = (int64_t)db_schema_version()};
    str_copy(out->version, sizeof out->version, server_version());
    int rc = copy_catalogue(c, copy, err);
    if (rc == 0) {
        rc = a.fd = create_private(part);
        if (rc >= 0)
            rc = put_all(&a, data_dir, copy, out);
        if (rc >= 0 && link(part, path) < 0)
            rc = -errno;
        if (rc < 0)
            err_set(err, rc, "write %s", path);
        else
            sync_directory_of(path);
    }
    unlink(copy);
    unlink(part);
    archive_fini(&a);
    free(copy);
    free(part);
    return rc < 0 ? rc : 0;
}

/* --- reading --- */

struct unpack {
    struct archive archive;
    int dirfd; /* -1 = only looks */
    struct backup_facts *facts;
    bool has_info, has_catalogue, has_sums;
};

static int get(struct archive *a, void *p, size_t n)
{
    for (size_t done = 0; done < n;) {
        ssize_t k = read(a->fd, (char *)p + done, n - done);
        if (k == 0)
            return ERR_EOF;
        if (k < 0 && errno != EINTR)
            return -errno;
        done += k > 0 ? (size_t)k : 0;
    }
    return 0;
}

static int skip_padding(struct archive *a, uint64_t bytes)
{
    uint8_t rest[TAR_BLOCK];
    return get(a, rest, (size_t)tar_padding(bytes));
}

/* The content of a small entry as text. */
static int get_text(struct archive *a, const struct tar_entry *e, struct buf *out)
{
    if (e->bytes > SMALL_BYTES || !buf_reserve(out, (size_t)e->bytes + 1))
        return ERR_PARSE;
    int rc = get(a, out->data, (size_t)e->bytes);
    out->len = (size_t)e->bytes;
    crypto_hash_sha256_update(&a->state, out->data, out->len);
    return rc < 0 ? rc : skip_padding(a, e->bytes);
}

static int get_file(struct archive *a, uint64_t bytes, int fd)
{
    for (uint64_t at = 0; at < bytes;) {
        size_t n = (size_t)MIN(bytes - at, CHUNK_BYTES);
        int rc = get(a, a->chunk, n);
        if (rc < 0)
            return rc;
        crypto_hash_sha256_update(&a->state, a->chunk, n);
        if (fd >= 0 && pwrite(fd, a->chunk, n, (off_t)at) != (ssize_t)n)
            return errno != 0 ? -errno : -EIO;
        at += n;
    }
    return skip_padding(a, bytes);
}

static int read_info(struct unpack *u, const struct tar_entry *e)
{
    struct buf text;
    char made[40] = "";
    buf_init(&text, SMALL_BYTES + 1);
    int rc = get_text(&u->archive, e, &text);
    const char *s = rc == 0 ? buf_cstr(&text) : "";
    u->has_info = rc == 0 && str_starts(s, info_head) &&
                  sscanf(s + sizeof info_head - 1, "version %31s schema %" SCNd64 " made %39s",
                         u->facts->version, &u->facts->schema, made) == 3 &&
                  rfc3339_parse(made, &u->facts->made_us) == 0;
    buf_fini(&text);
    return rc < 0 ? rc : u->has_info ? 0 : ERR_PARSE;
}

static int read_sums(struct unpack *u, const struct tar_entry *e)
{
    struct buf text;
    const struct buf *sums = &u->archive.sums;
    buf_init(&text, SMALL_BYTES + 1);
    int rc = get_text(&u->archive, e, &text);
    u->has_sums = rc == 0 && text.len == sums->len && memcmp(text.data, sums->data, text.len) == 0;
    buf_fini(&text);
    return rc < 0 ? rc : u->has_sums ? 0 : ERR_PARSE;
}

/* "keys/NAME" and nothing that could lead elsewhere. */
static bool is_key_name(const char *name)
{
    if (!str_starts(name, "keys/"))
        return false;
    const char *rest = name + 5;
    return rest[0] != '\0' && rest[0] != '.' && strchr(rest, '/') == NULL;
}

static int read_file(struct unpack *u, const struct tar_entry *e)
{
    int fd = -1;
    if (u->dirfd >= 0) {
        if (is_key_name(e->name) && mkdirat(u->dirfd, "keys", 0700) < 0 && errno != EEXIST)
            return -errno;
        fd = openat(u->dirfd, e->name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
        if (fd < 0)
            return errno == EEXIST ? ERR_PARSE : -errno;
    }
    errno = 0;
    int rc = get_file(&u->archive, e->bytes, fd);
    if (fd >= 0)
        close(fd);
    return rc;
}

/* The first entry tells what it is, the last one whether it is whole. */
static int read_entry(struct unpack *u, const struct tar_entry *e)
{
    int rc = ERR_PARSE; /* a name that does not belong there, or not now */
    bool is_catalogue = strcmp(e->name, "catalog.db") == 0;
    crypto_hash_sha256_init(&u->archive.state);
    if (!u->has_info) {
        if (strcmp(e->name, info_name) == 0)
            rc = read_info(u, e);
    } else if (strcmp(e->name, sums_name) == 0) {
        return u->has_catalogue ? read_sums(u, e) : rc;
    } else if (is_catalogue && !u->has_catalogue) {
        u->has_catalogue = true;
        u->facts->catalogue_bytes = e->bytes;
        rc = read_file(u, e);
    } else if (is_key_name(e->name) && u->facts->n_keys < MAX_KEYS) {
        u->facts->n_keys++;
        rc = read_file(u, e);
    }
    if (rc == 0)
        add_sum(&u->archive, e->name);
    return rc;
}

static int read_all(struct unpack *u)
{
    int rc = 0;
    while (rc == 0 && !u->has_sums) {
        uint8_t block[TAR_BLOCK];
        struct tar_entry e;
        rc = get(&u->archive, block, sizeof block);
        if (rc == 0) {
            rc = tar_read_header(block, &e);
            rc = rc == 1 ? read_entry(u, &e) : rc < 0 ? rc : ERR_EOF;
        }
    }
    return rc;
}

static int explain(const struct unpack *u, int rc, const char *path, struct err *err)
{
    if (rc != ERR_PARSE && rc != ERR_EOF)
        return err_set(err, rc, "%s %s", u->dirfd >= 0 ? "unpack" : "read", path);
    if (!u->has_info)
        return err_text(err, ERR_PARSE, "%s is no backup of Rookery", path);
    return err_text(err, ERR_PARSE, "%s is %s: nothing was changed; take another backup", path,
                    rc == ERR_EOF ? "cut off" : "damaged: its checksums differ");
}

int backup_read(const char *path, const char *dir, struct backup_facts *out, struct err *err)
{
    struct unpack u = {.dirfd = -1, .facts = out};
    *out = (struct backup_facts){0};
    archive_init(&u.archive);
    u.archive.fd = open(path, O_RDONLY | O_CLOEXEC);
    int rc = u.archive.fd < 0 ? err_set(err, -errno, "open %s", path) : 0;
    if (rc == 0 && dir != NULL && (u.dirfd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC)) < 0)
        rc = err_set(err, -errno, "open %s", dir);
    if (rc == 0) {
        rc = read_all(&u);
        if (rc < 0)
            rc = explain(&u, rc, path, err);
    }
    if (rc == 0 && out->schema > (int64_t)db_schema_version())
        rc = err_text(err, ERR_UNSUPPORTED,
                      "%s was made by a newer Rookery (%s): nothing was changed; install that one",
                      path, out->version);
    if (u.dirfd >= 0)
        close(u.dirfd);
    archive_fini(&u.archive);
    return rc;
}
