#include "media/reader_priv.h"

#include "base/clock.h"
#include "base/str.h"

#define STILL_US (2 * US_PER_S) /* a picture stands for so long beyond its duration */

/* --- where it stands --- */

void reader__take(struct reader *r, struct sample_window *w)
{
    sample_map_free(&r->w.map);
    r->w = *w;
    *w = (struct sample_window){0};
}

void reader__tell(struct reader *r, struct sample_gap gap)
{
    int64_t wall_us = reader__shown_us(&r->w, r->at, r->key);
    const struct sample *s = &r->w.map->samples[r->at];
    r->position = (struct reader_at){.wall_us = wall_us,
                                     .end_us = wall_us + reader__to_us(&r->w, s, s->duration),
                                     .is_key = s->is_key,
                                     .gap = gap};
}

void reader__stand(struct reader *r, size_t i, struct sample_gap gap)
{
    r->at = i;
    r->key = r->next = reader__group_start(&r->w, i);
    r->passed = 0;
    r->due = (struct sample_gap){0};
    r->needs_key = false;
    r->given_us = 0;
    reader__tell(r, gap);
}

static int stand_in(struct reader *r, struct sample_window *w, size_t i)
{
    struct sample_gap gap = w->gap;
    reader__take(r, w);
    reader__stand(r, i, gap);
    return READER_FOUND;
}

static int ask(struct reader *r, struct window_query *q, struct sample_window *out, struct err *err)
{
    q->camera_id = r->camera;
    q->stream = r->stream;
    q->wants_audio = r->wants_audio;
    *out = (struct sample_window){0};
    return source_window(r->source, q, out, err);
}

static int nothing(const struct sample_window *w)
{
    return w->is_growing ? READER_AGAIN : READER_END;
}

static bool is_of_file(const struct reader *r, const struct sample_window *w)
{
    return w->file_us == r->w.file_us && w->file_n == r->w.file_n;
}

int reader__more(struct reader *r, struct sample_window *out, struct err *err)
{
    size_t last = reader__last_picture(&r->w);
    int64_t dts = r->w.map->samples[r->at].dts, last_dts = r->w.map->samples[last].dts;
    struct window_query q = {
        .kind = WINDOW_NEXT, .place = reader__place(&r->w, last), .keep_dts = dts};
    int rc = ask(r, &q, out, err);
    bool is_same = rc == 0 && out->map != NULL && is_of_file(r, out);
    if (is_same && out->map->samples[reader__last_picture(out)].dts > last_dts) {
        reader__take(r, out);
        r->at = reader__find(&r->w, dts);
        r->key = reader__group_start(&r->w, r->at);
        return READER__SAME_FILE;
    }
    if (is_same) { /* times that do not rise: no more of this file */
        sample_map_free(&out->map);
        q.place.dts = INT64_MAX;
        rc = ask(r, &q, out, err);
    }
    if (rc < 0 || out->map == NULL)
        return rc < 0 ? rc : READER__NOTHING;
    return READER__NEXT_FILE;
}

static int ask_prev(struct reader *r, const struct sample_place *place, struct sample_window *out,
                    struct err *err)
{
    struct window_query q = {.kind = WINDOW_PREV, .place = *place};
    return ask(r, &q, out, err);
}

/* --- steps --- */

int reader_next(struct reader *r, struct err *err)
{
    while (r->at != READER_NONE) {
        size_t start = reader__group_start(&r->w, r->at), end = reader__group_end(&r->w, start);
        size_t next = reader__beside(&r->w, start, r->at, true);
        if (next == READER_NONE && end < r->w.map->n_samples)
            next = reader__beside(&r->w, end, READER_NONE, true);
        if (next != READER_NONE && reader__is_settled(&r->w, next)) {
            reader__stand(r, next, reader__hole(&r->w, r->at, next));
            return READER_FOUND;
        }
        struct sample_window w;
        int rc = reader__more(r, &w, err);
        if (rc < 0)
            return rc;
        if (rc == READER__SAME_FILE)
            continue;
        if (rc == READER__NOTHING && (next == READER_NONE || w.is_growing))
            return nothing(&w);
        if (next == READER_NONE)
            return stand_in(r, &w, reader__beside(&w, reader__first_key(&w), READER_NONE, true));
        sample_map_free(&w.map);
        r->w.is_whole = true; /* the file ended with what was not settled */
    }
    return READER_END;
}

