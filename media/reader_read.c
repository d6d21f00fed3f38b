/* Reading on in decoding order. */
#include "base/log.h"
#include "media/reader_priv.h"

static bool is_wanted(const struct reader *r, const struct reader_want *want,
                      const struct sample *s)
{
    if (!s->is_video)
        return want->sound && r->due.to_us == 0 && !r->needs_key && !want->only_keys;
    if (!s->is_key)
        return !want->only_keys && !r->needs_key;
    int64_t since_us = s->wall_us - r->given_us;
    return !want->only_keys || r->given_us == 0 || since_us < 0 || since_us >= want->key_step_us;
}

/* True: out has it. */
static bool give(struct reader *r, size_t i, struct reader_item *out)
{
    const struct sample *s = &r->w.map->samples[i];
    struct packet *pkt = NULL;
    struct err err = {0};
    if (sample_read(r->w.map, i, &pkt, &err) < 0 || pkt->format == NULL) {
        log_debug(r->camera, "reader: %s", err.msg);
        packet_unref(&pkt);
        r->needs_key = true;
        return false;
    }
    *out = (struct reader_item){.pkt = pkt,
                                .place = reader__place(&r->w, i),
                                .duration = s->duration,
                                .is_after_skip = s->is_video && r->needs_key};
    if (!s->is_video)
        return true;
    pkt->wall_us = reader__shown_us(&r->w, i, r->key);
    out->gap = r->due;
    r->due = (struct sample_gap){0};
    r->needs_key = false;
    r->given_us = s->is_key ? s->wall_us : r->given_us;
    return true;
}

static void pass(struct reader *r, size_t i)
{
    r->at = i;
    r->key = r->w.map->samples[i].is_key ? i : r->key;
    reader__tell(r, r->due);
}

/* Behind the sample that was passed last, in a window that begins earlier. */
static void find_next(struct reader *r)
{
    const struct sample_map *m = r->w.map;
    r->next = r->at + 1;
    for (size_t i = 0; i < m->n_samples; i++)
        if (m->samples[i].offset == r->passed)
            r->next = i + 1;
}

static int read_on(struct reader *r, struct err *err)
{
    struct sample_window w;
    int rc = reader__more(r, &w, err);
    if (rc == READER__SAME_FILE) {
        find_next(r);
    } else if (rc == READER__NEXT_FILE) {
        if (r->due.to_us == 0)
            r->due = w.gap;
        reader__take(r, &w);
        /* sound in front has no picture beside it */
        r->at = r->key = r->next = reader__first_key(&r->w);
    } else if (rc == READER__NOTHING) {
        return w.is_growing ? READER_AGAIN : READER_END;
    }
    return rc < 0 ? rc : READER_FOUND;
}

int reader_read(struct reader *r, const struct reader_want *want, struct reader_item *out,
                struct err *err)
{
    while (r->at != READER_NONE) {
        while (r->next < r->w.map->n_samples) {
            size_t i = r->next++;
            const struct sample *s = &r->w.map->samples[i];
            r->passed = s->offset;
            if (s->is_after_gap && i > 0 && r->due.to_us == 0)
                r->due = reader__hole(&r->w, i - 1, i);
            bool is_wanted_now = is_wanted(r, want, s);
            if (s->is_video)
                pass(r, i);
            if (is_wanted_now && give(r, i, out))
                return READER_FOUND;
            r->needs_key |= s->is_video; /* those behind it need it */
        }
        int rc = read_on(r, err);
        if (rc != READER_FOUND)
            return rc;
    }
    return READER_END;
}
