"""Clients that mean harm or know no better, and clips to the frame."""

import http.client
import json
import os
import re
import signal
import socket
import tempfile
import time
import unittest
from datetime import datetime, timedelta, timezone

from mp4 import picture_times
from peers import coded_pictures, index_of, recorded_frames, recordings, save, segments, set_up_district
from rookery import ROOT, SERVER, Camsim, Rookery, ffprobe, now, parse_time, rfc3339, wait_for
from websocket import WebSocket

SMALL = {"scene": "corridor", "size": "320x240", "fps": 10, "gop": 10, "bitrate": 300000}
WALL = "/api/v1/wall"
PROTOCOL = "rookery.wall.1"


def routes():
    """(method, path) of everything docs/openapi.yaml describes, and whether it is open to all."""
    found = []
    path = method = None
    with open(os.path.join(ROOT, "docs", "openapi.yaml"), encoding="utf-8") as f:
        lines = f.read().split("\npaths:\n")[1].split("\ncomponents:\n")[0].split("\n")
    for line in lines:
        if m := re.match(r"  (/\S*):$", line):
            path = m.group(1)
        elif m := re.match(r"    (get|put|post|patch|delete):$", line):
            method = m.group(1).upper()
            found.append([method, path, False])
        elif re.match(r"      security: \[\]", line):
            found[-1][2] = True
    return found


