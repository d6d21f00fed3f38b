#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <linux/landlock.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include "base/cage.h"

#define SECRET "/etc/passwd" /* everybody may read it, outside the cage */

/* In a process of its own: what `act` returns after cage_enter; 100 when that failed. */
static int caged(const struct cage *cage, int (*act)(void))
{
    pid_t pid = fork();
    assert_true(pid >= 0);
    if (pid == 0)
        _exit(cage_enter(cage) < 0 ? 100 : act());
    int status = 0;
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_true(WIFEXITED(status));
    return WEXITSTATUS(status);
}

static int open_secret(void)
{
    return open(SECRET, O_RDONLY) < 0 ? errno : 0;
}

static int open_resolver(void)
{
    return open("/etc/nsswitch.conf", O_RDONLY) < 0 ? errno : 0;
}

static int create_file(void)
{
    char path[64];
    snprintf(path, sizeof path, "/tmp/rookery-cage-%d", (int)getpid());
    int fd = open(path, O_CREAT | O_WRONLY, 0600);
    if (fd < 0)
        return errno;
    unlink(path);
    return 0;
}

static int run_program(void)
{
    char *argv[] = {"/bin/true", NULL};
    execv(argv[0], argv);
    return errno;
}

static int nothing(void)
{
    return 0;
}

static const struct cage networked = {
    .memory_bytes = UINT64_C(1) << 30, .n_files = 64, .is_on_network = true};

static bool has_landlock(void)
{
    return syscall(SYS_landlock_create_ruleset, NULL, 0, LANDLOCK_CREATE_RULESET_VERSION) > 0;
}

static void a_process_on_the_network_reads_only_what_names_and_tls_need(void **state)
{
    (void)state;
    if (!has_landlock())
        skip();
    assert_int_equal(open_secret(), 0);
    assert_int_equal(caged(&networked, nothing), 0);
    assert_int_equal(caged(&networked, open_resolver), 0);
    assert_int_equal(caged(&networked, open_secret), EACCES);
    assert_int_equal(caged(&networked, create_file), EACCES);
    assert_int_equal(caged(&networked, run_program), EACCES);
}

static void a_process_without_a_network_opens_nothing(void **state)
{
    (void)state;
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
    skip();
#endif
    struct cage cage = {.memory_bytes = UINT64_C(1) << 30, .n_files = 3};
    assert_int_equal(caged(&cage, open_secret), EMFILE);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_process_on_the_network_reads_only_what_names_and_tls_need),
        cmocka_unit_test(a_process_without_a_network_opens_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
