#include "server/placement.h"

#include <assert.h>
#include <stdlib.h>

#include "base/map.h"
#include "base/mem.h"
#include "base/str.h"
#include "net/url.h"

struct host {
    int n[PLACEMENT_MAX_LOOPS]; /* cameras by loop */
};

struct placement {
    int n_loops;
    int n[PLACEMENT_MAX_LOOPS];
    struct map *hosts; /* name → struct host, owned */
};

struct placement *placement_create(int n_loops)
{
    assert(n_loops >= 1 && n_loops <= PLACEMENT_MAX_LOOPS);
    struct placement *p = xcalloc(1, sizeof *p);
    p->n_loops = n_loops;
    p->hosts = map_create();
    return p;
}

void placement_destroy(struct placement **pp)
{
    struct placement *p = *pp;
    size_t pos = 0;
    const char *name;
    void *value;
    *pp = NULL;
    if (!p)
        return;
    while (map_next(p->hosts, &pos, &name, &value))
        free(value);
    map_destroy(&p->hosts);
    free(p);
}

static void host_of(const char *url, char dst[URL_HOST_BYTES])
{
    struct url u;
    dst[0] = 0;
    if (url_parse(url, &u, NULL) == 0)
        str_copy(dst, URL_HOST_BYTES, u.host);
}

/* The loop that has cameras of the host and room for more of them; -1 = none. */
static int shared_loop(const struct placement *p, const struct host *h)
{
    for (int i = 0; i < p->n_loops; i++)
        if (h->n[i] > 0 && h->n[i] < PLACEMENT_PER_HOST)
            return i;
    return -1;
}

static int idlest_loop(const struct placement *p)
{
    int best = 0;
    for (int i = 1; i < p->n_loops; i++)
        if (p->n[i] < p->n[best])
            best = i;
    return best;
}

int placement_take(struct placement *p, const char *url)
{
    char name[URL_HOST_BYTES];
    host_of(url, name);
    struct host *h = map_get(p->hosts, name);
    if (!h) {
        h = xcalloc(1, sizeof *h);
        map_put(p->hosts, name, h);
    }
    int i = name[0] ? shared_loop(p, h) : -1;
    if (i < 0)
        i = idlest_loop(p);
    h->n[i]++;
    p->n[i]++;
    return i;
}

void placement_give(struct placement *p, const char *url, int loop)
{
    char name[URL_HOST_BYTES];
    host_of(url, name);
    struct host *h = map_get(p->hosts, name);
    assert(h && h->n[loop] > 0);
    h->n[loop]--;
    p->n[loop]--;
    for (int i = 0; i < p->n_loops; i++)
        if (h->n[i] > 0)
            return;
    map_remove(p->hosts, name);
    free(h);
}
