#include "net/http_priv.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <openssl/evp.h>
#include <wslay/wslay.h>

#include "base/mem.h"

#define CLOSE_TIMEOUT_MS 3000
#define SILENT_PERIODS   3

struct ws {
    struct http_conn *hc; /* NULL = gone */
    struct loop *loop;
    struct ws_handlers handlers;
    void *ctx;
    wslay_event_context_ptr wslay;
    const uint8_t *input; /* while ws__input runs */
    size_t input_len;
    bool is_in_input;
    bool is_closing;  /* our side asked for it: nothing is delivered any more */
    bool is_finished; /* both sides have said it, or time is up */
    bool was_heard;   /* something arrived in this ping period */
    int n_silent;
    int close_code;
    struct timer close_timer;
};

bool http_wants_websocket(const struct http_request *req)
{
    const char *upgrade = http_header(req, "Upgrade");
    const char *connection = http_header(req, "Connection");
    return req->method == HTTP_GET && upgrade && connection &&
           http_list_has(upgrade, "websocket") && http_list_has(connection, "upgrade");
}

bool http_offers_subprotocol(const struct http_request *req, const char *name)
{
    const char *list = http_header(req, "Sec-WebSocket-Protocol");
    return list && http_list_has(list, name);
}

/* RFC 6455 4.2.2 */
static void accept_value(const char *key, char dst[32])
{
    char text[128];
    uint8_t hash[EVP_MAX_MD_SIZE];
    unsigned n = 0;
    int len = snprintf(text, sizeof text, "%s258EAFA5-E914-47DA-95CA-C5AB0DC85B11", key);
    EVP_Digest(text, (size_t)len, hash, &n, EVP_sha1(), NULL);
    base64_encode(hash, n, dst, 32);
}

static ssize_t on_recv(wslay_event_context_ptr ctx, uint8_t *dst, size_t len, int flags, void *user)
{
    (void)flags;
    struct ws *ws = user;
    size_t n = MIN(len, ws->input_len);
    if (n == 0) {
        wslay_event_set_error(ctx, WSLAY_ERR_WOULDBLOCK);
        return -1;
    }
    memcpy(dst, ws->input, n);
    ws->input += n;
    ws->input_len -= n;
    return (ssize_t)n;
}

static ssize_t on_send(wslay_event_context_ptr ctx, const uint8_t *data, size_t len, int flags,
                       void *user)
{
    (void)ctx;
    (void)flags;
    struct ws *ws = user;
    if (ws->hc)
        conn_write(ws->hc->io, data, len);
    return (ssize_t)len;
}

static void on_message(wslay_event_context_ptr ctx, const struct wslay_event_on_msg_recv_arg *arg,
                       void *user)
{
    (void)ctx;
    struct ws *ws = user;
    if (arg->opcode == WSLAY_CONNECTION_CLOSE)
        ws->close_code = arg->status_code ? arg->status_code : 1005;
    if (ws->is_closing || !ws->hc)
        return;
    if (arg->opcode == WSLAY_TEXT_FRAME && ws->handlers.text) {
        char *text = span_dup((struct span){(const char *)arg->msg, arg->msg_length});
        ws->handlers.text(ws->ctx, text, arg->msg_length);
        free(text);
    } else if (arg->opcode == WSLAY_BINARY_FRAME && ws->handlers.binary) {
        ws->handlers.binary(ws->ctx, arg->msg, arg->msg_length);
    }
}

static void on_close_timeout(void *ctx)
{
    struct ws *ws = ctx;
    if (ws->hc)
        conn_abort(ws->hc->io);
}

/* Lets out what wslay has to say (pongs, close) and ends when all is said. */
static void pump_out(struct ws *ws)
{
    if (!ws->hc || ws->is_finished)
        return;
    wslay_event_send(ws->wslay);
    if (wslay_event_get_close_sent(ws->wslay) && wslay_event_get_close_received(ws->wslay)) {
        ws->is_finished = true;
        timer_disarm(&ws->close_timer);
        conn_finish(ws->hc->io, CLOSE_TIMEOUT_MS);
    } else if (wslay_event_get_close_sent(ws->wslay) && !timer_is_armed(&ws->close_timer)) {
        timer_arm_ms(&ws->close_timer, CLOSE_TIMEOUT_MS);
    }
}

size_t ws__input(struct ws *ws, const uint8_t *data, size_t len)
{
    if (ws->is_finished)
        return len;
    ws->was_heard = true;
    ws->input = data;
    ws->input_len = len;
    ws->is_in_input = true;
    bool was_violated = false;
    /* On a protocol error wslay queues the close frame and stops reading. */
    if (wslay_event_recv(ws->wslay) < 0 || !wslay_event_get_read_enabled(ws->wslay)) {
        was_violated = !ws->is_closing && !wslay_event_get_close_received(ws->wslay);
        ws->is_closing = true;
    }
    ws->is_in_input = false;
    pump_out(ws);
    if (was_violated)
        ws->close_code = wslay_event_get_status_code_sent(ws->wslay);
    return len;
}

void ws__drained(struct ws *ws)
{
    if (ws->handlers.drained && !ws->is_closing)
        ws->handlers.drained(ws->ctx);
}

static void free_ws(void *ctx)
{
    struct ws *ws = ctx;
    wslay_event_context_free(ws->wslay);
    free(ws);
}

void ws__gone(struct ws *ws)
{
    ws->hc = NULL;
    timer_disarm(&ws->close_timer);
    if (ws->handlers.closed)
        ws->handlers.closed(ws->ctx, ws->close_code);
    loop_defer(ws->loop, free_ws, ws);
}

