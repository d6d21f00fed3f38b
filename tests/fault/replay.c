#include "replay.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>

#include "base/mem.h"
#include "base/str.h"

/* How what was under way at the cut is left. */
enum mode {
    MODE_PREFIX,     /* in the order it was done, up to some point */
    MODE_JOURNALLED, /* names and sizes in order; data by pages in any order */
    MODE_ANY,        /* every name, size and sector by itself */
    N_MODES,
};

struct record {
    const struct journal_record *head;
    const char *a, *b; /* not terminated */
    const uint8_t *data;
    int object;        /* what is changed; -1 = names only */
    size_t durable_at; /* index of the end of the first sync that covers it; SIZE_MAX = none */
    size_t ordered_at; /* the same where a sync of one file makes all older names durable */
};

struct object {
    uint64_t file;
    size_t created; /* index of its record */
    size_t *ops;    /* of content, in order */
    size_t n_ops;
    bool is_removed; /* by the end of the journal */
};

struct replay {
    uint8_t *map;
    size_t bytes;
    struct record *records;
    size_t n;
    struct object *objects;
    size_t n_objects;
};

#define GROW(list, n)                                                                              \
    do {                                                                                           \
        if (((n) & ((n)-1)) == 0)                                                                  \
            (list) = xrealloc((list), MAX((n)*2, 1) * sizeof *(list));                             \
    } while (0)

/* --- chance: splitmix64 --- */

