#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/stat.h>

#include <cmocka.h>
#include <openssl/ssl.h>

#include "base/mem.h"
#include "http_rig.h"
#include "net/tls.h"

#define REPLY_BYTES (3u << 20)

static char dir[] = "/tmp/rookery-test-XXXXXX";
static char cert[64];
static char key[64];

static void handle(void *ctx, struct http_request *req)
{
    struct rig *rig = ctx;
    rig->n_requests++;
    assert_true(req->is_tls);
    char *text = xcalloc(1, REPLY_BYTES);
    memset(text, 'x', REPLY_BYTES);
    http_stream_start(req, 200, "text/plain", REPLY_BYTES + 1);
    http_stream_write(req, "a", 1);
    http_stream_write_parts(req, &(struct conn_part){text, REPLY_BYTES, free, text}, 1);
    http_stream_end(req);
}

static int make_pair(void **state)
{
    (void)state;
    struct err err = {0};
    if (!mkdtemp(dir))
        return -1;
    snprintf(cert, sizeof cert, "%s/cert.pem", dir);
    snprintf(key, sizeof key, "%s/key.pem", dir);
    return tls_make_self_signed(cert, key, "nvr.local, 10.0.0.1", &err);
}

static int remove_pair(void **state)
{
    (void)state;
    unlink(cert);
    unlink(key);
    return rmdir(dir);
}

/* Client side of a handshake and of everything else, turn by turn. */
static int run(struct rig *rig, SSL *ssl, int rc)
{
    int error = SSL_get_error(ssl, rc);
    assert_true(error == SSL_ERROR_WANT_READ || error == SSL_ERROR_WANT_WRITE);
    rig_turns(rig);
    return rc;
}

static void serves_over_tls(void **state)
{
    (void)state;
    struct err err = {0};
    struct tls *tls = NULL;
    struct rig rig;
    struct client c;
    if (tls_create(cert, key, &tls, &err) < 0)
        fail_msg("%s", err.msg);
    rig_init(&rig, &(struct http_server_params){.handler = handle, .tls = tls});
    client_open(&rig, &c);
    SSL_CTX *ctx = SSL_CTX_new(TLS_client_method());
    SSL *ssl = SSL_new(ctx);
    SSL_set_fd(ssl, c.fd);
    int rc;
    while ((rc = SSL_connect(ssl)) != 1)
        run(&rig, ssl, rc);
    static const char request[] = "GET / HTTP/1.1\r\nHost: h\r\n\r\n";
    for (int i = 0; i < 2; i++) {
        assert_int_equal(SSL_write(ssl, request, sizeof request - 1), sizeof request - 1);
        size_t n = 0;
        size_t n_x = 0;
        static char bytes[65536];
        while (n_x < REPLY_BYTES) {
            rc = SSL_read(ssl, bytes, sizeof bytes);
            if (rc <= 0) {
                run(&rig, ssl, rc);
                continue;
            }
            n += (size_t)rc;
            for (int k = rc; k > 0 && bytes[k - 1] == 'x'; k--)
                n_x++;
        }
        assert_true(n > REPLY_BYTES && n < REPLY_BYTES + 500);
    }
    assert_int_equal(rig.n_requests, 2);
    SSL_shutdown(ssl);
    SSL_free(ssl);
    SSL_CTX_free(ctx);
    client_close(&c);
    rig_turns(&rig);
    assert_int_equal(http_server_connections(rig.server), 0);
    rig_fini(&rig);
    tls_destroy(&tls);
}

static void drops_clients_that_speak_plain_http(void **state)
{
    (void)state;
    struct err err = {0};
    struct tls *tls = NULL;
    struct rig rig;
    struct client c;
    assert_int_equal(tls_create(cert, key, &tls, &err), 0);
    rig_init(&rig, &(struct http_server_params){.handler = handle, .tls = tls});
    client_open(&rig, &c);
    client_say(&c, "GET / HTTP/1.1\r\nHost: h\r\n\r\n");
    client_expect_close(&c);
    assert_int_equal(rig.n_requests, 0);
    client_close(&c);
    rig_fini(&rig);
    tls_destroy(&tls);
}

static void keeps_the_pair_and_its_key_secret(void **state)
{
    (void)state;
    struct stat before;
    struct stat after;
    struct err err = {0};
    assert_int_equal(stat(key, &before), 0);
    assert_int_equal(before.st_mode & 0777, 0600);
    assert_int_equal(tls_make_self_signed(cert, key, "other", &err), 0);
    assert_int_equal(stat(key, &after), 0);
    assert_int_equal(before.st_ino, after.st_ino);
    assert_int_equal(before.st_mtim.tv_nsec, after.st_mtim.tv_nsec);
}

static void says_what_is_wrong_with_files(void **state)
{
    (void)state;
    struct err err = {0};
    struct tls *tls = NULL;
    assert_true(tls_create("/nonexistent/cert.pem", key, &tls, &err) < 0);
    assert_non_null(strstr(err.msg, "/nonexistent/cert.pem"));
    assert_true(tls_create(cert, cert, &tls, &err) < 0);
    assert_non_null(strstr(err.msg, "TLS key"));
    assert_null(tls);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(serves_over_tls),
        cmocka_unit_test(drops_clients_that_speak_plain_http),
        cmocka_unit_test(keeps_the_pair_and_its_key_secret),
        cmocka_unit_test(says_what_is_wrong_with_files),
    };
    return cmocka_run_group_tests(tests, make_pair, remove_pair);
}
