#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/str.h"
#include "storage/db.h"
#include "storage/db_holds.h"
#include "storage/list.h"
#include "storage/segment.h"
#include "storage/stock.h"
#include "storage/writing.h"

/* What was recorded in less tells no pace yet. */
#define PACE_MIN_US (10 * US_PER_S)

/* --- numbers of one stream --- */

struct stream {
    int64_t camera;
    int stream;
    const struct segment_row *writing; /* of its camera */
    size_t n_writing;
};

/* Runs a query of (camera, stream, a, b), of which it may lack the last ones, that gives one row or
 * none; what is missing is 0. */
static int ask(struct db *db, const char *sql, const struct stream *st, const int64_t args[2],
               int64_t out[2], struct err *err)
{
    struct stmt *s = db_stmt(db, sql, err);
    if (s == NULL)
        return -EIO;
    stmt_bind_i64(s, 1, st->camera);
    stmt_bind_i64(s, 2, st->stream);
    int n_params = stmt_params(s);
    for (int i = 3; i <= MIN(n_params, 4); i++)
        stmt_bind_i64(s, i, args[i - 3]);
    int rc = stmt_step(s, err);
    out[0] = rc == 1 ? stmt_i64(s, 0) : 0;
    out[1] = rc == 1 ? stmt_i64(s, 1) : 0;
    stmt_done(s);
    return rc < 0 ? rc : 0;
}

#define OF_STREAM " FROM segments s WHERE s.camera = ?1 AND s.stream = ?2 "
static const char newest_sql[] =
    "SELECT s.from_us, s.to_us" OF_STREAM "ORDER BY s.from_us DESC, s.n DESC LIMIT 1";
static const char oldest_sql[] = "SELECT s.from_us, s.to_us" OF_STREAM "ORDER BY s.from_us LIMIT 1";
static const char oldest_free_sql[] =
    "SELECT s.from_us, s.to_us" OF_STREAM
    "AND NOT EXISTS(SELECT 1 FROM holds h WHERE h.camera = s.camera AND h.released_us = 0"
    " AND h.from_us < s.to_us AND h.to_us > s.from_us) ORDER BY s.from_us LIMIT 1";
/* What lies in [?3, ?4), of the segment at its edge the part inside. */
static const char bytes_sql[] =
    "SELECT coalesce(sum(CASE WHEN s.from_us >= ?3 THEN s.bytes"
    " ELSE s.bytes * (s.to_us - ?3) / (s.to_us - s.from_us) END), 0), 0" OF_STREAM
    "AND s.from_us > ?3 - 3600000000 AND s.from_us < ?4 AND s.to_us > ?3";
static const char cut_sql[] = "SELECT to_us, 0 FROM deletions WHERE camera = ?1 AND stream = ?2"
                              " AND from_us < ?3 AND why <> 'thinned'"
                              " ORDER BY from_us DESC LIMIT 1";
static const char held_sql[] = "SELECT 1, 0 FROM holds WHERE camera = ?1 AND released_us = 0"
                               " AND from_us < ?4 AND to_us > ?3 LIMIT 1";

/* What thinning took of [?3, ?4): of the entry that reaches into it the part inside, and of those
 * that begin in it. Entries of thinning are the newest of a stream. */
static const char thinned_before_sql[] =
    "SELECT CAST(bytes * (1.0 * max(min(to_us, ?4) - ?3, 0) / (to_us - from_us)) AS INTEGER),"
    " from_us FROM deletions WHERE camera = ?1 AND stream = ?2 AND from_us <= ?3"
    " AND why = 'thinned' ORDER BY from_us DESC LIMIT 1";
static const char thinned_sql[] =
    "SELECT CAST(coalesce(sum(bytes * (1.0 * (min(to_us, ?4) - from_us) / (to_us - from_us))), 0)"
    " AS INTEGER), 0 FROM deletions WHERE camera = ?1 AND stream = ?2 AND from_us > ?3"
    " AND from_us < ?4 AND why = 'thinned'";

/* What is being written of it; 0 = nothing is. */
struct written {
    int64_t first_us, free_us; /* of the first, and of the first that no hold keeps */
    int64_t newest_us, bytes, held_bytes;
};

/* What the functions below work on. */
struct load {
    struct db *db;
    const struct stock_query *q;
    struct stock *stock;
    struct err *err;
};

static int64_t earlier(int64_t a_us, int64_t b_us)
{
    return a_us == 0 || (b_us != 0 && b_us < a_us) ? b_us : a_us;
}

