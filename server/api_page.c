#include "server/api_page.h"

#include <string.h>

#include "base/str.h"
#include "server/json.h"

int page_begin(const struct api_call *call, struct page *p, struct err *err)
{
    *p = (struct page){.limit = 5000, .cursor = api_query(call, "cursor")};
    int rc = api_query_int(call, "limit", 1, 5000, &p->limit, err);
    if (rc == 0)
        p->items = json_array();
    return rc;
}

bool page_takes(struct page *p, const char *id)
{
    if (p->is_full || (p->cursor != NULL && strcmp(id, p->cursor) <= 0))
        return false;
    if (json_array_size(p->items) == (size_t)p->limit) {
        p->is_full = true;
        return false;
    }
    str_copy(p->last, sizeof p->last, id);
    return true;
}

json_t *page_end(struct page *p)
{
    json_t *o = json_list(p->items);
    if (p->is_full)
        json_put_text(o, "next", p->last);
    return o;
}

const char **page_cameras(const struct api_call *call, size_t *out_n)
{
    const struct district *d = call->district;
    const char **ids = xcalloc(d->rows.n_cameras + 1, sizeof *ids);
    *out_n = 0;
    for (size_t i = 0; i < d->rows.n_cameras; i++) {
        struct node n = district_node_of_camera(d, &d->rows.cameras[i]);
        if (node_contains(&call->node, &n) && access_sees(&call->user, d, &n))
            ids[(*out_n)++] = d->rows.cameras[i].id;
    }
    return ids;
}
