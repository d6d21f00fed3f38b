/* rookery user add|passwd|list */
#include <string.h>
#include <termios.h>

#include "base/str.h"
#include "server/accounts.h"
#include "server/cli.h"
#include "server/offline.h"

static const char help[] =
    "usage: rookery user add NAME [--role admin] [--password-stdin] [--config FILE]\n"
    "       rookery user passwd NAME [--password-stdin] [--config FILE]\n"
    "       rookery user list [--config FILE]\n\n"
    "Works beside a running server, which follows within two seconds. A new password ends every\n"
    "session of the user. Without --password-stdin it is asked for, or read from the first line\n"
    "of standard input when that is no terminal.\n";

/* One line; without echo on a terminal. */
static int read_password(bool is_quiet, char *dst, size_t cap, struct err *err)
{
    struct termios old, quiet;
    bool is_terminal = !is_quiet && isatty(STDIN_FILENO) && tcgetattr(STDIN_FILENO, &old) == 0;
    if (is_terminal) {
        fputs("Password: ", stderr);
        quiet = old;
        quiet.c_lflag &= ~(tcflag_t)ECHO;
        tcsetattr(STDIN_FILENO, TCSAFLUSH, &quiet);
    }
    char *line = fgets(dst, (int)cap, stdin);
    if (is_terminal) {
        tcsetattr(STDIN_FILENO, TCSAFLUSH, &old);
        fputs("\n", stderr);
    }
    if (line == NULL)
        return err_text(err, ERR_INVALID, "no password on standard input: give one line");
    dst[strcspn(dst, "\r\n")] = '\0';
    return 0;
}

struct list {
    struct user_row *rows;
    size_t n;
};

static int load(struct db *db, void *ctx, struct err *err)
{
    struct list *l = ctx;
    return db_users_list(db, &l->rows, &l->n, err);
}

static int print_list(struct offline *o, struct err *err)
{
    struct list l = {0};
    char at[CLOCK_RFC3339_BYTES];
    int rc = catalogue_read(o->catalogue, load, &l, err);
    for (size_t i = 0; i < l.n; i++) {
        printf("%-24s %-10s %-20s password of %s\n", l.rows[i].name, l.rows[i].role,
               l.rows[i].scope[0] ? l.rows[i].scope : "district",
               rfc3339_print(l.rows[i].password_us, at));
        user_row_fini(&l.rows[i]);
    }
    free(l.rows);
    return rc;
}

int cmd_user(int argc, char **argv)
{
    const char *config = CONFIG_DEFAULT_PATH, *role = "admin", *scope = "", *quiet = NULL;
    const char *args[2] = {NULL, NULL};
    const struct cli_option options[] = {{"--config", false, &config},
                                         {"--role", false, &role},
                                         {"--scope", false, &scope},
                                         {"--password-stdin", true, &quiet},
                                         {NULL, false, NULL}};
    int code = cli_parse(argc, argv, options, args, 2, help);
    if (code != EXIT_OK)
        return code < 0 ? EXIT_OK : code;
    const char *verb = args[0] ? args[0] : "";
    bool is_add = strcmp(verb, "add") == 0, is_passwd = strcmp(verb, "passwd") == 0;
    if (!is_add && !is_passwd && strcmp(verb, "list") != 0)
        return cli_usage("user: say add, passwd or list; see rookery user --help");
    if ((is_add || is_passwd) && args[1] == NULL)
        return cli_usage("user %s: the NAME is missing", verb);
    char password[PASSWORD_MAX_BYTES + 3];
    struct offline o;
    struct err err;
    err_clear(&err);
    int rc = offline_open(config, &o, &err);
    if (rc == 0 && (is_add || is_passwd))
        rc = read_password(quiet != NULL, password, sizeof password, &err);
    if (rc == 0 && is_add)
        rc = accounts_add_user(o.catalogue, args[1], role, scope, password, &err);
    else if (rc == 0 && is_passwd)
        rc = accounts_set_password(o.catalogue, args[1], password, &err);
    else if (rc == 0)
        rc = print_list(&o, &err);
    offline_close(&o);
    return rc < 0 ? cli_fail(&err) : EXIT_OK;
}
