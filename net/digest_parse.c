#include "net/digest_priv.h"

#include <string.h>
#include <strings.h>

#include "base/err.h"
#include "base/mem.h"

/* One piece of a challenge list: either a scheme's name, or a parameter. */
struct piece {
    bool is_scheme;
    struct span name;
    struct span value; /* without quotes, escapes as they stand */
};

static bool is_space(char c)
{
    return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

static void skip(struct span *s, size_t n)
{
    s->p += n;
    s->n -= n;
}

static void skip_while(struct span *s, bool also_commas)
{
    while (s->n > 0 && (is_space(s->p[0]) || (also_commas && (s->p[0] == ',' || s->p[0] == ';'))))
        skip(s, 1);
}

static struct span take_until(struct span *s, const char *stops)
{
    struct span head = {s->p, 0};
    while (s->n > 0 && (!s->p[0] || !strchr(stops, s->p[0]))) {
        head.n++;
        skip(s, 1);
    }
    return span_trim(head);
}

/* A backslash hides the byte behind it; a missing end quote ends with the text. */
static struct span take_quoted(struct span *s)
{
    skip(s, 1);
    struct span value = {s->p, 0};
    while (s->n > 0 && s->p[0] != '"') {
        size_t n = s->p[0] == '\\' && s->n > 1 ? 2 : 1;
        value.n += n;
        skip(s, n);
    }
    if (s->n > 0)
        skip(s, 1);
    return value;
}

static bool next_piece(struct span *s, struct piece *out)
{
    skip_while(s, true);
    if (s->n == 0)
        return false;
    size_t before = s->n;
    *out = (struct piece){.name = take_until(s, "=, \t\r\n\"")};
    skip_while(s, false);
    if (s->n > 0 && s->p[0] == '=') {
        skip(s, 1);
        skip_while(s, false);
        bool is_quoted = s->n > 0 && s->p[0] == '"';
        out->value = is_quoted ? take_quoted(s) : take_until(s, ", \t\r\n");
        return true;
    }
    out->is_scheme = true;
    if (s->n == before) /* a stray quote: always get on */
        skip(s, 1);
    return true;
}

static enum auth_qop qop_of(struct span list)
{
    enum auth_qop best = AUTH_QOP_NONE;
    struct span item;
    while (span_cut(&list, ',', &item)) {
        item = span_trim(item);
        if (span_ieq(item, "auth"))
            return AUTH_QOP_AUTH;
        if (span_ieq(item, "auth-int"))
            best = AUTH_QOP_AUTH_INT;
    }
    return best;
}

/* Values are echoed between quotes into a header: nothing that could break out of them. */
static bool copy_value(struct span v, char *dst, size_t cap)
{
    bool is_escaped = false;
    for (size_t i = 0; i < v.n; i++) {
        if (((unsigned char)v.p[i] < ' ' && v.p[i] != '\t') || (v.p[i] == '"' && !is_escaped))
            return false;
        is_escaped = v.p[i] == '\\' && !is_escaped;
    }
    if (is_escaped)
        return false;
    return span_copy(v, dst, cap);
}

static bool set_parameter(struct auth_challenge *c, const struct piece *p)
{
    if (span_ieq(p->name, "realm"))
        return copy_value(p->value, c->realm, sizeof c->realm);
    if (c->scheme == AUTH_BASIC)
        return true;
    if (span_ieq(p->name, "nonce"))
        return copy_value(p->value, c->nonce, sizeof c->nonce);
    if (span_ieq(p->name, "opaque")) {
        c->has_opaque = true;
        return copy_value(p->value, c->opaque, sizeof c->opaque);
    }
    if (span_ieq(p->name, "algorithm")) {
        c->has_algorithm = true;
        c->scheme = digest__scheme_of(p->value);
        return c->scheme != AUTH_NONE;
    }
    if (span_ieq(p->name, "qop"))
        c->qop = qop_of(p->value);
    else if (span_ieq(p->name, "stale"))
        c->is_stale = span_ieq(p->value, "true");
    return true;
}

static void add_offer(struct auth_offers *o, const struct auth_challenge *c, bool is_good)
{
    bool is_complete = c->scheme == AUTH_BASIC || (c->scheme >= AUTH_MD5 && c->nonce[0]);
    if (is_good && is_complete && o->n < AUTH_MAX_OFFERS)
        o->list[o->n++] = *c;
}

void auth_offers_add(struct auth_offers *o, struct span s)
{
    struct auth_challenge c = {0};
    bool is_good = false;
    struct piece p;
    while (next_piece(&s, &p)) {
        if (!p.is_scheme) {
            is_good = is_good && set_parameter(&c, &p);
            continue;
        }
        bool is_basic = span_ieq(p.name, "Basic");
        bool is_digest = span_ieq(p.name, "Digest");
        if (!is_basic && !is_digest && c.scheme != AUTH_NONE && s.n == 0)
            break; /* rubbish at the end harms nobody */
        add_offer(o, &c, is_good);
        is_good = is_basic || is_digest;
        c = (struct auth_challenge){.scheme = is_basic    ? AUTH_BASIC
                                              : is_digest ? AUTH_MD5
                                                          : AUTH_NONE};
    }
    add_offer(o, &c, is_good);
}

static int parse_basic(struct span s, struct auth_answer *out)
{
    uint8_t plain[2 * AUTH_TEXT_BYTES];
    int64_t n = base64_decode(s, plain, sizeof plain);
    if (n < 0 || memchr(plain, 0, (size_t)n))
        return ERR_PARSE;
    struct span rest = {(const char *)plain, (size_t)n};
    struct span user = {rest.p, 0};
    span_cut(&rest, ':', &user);
    bool is_fit = span_copy(user, out->user, sizeof out->user) &&
                  span_copy(rest, out->password, sizeof out->password);
    return is_fit ? 0 : ERR_TOO_BIG;
}

/* A quoted value with its escapes resolved. */
static bool copy_unescaped(struct span v, char *dst, size_t cap)
{
    size_t n = 0;
    for (size_t i = 0; i < v.n; i++) {
        if (v.p[i] == '\\' && i + 1 < v.n)
            i++;
        if (n + 1 >= cap || !v.p[i])
            return false;
        dst[n++] = v.p[i];
    }
    dst[n] = 0;
    return true;
}

static bool set_answer(struct auth_answer *a, const struct piece *p)
{
    const struct {
        const char *name;
        char *dst;
        size_t cap;
        bool is_raw;
    } fields[] = {
        {"username", a->user, sizeof a->user, false},
        {"realm", a->realm, sizeof a->realm, true},
        {"nonce", a->nonce, sizeof a->nonce, true},
        {"uri", a->uri, sizeof a->uri, false},
        {"response", a->response, sizeof a->response, true},
        {"cnonce", a->cnonce, sizeof a->cnonce, true},
        {"nc", a->nc, sizeof a->nc, true},
    };
    for (size_t i = 0; i < ARRAY_LEN(fields); i++) {
        if (!span_ieq(p->name, fields[i].name))
            continue;
        return fields[i].is_raw ? copy_value(p->value, fields[i].dst, fields[i].cap)
                                : copy_unescaped(p->value, fields[i].dst, fields[i].cap);
    }
    if (span_ieq(p->name, "qop"))
        a->qop = qop_of(p->value);
    else if (span_ieq(p->name, "algorithm"))
        a->scheme = digest__scheme_of(p->value);
    return true;
}

int auth_answer_parse(struct span s, struct auth_answer *out)
{
    *out = (struct auth_answer){0};
    s = span_trim(s);
    struct span name = take_until(&s, " \t");
    if (span_ieq(name, "Basic")) {
        out->scheme = AUTH_BASIC;
        return parse_basic(span_trim(s), out);
    }
    if (!span_ieq(name, "Digest"))
        return name.n == 0 ? ERR_PARSE : ERR_UNSUPPORTED;
    out->scheme = AUTH_MD5;
    struct piece p;
    while (next_piece(&s, &p)) {
        if (!p.is_scheme && !set_answer(out, &p))
            return ERR_TOO_BIG;
    }
    if (out->scheme == AUTH_NONE)
        return ERR_UNSUPPORTED;
    uint64_t nc = 0;
    if (out->nc[0] && (!span_hex_u64(span_of(out->nc), &nc) || nc > UINT32_MAX))
        return ERR_PARSE;
    out->nonce_count = (uint32_t)nc;
    /* Hashes compare in lower case. */
    for (char *p_hex = out->response; *p_hex; p_hex++) {
        if (*p_hex >= 'A' && *p_hex <= 'F')
            *p_hex = (char)(*p_hex - 'A' + 'a');
    }
    return out->response[0] ? 0 : ERR_PARSE;
}
