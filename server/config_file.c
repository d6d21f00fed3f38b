#include "server/config_file.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>

#include <cyaml/cyaml.h>

#include "base/buf.h"
#include "base/mem.h"
#include "base/str.h"

#define CONFIG_FILE_MAX_BYTES (1u << 20)
#define OPT                   CYAML_FLAG_OPTIONAL

static const cyaml_schema_field_t volume_fields[] = {
    CYAML_FIELD_STRING_PTR("path", CYAML_FLAG_POINTER, struct file_volume, path, 1, 4000),
    CYAML_FIELD_STRING_PTR("reserve", CYAML_FLAG_POINTER | OPT, struct file_volume, reserve, 1, 64),
    CYAML_FIELD_END,
};
static const cyaml_schema_value_t volume_schema = {
    CYAML_VALUE_MAPPING(CYAML_FLAG_DEFAULT, struct file_volume, volume_fields)};

static const cyaml_schema_field_t tls_fields[] = {
    CYAML_FIELD_STRING_PTR("cert", CYAML_FLAG_POINTER, struct file_tls, cert, 1, 4000),
    CYAML_FIELD_STRING_PTR("key", CYAML_FLAG_POINTER, struct file_tls, key, 1, 4000),
    CYAML_FIELD_END,
};

/* `tls` is a word or a mapping; libcyaml knows no alternatives, so there are two schemas. */
static const cyaml_schema_field_t http_word_fields[] = {
    CYAML_FIELD_STRING_PTR("listen", CYAML_FLAG_POINTER | OPT, struct config_file, http.listen, 1,
                           300),
    CYAML_FIELD_STRING_PTR("tls", CYAML_FLAG_POINTER | OPT, struct config_file, http.tls, 1, 16),
    CYAML_FIELD_END,
};
static const cyaml_schema_field_t http_files_fields[] = {
    CYAML_FIELD_STRING_PTR("listen", CYAML_FLAG_POINTER | OPT, struct config_file, http.listen, 1,
                           300),
    CYAML_FIELD_MAPPING_PTR("tls", CYAML_FLAG_POINTER | OPT, struct config_file, http.tls_files,
                            tls_fields),
    CYAML_FIELD_END,
};

/* The inner mappings lie in place in struct config_file: their fields' offsets are from its start,
 * which is where offset 0 of the field puts them. */
#define SECTION(name, list)                                                                        \
    {                                                                                              \
        .key = (name),                                                                             \
        .value = {.type = CYAML_MAPPING,                                                           \
                  .flags = CYAML_FLAG_OPTIONAL,                                                    \
                  .data_size = sizeof(struct config_file),                                         \
                  .mapping = {.fields = list}},                                                    \
        .data_offset = 0                                                                           \
    }

static const cyaml_schema_field_t rtsp_fields[] = {
    CYAML_FIELD_STRING_PTR("listen", CYAML_FLAG_POINTER | OPT, struct config_file, rtsp.listen, 1,
                           300),
    CYAML_FIELD_END,
};
static const cyaml_schema_field_t webrtc_fields[] = {
    CYAML_FIELD_STRING_PTR("listen", CYAML_FLAG_POINTER | OPT, struct config_file, webrtc.listen, 1,
                           300),
    CYAML_FIELD_END,
};
static const cyaml_schema_field_t thin_fields[] = {
    CYAML_FIELD_INT("after_days", CYAML_FLAG_DEFAULT, struct file_thin, after_days),
    CYAML_FIELD_STRING_PTR("keep", CYAML_FLAG_POINTER | OPT, struct file_thin, keep, 1, 16),
    CYAML_FIELD_END,
};
static const cyaml_schema_field_t retention_fields[] = {
    CYAML_FIELD_INT_PTR("days", CYAML_FLAG_POINTER | OPT, struct config_file, retention.days),
    CYAML_FIELD_MAPPING_PTR("thin", CYAML_FLAG_POINTER | OPT, struct config_file, retention.thin,
                            thin_fields),
    CYAML_FIELD_END,
};
static const cyaml_schema_field_t policy_fields[] = {
    CYAML_FIELD_STRING_PTR("live", CYAML_FLAG_POINTER | OPT, struct config_file, policy.live, 1,
                           32),
    CYAML_FIELD_END,
};
static const cyaml_schema_field_t log_fields[] = {
    CYAML_FIELD_STRING_PTR("level", CYAML_FLAG_POINTER | OPT, struct config_file, log.level, 1, 16),
    CYAML_FIELD_STRING_PTR("format", CYAML_FLAG_POINTER | OPT, struct config_file, log.format, 1,
                           16),
    CYAML_FIELD_END,
};

