#include "ingest/gate.h"

#include <assert.h>
#include <ctype.h>
#include <stdlib.h>

#include "base/map.h"
#include "base/mem.h"
#include "base/str.h"

#define HOST_BYTES 256

struct refusal {
    uint64_t login;
    int64_t at_us, until_us;
};

struct gate_host {
    char name[HOST_BYTES];
    int n_inside, n_suspects; /* inside */
    int n_waiting;
    uint64_t scouts[GATE_PER_HOST];       /* logins that are being tried inside; 0 = a free place */
    struct refusal refusals[GATE_LOGINS]; /* newest first */
    int n_refusals;
    uint64_t accepted; /* a login that worked; 0 = none yet */
};

struct queue_of_passes {
    struct gate_pass *first, *last;
};

struct gate {
    struct loop *loop;
    int max_inside;
    struct map *hosts; /* name → struct gate_host, owned */
    int n_inside, n_suspects;
    struct queue_of_passes waiting[2]; /* trusted, suspect */
    int n_waiting;
    struct timer turn; /* armed for the next dispatch while there may be a turn to give */
};

/* --- hosts --- */

static void lower(const char *host, char dst[HOST_BYTES])
{
    size_t i = 0;
    for (; host[i] && i + 1 < HOST_BYTES; i++)
        dst[i] = (char)tolower((unsigned char)host[i]);
    dst[i] = 0;
}

static void expire(struct gate_host *h, int64_t now_us)
{
    while (h->n_refusals > 0) {
        const struct refusal *oldest = &h->refusals[h->n_refusals - 1];
        if (oldest->until_us + GATE_LOGIN_US > now_us)
            return;
        h->n_refusals--;
    }
}

static bool is_in_use(const struct gate_host *h)
{
    return h->n_inside > 0 || h->n_waiting > 0;
}

static void drop(struct gate *g, struct gate_host *h)
{
    map_remove(g->hosts, h->name);
    free(h);
}

/* Room for one more: what is over goes, else whoever was refused longest ago. */
static void make_room(struct gate *g)
{
    struct gate_host *oldest = NULL;
    size_t pos = 0;
    const char *name;
    void *value;
    if (map_count(g->hosts) < GATE_MAX_HOSTS)
        return;
    while (map_next(g->hosts, &pos, &name, &value)) {
        struct gate_host *h = value;
        expire(h, loop_mono_us(g->loop));
        if (is_in_use(h))
            continue;
        if (h->n_refusals == 0) {
            oldest = h;
            break;
        }
        if (!oldest || h->refusals[0].at_us < oldest->refusals[0].at_us)
            oldest = h;
    }
    if (oldest)
        drop(g, oldest);
}

static struct gate_host *need_host(struct gate *g, const char *host)
{
    char name[HOST_BYTES];
    lower(host, name);
    struct gate_host *h = map_get(g->hosts, name);
    if (h)
        return h;
    make_room(g);
    h = xcalloc(1, sizeof *h);
    str_copy(h->name, sizeof h->name, name);
    map_put(g->hosts, h->name, h);
    return h;
}

static void drop_if_idle(struct gate *g, struct gate_host *h)
{
    expire(h, loop_mono_us(g->loop));
    if (!is_in_use(h) && h->n_refusals == 0)
        drop(g, h);
}

/* --- turns --- */

static bool is_unproven(const struct gate_pass *p)
{
    return p->login && p->host->accepted != p->login;
}

/* Where that login is being tried; of 0 a free place. NULL = nowhere. */
static uint64_t *find_scout(struct gate_host *h, uint64_t login)
{
    for (size_t i = 0; i < ARRAY_LEN(h->scouts); i++)
        if (h->scouts[i] == login)
            return &h->scouts[i];
    return NULL;
}

static bool has_room(const struct gate *g, const struct gate_pass *p)
{
    struct gate_host *h = p->host;
    if (g->n_inside >= g->max_inside || h->n_inside >= GATE_PER_HOST ||
        (is_unproven(p) && find_scout(h, p->login)))
        return false;
    return !p->is_suspect ||
           (g->n_suspects < MAX(g->max_inside / 2, 1) && h->n_suspects < GATE_PER_HOST / 2);
}

static void append(struct queue_of_passes *q, struct gate_pass *p)
{
    p->next = NULL;
    p->prev = q->last;
    if (q->last)
        q->last->next = p;
    else
        q->first = p;
    q->last = p;
}

static void unlink_pass(struct queue_of_passes *q, struct gate_pass *p)
{
    if (p->prev)
        p->prev->next = p->next;
    else
        q->first = p->next;
    if (p->next)
        p->next->prev = p->prev;
    else
        q->last = p->prev;
    p->next = p->prev = NULL;
}

static void stop_waiting(struct gate *g, struct gate_pass *p)
{
    unlink_pass(&g->waiting[p->is_suspect], p);
    p->host->n_waiting--;
    g->n_waiting--;
}

static void let_in(struct gate *g, struct gate_pass *p)
{
    stop_waiting(g, p);
    p->place = GATE_INSIDE;
    p->is_scout = is_unproven(p);
    if (p->is_scout)
        *find_scout(p->host, 0) = p->login;
    p->host->n_inside++;
    p->host->n_suspects += p->is_suspect;
    g->n_inside++;
    g->n_suspects += p->is_suspect;
    p->enter(p->ctx);
}

static struct gate_pass *first_with_room(const struct gate *g)
{
    for (int i = 0; i < 2 && g->n_inside < g->max_inside; i++)
        for (struct gate_pass *p = g->waiting[i].first; p; p = p->next)
            if (has_room(g, p))
                return p;
    return NULL;
}

