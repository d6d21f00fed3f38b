#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include <errno.h>
#include <sys/socket.h>
#include <sys/wait.h>

#include "base/child.h"
#include "base/mem.h"
#include "base/str.h"
#include "ingest/stream.h"

/* Processes live in real time, so the clock is the system's. The process that a stream starts is
 * this program itself, which knows by a socket on descriptor 3 that it is one and by the address
 * what to play. */
struct rig {
    struct loop *loop;
    struct stream *stream;
    struct stream_config config;
    struct stream_status status;
    bool is_gone;
};

static void on_status(void *ctx, const struct stream_status *st, bool is_change)
{
    (void)is_change;
    ((struct rig *)ctx)->status = *st;
}

static void on_gone(void *ctx)
{
    ((struct rig *)ctx)->is_gone = true;
}

static void give_up(void *ctx)
{
    const struct rig *rig = ctx;
    fail_msg("never came (%s: %s)", cause_name(rig->status.cause), rig->status.detail);
}

#define until(rig, done)                                                                           \
    do {                                                                                           \
        struct timer watchdog = {0};                                                               \
        timer_init(&watchdog, (rig)->loop, give_up, rig);                                          \
        timer_arm_ms(&watchdog, 10000);                                                            \
        while (!(done))                                                                            \
            loop_turn((rig)->loop, true);                                                          \
        timer_disarm(&watchdog);                                                                   \
    } while (0)

static void start(struct rig *rig, const char *url, const char *path)
{
    *rig = (struct rig){.loop = loop_create(NULL), .config = {.camera_id = "c", .name = "main"}};
    str_copy(rig->config.url, sizeof rig->config.url, url);
    str_copy(rig->config.username, sizeof rig->config.username, "user");
    str_copy(rig->config.password, sizeof rig->config.password, "p@ss word");
    rig->stream = stream_start(&(struct stream_params){.home = rig->loop,
                                                       .loop = rig->loop,
                                                       .remux_path = path,
                                                       .config = &rig->config,
                                                       .status = on_status,
                                                       .gone = on_gone,
                                                       .ctx = rig});
}

static void end(struct rig *rig)
{
    stream_stop(rig->stream);
    until(rig, rig->is_gone);
    loop_destroy(&rig->loop);
}

static void assert_fails(const char *url, const char *path, enum stream_cause cause,
                         const char *words)
{
    struct rig rig;
    start(&rig, url, path);
    until(&rig, rig.status.cause == cause);
    assert_non_null(strstr(rig.status.detail, words));
    assert_non_null(strstr(rig.status.detail, "next try in"));
    end(&rig);
}

static void the_job_holds_the_login_and_the_last_word_is_believed(void **state)
{
    (void)state;
    assert_fails("rtmp://127.0.0.1/live/says", SELF_PATH, CAUSE_NOT_FOUND,
                 "told rtmp//user:p%40ss%20word@127.0.0.1/live/says");
}

static void a_process_that_dies_is_named(void **state)
{
    (void)state;
    assert_fails("http://127.0.0.1/dies", SELF_PATH, CAUSE_INTERNAL,
                 "rookery-remux ended unexpectedly");
}

static void a_program_that_is_missing_is_named(void **state)
{
    (void)state;
    assert_fails("http://127.0.0.1/x", "/nonexistent/rookery-remux", CAUSE_INTERNAL,
                 "/nonexistent/rookery-remux");
}

static void a_stop_waits_until_the_process_is_gone(void **state)
{
    (void)state;
    struct rig rig;
    start(&rig, "srt://127.0.0.1:9/hangs", SELF_PATH);
    /* Its first request is the sign that it runs. */
    until(&rig, rig.status.is_reachable);
    end(&rig);
    assert_int_equal(waitpid(-1, NULL, WNOHANG), -1); /* no child is left, running or not */
    assert_int_equal(errno, ECHILD);
}

static void other_settings_replace_the_process(void **state)
{
    (void)state;
    struct rig rig;
    start(&rig, "srt://127.0.0.1:9/hangs", SELF_PATH);
    until(&rig, rig.status.is_reachable);
    str_copy(rig.config.url, sizeof rig.config.url, "http://127.0.0.1/says");
    stream_configure(rig.stream, &rig.config);
    until(&rig, rig.status.cause == CAUSE_NOT_FOUND);
    end(&rig);
}

/* --- the process --- */

static int say(const char *text)
{
    return send(CHILD_FD, text, strlen(text), MSG_NOSIGNAL) < 0;
}

static int be_child(void)
{
    char job[4096];
    size_t n = 0;
    job[0] = '\0';
    while (!strstr(job, "\r\n\r\n")) {
        ssize_t got = recv(CHILD_FD, job + n, sizeof job - 1 - n, 0);
        if (got <= 0)
            return 1;
        n += (size_t)got;
        job[n] = '\0';
    }
    char *address = strstr(job, "Address: ");
    if (!address || strstr(job, "/dies"))
        return 1;
    address += strlen("Address: ");
    address[strcspn(address, "\r")] = '\0';
    if (strstr(address, "/hangs")) {
        say("OPTIONS * RTSP/1.0\r\nCSeq: 1\r\n\r\n");
        for (;;) /* does not mind that descriptor 3 is closed */
            pause();
    }
    /* A text may hold no address; so the colon of the scheme goes. */
    char text[4400];
    snprintf(text, sizeof text,
             "TEARDOWN * RTSP/1.0\r\nCSeq: 1\r\nCause: not_found\r\nReason: told %.*s%s\r\n\r\n",
             (int)strcspn(address, ":"), address, strchr(address, ':') + 1);
    return say(text);
}

int main(void)
{
    struct sockaddr_storage peer;
    socklen_t n = sizeof peer;
    if (getpeername(CHILD_FD, (struct sockaddr *)&peer, &n) == 0 && peer.ss_family == AF_UNIX)
        return be_child();
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_job_holds_the_login_and_the_last_word_is_believed),
        cmocka_unit_test(a_process_that_dies_is_named),
        cmocka_unit_test(a_program_that_is_missing_is_named),
        cmocka_unit_test(a_stop_waits_until_the_process_is_gone),
        cmocka_unit_test(other_settings_replace_the_process),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
