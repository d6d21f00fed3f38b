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

/* A login that has worked was refused. */
struct doubt {
    uint64_t login; /* 0 = none */
    int64_t at_us, until_us;
};

struct gate_scout {
    uint64_t login; /* that is being tried; 0 = a free place */
    int64_t since_us;
};

struct gate_host {
    char name[HOST_BYTES];
    int n_inside, n_suspects; /* inside */
    int n_waiting;
    struct gate_scout scouts[GATE_PER_HOST]; /* inside */
    struct refusal refusals[GATE_LOGINS];    /* newest first */
    int n_refusals;
    uint64_t accepted; /* a login that worked; 0 = none yet */
    int64_t accepted_us;
    struct doubt doubts[GATE_LOGINS]; /* newest first */
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

static void expire(struct gate_host *h, int64_t now_us)
{
    while (h->n_refusals > 0) {
        const struct refusal *oldest = &h->refusals[h->n_refusals - 1];
        if (oldest->until_us + GATE_LOGIN_US > now_us)
            return;
        h->n_refusals--;
    }
}

static bool is_doubted(const struct gate_host *h, int64_t now_us)
{
    for (size_t i = 0; i < ARRAY_LEN(h->doubts); i++)
        if (h->doubts[i].login && h->doubts[i].until_us + GATE_LOGIN_US > now_us)
            return true;
    return false;
}

/* Nothing about it needs to be remembered. */
static bool is_blank(struct gate_host *h, int64_t now_us)
{
    expire(h, now_us);
    return h->n_refusals == 0 && !is_doubted(h, now_us);
}

/* When something was refused there last. */
static int64_t refused_us(const struct gate_host *h)
{
    int64_t at_us = h->n_refusals > 0 ? h->refusals[0].at_us : INT64_MIN;
    return h->doubts[0].login ? MAX(at_us, h->doubts[0].at_us) : at_us;
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
        if (is_blank(h, loop_mono_us(g->loop))) {
            oldest = h;
            break;
        }
        if (!oldest || refused_us(h) < refused_us(oldest))
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
    if (!is_in_use(h) && is_blank(h, loop_mono_us(g->loop)))
        drop(g, h);
}

/* --- turns --- */

/* Whether one at a time is to find out about its login. */
static bool is_unknown(const struct gate_pass *p, int64_t now_us)
{
    const struct gate_host *h = p->host;
    return p->login && (h->accepted != p->login || now_us - h->accepted_us >= GATE_TRUST_US);
}

static bool has_scout(const struct gate_pass *p, int64_t now_us)
{
    const struct gate_host *h = p->host;
    for (size_t i = 0; i < ARRAY_LEN(h->scouts); i++)
        if (h->scouts[i].login == p->login &&
            (!p->is_proven || now_us - h->scouts[i].since_us < GATE_SCOUT_US))
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

/* Whoever waited for the end of a refusal and is refused again waits twice as long, whichever
 * stream it is. */
static int64_t until_after(const struct refusal *was, int64_t now_us, int64_t until_us)
{
    if (now_us < was->until_us)
        return until_us;
    return MAX(until_us, now_us + MIN(2 * (was->until_us - was->at_us), GATE_LONGEST_US));
}

static void note_refusal(struct gate_host *h, const struct refusal *r, int i)
{
    for (i = MIN(i, GATE_LOGINS - 1); i > 0; i--)
        h->refusals[i] = h->refusals[i - 1];
    h->refusals[0] = *r;
}

static int find_doubt(const struct gate_host *h, uint64_t login)
{
    int i = 0;
    while (i < GATE_LOGINS && h->doubts[i].login != login)
        i++;
    return i;
}

/* The first time it may be a limit that passes; then it is taken for wrong. */
static int64_t note_doubt(struct gate_host *h, uint64_t login, int64_t now_us, int64_t until_us)
{
    int i = find_doubt(h, login);
    int64_t shared_us = until_us;
    if (i < GATE_LOGINS && now_us < h->doubts[i].until_us) /* tried before it was known */
        shared_us = h->doubts[i].until_us;
    else if (i < GATE_LOGINS && now_us - h->doubts[i].until_us < GATE_LOGIN_US)
        shared_us = now_us + GATE_DOUBT_US;
    else
        shared_us = MIN(until_us, now_us + GATE_DOUBT_US);
    for (i = MIN(i, GATE_LOGINS - 1); i > 0; i--)
        h->doubts[i] = h->doubts[i - 1];
    h->doubts[0] = (struct doubt){.login = login, .at_us = now_us, .until_us = shared_us};
    if (h->accepted == login)
        h->accepted = 0;
    return MAX(until_us, shared_us);
}

int64_t gate_login_refused(struct gate *g, const char *host, uint64_t login, bool is_proven,
                           int64_t until_us)
{
    loop_assert(g->loop);
    struct gate_host *h = need_host(g, host);
    int64_t now_us = loop_mono_us(g->loop);
    int i = 0;
    expire(h, now_us);
    if (is_proven)
        return note_doubt(h, login, now_us, until_us);
    while (i < h->n_refusals && h->refusals[i].login != login)
        i++;
    if (i < h->n_refusals)
        until_us = until_after(&h->refusals[i], now_us, until_us);
    else
        h->n_refusals = MIN(h->n_refusals + 1, GATE_LOGINS);
    note_refusal(h, &(struct refusal){.login = login, .at_us = now_us, .until_us = until_us}, i);
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
    int i_doubt = find_doubt(h, login);
    if (i_doubt < GATE_LOGINS && h->doubts[i_doubt].until_us > now_us)
        return h->doubts[i_doubt].until_us;
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

static void remove_doubt(struct gate_host *h, int i)
{
    for (; i + 1 < GATE_LOGINS; i++)
        h->doubts[i] = h->doubts[i + 1];
    h->doubts[i] = (struct doubt){0};
}

void gate_login_accepted(struct gate *g, const char *host, uint64_t login)
{
    loop_assert(g->loop);
    char name[HOST_BYTES];
    lower(host, name);
    struct gate_host *h = map_get(g->hosts, name);
    if (!h)
        return;
    h->accepted = login;
    h->accepted_us = loop_mono_us(g->loop);
    int i = find_doubt(h, login);
    if (i < GATE_LOGINS)
        remove_doubt(h, i);
    want_turn(g);
}

void gate_login_forget(struct gate *g, const char *host, uint64_t login)
{
    loop_assert(g->loop);
    char name[HOST_BYTES];
    int64_t fresh_us = loop_mono_us(g->loop) - GATE_FRESH_US;
    int n = 0;
    lower(host, name);
    struct gate_host *h = map_get(g->hosts, name);
    if (!h)
        return;
    for (int i = 0; i < h->n_refusals; i++)
        if (h->refusals[i].login == login && h->refusals[i].at_us > fresh_us)
            h->refusals[n++] = h->refusals[i];
    h->n_refusals = n;
    for (int i = GATE_LOGINS - 1; i >= 0; i--)
        if (h->doubts[i].login != login || h->doubts[i].at_us <= fresh_us)
            remove_doubt(h, i);
    drop_if_idle(g, h);
}

/* FNV-1a over all, apart by a byte that stands in neither. */
uint64_t gate_login_of(const char *user, const char *password, uint16_t port)
{
    uint64_t hash = UINT64_C(1469598103934665603);
    const char *const texts[] = {user, password};
    for (int i = 0; i < 2; i++) {
        for (const char *c = texts[i]; *c; c++)
            hash = (hash ^ (uint8_t)*c) * UINT64_C(1099511628211);
        hash = hash * UINT64_C(1099511628211);
    }
    return (hash ^ port) * UINT64_C(1099511628211);
}
