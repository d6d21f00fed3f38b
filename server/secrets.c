#include "server/secrets.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>

#include <sodium.h>

#include "base/mem.h"
#include "base/str.h"

struct secrets {
    uint8_t key[crypto_secretbox_KEYBYTES];
};

static int read_key(const char *path, struct secrets *s, struct err *err)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return -errno;
    ssize_t n = read(fd, s->key, sizeof s->key);
    close(fd);
    if (n != (ssize_t)sizeof s->key)
        return err_text(err, ERR_PARSE,
                        "%s is damaged: restore it from a backup, or delete it and enter the "
                        "cameras' passwords again",
                        path);
    return 0;
}

/* Complete or not at all: written aside, synced, then linked into place without replacing. */
static int make_key(const char *path, struct secrets *s, struct err *err)
{
    char *aside = xasprintf("%s.%ld", path, (long)getpid());
    randombytes_buf(s->key, sizeof s->key);
    int rc = 0, fd = open(aside, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    if (fd < 0 || write(fd, s->key, sizeof s->key) != (ssize_t)sizeof s->key || fsync(fd) < 0)
        rc = err_set(err, errno ? -errno : -EIO, "write %s", aside);
    if (fd >= 0)
        close(fd);
    if (rc == 0 && link(aside, path) < 0 && errno != EEXIST)
        rc = err_set(err, -errno, "create %s", path);
    unlink(aside);
    free(aside);
    return rc < 0 ? rc : read_key(path, s, err);
}

int secrets_open(const char *data_dir, struct secrets **out, struct err *err)
{
    if (sodium_init() < 0)
        return err_text(err, -EIO, "libsodium cannot start: no source of randomness");
    struct secrets *s = xcalloc(1, sizeof *s);
    char *dir = xasprintf("%s/keys", data_dir);
    char *path = xasprintf("%s/camera.key", dir);
    int rc = 0;
    if (mkdir(dir, 0700) < 0 && errno != EEXIST)
        rc = err_set(err, -errno, "create %s", dir);
    if (rc == 0) {
        err_clear(err);
        rc = read_key(path, s, err);
        if (rc == -ENOENT)
            rc = make_key(path, s, err);
        else if (rc < 0 && rc != ERR_PARSE)
            err_set(err, rc, "read %s", path);
    }
    free(path);
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

uint8_t *secrets_seal(const struct secrets *s, const char *plain, size_t *out_n)
{
    size_t n = strlen(plain);
    *out_n = crypto_secretbox_NONCEBYTES + crypto_secretbox_MACBYTES + n;
    uint8_t *sealed = xmalloc(*out_n);
    randombytes_buf(sealed, crypto_secretbox_NONCEBYTES);
    crypto_secretbox_easy(sealed + crypto_secretbox_NONCEBYTES, (const uint8_t *)plain, n, sealed,
                          s->key);
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
                                   n - crypto_secretbox_NONCEBYTES, sealed, s->key) != 0) {
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