void ws__on_timer(struct ws *ws)
{
    if (ws->is_closing)
        return;
    ws->n_silent = ws->was_heard ? 0 : ws->n_silent + 1;
    ws->was_heard = false;
    if (ws->n_silent >= SILENT_PERIODS) {
        conn_abort(ws->hc->io);
        return;
    }
    static const struct wslay_event_msg ping = {.opcode = WSLAY_PING};
    wslay_event_queue_msg(ws->wslay, &ping);
    pump_out(ws);
}

static void refuse_upgrade(struct http_request *req, bool is_version)
{
    if (is_version)
        http_add_header(req, "Sec-WebSocket-Version", "13");
    http_add_header(req, "Upgrade", "websocket");
    http_reply_problem(req, is_version ? 426 : 400,
                       "a WebSocket handshake (version 13) is expected");
}

static bool is_key(const char *key)
{
    uint8_t raw[17];
    return key && strlen(key) == 24 && base64_decode(span_of(key), raw, sizeof raw) == 16;
}

static void send_handshake(struct request *r, const char *key, const char *subprotocol)
{
    char accepted[32];
    struct buf b;
    accept_value(key, accepted);
    buf_init(&b, 2 * HTTP_HEADER_MAX_BYTES);
    buf_printf(&b,
               "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n"
               "Connection: Upgrade\r\nSec-WebSocket-Accept: %s\r\n",
               accepted);
    if (subprotocol)
        buf_printf(&b, "Sec-WebSocket-Protocol: %s\r\n", subprotocol);
    if (!r->extra.is_failed)
        buf_append(&b, r->extra.data, r->extra.len);
    buf_puts(&b, "\r\n");
    conn_write(r->hc->io, b.data, b.len);
    buf_fini(&b);
}

struct ws *http_upgrade(struct http_request *req, const char *subprotocol,
                        const struct ws_handlers *handlers, void *ctx)
{
    struct request *r = request_of(req);
    const char *key = http_header(req, "Sec-WebSocket-Key");
    const char *version = http_header(req, "Sec-WebSocket-Version");
    bool is_version = version && strcmp(version, "13") == 0;
    if (!r->hc) {
        http_stream_end(req);
        return NULL;
    }
    if (!http_wants_websocket(req) || !is_version || !is_key(key) || r->head.minor_version < 1) {
        refuse_upgrade(req, !is_version || !http_wants_websocket(req));
        return NULL;
    }
    struct ws *ws = xcalloc(1, sizeof *ws);
    static const struct wslay_event_callbacks callbacks = {
        .recv_callback = on_recv, .send_callback = on_send, .on_msg_recv_callback = on_message};
    if (wslay_event_context_server_init(&ws->wslay, &callbacks, ws) != 0)
        abort(); /* out of memory */
    wslay_event_config_set_max_recv_msg_length(ws->wslay, WS_MESSAGE_MAX_BYTES);
    send_handshake(r, key, subprotocol);

    struct http_conn *hc = r->hc;
    ws->hc = hc;
    ws->loop = r->loop;
    ws->handlers = *handlers;
    ws->ctx = ctx;
    ws->close_code = 1006;
    timer_init(&ws->close_timer, ws->loop, on_close_timeout, ws);
    hc->state = HC_WS;
    hc->ws = ws;
    hc->req = NULL;
    r->hc = NULL;
    request__release(r);
    int ping_ms = hc->server->params.ws_ping_ms;
    timer_arm_ms(&hc->timer, ping_ms > 0 ? ping_ms : 20 * 1000);
    conn_resume(hc->io); /* what came behind the handshake */
    return ws;
}

/* RFC 6455 5.2: a whole message in one frame, unmasked. */
static size_t frame_head(uint8_t head[10], uint8_t opcode, size_t n)
{
    head[0] = 0x80 | opcode;
    if (n < 126) {
        head[1] = (uint8_t)n;
        return 2;
    }
    if (n <= UINT16_MAX) {
        head[1] = 126;
        head[2] = (uint8_t)(n >> 8);
        head[3] = (uint8_t)n;
        return 4;
    }
    head[1] = 127;
    for (int i = 0; i < 8; i++)
        head[2 + i] = (uint8_t)((uint64_t)n >> (56 - 8 * i));
    return 10;
}

static void send_message(struct ws *ws, uint8_t opcode, const struct conn_part *parts,
                         size_t n_parts)
{
    if (!ws->hc || ws->is_closing) {
        for (size_t i = 0; i < n_parts; i++) {
            if (parts[i].release)
                parts[i].release(parts[i].ctx);
        }
        return;
    }
    size_t n = 0;
    for (size_t i = 0; i < n_parts; i++)
        n += parts[i].n;
    uint8_t head[10];
    struct conn *io = ws->hc->io;
    conn_write(io, head, frame_head(head, opcode, n));
    conn_write_parts(io, parts, n_parts);
    if (conn_pending(io) > HTTP_PENDING_MAX_BYTES)
        conn_abort(io);
}

void ws_send_text(struct ws *ws, const char *text, size_t n)
{
    send_message(ws, WSLAY_TEXT_FRAME, &(struct conn_part){.data = text, .n = n}, 1);
}

void ws_send_binary(struct ws *ws, const struct conn_part *parts, size_t n_parts)
{
    send_message(ws, WSLAY_BINARY_FRAME, parts, n_parts);
}

size_t ws_pending(const struct ws *ws)
{
    return ws->hc ? conn_pending(ws->hc->io) : 0;
}

void ws_close(struct ws *ws, int code, const char *reason)
{
    if (ws->is_closing || !ws->hc)
        return;
    ws->is_closing = true;
    ws->close_code = code;
    size_t n = reason ? strnlen(reason, 123) : 0;
    wslay_event_queue_close(ws->wslay, (uint16_t)code, (const uint8_t *)reason, n);
    if (!ws->is_in_input)
        pump_out(ws);
}
