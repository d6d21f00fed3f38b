#include "ingest/push_limit.h"

#include <netinet/in.h>
#include <string.h>

#include "base/mem.h"

/* IPv4 as a whole, IPv6 by its network: whoever has one address there has them all. */
static void key_of(const struct address *a, uint8_t out[16])
{
    memset(out, 0, 16);
    if (a->sa.ss_family == AF_INET) {
        const struct sockaddr_in *v4 = (const struct sockaddr_in *)(const void *)&a->sa;
        memcpy(out + 12, &v4->sin_addr, 4);
        out[0] = 4;
        return;
    }
    const struct sockaddr_in6 *v6 = (const struct sockaddr_in6 *)(const void *)&a->sa;
    if (IN6_IS_ADDR_V4MAPPED(&v6->sin6_addr)) {
        memcpy(out + 12, v6->sin6_addr.s6_addr + 12, 4);
        out[0] = 4;
        return;
    }
    memcpy(out + 8, v6->sin6_addr.s6_addr, 8);
    out[0] = 6;
}

int64_t push_limit_wait_us(const struct push_limit *l, const struct address *from, int64_t mono_us)
{
    uint8_t key[16];
    key_of(from, key);
    for (size_t i = 0; i < PUSH_LIMIT_ADDRESSES; i++) {
        if (l->list[i].debt_until_us > mono_us && memcmp(l->list[i].address, key, 16) == 0)
            return MAX(l->list[i].debt_until_us - mono_us - (PUSH_LIMIT_BURST - 1) * PUSH_LIMIT_US,
                       0);
    }
    return 0;
}

void push_limit_failed(struct push_limit *l, const struct address *from, int64_t mono_us)
{
    uint8_t key[16];
    size_t at = 0;
    key_of(from, key);
    for (size_t i = 0; i < PUSH_LIMIT_ADDRESSES; i++) {
        if (l->list[i].debt_until_us > mono_us && memcmp(l->list[i].address, key, 16) == 0) {
            l->list[i].debt_until_us += PUSH_LIMIT_US;
            return;
        }
        if (l->list[i].debt_until_us < l->list[at].debt_until_us)
            at = i;
    }
    memcpy(l->list[at].address, key, 16);
    l->list[at].debt_until_us = mono_us + PUSH_LIMIT_US;
}
