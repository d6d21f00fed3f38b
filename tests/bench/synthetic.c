#include "synthetic.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/mem.h"
#include "storage/db_district.h"
#include "storage/db_priv.h"
#include "storage/db_schema.h"
#include "storage/db_volumes.h"
#include "storage/dirs.h"

enum { N_TOWNSHIPS = 18, CAMERAS_PER_INSTITUTION = 10 };

/* What a camera has come to while rows are made. */
struct camera {
    int64_t key, at_us, volume;
    int64_t bytes_per_s;
    bool is_up; /* the segment in front ended by rotation */
};

struct maker {
    struct synthetic *plan;
    struct db *db;
    struct camera *cameras;
    struct segment_totals per_volume[64];
    int64_t n;
};

/* splitmix64: a number that follows from the seed and two indices. */
static uint64_t random_of(const struct maker *m, uint64_t a, uint64_t b)
{
    uint64_t z =
        m->plan->seed + a * UINT64_C(0x9e3779b97f4a7c15) + b * UINT64_C(0xd1342543de82ef95);
    z = (z ^ z >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ z >> 27) * UINT64_C(0x94d049bb133111eb);
    return z ^ z >> 31;
}

void synthetic_camera_id(int i, char dst[65])
{
    snprintf(dst, 65, "camera-%04d", i + 1);
}

void synthetic_volume_path(const struct synthetic *s, int i, char *dst, size_t cap)
{
    snprintf(dst, cap, "%s/volume-%d", s->data_dir, i + 1);
}

/* --- the district --- */

static int make_institutions(struct maker *m, struct err *err)
{
    int n = (m->plan->n_cameras + CAMERAS_PER_INSTITUTION - 1) / CAMERAS_PER_INSTITUTION, rc = 0;
    char id[32], name[64], township[32];
    for (int i = 0; i < N_TOWNSHIPS && rc == 0; i++) {
        snprintf(id, sizeof id, "township-%02d", i + 1);
        snprintf(name, sizeof name, "镇 %d", i + 1);
        rc = db_township_put(m->db, &(struct township_row){.id = id, .name = name}, PUT_NEW, err);
    }
    for (int i = 0; i < n && rc == 0; i++) {
        snprintf(id, sizeof id, "institution-%03d", i + 1);
        snprintf(name, sizeof name, "托育机构 %d", i + 1);
        snprintf(township, sizeof township, "township-%02d", i % N_TOWNSHIPS + 1);
        struct institution_row row = {.id = id,
                                      .name = name,
                                      .type = "private",
                                      .township_id = township,
                                      .address = "",
                                      .contact = "",
                                      .phone = "",
                                      .external_id = "",
                                      .is_enabled = true};
        rc = db_institution_put(m->db, &row, PUT_NEW, err);
    }
    return rc;
}

static int make_camera(struct maker *m, int i, struct err *err)
{
    char id[65], institution[32], name[64], url[64];
    struct camera *c = &m->cameras[i];
    synthetic_camera_id(i, id);
    snprintf(institution, sizeof institution, "institution-%03d", i / CAMERAS_PER_INSTITUTION + 1);
    snprintf(name, sizeof name, "摄像头 %d", i + 1);
    snprintf(url, sizeof url, "rtsp://127.0.0.1:9/%d", i + 1);
    struct camera_row row = {.id = id,
                             .name = name,
                             .institution_id = institution,
                             .area = "",
                             .area_type = "activity",
                             .main_url = url,
                             .sub_url = "",
                             .username = "",
                             .transport = "auto",
                             .record = "main"};
    int rc = db_camera_put(m->db, &row, PUT_NEW, err);
    if (rc == 0)
        rc = db_camera_key(m->db, id, true, &c->key, err);
    int64_t start_us = m->plan->end_us - m->plan->n_days * INT64_C(86400) * US_PER_S;
    c->at_us = start_us + (int64_t)(random_of(m, (uint64_t)i, 0) % SYNTHETIC_SEGMENT_US);
    c->volume = m->plan->volume_keys[i % m->plan->n_volumes];
    c->bytes_per_s = 100000 + (int64_t)(random_of(m, (uint64_t)i, 1) % 300000);
    c->is_up = false;
    return rc;
}

static int make_district(struct maker *m, struct err *err)
{
    int rc = make_institutions(m, err);
    for (int i = 0; i < m->plan->n_volumes && rc == 0; i++) {
        char uuid[33], path[512];
        snprintf(uuid, sizeof uuid, "%032d", i + 1);
        synthetic_volume_path(m->plan, i, path, sizeof path);
        rc = db_volume_put(m->db, uuid, path, &m->plan->volume_keys[i], err);
    }
    for (int i = 0; i < m->plan->n_cameras && rc == 0; i++)
        rc = make_camera(m, i, err);
    return rc;
}

