/* What commands need of a server that may or may not be running: its configuration and catalogue.
 * Thread: main; blocks. */
#ifndef SERVER_OFFLINE_H
#define SERVER_OFFLINE_H

#include "server/config.h"
#include "server/secrets.h"
#include "storage/catalogue.h"
#include "storage/storage.h"

struct offline {
    struct config *config;
    struct catalogue *catalogue;
    struct secrets *secrets;
    struct storage *storage; /* after offline_open_storage */
    bool is_beside_server;   /* somebody else holds the directory */
};

/* The catalogue beside a running server, or alone; made when there is none. The first user is made,
 * too, and a generated password printed. offline_close in every case. */
int offline_open(const char *config_path, struct offline *o, struct err *err);

/* Beside a server or in its place, but only for looking: ERR_NOT_FOUND without a catalogue. */
int offline_open_beside(const char *config_path, struct offline *o, struct err *err);

/* Alone, or ERR_BUSY: for what must not happen while a server runs. */
int offline_open_alone(const char *config_path, struct offline *o, struct err *err);

/* Without a server nothing expires meanwhile, and what a crash left is recovered before. */
int offline_open_storage(struct offline *o, struct err *err);
void offline_close(struct offline *o);

#endif
