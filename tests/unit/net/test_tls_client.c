#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <errno.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>
#include <openssl/ssl.h>

#include "base/loop.h"
#include "base/mem.h"
#include "net/conn.h"
#include "net/tls.h"
#include "net/tls_client.h"

#define MANY_BYTES (300u << 10)

static char dir[] = "/tmp/rookery-test-XXXXXX";
static char cert[64];
static char key[64];

/* The client's session on one end of a socket pair; the server on the other end is the product's
 * own, or whatever a test does with `peer`. */
struct rig {
    struct clock_virtual clock;
    struct loop *loop;
    struct tls *tls;
    struct tls_client *client;
    struct tls_session *session;
    struct conn *conn;
    int fd, peer;
    struct buf got; /* by the server */
};

static size_t on_data(void *ctx, const uint8_t *data, size_t len)
{
    struct rig *rig = ctx;
    buf_append(&rig->got, data, len);
    return len;
}

static void on_closed(void *ctx, int code)
{
    struct rig *rig = ctx;
    (void)code;
    conn_close(&rig->conn);
}

static void rig_init(struct rig *rig)
{
    int fds[2];
    *rig = (struct rig){0};
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, fds), 0);
    rig->fd = fds[0];
    rig->peer = fds[1];
    clock_virtual_init(&rig->clock, 0);
    rig->loop = loop_create(&(struct loop_params){.clock = &rig->clock.clock});
    assert_int_equal(tls_create(cert, key, &rig->tls, NULL), 0);
    assert_int_equal(tls_client_create(&rig->client, NULL), 0);
    rig->session = tls_session_create(rig->client, rig->fd, "camera.local");
    assert_non_null(rig->session);
}

static void serve(struct rig *rig)
{
    rig->conn = conn_create(&(struct conn_params){.loop = rig->loop,
                                                  .fd = rig->peer,
                                                  .tls = rig->tls,
                                                  .data = on_data,
                                                  .closed = on_closed,
                                                  .ctx = rig});
    rig->peer = -1;
}

static void rig_fini(struct rig *rig)
{
    tls_session_destroy(&rig->session);
    tls_session_destroy(&rig->session);
    tls_client_destroy(&rig->client);
    conn_close(&rig->conn);
    close(rig->fd);
    if (rig->peer >= 0)
        close(rig->peer);
    loop_destroy(&rig->loop);
    tls_destroy(&rig->tls);
    buf_fini(&rig->got);
}

static void turns(struct rig *rig)
{
    for (int i = 0; i < 4; i++)
        loop_turn(rig->loop, false);
}

static void shake_hands(struct rig *rig)
{
    struct err err = {0};
    int rc;
    while ((rc = tls_session_handshake(rig->session, &err)) == -EAGAIN)
        turns(rig);
    if (rc < 0)
        fail_msg("%d %s", rc, err.msg);
    turns(rig);
}

static void talks_to_a_server_with_its_own_certificate(void **state)
{
    (void)state;
    struct rig rig;
    char text[64] = "";
    rig_init(&rig);
    serve(&rig);
    shake_hands(&rig);
    assert_int_equal(tls_session_read(rig.session, text, sizeof text), -EAGAIN);
    assert_false(tls_session_wants_write(rig.session));
    assert_int_equal(tls_session_write(rig.session, "hello", 5), 5);
    turns(&rig);
    assert_string_equal(buf_cstr(&rig.got), "hello");
    conn_write(rig.conn, "well", 4);
    turns(&rig);
    assert_int_equal(tls_session_read(rig.session, text, sizeof text), 4);
    assert_memory_equal(text, "well", 4);
    assert_false(tls_session_has_more(rig.session));
    rig_fini(&rig);
}

/* What one poll reported is read by one call, however many records it is; what does not fit is
 * announced. */