#define TOP_FIELDS(http_fields)                                                                    \
    CYAML_FIELD_STRING_PTR("data_dir", CYAML_FLAG_POINTER | OPT, struct config_file, data_dir, 1,  \
                           4000),                                                                  \
        {.key = "volumes",                                                                         \
         .value = {.type = CYAML_SEQUENCE,                                                         \
                   .flags = CYAML_FLAG_POINTER | OPT,                                              \
                   .data_size = sizeof(struct file_volume),                                        \
                   .sequence = {.entry = &volume_schema, .min = 1, .max = 64}},                    \
         .data_offset = offsetof(struct config_file, volumes),                                     \
         .count_offset = offsetof(struct config_file, volumes_count),                              \
         .count_size = sizeof(uint32_t)},                                                          \
        SECTION("http", http_fields), SECTION("rtsp", rtsp_fields),                                \
        SECTION("webrtc", webrtc_fields),                                                          \
        CYAML_FIELD_INT_PTR("loops", CYAML_FLAG_POINTER | OPT, struct config_file, loops),         \
        SECTION("retention", retention_fields), SECTION("policy", policy_fields),                  \
        SECTION("log", log_fields),                                                                \
        CYAML_FIELD_STRING_PTR("motion", CYAML_FLAG_POINTER | OPT, struct config_file, motion, 1,  \
                               8),                                                                 \
        CYAML_FIELD_STRING_PTR("time_zone", CYAML_FLAG_POINTER | OPT, struct config_file,          \
                               time_zone, 1, 63),                                                  \
        CYAML_FIELD_STRING_PTR("web_dir", CYAML_FLAG_POINTER | OPT, struct config_file, web_dir,   \
                               1, 4000),                                                           \
        CYAML_FIELD_STRING_PTR("remux", CYAML_FLAG_POINTER | OPT, struct config_file, remux, 1,    \
                               4000),                                                              \
        CYAML_FIELD_STRING_PTR("worker", CYAML_FLAG_POINTER | OPT, struct config_file, worker, 1,  \
                               4000),                                                              \
        CYAML_FIELD_INT_PTR("segment", CYAML_FLAG_POINTER | OPT, struct config_file, segment),     \
        CYAML_FIELD_STRING_PTR("sync_interval", CYAML_FLAG_POINTER | OPT, struct config_file,      \
                               sync_interval, 1, 16),                                              \
        CYAML_FIELD_END

static const cyaml_schema_field_t word_fields[] = {TOP_FIELDS(http_word_fields)};
static const cyaml_schema_field_t files_fields[] = {TOP_FIELDS(http_files_fields)};
static const cyaml_schema_value_t word_schema = {
    CYAML_VALUE_MAPPING(CYAML_FLAG_POINTER, struct config_file, word_fields)};
static const cyaml_schema_value_t files_schema = {
    CYAML_VALUE_MAPPING(CYAML_FLAG_POINTER, struct config_file, files_fields)};

/* What libcyaml says while it fails: the fact first, then where, innermost first. */
struct talk {
    char what[200];
    char key[64];
    unsigned line;
    bool is_where;
};

static void trim_line(char *s)
{
    s[strcspn(s, "\n")] = '\0';
}

static void hear(cyaml_log_t level, void *ctx, const char *fmt, va_list args)
{
    struct talk *t = ctx;
    char text[300];
    if (level < CYAML_LOG_ERROR)
        return;
    vsnprintf(text, sizeof text, fmt, args);
    trim_line(text);
    const char *p = str_starts(text, "Load: ") ? text + 6 : text;
    while (*p == ' ')
        p++;
    if (strncmp(p, "Backtrace", 9) == 0) {
        t->is_where = true;
        return;
    }
    if (!t->is_where) {
        str_copy(t->what, sizeof t->what, p);
        return;
    }
    const char *line = strstr(p, "line: ");
    if (t->line == 0 && line != NULL)
        t->line = (unsigned)strtoul(line + 6, NULL, 10);
    const char *field = strstr(p, "field '");
    if (t->key[0] == '\0' && field != NULL) {
        struct span rest = span_of(field + 7), key;
        if (span_cut(&rest, '\'', &key))
            span_copy(key, t->key, sizeof t->key);
    }
}

static cyaml_err_t try_schema(const struct buf *text, const cyaml_schema_value_t *schema,
                              struct config_file **out, struct talk *t)
{
    *t = (struct talk){0};
    cyaml_config_t config = {
        .log_fn = hear,
        .log_ctx = t,
        .mem_fn = cyaml_mem,
        .log_level = CYAML_LOG_ERROR,
        .flags = CYAML_CFG_DEFAULT,
    };
    cyaml_data_t *data = NULL;
    cyaml_err_t rc = cyaml_load_data(text->data, text->len, &config, schema, &data, NULL);
    *out = data;
    return rc;
}

/* The 1-based line on which `key:` first stands as a key; libcyaml only tells where the mapping
 * began. */
