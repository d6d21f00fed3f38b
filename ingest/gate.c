#include "ingest/gate.h"

#include <assert.h>
#include <ctype.h>
#include <stdlib.h>

#include "base/map.h"
#include "base/mem.h"
#include "base/str.h"

#define HOST_BYTES 256

struct gate_scout {
    uint64_t login; /* that is being tried; 0 = a free place */
    int64_t since_us;
};

struct gate_host {
    char name[HOST_BYTES];
    int n_inside, n_suspects; /* inside */
    int n_waiting;
    struct gate_scout scouts[GATE_PER_HOST]; /* inside */
    struct logins logins;
};

struct queue_of_passes {
    struct gate_pass *first, *last;
};

struct gate {
    struct loop *loop;
    int max_inside;
    struct map *hosts; /* name → struct gate_host, owned */
    int n_inside, n_suspects, n_scouts;
    struct queue_of_passes waiting[2]; /* trusted, suspect */
    int n_waiting;
    struct timer turn;     /* armed for the next dispatch while there may be a turn to give */
    struct timer patience; /* armed while a scout may be too slow for those who wait */
};

/* --- hosts --- */

static void lower(const char *host, char dst[HOST_BYTES])
{
    size_t i = 0;
    for (; host[i] && i + 1 < HOST_BYTES; i++)
        dst[i] = (char)tolower((unsigned char)host[i]);
    dst[i] = 0;
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
        if (is_in_use(h))
            continue;
        if (logins_is_blank(&h->logins, loop_mono_us(g->loop))) {
            oldest = h;
            break;
        }
        if (!oldest || logins_refused_us(&h->logins) < logins_refused_us(&oldest->logins))
            oldest = h;
    }
    if (oldest)
        drop(g, oldest);
}

/* NULL = nothing is known of it. */
static struct gate_host *find_host(const struct gate *g, const char *host)
{
    char name[HOST_BYTES];
    lower(host, name);
    return map_get(g->hosts, name);
}

static struct gate_host *need_host(struct gate *g, const char *host)
{
    struct gate_host *h = find_host(g, host);
    if (h)
        return h;
    make_room(g);
    h = xcalloc(1, sizeof *h);
    lower(host, h->name);
    map_put(g->hosts, h->name, h);
    return h;
}

static void drop_if_idle(struct gate *g, struct gate_host *h)
{
    if (!is_in_use(h) && logins_is_blank(&h->logins, loop_mono_us(g->loop)))
        drop(g, h);
}

/* --- turns --- */

/* Whether one at a time is to find out about its login. */
static bool is_unknown(const struct gate_pass *p, int64_t now_us)
{
    return p->login && !logins_is_trusted(&p->host->logins, p->login, now_us);
}

static bool has_scout(const struct gate_pass *p, int64_t now_us)
{
    const struct gate_host *h = p->host;
    int64_t patience_us = p->is_proven ? GATE_SCOUT_US : GATE_NEW_SCOUT_US;
    for (size_t i = 0; i < ARRAY_LEN(h->scouts); i++)
        if (h->scouts[i].login == p->login && now_us - h->scouts[i].since_us < patience_us)
            return true;
    return false;
}

static void send_scout(struct gate *g, struct gate_pass *p)
{
    struct gate_scout *s = p->host->scouts;
    while (s->login) /* there are as many as passes may be inside */
        s++;
    *s = (struct gate_scout){.login = p->login, .since_us = loop_mono_us(g->loop)};
    p->scout = s;
    g->n_scouts++;
    if (!timer_is_armed(&g->patience))
        timer_arm_us(&g->patience, GATE_SCOUT_US);
}

static void end_scout(struct gate *g, struct gate_pass *p)
{
    if (!p->scout)
        return;
    p->scout->login = 0;
    p->scout = NULL;
    g->n_scouts--;
}

static bool has_room(const struct gate *g, const struct gate_pass *p)
{
    struct gate_host *h = p->host;
    int64_t now_us = loop_mono_us(g->loop);
    if (g->n_inside >= g->max_inside || h->n_inside >= GATE_PER_HOST ||
        (is_unknown(p, now_us) && has_scout(p, now_us)))
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
    if (is_unknown(p, loop_mono_us(g->loop)))
        send_scout(g, p);
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

static void on_patience(void *ctx)
{
    struct gate *g = ctx;
    want_turn(g);
    if (g->n_scouts > 0)
        timer_arm_us(&g->patience, GATE_SCOUT_US);
}

struct gate *gate_create(struct loop *loop, int max_inside)
{
    struct gate *g = xcalloc(1, sizeof *g);
    g->loop = loop;
    g->max_inside = MAX(max_inside, 1);
    g->hosts = map_create();
    timer_init(&g->turn, loop, give_turn, g);
    timer_init(&g->patience, loop, on_patience, g);
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
    timer_disarm(&g->patience);
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
        end_scout(g, p);
        h->n_suspects -= p->is_suspect;
        g->n_inside--;
        g->n_suspects -= p->is_suspect;
        break;
    }
    p->place = GATE_OUTSIDE;
    p->host = NULL;
    drop_if_idle(g, h);
    want_turn(g);
}

int gate_n_waiting(const struct gate *g)
{
    return g->n_waiting;
}

/* --- logins --- */

int64_t gate_login_refused(struct gate *g, const char *host, uint64_t login, bool is_proven,
                           int64_t until_us)
{
    loop_assert(g->loop);
    struct gate_host *h = need_host(g, host);
    return logins_refused(&h->logins, login, is_proven, loop_mono_us(g->loop), until_us);
}

int64_t gate_login_at(struct gate *g, const char *host, uint64_t login, bool is_proven)
{
    loop_assert(g->loop);
    const struct gate_host *h = find_host(g, host);
    return h ? logins_at(&h->logins, login, is_proven, loop_mono_us(g->loop)) : 0;
}

void gate_login_accepted(struct gate *g, const char *host, uint64_t login)
{
    loop_assert(g->loop);
    struct gate_host *h = find_host(g, host);
    if (!h)
        return;
    logins_accepted(&h->logins, login, loop_mono_us(g->loop));
    want_turn(g);
}

void gate_login_forget(struct gate *g, const char *host, uint64_t login)
{
    loop_assert(g->loop);
    struct gate_host *h = find_host(g, host);
    if (!h)
        return;
    logins_forget(&h->logins, login, loop_mono_us(g->loop));
    drop_if_idle(g, h);
}
