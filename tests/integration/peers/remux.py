"""rookery-remux alone at the end of a socket pair, and senders for it to read."""

import base64
import os
import socket
import ssl
import subprocess
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from rookery import BUILD, Process, free_port, wait_for

REMUX = os.path.join(BUILD, "rookery-remux")


class Remux:
    """Gives the program a job as the server does and takes apart what it says."""

    def __init__(self, address, open_ms=8000, silence_ms=4000):
        ours, theirs = socket.socketpair()
        self.socket = ours

        def take_descriptor():
            os.dup2(theirs.fileno(), 3)

        self.process = subprocess.Popen([REMUX], preexec_fn=take_descriptor, close_fds=False, env={},
                                        stderr=subprocess.PIPE)
        theirs.close()
        ours.sendall(f"SET_PARAMETER * RTSP/1.0\r\nCSeq: 1\r\nAddress: {address}\r\nOpen-Ms: {open_ms}\r\n"
                     f"Silence-Ms: {silence_ms}\r\n\r\n".encode())
        ours.settimeout(30)
        self.bytes = b""
        self.requests = []
        self.frames = []  # (arrival, channel, RTP packet)
        self.sdp = ""

    def more(self):
        got = self.socket.recv(1 << 20)
        self.bytes += got
        return bool(got)

    def item(self):
        """The next request as (method, headers); frames are put aside. None at the end."""
        while True:
            if self.bytes[:1] == b"$" and len(self.bytes) >= 4:
                n = 4 + int.from_bytes(self.bytes[2:4], "big")
                if len(self.bytes) >= n:
                    self.frames.append((time.monotonic(), self.bytes[1], self.bytes[4:n]))
                    self.bytes = self.bytes[n:]
                    return ("frame", {})
            elif b"\r\n\r\n" in self.bytes and self.bytes[:1] != b"$":
                head, rest = self.bytes.split(b"\r\n\r\n", 1)
                lines = head.decode().split("\r\n")
                headers = dict(line.split(": ", 1) for line in lines[1:])
                n = int(headers.get("Content-Length", 0))
                if len(rest) >= n:
                    if n:
                        self.sdp = rest[:n].decode()
                    self.bytes = rest[n:]
                    method = lines[0].split(" ")[0]
                    self.requests.append(method)
                    return (method, headers)
            if not self.more():
                return None

    def run(self, seconds):
        """Frames of that long, counted from the first one on."""
        end = None
        while item := self.item():
            if item[0] == "TEARDOWN":
                return item[1]
            if item[0] == "frame":
                end = end or time.monotonic() + seconds
                if time.monotonic() > end:
                    break
        return None

    def verdict(self):
        """(cause, reason) of its last word."""
        while item := self.item():
            if item[0] == "TEARDOWN":
                return item[1]["Cause"], item[1]["Reason"]
        raise AssertionError("it ended without a word")

    def packets(self, channel):
        return [f[2] for f in self.frames if f[1] == channel]

    def marked(self, channel):
        return [p for p in self.packets(channel) if p[1] & 0x80]

    def end(self):
        self.socket.close()
        try:
            return self.process.wait(5)
        finally:
            self.process.kill()
            self.process.wait()
            self.process.stderr.close()


class Sender:
    """ffmpeg that sends a film in real time, again and again."""

    def __init__(self, folder, film, *output, loop=True):
        name = "sender-%d" % free_port()
        self.log = os.path.join(folder, name + ".log")
        self.process = Process(["ffmpeg", "-v", "warning", "-nostdin", "-re", *(["-stream_loop", "-1"] if loop else []),
                                "-i", film, "-c", "copy", *output], self.log)

    def wait_listening(self, port, kind="tcp"):
        def is_bound():
            with open(f"/proc/net/{kind}", encoding="ascii") as f:
                lines = [line.split() for line in f.readlines()[1:]]
            return any(line[1].endswith(f":{port:04X}") and line[3] in ("0A", "07") for line in lines)
        wait_for("the sender", is_bound, 10)

    def end(self):
        self.process.popen.kill()
        self.process.popen.wait()


class HttpFilm:
    """An HTTP server that plays a file in real time (loops), asks for a login, or answers an error."""

    def __init__(self, routes, login=None, certificate=None):
        owner = self
        self.routes = routes
        self.login = login
        self.seen = []

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self):
                owner.seen.append((self.path, self.headers.get("Authorization")))
                owner.answer(self)

            def log_message(self, *args):
                pass

        self.port = free_port()
        self.is_over = False
        self.server = ThreadingHTTPServer(("127.0.0.1", self.port), Handler)
        if certificate:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(certificate)
            self.server.socket = context.wrap_socket(self.server.socket, server_side=True)
        self.server.daemon_threads = True
        self.thread = threading.Thread(target=self.server.serve_forever, daemon=True)
        self.thread.start()

    def answer(self, handler):
        if self.login and handler.headers.get("Authorization") != "Basic " + base64.b64encode(self.login.encode()).decode():
            handler.send_response(401)
            handler.send_header("WWW-Authenticate", 'Basic realm="films"')
            handler.send_header("Content-Length", "0")
            handler.end_headers()
            return
        route = self.routes.get(handler.path.split("?")[0])
        if route is None:
            handler.send_error(404)
            return
        try:
            route(handler, self)
        except (BrokenPipeError, ConnectionResetError, ssl.SSLError):
            pass

    def end(self):
        self.is_over = True
        self.server.shutdown()
        self.server.server_close()


def live(film, form, kind):
    """A route that sends the film as ffmpeg muxes it, live."""
    def route(handler, owner):
        handler.send_response(200)
        handler.send_header("Content-Type", kind)
        handler.end_headers()
        args = ["ffmpeg", "-v", "error", "-nostdin", "-re", "-stream_loop", "-1", "-i", film, "-c", "copy", "-f", form, "-"]
        with subprocess.Popen(args, stdout=subprocess.PIPE) as process:
            try:
                while not owner.is_over and (piece := process.stdout.read1(16384)):
                    handler.wfile.write(piece)
            finally:
                process.kill()
    return route


def falls_silent(film, form, kind):
    """The film at once, and then nothing while the connection stays."""
    done = subprocess.run(["ffmpeg", "-v", "error", "-nostdin", "-i", film, "-c", "copy", "-f", form, "-"],
                          capture_output=True, timeout=30, check=True)

    def route(handler, owner):
        handler.send_response(200)
        handler.send_header("Content-Type", kind)
        handler.end_headers()
        handler.wfile.write(done.stdout)
        while not owner.is_over:
            time.sleep(0.1)
    return route


def file_of(path, kind):
    def route(handler, owner):
        with open(path, "rb") as f:
            body = f.read()
        handler.send_response(200)
        handler.send_header("Content-Type", kind)
        handler.send_header("Content-Length", str(len(body)))
        handler.end_headers()
        handler.wfile.write(body)
    return route


def children_of(parent, name):
    """Process ids."""
    found = []
    for pid in filter(str.isdigit, os.listdir("/proc")):
        try:
            with open(f"/proc/{pid}/stat", encoding="utf-8") as f:
                head, rest = f.read().rsplit(")", 1)
        except (FileNotFoundError, ProcessLookupError):
            continue
        if head.split("(", 1)[1] == name[:15] and int(rest.split()[1]) == parent:
            found.append(int(pid))
    return found
