#include "server/process.h"

#include <dirent.h>
#include <fcntl.h>
#include <stddef.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "base/log.h"
#include "base/mem.h"
#include "base/str.h"

static int count_entries(const char *path)
{
    int n = 0;
    DIR *d = opendir(path);
    if (d == NULL)
        return 0;
    while (readdir(d) != NULL)
        n++;
    closedir(d);
    return MAX(n - 2, 0);
}

static int64_t resident_bytes(void)
{
    char text[128] = "";
    int fd = open("/proc/self/statm", O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return 0;
    ssize_t n = read(fd, text, sizeof text - 1);
    close(fd);
    struct span rest = {text, n > 0 ? (size_t)n : 0}, field;
    uint64_t pages = 0;
    if (!span_cut(&rest, ' ', &field) || !span_cut(&rest, ' ', &field) || !span_u64(field, &pages))
        return 0;
    return (int64_t)pages * sysconf(_SC_PAGESIZE);
}

void process_load(struct process_load *out)
{
    struct rusage u;
    *out = (struct process_load){0};
    if (getrusage(RUSAGE_SELF, &u) == 0)
        out->cpu_s = (double)(u.ru_utime.tv_sec + u.ru_stime.tv_sec) +
                     (double)(u.ru_utime.tv_usec + u.ru_stime.tv_usec) / 1e6;
    out->rss_bytes = resident_bytes();
    out->n_fds = count_entries("/proc/self/fd") - 1;
    out->n_threads = count_entries("/proc/self/task");
}

#define FILES_MAX   (1 << 20) /* more is no limit to us */
#define FILES_FEW   8192
#define OWN_FILES   64 /* that come and go: readers, workers, names, files that are rotated */
#define PAGES_LEAST 16
#define PAGES_MOST  4000

int process_raise_limits(void)
{
    struct rlimit l;
    if (getrlimit(RLIMIT_NOFILE, &l) < 0)
        return 1024;
    rlim_t had = l.rlim_cur;
    l.rlim_cur = l.rlim_max;
    if (setrlimit(RLIMIT_NOFILE, &l) < 0)
        l.rlim_cur = had;
    return (int)MIN(l.rlim_cur, (rlim_t)FILES_MAX);
}

void process_share_files(int n_allowed, int n_used, struct process_files *out)
{
    int n_pages = CLAMP(n_allowed / 10, PAGES_LEAST, PAGES_MOST);
    /* a third one each: those that are beyond the limit and are told so */
    int n_left = n_allowed - n_used - OWN_FILES - 3 * n_pages;
    *out = (struct process_files){
        .n_allowed = n_allowed, .n_pages = n_pages, .n_cameras = MAX(n_left, 0)};
    if (n_allowed < FILES_FEW)
        log_warn("server",
                 "only %d open files are allowed (LimitNOFILE): enough for %d cameras, and %d "
                 "connections of pages",
                 n_allowed, out->n_cameras / 2, n_pages);
}

void process_notify(const char *state)
{
    const char *path = getenv("NOTIFY_SOCKET");
    struct sockaddr_un to = {.sun_family = AF_UNIX};
    size_t n = path != NULL ? strlen(path) : 0;
    if (n < 2 || n >= sizeof to.sun_path)
        return;
    memcpy(to.sun_path, path, n);
    if (path[0] == '@')
        to.sun_path[0] = '\0';
    int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return;
    socklen_t size = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + n);
    if (sendto(fd, state, strlen(state), MSG_NOSIGNAL, (struct sockaddr *)&to, size) < 0)
        log_warn("server", "the service manager cannot be told \"%s\"", state);
    close(fd);
}