int reader_next_key(struct reader *r, struct err *err)
{
    while (r->at != READER_NONE) {
        size_t key = reader__group_end(&r->w, reader__group_start(&r->w, r->at));
        if (key < r->w.map->n_samples) {
            reader__stand(r, key, reader__hole(&r->w, r->at, key));
            return READER_FOUND;
        }
        struct sample_window w;
        int rc = reader__more(r, &w, err);
        if (rc < 0 || rc == READER__NOTHING)
            return rc < 0 ? rc : nothing(&w);
        if (rc == READER__NEXT_FILE)
            return stand_in(r, &w, reader__first_key(&w));
    }
    return READER_END;
}

/* To the group in front: its last picture, or its key frame. */
static int go_to_group_before(struct reader *r, size_t start, bool to_key, struct err *err)
{
    if (start > reader__first_key(&r->w)) {
        size_t before = reader__group_start(&r->w, start - 1);
        size_t i = to_key ? before : reader__beside(&r->w, before, READER_NONE, false);
        reader__stand(r, i, reader__hole(&r->w, r->at, i));
        return READER_FOUND;
    }
    struct sample_window w;
    struct sample_place place = reader__place(&r->w, start);
    int rc = ask_prev(r, &place, &w, err);
    if (rc < 0 || w.map == NULL)
        return rc < 0 ? rc : READER_END;
    size_t before = reader__group_start(&w, reader__last_picture(&w));
    return stand_in(r, &w, to_key ? before : reader__beside(&w, before, READER_NONE, false));
}

int reader_prev(struct reader *r, struct err *err)
{
    if (r->at == READER_NONE)
        return READER_END;
    size_t start = reader__group_start(&r->w, r->at),
           prev = reader__beside(&r->w, start, r->at, false);
    if (prev == READER_NONE)
        return go_to_group_before(r, start, false, err);
    reader__stand(r, prev, reader__hole(&r->w, r->at, prev));
    return READER_FOUND;
}

int reader_prev_key(struct reader *r, struct err *err)
{
    if (r->at == READER_NONE)
        return READER_END;
    size_t start = reader__group_start(&r->w, r->at);
    if (r->at == start || reader__is_shown_before(&r->w, r->at, start))
        return go_to_group_before(r, start, true, err);
    reader__stand(r, start, reader__hole(&r->w, r->at, start));
    return READER_FOUND;
}

/* --- seeks --- */

/* The picture stood still long before the time: a hole, or the file is cut off. */
static int go_behind_gap(struct reader *r, int64_t wall_us, struct err *err)
{
    if (reader__end_us(&r->w, r->at) + STILL_US > wall_us)
        return READER_FOUND;
    if (reader_next(r, err) != READER_FOUND)
        return READER_FOUND;
    if (r->position.gap.to_us == 0)
        return reader_prev(r, err);
    if (r->at == r->key) /* else reading comes across it */
        r->due = r->position.gap;
    return READER_FOUND;
}

static int go_to_key_after(struct reader *r, int64_t wall_us, struct err *err)
{
    int rc = READER_FOUND;
    struct sample_gap gap = r->position.gap;
    while (rc == READER_FOUND && r->position.wall_us <= wall_us) {
        rc = reader_next_key(r, err);
        if (rc == READER_FOUND && r->position.gap.to_us != 0)
            gap = r->position.gap;
    }
    if (rc == READER_FOUND)
        r->position.gap = gap;
    return rc;
}

