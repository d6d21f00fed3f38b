/* What the database of a catalogue said last, and who is told of it. */
#include <assert.h>
#include <errno.h>

#include "base/log.h"
#include "base/mem.h"
#include "storage/catalogue_priv.h"

/* Who is told of trouble. */
struct catalogue_listener {
    struct loop *loop;
    loop_fn *fn;
    void *ctx;
};

static const struct {
    const char *name, *text, *advice;
} troubles[] = {
    [CATALOGUE_FINE] = {"ok", "", ""},
    [CATALOGUE_FULL] = {"full", "the disk of the catalogue is full",
                        "make room on it: recording goes on, and what is not in the index yet is "
                        "entered then"},
    [CATALOGUE_DAMAGED] = {"damaged", "the catalogue is damaged",
                           "recording goes on as far as it can; stop the server and run `rookery "
                           "index rebuild`, or `rookery restore FILE`"},
    [CATALOGUE_FAILED] = {"failed", "the disk of the catalogue fails",
                          "look at the system's log; recording goes on as far as it can"},
    [CATALOGUE_REMOVED] =
        {"removed", "the file of the catalogue was removed or replaced",
         "put the file back, or stop the server as usual: it leaves a copy of "
         "what it knows where nothing is. What it knows is lost when it is killed"},
};

/* Damage stays until the next start. */
void catalogue__set_trouble(struct catalogue *c, enum catalogue_trouble now, const struct err *why)
{
    int before = atomic_load(&c->trouble);
    while (before != (int)now && before != CATALOGUE_DAMAGED) {
        if (!atomic_compare_exchange_weak(&c->trouble, &before, (int)now))
            continue;
        if (now == CATALOGUE_FINE)
            log_info("catalogue", "can be written again");
        else
            log_error("catalogue", "%s (%s): %s", troubles[now].text, why->msg,
                      troubles[now].advice);
        struct catalogue_listener *l = atomic_load(&c->listener);
        if (l != NULL)
            loop_post(l->loop, l->fn, l->ctx);
        return;
    }
}

void catalogue__note_failure(struct catalogue *c, struct db *db, const struct err *why)
{
    switch (db_take_failure(db)) {
    case ERR_PARSE:
        catalogue__set_trouble(c, CATALOGUE_DAMAGED, why);
        break;
    case -ENOSPC:
        catalogue__set_trouble(c, CATALOGUE_FULL, why);
        break;
    case -EIO:
        catalogue__set_trouble(c, CATALOGUE_FAILED, why);
        break;
    }
}

static bool is_removed(const struct catalogue *c)
{
    struct stat now;
    if (c->file.st_ino == 0)
        return false;
    if (stat(c->path, &now) < 0)
        return errno == ENOENT;
    return now.st_ino != c->file.st_ino || now.st_dev != c->file.st_dev;
}

bool catalogue__note_removed(struct catalogue *c)
{
    if (!is_removed(c))
        return false;
    struct err what;
    err_text(&what, -ENOENT, "%s", c->path);
    catalogue__set_trouble(c, CATALOGUE_REMOVED, &what);
    return true;
}

/* --- asking --- */

enum catalogue_trouble catalogue_trouble(struct catalogue *c)
{
    return (enum catalogue_trouble)atomic_load(&c->trouble);
}

const char *catalogue_trouble_name(enum catalogue_trouble t)
{
    return troubles[t].name;
}

const char *catalogue_trouble_text(enum catalogue_trouble t)
{
    return troubles[t].text;
}

const char *catalogue_trouble_advice(enum catalogue_trouble t)
{
    return troubles[t].advice;
}

void catalogue_on_trouble(struct catalogue *c, struct loop *loop, loop_fn *fn, void *ctx)
{
    struct catalogue_listener *l = xmalloc(sizeof *l);
    *l = (struct catalogue_listener){loop, fn, ctx};
    assert(atomic_load(&c->listener) == NULL);
    atomic_store(&c->listener, l);
}
