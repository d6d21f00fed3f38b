/* What a reader sees of a recording at once: groups of pictures in decoding order. */
#include "base/clock.h"
#include "media/reader_priv.h"

static bool is_key(const struct sample_window *w, size_t i)
{
    return w->map->samples[i].is_video && w->map->samples[i].is_key;
}

size_t reader__first_key(const struct sample_window *w)
{
    size_t i = 0;
    while (i < w->map->n_samples && !is_key(w, i))
        i++;
    return i;
}

size_t reader__group_start(const struct sample_window *w, size_t i)
{
    while (i > 0 && !is_key(w, i))
        i--;
    return i;
}

size_t reader__group_end(const struct sample_window *w, size_t i)
{
    do
        i++;
    while (i < w->map->n_samples && !is_key(w, i));
    return i;
}

size_t reader__last_picture(const struct sample_window *w)
{
    size_t i = w->map->n_samples;
    while (i-- > 0)
        if (w->map->samples[i].is_video)
            return i;
    return READER_NONE;
}

int64_t reader__to_us(const struct sample_window *w, const struct sample *s, int64_t ticks)
{
    return us_of_ticks(ticks, w->map->formats[s->format]->timescale);
}

int64_t reader__shown_us(const struct sample_window *w, size_t i, size_t key)
{
    const struct sample *s = &w->map->samples[i];
    return s->wall_us +
           reader__to_us(w, s, (int64_t)s->pts_offset - w->map->samples[key].pts_offset);
}

int64_t reader__end_us(const struct sample_window *w, size_t i)
{
    const struct sample *s = &w->map->samples[i];
    return s->wall_us + reader__to_us(w, s, s->duration);
}

struct sample_place reader__place(const struct sample_window *w, size_t i)
{
    const struct sample *s = &w->map->samples[i];
    return (struct sample_place){.file_us = w->file_us,
                                 .file_n = w->file_n,
                                 .dts = s->dts,
                                 .wall_us = s->wall_us,
                                 .end_us = reader__end_us(w, i),
                                 .hint = w->hint};
}

struct sample_gap reader__hole(const struct sample_window *w, size_t a, size_t b)
{
    const struct sample_map *m = w->map;
    size_t n = 0, from = MIN(a, b), to = MAX(a, b);
    for (size_t i = 0; i <= to && n < m->n_gaps; i++) {
        if (!m->samples[i].is_after_gap)
            continue;
        if (i > from)
            return m->gaps[n];
        n++;
    }
    return (struct sample_gap){0};
}

/* --- the order of presentation --- */

static int64_t pts(const struct sample_window *w, size_t i)
{
    return w->map->samples[i].dts + w->map->samples[i].pts_offset;
}

bool reader__is_shown_before(const struct sample_window *w, size_t a, size_t b)
{
    return pts(w, a) != pts(w, b) ? pts(w, a) < pts(w, b) : a < b;
}

size_t reader__beside(const struct sample_window *w, size_t start, size_t at, bool is_forward)
{
    size_t best = READER_NONE, end = reader__group_end(w, start);
    for (size_t i = start; i < end; i++) {
        if (!w->map->samples[i].is_video || i == at)
            continue;
        if (at != READER_NONE && reader__is_shown_before(w, at, i) != is_forward)
            continue;
        if (best == READER_NONE || reader__is_shown_before(w, i, best) == is_forward)
            best = i;
    }
    return best;
}

bool reader__is_settled(const struct sample_window *w, size_t i)
{
    const struct sample *last = &w->map->samples[reader__last_picture(w)];
    return w->is_whole || reader__group_end(w, i) < w->map->n_samples ||
           pts(w, i) <= last->dts + last->duration;
}

size_t reader__newest_before(const struct sample_window *w, int64_t wall_us, bool keys_only)
{
    size_t best = READER_NONE, key = reader__first_key(w);
    for (size_t i = key; i < w->map->n_samples; i++) {
        key = is_key(w, i) ? i : key;
        if (!w->map->samples[i].is_video || (keys_only && i != key))
            continue;
        if (reader__shown_us(w, i, key) < wall_us &&
            (best == READER_NONE || reader__is_shown_before(w, best, i)))
            best = i;
    }
    return best;
}

size_t reader__find(const struct sample_window *w, int64_t dts)
{
    size_t found = reader__first_key(w);
    for (size_t i = found; i < w->map->n_samples && w->map->samples[i].dts <= dts; i++)
        if (w->map->samples[i].is_video)
            found = i;
    return found;
}
