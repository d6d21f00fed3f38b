/* Reading command lines, and what every command prints.
 * Thread: main. */
#ifndef SERVER_CLI_H
#define SERVER_CLI_H

#include <stdbool.h>
#include <stddef.h>

#include "base/err.h"

enum { EXIT_OK = 0, EXIT_FAILED = 1, EXIT_USAGE = 2 };

struct cli_option {
    const char *name;   /* "--config" */
    bool is_flag;       /* takes no value */
    const char **value; /* gets the value; a flag gets "1" */
};

/* Reads options and at most n_args words in any order. EXIT_OK, or EXIT_USAGE after printing one
 * line;
 * --help prints `help` and gives -1. Options end with a NULL name. */
int cli_parse(int argc, char **argv, const struct cli_option *options, const char **args,
              size_t n_args, const char *help);

/* "rookery: <what>" on standard error; gives EXIT_FAILED. */
int cli_fail(const struct err *err);
int cli_usage(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

/* The commands; argv[0] is the command's name. Each gives the exit code. */
int cmd_serve(int argc, char **argv);
int cmd_check_config(int argc, char **argv);
int cmd_user(int argc, char **argv);
int cmd_import(int argc, char **argv);
int cmd_backup(int argc, char **argv);
int cmd_restore(int argc, char **argv);
int cmd_index(int argc, char **argv);
int cmd_export(int argc, char **argv);
int cmd_report(int argc, char **argv);
int cmd_version(int argc, char **argv);

#endif