/* --- rows --- */

static int put_segment(struct maker *m, const struct segment_row *row, const char *holes,
                       struct err *err)
{
    struct stmt *s = db_stmt(m->db,
                             "INSERT INTO segments(camera, stream, from_us, n, to_us, volume,"
                             " bytes, frames, lost_packets, began, ended, holes)"
                             " VALUES(?1, 0, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11)",
                             err);
    if (s == NULL)
        return -EIO;
    const int64_t values[] = {row->camera, row->id.from_us, row->id.n,   row->to_us,
                              row->volume, row->bytes,      row->frames, row->lost_packets,
                              row->began,  row->ended};
    for (int i = 0; i < (int)ARRAY_LEN(values); i++)
        stmt_bind_i64(s, i + 1, values[i]);
    if (holes != NULL)
        stmt_bind_text(s, (int)ARRAY_LEN(values) + 1, holes);
    return stmt_run(s, err);
}

static int put_state(struct maker *m, const struct camera *c, int64_t from_us, int64_t to_us,
                     const char *cause, struct err *err)
{
    struct stmt *s = db_stmt(m->db,
                             "INSERT INTO states(camera, stream, from_us, to_us, cause, reachable,"
                             " advancing, recording) VALUES(?1, 0, ?2, ?3, ?4, ?5, ?5, ?5)",
                             err);
    if (s == NULL)
        return -EIO;
    stmt_bind_i64(s, 1, c->key);
    stmt_bind_i64(s, 2, from_us);
    if (to_us != 0)
        stmt_bind_i64(s, 3, to_us);
    stmt_bind_text(s, 4, cause);
    stmt_bind_i64(s, 5, strcmp(cause, "ok") == 0);
    return stmt_run(s, err);
}

/* The next segment of a camera: about one in 200 is followed by an outage of up to half an hour,
 * one in 2,000 has a hole. */
static int make_segment(struct maker *m, int i, int64_t slot, struct err *err)
{
    struct camera *c = &m->cameras[i];
    uint64_t dice = random_of(m, (uint64_t)i + 7, (uint64_t)slot + 7);
    int64_t us = SYNTHETIC_SEGMENT_US + (int64_t)(dice % 2000) * US_PER_MS;
    bool is_outage = dice >> 16 & 0xff && (dice >> 24) % 200 == 0;
    char holes[64];
    bool has_hole = (dice >> 24) % 2000 == 7;
    struct segment_row row = {.camera = c->key,
                              .id.from_us = c->at_us,
                              .id.n = ++m->n,
                              .to_us = c->at_us + us,
                              .volume = c->volume,
                              .bytes = c->bytes_per_s * (us / US_PER_S) + (int64_t)(dice >> 44),
                              .frames = us * 25 / US_PER_S,
                              .lost_packets = (dice >> 32) % 100 == 0,
                              .began = c->is_up ? SEGMENT_ROTATED : SEGMENT_START,
                              .ended = is_outage ? SEGMENT_DOWN : SEGMENT_ROTATED};
    snprintf(holes, sizeof holes, "%" PRId64 "-%" PRId64 " ", c->at_us + 60 * US_PER_S,
             c->at_us + 65 * US_PER_S);
    struct segment_totals *total = &m->per_volume[i % m->plan->n_volumes];
    total->n++;
    total->bytes += row.bytes;
    c->at_us = row.to_us;
    c->is_up = !is_outage;
    int rc = put_segment(m, &row, has_hole ? holes : NULL, err);
    if (rc < 0 || !is_outage)
        return rc;
    int64_t up_us = row.to_us + US_PER_S + (int64_t)(dice >> 8) % (1800 * US_PER_S);
    c->at_us = up_us;
    rc = put_state(m, c, row.to_us, up_us, "timeout", err);
    return rc < 0 ? rc : put_state(m, c, up_us, up_us + 3600 * US_PER_S, "ok", err);
}

static int make_segments(struct maker *m, struct err *err)
{
    int rc = 0, n_left = m->plan->n_cameras;
    for (int64_t slot = 0; n_left > 0 && rc == 0; slot++) {
        n_left = 0;
        for (int i = 0; i < m->plan->n_cameras && rc == 0; i++) {
            if (m->cameras[i].at_us + SYNTHETIC_SEGMENT_US > m->plan->end_us)
                continue;
            n_left++;
            rc = make_segment(m, i, slot, err);
        }
        if (slot % 144 == 143 && isatty(STDERR_FILENO))
            fprintf(stderr, "\rday %" PRId64 ", %.1f million segments ", slot / 144 + 1,
                    (double)m->n / 1e6);
    }
    return rc;
}

