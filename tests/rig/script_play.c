/* Carries rules out: an answer that waits or drips, then steps, one after the other. */
#include <string.h>

#include "client_priv.h"

#define STEP_BYTES 4096 /* a camera with no timing of its own sends at most so much per turn */

/* One rule at work. Lives until its client is gone. */
struct script_run {
    struct client *client;
    const json_t *rule; /* of the configuration */
    int64_t cseq;
    char *uri;
    struct buf pending; /* still to be sent */
    size_t i_step;      /* the step at work */
    json_int_t n_done;  /* times it was done */
    bool has_waited;
    struct timer timer;
    struct script_run *next;
};

static json_int_t number(const json_t *o, const char *key, json_int_t otherwise)
{
    const json_t *v = json_object_get(o, key);
    return v ? json_integer_value(v) : otherwise;
}

static struct script_context context_of(const struct script_run *run)
{
    return (struct script_context){
        .client = run->client, .cseq = run->cseq, .uri = span_of(run->uri)};
}

static void end_connection(struct client *c, const char *how)
{
    if (strcmp(how, "reset") == 0)
        client__reset(c);
    else
        client__finish(c);
}

/* Hands over what is pending, or a chunk of it. */
static void send_pending(struct script_run *run)
{
    struct client *c = run->client;
    json_int_t chunk = number(run->rule, "chunk_bytes", (json_int_t)run->pending.len);
    size_t n = MIN((size_t)chunk, run->pending.len);
    buf_append(&c->out, run->pending.data, n);
    buf_consume(&run->pending, n);
    client__flush(c);
}

/* One step further. Returns ms until the next call, or < 0 at the end. */
static json_int_t take_step(struct script_run *run)
{
    const json_t *step = json_array_get(json_object_get(run->rule, "then"), run->i_step);
    const struct script_context x = context_of(run);
    struct client *c = run->client;
    if (!step)
        return -1;
    json_int_t wait_ms = number(step, "wait_ms", 0);
    if (wait_ms > 0 && !run->has_waited) {
        run->has_waited = true;
        return wait_ms;
    }
    json_int_t n_times = number(step, "times", 1);
    const json_t *text = json_object_get(step, "send");
    const struct span hex = span_of(json_string_value(json_object_get(step, "hex")));
    const char *end = json_string_value(json_object_get(step, "end"));
    size_t before = c->out.len;
    /* who does not read is not sent more */
    while (run->n_done < n_times && c->out.len < before + STEP_BYTES &&
           c->out.len < CLIENT_OUT_MAX_BYTES / 2) {
        run->n_done++;
        if (text)
            script_print(&x, text, &c->out);
        script_put_hex(hex, &c->out);
        if (json_object_get(step, "every_ms"))
            break;
    }
    if (run->n_done < n_times) {
        client__flush(c);
        return number(step, "every_ms", 1);
    }
    run->i_step++;
    run->n_done = 0;
    run->has_waited = false;
    if (end)
        end_connection(c, end);
    else
        client__flush(c);
    return 0;
}

static void go_on(void *ctx)
{
    struct script_run *run = ctx;
    struct client *c = run->client;
    json_int_t wait_ms = 0;
    if (run->pending.len > 0) {
        send_pending(run);
        if (!c->is_closed && run->pending.len > 0) {
            timer_arm_ms(&run->timer, number(run->rule, "chunk_ms", 1));
            return;
        }
    }
    while (!c->is_closed && !c->is_closing && wait_ms == 0)
        wait_ms = take_step(run);
    if (!c->is_closed && wait_ms > 0)
        timer_arm_ms(&run->timer, wait_ms);
}

static struct script_run *add_run(struct client *c, const json_t *rule,
                                  const struct rtsp_message *m)
{
    struct script_run *run = xcalloc(1, sizeof *run);
    run->client = c;
    run->rule = rule;
    run->cseq = m ? m->cseq : 0;
    run->uri = m ? span_dup(m->uri) : xstrdup("");
    buf_init(&run->pending, SCRIPT_MAX_TEXT_BYTES);
    timer_init(&run->timer, c->sim->loop, go_on, run);
    run->next = c->runs;
    c->runs = run;
    return run;
}

static const char *state_of(const struct client *c)
{
    if (c->state == CLIENT_PLAYING)
        return "playing";
    if (c->state == CLIENT_READY)
        return "ready";
    return c->has_described ? "described" : "fresh";
}

static int n_setups(const struct client *c)
{
    return c->tracks[TRACK_VIDEO].is_setup + c->tracks[TRACK_AUDIO].is_setup;
}

