#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/stat.h>

#include <cmocka.h>

#include "base/mem.h"
#include "http_rig.h"

static char dir[] = "/tmp/rookery-test-XXXXXX";
#define BIG_BYTES ((2u << 20) + 77)

static void write_file(const char *name, const void *data, size_t n)
{
    char path[256];
    snprintf(path, sizeof path, "%s/%s", dir, name);
    FILE *f = fopen(path, "w");
    assert_non_null(f);
    assert_int_equal(fwrite(data, 1, n, f), n);
    assert_int_equal(fclose(f), 0);
}

static uint8_t big_byte(size_t i)
{
    return (uint8_t)(i * 31 + i / 251);
}

static void handle(void *ctx, struct http_request *req)
{
    struct rig *rig = ctx;
    char path[512];
    rig->n_requests++;
    if (!http_safe_join(req, 0, dir, path, sizeof path)) {
        http_reply_problem(req, 404, "no such file");
        return;
    }
    http_send_file(req, &(struct http_file){.path = path, .allows_gzip = true});
}

static int make_files(void **state)
{
    (void)state;
    if (!mkdtemp(dir))
        return -1;
    write_file("a.html", "<p>hello</p>", 12);
    write_file("a.html.gz", "zipped", 6);
    write_file("empty.txt", "", 0);
    write_file(".secret", "x", 1);
    uint8_t *big = xmalloc(BIG_BYTES);
    for (size_t i = 0; i < BIG_BYTES; i++)
        big[i] = big_byte(i);
    write_file("big.mp4", big, BIG_BYTES);
    free(big);
    char path[256];
    snprintf(path, sizeof path, "%s/fifo", dir);
    return mkfifo(path, 0600);
}

static int remove_files(void **state)
{
    (void)state;
    static const char *const names[] = {"a.html",  "a.html.gz", "empty.txt",
                                        ".secret", "big.mp4",   "fifo"};
    for (size_t i = 0; i < ARRAY_LEN(names); i++) {
        char path[256];
        snprintf(path, sizeof path, "%s/%s", dir, names[i]);
        unlink(path);
    }
    return rmdir(dir);
}

static int setup(void **state)
{
    struct rig *rig = xcalloc(1, sizeof *rig);
    rig_init(rig, &(struct http_server_params){.handler = handle,
                                               .pool = pool_create(&(struct pool_params){0})});
    *state = rig;
    return 0;
}

static int teardown(void **state)
{
    struct rig *rig = *state;
    rig_fini(rig);
    free(rig);
    return 0;
}

static void get(struct client *c, const char *path, const char *headers)
{
    char text[512];
    snprintf(text, sizeof text, "GET %s HTTP/1.1\r\nHost: h\r\n%s\r\n", path, headers);
    client_say(c, text);
}

static void sends_small_files_and_their_tag(void **state)
{
    struct rig *rig = *state;
    struct client c;
    client_open(rig, &c);
    get(&c, "/a.html", "");
    client_expect(&c, "HTTP/1.1 200 OK\r\n");
    client_expect(&c, "Content-Type: text/html; charset=utf-8\r\nContent-Length: 12\r\nETag: ");
    client_take(&c, 40);
    char tag[64] = "";
    sscanf(buf_cstr(&c.got), "%63[^\r]", tag);
    client_expect(&c, "\r\n\r\n<p>hello</p>");
    char headers[128];
    snprintf(headers, sizeof headers, "If-None-Match: \"x\", W/%s\r\n", tag);
    get(&c, "/a.html", headers);
    client_expect(&c, "HTTP/1.1 304 Not Modified\r\n");
    client_expect(&c, "\r\n\r\n");
    get(&c, "/empty.txt", "");
    client_expect(&c, "Content-Length: 0\r\n");
    client_expect(&c, "\r\n\r\n");
    client_say(&c, "HEAD /big.mp4 HTTP/1.1\r\nHost: h\r\n\r\n");
    client_expect(&c, "Content-Length: 2097229\r\n");
    client_expect(&c, "\r\n\r\n");
    assert_int_equal(c.got.len, 0);
    client_close(&c);
}

