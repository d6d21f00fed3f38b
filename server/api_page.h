/* Cutting a sorted list into pages: ?limit= and ?cursor=, which is the last id of the page before.
 * Thread: belongs to its owner. */
#ifndef SERVER_API_PAGE_H
#define SERVER_API_PAGE_H

#include "server/api.h"

struct page {
    int64_t limit;
    const char *cursor; /* NULL = from the start */
    json_t *items;
    char last[72];
    bool is_full;
};

int page_begin(const struct api_call *call, struct page *p, struct err *err);
/* Whether the item of this id belongs to the page; then the caller appends it to items. */
bool page_takes(struct page *p, const char *id);
/* {"items", "next"} */
json_t *page_end(struct page *p);

/* Ids of the cameras below the route's node that the user sees, borrowed from call->district; the
 * list is the caller's to free. */
const char **page_cameras(const struct api_call *call, size_t *out_n);

#endif
