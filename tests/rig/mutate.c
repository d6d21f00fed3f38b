#include "mutate.h"

#include <string.h>

#include "base/str.h"
#include "mutate_priv.h"

static const struct mutate_change *const tables[] = {
    mutate__stamps, mutate__nals, mutate__styles, mutate__packets, mutate__wire,
};

static const struct mutate_change *find_change(const char *name)
{
    for (size_t i = 0; i < ARRAY_LEN(tables); i++)
        for (const struct mutate_change *c = tables[i]; c->name; c++)
            if (strcmp(c->name, name) == 0)
                return c;
    return NULL;
}

/* --- reading rules --- */

static bool has_word(const char *words, const char *word)
{
    size_t n = strlen(word);
    for (const char *p = strstr(words, word); p; p = strstr(p + 1, word))
        if ((p == words || p[-1] == ' ') && (p[n] == ' ' || p[n] == 0))
            return true;
    return false;
}

static int check_one(json_t *o, struct err *err)
{
    const char *name = json_string_value(json_object_get(o, "do"));
    const struct mutate_change *change = name ? find_change(name) : NULL;
    if (!change)
        return err_text(err, ERR_INVALID, "rtp: there is no change called %s", name ? name : "?");
    const char *key;
    json_t *value;
    json_object_foreach(o, key, value)
    {
        if (!has_word("do track connection key from every times", key) &&
            !has_word(change->keys, key))
            return err_text(err, ERR_INVALID, "rtp: %s knows no %s", name, key);
    }
    return 0;
}

int mutate_check(const json_t *list, struct err *err)
{
    size_t i;
    json_t *o;
    if (!json_is_array(list) || json_array_size(list) > MUTATE_MAX_CHANGES)
        return err_text(err, ERR_INVALID, "rtp must be a list of at most %d", MUTATE_MAX_CHANGES);
    json_array_foreach(list, i, o)
    {
        int rc = check_one(o, err);
        if (rc < 0)
            return rc;
    }
    return 0;
}

int64_t mutate__int(const struct mutate_rule *r, const char *key, int64_t otherwise)
{
    const json_t *v = json_object_get(r->o, key);
    return json_is_integer(v) ? json_integer_value(v) : json_is_true(v) ? 1 : otherwise;
}

double mutate__real(const struct mutate_rule *r, const char *key, double otherwise)
{
    const json_t *v = json_object_get(r->o, key);
    return json_is_number(v) ? json_number_value(v) : otherwise;
}

bool mutate__is(const struct mutate_rule *r, const char *key, const char *text)
{
    const char *v = json_string_value(json_object_get(r->o, key));
    return v && strcmp(v, text) == 0;
}

uint32_t mutate__random(struct mutator *m)
{
    m->random = m->random * 1664525 + 1013904223;
    return m->random >> 8;
}

void mutate__bytes(struct mutator *m, const struct mutate_rule *r, struct buf *out)
{
    const char *hex = json_string_value(json_object_get(r->o, "hex"));
    unsigned byte;
    int used = 0;
    for (; hex && sscanf(hex, " %2x%n", &byte, &used) == 1; hex += used)
        buf_put_u8(out, (uint8_t)byte);
    for (int64_t i = mutate__int(r, "bytes", 0); i > 0; i--)
        buf_put_u8(out, (uint8_t)mutate__random(m));
}

/* --- life --- */

struct mutator *mutator_create(const struct mutate_params *params)
{
    struct mutator *m = xcalloc(1, sizeof *m);
    size_t i;
    json_t *o;
    m->params = *params;
    m->random = 12345;
    json_array_foreach(params->list, i, o) m->rules[m->n_rules++] = (struct mutate_rule){
        .change = find_change(json_string_value(json_object_get(o, "do"))), .o = o};
    return m;
}

void mutator_destroy(struct mutator **m)
{
    if (!*m)
        return;
    for (int i = 0; i < MUTATE_TRACKS; i++)
        buf_fini(&(*m)->tracks[i].joined);
    FREE(m);
}

/* --- units --- */