/* What a well-behaved camera would say, taken back from the output; it is done as well. */
static void perform(struct client *c, const json_t *rule, const struct rtsp_message *m,
                    struct buf *answer)
{
    size_t before = c->out.len;
    int status = (int)number(rule, "status", 200);
    if (json_is_true(json_object_get(rule, "new_nonce")))
        c->nonce[0] = 0;
    if (status >= 300)
        client__refuse(c, m, status);
    else
        client__respond(c, m, json_string_value(json_object_get(rule, "as")));
    buf_append(answer, c->out.data + before, c->out.len - before);
    c->out.len = before;
}

/* The camera keeps to what it says about the transport, unless the rule wants the opposite. */
static void settle_transport(struct client *c, const json_t *rule, const struct rtsp_message *m,
                             struct span answer)
{
    struct span line;
    struct rtsp_transport t = {0};
    const json_t *channel = json_object_get(rule, "channel");
    int track = client__track_of(c, m->uri, json_string_value(json_object_get(rule, "as")));
    struct client_track *ct = &c->tracks[MAX(track, 0)];
    if (m->method != RTSP_SETUP || !ct->is_setup)
        return;
    while (span_line(&answer, &line)) {
        if (!span_istarts(line, "Transport:"))
            continue;
        line.p += 10;
        line.n -= 10;
        rtsp_transport_next(&line, &t);
    }
    if (t.has_interleaved) {
        ct->is_udp = false;
        ct->channel = t.interleaved[0];
    }
    if (channel)
        ct->channel = (uint8_t)json_integer_value(channel);
    if (!ct->is_udp)
        rtsp_parser_add_channel(&c->parser, (uint8_t)(ct->channel + 1));
    ct->needs_punch = ct->is_udp && json_is_true(json_object_get(rule, "needs_punch"));
    ct->is_from_other_port = json_is_true(json_object_get(rule, "other_port"));
}

static int status_of(struct span answer)
{
    const char *space = memchr(answer.p, ' ', answer.n);
    return space && answer.n >= 12 ? (int)strtol(space, NULL, 10) : 0;
}

static void answer_by(struct client *c, const json_t *rule, const struct rtsp_message *m,
                      struct script_run *run)
{
    struct buf normal;
    const json_t *raw = json_object_get(rule, "raw");
    const char *raw_text = json_string_value(raw);
    struct script_context x = context_of(run);
    buf_init(&normal, SCRIPT_MAX_TEXT_BYTES);
    if (!raw || json_object_get(rule, "as") || (raw_text && strstr(raw_text, "${ANSWER}")))
        perform(c, rule, m, &normal);
    x.answer = span_of(buf_cstr(&normal));
    if (raw)
        script_print(&x, raw, &run->pending);
    else
        script_edit_answer(&x, rule, &run->pending);
    struct span sent = span_of(buf_cstr(&run->pending));
    settle_transport(c, rule, m, sent);
    trace_status(c, status_of(sent));
    buf_fini(&normal);
}

void script_connected(struct client *c)
{
    const struct script_event e = {
        .on = "connect", .connection = c->connection, .state = state_of(c)};
    const json_t *rule = script_find(c->camera->config->rules, c->camera->n_rule_fits, &e);
    if (rule)
        go_on(add_run(c, rule, NULL));
}

bool script_request(struct client *c, const struct rtsp_message *m)
{
    const struct script_event e = {.on = rtsp_method_name(m->method),
                                   .message = m,
                                   .connection = c->connection,
                                   .state = state_of(c),
                                   .n_setups = n_setups(c)};
    const json_t *rule = script_find(c->camera->config->rules, c->camera->n_rule_fits, &e);
    if (!rule)
        return false;
    struct script_run *run = add_run(c, rule, m);
    if (json_is_true(json_object_get(rule, "silent")))
        trace_status(c, 0);
    else
        answer_by(c, rule, m, run);
    json_int_t delay_ms = number(rule, "delay_ms", 0);
    if (c->is_closed)
        return true;
    if (delay_ms > 0)
        timer_arm_ms(&run->timer, delay_ms);
    else
        go_on(run);
    return true;
}

void script_disarm(struct client *c)
{
    for (struct script_run *run = c->runs; run; run = run->next)
        timer_disarm(&run->timer);
}

void script_free(struct client *c)
{
    while (c->runs) {
        struct script_run *run = c->runs;
        c->runs = run->next;
        buf_fini(&run->pending);
        free(run->uri);
        free(run);
    }
}
