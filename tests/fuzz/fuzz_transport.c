/* What a Transport header says survives printing; Session headers are read within bounds. */
#include <stdint.h>
#include <string.h>

#include "net/rtsp.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct span list = {(const char *)data, size};
    struct rtsp_session session;
    struct rtsp_transport t;
    struct rtsp_transport again;
    rtsp_session_parse(list, &session);
    while (rtsp_transport_next(&list, &t)) {
        struct buf first;
        struct buf second;
        buf_init(&first, 0);
        buf_init(&second, 0);
        rtsp_transport_print(&t, &first);
        struct span printed = span_of(buf_cstr(&first));
        if (!rtsp_transport_next(&printed, &again))
            __builtin_trap();
        rtsp_transport_print(&again, &second);
        if (strcmp(buf_cstr(&first), buf_cstr(&second)) != 0)
            __builtin_trap();
        buf_fini(&first);
        buf_fini(&second);
    }
    return 0;
}
