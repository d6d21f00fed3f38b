#include "server/json.h"
#include "server/routes.h"
int reports_list(struct api_call *call, struct err *err)
{
    (void)err;
    call->json = json_list(json_array());
    return 0;
}
int uptime_get(struct api_call *call, struct err *err)
{
    (void)call;
    return err_text(err, ERR_BUSY, "not yet");
}
