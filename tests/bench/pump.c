/* The yardstick: the least a program can do that records cameras. It shakes hands with N cameras
 * the shortest way, then only reads the sockets and writes the same bytes to one file each: epoll,
 * one large read per readiness, one write. Everything a recorder costs beyond this is its own
 * making. Plain system calls on purpose; nothing of the product is linked. */
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define READ_BYTES      (1u << 20)
#define KEEPALIVE_S     20
#define MAX_CAMERAS     5000
#define EVENTS_PER_WAIT 256

struct link {
    int fd, file;
    uint64_t bytes;
    char session[128];
};

static struct link links[MAX_CAMERAS];
static char scratch[READ_BYTES];

static void die(const char *what)
{
    fprintf(stderr, "pump: %s: %s\n", what, strerror(errno));
    exit(1);
}

static double now_s(void)
{
    struct timespec ts;
    clock_gettime(CLOCK_MONOTONIC, &ts);
    return (double)ts.tv_sec + (double)ts.tv_nsec / 1e9;
}

static double cpu_s(double *out_user)
{
    struct rusage u;
    getrusage(RUSAGE_SELF, &u);
    *out_user = (double)u.ru_utime.tv_sec + (double)u.ru_utime.tv_usec / 1e6;
    return *out_user + (double)u.ru_stime.tv_sec + (double)u.ru_stime.tv_usec / 1e6;
}

/* Sends a request and reads its answer; what follows it goes to the file. */
static void ask(struct link *l, const char *request)
{
    static char in[65536];
    size_t len = 0;
    if (send(l->fd, request, strlen(request), MSG_NOSIGNAL) < 0)
        die("send");
    for (;;) {
        ssize_t n = recv(l->fd, in + len, sizeof in - 1 - len, 0);
        if (n <= 0)
            die("handshake");
        len += (size_t)n;
        in[len] = 0;
        const char *end = strstr(in, "\r\n\r\n");
        if (!end)
            continue;
        const char *length = strcasestr(in, "Content-Length:");
        size_t body = length && length < end ? strtoul(length + 15, NULL, 10) : 0;
        size_t whole = (size_t)(end + 4 - in) + body;
        if (len < whole)
            continue;
        if (strncmp(in, "RTSP/1.0 200", 12) != 0) {
            fprintf(stderr, "pump: the camera answers %.40s\n", in);
            exit(1);
        }
        const char *session = strcasestr(in, "Session:");
        if (session && session < end)
            sscanf(session + 8, " %127[^;\r\n]", l->session);
        if (len > whole && write(l->file, in + whole, len - whole) < 0)
            die("write");
        l->bytes += len - whole;
        return;
    }
}

static void start(struct link *l, const struct sockaddr_in *to, int number, const char *dir,
                  int lowat)
{
    char url[128];
    char text[512];
    snprintf(text, sizeof text, "%s/cam-%03d.rtp", dir, number);
    l->file = open(text, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
    if (l->file < 0)
        die(text);
    l->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (connect(l->fd, (const struct sockaddr *)to, sizeof *to) < 0)
        die("connect");
    int one = 1;
    setsockopt(l->fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    snprintf(url, sizeof url, "rtsp://127.0.0.1:%d/cam-%03d", ntohs(to->sin_port), number);
    snprintf(text, sizeof text, "DESCRIBE %s RTSP/1.0\r\nCSeq: 1\r\n\r\n", url);
    ask(l, text);
    snprintf(text, sizeof text,
             "SETUP %s/trackID=0 RTSP/1.0\r\nCSeq: 2\r\n"
             "Transport: RTP/AVP/TCP;unicast;interleaved=0-1\r\n\r\n",
             url);
    ask(l, text);
    snprintf(text, sizeof text, "PLAY %s RTSP/1.0\r\nCSeq: 3\r\nSession: %s\r\n\r\n", url,
             l->session);
    ask(l, text);
    if (lowat > 0)
        setsockopt(l->fd, SOL_SOCKET, SO_RCVLOWAT, &lowat, sizeof lowat);
}

static void keep_alive(const struct link *l)
{
    char text[256];
    int n = snprintf(text, sizeof text, "OPTIONS * RTSP/1.0\r\nCSeq: 4\r\nSession: %s\r\n\r\n",
                     l->session);
    if (send(l->fd, text, (size_t)n, MSG_NOSIGNAL | MSG_DONTWAIT) < 0)
        die("keepalive");
}

/* Reads and writes until the time is up. */
static void run(int epoll_fd, int n_links, double until_s)
{
    struct epoll_event events[EVENTS_PER_WAIT];
    double next_keepalive_s = now_s() + KEEPALIVE_S;
    double now;
    while ((now = now_s()) < until_s) {
        int n = epoll_wait(epoll_fd, events, EVENTS_PER_WAIT, (int)((until_s - now) * 1000) + 1);
        for (int i = 0; i < n; i++) {
            struct link *l = events[i].data.ptr;
            ssize_t got = recv(l->fd, scratch, sizeof scratch, MSG_DONTWAIT);
            if (got <= 0)
                die("a camera ended");
            if (write(l->file, scratch, (size_t)got) != got)
                die("write");
            l->bytes += (uint64_t)got;
        }
        if (now > next_keepalive_s) {
            for (int i = 0; i < n_links; i++)
                keep_alive(&links[i]);
            next_keepalive_s = now + KEEPALIVE_S;
        }
    }
}

static uint64_t total_bytes(int n_links)
{
    uint64_t sum = 0;
    for (int i = 0; i < n_links; i++)
        sum += links[i].bytes;
    return sum;
}

int main(int argc, char **argv)
{
    if (argc != 7) {
        fprintf(stderr, "usage: pump PORT CAMERAS WARMUP_SECONDS SECONDS DIRECTORY LOWAT_BYTES\n");
        return 2;
    }
    int n_links = (int)strtol(argv[2], NULL, 10);
    double warmup_s = strtod(argv[3], NULL);
    double seconds = strtod(argv[4], NULL);
    struct sockaddr_in to = {.sin_family = AF_INET,
                             .sin_port = htons((uint16_t)strtoul(argv[1], NULL, 10)),
                             .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    if (n_links < 1 || n_links > MAX_CAMERAS)
        return 2;
    struct rlimit files = {2 * MAX_CAMERAS + 100, 2 * MAX_CAMERAS + 100};
    setrlimit(RLIMIT_NOFILE, &files);

    int epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    for (int i = 0; i < n_links; i++) {
        start(&links[i], &to, i + 1, argv[5], (int)strtol(argv[6], NULL, 10));
        struct epoll_event ev = {.events = EPOLLIN, .data.ptr = &links[i]};
        epoll_ctl(epoll_fd, EPOLL_CTL_ADD, links[i].fd, &ev);
    }
    run(epoll_fd, n_links, now_s() + warmup_s);

    double user0;
    double user1;
    double cpu0 = cpu_s(&user0);
    double start_s = now_s();
    uint64_t bytes0 = total_bytes(n_links);
    run(epoll_fd, n_links, start_s + seconds);
    double wall = now_s() - start_s;
    double cpu = cpu_s(&user1) - cpu0;
    printf("{\"cameras\": %d, \"seconds\": %.3f, \"cpu_s\": %.4f, \"user_s\": %.4f, "
           "\"bytes\": %llu, \"cpu_s_per_camera_minute\": %.5f}\n",
           n_links, wall, cpu, user1 - user0, (unsigned long long)(total_bytes(n_links) - bytes0),
           cpu / n_links / wall * 60);
    return 0;
}
