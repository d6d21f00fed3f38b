#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/wait.h>

#include "base/child.h"
#include "base/mem.h"

/* The child is this program itself, which knows by a socket on descriptor 3 that it is one. */
struct rig {
    struct loop *loop;
    struct child child;
    bool has_ended;
    int status;
    int fd;
};

static void on_ended(void *ctx, int status)
{
    struct rig *rig = ctx;
    rig->has_ended = true;
    rig->status = status;
}

static int start(struct rig *rig, const char *path)
{
    *rig = (struct rig){.loop = loop_create(NULL), .fd = -1};
    struct child_params params = {.loop = rig->loop, .path = path, .ended = on_ended, .ctx = rig};
    struct err err = {0};
    int rc = child_start(&rig->child, &params, &rig->fd, &err);
    if (rc < 0)
        assert_non_null(strstr(err.msg, path));
    return rc;
}

static void give_up(void *ctx)
{
    (void)ctx;
    fail_msg("the child did not end");
}

static void wait_end(struct rig *rig)
{
    struct timer watchdog = {0};
    timer_init(&watchdog, rig->loop, give_up, NULL);
    timer_arm_ms(&watchdog, 10000);
    while (!rig->has_ended)
        loop_turn(rig->loop, true);
    timer_disarm(&watchdog);
}

static void end(struct rig *rig)
{
    close(rig->fd);
    loop_destroy(&rig->loop);
}

static void a_child_has_only_its_descriptors_and_no_environment(void **state)
{
    (void)state;
    struct rig rig;
    setenv("ROOKERY_TEST_SECRET", "hidden", 1);
    int extra = open("/dev/null", O_RDONLY); /* not close-on-exec: it must not get through */
    assert_int_equal(start(&rig, SELF_PATH), 0);
    char answer[64];
    ssize_t n = recv(rig.fd, answer, sizeof answer - 1, 0);
    assert_true(n > 0);
    answer[n] = 0;
    assert_string_equal(answer, "descriptors 0 1 2 3, environment 0");
    close(extra);
    child_stop(&rig.child, 0);
    wait_end(&rig);
    end(&rig);
}

static void a_child_that_is_stopped_is_killed_and_reaped(void **state)
{
    (void)state;
    struct rig rig;
    assert_int_equal(start(&rig, SELF_PATH), 0);
    pid_t pid = rig.child.pid;
    child_stop(&rig.child, 0);
    wait_end(&rig);
    assert_true(WIFSIGNALED(rig.status));
    assert_int_equal(rig.child.pid, 0);
    assert_int_equal(kill(pid, 0), -1); /* no zombie is left */
    child_stop(&rig.child, 0);          /* nothing to stop */
    end(&rig);
}

static void a_child_with_grace_ends_by_itself_when_its_descriptor_is_closed(void **state)
{
    (void)state;
    struct rig rig;
    assert_int_equal(start(&rig, SELF_PATH), 0);
    char answer[64];
    assert_true(recv(rig.fd, answer, sizeof answer, 0) > 0);
    child_stop(&rig.child, 60000);
    shutdown(rig.fd, SHUT_RDWR);
    wait_end(&rig);
    assert_true(WIFEXITED(rig.status));
    assert_int_equal(WEXITSTATUS(rig.status), 7);
    end(&rig);
}

static void a_child_that_ignores_its_grace_is_killed(void **state)
{
    (void)state;
    struct rig rig;
    assert_int_equal(start(&rig, SELF_PATH), 0);
    child_stop(&rig.child, 20);
    wait_end(&rig);
    assert_true(WIFSIGNALED(rig.status));
    end(&rig);
}

static void a_program_that_is_missing_is_an_error_and_leaves_nothing(void **state)
{
    (void)state;
    struct rig rig;
    assert_int_equal(start(&rig, "/nonexistent/program"), -ENOENT);
    assert_int_equal(rig.child.pid, 0);
    loop_destroy(&rig.loop);
}

/* As a child: says what it was given, then waits for the end of descriptor 3. */
static int be_child(char **environment)
{
    char text[64] = "descriptors";
    for (int fd = 0; fd < 64; fd++) {
        size_t n = strlen(text);
        if (fcntl(fd, F_GETFD) >= 0)
            snprintf(text + n, sizeof text - n, " %d", fd);
    }
    size_t n = strlen(text);
    snprintf(text + n, sizeof text - n, ", environment %d", environment[0] != NULL);
    if (send(CHILD_FD, text, strlen(text), MSG_NOSIGNAL) < 0)
        return 1;
    char byte;
    return recv(CHILD_FD, &byte, 1, 0) == 0 ? 7 : 1;
}

int main(int argc, char **argv, char **environment)
{
    (void)argc, (void)argv;
    struct sockaddr_storage peer;
    socklen_t n = sizeof peer;
    if (getpeername(CHILD_FD, (struct sockaddr *)&peer, &n) == 0 && peer.ss_family == AF_UNIX)
        return be_child(environment);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_child_has_only_its_descriptors_and_no_environment),
        cmocka_unit_test(a_child_that_is_stopped_is_killed_and_reaped),
        cmocka_unit_test(a_child_with_grace_ends_by_itself_when_its_descriptor_is_closed),
        cmocka_unit_test(a_child_that_ignores_its_grace_is_killed),
        cmocka_unit_test(a_program_that_is_missing_is_an_error_and_leaves_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
