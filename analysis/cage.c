#include "analysis/cage.h"

#include <errno.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/resource.h>

#include "analysis/worker_message.h"
#include "base/mem.h"

#define CAGE_MEMORY_BYTES (UINT64_C(1536) << 20) /* an 8K H.265 picture with its buffers fits */

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

int cage_enter(void)
{
    if (prctl(PR_SET_PDEATHSIG, SIGKILL) < 0 || prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0 ||
        prctl(PR_SET_DUMPABLE, 0) < 0)
        return -errno;
    struct {
        int what;
        rlim_t value;
    } limits[] = {
        {RLIMIT_CORE, 0},
        {RLIMIT_FSIZE, 0},
        {RLIMIT_NOFILE, WORKER_FD + 1}, /* nothing beyond what is open */
        {RLIMIT_MEMLOCK, 0},
        {RLIMIT_MSGQUEUE, 0},
        {RLIMIT_AS, CAGE_MEMORY_BYTES},
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