static int sum_writing(const struct load *l, const struct stream *st, struct written *out)
{
    for (size_t i = 0; i < st->n_writing; i++) {
        const struct segment_row *row = &st->writing[i];
        int64_t held[2] = {0};
        if ((int)row->id.stream != st->stream)
            continue;
        int rc = ask(l->db, held_sql, st, (int64_t[2]){row->id.from_us, row->to_us}, held, l->err);
        if (rc < 0)
            return rc;
        out->first_us = earlier(out->first_us, row->id.from_us);
        if (held[0] == 0)
            out->free_us = earlier(out->free_us, row->id.from_us);
        else
            out->held_bytes += row->bytes;
        out->newest_us = MAX(out->newest_us, row->to_us);
        out->bytes += row->bytes;
    }
    return 0;
}

/* The pace of the last day of a stream that records; of one that stopped, what it adds now. */
static int add_pace(const struct load *l, const struct stream *st, const struct written *writing,
                    int64_t oldest_us, struct stock_row *row)
{
    int64_t newest[2] = {0}, bytes[2] = {0};
    int rc = ask(l->db, newest_sql, st, (int64_t[2]){0}, newest, l->err);
    if (rc < 0)
        return rc;
    int64_t newest_us = MAX(newest[1], writing->newest_us);
    int64_t now_us = l->q->now_us;
    int64_t to_us = now_us - newest_us < SEGMENT_LIMIT_US ? newest_us : now_us;
    int64_t from_us = to_us - US_PER_DAY;
    rc = ask(l->db, bytes_sql, st, (int64_t[2]){from_us, to_us}, bytes, l->err);
    int64_t range_us = to_us - MAX(from_us, oldest_us);
    if (rc < 0 || range_us < PACE_MIN_US)
        return rc;
    bytes[0] += writing->bytes;
    if (range_us < US_PER_DAY)
        bytes[0] = (int64_t)((double)bytes[0] * (double)US_PER_DAY / (double)range_us);
    row->bytes_per_day += bytes[0];
    return 0;
}

/* The day that ended an hour before what is to be thinned next: thinning has had the time. A stream
 * that began in it would tell of an hour, perhaps of the night. */
static int add_thinned(const struct load *l, const struct stream *st, int64_t oldest_us)
{
    int64_t to_us = l->q->now_us - l->q->thin_after_days * US_PER_DAY - SEGMENT_LIMIT_US;
    const int64_t day[2] = {to_us - US_PER_DAY, to_us};
    int64_t before[2] = {0}, in[2] = {0}, left[2] = {0};
    int rc = ask(l->db, thinned_before_sql, st, day, before, l->err);
    bool has_day = (oldest_us != 0 && oldest_us <= day[0]) || before[1] != 0;
    if (rc < 0 || !has_day)
        return rc;
    rc = ask(l->db, thinned_sql, st, day, in, l->err);
    if (rc == 0)
        rc = ask(l->db, bytes_sql, st, day, left, l->err);
    l->stock->thinned_bytes += before[0] + in[0];
    l->stock->left_bytes += left[0];
    return rc;
}

static int add_stream(const struct load *l, const struct stream *st, struct stock_row *row)
{
    int64_t first[2] = {0}, kept[2] = {0}, cut[2] = {0};
    struct written writing = {0};
    int rc = ask(l->db, oldest_sql, st, (int64_t[2]){0}, first, l->err);
    if (rc == 0)
        rc = ask(l->db, oldest_free_sql, st, (int64_t[2]){0}, kept, l->err);
    if (rc == 0)
        rc = sum_writing(l, st, &writing);
    if (rc < 0)
        return rc;
    l->stock->held_bytes += writing.held_bytes;
    int64_t first_us = earlier(first[0], writing.first_us);
    int64_t oldest_us = earlier(kept[0], writing.free_us);
    oldest_us = oldest_us != 0 ? oldest_us : first_us;
    row->oldest_us = earlier(row->oldest_us, oldest_us);
    rc = ask(l->db, cut_sql, st, (int64_t[2]){oldest_us != 0 ? oldest_us : INT64_MAX}, cut, l->err);
    row->cut_us = MAX(row->cut_us, cut[0]);
    if (rc == 0 && first_us != 0)
        rc = add_pace(l, st, &writing, first_us, row);
    if (rc == 0 && l->q->thin_after_days > 0)
        rc = add_thinned(l, st, first[0]);
    return rc;
}

/* --- all of them --- */

