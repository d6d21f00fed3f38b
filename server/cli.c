#include "server/cli.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

int cli_usage(const char *fmt, ...)
{
    va_list args;
    fprintf(stderr, "rookery: ");
    va_start(args, fmt);
    vfprintf(stderr, fmt, args);
    va_end(args);
    fprintf(stderr, "\n");
    return EXIT_USAGE;
}

int cli_fail(const struct err *err)
{
    fprintf(stderr, "rookery: %s\n", err->msg);
    return EXIT_FAILED;
}

static const struct cli_option *find(const struct cli_option *options, const char *text, size_t n)
{
    for (; options->name != NULL; options++) {
        if (strlen(options->name) == n && memcmp(options->name, text, n) == 0)
            return options;
    }
    return NULL;
}

int cli_parse(int argc, char **argv, const struct cli_option *options, const char **args,
              size_t n_args, const char *help)
{
    size_t n = 0;
    for (int i = 1; i < argc; i++) {
        const char *text = argv[i];
        if (strcmp(text, "--help") == 0 || strcmp(text, "-h") == 0) {
            fputs(help, stdout);
            return -1;
        }
        if (text[0] != '-' || text[1] == '\0') {
            if (n == n_args)
                return cli_usage("%s: \"%s\" is one word too many; see rookery %s --help", argv[0],
                                 text, argv[0]);
            args[n++] = text;
            continue;
        }
        const char *equals = strchr(text, '=');
        const struct cli_option *o =
            find(options, text, equals ? (size_t)(equals - text) : strlen(text));
        if (o == NULL)
            return cli_usage("%s: there is no option %s; see rookery %s --help", argv[0], text,
                             argv[0]);
        if (o->is_flag && equals != NULL)
            return cli_usage("%s: option %s takes no value", argv[0], o->name);
        if (o->is_flag)
            *o->value = "1";
        else if (equals != NULL)
            *o->value = equals + 1;
        else if (i + 1 < argc)
            *o->value = argv[++i];
        else
            return cli_usage("%s: option %s needs a value", argv[0], o->name);
    }
    return EXIT_OK;
}
