#include "net/tls_priv.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/rand.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>

#include "base/buf.h"
#include "base/mem.h"
#include "base/str.h"
#include "net/socket.h"

struct tls {
    SSL_CTX *ctx;
};

int tls_create(const char *cert_file, const char *key_file, struct tls **out, struct err *err)
{
    struct tls *tls = xcalloc(1, sizeof *tls);
    int rc = 0;
    tls->ctx = SSL_CTX_new(TLS_server_method());
    if (!tls->ctx) {
        rc = err_text(err, -ENOMEM, "TLS: %s", tls__reason());
        goto fail;
    }
    SSL_CTX_set_min_proto_version(tls->ctx, TLS1_2_VERSION);
    SSL_CTX_set_options(tls->ctx, SSL_OP_NO_RENEGOTIATION | SSL_OP_IGNORE_UNEXPECTED_EOF);
    SSL_CTX_set_mode(tls->ctx, SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER |
                                   SSL_MODE_RELEASE_BUFFERS);
    SSL_CTX_set_session_cache_mode(tls->ctx, SSL_SESS_CACHE_OFF);
    if (SSL_CTX_use_certificate_chain_file(tls->ctx, cert_file) != 1) {
        rc = err_text(err, ERR_INVALID, "TLS certificate %s: %s", cert_file, tls__reason());
        goto fail;
    }
    if (SSL_CTX_use_PrivateKey_file(tls->ctx, key_file, SSL_FILETYPE_PEM) != 1 ||
        SSL_CTX_check_private_key(tls->ctx) != 1) {
        rc = err_text(err, ERR_INVALID, "TLS key %s: %s", key_file, tls__reason());
        goto fail;
    }
    *out = tls;
    return 0;

fail:
    tls_destroy(&tls);
    return rc;
}

void tls_destroy(struct tls **tls)
{
    if (!*tls)
        return;
    SSL_CTX_free((*tls)->ctx);
    FREE(tls);
}

struct ssl_st *tls__session(struct tls *tls, int fd)
{
    SSL *ssl = SSL_new(tls->ctx);
    if (!ssl)
        return NULL;
    if (SSL_set_fd(ssl, fd) != 1) {
        SSL_free(ssl);
        return NULL;
    }
    SSL_set_accept_state(ssl);
    return ssl;
}

/* "DNS:nvr.local,IP:10.0.0.1" of "nvr.local, 10.0.0.1"; *first gets the first name. */
static bool alt_names(const char *names, struct buf *out, char *first, size_t cap)
{
    struct span list = span_of(names);
    struct span item;
    first[0] = 0;
    while (span_cut(&list, ',', &item)) {
        char name[256];
        struct address a;
        item = span_trim(item);
        if (item.n == 0 || !span_copy(item, name, sizeof name))
            continue;
        bool is_number = address_parse(name, 0, &a) == 0;
        buf_printf(out, "%s%s:%s", out->len ? "," : "", is_number ? "IP" : "DNS", name);
        if (!first[0])
            str_copy(first, cap, name);
    }
    return first[0] && !out->is_failed;
}

static bool add_extension(X509 *cert, int nid, const char *value)
{
    X509V3_CTX ctx;
    X509V3_set_ctx_nodb(&ctx);
    X509V3_set_ctx(&ctx, cert, cert, NULL, NULL, 0);
    X509_EXTENSION *extension = X509V3_EXT_conf_nid(NULL, &ctx, nid, value);
    bool is_ok = extension && X509_add_ext(cert, extension, -1) == 1;
    X509_EXTENSION_free(extension);
    return is_ok;
}

static bool fill_cert(X509 *cert, EVP_PKEY *key, const char *first, const char *alt)
{
    enum { TEN_YEARS_S = 10 * 365 * 86400 };
    uint64_t serial = 0;
    X509_NAME *name = X509_get_subject_name(cert);
    return RAND_bytes((uint8_t *)&serial, sizeof serial) == 1 && X509_set_version(cert, 2) == 1 &&
           ASN1_INTEGER_set_uint64(X509_get_serialNumber(cert), serial >> 1) == 1 &&
           X509_gmtime_adj(X509_getm_notBefore(cert), -3600) &&
           X509_gmtime_adj(X509_getm_notAfter(cert), TEN_YEARS_S) &&
           X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_UTF8, (const uint8_t *)first, -1, -1,
                                      0) == 1 &&
           X509_set_issuer_name(cert, name) == 1 && X509_set_pubkey(cert, key) == 1 &&
           add_extension(cert, NID_subject_alt_name, alt) &&
           add_extension(cert, NID_basic_constraints, "critical,CA:FALSE") &&
           add_extension(cert, NID_key_usage, "critical,digitalSignature") &&
           add_extension(cert, NID_ext_key_usage, "serverAuth") &&
           X509_sign(cert, key, EVP_sha256()) > 0;
}

/* NULL when OpenSSL or a name refuses. */
static X509 *make_cert(EVP_PKEY *key, const char *names)
{
    struct buf alt;
    buf_init(&alt, 4096);
    char first[65];
    X509 *cert = X509_new();
    if (cert && !(alt_names(names, &alt, first, sizeof first) &&
                  fill_cert(cert, key, first, buf_cstr(&alt)))) {
        X509_free(cert);
        cert = NULL;
    }
    buf_fini(&alt);
    return cert;
}

static FILE *create_file(const char *path, mode_t mode, struct err *err)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, mode);
    FILE *f = fd < 0 ? NULL : fdopen(fd, "w");
    if (!f) {
        err_set(err, -errno, "create %s", path);
        if (fd >= 0)
            close(fd);
    }
    return f;
}

static int write_pair(const char *cert_file, X509 *cert, const char *key_file, EVP_PKEY *key,
                      struct err *err)
{
    FILE *f = create_file(key_file, 0600, err);
    if (!f)
        return -EIO;
    bool is_ok = PEM_write_PrivateKey(f, key, NULL, NULL, 0, NULL, NULL) == 1;
    is_ok = fclose(f) == 0 && is_ok;
    f = is_ok ? create_file(cert_file, 0644, err) : NULL;
    if (!f)
        return is_ok ? -EIO : err_set(err, -EIO, "write %s", key_file);
    is_ok = PEM_write_X509(f, cert) == 1;
    is_ok = fclose(f) == 0 && is_ok;
    return is_ok ? 0 : err_set(err, -EIO, "write %s", cert_file);
}

int tls_make_self_signed(const char *cert_file, const char *key_file, const char *names,
                         struct err *err)
{
    if (access(cert_file, R_OK) == 0 && access(key_file, R_OK) == 0)
        return 0;
    EVP_PKEY *key = EVP_EC_gen("P-256");
    X509 *cert = key ? make_cert(key, names) : NULL;
    int rc =
        cert ? write_pair(cert_file, cert, key_file, key, err)
             : err_text(err, ERR_INVALID, "make a certificate for '%s': %s", names, tls__reason());
    X509_free(cert);
    EVP_PKEY_free(key);
    return rc;
}
