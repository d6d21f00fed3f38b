/* The process: what exists once, and who knows whom.
 * Thread: filled by serve.c before the loops run, then const, except fields marked [loop], which
 * only the server's loop may touch. */
#ifndef SERVER_SERVER_H
#define SERVER_SERVER_H

#include "analysis/worker.h"
#include "base/pool.h"
#include "delivery/wall.h"
#include "ingest/allowance.h"
#include "net/http.h"
#include "server/accounts.h"
#include "server/config.h"
#include "server/district.h"
#include "server/process.h"
#include "server/secrets.h"
#include "storage/storage.h"

struct fleet;
struct push_port;
struct resolver;
struct gate;
struct tls_client;
struct feed;
struct events;
struct watched;

#define SERVER_MAX_INGEST 64

struct server {
    struct loop *loop; /* HTTP, delivery and everything that has no loop of its own */
    struct loop *ingest[SERVER_MAX_INGEST];
    struct gate *gates[SERVER_MAX_INGEST]; /* of each ingest loop */
    struct process_files files;
    struct allowance allowance; /* of files.n_cameras */
    int n_ingest;
    struct pool *pool;         /* what asks the catalogue */
    struct pool *reading_pool; /* what reads recordings: a disk may let it wait for long */
    struct resolver *resolver; /* of cameras' host names */
    struct pool *password_pool;
    struct catalogue *catalogue;
    struct secrets *secrets;
    struct storage *storage;
    struct worker *picture_worker; /* snapshots */
    struct worker *motion_worker;  /* NULL = motion is off */
    struct packager_table *packagers;
    struct wall *wall;
    struct tls *tls;               /* NULL = plain HTTP */
    struct tls_client *camera_tls; /* to cameras */
    struct http_server *http;
    struct accounts *accounts;
    struct fleet *fleet;
    struct push_port *push_port; /* NULL = nobody can push */
    int push_number;             /* of that port; 0 = none was opened */
    struct feed *feed;
    struct events *events;
    struct watched *watched;
    const char *config_path;
    int64_t started_us;
    int64_t run_id; /* of server_runs */
    int64_t run_from_us;

    /* [loop] */
    struct config *config;
    struct district *district;
    bool is_ready;
    bool is_stopping;
};

/* [loop] Takes a newer district over: cameras follow, open pages are told. Older ones are dropped.
 * Consumes the reference. */
void server_set_district(struct server *s, struct district *d);

/* [loop] The same for users and tokens: what stays open is checked again. Empties *rows. */
void server_set_accounts(struct server *s, struct account_rows *rows);

/* [pool] The district as it is in the catalogue now. */
int server_load_district(struct catalogue *c, struct district **out, struct err *err);

/* "0.1.0" and the commit it was built from ("unknown"). */
const char *server_version(void);
const char *server_commit(void);

#endif
