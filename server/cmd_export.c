/* rookery export: a clip into a file. */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

#include "base/buf.h"
#include "base/str.h"
#include "delivery/clip.h"
#include "server/cli.h"
#include "server/offline.h"

static const char help[] =
    "usage: rookery export --camera ID --from T --to T --out FILE.mp4 [--stream main|sub]\n"
    "                      [--config FILE]\n\n"
    "Cuts a clip, exact to the frame and without re-encoding, into FILE, which must not exist.\n"
    "T is like 2026-11-23T04:05:06+08:00. Gaps are skipped and listed. Signed packages (FILE.zip)\n"
    "are not in this version.\n";

/* Complete or not at all: written aside, synced, then linked to its name without replacing. */
static int write_clip(const struct clip *c, const char *out, struct err *err)
{
    char *aside = xasprintf("%s.part", out);
    int rc = 0, fd = open(aside, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0640);
    if (fd < 0) {
        rc = err_set(err, -errno, "create %s", aside);
        free(aside);
        return rc;
    }
    rc = clip_write(c, fd, NULL, NULL, err);
    if (rc == 0 && fsync(fd) < 0)
        rc = err_set(err, -errno, "write %s", aside);
    close(fd);
    if (rc == 0 && link(aside, out) < 0)
        rc = err_set(err, -errno, "create %s", out);
    unlink(aside);
    free(aside);
    return rc;
}

static void print_result(const struct clip *c, const char *out)
{
    int64_t from_us, to_us;
    char from[CLOCK_RFC3339_BYTES], to[CLOCK_RFC3339_BYTES];
    struct buf gaps;
    clip_bounds(c, &from_us, &to_us);
    printf("%s: %s to %s, %llu pictures, %llu bytes\n", out, rfc3339_print(from_us, from),
           rfc3339_print(to_us, to), (unsigned long long)clip_n_pictures(c),
           (unsigned long long)clip_size(c));
    buf_init(&gaps, 0);
    clip_print_gaps(c, &gaps);
    if (gaps.len > 0)
        printf("gaps: %s\n", buf_cstr(&gaps));
    buf_fini(&gaps);
}

int cmd_export(int argc, char **argv)
{
    const char *config = CONFIG_DEFAULT_PATH, *camera = NULL, *from = NULL, *to = NULL, *out = NULL;
    const char *stream = NULL;
    const struct cli_option options[] = {{"--config", false, &config}, {"--camera", false, &camera},
                                         {"--from", false, &from},     {"--to", false, &to},
                                         {"--out", false, &out},       {"--stream", false, &stream},
                                         {NULL, false, NULL}};
    int code = cli_parse(argc, argv, options, NULL, 0, help);
    if (code != EXIT_OK)
        return code < 0 ? EXIT_OK : code;
    if (camera == NULL || from == NULL || to == NULL || out == NULL)
        return cli_usage("export: --camera, --from, --to and --out are needed");
    struct clip_params params = {.camera_id = camera, .stream = stream};
    if (rfc3339_parse(from, &params.from_us) < 0 || rfc3339_parse(to, &params.to_us) < 0)
        return cli_usage("export: write times like 2026-11-23T04:05:06+08:00");
    struct offline o = {0};
    struct clip *clip = NULL;
    struct err err;
    err_clear(&err);
    int rc = 0;
    if (str_ends(out, ".zip"))
        rc = err_text(&err, ERR_UNSUPPORTED,
                      "signed packages are not in this version: export FILE.mp4");
    else if (access(out, F_OK) == 0)
        rc = err_text(&err, ERR_CONFLICT, "%s exists already: choose another name", out);
    if (rc == 0)
        rc = offline_open(config, &o, &err);
    if (rc == 0)
        rc = offline_open_storage(&o, &err);
    if (rc == 0) {
        params.source = storage_source(o.storage);
        rc = clip_plan(&params, &clip, &err);
    }
    if (rc == ERR_NOT_FOUND && o.is_beside_server)
        err_text(&err, rc,
                 "%s; while the server runs, this command finds finished files only: try again in "
                 "some minutes, or take the clip from the web page",
                 "nothing was recorded between these times");
    if (rc == 0)
        rc = write_clip(clip, out, &err);
    if (rc == 0)
        print_result(clip, out);
    clip_free(&clip);
    offline_close(&o);
    return rc < 0 ? cli_fail(&err) : EXIT_OK;
}
