/* One word on types: *_us are microseconds since 1970 UTC; booleans are 0/1; ids are the API's. */
#include "storage/db_schema.h"

#include <errno.h>

#include "base/mem.h"
#include "storage/db.h"

static const char *const migrations[] = {
    /* 1: the district, its accounts and the operators' settings */
    "CREATE TABLE townships("
    " id TEXT PRIMARY KEY,"
    " name TEXT NOT NULL) WITHOUT ROWID;"
    "CREATE INDEX townships_name ON townships(name);"

    "CREATE TABLE institutions("
    " id TEXT PRIMARY KEY,"
    " name TEXT NOT NULL,"
    " type TEXT NOT NULL DEFAULT '',"
    " township_id TEXT NOT NULL REFERENCES townships(id),"
    " address TEXT NOT NULL DEFAULT '',"
    " contact TEXT NOT NULL DEFAULT '',"
    " phone TEXT NOT NULL DEFAULT '',"
    " external_id TEXT NOT NULL DEFAULT '',"
    " enabled INTEGER NOT NULL DEFAULT 1) WITHOUT ROWID;"
    "CREATE INDEX institutions_township ON institutions(township_id);"

    "CREATE TABLE cameras("
    " id TEXT PRIMARY KEY,"
    " name TEXT NOT NULL,"
    " institution_id TEXT NOT NULL REFERENCES institutions(id),"
    " area TEXT NOT NULL DEFAULT '',"
    " area_type TEXT NOT NULL DEFAULT 'other',"
    " main_url TEXT NOT NULL DEFAULT '',"
    " sub_url TEXT NOT NULL DEFAULT '',"
    " username TEXT NOT NULL DEFAULT '',"
    " password BLOB," /* encrypted by the server's key; NULL = none */
    " transport TEXT NOT NULL DEFAULT 'auto',"
    " record TEXT NOT NULL DEFAULT 'main',"
    " on_demand INTEGER NOT NULL DEFAULT 0,"
    " retention_days INTEGER NOT NULL DEFAULT 0," /* 0 = the configured default */
    " enabled INTEGER NOT NULL DEFAULT 1,"
    " created_us INTEGER NOT NULL DEFAULT 0) WITHOUT ROWID;"
    "CREATE INDEX cameras_institution ON cameras(institution_id);"

    "CREATE TABLE users("
    " name TEXT PRIMARY KEY,"
    " role TEXT NOT NULL,"
    " scope TEXT NOT NULL DEFAULT ''," /* a node; '' = the district */
    " hash TEXT NOT NULL,"             /* argon2id, libsodium's text form */
    " enabled INTEGER NOT NULL DEFAULT 1,"
    " created_us INTEGER NOT NULL DEFAULT 0,"
    " password_us INTEGER NOT NULL DEFAULT 0) WITHOUT ROWID;"

    "CREATE TABLE sessions("
    " hash BLOB PRIMARY KEY," /* of the cookie's secret */
    " user TEXT NOT NULL REFERENCES users(name) ON DELETE CASCADE,"
    " csrf TEXT NOT NULL,"
    " purpose TEXT NOT NULL DEFAULT '',"
    " created_us INTEGER NOT NULL,"
    " seen_us INTEGER NOT NULL,"
    " expires_us INTEGER NOT NULL) WITHOUT ROWID;"

    "CREATE TABLE tokens("
    " id TEXT PRIMARY KEY,"
    " hash BLOB NOT NULL UNIQUE,"
    " user TEXT NOT NULL REFERENCES users(name) ON DELETE CASCADE,"
    " name TEXT NOT NULL DEFAULT '',"
    " created_us INTEGER NOT NULL,"
    " used_us INTEGER NOT NULL DEFAULT 0) WITHOUT ROWID;"

    "CREATE TABLE walls("
    " id TEXT PRIMARY KEY,"
    " name TEXT NOT NULL,"
    " owner TEXT NOT NULL,"
    " layout INTEGER NOT NULL,"
    " tiles TEXT NOT NULL DEFAULT '[]') WITHOUT ROWID;" /* JSON array of camera ids or null */

    "CREATE TABLE settings("
    " key TEXT PRIMARY KEY,"
    " value TEXT NOT NULL) WITHOUT ROWID;"

    "CREATE TABLE audit("
    " id INTEGER PRIMARY KEY,"
    " at_us INTEGER NOT NULL,"
    " user TEXT NOT NULL,"
    " action TEXT NOT NULL,"
    " object TEXT NOT NULL DEFAULT '',"
    " detail TEXT NOT NULL DEFAULT '');"
    "CREATE INDEX audit_at ON audit(at_us);",

    /* 2: recordings. A camera is a small number here, kept after the camera is deleted so that its
     * recordings still have a name; stream is 0 = main, 1 = sub. A segment's path follows from
     * volume, camera, stream, from_us and n, so 20 million rows stay near 40 bytes each. */
    "CREATE TABLE camera_keys("
    " key INTEGER PRIMARY KEY,"
    " camera_id TEXT NOT NULL UNIQUE);"

    "CREATE TABLE volumes("
    " key INTEGER PRIMARY KEY,"
    " uuid TEXT NOT NULL UNIQUE," /* of the marker file */
    " path TEXT NOT NULL);"

    "CREATE TABLE segments("
    " camera INTEGER NOT NULL,"
    " stream INTEGER NOT NULL,"
    " from_us INTEGER NOT NULL,"
    " n INTEGER NOT NULL," /* makes the file name unique */
    " to_us INTEGER NOT NULL,"
    " volume INTEGER NOT NULL,"
    " bytes INTEGER NOT NULL,"
    " frames INTEGER NOT NULL,"
    " lost_packets INTEGER NOT NULL,"
    " began INTEGER NOT NULL," /* enum segment_edge */
    " ended INTEGER NOT NULL,"
    " PRIMARY KEY(camera, stream, from_us, n)) WITHOUT ROWID;"

    /* Files that are not settled: being written (durable before the file exists, deleted by the
     * transaction that inserts the segment) or doomed (deleted when the file is gone). */
    "CREATE TABLE open_segments("
    " camera INTEGER NOT NULL,"
    " stream INTEGER NOT NULL,"
    " from_us INTEGER NOT NULL,"
    " n INTEGER NOT NULL,"
    " volume INTEGER NOT NULL,"
    " began INTEGER NOT NULL,"
    " doomed INTEGER NOT NULL DEFAULT 0,"
    " PRIMARY KEY(camera, stream, from_us, n)) WITHOUT ROWID;"

    "CREATE TABLE holds("
    " id TEXT PRIMARY KEY,"
    " camera INTEGER NOT NULL,"
    " from_us INTEGER NOT NULL,"
    " to_us INTEGER NOT NULL,"
    " user TEXT NOT NULL,"
    " reason TEXT NOT NULL DEFAULT '',"
    " created_us INTEGER NOT NULL) WITHOUT ROWID;"
    "CREATE INDEX holds_camera ON holds(camera);"

    /* Why a recording that once was is no more. */
    "CREATE TABLE deletions("
    " camera INTEGER NOT NULL,"
    " stream INTEGER NOT NULL,"
    " from_us INTEGER NOT NULL,"
    " to_us INTEGER NOT NULL,"
    " at_us INTEGER NOT NULL,"
    " segments INTEGER NOT NULL,"
    " bytes INTEGER NOT NULL,"
    " why TEXT NOT NULL," /* expired, space, missing, or the user who did it */
    " PRIMARY KEY(camera, stream, from_us, to_us)) WITHOUT ROWID;",

    /* 3: supervision */
    "CREATE TABLE states("
    " id INTEGER PRIMARY KEY,"
    " camera INTEGER NOT NULL,"
    " stream INTEGER NOT NULL,"
    " from_us INTEGER NOT NULL,"
    " to_us INTEGER," /* NULL = still so */
    " cause TEXT NOT NULL,"
    " detail TEXT NOT NULL DEFAULT '',"
    " reachable INTEGER NOT NULL,"
    " advancing INTEGER NOT NULL,"
    " recording INTEGER NOT NULL);"
    "CREATE INDEX states_camera ON states(camera, stream, from_us);"
    "CREATE INDEX states_open ON states(camera, stream) WHERE to_us IS NULL;"

    /* to_us is the newest heartbeat, so a kill is bounded by its interval. */
    "CREATE TABLE server_runs("
    " id INTEGER PRIMARY KEY,"
    " from_us INTEGER NOT NULL,"
    " to_us INTEGER NOT NULL,"
    " clean INTEGER NOT NULL DEFAULT 0," /* ended in good order */
    " version TEXT NOT NULL DEFAULT '');"

    "CREATE TABLE events("
    " id INTEGER PRIMARY KEY,"
    " camera INTEGER NOT NULL,"
    " type INTEGER NOT NULL," /* enum event_type */
    " from_us INTEGER NOT NULL,"
    " to_us INTEGER NOT NULL,"
    " open INTEGER NOT NULL,"
    " score REAL NOT NULL,"
    " x REAL NOT NULL, y REAL NOT NULL, w REAL NOT NULL, h REAL NOT NULL);"
    "CREATE INDEX events_camera ON events(camera, from_us);"
    "CREATE INDEX events_from ON events(from_us);"
    "CREATE INDEX events_open ON events(camera) WHERE open;"

    "CREATE TABLE reports("
    " period TEXT PRIMARY KEY," /* 2026-11, 2026-W47 or 2026-11-23 */
    " generated_us INTEGER NOT NULL,"
    " json TEXT NOT NULL) WITHOUT ROWID;",

    /* 4: how much is on a volume, without counting millions of rows */
    "ALTER TABLE volumes ADD COLUMN segments INTEGER NOT NULL DEFAULT 0;"
    "ALTER TABLE volumes ADD COLUMN bytes INTEGER NOT NULL DEFAULT 0;"
    "UPDATE volumes SET (segments, bytes) ="
    " (SELECT count(*), coalesce(sum(s.bytes), 0) FROM segments s WHERE s.volume = volumes.key);"
    "CREATE TRIGGER segments_insert AFTER INSERT ON segments BEGIN"
    " UPDATE volumes SET segments = segments + 1, bytes = bytes + NEW.bytes"
    " WHERE key = NEW.volume; END;"
    "CREATE TRIGGER segments_delete AFTER DELETE ON segments BEGIN"
    " UPDATE volumes SET segments = segments - 1, bytes = bytes - OLD.bytes"
    " WHERE key = OLD.volume; END;",

    /* 5: pauses of the source inside a segment ("from-to " each, µs); NULL = none */
    "ALTER TABLE segments ADD COLUMN holes TEXT;",

    /* 6: when what a state rests on was seen; 0 = never */
    "ALTER TABLE states ADD COLUMN evidence_us INTEGER NOT NULL DEFAULT 0;",

    /* 7: recordings that can be trusted: holds that were released stay listed, segments of which
     * only key frames are left say so, and the hash chain of every stream has its ends here, apart
     * from the files. */
    "ALTER TABLE holds ADD COLUMN released_us INTEGER NOT NULL DEFAULT 0;" /* 0 = in force */
    "ALTER TABLE holds ADD COLUMN released_by TEXT NOT NULL DEFAULT '';"
    "ALTER TABLE holds ADD COLUMN released_reason TEXT NOT NULL DEFAULT '';"
    "DROP INDEX holds_camera;"
    "CREATE INDEX holds_camera ON holds(camera) WHERE released_us = 0;"
    "ALTER TABLE segments ADD COLUMN thinned INTEGER NOT NULL DEFAULT 0;"
    "CREATE INDEX deletions_at ON deletions(at_us);"
    "CREATE TABLE chains("
    " camera INTEGER NOT NULL,"
    " stream INTEGER NOT NULL,"
    " first_us INTEGER NOT NULL," /* of the first segment; its number makes it unique */
    " first_n INTEGER NOT NULL,"
    " day INTEGER NOT NULL," /* days since 1970, UTC */
    " last_us INTEGER NOT NULL,"
    " segments INTEGER NOT NULL,"
    " link BLOB NOT NULL," /* of the last segment */
    " PRIMARY KEY(camera, stream, first_us, first_n)) WITHOUT ROWID;",

    /* 8: when motion analysis looked at a camera; only then the absence of events says something */
    "CREATE TABLE watched("
    " camera INTEGER NOT NULL,"
    " from_us INTEGER NOT NULL,"
    " to_us INTEGER NOT NULL,"
    " PRIMARY KEY(camera, from_us)) WITHOUT ROWID;",

    /* 9: whether a stream was to be recorded; where it was not, that explains a gap. Rows of before
     * do not tell. */
    "ALTER TABLE states ADD COLUMN asked INTEGER NOT NULL DEFAULT 1;",
};