static int add_camera(const struct load *l, struct stock_row row, struct stream st)
{
    struct stock *stock = l->stock;
    int rc = 0;
    for (st.stream = 0; st.stream < 2 && rc == 0; st.stream++)
        rc = add_stream(l, &st, &row);
    stock->rows = list_room(stock->rows, stock->n, sizeof *stock->rows);
    stock->rows[stock->n++] = row;
    stock->bytes_per_day += row.bytes_per_day;
    return rc;
}

/* Cameras come in the order of the list: *at moves on. */
static struct stream stream_of(const struct writing *writing, size_t *at, int64_t camera,
                               const char *camera_id)
{
    while (*at < writing->n && strcmp(writing->rows[*at].id.camera_id, camera_id) < 0)
        ++*at;
    size_t end = *at;
    while (end < writing->n && strcmp(writing->rows[end].id.camera_id, camera_id) == 0)
        end++;
    return (struct stream){.camera = camera,
                           .writing = end > *at ? &writing->rows[*at] : NULL,
                           .n_writing = end - *at};
}

int db_stock_of_volume(struct db *db, int64_t volume, int64_t *out_bytes, struct err *err)
{
    struct stmt *s = db_stmt(db, "SELECT bytes FROM volumes WHERE key = ?1", err);
    if (s == NULL)
        return -EIO;
    stmt_bind_i64(s, 1, volume);
    int rc = stmt_number(s, out_bytes, err);
    return rc < 0 ? rc : 0;
}

int db_stock_load(struct db *db, const struct stock_query *q, struct stock **out, struct err *err)
{
    struct stmt *s = db_stmt(db,
                             "SELECT k.key, k.camera_id, (SELECT count(*) FROM holds h"
                             " WHERE h.camera = k.key AND h.released_us = 0)"
                             " FROM camera_keys k ORDER BY k.camera_id",
                             err);
    if (s == NULL)
        return -EIO;
    struct stock *stock = xcalloc(1, sizeof *stock);
    refcount_init(&stock->refs);
    stock->as_of_us = q->now_us;
    const struct load l = {db, q, stock, err};
    size_t at = 0;
    int rc;
    while ((rc = stmt_step(s, err)) == 1) {
        struct stock_row row = {.n_holds = (int)stmt_i64(s, 2)};
        str_copy(row.camera_id, sizeof row.camera_id, stmt_text(s, 1));
        struct stream st = stream_of(q->writing, &at, stmt_i64(s, 0), row.camera_id);
        rc = add_camera(&l, row, st);
        if (rc < 0)
            break;
    }
    stmt_done(s);
    int64_t held_bytes = 0;
    if (rc >= 0)
        rc = db_holds_bytes(db, 0, &held_bytes, err);
    stock->held_bytes += held_bytes;
    if (rc < 0)
        stock_unref(&stock);
    *out = stock;
    return rc < 0 ? rc : 0;
}

/* --- how many days --- */

/* Next to nothing is left, they say: no less than a hundredth is believed. */
#define SHARE_MIN 0.01

double stock_thinned_share(const struct stock *s)
{
    double whole = (double)s->left_bytes + (double)s->thinned_bytes;
    return s->thinned_bytes > 0 ? MAX((double)s->left_bytes / whole, SHARE_MIN) : -1;
}

double stock_weight(const struct stock *s, int64_t bytes_per_day, double days, int thin_after_days)
{
    double share = stock_thinned_share(s);
    double whole = share >= 0 && thin_after_days > 0 ? MIN(days, (double)thin_after_days) : days;
    return (double)bytes_per_day * (whole + MAX(share, 0) * (days - whole));
}

double stock_days(const struct stock *s, double bytes, int thin_after_days)
{
    double share = stock_thinned_share(s), per_day = (double)s->bytes_per_day;
    if (s->bytes_per_day <= 0)
        return -1;
    double days = bytes / per_day;
    if (share < 0 || thin_after_days == 0 || days <= thin_after_days)
        return days;
    return thin_after_days + (days - thin_after_days) / share;
}

static int by_id(const void *key, const void *row)
{
    return strcmp(key, ((const struct stock_row *)row)->camera_id);
}

const struct stock_row *stock_find(const struct stock *s, const char *camera_id)
{
    return s->n > 0 ? bsearch(camera_id, s->rows, s->n, sizeof *s->rows, by_id) : NULL;
}

struct stock *stock_ref(struct stock *s)
{
    refcount_inc(&s->refs);
    return s;
}

void stock_unref(struct stock **sp)
{
    struct stock *s = *sp;
    *sp = NULL;
    if (s == NULL || !refcount_dec(&s->refs))
        return;
    free(s->rows);
    free(s);
}
