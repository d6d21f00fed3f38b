/* The spreadsheet of the whole district. */
#include <string.h>

#include "server/import.h"
#include "server/json.h"
#include "server/routes.h"

static json_t *count_json(const struct import_count *c)
{
    json_t *o = json_object();
    json_put_int(o, "new", c->n_new);
    json_put_int(o, "changed", c->n_changed);
    return o;
}

static json_t *errors_json(const struct import *im)
{
    json_t *list = json_array();
    for (size_t i = 0; i < import_kept_errors(im); i++) {
        json_t *o = json_object();
        json_put_int(o, "line", im->errors[i].line);
        json_put_text(o, "column", im->errors[i].column);
        json_put_text(o, "reason", im->errors[i].reason);
        json_put_word(o, &im->errors[i].why);
        json_array_append_new(list, o);
    }
    return list;
}

static int apply(struct db *db, void *ctx, struct err *err)
{
    return import_apply(db, ctx, err);
}

static void answer_problem(struct api_call *call, const struct import *im)
{
    struct err err;
    err_say(&err, ERR_INVALID, "import_errors",
            "%zu %s wrong; nothing was changed: correct the file", im->n_errors,
            im->n_errors == 1 ? "thing is" : "things are");
    call->status = 422;
    call->content_type = "application/problem+json";
    call->json = json_object();
    json_put_text(call->json, "type", "about:blank");
    json_put_text(call->json, "title", "Unprocessable Content");
    json_put_int(call->json, "status", 422);
    json_put_text(call->json, "detail", err.msg);
    json_put_word(call->json, &err);
    json_put(call->json, "errors", errors_json(im));
}

int import_post(struct api_call *call, struct err *err)
{
    int64_t dry_run = 0;
    int rc = api_query_int(call, "dry_run", 0, 1, &dry_run, err);
    if (rc < 0)
        return rc;
    struct import im;
    struct district *d;
    struct server *s = call->server;
    rc = server_load_district(s->catalogue, &d, err);
    if (rc < 0)
        return rc;
    import_plan(call->body, call->body_len, d, s->secrets, clock_wall_us(clock_system()), &im);
    district_unref(&d);
    bool is_applied = im.n_errors == 0 && !dry_run;
    if (is_applied) {
        rc = catalogue_write(s->catalogue, apply, &im, err);
        if (rc == 0)
            rc = server_load_district(s->catalogue, &call->new_district, err);
    } else if (im.n_errors > 0 && !dry_run) {
        answer_problem(call, &im);
    }
    if (rc == 0 && call->json == NULL) {
        call->json = json_object();
        json_put_int(call->json, "rows", im.n_rows);
        json_put(call->json, "townships", count_json(&im.townships));
        json_put(call->json, "institutions", count_json(&im.institutions));
        json_put(call->json, "cameras", count_json(&im.cameras));
        json_put(call->json, "errors", errors_json(&im));
        json_put_bool(call->json, "applied", is_applied);
    }
    import_fini(&im);
    return rc;
}