size_t db_schema_version(void)
{
    return ARRAY_LEN(migrations);
}

static int get_version(struct db *db, int64_t *out, struct err *err)
{
    struct stmt *s = db_stmt(db, "PRAGMA user_version", err);
    if (s == NULL)
        return err_wrap(err, -EIO, "read schema version");
    int rc = stmt_number(s, out, err);
    return rc < 0 ? rc : 0;
}

static int apply(struct db *db, size_t i, struct err *err)
{
    char version[48];
    snprintf(version, sizeof version, "PRAGMA user_version = %zu", i + 1);
    int rc = db_exec(db, "BEGIN IMMEDIATE", err);
    if (rc == 0)
        rc = db_exec(db, migrations[i], err);
    if (rc == 0)
        rc = db_exec(db, version, err);
    if (rc == 0)
        rc = db_exec(db, "COMMIT", err);
    if (rc < 0) {
        db_exec(db, "ROLLBACK", NULL);
        return err_wrap(err, rc, "upgrade catalogue to version %zu", i + 1);
    }
    return 0;
}

int db_migrate_to(struct db *db, size_t version, struct err *err)
{
    int64_t have = 0;
    int rc = get_version(db, &have, err);
    if (rc < 0)
        return rc;
    if (have < 0 || (uint64_t)have > ARRAY_LEN(migrations))
        return err_text(err, ERR_UNSUPPORTED,
                        "the catalogue has version %lld and this program knows %zu: it was written "
                        "by a newer Rookery; install that one, or restore a backup",
                        (long long)have, ARRAY_LEN(migrations));
    for (size_t i = (size_t)have; i < version; i++) {
        rc = apply(db, i, err);
        if (rc < 0)
            return rc;
    }
    return 0;
}

int db_migrate(struct db *db, struct err *err)
{
    return db_migrate_to(db, ARRAY_LEN(migrations), err);
}
