#include "server/offline.h"

#include "base/log.h"
#include "server/accounts.h"

static int begin(const char *config_path, struct offline *o, struct err *err)
{
    *o = (struct offline){0};
    int rc = config_load(config_path, &o->config, err);
    if (rc == 0)
        log_setup(o->config->log_level == LOG_DEBUG ? LOG_DEBUG : LOG_WARN, false);
    return rc;
}

static int finish(struct offline *o, struct err *err)
{
    char generated[SECRET_TEXT_BYTES];
    int rc = secrets_open(o->config->data_dir, &o->secrets, err);
    if (rc == 0)
        rc = accounts_ensure_admin(o->catalogue, getenv("ROOKERY_ADMIN_PASSWORD"), generated, err);
    if (rc == 0 && generated[0] != '\0')
        printf("user admin, password %s (shown only now)\n", generated);
    return rc;
}

int offline_open_alone(const char *config_path, struct offline *o, struct err *err)
{
    int rc = begin(config_path, o, err);
    if (rc == 0)
        rc = catalogue_open(o->config->data_dir, clock_system(), &o->catalogue, err);
    return rc < 0 ? rc : finish(o, err);
}

int offline_open_beside(const char *config_path, struct offline *o, struct err *err)
{
    int rc = begin(config_path, o, err);
    o->is_beside_server = true;
    if (rc == 0)
        rc = catalogue_open_shared(o->config->data_dir, clock_system(), &o->catalogue, err);
    return rc < 0 ? rc : secrets_open(o->config->data_dir, &o->secrets, err);
}

int offline_open(const char *config_path, struct offline *o, struct err *err)
{
    int rc = begin(config_path, o, err);
    if (rc < 0)
        return rc;
    /* beside first: a server must not find the directory held by a command */
    rc = catalogue_open_shared(o->config->data_dir, clock_system(), &o->catalogue, err);
    o->is_beside_server = rc == 0;
    if (rc == ERR_NOT_FOUND || rc == ERR_UNSUPPORTED) {
        err_clear(err);
        rc = catalogue_open(o->config->data_dir, clock_system(), &o->catalogue, err);
    }
    return rc < 0 ? rc : finish(o, err);
}

int offline_open_storage(struct offline *o, struct err *err)
{
    struct volume_config volumes[STORAGE_MAX_VOLUMES];
    const struct config *c = o->config;
    size_t n = MIN(c->n_volumes, (size_t)STORAGE_MAX_VOLUMES);
    for (size_t i = 0; i < n; i++)
        volumes[i] = (struct volume_config){.path = c->volumes[i].path,
                                            .reserve_bytes = c->volumes[i].reserve_bytes,
                                            .reserve_percent = c->volumes[i].reserve_percent};
    return storage_open(&(struct storage_params){.catalogue = o->catalogue,
                                                 .clock = clock_system(),
                                                 .volumes = volumes,
                                                 .n_volumes = n,
                                                 .retention_days = c->retention_days,
                                                 .is_reader = o->is_beside_server,
                                                 .is_offline = true,
                                                 .secret = secrets_recordings_key(o->secrets)},
                        &o->storage, err);
}

void offline_close(struct offline *o)
{
    storage_close(&o->storage);
    catalogue_close(&o->catalogue);
    secrets_close(&o->secrets);
    config_unref(&o->config);
}
