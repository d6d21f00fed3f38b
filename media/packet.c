#include "media/packet.h"

#include <stdlib.h>

#include "base/mem.h"

struct packet *packet_create(size_t capacity)
{
    if (capacity > PACKET_MAX_BYTES)
        return NULL;
    struct packet *pkt = try_malloc(sizeof *pkt + capacity);
    if (!pkt)
        return NULL;
    *pkt = (struct packet){.capacity = capacity};
    refcount_init(&pkt->refs);
    return pkt;
}

static bool resize(struct packet **pkt, size_t capacity)
{
    struct packet *moved = try_realloc(*pkt, sizeof *moved + capacity);
    if (!moved)
        return false;
    moved->capacity = capacity;
    *pkt = moved;
    return true;
}

bool packet_grow(struct packet **pkt, size_t n)
{
    struct packet *p = *pkt;
    if (n > PACKET_MAX_BYTES - p->size)
        return false;
    size_t cap = MAX(p->size + n, p->capacity + p->capacity / 2);
    return resize(pkt, MIN(cap, (size_t)PACKET_MAX_BYTES));
}

void packet_trim(struct packet **pkt)
{
    size_t wasted = (*pkt)->capacity - (*pkt)->size;
    if (wasted > 512 && wasted > (*pkt)->size / 8)
        resize(pkt, (*pkt)->size);
}

struct packet *packet_ref(struct packet *pkt)
{
    refcount_inc(&pkt->refs);
    return pkt;
}

void packet_unref(struct packet **pkt)
{
    struct packet *p = *pkt;
    *pkt = NULL;
    if (!p || !refcount_dec(&p->refs))
        return;
    format_unref(&p->format);
    free(p);
}
