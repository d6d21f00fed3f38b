#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <poll.h>
#include <unistd.h>

#include <cmocka.h>

#include <errno.h>

#include "net/socket.h"

static void reads_and_prints_addresses(void **state)
{
    (void)state;
    static const struct {
        const char *host;
        const char *want; /* NULL = a name */
    } cases[] = {
        {"10.0.0.1", "10.0.0.1:80"},
        {"::1", "[::1]:80"},
        {"[fe80::2]", "[fe80::2]:80"},
        {"::ffff:1.2.3.4", "1.2.3.4:80"},
        {"camera", NULL},
        {"", NULL},
        {"10.0.0.256", NULL},
        {"fe80::1%nosuchif", NULL},
        {"fe80::1%lo", "[fe80::1]:80"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct address a;
        char text[ADDRESS_TEXT_BYTES];
        int rc = address_parse(cases[i].host, 80, &a);
        assert_int_equal(rc, cases[i].want ? 0 : ERR_PARSE);
        if (rc == 0)
            assert_string_equal(address_print(&a, text, sizeof text), cases[i].want);
    }
}

static void reads_listen_addresses(void **state)
{
    (void)state;
    static const char *const cases[][2] = {
        {"127.0.0.1:8080", "127.0.0.1:8080"},
        {"[::]:80", "[::]:80"},
        {":80", "[::]:80"},
        {"80", "[::]:80"},
        {"*:80", "[::]:80"},
        {"localhost:1", "127.0.0.1:1"},
        {"nvr.local:80", NULL},
        {"127.0.0.1:", NULL},
        {"127.0.0.1:70000", NULL},
        {"::1:80", NULL},
        {"", NULL},
        {"127.0.0.1", NULL},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct address a;
        struct err err;
        char text[ADDRESS_TEXT_BYTES];
        int rc = address_parse_listen(cases[i][0], &a, &err);
        assert_int_equal(rc, cases[i][1] ? 0 : ERR_INVALID);
        if (rc == 0)
            assert_string_equal(address_print(&a, text, sizeof text), cases[i][1]);
        else
            assert_non_null(strstr(err.msg, cases[i][0]));
    }
}

static void knows_loopback_and_same_hosts(void **state)
{
    (void)state;
    struct address a;
    struct address b;
    address_parse("127.3.2.1", 1, &a);
    assert_true(address_is_loopback(&a));
    address_parse("::ffff:127.3.2.1", 2, &b);
    assert_true(address_is_loopback(&b));
    assert_true(address_same_host(&a, &b));
    address_parse("::1", 2, &b);
    assert_true(address_is_loopback(&b));
    assert_false(address_same_host(&a, &b));
    address_parse("10.0.0.1", 2, &b);
    assert_false(address_is_loopback(&b));
}

static int connected(const struct address *to)
{
    struct err err;
    int fd = socket_connect(to, &err);
    assert_true(fd >= 0);
    struct pollfd p = {.fd = fd, .events = POLLOUT};
    assert_int_equal(poll(&p, 1, 5000), 1);
    return fd;
}

static void connects_and_accepts(void **state)
{
    (void)state;
    struct address at;
    struct address peer;
    struct err err;
    address_parse("127.0.0.1", 0, &at);
    int listener = socket_listen(&at, 5, false, &err);
    assert_true(listener >= 0);
    assert_int_equal(socket_accept(listener, NULL), -EAGAIN);
    assert_int_equal(socket_local(listener, &at), 0);
    assert_true(address_port(&at) > 0);
    int fd = connected(&at);
    assert_int_equal(socket_connect_result(fd), 0);
    int accepted = socket_accept(listener, &peer);
    assert_true(accepted >= 0);
    struct address local;
    char x[ADDRESS_TEXT_BYTES];
    char y[ADDRESS_TEXT_BYTES];
    assert_int_equal(socket_local(fd, &local), 0);
    assert_string_equal(address_print(&local, x, sizeof x), address_print(&peer, y, sizeof y));
    socket_set_nodelay(fd);
    socket_set_keepalive(fd, 30);
    socket_set_user_timeout(fd, 10000);
    socket_set_rcvbuf(fd, 100000);
    socket_set_rcvlowat(fd, 10);
    socket_set_sndbuf(fd, 100000);
    assert_true(socket_listen(&at, 5, false, &err) < 0);
    assert_non_null(strstr(err.msg, "127.0.0.1"));
    close(accepted);
    close(fd);
    close(listener);
    fd = connected(&at);
    assert_int_equal(socket_connect_result(fd), -ECONNREFUSED);
    close(fd);
}

static void binds_pairs_of_udp_ports(void **state)
{
    (void)state;
    struct address host;
    struct err err;
    address_parse("127.0.0.1", 0, &host);
    int fd[10][2];
    for (int i = 0; i < 10; i++) {
        uint16_t port = 0;
        struct address a;
        assert_int_equal(socket_udp_pair(&host, fd[i], &port, &err), 0);
        assert_int_equal(port % 2, 0);
        for (int k = 0; k < 2; k++) {
            assert_int_equal(socket_local(fd[i][k], &a), 0);
            assert_int_equal(address_port(&a), port + k);
        }
    }
    for (int i = 0; i < 20; i++)
        close(fd[i / 2][i % 2]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(reads_and_prints_addresses),    cmocka_unit_test(reads_listen_addresses),
        cmocka_unit_test(knows_loopback_and_same_hosts), cmocka_unit_test(connects_and_accepts),
        cmocka_unit_test(binds_pairs_of_udp_ports),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
