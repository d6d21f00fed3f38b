#include "fail.h"

#include <string.h>

const struct fail_facts fail_table[FAIL_MODES] = {
    [FAIL_NONE] = {"none", false, false, false, 0},
    [FAIL_PULL] = {"pull", false, true, true, 0},
    [FAIL_REFUSE] = {"refuse", true, true, true, 0},
    [FAIL_SILENT] = {"silent", true, true, true, 0},
    [FAIL_STALL] = {"stall", false, false, true, 0},
    [FAIL_GARBAGE] = {"garbage", true, false, false, 0},
    [FAIL_UNAUTHORIZED] = {"unauthorized", true, false, false, 0},
    [FAIL_NOT_FOUND] = {"not_found", true, false, false, 404},
    [FAIL_BUSY] = {"busy", true, false, false, 453},
    [FAIL_NO_VIDEO] = {"no_video", true, false, false, 0},
    [FAIL_HTTP] = {"http", true, false, true, 0},
    [FAIL_DROP] = {"drop", false, false, false, 0},
    [FAIL_SLOW] = {"slow", true, false, false, 0},
};

bool fail_of(const char *name, enum fail_mode *out)
{
    for (int i = 0; i < FAIL_MODES; i++) {
        if (strcmp(fail_table[i].name, name) == 0) {
            *out = (enum fail_mode)i;
            return true;
        }
    }
    return false;
}
