/* Lists that grow by doubling, without a capacity of their own. Thread: pure. */
#ifndef STORAGE_LIST_H
#define STORAGE_LIST_H

#include <assert.h>
#include <stddef.h>

#include "base/mem.h"

/* The list with room for one more element of `size` bytes behind its n; never NULL. */
static inline void *list_room(void *list, size_t n, size_t size)
{
    if (n == 0)
        list = xrealloc(list, 16 * size);
    else if (n >= 16 && (n & (n - 1)) == 0)
        list = xrealloc(list, 2 * n * size);
    assert(list != NULL);
    return list;
}

#endif