struct mutate_packet *mutate__add(struct mutate_batch *b, size_t at)
{
    if (b->n_packets == b->cap_packets) {
        b->cap_packets = b->cap_packets ? 2 * b->cap_packets : 64;
        b->packets = xrealloc(b->packets, b->cap_packets * sizeof *b->packets);
    }
    at = MIN(at, b->n_packets);
    struct mutate_packet *p = &b->packets[at];
    memmove(p + 1, p, (b->n_packets - at) * sizeof *p);
    b->n_packets++;
    *p = (struct mutate_packet){
        .channel = -1,
        .rtp = {.payload_type = b->payload_type, .timestamp = b->timestamp, .ssrc = b->ssrc}};
    return p;
}

static void free_batch(struct mutate_batch *b)
{
    for (size_t i = 0; i < b->n_nals; i++)
        free(b->nals[i].p);
    for (size_t i = 0; i < b->n_packets; i++) {
        buf_fini(&b->packets[i].payload);
        buf_fini(&b->packets[i].before);
        buf_fini(&b->packets[i].inside);
    }
    free(b->packets);
}

static bool is_due(const struct mutator *m, struct mutate_rule *r, const struct mutate_batch *b)
{
    const json_t *key = json_object_get(r->o, "key");
    uint64_t from = (uint64_t)mutate__int(r, "from", 0);
    uint64_t every = (uint64_t)mutate__int(r, "every", 1);
    uint64_t times = (uint64_t)mutate__int(r, "times", INT64_MAX);
    int track = mutate__is(r, "track", "audio") ? 1 : 0;
    if (mutate__int(r, "connection", m->params.connection) != m->params.connection)
        return false;
    if (track != b->track || b->number < from || r->n_done >= times)
        return false;
    if (key && json_is_true(key) != b->is_key)
        return false;
    uint64_t number = key ? r->n_keys++ : b->number - from;
    if (number % every != 0)
        return false;
    r->n_done++;
    return true;
}

static void apply(struct mutator *m, struct mutate_batch *b, enum mutate_step step)
{
    for (size_t i = 0; i < m->n_rules; i++) {
        struct mutate_rule *r = &m->rules[i];
        if (r->change->step == step && r->change->fn && is_due(m, r, b))
            r->change->fn(m, r, b);
    }
}

static void number(struct mutate_track *t, struct mutate_batch *b)
{
    if (b->seq_restart >= 0)
        t->seq = (uint16_t)b->seq_restart;
    for (size_t i = 0; i < b->n_packets; i++)
        b->packets[i].rtp.seq = t->seq++;
}

static void read_stamp(struct mutate_track *t, struct mutate_batch *b, const struct unit *unit)
{
    size_t at = 0;
    size_t size;
    uint8_t *frame;
    struct rtp rtp;
    if (!unit_next(unit, &at, &frame, &size) || rtp_parse(frame + 4, size - 4, &rtp) < 0)
        return;
    if (!t->is_started) {
        t->is_started = true;
        t->seq = rtp.seq;
        t->first_timestamp = rtp.timestamp;
    }
    b->payload_type = rtp.payload_type;
    b->timestamp = rtp.timestamp + t->offset;
    b->ssrc = t->ssrc ? t->ssrc : rtp.ssrc;
}

void mutator_unit(struct mutator *m, int track, enum codec codec, const struct unit *unit)
{
    struct mutate_track *t = &m->tracks[track];
    struct mutate_batch b = {.track = track,
                             .codec = codec,
                             .is_key = unit->is_key && track == 0,
                             .number = t->n_units++,
                             .seq_restart = -1};
    read_stamp(t, &b, unit);
    apply(m, &b, MUTATE_STAMP);
    if (!b.is_skipped) {
        mutate__split(&b, unit);
        apply(m, &b, MUTATE_NALS);
        apply(m, &b, MUTATE_STYLE);
        mutate__pay(m, &b);
        number(t, &b);
        apply(m, &b, MUTATE_PACKETS);
        apply(m, &b, MUTATE_WIRE);
        mutate__send(m, &b);
        t->last_timestamp = b.timestamp;
    }
    free_batch(&b);
}