static void leaves_nothing_unseen(void **state)
{
    (void)state;
    static uint8_t sent[MANY_BYTES];
    static uint8_t got[MANY_BYTES];
    struct rig rig;
    size_t n = 0;
    rig_init(&rig);
    serve(&rig);
    shake_hands(&rig);
    for (size_t i = 0; i < sizeof sent; i++)
        sent[i] = (uint8_t)(i * 7 + i / 251);
    conn_write(rig.conn, sent, 40000); /* three records */
    turns(&rig);
    assert_int_equal(tls_session_read(rig.session, got, 20000), 20000);
    assert_true(tls_session_has_more(rig.session));
    assert_int_equal(tls_session_read(rig.session, got + 20000, sizeof got), 20000);
    assert_false(tls_session_has_more(rig.session));
    assert_memory_equal(got, sent, 40000);
    conn_write(rig.conn, sent, sizeof sent);
    while (n < sizeof got) {
        turns(&rig);
        ssize_t rc = tls_session_read(rig.session, got + n, sizeof got - n);
        assert_true(rc > 0);
        n += (size_t)rc;
    }
    assert_memory_equal(got, sent, sizeof sent);
    rig_fini(&rig);
}

static void writes_on_when_the_socket_was_full(void **state)
{
    (void)state;
    static uint8_t sent[2 * MANY_BYTES];
    struct rig rig;
    size_t n = 0;
    int n_full = 0;
    rig_init(&rig);
    serve(&rig);
    shake_hands(&rig);
    memset(sent, 'x', sizeof sent);
    conn_pause(rig.conn);
    while (n < sizeof sent) {
        ssize_t rc = tls_session_write(rig.session, sent + n, sizeof sent - n);
        if (rc == -EAGAIN) {
            assert_true(tls_session_wants_write(rig.session));
            n_full++;
            conn_resume(rig.conn);
            turns(&rig);
            continue;
        }
        assert_true(rc > 0);
        n += (size_t)rc;
    }
    for (int i = 0; i < 100 && rig.got.len < sizeof sent; i++)
        turns(&rig);
    assert_true(n_full > 0);
    assert_int_equal(rig.got.len, sizeof sent);
    rig_fini(&rig);
}

/* The goodbye may come together with the last bytes: both are told, in order, without a poll. */
static void tells_the_end_after_the_last_bytes(void **state)
{
    (void)state;
    struct rig rig;
    char text[64];
    rig_init(&rig);
    serve(&rig);
    shake_hands(&rig);
    conn_write(rig.conn, "bye", 3);
    conn_finish(rig.conn, 1000);
    turns(&rig);
    assert_int_equal(tls_session_read(rig.session, text, sizeof text), 3);
    assert_true(tls_session_has_more(rig.session));
    assert_int_equal(tls_session_read(rig.session, text, sizeof text), ERR_EOF);
    rig_fini(&rig);
}

static void names_a_peer_that_speaks_something_else(void **state)
{
    (void)state;
    static const char answer[] = "RTSP/1.0 400 Bad Request\r\n\r\n";
    struct rig rig;
    struct err err = {0};
    rig_init(&rig);
    assert_int_equal(tls_session_handshake(rig.session, &err), -EAGAIN);
    assert_int_equal(send(rig.peer, answer, sizeof answer - 1, 0), sizeof answer - 1);
    assert_int_equal(tls_session_handshake(rig.session, &err), ERR_PARSE);
    rig_fini(&rig);
}

static void names_a_peer_that_hangs_up(void **state)
{
    (void)state;
    struct rig rig;
    struct err err = {0};
    rig_init(&rig);
    assert_int_equal(tls_session_handshake(rig.session, &err), -EAGAIN);
    shutdown(rig.peer, SHUT_RDWR);
    int rc = tls_session_handshake(rig.session, &err);
    assert_true(rc == ERR_EOF || rc == -EPIPE || rc == -ECONNRESET);
    assert_int_equal(err.code, rc);
    rig_fini(&rig);
}