static unsigned line_of_key(struct span text, const char *key, unsigned from_line)
{
    struct span line;
    size_t n = strlen(key);
    for (unsigned i = 1; span_line(&text, &line); i++) {
        if (i < from_line)
            continue;
        for (size_t at = 0; at + n < line.n; at++) {
            bool is_start = at == 0 || strchr(" {,", line.p[at - 1]) != NULL;
            if (line.p[at] == '#')
                break;
            if (is_start && memcmp(line.p + at, key, n) == 0 && line.p[at + n] == ':')
                return i;
        }
    }
    return from_line;
}

static int say_why(const char *path, const struct buf *text, cyaml_err_t code, const struct talk *t,
                   struct err *err)
{
    struct span all = {(const char *)text->data, text->len};
    const char *unexpected = strstr(t->what, "Unexpected key: ");
    if (unexpected != NULL) {
        const char *key = unexpected + 16;
        return err_text(err, ERR_INVALID,
                        "%s:%u: unknown key \"%s\": correct or remove it (see the sample "
                        "configs/rookery.yaml)",
                        path, line_of_key(all, key, t->line), key);
    }
    unsigned line = t->key[0] ? line_of_key(all, t->key, t->line) : t->line;
    if (t->key[0] != '\0')
        return err_text(err, ERR_INVALID, "%s:%u: key \"%s\": %s", path, line, t->key,
                        t->what[0] ? t->what : cyaml_strerror(code));
    return err_text(err, ERR_INVALID, "%s:%u: %s", path, line,
                    t->what[0] ? t->what : cyaml_strerror(code));
}

static int read_all(const char *path, struct buf *out, struct err *err)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return err_set(err, -errno, "open the configuration %s", path);
    ssize_t n = 1;
    while (n > 0) {
        if (!buf_reserve(out, 16384)) {
            close(fd);
            return err_text(err, ERR_TOO_BIG, "the configuration %s has more than 1 MiB", path);
        }
        n = read(fd, out->data + out->len, 16384);
        if (n > 0)
            out->len += (size_t)n;
    }
    int rc = n < 0 ? err_set(err, -errno, "read the configuration %s", path) : 0;
    close(fd);
    return rc;
}

/* Nothing but blank lines, comments and document marks. */
static bool is_empty(struct span text)
{
    struct span line;
    while (span_line(&text, &line)) {
        line = span_trim(line);
        if (line.n > 0 && line.p[0] != '#' && !span_eq(line, "---") && !span_eq(line, "{}"))
            return false;
    }
    return true;
}

int config_file_read(const char *path, struct config_file **out, struct err *err)
{
    struct buf text;
    buf_init(&text, CONFIG_FILE_MAX_BYTES);
    *out = NULL;
    int rc = read_all(path, &text, err);
    if (rc == 0 && is_empty((struct span){(const char *)text.data, text.len})) {
        *out = xcalloc(1, sizeof **out);
    } else if (rc == 0) {
        struct talk t;
        cyaml_err_t code = try_schema(&text, &word_schema, out, &t);
        if (code != CYAML_OK && strcmp(t.key, "tls") == 0)
            code = try_schema(&text, &files_schema, out, &t);
        if (code != CYAML_OK)
            rc = say_why(path, &text, code, &t, err);
    }
    buf_fini(&text);
    return rc;
}

unsigned config_file_line(const char *path, const char *key)
{
    struct buf text;
    unsigned line = 1;
    buf_init(&text, CONFIG_FILE_MAX_BYTES);
    if (read_all(path, &text, NULL) == 0) {
        struct span all = {(const char *)text.data, text.len};
        struct span rest = span_of(key), part;
        while (span_cut(&rest, '.', &part)) {
            char name[64];
            span_copy(part, name, sizeof name);
            line = line_of_key(all, name, line);
        }
    }
    buf_fini(&text);
    return line;
}

void config_file_free(struct config_file **f)
{
    struct config_file *c = *f;
    if (c == NULL)
        return;
    for (uint32_t i = 0; i < c->volumes_count; i++) {
        free(c->volumes[i].path);
        free(c->volumes[i].reserve);
    }
    free(c->volumes);
    if (c->retention.thin != NULL) {
        free(c->retention.thin->keep);
        free(c->retention.thin);
    }
    if (c->http.tls_files != NULL) {
        free(c->http.tls_files->cert);
        free(c->http.tls_files->key);
        free(c->http.tls_files);
    }
    void *rest[] = {c->data_dir,      c->http.listen, c->http.tls,       c->rtsp.listen,
                    c->webrtc.listen, c->loops,       c->retention.days, c->policy.live,
                    c->log.level,     c->log.format,  c->motion,         c->time_zone,
                    c->web_dir,       c->worker,      c->remux,          c->segment,
                    c->sync_interval};
    for (size_t i = 0; i < ARRAY_LEN(rest); i++)
        free(rest[i]);
    FREE(f);
}