class Clients(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.folder = tempfile.mkdtemp(prefix="rookery-test-")
        cls.names = [f"cam-{i}" for i in range(1, 13)]
        cls.sim = Camsim(cls.folder, [{"id": n, "main": SMALL} for n in cls.names])
        cls.rookery = Rookery(cls.folder, "segment: 5\nmotion: off\n")
        set_up_district(cls.rookery, [(n, cls.sim.url(n)) for n in cls.names])
        cls.rookery.start()
        cls.cookie, cls.csrf = cls.rookery.sign_in()
        cls.headers = {"Authorization": "Bearer " + cls.rookery.token}

    @classmethod
    def tearDownClass(cls):
        cls.rookery.end()
        cls.sim.end()

    def api(self, *args, **more):
        return self.rookery.api(*args, **more)

    def server_pid(self):
        return self.rookery.process.popen.pid

    def n_files(self):
        return len(os.listdir(f"/proc/{self.server_pid()}/fd"))

    def memory_kb(self):
        with open(f"/proc/{self.server_pid()}/statm", encoding="ascii") as f:
            return int(f.read().split()[1]) * 4

    def assert_memory_near(self, before_kb, allowed_kb):
        with open(SERVER, "rb") as f:
            if b"__asan_init" not in f.read():  # a sanitizer keeps what was freed for a while
                self.assertLess(self.memory_kb() - before_kb, allowed_kb)

    def raw(self, data, timeout=15):
        """Everything the server says to these bytes until it closes."""
        with socket.create_connection(("127.0.0.1", self.rookery.port), timeout=timeout) as s:
            answer = b""
            try:
                s.sendall(data)
                s.shutdown(socket.SHUT_WR)
                while piece := s.recv(65536):
                    answer += piece
            except (ConnectionResetError, BrokenPipeError):
                pass
            return answer

    # --- rights ---

    def test_every_route_asks_who_is_there(self):
        found = routes()
        self.assertGreater(len(found), 40)
        for method, path, is_open in found:
            path = "/api/v1" + path.replace("{id}", "cam-1")
            for headers in ({}, {"Cookie": "rookery_session=x"}, {"Authorization": "Bearer x"},
                            {"Authorization": "Basic YWRtaW46YWRtaW4="}, {"Upgrade": "websocket", "Connection": "Upgrade"}):
                body = "{}" if method in ("POST", "PUT", "PATCH") else None
                kind = {"Content-Type": "application/json"} if body else {}
                reply = self.rookery.request(method, path, body, token=None, headers={**headers, **kind})
                if is_open:
                    self.assertIn(reply.status, (200, 401, 422), (method, path))
                else:
                    self.assertEqual(reply.status, 401, (method, path, headers, reply.body[:200]))

    def test_every_change_by_cookie_needs_the_secret(self):
        for method, path, is_open in routes():
            if method == "GET" or is_open:
                continue
            path = "/api/v1" + path.replace("{id}", "cam-1")
            for more in ({}, {"X-CSRF-Token": "x" * 32}, {"X-CSRF-Token": ""}):
                reply = self.rookery.request(method, path, "{}", token=None, headers={
                    "Cookie": self.cookie, "Content-Type": "application/json", **more})
                self.assertEqual(reply.status, 403, (method, path, more))
        self.assertEqual(self.api("GET", "/cameras/cam-1").status, 200)

    def test_wall_of_another_origin(self):
        own = f"http://127.0.0.1:{self.rookery.port}"
        for origin, status in ((own, 101), ("http://evil.example", 403), ("null", 403),
                               (own + "0", 403), (own + ".evil.example", 403), (None, 403)):
            headers = {"Cookie": self.cookie}
            if origin:
                headers["Origin"] = origin
            ws = WebSocket(self.rookery.port, WALL, headers, PROTOCOL)
            ws.close()
            self.assertEqual(ws.status, status, origin)

    # --- HTTP ---

    def test_malformed_requests_are_answered_and_closed(self):
        host = f"Host: 127.0.0.1:{self.rookery.port}\r\n"
        for data in (b"\r\n\r\n\r\n", b"GET\r\n\r\n", b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(500),
                     os.urandom(2000) + b"\r\n\r\n", b"GET / HTTP/9.9\r\n\r\n",
                     f"GET / HTTP/1.1\r\n{host}X: {'a' * 200000}\r\n\r\n".encode(),
                     f"GET /{'a' * 100000} HTTP/1.1\r\n{host}\r\n".encode(),
                     ("GET / HTTP/1.1\r\n" + host + "".join(f"X-{i}: 1\r\n" for i in range(5000)) + "\r\n").encode(),
                     f"POST /api/v1/session HTTP/1.1\r\n{host}Content-Length: -1\r\n\r\n".encode(),
                     f"POST /api/v1/session HTTP/1.1\r\n{host}Content-Length: 99999999999999999999\r\n\r\n".encode(),
                     f"POST /api/v1/session HTTP/1.1\r\n{host}Content-Length: 1\r\nContent-Length: 2\r\n\r\nx".encode(),
                     f"POST /api/v1/session HTTP/1.1\r\n{host}Transfer-Encoding: chunked\r\n"
                     "Content-Length: 3\r\n\r\nzz\r\n".encode(),
                     f"POST /api/v1/session HTTP/1.1\r\n{host}Transfer-Encoding: chunked\r\n\r\nffffffffff\r\n".encode(),
                     f"GET / HTTP/1.1\r\n{host}{host}\r\n".encode()):
            answer = self.raw(data)
            if answer:
                self.assertRegex(answer[:12], rb"^HTTP/1\.[01] (4|5)\d\d|^HTTP/1\.[01] 200", data[:60])
        self.assertEqual(self.api("GET", "/me").status, 200)

    def test_bad_bodies(self):
        deep = "[" * 100000
        for body in ("", "{", "null", "[]", '"x"', "1e999", '{"a":1}{"b":2}', deep, '{"name":"' + "x" * 300000 + '"}',
                     '{"name":"\\ud800"}', '{"name":"a\\u0000b"}', '{"name":"x","name":"y"}', b"\xff\xfe{}", '{"name":{}}'):
            reply = self.rookery.request("POST", "/api/v1/townships", body, headers={"Content-Type": "application/json"})
            self.assertIn(reply.status, (400, 413, 422), (body[:40], reply.status, reply.body[:100]))
            self.assertEqual(reply.headers["Content-Type"], "application/problem+json")
            self.assertTrue(reply.json["detail"])
        for kind in ("text/plain", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x", "text/csv", ""):
            reply = self.rookery.request("POST", "/api/v1/townships", '{"name":"x"}', headers={"Content-Type": kind})
            self.assertEqual(reply.status, 415, kind)
        self.assertNotIn("x", [t["name"] for t in self.rookery.get("/townships")["items"]])

    def test_hostile_addresses(self):
        for path in ("/cameras/%00", "/cameras/..%2f..%2fme", "/cameras/" + "a" * 5000, "/cameras/cam-1/%2e%2e/state",
                     "/cameras/cam-1'--/state", "/cameras/%ff%fe/state", "/cameras/cam-1/state/x",
                     "/cameras/cam-1/clip.mp4?from=0000-00-00T00:00:00Z&to=9999-99-99T99:99:99Z",
                     "/cameras/cam-1/recordings?from=2026-01-02T00:00:00Z&to=2026-01-01T00:00:00Z",
                     "/cameras/cam-1/timeline?from=1970-01-01T00:00:00Z&to=2020-01-01T00:00:00Z&bucket_s=nan",
                     "/cameras/cam-1/timeline?from=1970-01-01T00:00:00Z&to=2020-01-01T00:00:00Z&bucket_s=-1",
                     "/cameras/cam-1/snapshot.jpg?width=-5", "/cameras/cam-1/snapshot.jpg?width=999999999999",
                     "/cameras?limit=-1", "/cameras?limit=99999999999999999999", "/cameras?cursor=%ff%00",
                     "/cameras/cam-1/live.mp4?stream=other", "/reports/uptime?period=2026-13",
                     "/reports/uptime?period=9999-W99",
                     "/events?type=nothing"):
            reply = self.api("GET", path)
            self.assertIn(reply.status, (400, 404, 414, 422, 431), (path, reply.status, reply.body[:100]))

    def test_slow_headers_do_not_hold_the_others_up(self):
        before = self.n_files()
        slow = []
        for _ in range(200):
            s = socket.create_connection(("127.0.0.1", self.rookery.port), timeout=5)
            s.sendall(b"GET /healthz HTTP/1.1\r\nHost: x\r\nX-Slow: ")
            slow.append(s)
        started = time.monotonic()
        self.assertEqual(self.api("GET", "/me").status, 200)
        self.assertLess(time.monotonic() - started, 1)

        def thrown_out():
            for s in slow:
                try:
                    s.sendall(b"a")
                except OSError:
                    pass
            return self.n_files() < before + 20

        wait_for("slow clients to be thrown out", thrown_out, 45)
        for s in slow:
            s.close()

    def test_asking_for_what_is_not_there_leaks_nothing(self):
        def ask(n):
            c = self.rookery.connect()
            for i in range(n):
                c.request("GET", f"/api/v1/cameras/none-{i}/live.mp4", headers=self.headers)
                response = c.getresponse()
                response.read()
                if response.status != 404:
                    raise AssertionError(response.status)
            c.close()

        ask(2000)
        files, memory = self.n_files(), self.memory_kb()
        ask(10000)
        for _ in range(500):
            self.api("GET", "/cameras/none/snapshot.jpg", expect=404)
        wait_for("files closed", lambda: self.n_files() <= files + 2, 5)
        self.assert_memory_near(memory, 4096)

    def test_viewers_that_come_and_go_leave_nothing(self):
        self.rookery.wait_cause("cam-1", "ok")
        files, waited = None, []
        stays = self.rookery.connect()
        stays.request("GET", "/api/v1/cameras/cam-1/live.mp4", headers=self.headers)
        stays_answer = stays.getresponse()
        wait_for("a viewer", lambda: self.rookery.state("cam-1")["viewers"] >= 1, 10)
        for i in range(200):
            if i == 50:
                wait_for("one viewer", lambda: self.rookery.state("cam-1")["viewers"] == 1, 10)
                files, memory = self.n_files(), self.memory_kb()
            s = socket.create_connection(("127.0.0.1", self.rookery.port), timeout=5)
            s.sendall(f"GET /api/v1/cameras/cam-1/live.mp4 HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {self.rookery.token}"
                      "\r\n\r\n".encode())
            if i % 3:
                started = time.monotonic()
                s.recv(1 << (i % 12))
                waited.append(time.monotonic() - started)
            if i % 5 == 0:
                s.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
            s.close()
        wait_for("one viewer", lambda: self.rookery.state("cam-1")["viewers"] == 1, 10)
        stays_answer.close()
        stays.close()
        wait_for("viewers gone", lambda: self.rookery.state("cam-1")["viewers"] == 0, 10)
        wait_for("files closed", lambda: self.n_files() <= files + 3, 10)
        self.assertLess(sorted(waited)[len(waited) // 2], 0.3)  # from the newest key frame, at once
        self.assert_memory_near(memory, 8192)

    # --- the wall ---

    def wall(self):
        ws = WebSocket(self.rookery.port, WALL, self.headers, PROTOCOL)
        self.addCleanup(ws.close)
        self.assertEqual(ws.status, 101)
        self.assertEqual(json.loads(ws.receive()[1])["type"], "hello")
        return ws

    def until_close(self, ws):
        messages = []
        try:
            while True:
                opcode, payload = ws.receive()
                if opcode == 8:
                    return messages, int.from_bytes(payload[:2], "big")
                if opcode == 1:
                    messages.append(json.loads(payload))
        except (EOFError, ConnectionResetError):
            return messages, None

    def test_garbage_on_the_wall(self):
        for text in (b"", b"{", b"[]", b"null", b'{"type":1}', b'{"type":"nothing"}', b'{"type":"subscribe"}',
                     b'{"type":"subscribe","tile":-1,"gen":1,"camera":"cam-1"}',
                     b'{"type":"subscribe","tile":1e99,"gen":1,"camera":"cam-1"}',
                     b'{"type":"subscribe","tile":1,"gen":1,"camera":"' + b"x" * 500 + b'"}',
                     b'{"type":"subscribe","tile":1,"gen":1,"camera":"cam-1","at":"yesterday"}',
                     b'{"type":"seek","tile":77,"gen":1,"at":"live"}', b'{"type":"speed","tile":1,"speed":-3}',
                     b'{"type":"layout","visible":"all"}', b'{"type":"layout","visible":[70000,-1]}', b"[" * 60000):
            ws = self.wall()
            ws.sock.settimeout(10)
            self.send_long(ws, text)
            opcode, payload = ws.receive()
            self.assertEqual((opcode, json.loads(payload)["type"]), (1, "error"), text[:60])
            ws.send_json({"type": "ping", "t": 5})
            self.assertEqual(json.loads(ws.receive()[1]), {"type": "pong", "t": 5}, text[:60])

        ws = self.wall()
        for _ in range(40):
            try:
                ws.send(b"garbage")
            except OSError:
                break
        messages, code = self.until_close(ws)
        self.assertEqual(code, 1008)
        self.assertLessEqual(len(messages), 17)

    @staticmethod
    def send_long(ws, payload):
        if len(payload) < 126:
            ws.send(payload)
        else:
            ws.sock.sendall(b"\x81" + bytes([128 | 126]) + len(payload).to_bytes(2, "big") + b"\0\0\0\0" + payload)

    def test_broken_frames_on_the_wall(self):
        for data in (b"\x81\x02hi", b"\xf1\x80\0\0\0\0", b"\x83\x80\0\0\0\0", b"\x81\xff" + b"\xff" * 8 + b"\0\0\0\0",
                     b"\x81\xff" + (1 << 30).to_bytes(8, "big") + b"\0\0\0\0" + b"x" * 70000, b"\x80\x80\0\0\0\0",
                     b"\x89\xfe\x00\xff\0\0\0\0" + b"x" * 255, b"\x81\x82\0\0\0\0\xff\xfe", os.urandom(500)):
            ws = self.wall()
            ws.sock.settimeout(12)
            try:
                ws.sock.sendall(data)
                _, code = self.until_close(ws)
            except (BrokenPipeError, ConnectionResetError):
                code = None
            self.assertIn(code, (None, 0, 1002, 1003, 1007, 1008, 1009), data[:20])
        self.assertEqual(self.api("GET", "/me").status, 200)

    def test_too_many_tiles(self):
        ws = self.wall()
        for tile in range(110):
            ws.send_json({"type": "subscribe", "tile": tile, "gen": 1, "camera": "cam-2", "stream": "main"})
        accepted, refused = set(), set()
        end = time.monotonic() + 20
        while len(accepted) + len(refused) < 110 and time.monotonic() < end:
            opcode, payload = ws.receive()
            if opcode == 1:
                m = json.loads(payload)
                if m["type"] == "subscribed":
                    accepted.add(m["tile"])
                elif m["type"] == "error":
                    self.assertEqual(m["code"], "too_many")
                    refused.add(m["tile"])
        self.assertEqual((len(accepted), len(refused)), (100, 10))
        wait_for("viewers counted", lambda: self.rookery.state("cam-2")["viewers"] >= 1, 10)
        ws.close()
        wait_for("tiles gone", lambda: self.rookery.state("cam-2")["viewers"] == 0, 10)

    # --- clips ---

    def test_clip_is_exact_to_the_picture(self):
        wait_for("pictures", lambda: recorded_frames(self.rookery, "cam-3") >= 90, 40)
        paths = segments(self.rookery, "cam-3")
        everything = [h for path in paths for h in coded_pictures(path, "h264", "-ignore_editlist", "1")[0]]
        times = [datetime.fromtimestamp(t - 0.03, timezone.utc) for path in paths for t in picture_times(path)]
        ends = set()
        for first, n in ((0, 10), (3, 1), (7, 33), (19, 2), (10, 35)):
            reply = self.api("GET", f"/cameras/cam-3/clip.mp4?from={rfc3339(times[first])}&to={rfc3339(times[first + n])}",
                             expect=200)
            self.assertEqual(int(reply.headers["Content-Length"]), len(reply.body))
            path = save(os.path.join(self.folder, f"clip-{first}-{n}.mp4"), reply.body)
            found, errors = ffprobe(path, "-count_frames", "-show_entries", "stream=nb_read_frames:format=duration")
            self.assertEqual((errors, int(found["streams"][0]["nb_read_frames"])), ("", n), (first, n))
            # what is in the file from the key frame on ends with the last picture shown
            hashes, _ = coded_pictures(path, "h264", "-ignore_editlist", "1")
            at = index_of(hashes, everything)
            self.assertGreaterEqual(at, 0)
            ends.add((at + len(hashes)) - (first + n))
        self.assertEqual(len(ends), 1, ends)

    def test_ranges_of_a_clip(self):
        wait_for("pictures", lambda: recorded_frames(self.rookery, "cam-4") >= 60, 40)
        span = recordings(self.rookery, "cam-4")["spans"][-1]
        begin = parse_time(span["from"])
        path = f"/cameras/cam-4/clip.mp4?from={rfc3339(begin)}&to={rfc3339(begin + timedelta(seconds=5))}"
        whole = self.api("GET", path, expect=200)
        n = len(whole.body)
        parts = b"".join(self.api("GET", path, headers={"Range": f"bytes={at}-{min(at + 7777, n) - 1}"}, expect=206).body
                         for at in range(0, n, 7777))
        self.assertEqual(parts, whole.body)
        for text, body in (("bytes=-100", whole.body[-100:]), (f"bytes={n - 1}-", whole.body[-1:]),
                           ("bytes=0-0", whole.body[:1]), (f"bytes=5-{n * 10}", whole.body[5:])):
            reply = self.api("GET", path, headers={"Range": text}, expect=206)
            self.assertEqual(reply.body, body, text)
            self.assertRegex(reply.headers["Content-Range"], rf"^bytes \d+-\d+/{n}$")
        reply = self.api("GET", path, headers={"Range": f"bytes={n}-"}, expect=416)
        for text in ("bytes=a-b", "bytes=9-3", "lines=1-2", "bytes=0-1,5-6"):
            self.assertIn(self.api("GET", path, headers={"Range": text}).status, (200, 206, 416), text)
        head = self.rookery.request("HEAD", "/api/v1" + path)
        self.assertIn(head.status, (200, 405))

    def test_gaps_of_a_clip_are_listed(self):
        wait_for("pictures", lambda: recorded_frames(self.rookery, "cam-5") >= 30, 40)
        self.sim.control("cam-5", "fail?mode=refuse")
        wait_for("an outage", lambda: not self.rookery.state("cam-5")["advancing"], 20)
        self.sim.control("cam-5", "plug")
        wait_for("a second span",
                 lambda: len((s := recordings(self.rookery, "cam-5")["spans"])) > 1 and s[-1]["frames"] > 25, 40)
        spans = recordings(self.rookery, "cam-5")["spans"]
        start, end = parse_time(spans[0]["to"]) - timedelta(seconds=2), parse_time(spans[1]["from"]) + timedelta(seconds=1)
        reply = self.api("GET", f"/cameras/cam-5/clip.mp4?from={rfc3339(start)}&to={rfc3339(end)}", expect=200)
        gaps = reply.headers["Rookery-Gaps"]
        self.assertRegex(gaps, r"^[0-9T:.Z-]+/[0-9T:.Z-]+;(refused|unreachable|timeout|connecting)")
        covered = gaps.split(";")[0].split("/")
        self.assertLess(abs((parse_time(covered[0]) - parse_time(spans[0]["to"])).total_seconds()), 0.2)
        path = save(os.path.join(self.folder, "gap.mp4"), reply.body)
        found, errors = ffprobe(path, "-count_frames", "-show_entries", "stream=nb_read_frames:format=duration")
        self.assertEqual(errors, "")
        self.assertAlmostEqual(int(found["streams"][0]["nb_read_frames"]), 30, delta=2)


class Stop(unittest.TestCase):
    def test_stop_with_many_cameras_and_viewers(self):
        folder = tempfile.mkdtemp(prefix="rookery-test-")
        names = [f"cam-{i}" for i in range(1, 13)]
        sim = Camsim(folder, [{"id": n, "main": SMALL} for n in names])
        self.addCleanup(sim.end)
        rookery = Rookery(folder, "motion: on\nsegment: 5\n")
        self.addCleanup(rookery.end)
        set_up_district(rookery, [(n, sim.url(n)) for n in names])
        rookery.start()
        rookery.sign_in()
        for n in names:
            rookery.wait_cause(n, "ok", 40)
        headers = {"Authorization": "Bearer " + rookery.token}
        walls = [WebSocket(rookery.port, WALL, headers, PROTOCOL) for _ in range(4)]
        for ws in walls:
            for tile, name in enumerate(names):
                ws.send_json({"type": "subscribe", "tile": tile, "gen": 1, "camera": name, "stream": "main"})
        viewers = []
        for name in names:
            c = rookery.connect()
            c.request("GET", f"/api/v1/cameras/{name}/live.mp4", headers=headers)
            viewers.append((c, c.getresponse()))
        c = rookery.connect()
        c.request("GET", "/api/v1/events/stream", headers=headers)
        viewers.append((c, c.getresponse()))
        wait_for("recordings", lambda: all(recorded_frames(rookery, n) > 20 for n in names), 30)
        started = time.monotonic()
        self.assertEqual(rookery.stop(signal.SIGTERM), 0)
        self.assertLess(time.monotonic() - started, 5)
        control = http.client.HTTPConnection("127.0.0.1", sim.control_port, timeout=5)

        def clients():
            control.request("GET", "/cameras")
            return json.loads(control.getresponse().read())["clients"]

        wait_for("no client at the cameras", lambda: clients() == 0, 3)
        out = rookery.command("index", "check", "--deep")
        self.assertEqual((out.returncode, out.stderr), (0, ""), out.stdout)
        for item in (*walls, *(v[0] for v in viewers)):
            item.close()
        # Down for longer than a group of pictures: a camera that sends its cached group first leaves no gap otherwise.
        time.sleep(4)
        rookery.start()
        before = {n: recorded_frames(rookery, n) for n in names}
        wait_for("all record again", lambda: all(recorded_frames(rookery, n) > before[n] + 10 for n in names), 30)
        answer = rookery.get("/cameras/cam-1/recordings", **{"from": now(-60), "to": now()})
        self.assertIn("server_stopped", [g["cause"] for g in answer["gaps"]], answer)


if __name__ == "__main__":
    unittest.main()
