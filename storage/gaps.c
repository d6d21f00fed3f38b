#include "storage/gaps.h"

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/str.h"
#include "storage/list.h"

void facts_add(struct facts *f, enum fact_kind kind, int64_t from_us, int64_t to_us,
               const char *cause)
{
    if (to_us <= from_us)
        return;
    f->list = list_room(f->list, f->n, sizeof *f->list);
    struct fact *fact = &f->list[f->n++];
    *fact = (struct fact){.from_us = from_us, .to_us = to_us, .kind = kind};
    str_copy(fact->cause, sizeof fact->cause, cause);
}

void facts_fini(struct facts *f)
{
    free(f->list);
    *f = (struct facts){0};
}

static int by_start(const void *pa, const void *pb)
{
    const struct fact *a = pa, *b = pb;
    return (a->from_us > b->from_us) - (a->from_us < b->from_us);
}

/* A server that has just begun says nothing about its cameras for a moment. */
#define SILENCE_US INT64_C(30000000)

static bool is_soft(const char *cause)
{
    return strcmp(cause, "ok") == 0 || strcmp(cause, "connecting") == 0 || cause[0] == '\0';
}

/* --- pieces of one gap --- */

struct pieces {
    struct gap_row *list;
    size_t n;
};

static void add_piece(struct pieces *p, int64_t from_us, int64_t to_us, const char *cause)
{
    if (to_us <= from_us)
        return;
    struct gap_row *last = p->n > 0 ? &p->list[p->n - 1] : NULL;
    if (last != NULL && last->to_us == from_us && strcmp(last->cause, cause) == 0) {
        last->to_us = to_us;
        return;
    }
    p->list = list_room(p->list, p->n, sizeof *p->list);
    struct gap_row *g = &p->list[p->n++];
    *g = (struct gap_row){.from_us = from_us, .to_us = to_us};
    str_copy(g->cause, sizeof g->cause, cause);
}

/* The strongest fact at a moment and where it may change next. */
static const struct fact *fact_at(const struct facts *f, size_t first, int64_t at_us,
                                  int64_t *until_us)
{
    const struct fact *best = NULL;
    for (size_t i = first; i < f->n; i++) {
        const struct fact *fact = &f->list[i];
        if (fact->from_us > at_us) {
            *until_us = MIN(*until_us, fact->from_us);
            break;
        }
        if (fact->to_us <= at_us)
            continue;
        *until_us = MIN(*until_us, fact->to_us);
        if (best == NULL || fact->kind >= best->kind)
            best = fact;
    }
    return best;
}

static void cut_gap(const struct facts *f, size_t first, int64_t from_us, int64_t to_us,
                    struct pieces *out)
{
    for (int64_t at_us = from_us; at_us < to_us;) {
        int64_t until_us = to_us;
        const struct fact *fact = fact_at(f, first, at_us, &until_us);
        bool is_told = fact != NULL && !is_soft(fact->cause);
        bool is_soft_piece = fact != NULL || until_us - at_us <= SILENCE_US;
        add_piece(out, at_us, until_us, is_told ? fact->cause : is_soft_piece ? "" : "unknown");
        at_us = until_us;
    }
}

/* A source is known to be down only some seconds after its last picture. otherwise: where nothing
 * stronger is beside it. */
static void fill_soft(struct pieces *p, const char *otherwise)
{
    for (size_t i = p->n; i-- > 0;) {
        struct gap_row *g = &p->list[i];
        if (g->cause[0] != '\0')
            continue;
        const char *cause = otherwise;
        if (i + 1 < p->n)
            cause = p->list[i + 1].cause;
        else if (i > 0 && p->list[i - 1].cause[0] != '\0')
            cause = p->list[i - 1].cause;
        str_copy(g->cause, sizeof g->cause, cause);
    }
}

static void append_gap(struct recordings *out, const struct gap_row *g)
{
    struct gap_row *last = out->n_gaps > 0 ? &out->gaps[out->n_gaps - 1] : NULL;
    if (last != NULL && last->to_us == g->from_us && strcmp(last->cause, g->cause) == 0) {
        last->to_us = g->to_us;
        return;
    }
    out->gaps = list_room(out->gaps, out->n_gaps, sizeof *out->gaps);
    out->gaps[out->n_gaps++] = *g;
}

/* Settings that changed, or a source that hung up and was there again at once. */
static bool was_connecting(const struct facts *f, size_t first, int64_t from_us, int64_t to_us)
{
    for (size_t i = first; i < f->n && f->list[i].from_us < to_us; i++)
        if (f->list[i].to_us > from_us && strcmp(f->list[i].cause, "connecting") == 0)
            return true;
    return false;
}

static void label_gap(const struct facts *f, size_t *first, int64_t from_us, int64_t to_us,
                      struct recordings *out)
{
    struct pieces p = {0};
    /* only a prefix may be skipped: a fact that ends later may have begun earlier */
    while (*first < f->n && f->list[*first].to_us <= from_us)
        (*first)++;
    cut_gap(f, *first, from_us, to_us, &p);
    fill_soft(&p, was_connecting(f, *first, from_us, to_us) ? "connecting" : "unknown");
    for (size_t i = 0; i < p.n; i++)
        append_gap(out, &p.list[i]);
    free(p.list);
}

void gaps_find(const struct span_row *spans, size_t n_spans, struct facts *facts, int64_t from_us,
               int64_t to_us, struct recordings *out)
{
    size_t first = 0;
    int64_t at_us = from_us;
    if (facts->n > 0)
        qsort(facts->list, facts->n, sizeof *facts->list, by_start);
    for (size_t i = 0; i < n_spans && at_us < to_us; i++) {
        if (spans[i].from_us > at_us)
            label_gap(facts, &first, at_us, MIN(spans[i].from_us, to_us), out);
        at_us = MAX(at_us, spans[i].to_us);
    }
    if (at_us < to_us)
        label_gap(facts, &first, at_us, to_us, out);
}
