#include "net/tls_client.h"

#include <errno.h>
#include <sys/socket.h>

#include <openssl/ssl.h>

#include "base/mem.h"
#include "net/socket.h"
#include "net/tls_priv.h"

#define READ_AHEAD_BYTES (64u << 10) /* several records by one system call */

struct tls_client {
    SSL_CTX *ctx;
};

struct tls_session {
    SSL *ssl;
    int fd;
    int broken;       /* found while reading, told by the next read; 0 = none */
    bool has_greeted; /* the peer's first byte was that of TLS */
    bool wants_write;
    bool is_cut; /* the last read ended because its buffer was full */
};

int tls_client_create(struct tls_client **out, struct err *err)
{
    struct tls_client *client = xcalloc(1, sizeof *client);
    client->ctx = SSL_CTX_new(TLS_client_method());
    if (!client->ctx || SSL_CTX_set_cipher_list(client->ctx, "DEFAULT:@SECLEVEL=0") != 1 ||
        SSL_CTX_set_min_proto_version(client->ctx, TLS1_VERSION) != 1) {
        tls_client_destroy(&client);
        return err_text(err, -ENOMEM, "TLS: %s", tls__reason());
    }
    SSL_CTX_set_verify(client->ctx, SSL_VERIFY_NONE, NULL);
    SSL_CTX_set_options(client->ctx, SSL_OP_NO_RENEGOTIATION | SSL_OP_IGNORE_UNEXPECTED_EOF |
                                         SSL_OP_LEGACY_SERVER_CONNECT);
    SSL_CTX_set_mode(client->ctx, SSL_MODE_ENABLE_PARTIAL_WRITE |
                                      SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER |
                                      SSL_MODE_RELEASE_BUFFERS);
    SSL_CTX_set_session_cache_mode(client->ctx, SSL_SESS_CACHE_OFF);
    SSL_CTX_set_read_ahead(client->ctx, 1);
    SSL_CTX_set_default_read_buffer_len(client->ctx, READ_AHEAD_BYTES);
    *out = client;
    return 0;
}

void tls_client_destroy(struct tls_client **client)
{
    if (!*client)
        return;
    SSL_CTX_free((*client)->ctx);
    FREE(client);
}

static bool set_up(struct tls_session *s, const char *host)
{
    struct address number;
    bool is_name = host[0] != 0 && address_parse(host, 0, &number) < 0;
    SSL_set_connect_state(s->ssl);
    return SSL_set_fd(s->ssl, s->fd) == 1 &&
           (!is_name || SSL_set_tlsext_host_name(s->ssl, host) == 1);
}

struct tls_session *tls_session_create(struct tls_client *client, int fd, const char *host)
{
    struct tls_session *s = xcalloc(1, sizeof *s);
    s->fd = fd;
    s->ssl = SSL_new(client->ctx);
    if (!s->ssl || !set_up(s, host))
        tls_session_destroy(&s);
    return s;
}

void tls_session_destroy(struct tls_session **sp)
{
    struct tls_session *s = *sp;
    if (!s)
        return;
    if (s->ssl && !s->broken)
        tls__say_end(s->ssl);
    tls__free(&s->ssl);
    FREE(sp);
}

/* A server that speaks something else answers a ClientHello in its own words. */
static bool is_foreign(struct tls_session *s)
{
    uint8_t type = 0;
    if (s->has_greeted || recv(s->fd, &type, 1, MSG_PEEK | MSG_DONTWAIT) != 1)
        return false;
    s->has_greeted = type == SSL3_RT_HANDSHAKE || type == SSL3_RT_ALERT;
    return !s->has_greeted;
}

int tls_session_handshake(struct tls_session *s, struct err *err)
{
    if (is_foreign(s))
        return err_text(err, ERR_PARSE, "the peer does not speak TLS");
    tls__prepare();
    int rc = SSL_do_handshake(s->ssl);
    s->is_cut = true; /* more may have come with its last bytes */
    if (rc == 1)
        return 0;
    rc = tls__meaning(s->ssl, rc, &s->wants_write);
    if (rc == ERR_PROTOCOL)
        err_text(err, rc, "%s", tls__reason());
    else if (rc != -EAGAIN)
        err_set(err, rc, "TLS handshake");
    return rc;
}

ssize_t tls_session_read(struct tls_session *s, void *dst, size_t cap)
{
    size_t n = 0;
    s->is_cut = false;
    while (n < cap && !s->broken) {
        int64_t rc = tls__read(s->ssl, (uint8_t *)dst + n, cap - n, &s->wants_write);
        if (rc == -EAGAIN)
            return n > 0 ? (ssize_t)n : rc;
        if (rc > 0)
            n += (size_t)rc;
        else
            s->broken = (int)rc;
    }
    s->is_cut = n == cap;
    return n > 0 ? (ssize_t)n : s->broken;
}

ssize_t tls_session_write(struct tls_session *s, const void *p, size_t n)
{
    return tls__write(s->ssl, p, n, &s->wants_write);
}

bool tls_session_wants_write(const struct tls_session *s)
{
    return s->wants_write;
}

bool tls_session_has_more(const struct tls_session *s)
{
    return s->broken || (s->is_cut && SSL_has_pending(s->ssl));
}