/* In a window in front of the one that holds or follows the time; the newest of all without one. */
static int seek_before(struct reader *r, struct sample_window *w, bool keys_only, struct err *err)
{
    struct sample_place place = {.file_us = INT64_MAX, .file_n = INT64_MAX, .dts = INT64_MAX};
    if (w->map != NULL)
        place = reader__place(w, reader__first_key(w));
    sample_map_free(&w->map);
    int rc = ask_prev(r, &place, w, err);
    if (rc < 0 || w->map == NULL)
        return rc < 0 ? rc : READER_END;
    size_t key = reader__group_start(w, reader__last_picture(w));
    return stand_in(r, w, keys_only ? key : reader__beside(w, key, READER_NONE, false));
}

static int seek_key_after(struct reader *r, struct sample_window *w, int64_t wall_us,
                          struct err *err)
{
    bool was_somewhere = r->at != READER_NONE;
    struct sample_place was = {0};
    if (was_somewhere)
        was = reader__place(&r->w, r->at);
    stand_in(r, w, reader__first_key(w));
    int rc = go_to_key_after(r, wall_us, err);
    if (rc != READER_FOUND && was_somewhere)
        reader_return(r, &was, NULL);
    return rc;
}

int reader_seek(struct reader *r, int64_t wall_us, enum reader_pick pick, struct err *err)
{
    struct window_query q = {.kind = WINDOW_AT, .at_us = wall_us};
    struct sample_window w;
    int rc = ask(r, &q, &w, err);
    if (rc < 0)
        return rc;
    bool is_before = pick == READER_BEFORE || pick == READER_KEY_BEFORE;
    if (w.map == NULL && !is_before)
        return nothing(&w);
    if (pick == READER_KEY_AFTER)
        return seek_key_after(r, &w, wall_us, err);
    size_t i = READER_NONE;
    if (w.map != NULL)
        i = reader__newest_before(&w, pick == READER_AT ? wall_us + 1 : wall_us,
                                  pick == READER_KEY_BEFORE);
    if (i == READER_NONE && is_before)
        return seek_before(r, &w, pick == READER_KEY_BEFORE, err);
    if (i == READER_NONE) { /* in a gap */
        stand_in(r, &w, reader__beside(&w, reader__first_key(&w), READER_NONE, true));
        r->due = r->position.gap;
        return READER_FOUND;
    }
    w.gap.to_us = 0;
    stand_in(r, &w, i);
    return pick == READER_AT ? go_behind_gap(r, wall_us, err) : READER_FOUND;
}

int reader_return(struct reader *r, const struct sample_place *place, struct err *err)
{
    struct window_query q = {.kind = WINDOW_NEXT, .place = *place, .keep_dts = place->dts};
    struct sample_window w;
    q.place.dts--; /* itself included */
    int rc = ask(r, &q, &w, err);
    if (rc < 0 || w.map == NULL)
        return rc < 0 ? rc : nothing(&w);
    bool is_same = w.file_us == place->file_us && w.file_n == place->file_n;
    return stand_in(r, &w, is_same ? reader__find(&w, place->dts) : reader__first_key(&w));
}

/* --- life --- */

struct reader *reader_create(const struct reader_params *params)
{
    struct reader *r = xcalloc(1, sizeof *r);
    r->source = params->source;
    str_copy(r->camera, sizeof r->camera, params->camera_id);
    str_copy(r->stream, sizeof r->stream, params->stream);
    r->wants_audio = params->wants_audio;
    r->at = READER_NONE;
    return r;
}

void reader_destroy(struct reader **r)
{
    if (*r != NULL)
        sample_map_free(&(*r)->w.map);
    FREE(r);
}

int reader_picture(struct reader *r, struct packet **out, struct err *err)
{
    int rc = sample_read(r->w.map, r->at, out, err);
    if (rc == 0)
        (*out)->wall_us = reader__shown_us(&r->w, r->at, r->key);
    return rc;
}

const struct reader_at *reader_position(const struct reader *r)
{
    return &r->position;
}

struct format *reader_audio(const struct reader *r)
{
    const struct sample_map *m = r->w.map;
    for (size_t i = 0; m != NULL && i < m->n_formats; i++)
        if (!codec_is_video(m->formats[i]->codec))
            return m->formats[i];
    return NULL;
}
