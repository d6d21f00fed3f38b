#include "media/event.h"

const char *event_type_name(enum event_type type)
{
    switch (type) {
    case EVENT_MOTION:
        return "motion";
    }
    return "unknown";
}