/* A server as old cameras have it, which the library as installed would refuse. */
static SSL *old_server(SSL_CTX **out_ctx, int fd, int version)
{
    SSL_CTX *ctx = SSL_CTX_new(TLS_server_method());
    assert_int_equal(SSL_CTX_set_cipher_list(ctx, "DEFAULT:@SECLEVEL=0"), 1);
    assert_int_equal(SSL_CTX_use_certificate_chain_file(ctx, cert), 1);
    assert_int_equal(SSL_CTX_use_PrivateKey_file(ctx, key, SSL_FILETYPE_PEM), 1);
    assert_int_equal(SSL_CTX_set_min_proto_version(ctx, version), 1);
    assert_int_equal(SSL_CTX_set_max_proto_version(ctx, version), 1);
    SSL *ssl = SSL_new(ctx);
    assert_int_equal(SSL_set_fd(ssl, fd), 1);
    SSL_set_accept_state(ssl);
    *out_ctx = ctx;
    return ssl;
}

static void talks_to_old_servers_and_names_itself(void **state)
{
    (void)state;
    static const int versions[] = {TLS1_VERSION, TLS1_1_VERSION, TLS1_2_VERSION, TLS1_3_VERSION};
    for (size_t i = 0; i < ARRAY_LEN(versions); i++) {
        struct rig rig;
        SSL_CTX *ctx = NULL;
        int rc = -EAGAIN;
        rig_init(&rig);
        SSL *ssl = old_server(&ctx, rig.peer, versions[i]);
        for (int k = 0; k < 10 && rc == -EAGAIN; k++) {
            rc = tls_session_handshake(rig.session, NULL);
            SSL_do_handshake(ssl);
        }
        assert_int_equal(rc, 0);
        assert_int_equal(SSL_version(ssl), versions[i]);
        assert_string_equal(SSL_get_servername(ssl, TLSEXT_NAMETYPE_host_name), "camera.local");
        SSL_free(ssl);
        SSL_CTX_free(ctx);
        rig_fini(&rig);
    }
}

static void says_why_nothing_is_in_common(void **state)
{
    (void)state;
    struct rig rig;
    struct err err = {0};
    SSL_CTX *ctx = NULL;
    int rc = -EAGAIN;
    rig_init(&rig);
    SSL *ssl = old_server(&ctx, rig.peer, TLS1_2_VERSION);
    SSL_set_cipher_list(ssl, "ECDHE-RSA-AES128-SHA"); /* the key is none of RSA */
    for (int k = 0; k < 10 && rc == -EAGAIN; k++) {
        rc = tls_session_handshake(rig.session, &err);
        SSL_do_handshake(ssl);
    }
    assert_int_equal(rc, ERR_PROTOCOL);
    assert_non_null(strstr(err.msg, "handshake failure"));
    SSL_free(ssl);
    SSL_CTX_free(ctx);
    rig_fini(&rig);
}

static int make_pair(void **state)
{
    (void)state;
    if (!mkdtemp(dir))
        return -1;
    snprintf(cert, sizeof cert, "%s/cert.pem", dir);
    snprintf(key, sizeof key, "%s/key.pem", dir);
    return tls_make_self_signed(cert, key, "somebody.else", NULL);
}

static int remove_pair(void **state)
{
    (void)state;
    unlink(cert);
    unlink(key);
    return rmdir(dir);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(talks_to_a_server_with_its_own_certificate),
        cmocka_unit_test(leaves_nothing_unseen),
        cmocka_unit_test(writes_on_when_the_socket_was_full),
        cmocka_unit_test(tells_the_end_after_the_last_bytes),
        cmocka_unit_test(names_a_peer_that_speaks_something_else),
        cmocka_unit_test(names_a_peer_that_hangs_up),
        cmocka_unit_test(talks_to_old_servers_and_names_itself),
        cmocka_unit_test(says_why_nothing_is_in_common),
    };
    return cmocka_run_group_tests(tests, make_pair, remove_pair);
}
