#include "storage/db_chains.h"

#include <errno.h>

#include "base/clock.h"
#include "storage/db.h"

enum { DAY_S = 86400 };

static int read_link(struct stmt *s, int col, struct chain_value *out)
{
    size_t n;
    const void *p = stmt_blob(s, col, &n);
    *out = (struct chain_value){0};
    if (n != CHAIN_BYTES)
        return 0;
    memcpy(out->bytes, p, n);
    return 1;
}

static int extend(struct db *db, const struct segment_row *row, int64_t day, struct err *err)
{
    struct stmt *s = db_stmt(db,
                             "UPDATE chains SET last_us = ?4, segments = segments + 1, link = ?5"
                             " WHERE camera = ?1 AND stream = ?2 AND first_us >= ?7 AND day = ?3"
                             " AND link = ?6 AND last_us < ?4",
                             err);
    if (s == NULL)
        return -EIO;
    stmt_bind_i64(s, 1, row->camera);
    stmt_bind_i64(s, 2, row->id.stream);
    stmt_bind_i64(s, 3, day);
    stmt_bind_i64(s, 4, row->id.from_us);
    stmt_bind_blob(s, 5, row->chain.link.bytes, CHAIN_BYTES);
    stmt_bind_blob(s, 6, row->chain.before.bytes, CHAIN_BYTES);
    stmt_bind_i64(s, 7, day * DAY_S * US_PER_S); /* the key's range */
    int rc = stmt_run(s, err);
    return rc < 0 ? rc : db_changes(db) > 0;
}

int db_chain_add(struct db *db, const struct segment_row *row, struct err *err)
{
    if (!row->chain.has_link)
        return 0;
    int64_t day = row->id.from_us / US_PER_S / DAY_S;
    int rc = row->chain.has_before ? extend(db, row, day, err) : 0;
    if (rc != 0)
        return rc < 0 ? rc : 0;
    struct stmt *s = db_stmt(db,
                             "INSERT OR REPLACE INTO chains(camera, stream, first_us, first_n, day,"
                             " last_us, segments, link) VALUES(?1, ?2, ?3, ?4, ?5, ?3, 1, ?6)",
                             err);
    if (s == NULL)
        return -EIO;
    const int64_t values[] = {row->camera, row->id.stream, row->id.from_us, row->id.n, day};
    for (int i = 0; i < (int)ARRAY_LEN(values); i++)
        stmt_bind_i64(s, i + 1, values[i]);
    stmt_bind_blob(s, 6, row->chain.link.bytes, CHAIN_BYTES);
    return stmt_run(s, err);
}

int db_chain_newest(struct db *db, int64_t camera, enum stream_kind stream, struct chain_value *out,
                    struct err *err)
{
    struct stmt *s = db_stmt(db,
                             "SELECT link FROM chains WHERE camera = ?1 AND stream = ?2"
                             " ORDER BY first_us DESC, first_n DESC LIMIT 1",
                             err);
    if (s == NULL)
        return -EIO;
    stmt_bind_i64(s, 1, camera);
    stmt_bind_i64(s, 2, stream);
    int rc = stmt_step(s, err);
    if (rc == 1)
        rc = read_link(s, 0, out);
    stmt_done(s);
    return rc;
}

int db_chains_of(struct db *db, int64_t camera, enum stream_kind stream, chain_row_fn *fn,
                 void *ctx, struct err *err)
{
    struct stmt *s = db_stmt(db,
                             "SELECT first_us, first_n, last_us, segments, link FROM chains"
                             " WHERE camera = ?1 AND stream = ?2 ORDER BY first_us, first_n",
                             err);
    if (s == NULL)
        return -EIO;
    stmt_bind_i64(s, 1, camera);
    stmt_bind_i64(s, 2, stream);
    int rc;
    while ((rc = stmt_step(s, err)) == 1) {
        struct chain_row row = {.first_us = stmt_i64(s, 0),
                                .first_n = stmt_i64(s, 1),
                                .last_us = stmt_i64(s, 2),
                                .n_segments = stmt_i64(s, 3)};
        read_link(s, 4, &row.link);
        rc = fn(ctx, &row);
        if (rc < 0)
            break;
    }
    stmt_done(s);
    return rc;
}

int db_chains_bare(struct db *db, chain_stream_fn *fn, void *ctx, struct err *err)
{
    struct stmt *s = db_stmt(db,
                             "SELECT k.key, k.camera_id, m.stream FROM camera_keys k,"
                             " (SELECT 0 AS stream UNION ALL SELECT 1) m"
                             " WHERE EXISTS(SELECT 1 FROM chains c WHERE c.camera = k.key"
                             " AND c.stream = m.stream)"
                             " AND NOT EXISTS(SELECT 1 FROM segments s WHERE s.camera = k.key"
                             " AND s.stream = m.stream)",
                             err);
    if (s == NULL)
        return -EIO;
    int rc;
    while ((rc = stmt_step(s, err)) == 1) {
        rc = fn(ctx, stmt_i64(s, 0), stmt_text(s, 1), (enum stream_kind)stmt_i64(s, 2));
        if (rc < 0)
            break;
    }
    stmt_done(s);
    return rc < 0 ? rc : 0;
}

int db_chains_expire(struct db *db, int64_t before_us, struct err *err)
{
    /* by stream, so that only runs in front of its oldest segment are looked at */
    struct stmt *s = db_stmt(
        db,
        "DELETE FROM chains WHERE (camera, stream, first_us, first_n) IN"
        " (SELECT c.camera, c.stream, c.first_us, c.first_n FROM"
        " (SELECT k.key AS camera, m.stream AS stream, coalesce((SELECT s.from_us FROM segments s"
        " WHERE s.camera = k.key AND s.stream = m.stream ORDER BY s.from_us LIMIT 1), ?1) AS oldest"
        " FROM camera_keys k, (SELECT 0 AS stream UNION ALL SELECT 1) m) o"
        " CROSS JOIN chains c ON c.camera = o.camera AND c.stream = o.stream"
        " AND c.first_us < o.oldest WHERE c.last_us < o.oldest)",
        err);
    if (s == NULL)
        return -EIO;
    stmt_bind_i64(s, 1, before_us);
    return stmt_run(s, err);
}
