#include "storage/frontier.h"

#include <assert.h>
#include <stdlib.h>

#include "base/mem.h"
#include "storage/list.h"

static int64_t due_us(const struct frontier_stream *s)
{
    return s->next_us + s->keep_us;
}

static void swap(struct frontier *f, size_t a, size_t b)
{
    struct frontier_stream s = f->list[a];
    f->list[a] = f->list[b];
    f->list[b] = s;
}

static void sift_down(struct frontier *f, size_t i)
{
    for (;;) {
        size_t least = i;
        for (size_t child = 2 * i + 1; child <= 2 * i + 2 && child < f->n_awake; child++)
            if (due_us(&f->list[child]) < due_us(&f->list[least]))
                least = child;
        if (least == i)
            return;
        swap(f, i, least);
        i = least;
    }
}

void frontier_wake(struct frontier *f)
{
    f->n_awake = f->n;
    for (size_t i = f->n / 2; i-- > 0;)
        sift_down(f, i);
}

/* --- the streams there are --- */

static int by_name(const void *pa, const void *pb)
{
    const struct frontier_stream *a = pa, *b = pb;
    if (a->camera != b->camera)
        return (a->camera > b->camera) - (a->camera < b->camera);
    return a->stream - b->stream;
}

void frontier_begin(struct frontier *f)
{
    assert(f->old == NULL);
    f->old = f->list;
    f->n_old = f->n;
    f->list = NULL;
    f->n = f->n_awake = 0;
    if (f->n_old > 0)
        qsort(f->old, f->n_old, sizeof *f->old, by_name);
}

void frontier_put(struct frontier *f, int64_t camera, int stream, int64_t keep_us)
{
    struct frontier_stream s = {.camera = camera, .stream = stream};
    const struct frontier_stream *known =
        f->n_old > 0 ? bsearch(&s, f->old, f->n_old, sizeof s, by_name) : NULL;
    if (known != NULL)
        s = *known;
    s.keep_us = keep_us;
    f->max_camera = MAX(f->max_camera, camera);
    f->list = list_room(f->list, f->n, sizeof s);
    f->list[f->n++] = s;
}

void frontier_end(struct frontier *f)
{
    FREE(&f->old);
    f->n_old = 0;
    frontier_wake(f);
}

void frontier_fini(struct frontier *f)
{
    free(f->list);
    free(f->old);
    *f = (struct frontier){0};
}

/* --- what is due --- */

struct frontier_stream *frontier_first(struct frontier *f)
{
    return f->n_awake > 0 ? &f->list[0] : NULL;
}

void frontier_moved(struct frontier *f)
{
    sift_down(f, 0);
}

int64_t frontier_second_us(const struct frontier *f)
{
    int64_t us = INT64_MAX;
    for (size_t i = 1; i < 3 && i < f->n_awake; i++)
        us = MIN(us, due_us(&f->list[i]));
    return us;
}

void frontier_rest(struct frontier *f)
{
    f->n_awake--;
    swap(f, 0, f->n_awake);
    sift_down(f, 0);
}

void frontier_reset(struct frontier *f)
{
    for (size_t i = 0; i < f->n; i++)
        f->list[i].next_us = f->list[i].next_n = 0;
    frontier_wake(f);
}
