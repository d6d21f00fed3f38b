#include "ingest/logins.h"

#include "base/mem.h"

/* FNV-1a over all, apart by a byte that stands in neither. */
uint64_t login_of(const char *user, const char *password, uint16_t port)
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

/* --- lists of refusals, newest first --- */

static bool is_remembered(const struct refusal *r, int64_t now_us)
{
    return r->login && r->until_us + LOGINS_LATE_US > now_us;
}

/* NULL = not there, or too long ago. */
static const struct refusal *find(const struct refusal list[LOGINS_MOST], uint64_t login,
                                  int64_t now_us)
{
    for (int i = 0; i < LOGINS_MOST; i++)
        if (list[i].login == login && is_remembered(&list[i], now_us))
            return &list[i];
    return NULL;
}

static void remove_at(struct refusal list[LOGINS_MOST], int i)
{
    for (; i + 1 < LOGINS_MOST; i++)
        list[i] = list[i + 1];
    list[i] = (struct refusal){0};
}

static void remove_login(struct refusal list[LOGINS_MOST], uint64_t login)
{
    for (int i = LOGINS_MOST - 1; i >= 0; i--)
        if (list[i].login == login)
            remove_at(list, i);
}

/* In place of an older one of the same login, else of the oldest. */
static void put(struct refusal list[LOGINS_MOST], const struct refusal *r)
{
    remove_login(list, r->login);
    for (int i = LOGINS_MOST - 1; i > 0; i--)
        list[i] = list[i - 1];
    list[0] = *r;
}

static void forget(struct refusal list[LOGINS_MOST], uint64_t login, int64_t now_us)
{
    for (int i = LOGINS_MOST - 1; i >= 0; i--)
        if (list[i].login != login || list[i].at_us <= now_us - LOGINS_FRESH_US)
            remove_at(list, i);
}

static int n_remembered(const struct refusal list[LOGINS_MOST], int64_t now_us)
{
    int n = 0;
    for (int i = 0; i < LOGINS_MOST; i++)
        n += is_remembered(&list[i], now_us);
    return n;
}

/* --- decisions --- */

/* Whoever waited for the end of a refusal and is refused again waits twice as long, whichever
 * stream it is. */
static int64_t wrong_until(const struct refusal *before, int64_t now_us, int64_t until_us)
{
    if (before == NULL || now_us < before->until_us)
        return until_us;
    return MAX(until_us, now_us + MIN(2 * (before->until_us - before->at_us), LOGINS_LONGEST_US));
}

/* The first time it may be a limit that passes; then it is taken for wrong. */
static int64_t doubtful_until(const struct refusal *before, int64_t now_us, int64_t until_us)
{
    if (before == NULL)
        return MIN(until_us, now_us + LOGINS_DOUBT_US);
    if (now_us < before->until_us) /* tried before it was known */
        return before->until_us;
    return now_us + LOGINS_DOUBT_US;
}

int64_t logins_refused(struct logins *l, uint64_t login, bool is_proven, int64_t now_us,
                       int64_t until_us)
{
    struct refusal r = {.login = login, .at_us = now_us};
    if (!is_proven) {
        r.until_us = wrong_until(find(l->wrong, login, now_us), now_us, until_us);
        put(l->wrong, &r);
        return r.until_us;
    }
    r.until_us = doubtful_until(find(l->doubtful, login, now_us), now_us, until_us);
    put(l->doubtful, &r);
    if (l->accepted == login)
        l->accepted = 0;
    return MAX(until_us, r.until_us);
}

int64_t logins_at(const struct logins *l, uint64_t login, bool is_proven, int64_t now_us)
{
    const struct refusal *r = find(l->doubtful, login, now_us);
    if (r != NULL && r->until_us > now_us)
        return r->until_us;
    if (is_proven || l->accepted == login)
        return 0;
    r = find(l->wrong, login, now_us);
    if (r != NULL && r->until_us > now_us)
        return r->until_us;
    if (n_remembered(l->wrong, now_us) < LOGINS_MOST)
        return 0;
    int64_t at_us = l->wrong[LOGINS_MOST - 1].at_us + LOGINS_LATE_US;
    return at_us > now_us ? at_us : 0;
}

void logins_accepted(struct logins *l, uint64_t login, int64_t now_us)
{
    l->accepted = login;
    l->accepted_us = now_us;
    remove_login(l->doubtful, login);
}

bool logins_is_trusted(const struct logins *l, uint64_t login, int64_t now_us)
{
    return l->accepted == login && now_us - l->accepted_us < LOGINS_TRUST_US;
}

void logins_forget(struct logins *l, uint64_t login, int64_t now_us)
{
    forget(l->wrong, login, now_us);
    forget(l->doubtful, login, now_us);
}

bool logins_is_blank(const struct logins *l, int64_t now_us)
{
    return n_remembered(l->wrong, now_us) + n_remembered(l->doubtful, now_us) == 0;
}

int64_t logins_refused_us(const struct logins *l)
{
    int64_t at_us = INT64_MIN;
    if (l->wrong[0].login)
        at_us = l->wrong[0].at_us;
    return l->doubtful[0].login ? MAX(at_us, l->doubtful[0].at_us) : at_us;
}
