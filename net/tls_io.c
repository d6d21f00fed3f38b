/* Bytes of a session, and what OpenSSL says of them. */
#include "net/tls_priv.h"

#include <errno.h>

#include <openssl/err.h>
#include <openssl/ssl.h>

const char *tls__reason(void)
{
    const char *reason = ERR_reason_error_string(ERR_get_error());
    ERR_clear_error();
    return reason ? reason : "unknown TLS error";
}

void tls__prepare(void)
{
    ERR_clear_error();
    errno = 0;
}

int tls__meaning(struct ssl_st *ssl, int rc, bool *out_wants_write)
{
    int saved_errno = errno;
    *out_wants_write = false;
    switch (SSL_get_error(ssl, rc)) {
    case SSL_ERROR_WANT_READ:
        return -EAGAIN;
    case SSL_ERROR_WANT_WRITE:
        *out_wants_write = true;
        return -EAGAIN;
    case SSL_ERROR_ZERO_RETURN:
        return ERR_EOF;
    case SSL_ERROR_SYSCALL:
        return saved_errno ? -saved_errno : ERR_EOF;
    default:
        return ERR_PROTOCOL;
    }
}

int64_t tls__read(struct ssl_st *ssl, void *dst, size_t cap, bool *out_wants_write)
{
    size_t n = 0;
    tls__prepare();
    int rc = SSL_read_ex(ssl, dst, cap, &n);
    return rc == 1 ? (int64_t)n : tls__meaning(ssl, rc, out_wants_write);
}

int64_t tls__write(struct ssl_st *ssl, const void *p, size_t n, bool *out_wants_write)
{
    size_t n_taken = 0;
    tls__prepare();
    int rc = SSL_write_ex(ssl, p, n, &n_taken);
    return rc == 1 ? (int64_t)n_taken : tls__meaning(ssl, rc, out_wants_write);
}

bool tls__has_pending(struct ssl_st *ssl)
{
    return SSL_pending(ssl) > 0;
}

void tls__say_end(struct ssl_st *ssl)
{
    if (SSL_is_init_finished(ssl))
        SSL_shutdown(ssl);
    ERR_clear_error();
}

void tls__free(struct ssl_st **ssl)
{
    ERR_clear_error();
    SSL_free(*ssl);
    *ssl = NULL;
}
