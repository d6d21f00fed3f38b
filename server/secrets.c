#include "server/secrets.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>

#include <sodium.h>

#include "base/mem.h"
#include "base/str.h"

_Static_assert(crypto_secretbox_KEYBYTES == SECRET_KEY_BYTES, "every key is as long");

struct secrets {
    uint8_t camera[SECRET_KEY_BYTES];
    uint8_t recordings[SECRET_KEY_BYTES];
};

static int read_key(const char *path, uint8_t key[SECRET_KEY_BYTES], const char *loss,
                    struct err *err)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return -errno;
    ssize_t n = read(fd, key, SECRET_KEY_BYTES);
    close(fd);
    if (n != SECRET_KEY_BYTES)
        return err_text(err, ERR_PARSE,
                        "%s is damaged: restore it from a backup, or delete it and %s", path, loss);
    return 0;
}

/* The name of a file is durable when its directory is. */
static int sync_directory(const char *path, struct err *err)
{
    int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    int rc = fd < 0 || fsync(fd) < 0 ? err_set(err, -errno, "sync %s", path) : 0;
    if (fd >= 0)
        close(fd);
    return rc;
}

/* Complete or not at all: written aside, synced, then linked into place without replacing. */
static int make_key(const char *path, uint8_t key[SECRET_KEY_BYTES], const char *loss,
                    struct err *err)
{
    char *aside = xasprintf("%s.%ld", path, (long)getpid());
    randombytes_buf(key, SECRET_KEY_BYTES);
    int rc = 0, fd = open(aside, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    if (fd < 0 || write(fd, key, SECRET_KEY_BYTES) != SECRET_KEY_BYTES || fsync(fd) < 0)
        rc = err_set(err, errno ? -errno : -EIO, "write %s", aside);
    if (fd >= 0)
        close(fd);
    if (rc == 0 && link(aside, path) < 0 && errno != EEXIST)
        rc = err_set(err, -errno, "create %s", path);
    unlink(aside);
    free(aside);
    return rc < 0 ? rc : read_key(path, key, loss, err);
}

/* loss: what a person does who goes on without the key. */
static int open_key(const char *dir, const char *name, uint8_t key[SECRET_KEY_BYTES],
                    const char *loss, struct err *err)
{
    char *path = xasprintf("%s/%s", dir, name);
    err_clear(err);
    int rc = read_key(path, key, loss, err);
    if (rc == -ENOENT) {
        rc = make_key(path, key, loss, err);
        if (rc == 0)
            rc = sync_directory(dir, err);
    } else if (rc < 0 && rc != ERR_PARSE)
        err_set(err, rc, "read %s", path);
    free(path);
    return rc;
}

int secrets_open(const char *data_dir, struct secrets **out, struct err *err)
{
    if (sodium_init() < 0)
        return err_text(err, -EIO, "libsodium cannot start: no source of randomness");
    struct secrets *s = xcalloc(1, sizeof *s);
    char *dir = xasprintf("%s/keys", data_dir);
    int rc = 0;
    if (mkdir(dir, 0700) == 0)
        rc = sync_directory(data_dir, err);
    else if (errno != EEXIST)
        rc = err_set(err, -errno, "create %s", dir);
    if (rc == 0)
        rc = open_key(dir, "camera.key", s->camera, "enter the cameras' passwords again", err);
    if (rc == 0)
        rc = open_key(dir, "recordings.key", s->recordings,
                      "accept that recordings made so far cannot be checked for changes any more",
                      err);
    free(dir);
    if (rc < 0)
        secrets_close(&s);
    *out = s;
    return rc;
}

void secrets_close(struct secrets **s)
{
    if (*s != NULL)
        sodium_memzero(*s, sizeof **s);
    FREE(s);
}

const uint8_t *secrets_recordings_key(const struct secrets *s)
{
    return s->recordings;
}

uint8_t *secrets_seal(const struct secrets *s, const char *plain, size_t *out_n)
{
    size_t n = strlen(plain);
    *out_n = crypto_secretbox_NONCEBYTES + crypto_secretbox_MACBYTES + n;
    uint8_t *sealed = xmalloc(*out_n);
    randombytes_buf(sealed, crypto_secretbox_NONCEBYTES);
    crypto_secretbox_easy(sealed + crypto_secretbox_NONCEBYTES, (const uint8_t *)plain, n, sealed,
                          s->camera);
    return sealed;
}

int secrets_unseal(const struct secrets *s, const uint8_t *sealed, size_t n, char *dst, size_t cap)
{
    size_t extra = crypto_secretbox_NONCEBYTES + crypto_secretbox_MACBYTES;
    dst[0] = '\0';
    if (n < extra)
        return ERR_AUTH;
    if (n - extra >= cap)
        return ERR_TOO_BIG;
    if (crypto_secretbox_open_easy((uint8_t *)dst, sealed + crypto_secretbox_NONCEBYTES,
                                   n - crypto_secretbox_NONCEBYTES, sealed, s->camera) != 0) {
        dst[0] = '\0';
        return ERR_AUTH;
    }
    dst[n - extra] = '\0';
    return 0;
}

void secret_make(char dst[SECRET_TEXT_BYTES])
{
    uint8_t raw[(SECRET_TEXT_BYTES - 1) / 2];
    randombytes_buf(raw, sizeof raw);
    hex_encode(raw, sizeof raw, dst);
}

void secret_hash(const char *text, uint8_t out[SECRET_HASH_BYTES])
{
    crypto_generichash(out, SECRET_HASH_BYTES, (const uint8_t *)text, strlen(text), NULL, 0);
}

void secret_make_id(const char *prefix, char *dst, size_t cap)
{
    uint8_t raw[6];
    char hex[2 * sizeof raw + 1];
    randombytes_buf(raw, sizeof raw);
    hex_encode(raw, sizeof raw, hex);
    snprintf(dst, cap, "%s-%s", prefix, hex);
}