/* The triggers count one row at a time; here the sums are put at the end, which is the same. */
static int take_triggers(struct maker *m, char *sql, size_t cap, struct err *err)
{
    struct stmt *s = db_stmt(m->db,
                             "SELECT group_concat(sql, ';') FROM sqlite_schema"
                             " WHERE type = 'trigger' AND tbl_name = 'segments'",
                             err);
    int rc = s != NULL ? stmt_step(s, err) : -EIO;
    if (rc == 1)
        snprintf(sql, cap, "%s;", stmt_text(s, 0));
    if (s != NULL)
        stmt_done(s);
    return rc < 0
               ? rc
               : db_exec(m->db, "DROP TRIGGER segments_insert; DROP TRIGGER segments_delete", err);
}

static int put_totals(struct maker *m, struct err *err)
{
    int rc = 0;
    for (int i = 0; i < m->plan->n_volumes && rc == 0; i++) {
        struct stmt *s =
            db_stmt(m->db, "UPDATE volumes SET segments = ?2, bytes = ?3 WHERE key = ?1", err);
        if (s == NULL)
            return -EIO;
        stmt_bind_i64(s, 1, m->plan->volume_keys[i]);
        stmt_bind_i64(s, 2, m->per_volume[i].n);
        stmt_bind_i64(s, 3, m->per_volume[i].bytes);
        rc = stmt_run(s, err);
    }
    return rc;
}

/* What was there before the oldest segments went, and when the server ran. */
static int put_history(struct maker *m, struct err *err)
{
    int64_t start_us = m->plan->end_us - m->plan->n_days * INT64_C(86400) * US_PER_S;
    struct stmt *s = db_stmt(m->db,
                             "INSERT INTO deletions SELECT key, 0, ?1 - 2592000000000, ?1, ?1,"
                             " 4320, 648000000000, 'expired' FROM camera_keys",
                             err);
    if (s == NULL)
        return -EIO;
    stmt_bind_i64(s, 1, start_us);
    int rc = stmt_run(s, err);
    if (rc < 0)
        return rc;
    s = db_stmt(m->db, "INSERT INTO server_runs(from_us, to_us, clean) VALUES(?1, ?2, 1)", err);
    if (s == NULL)
        return -EIO;
    stmt_bind_i64(s, 1, start_us - 3600 * US_PER_S);
    stmt_bind_i64(s, 2, m->plan->end_us);
    return stmt_run(s, err);
}

static int make_rows(struct maker *m, struct err *err)
{
    char triggers[2048];
    int rc =
        db_migrate_to(m->db, m->plan->version > 0 ? m->plan->version : db_schema_version(), err);
    if (rc ==
        0) /* nobody needs a torn one; a quarter of the memory a machine has holds all leaves */
        rc = db_exec(m->db,
                     "PRAGMA journal_mode = OFF; PRAGMA synchronous = OFF;"
                     "PRAGMA cache_size = -400000; BEGIN",
                     err);
    if (rc == 0)
        rc = make_district(m, err);
    if (rc == 0)
        rc = take_triggers(m, triggers, sizeof triggers, err);
    if (rc == 0)
        rc = make_segments(m, err);
    if (rc == 0)
        rc = put_totals(m, err);
    if (rc == 0)
        rc = put_history(m, err);
    if (rc == 0)
        rc = db_exec(m->db, triggers, err);
    return rc == 0 ? db_exec(m->db, "COMMIT; PRAGMA journal_mode = WAL", err) : rc;
}

/* The volumes' markers, as volume_mount.c writes them. */
static int make_volumes(const struct synthetic *s, struct err *err)
{
    int rc = 0;
    for (int i = 0; i < s->n_volumes && rc == 0; i++) {
        char path[512], marker[560];
        synthetic_volume_path(s, i, path, sizeof path);
        rc = dirs_make(path, err);
        snprintf(marker, sizeof marker, "%s/.rookery-volume", path);
        FILE *f = rc == 0 ? fopen(marker, "w") : NULL;
        if (rc == 0 && f == NULL)
            rc = err_set(err, -errno, "create %s", marker);
        if (f != NULL) {
            fprintf(f, "rookery volume 1\nuuid %032d\n", i + 1);
            fclose(f);
        }
    }
    return rc;
}

int synthetic_make(struct synthetic *s, struct err *err)
{
    char path[4096];
    struct maker m = {.plan = s};
    snprintf(path, sizeof path, "%s/catalog.db", s->data_dir);
    if (access(path, F_OK) == 0)
        return err_text(err, ERR_CONFLICT, "%s exists already", path);
    int rc = make_volumes(s, err);
    if (rc == 0)
        rc = db__open(path, false, &m.db, err);
    if (rc < 0)
        return rc;
    m.cameras = xcalloc((size_t)s->n_cameras, sizeof *m.cameras);
    rc = make_rows(&m, err);
    s->n_segments = m.n;
    db__close(&m.db);
    free(m.cameras);
    return rc;
}
