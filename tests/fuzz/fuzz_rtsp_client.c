/* The first byte chooses transport, login, how the rest, which the camera says, is cut up,
 * whether extras are set up, and whether sound is spared. */
#include "ingest/rtsp_client.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void on_frame(void *ctx, int track, const uint8_t *p, size_t n)
{
    *(size_t *)ctx += (size_t)track + n + (n > 0 ? p[n - 1] : 0);
}

static int on_open_udp(void *ctx, int track)
{
    return ctx ? 5000 + 2 * track : -1;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const struct session_host host = {.frame = on_frame, .open_udp = on_open_udp};
    static const struct url url = {.host = "h", .port = 554, .path = "/x?y=1"};
    size_t sum = 0;
    int mode = size > 0 ? data[0] : 0;
    struct rtsp_memory memory = {.tries_all = mode & 8};
    if (mode & 16)
        sound_doubt_settle(&memory.sound, "it hangs");
    size_t step = mode & 4 ? 7 : SIZE_MAX;
    int64_t now_us = 1;
    struct rtsp_client_params params = {&url, mode & 2 ? "u" : "", "p", mode & 1, &memory, &host,
                                        &sum};
    struct rtsp_client *c = rtsp_client_create(&params);
    struct session *s = rtsp_client_session(c);
    rtsp_client_start(c, now_us);
    for (size_t at = 1, end = 1; end < size; now_us += 300000) {
        end = step < size - end ? end + step : size;
        at += session_input(s, now_us, data + at, end - at);
        session_timeout(s, now_us);
        buf_clear(&s->out);
    }
    session_stop(s, now_us);
    session_timeout(s, now_us + 2000000);
    session_destroy(&s);
    return 0;
}
