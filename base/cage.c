#include "base/cage.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/landlock.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>

#include "base/mem.h"

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define CAGE_IS_SANITIZED 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define CAGE_IS_SANITIZED 1
#endif
#endif
#ifndef CAGE_IS_SANITIZED
#define CAGE_IS_SANITIZED 0
#endif

static int limit(int what, rlim_t value)
{
    struct rlimit r = {.rlim_cur = value, .rlim_max = value};
    return setrlimit((__rlimit_resource_t)what, &r) < 0 ? -errno : 0;
}

static int limit_resources(const struct cage *cage)
{
    struct {
        int what;
        rlim_t value;
    } limits[] = {
        {RLIMIT_CORE, 0},    {RLIMIT_FSIZE, 0},    {RLIMIT_NOFILE, (rlim_t)cage->n_files},
        {RLIMIT_MEMLOCK, 0}, {RLIMIT_MSGQUEUE, 0}, {RLIMIT_AS, cage->memory_bytes},
    };
    for (size_t i = 0; i < ARRAY_LEN(limits); i++) {
        /* sanitizers reserve terabytes of addresses and open files of /proc */
        if (CAGE_IS_SANITIZED && (limits[i].what == RLIMIT_AS || limits[i].what == RLIMIT_NOFILE))
            continue;
        int rc = limit(limits[i].what, limits[i].value);
        if (rc < 0)
            return rc;
    }
    return 0;
}

/* The first version's rights: every kernel that has Landlock knows them. */
#define READING (LANDLOCK_ACCESS_FS_READ_FILE | LANDLOCK_ACCESS_FS_READ_DIR)
#define HANDLED                                                                                    \
    (READING | LANDLOCK_ACCESS_FS_EXECUTE | LANDLOCK_ACCESS_FS_WRITE_FILE |                        \
     LANDLOCK_ACCESS_FS_REMOVE_DIR | LANDLOCK_ACCESS_FS_REMOVE_FILE |                              \
     LANDLOCK_ACCESS_FS_MAKE_CHAR | LANDLOCK_ACCESS_FS_MAKE_DIR | LANDLOCK_ACCESS_FS_MAKE_REG |    \
     LANDLOCK_ACCESS_FS_MAKE_SOCK | LANDLOCK_ACCESS_FS_MAKE_FIFO | LANDLOCK_ACCESS_FS_MAKE_BLOCK | \
     LANDLOCK_ACCESS_FS_MAKE_SYM)

/* One that is not there is left out. */
static int allow_reading(int ruleset, const char *path)
{
    int fd = open(path, O_PATH | O_CLOEXEC);
    if (fd < 0)
        return 0;
    struct stat st;
    bool is_dir = fstat(fd, &st) == 0 && S_ISDIR(st.st_mode);
    struct landlock_path_beneath_attr rule = {
        .allowed_access = is_dir ? READING : LANDLOCK_ACCESS_FS_READ_FILE, .parent_fd = fd};
    long rc = syscall(SYS_landlock_add_rule, ruleset, LANDLOCK_RULE_PATH_BENEATH, &rule, 0);
    rc = rc < 0 ? -errno : 0;
    close(fd);
    return (int)rc;
}

static int restrict_files(void)
{
    static const char *const paths[] = {
        "/etc/resolv.conf",
        "/etc/hosts",
        "/etc/nsswitch.conf",
        "/etc/host.conf",
        "/etc/gai.conf",
        "/etc/services",
        "/etc/protocols",
        "/etc/ld.so.cache",
        "/etc/localtime",
        "/etc/ssl",
        "/etc/ca-certificates",
        "/etc/pki",
        "/etc/gnutls",
        "/etc/pkcs11",
        "/run/systemd/resolve",
        "/run/resolvconf",
        "/run/NetworkManager",
        "/dev/urandom",
        "/lib",
        "/lib64",
        "/usr",
    };
    struct landlock_ruleset_attr attr = {.handled_access_fs = HANDLED};
    int ruleset = (int)syscall(SYS_landlock_create_ruleset, &attr, sizeof attr, 0);
    if (ruleset < 0) /* EPERM: an older system call filter around us, of a container or a service */
        return errno == ENOSYS || errno == EOPNOTSUPP || errno == EPERM ? 0 : -errno;
    int rc = 0;
    if (CAGE_IS_SANITIZED)
        rc = allow_reading(ruleset, "/proc");
    for (size_t i = 0; i < ARRAY_LEN(paths) && rc == 0; i++)
        rc = allow_reading(ruleset, paths[i]);
    if (rc == 0 && syscall(SYS_landlock_restrict_self, ruleset, 0) < 0)
        rc = -errno;
    close(ruleset);
    return rc;
}

int cage_enter(const struct cage *cage)
{
    /* the leak checker of sanitizers traces its own process */
    if (prctl(PR_SET_PDEATHSIG, SIGKILL) < 0 || prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0 ||
        prctl(PR_SET_DUMPABLE, CAGE_IS_SANITIZED) < 0)
        return -errno;
    int rc = limit_resources(cage);
    if (rc == 0 && cage->is_on_network)
        rc = restrict_files();
    return rc;
}
