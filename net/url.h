/* RTSP addresses (RFC 2326 3.2), as people and cameras write them, and those of foreign streams:
 * rtmp, rtmps, http, https, udp, srt.
 * Thread: plain values. User and password are kept apart from the rest and never appear in a
 * request line, a Digest uri or a log line. */
#ifndef NET_URL_H
#define NET_URL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "base/str.h"

#define URL_HOST_BYTES 256
#define URL_USER_BYTES 128
#define URL_PATH_BYTES 1536
#define URL_TEXT_BYTES 2048 /* enough for any url_print */

/* The default ports of rtsp, rtsps, rtsph and rtspsh. */
#define RTSP_PORT  554
#define RTSPS_PORT 322
#define HTTP_PORT  80
#define HTTPS_PORT 443
#define RTMP_PORT  1935

struct url {
    bool is_tls;     /* rtsps, rtspsh */
    bool is_tunnel;  /* rtsph, rtspsh: RTSP inside HTTP */
    char foreign[8]; /* the scheme where it is not RTSP: "rtmp"; "" = RTSP */
    bool has_port;
    uint16_t port;                 /* the scheme's default when not given */
    char user[URL_USER_BYTES];     /* decoded; "" = none */
    char password[URL_USER_BYTES]; /* decoded */
    char host[URL_HOST_BYTES];     /* without the brackets of IPv6 */
    char path[URL_PATH_BYTES]; /* path and query, opaque, as written; "" or starts with / or ? */
};

/* Accepts rtsp://, rtsps:// (TLS), rtsph:// and rtspsh:// (RTSP over HTTP and HTTPS; also written
 * rtsp+http:// and rtsp+https://), percent-encoded or raw credentials: with @ : / # % in a password
 * the last @ before the path wins. 0, ERR_PARSE (not an address), ERR_UNSUPPORTED (another scheme)
 * or ERR_TOO_BIG. The text of err never contains the password. */
int url_parse(const char *text, struct url *out, struct err *err);

/* The same, and foreign streams: rtmp://, rtmps://, http://, https://, udp:// (also without a
 * host), srt://. The latter two need a port. Nothing else: no file:, no data:. */
int url_parse_any(const char *text, struct url *out, struct err *err);

/* "rtsp://host:port/path?query" without credentials; the port only when it was given or is not the
 * default. For people and for storing; url_parse reads it back. False when it did not fit. */
bool url_print(const struct url *u, char *dst, size_t cap);

/* The same as a request line names it: inside an HTTP tunnel the scheme is rtsp://, and the port
 * stays out when it was not given, for 80 is the tunnel's and not the camera's. */
bool url_print_request(const struct url *u, char *dst, size_t cap);

/* url_print with percent-encoded credentials, which url_parse reads back. For storing, not for
 * logs.
 */
bool url_print_full(const struct url *u, char *dst, size_t cap);

/* Any text that may be an address, fit for logs: credentials become ***, as do the values of
 * password-like parameters in path and query; of foreign streams the whole query does, and the last
 * part of an RTMP path, which is a key often. Returns dst. */
char *url_redact(const char *text, char *dst, size_t cap);

/* The channel of a recorder the usual ways of writing addresses name (quirk L7); 0 = none seen. */
int url_channel(const struct url *u);

/* Which aggregate URL to use after DESCRIBE: Content-Base, else Content-Location, else the
 * request's own. Repairs what cameras get wrong (no scheme, scheme twice, bare IPv6, path only) and
 * ignores what stays unreadable. The answer always carries the scheme, host and port of `origin` as
 * url_print_request writes them, so that it works through NAT. */
bool url_base(const struct url *origin, struct span content_base, struct span content_location,
              char *dst, size_t cap);

/* The URL to SETUP a media. `base` is the text url_base gave. A relative control is appended to it
 * as plain text, behind a query if there is one; an empty one and "*" mean the base itself; an
 * absolute one keeps its path and query but gets scheme, host and port of `origin`. False when it
 * does not fit. */
bool url_join_control(const struct url *origin, const char *base, struct span control, char *dst,
                      size_t cap);

/* The same with a relative control put in front of the query: the second try when the first is
 * answered 404, 400 or 454. */
bool url_join_control_before_query(const struct url *origin, const char *base, struct span control,
                                   char *dst, size_t cap);

/* host:port of an authority such as "10.0.0.1:554", "[::1]:8080" or "camera". *out_port stays
 * untouched without a port. */
bool url_split_host_port(struct span text, char *host, size_t host_cap, uint16_t *out_port);

#endif