/* One turn a dispatch: what it starts may end at once and come back here. */
static void give_turn(void *ctx)
{
    struct gate *g = ctx;
    struct gate_pass *p = first_with_room(g);
    if (!p)
        return;
    timer_arm_us(&g->turn, 0);
    let_in(g, p);
}

static void want_turn(struct gate *g)
{
    if (g->n_waiting > 0 && !timer_is_armed(&g->turn))
        timer_arm_us(&g->turn, 0);
}

struct gate *gate_create(struct loop *loop, int max_inside)
{
    struct gate *g = xcalloc(1, sizeof *g);
    g->loop = loop;
    g->max_inside = MAX(max_inside, 1);
    g->hosts = map_create();
    timer_init(&g->turn, loop, give_turn, g);
    return g;
}

void gate_destroy(struct gate **gp)
{
    struct gate *g = *gp;
    size_t pos = 0;
    const char *name;
    void *value;
    *gp = NULL;
    if (!g)
        return;
    assert(g->n_inside == 0 && g->n_waiting == 0);
    timer_disarm(&g->turn);
    while (map_next(g->hosts, &pos, &name, &value))
        free(value);
    map_destroy(&g->hosts);
    free(g);
}

void gate_enter(struct gate *g, struct gate_pass *p, const char *host, bool is_suspect)
{
    loop_assert(g->loop);
    assert(p->place == GATE_OUTSIDE && p->enter);
    p->place = GATE_WAITING;
    p->is_suspect = is_suspect;
    p->host = need_host(g, host);
    p->host->n_waiting++;
    g->n_waiting++;
    append(&g->waiting[is_suspect], p);
    want_turn(g);
}

void gate_leave(struct gate *g, struct gate_pass *p)
{
    loop_assert(g->loop);
    struct gate_host *h = p->host;
    switch (p->place) {
    case GATE_OUTSIDE:
        return;
    case GATE_WAITING:
        stop_waiting(g, p);
        break;
    case GATE_INSIDE:
        h->n_inside--;
        if (p->is_scout)
            *find_scout(h, p->login) = 0;
        h->n_suspects -= p->is_suspect;
        g->n_inside--;
        g->n_suspects -= p->is_suspect;
        break;
    }
    p->place = GATE_OUTSIDE;
    p->is_scout = false;
    p->host = NULL;
    drop_if_idle(g, h);
    want_turn(g);
}

int gate_n_waiting(const struct gate *g)
{
    return g->n_waiting;
}

/* --- logins --- */

/* Whoever waited for the end of a refusal and is refused again waits twice as long, whichever
 * stream it is. */
static int64_t until_after(const struct refusal *was, int64_t now_us, int64_t until_us)
{
    if (now_us < was->until_us)
        return until_us;
    return MAX(until_us, now_us + MIN(2 * (was->until_us - was->at_us), GATE_LONGEST_US));
}

int64_t gate_login_refused(struct gate *g, const char *host, uint64_t login, int64_t until_us)
{
    loop_assert(g->loop);
    struct gate_host *h = need_host(g, host);
    int64_t now_us = loop_mono_us(g->loop);
    int i = 0;
    expire(h, now_us);
    while (i < h->n_refusals && h->refusals[i].login != login)
        i++;
    if (i < h->n_refusals)
        until_us = until_after(&h->refusals[i], now_us, until_us);
    else
        h->n_refusals = MIN(h->n_refusals + 1, GATE_LOGINS);
    for (i = MIN(i, GATE_LOGINS - 1); i > 0; i--)
        h->refusals[i] = h->refusals[i - 1];
    h->refusals[0] = (struct refusal){.login = login, .at_us = now_us, .until_us = until_us};
    return until_us;
}

int64_t gate_login_at(struct gate *g, const char *host, uint64_t login, bool is_proven)
{
    loop_assert(g->loop);
    char name[HOST_BYTES];
    int64_t now_us = loop_mono_us(g->loop);
    lower(host, name);
    struct gate_host *h = map_get(g->hosts, name);
    if (!h)
        return 0;
    expire(h, now_us);
    if (is_proven || h->accepted == login)
        return 0;
    for (int i = 0; i < h->n_refusals; i++)
        if (h->refusals[i].login == login && h->refusals[i].until_us > now_us)
            return h->refusals[i].until_us;
    if (h->n_refusals < GATE_LOGINS)
        return 0;
    int64_t at_us = h->refusals[GATE_LOGINS - 1].at_us + GATE_LOGIN_US;
    return at_us > now_us ? at_us : 0;
}

void gate_login_accepted(struct gate *g, const char *host, uint64_t login)
{
    loop_assert(g->loop);
    char name[HOST_BYTES];
    lower(host, name);
    struct gate_host *h = map_get(g->hosts, name);
    if (h)
        h->accepted = login;
}

void gate_login_forget(struct gate *g, const char *host)
{
    loop_assert(g->loop);
    char name[HOST_BYTES];
    lower(host, name);
    struct gate_host *h = map_get(g->hosts, name);
    if (!h)
        return;
    h->n_refusals = 0;
    drop_if_idle(g, h);
}

/* FNV-1a over both, apart by a byte that stands in neither. */
uint64_t gate_login_of(const char *user, const char *password)
{
    uint64_t hash = UINT64_C(1469598103934665603);
    const char *const texts[] = {user, password};
    for (int i = 0; i < 2; i++) {
        for (const char *c = texts[i]; *c; c++)
            hash = (hash ^ (uint8_t)*c) * UINT64_C(1099511628211);
        hash = hash * UINT64_C(1099511628211);
    }
    return hash;
}
