/* Whatever knocks, and with every camera behind the door. */
#include "ingest/push_login.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct push_login l;
    int mode = size > 0 ? data[0] : 0;
    size_t step = mode & 8 ? 7 : SIZE_MAX;
    struct push_camera camera = {.is_known = mode & 1,
                                 .is_pushed = mode & 2,
                                 .is_enabled = mode & 4,
                                 .user = "u",
                                 .key = "k"};
    push_login_init(&l);
    for (size_t at = 1; at < size && l.state == PUSH_LOGIN_READING;) {
        size_t n = step < size - at ? step : size - at;
        push_login_input(&l, data + at, n);
        at += n;
        if (l.state == PUSH_LOGIN_ASKING && push_login_check(&l, &camera) == PUSH_WELCOME &&
            !camera.is_known)
            __builtin_trap();
        buf_clear(&l.out);
    }
    push_login_fini(&l);
    return 0;
}
