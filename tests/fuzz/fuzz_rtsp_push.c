/* The first byte chooses whether UDP is taken and how the rest, which the encoder says, is cut up.
 */
#include "ingest/rtsp_push.h"

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
    static const struct session_host hosts[] = {{on_frame, on_open_udp}, {on_frame, NULL}};
    size_t sum = 0;
    int mode = size > 0 ? data[0] : 0;
    size_t step = mode & 4 ? 7 : SIZE_MAX;
    int64_t now_us = 1;
    struct rtsp_push_params params = {.host = &hosts[mode & 1], .ctx = &sum, .mono_us = now_us};
    struct session *s = rtsp_push_create(&params);
    for (size_t at = 1, end = 1; end < size; now_us += 300000) {
        end = step < size - end ? end + step : size;
        at += session_input(s, now_us, data + at, end - at);
        session_timeout(s, now_us);
        buf_clear(&s->out);
        if (s->end.verdict == SESSION_VERDICT_RESTART) {
            session_destroy(&s);
            params.mono_us = now_us;
            s = rtsp_push_create(&params);
        }
    }
    session_stop(s, now_us);
    session_destroy(&s);
    return 0;
}