static void prefers_the_compressed_sibling(void **state)
{
    struct rig *rig = *state;
    struct client c;
    client_open(rig, &c);
    get(&c, "/a.html", "Accept-Encoding: br, gzip\r\n");
    client_expect(&c, "Content-Type: text/html; charset=utf-8\r\nContent-Length: 6\r\n");
    client_expect(&c, "Content-Encoding: gzip\r\n");
    client_expect(&c, "\r\nzipped");
    client_close(&c);
}

static void check_big(struct client *c, size_t first, size_t n)
{
    client_expect(c, "\r\n\r\n");
    client_take(c, n);
    assert_int_equal(c->got.len, n);
    for (size_t i = 0; i < n; i++) {
        if (c->got.data[i] != big_byte(first + i))
            fail_msg("byte %zu of range from %zu differs", i, first);
    }
    buf_clear(&c->got);
}

static void sends_large_files_and_ranges(void **state)
{
    struct rig *rig = *state;
    struct client c;
    client_open(rig, &c);
    get(&c, "/big.mp4", "");
    client_expect(&c, "HTTP/1.1 200 OK\r\n");
    check_big(&c, 0, BIG_BYTES);
    get(&c, "/big.mp4", "Range: bytes=1000-999999\r\n");
    client_expect(&c, "HTTP/1.1 206 Partial Content\r\n");
    client_expect(&c, "Content-Range: bytes 1000-999999/2097229\r\n");
    check_big(&c, 1000, 999000);
    get(&c, "/big.mp4", "Range: bytes=-5\r\n");
    client_expect(&c, "Content-Range: bytes 2097224-2097228/2097229\r\n");
    check_big(&c, BIG_BYTES - 5, 5);
    get(&c, "/a.html", "Range: bytes=3-7\r\n");
    client_expect(&c, "\r\n\r\nhello");
    get(&c, "/a.html", "Range: bytes=12-\r\n");
    client_expect(&c, "HTTP/1.1 416 ");
    client_expect(&c, "Content-Range: bytes */12\r\n");
    get(&c, "/a.html", "Range: bytes=0-1\r\nIf-Range: \"other\"\r\n");
    client_expect(&c, "HTTP/1.1 200 OK\r\n");
    client_expect(&c, "\r\n\r\n<p>hello</p>");
    client_close(&c);
}

static void finds_only_what_may_be_found(void **state)
{
    struct rig *rig = *state;
    static const char *const paths[] = {"/none", "/.secret", "/fifo", "/",
                                        "/a.html%2F..%2F.secret"};
    struct client c;
    client_open(rig, &c);
    for (size_t i = 0; i < ARRAY_LEN(paths); i++) {
        get(&c, paths[i], "");
        client_expect(&c, "HTTP/1.1 404 ");
    }
    client_say(&c, "POST /a.html HTTP/1.1\r\nHost: h\r\nContent-Length: 0\r\n\r\n");
    client_expect(&c, "HTTP/1.1 405 ");
    client_close(&c);
}

static void forgets_a_client_that_left(void **state)
{
    struct rig *rig = *state;
    for (int i = 0; i < 20; i++) {
        struct client c;
        client_open(rig, &c);
        get(&c, "/big.mp4", "");
        if (i % 2)
            client_expect(&c, "HTTP/1.1 200 OK");
        rig_turns(rig);
        client_close(&c);
    }
    rig_turns(rig);
    while (http_server_connections(rig->server) > 0)
        loop_turn(rig->loop, false);
}

static void stops_with_files_on_their_way(void **state)
{
    struct rig *rig = *state;
    struct client c;
    client_open(rig, &c);
    get(&c, "/big.mp4", "");
    rig_until(rig, &rig->n_requests, 1);
    http_server_destroy(&rig->server);
    pool_destroy(&rig->pool);
    rig_turns(rig);
    client_close(&c);
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
    const struct CMUnitTest tests[] = {
        T(sends_small_files_and_their_tag), T(prefers_the_compressed_sibling),
        T(sends_large_files_and_ranges),    T(finds_only_what_may_be_found),
        T(forgets_a_client_that_left),      T(stops_with_files_on_their_way),
    };
    return cmocka_run_group_tests(tests, make_files, remove_files);
}
