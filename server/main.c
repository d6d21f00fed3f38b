/* rookery: one program, its commands. */
#include <stdio.h>
#include <string.h>

#include <jansson.h>
#include <openssl/crypto.h>
#include <sodium.h>

#include "server/cli.h"
#include "server/config.h"
#include "server/server.h"

static const char help[] =
    "usage: rookery COMMAND [OPTIONS]\n\n"
    "  serve         run the server\n"
    "  check-config  say what is wrong in a configuration\n"
    "  user          add accounts, change passwords, list\n"
    "  import        townships, institutions and cameras from a spreadsheet\n"
    "  index         check or rebuild the index of recordings\n"
    "  backup        catalogue and keys into one file\n"
    "  restore       the same back in place\n"
    "  export        cut a clip into a file\n"
    "  report        uptime report\n"
    "  version       version, commit, libraries\n\n"
    "Every command takes --config FILE (default /etc/rookery/rookery.yaml) and --help, and exits\n"
    "0 ok, 1 failed, 2 wrong usage.\n";

int cmd_version(int argc, char **argv)
{
    const char *config = NULL;
    const struct cli_option options[] = {{"--config", false, &config}, {NULL, false, NULL}};
    int code = cli_parse(argc, argv, options, NULL, 0, "usage: rookery version\n");
    if (code != EXIT_OK)
        return code < 0 ? EXIT_OK : code;
    printf("rookery %s (%s)\njansson %s\nlibsodium %s\n%s\n", server_version(), server_commit(),
           jansson_version_str(), sodium_version_string(), OpenSSL_version(OPENSSL_VERSION));
    return EXIT_OK;
}

int cmd_check_config(int argc, char **argv)
{
    static const char text[] = "usage: rookery check-config FILE\n\n"
                               "Says what is wrong with line and key, and exits 1 then.\n";
    const char *config = NULL, *args[1] = {NULL};
    const struct cli_option options[] = {{"--config", false, &config}, {NULL, false, NULL}};
    int code = cli_parse(argc, argv, options, args, 1, text);
    if (code != EXIT_OK)
        return code < 0 ? EXIT_OK : code;
    const char *path = args[0] ? args[0] : config ? config : CONFIG_DEFAULT_PATH;
    struct config *c = NULL;
    struct err err;
    err_clear(&err);
    if (config_load(path, &c, &err) < 0)
        return cli_fail(&err);
    printf("%s is fine\n", path);
    config_unref(&c);
    return EXIT_OK;
}

static int cmd_later(int argc, char **argv)
{
    const char *config = NULL, *args[1];
    const struct cli_option options[] = {{"--config", false, &config}, {NULL, false, NULL}};
    char text[100];
    snprintf(text, sizeof text, "usage: rookery %s FILE\n\nNot in this version.\n", argv[0]);
    int code = cli_parse(argc, argv, options, args, 1, text);
    if (code != EXIT_OK)
        return code < 0 ? EXIT_OK : code;
    fprintf(stderr, "rookery: %s is not in this version\n", argv[0]);
    return EXIT_FAILED;
}

int main(int argc, char **argv)
{
    static const struct {
        const char *name;
        int (*run)(int argc, char **argv);
    } commands[] = {
        {"serve", cmd_serve},     {"check-config", cmd_check_config},
        {"user", cmd_user},       {"import", cmd_import},
        {"index", cmd_index},     {"export", cmd_export},
        {"report", cmd_report},   {"version", cmd_version},
        {"verify", cmd_later},    {"backup", cmd_backup},
        {"restore", cmd_restore},
    };
    if (argc < 2) {
        fputs(help, stderr);
        return EXIT_USAGE;
    }
    if (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0 ||
        strcmp(argv[1], "help") == 0) {
        fputs(help, stdout);
        return EXIT_OK;
    }
    if (strcmp(argv[1], "--version") == 0)
        argv[1] = "version";
    for (size_t i = 0; i < ARRAY_LEN(commands); i++) {
        if (strcmp(commands[i].name, argv[1]) == 0)
            return commands[i].run(argc - 1, argv + 1);
    }
    return cli_usage("there is no command \"%s\"; see rookery --help", argv[1]);
}