static uint64_t mix(uint64_t x)
{
    x += UINT64_C(0x9e3779b97f4a7c15);
    x = (x ^ x >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
    x = (x ^ x >> 27) * UINT64_C(0x94d049bb133111eb);
    return x ^ x >> 31;
}

struct chance {
    uint64_t state;
};

static uint64_t draw(struct chance *c, uint64_t below)
{
    c->state = mix(c->state);
    return below > 0 ? c->state % below : 0;
}

/* --- reading the journal --- */

static bool is_name(const struct record *r)
{
    return r->head->type <= JOURNAL_LINK;
}

static bool is_content(const struct record *r)
{
    return r->head->type >= JOURNAL_WRITE && r->head->type <= JOURNAL_ALLOC;
}

/* An inode number is used again when its file is gone: the newest file of the number is meant. */
static int object_of(const struct replay *r, uint64_t file)
{
    for (size_t i = r->n_objects; i > 0; i--)
        if (r->objects[i - 1].file == file)
            return (int)(i - 1);
    return -1;
}

static void add_record(struct replay *r, const struct record *rec)
{
    GROW(r->records, r->n);
    struct record *new = &r->records[r->n];
    *new = *rec;
    new->object = -1;
    new->durable_at = new->ordered_at = SIZE_MAX;
    if (rec->head->type == JOURNAL_CREATE) {
        GROW(r->objects, r->n_objects);
        r->objects[r->n_objects] = (struct object){.file = rec->head->file, .created = r->n};
        new->object = (int)r->n_objects++;
    } else if (rec->head->type == JOURNAL_SYNC && rec->head->n == JOURNAL_OF_FILE) {
        new->object = object_of(r, rec->head->file);
    } else if (is_content(rec)) {
        new->object = object_of(r, rec->head->file);
        if (new->object < 0)
            abort(); /* a file that was there before the journal began */
        struct object *o = &r->objects[new->object];
        GROW(o->ops, o->n_ops);
        o->ops[o->n_ops++] = r->n;
    }
    r->n++;
}

static void read_records(struct replay *r)
{
    for (size_t at = 0; at < r->bytes;) {
        const struct journal_record *head = (const void *)(r->map + at);
        struct record rec = {.head = head};
        size_t left = r->bytes - at, size = sizeof *head;
        if (left < size || head->magic != JOURNAL_MAGIC)
            abort();
        rec.a = (const char *)(head + 1);
        rec.b = rec.a + head->n_a;
        rec.data = (const uint8_t *)rec.b + head->n_b;
        size += head->n_a + head->n_b + (head->type == JOURNAL_WRITE ? (size_t)head->n : 0);
        if (size > left)
            abort();
        add_record(r, &rec);
        at += (size + 7) / 8 * 8;
    }
}

/* --- what a sync covers --- */

static bool is_below(const char *path, size_t n, const struct record *dir)
{
    size_t n_dir = dir->head->n_a;
    return n_dir == 0 ||
           (n >= n_dir && memcmp(path, dir->a, n_dir) == 0 && (n == n_dir || path[n_dir] == '/'));
}

static bool is_in(const char *path, size_t n, const struct record *dir)
{
    size_t n_dir = dir->head->n_a;
    const char *slash = memrchr(path, '/', n);
    size_t n_parent = slash != NULL ? (size_t)(slash - path) : 0;
    return n_parent == n_dir && memcmp(path, dir->a, n_dir) == 0;
}

/* The disk of a path: its first directory. */
static bool is_same_disk(const char *a, size_t n_a, const char *b, size_t n_b)
{
    const char *end_a = memchr(a, '/', n_a), *end_b = memchr(b, '/', n_b);
    size_t k_a = end_a != NULL ? (size_t)(end_a - a) : 0;
    size_t k_b = end_b != NULL ? (size_t)(end_b - b) : 0;
    return k_a == k_b && memcmp(a, b, k_a) == 0;
}

static const struct record *created(const struct replay *r, int object)
{
    return &r->records[r->objects[object].created];
}

static bool covers(const struct replay *r, const struct record *sync, const struct record *rec)
{
    const struct record *at = rec->object >= 0 ? created(r, rec->object) : rec;
    switch ((enum journal_scope)sync->head->n) {
    case JOURNAL_OF_FILE:
        return is_content(rec) && rec->object == sync->object;
    case JOURNAL_OF_DIRECTORY:
        return is_name(rec) && (is_in(rec->a, rec->head->n_a, sync) ||
                                (rec->head->n_b > 0 && is_in(rec->b, rec->head->n_b, sync)));
    case JOURNAL_OF_TREE:
        return is_below(at->a, at->head->n_a, sync);
    }
    return false;
}

static bool covers_in_order(const struct replay *r, const struct record *sync,
                            const struct record *rec)
{
    if (!is_name(rec) || sync->head->n == JOURNAL_OF_TREE)
        return false;
    const struct record *at = sync->object >= 0 ? created(r, sync->object) : sync;
    return is_same_disk(at->a, at->head->n_a, rec->a, rec->head->n_a);
}

static void note_sync(struct replay *r, size_t begin, size_t end)
{
    struct record *sync = &r->records[begin];
    for (size_t i = 0; i < begin; i++) {
        struct record *rec = &r->records[i];
        if (!is_name(rec) && !is_content(rec))
            continue;
        if (rec->durable_at == SIZE_MAX && covers(r, sync, rec))
            rec->durable_at = rec->ordered_at = MIN(end, rec->ordered_at);
        if (rec->ordered_at == SIZE_MAX && covers_in_order(r, sync, rec))
            rec->ordered_at = end;
    }
}

static void note_syncs(struct replay *r)
{
    for (size_t end = 0; end < r->n; end++) {
        if (r->records[end].head->type != JOURNAL_SYNCED)
            continue;
        for (size_t i = end; i > 0; i--) {
            struct record *sync = &r->records[i - 1];
            if (sync->head->type == JOURNAL_SYNC && sync->head->at == r->records[end].head->at) {
                note_sync(r, i - 1, end);
                break;
            }
        }
    }
}

static bool is_path(const char *a, size_t n, const struct record *rec)
{
    return rec->head->n_a == n && memcmp(a, rec->a, n) == 0;
}

static void note_removals(struct replay *r)
{
    for (size_t i = 0; i < r->n; i++) {
        if (r->records[i].head->type != JOURNAL_UNLINK)
            continue;
        for (size_t o = 0; o < r->n_objects; o++)
            if (r->objects[o].created < i &&
                is_path(r->records[i].a, r->records[i].head->n_a, created(r, (int)o)))
                r->objects[o].is_removed = true;
    }
}

struct replay *replay_open(const char *journal)
{
    struct replay *r = xcalloc(1, sizeof *r);
    struct stat st;
    int fd = open(journal, O_RDONLY | O_CLOEXEC);
    if (fd < 0 || fstat(fd, &st) < 0)
        abort();
    r->bytes = (size_t)st.st_size;
    r->map = xmalloc(MAX(r->bytes, 1));
    for (size_t at = 0; at < r->bytes;) {
        ssize_t n = pread(fd, r->map + at, r->bytes - at, (off_t)at);
        if (n <= 0)
            abort();
        at += (size_t)n;
    }
    close(fd);
    read_records(r);
    note_syncs(r);
    note_removals(r);
    return r;
}

void replay_close(struct replay **rp)
{
    struct replay *r = *rp;
    if (r == NULL)
        return;
    for (size_t i = 0; i < r->n_objects; i++)
        free(r->objects[i].ops);
    free(r->objects);
    free(r->records);
    free(r->map);
    FREE(rp);
}

size_t replay_records(const struct replay *r)
{
    return r->n;
}

const struct journal_record *replay_record(const struct replay *r, size_t i)
{
    return r->records[i].head;
}

uint64_t replay_noted(const struct replay *r, size_t cut, const char *text)
{
    for (size_t i = MIN(cut, r->n); i > 0; i--)
        if (r->records[i - 1].head->type == JOURNAL_NOTE &&
            is_path(text, strlen(text), &r->records[i - 1]))
            return r->records[i - 1].head->at;
    return 0;
}

/* --- one outcome of a cut --- */

struct outcome {
    const struct replay *r;
    size_t cut;
    enum mode mode;
    size_t point;  /* PREFIX, JOURNALLED: what stands in front of it is there */
    size_t torn;   /* PREFIX: so many bytes of the record at the point */
    uint64_t salt; /* for sectors */
    uint64_t block_bytes;
    unsigned luck; /* of a single thing under way, in percent */
    struct chance chance;
};

static bool is_durable(const struct outcome *o, size_t i)
{
    const struct record *rec = &o->r->records[i];
    return (o->mode == MODE_ANY ? rec->durable_at : rec->ordered_at) < o->cut;
}

static bool is_lucky(struct outcome *o, size_t i)
{
    return o->mode == MODE_ANY ? draw(&o->chance, 100) < o->luck : i < o->point;
}

/* Names in front of which something did not happen: what builds on them cannot happen either. */
struct names {
    struct name {
        const char *path;
        size_t n;
        int object; /* -1 = a directory */
        bool is_there, is_frozen;
    } * list;
    size_t n;
};

static struct name *name_of(struct names *names, const char *path, size_t n)
{
    for (size_t i = 0; i < names->n; i++)
        if (names->list[i].n == n && memcmp(names->list[i].path, path, n) == 0)
            return &names->list[i];
    GROW(names->list, names->n);
    names->list[names->n] = (struct name){.path = path, .n = n, .object = -1};
    return &names->list[names->n++];
}

static void apply_name(struct names *names, const struct record *rec)
{
    struct name *a = name_of(names, rec->a, rec->head->n_a);
    a->is_there = rec->head->type == JOURNAL_CREATE || rec->head->type == JOURNAL_MKDIR ||
                  rec->head->type == JOURNAL_LINK;
    if (rec->head->type == JOURNAL_CREATE)
        a->object = rec->object;
    if (rec->head->n_b == 0)
        return;
    int object = a->object;
    struct name *b = name_of(names, rec->b, rec->head->n_b);
    b->object = object;
    b->is_there = true;
}

static bool is_frozen(struct names *names, const struct record *rec)
{
    return name_of(names, rec->a, rec->head->n_a)->is_frozen ||
           (rec->head->n_b > 0 && name_of(names, rec->b, rec->head->n_b)->is_frozen);
}

static void freeze(struct names *names, const struct record *rec)
{
    name_of(names, rec->a, rec->head->n_a)->is_frozen = true;
    if (rec->head->n_b > 0)
        name_of(names, rec->b, rec->head->n_b)->is_frozen = true;
}

static void settle_names(struct outcome *o, struct names *names)
{
    for (size_t i = 0; i < o->cut; i++) {
        const struct record *rec = &o->r->records[i];
        if (!is_name(rec))
            continue;
        if (is_durable(o, i) || (is_lucky(o, i) && !is_frozen(names, rec)))
            apply_name(names, rec);
        else
            freeze(names, rec);
    }
}

/* --- content --- */

struct content {
    uint8_t *bytes;
    uint64_t cap, size;
};

static void put(struct content *c, const struct record *rec, uint64_t from, uint64_t to)
{
    uint64_t at = rec->head->at;
    from = MAX(from, at);
    to = MIN(to, at + rec->head->n);
    if (from < to)
        memcpy(c->bytes + from, rec->data + (from - at), to - from);
}

static void put_size(struct content *c, const struct record *rec)
{
    uint64_t at = rec->head->at;
    switch (rec->head->type) {
    case JOURNAL_WRITE:
        c->size = MAX(c->size, at + rec->head->n);
        break;
    case JOURNAL_ALLOC:
        c->size = MAX(c->size, at);
        break;
    case JOURNAL_SIZE:
        c->size = at;
        break;
    }
}

static void clear_from(struct content *c, uint64_t from, uint64_t to)
{
    if (from < MIN(to, c->cap))
        memset(c->bytes + from, 0, MIN(to, c->cap) - from);
}

/* A block under way holds what it held after so many of the operations. */
static size_t version_of(struct outcome *o, const struct object *obj, uint64_t block, size_t n_sure,
                         size_t n, size_t n_sizes)
{
    if (o->mode == MODE_PREFIX)
        return n_sizes;
    uint64_t h = mix(o->salt ^ mix(obj->created * 977 + block));
    if (h % 100 < o->luck)
        return n;
    return n_sure + (size_t)((h >> 32) % (n - n_sure + 1));
}

static void put_block(struct outcome *o, struct content *c, const struct object *obj,
                      uint64_t block, size_t n_sure, size_t n, size_t n_sizes)
{
    size_t version = version_of(o, obj, block, n_sure, n, n_sizes);
    uint64_t from = block * o->block_bytes, to = from + o->block_bytes;
    for (size_t i = n_sure; i < n; i++) {
        const struct record *rec = &o->r->records[obj->ops[i]];
        if (rec->head->type == JOURNAL_WRITE && i < version)
            put(c, rec, from, to);
        else if (rec->head->type == JOURNAL_SIZE && (i < version || i < n_sizes))
            clear_from(c, MAX(from, rec->head->at), to);
    }
}

static void settle_content(struct outcome *o, const struct object *obj, struct content *c)
{
    size_t n = 0, n_sure = 0, n_sizes;
    for (; n < obj->n_ops && obj->ops[n] < o->cut; n++) {
        const struct record *rec = &o->r->records[obj->ops[n]];
        c->cap = MAX(c->cap, rec->head->at + (rec->head->type == JOURNAL_WRITE ? rec->head->n : 0));
        if (rec->durable_at < o->cut)
            n_sure = n + 1;
    }
    c->bytes = xcalloc(1, MAX(c->cap, 1));
    for (size_t i = 0; i < n_sure; i++) {
        const struct record *rec = &o->r->records[obj->ops[i]];
        if (rec->head->type == JOURNAL_WRITE)
            put(c, rec, 0, UINT64_MAX);
        put_size(c, rec);
        clear_from(c, c->size, UINT64_MAX);
    }
    if (o->mode == MODE_ANY) {
        n_sizes = n_sure + (size_t)draw(&o->chance, n - n_sure + 1);
    } else {
        for (n_sizes = n_sure; n_sizes < n && obj->ops[n_sizes] < o->point;)
            n_sizes++;
    }
    for (uint64_t b = 0; n > n_sure && b * o->block_bytes < c->cap; b++)
        put_block(o, c, obj, b, n_sure, n, n_sizes);
    for (size_t i = n_sure; i < n_sizes; i++)
        put_size(c, &o->r->records[obj->ops[i]]);
    if (o->mode == MODE_PREFIX && n_sizes < n && obj->ops[n_sizes] == o->point &&
        o->r->records[o->point].head->type == JOURNAL_WRITE) { /* the write the power took */
        const struct record *rec = &o->r->records[o->point];
        uint64_t to = rec->head->at + MIN(o->torn, rec->head->n);
        put(c, rec, 0, to);
        c->size = MAX(c->size, to);
    }
}

static void make_file(int dirfd, const char *path, const struct content *c)
{
    int fd = openat(dirfd, path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0640);
    if (fd < 0 || (c->size > 0 && pwrite(fd, c->bytes, c->size, 0) != (ssize_t)c->size))
        abort();
    close(fd);
}

static void make_name(struct outcome *o, int dirfd, const struct name *name)
{
    char path[4096];
    struct content c = {0};
    snprintf(path, sizeof path, "%.*s", (int)name->n, name->path);
    if (name->object < 0) {
        if (mkdirat(dirfd, path, 0750) < 0 && errno != ENOENT)
            abort();
        return;
    }
    char *slash = strrchr(path, '/');
    struct stat st;
    if (slash != NULL) { /* below a directory that did not come is nothing */
        *slash = '\0';
        bool is_lost = fstatat(dirfd, path, &st, 0) < 0;
        *slash = '/';
        if (is_lost)
            return;
    }
    settle_content(o, &o->r->objects[name->object], &c);
    make_file(dirfd, path, &c);
    free(c.bytes);
}

void replay_build(const struct replay *r, size_t cut, uint64_t seed, const char *dir)
{
    struct outcome o = {.r = r, .cut = MIN(cut, r->n), .chance = {mix(seed)}};
    struct names names = {0};
    o.mode = (enum mode)draw(&o.chance, N_MODES);
    o.salt = draw(&o.chance, UINT64_MAX);
    o.block_bytes = draw(&o.chance, 2) == 0 ? 512 : 4096;
    static const unsigned lucks[] = {0, 10, 50, 90, 100};
    o.luck = lucks[draw(&o.chance, ARRAY_LEN(lucks))];
    /* near the cut: a disk does not hold things back for ever */
    o.point = o.cut - MIN(o.cut, draw(&o.chance, 1 + draw(&o.chance, 200)));
    o.torn = (size_t)draw(&o.chance, 30000);
    int dirfd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (dirfd < 0)
        abort();
    settle_names(&o, &names);
    for (size_t i = 0; i < names.n; i++)
        if (names.list[i].is_there)
            make_name(&o, dirfd, &names.list[i]);
    close(dirfd);
    free(names.list);
}

/* --- what must be there --- */

static bool is_chain_durable(const struct replay *r, size_t cut, const struct record *file)
{
    if (file->durable_at >= cut)
        return false;
    for (size_t i = 0; i < cut; i++) {
        const struct record *rec = &r->records[i];
        if (rec->head->type == JOURNAL_MKDIR && rec->durable_at >= cut &&
            is_below(file->a, file->head->n_a, rec))
            return false;
    }
    return true;
}

/* Half a write that the program itself cut off again. */
static bool is_cut_back(const struct replay *r, const struct object *o, size_t k)
{
    const struct journal_record *head = r->records[o->ops[k]].head;
    for (size_t i = k + 1; i < o->n_ops; i++) {
        const struct journal_record *later = r->records[o->ops[i]].head;
        if (later->type == JOURNAL_SIZE && later->at < head->at + head->n)
            return true;
    }
    return false;
}

void replay_durable(const struct replay *r, size_t cut, const char *suffix, replay_write_fn *fn,
                    void *ctx)
{
    size_t n_suffix = strlen(suffix);
    for (size_t i = 0; i < r->n_objects; i++) {
        const struct object *o = &r->objects[i];
        const struct record *file = &r->records[o->created];
        if (o->created >= cut || o->is_removed || file->head->n_a < n_suffix ||
            memcmp(file->a + file->head->n_a - n_suffix, suffix, n_suffix) != 0 ||
            !is_chain_durable(r, cut, file))
            continue;
        for (size_t k = 0; k < o->n_ops && o->ops[k] < cut; k++) {
            const struct record *rec = &r->records[o->ops[k]];
            if (rec->head->type == JOURNAL_WRITE && rec->durable_at < cut && !is_cut_back(r, o, k))
                fn(ctx, rec->data, rec->head->n);
        }
    }
}
