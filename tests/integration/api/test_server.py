"""The server with simulated cameras: from sign-in to recordings, clips and states."""

import http.client
import http.client
import json
import os
import signal
import socket
import tempfile
import threading
import time
import unittest
from datetime import timedelta

from rookery import PASSWORD, SERVER, Camsim, Rookery, ffprobe, free_port, now, parse_time, rfc3339, wait_for
from websocket import WebSocket

SMALL = {"scene": "corridor", "size": "320x240", "fps": 10, "gop": 10, "bitrate": 200000}


def camera(name, **more):
    return dict({"id": name, "main": SMALL, "sub": {"size": "160x120", "fps": 5, "gop": 5, "bitrate": 60000}}, **more)


def random_bytes_server():
    """A port where nobody speaks RTSP: noise to everybody."""
    listener = socket.create_server(("127.0.0.1", 0))
    kept = []

    def serve():
        while True:
            try:
                peer, _ = listener.accept()
                peer.recv(4000)
                peer.sendall(os.urandom(4000))
                kept.append(peer)
            except OSError:
                return

    threading.Thread(target=serve, daemon=True).start()
    return listener


class Fixture(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.folder = tempfile.mkdtemp(prefix="rookery-test-")
        cls.sim = Camsim(cls.folder, cls.cameras())
        cls.rookery = Rookery(cls.folder, "segment: 10\n")
        rows = ["township,institution_id,institution_name,camera_id,camera_name,area_type,main_url,sub_url,username,"
                "password,record"]
        rows += cls.rows()
        csv = os.path.join(cls.folder, "district.csv")
        with open(csv, "w", encoding="utf-8") as f:
            f.write("\n".join(rows) + "\n")
        out = cls.rookery.command("import", csv)
        assert out.returncode == 0, out.stderr
        cls.rookery.start()
        cls.cookie, cls.csrf = cls.rookery.sign_in()

    @classmethod
    def tearDownClass(cls):
        cls.rookery.end()
        cls.sim.end()

    @classmethod
    def row(cls, name, url, sub="", user="", password="", record="main"):
        return f"甲镇,i-1,一号园,{name},{name},corridor,{url},{sub},{user},{password},{record}"

    def api(self, *args, **more):
        return self.rookery.api(*args, **more)


class WithCameras(Fixture):
    @classmethod
    def cameras(cls):
        return [camera("cam-1"), camera("cam-2", auth="digest", username="u", password="p"), camera("cam-3")]

    @classmethod
    def rows(cls):
        return [cls.row("cam-1", cls.sim.url("cam-1"), cls.sim.url("cam-1", "/sub"), record="both"),
                cls.row("cam-2", cls.sim.url("cam-2"), user="u", password="p"),
                cls.row("cam-3", cls.sim.url("cam-3"), cls.sim.url("cam-3", "/sub"), record="off")]

    def wait_recorded(self, name="cam-1", seconds=6):
        def check():
            spans = self.rookery.get(f"/cameras/{name}/recordings", **{"from": now(-600), "to": now(5)})["spans"]
            if not spans:
                return None
            s = spans[-1]
            return s if (parse_time(s["to"]) - parse_time(s["from"])).total_seconds() > seconds else None

        return wait_for("a recording", check, 40)

    # --- signing in ---

    def test_nothing_without_signing_in(self):
        for path in ("/me", "/cameras", "/states", "/events/stream", "/cameras/cam-1/live.mp4", "/wall", "/storage"):
            reply = self.api("GET", path, token=None)
            self.assertEqual(reply.status, 401, path)
            self.assertEqual(reply.headers["Content-Type"], "application/problem+json")
        self.assertEqual(self.api("GET", "/me", token=None, headers={"Authorization": "Bearer x"}).status, 401)

    def test_cookie_needs_csrf_to_change_something(self):
        headers = {"Cookie": self.cookie}
        self.assertEqual(self.api("GET", "/me", token=None, headers=headers).status, 200)
        body = {"name": "乙镇"}
        self.assertEqual(self.api("POST", "/townships", body, token=None, headers=headers).status, 403)
        headers["X-CSRF-Token"] = self.csrf
        reply = self.api("POST", "/townships", body, token=None, headers=headers, expect=201)
        self.api("DELETE", "/townships/" + reply.json["id"], expect=204)

    def test_a_refusal_names_its_reason(self):
        new = {"id": "x", "name": "x", "institution_id": "i-1", "main_url": "rtsp://h/1"}
        hold = {"camera_id": "cam-1", "from": now(-60), "to": now(-30), "reason": "case"}
        backwards = dict(hold, to=now(-90))
        for method, path, body, status, code, params in (
            ("POST", "/cameras", dict(new, id="cam-1"), 409, "exists", ["camera", "cam-1"]),
            ("POST", "/cameras", dict(new, main_url="ftp://h"), 422, "field_url", ["main_url"]),
            ("POST", "/cameras", dict(new, name=""), 422, "field_empty", ["name"]),
            ("POST", "/cameras", dict(new, name="长" * 200), 422, "field_long", ["name", "384"]),
            ("POST", "/cameras", dict(new, id="a b"), 422, "field_id", ["id", "a b"]),
            ("POST", "/cameras", dict(new, area_type="toilet"), 422, "area_forbidden", []),
            ("POST", "/cameras", dict(new, record="sub"), 422, "sub_needed", ["sub"]),
            ("GET", "/cameras/none", None, 404, "unknown_thing", ["camera", "none"]),
            ("GET", "/events?node=none", None, 404, "unknown_node", ["none"]),
            ("DELETE", "/institutions/i-1", None, 409, "institution_in_use", ["i-1"]),
            ("PATCH", "/users/admin", {"password": "short"}, 422, "password_length", ["8", "256"]),
            ("POST", "/holds", dict(hold, reason=" "), 422, "reason_needed", ["1000"]),
            ("POST", "/holds", backwards, 422, "range_empty", []),
            ("POST", "/holds", dict(hold, camera_id="none"), 422, "camera_gone", ["none"]),
            ("DELETE", "/holds/none", {"reason": "x"}, 404, "unknown_thing", ["hold", "none"]),
            ("GET", "/cameras/cam-1/clip.mp4?from=2020-01-01T00:00:00Z&to=2020-01-01T00:01:00Z", None, 404,
             "nothing_recorded", []),
            ("GET", "/cameras/cam-1/snapshot.jpg?at=2020-01-01T00:00:00Z", None, 404, "nothing_recorded", []),
            ("GET", "/cameras/cam-1/recordings?from=2020-01-01T00:00:00Z&to=2026-01-01T00:00:00Z", None, 422,
             "range_long", ["400"]),
        ):
            with self.subTest(path=path, code=code):
                reply = self.api(method, path, body, expect=status)
                self.assertEqual((reply.json["code"], reply.json["params"]), (code, params))
        reply = self.api("POST", "/session", {"username": "nobody", "password": "x"}, token=None, expect=401)
        self.assertEqual(reply.json["code"], "credentials_wrong")
        self.assertNotIn("code", self.api("GET", "/nowhere", expect=404).json)

    def test_sign_out_ends_the_session(self):
        reply = self.api("POST", "/session", {"username": "admin", "password": PASSWORD}, expect=200)
        cookie = reply.headers["Set-Cookie"].split(";")[0]
        self.assertIn("HttpOnly", reply.headers["Set-Cookie"])
        headers = {"Cookie": cookie, "X-CSRF-Token": reply.json["csrf"]}
        self.api("DELETE", "/session", token=None, headers=headers, expect=204)
        self.assertEqual(self.api("GET", "/me", token=None, headers=headers).status, 401)

    def test_wrong_passwords_are_slowed_down(self):
        statuses = []
        for _ in range(7):
            reply = self.api("POST", "/session", {"username": "nobody", "password": "wrong password"}, token=None)
            statuses.append(reply.status)
        self.assertEqual(statuses[0], 401)
        self.assertEqual(statuses[-1], 429)
        self.assertGreater(int(reply.headers["Retry-After"]), 0)

    def test_a_new_password_ends_what_is_open(self):
        self.api("POST", "/users", {"name": "guest", "password": "first password"}, expect=201)
        reply = self.api("POST", "/session", {"username": "guest", "password": "first password"}, expect=200)
        headers = {"Cookie": reply.headers["Set-Cookie"].split(";")[0],
                   "Origin": f"http://127.0.0.1:{self.rookery.port}"}
        c = self.rookery.connect()
        c.request("GET", "/api/v1/events/stream", headers=headers)
        events = c.getresponse()
        ws = WebSocket(self.rookery.port, "/api/v1/wall", headers, "rookery.wall.1")
        ws.send_json({"type": "subscribe", "tile": 1, "gen": 1, "camera": "cam-1", "stream": "auto", "audio": False})
        while ws.receive()[0] != 2:
            pass
        self.api("PATCH", "/users/guest", {"password": "second password"}, expect=200)
        while True:
            kind, payload = ws.receive()
            if kind == 1 and json.loads(payload)["type"] == "error":
                break
        self.assertEqual(json.loads(payload)["code"], "forbidden")
        while events.readline():
            pass  # the stream ends
        self.assertEqual(self.api("GET", "/me", token=None, headers=headers).status, 401)
        self.api("DELETE", "/users/guest", expect=204)

    def test_a_command_beside_the_server_is_noticed(self):
        out = self.rookery.command("user", "add", "other", "--password-stdin", stdin="another one\n")
        self.assertEqual((out.returncode, out.stderr), (0, ""))
        wait_for("the new user", lambda: self.api("POST", "/session", {"username": "other", "password": "another one"},
                                                  token=None).status == 200, 10)
        csv = os.path.join(self.folder, "more.csv")
        with open(csv, "w", encoding="utf-8") as f:
            f.write("township,institution_id,institution_name\n甲镇,i-9,九号园\n")
        self.assertEqual(self.rookery.command("import", csv).returncode, 0)
        wait_for("the new institution", lambda: self.api("GET", "/institutions/i-9").status == 200, 10)

    # --- words of the API ---

    def test_errors_are_problems(self):
        for method, path, body, status in (
                ("GET", "/nothing", None, 404), ("GET", "/cameras/none", None, 404), ("PUT", "/me", {}, 405),
                ("POST", "/townships", {"nam": "x"}, 422), ("POST", "/townships", {"name": ""}, 422),
                ("POST", "/townships", {"name": 3}, 422), ("POST", "/townships", "{", 415),
                ("GET", "/cameras/cam-1/recordings", None, 422),
                ("GET", "/cameras/cam-1/recordings?from=yesterday&to=today", None, 422),
                ("GET", "/cameras?node=township:none", None, 404),
                ("GET", "/cameras/cam-1/live.m3u8", None, 404), ("POST", "/exports", {}, 404),
                ("GET", "/reports/uptime?period=never", None, 422)):
            reply = self.api(method, path, body)
            self.assertEqual(reply.status, status, (method, path, reply.body))
            self.assertEqual(reply.headers["Content-Type"], "application/problem+json", path)
            self.assertTrue(reply.json["detail"])

    def test_district_by_hand(self):
        t = self.api("POST", "/townships", {"id": "t-9", "name": "丙镇"}, expect=201).json
        self.assertEqual(t["institutions"], 0)
        self.api("POST", "/townships", {"id": "t-9", "name": "丙镇"}, expect=409)
        self.api("POST", "/institutions", {"id": "i-8", "name": "八号园", "township_id": "none"}, expect=422)
        i = self.api("POST", "/institutions", {"id": "i-8", "name": "八号园", "township_id": "t-9"}, expect=201).json
        self.assertEqual(i["township_name"], "丙镇")
        self.api("PATCH", "/institutions/i-8", {"phone": "123"}, expect=200)
        self.assertEqual(self.api("PUT", "/institutions/i-8", {"name": "八园", "township_id": "t-9"},
                                  expect=200).json["phone"], "")
        self.api("DELETE", "/townships/t-9", expect=409)
        c = {"id": "cam-8", "name": "门", "institution_id": "i-8", "main_url": "rtsp://u:p%40@127.0.0.1:9/x", "area_type":
             "toilet"}
        reply = self.api("POST", "/cameras", c, expect=422)
        self.assertIn("law", reply.json["detail"])
        c["area_type"] = "entrance"
        made = self.api("POST", "/cameras", c, expect=201).json
        self.assertEqual((made["main_url"], made["username"], made["has_password"]), ("rtsp://127.0.0.1:9/x", "u", True))
        self.assertNotIn("password", made)
        for what in ("recordings", "timeline", "days"):  # from its first moment on
            more = f"month={now()[:7]}" if what == "days" else f"from={now(-60)}&to={now()}"
            self.api("GET", f"/cameras/cam-8/{what}?{more}", expect=200)
        self.rookery.wait_cause("cam-8", "refused")
        self.assertFalse(self.api("PATCH", "/cameras/cam-8", {"enabled": False}, expect=200).json["enabled"])
        self.rookery.wait_cause("cam-8", "disabled")
        self.assertEqual([x["id"] for x in self.rookery.get("/cameras", node="institution:i-8")["items"]], ["cam-8"])
        for path in ("/cameras/cam-8", "/institutions/i-8", "/townships/t-9"):
            self.api("DELETE", path, expect=204)
        self.api("GET", "/cameras/cam-8/state", expect=404)

    def test_pages_of_a_list(self):
        first = self.rookery.get("/cameras", limit=2)
        self.assertEqual([c["id"] for c in first["items"]], ["cam-1", "cam-2"])
        second = self.rookery.get("/cameras", limit=2, cursor=first["next"])
        self.assertEqual([c["id"] for c in second["items"]], ["cam-3"])
        self.assertIsNone(second["next"])

    def test_import_answers_every_error(self):
        csv = "township,institution_id,institution_name,camera_id,main_url,area_type\n甲镇,i-1,一号园,cam-1,nonsense,厕所\n"
        headers = {"Content-Type": "text/csv"}
        reply = self.api("POST", "/import", csv, headers=headers, expect=422)
        self.assertEqual(reply.json["errors"][0]["line"], 2)
        self.assertEqual(reply.json["code"], "import_errors")
        self.assertTrue(all(e["code"] and isinstance(e["params"], list) for e in reply.json["errors"]))
        reply = self.api("POST", "/import?dry_run=1", csv, headers=headers, expect=200)
        self.assertFalse(reply.json["applied"])
        self.assertTrue(reply.json["errors"])
        self.api("POST", "/import", csv, headers={"Content-Type": "application/json"}, expect=415)

    def test_saved_walls(self):
        wall = self.api("POST", "/walls", {"name": "早班", "layout": 4, "tiles": ["cam-1", None, "gone"]}, expect=201).json
        self.assertEqual(wall["tiles"], ["cam-1", None, None])
        self.api("PUT", "/walls/" + wall["id"], {"name": "晚班", "layout": 9, "tiles": []}, expect=200)
        self.assertIn("晚班", [w["name"] for w in self.rookery.get("/walls")["items"]])
        self.api("POST", "/walls", {"name": "x", "layout": 5, "tiles": []}, expect=422)
        self.api("DELETE", "/walls/" + wall["id"], expect=204)

    # --- pictures ---

    def test_states_become_ok_and_figures_are_true(self):
        for name in ("cam-1", "cam-2", "cam-3"):
            self.rookery.wait_cause(name, "ok")
        state = wait_for("a recording state", lambda: (s := self.rookery.state("cam-1"))["recording"] and s["fps"] and s)
        self.assertEqual((state["codec"], state["width"], state["height"]), ("h264", 320, 240))
        self.assertAlmostEqual(state["fps"], 10, delta=2)
        self.assertTrue(state["has_sub"])
        self.assertEqual((state["lost_packets"], state["damaged_pictures"], state["resyncs"]), (0, 0, 0))
        self.assertEqual(state["unrequested_packets"], 0)
        sub = wait_for("the sub stream", lambda: (s := self.rookery.get("/cameras/cam-1/state", stream="sub"))["width"] and s)
        self.assertEqual((sub["stream"], sub["cause"], sub["width"]), ("sub", "ok", 160))
        self.assertEqual(self.api("GET", "/cameras/cam-2/state?stream=sub").status, 404)
        self.assertEqual(self.api("GET", "/cameras/cam-2/state?stream=third").status, 422)
        self.assertLess((parse_time(now()) - parse_time(state["recorded_at"])).total_seconds(), 5)
        self.assertFalse(self.rookery.state("cam-3")["recording"])

    def test_live_mp4_plays(self):
        self.rookery.wait_cause("cam-1", "ok")
        path = os.path.join(self.folder, "live.mp4")
        c = self.rookery.connect()
        c.request("GET", "/api/v1/cameras/cam-1/live.mp4", headers={"Authorization": "Bearer " + self.rookery.token})
        response = c.getresponse()
        self.assertEqual((response.status, response.headers["Content-Type"]), (200, "video/mp4"))
        started = time.monotonic()
        with open(path, "wb") as f:
            while time.monotonic() - started < 4:
                f.write(response.read1(65536))
        c.close()
        found, _ = ffprobe(path, "-count_frames", "-show_entries", "stream=codec_name,width,nb_read_frames")
        self.assertEqual((found["streams"][0]["codec_name"], found["streams"][0]["width"]), ("h264", 320))
        self.assertGreater(int(found["streams"][0]["nb_read_frames"]), 25)

    def test_snapshot_now_and_then(self):
        self.rookery.wait_cause("cam-3", "ok")
        reply = self.api("GET", "/cameras/cam-3/snapshot.jpg?width=160", expect=200)
        self.assertEqual((reply.headers["Content-Type"], reply.body[:3]), ("image/jpeg", b"\xff\xd8\xff"))
        span = self.wait_recorded()
        at = rfc3339(parse_time(span["to"]) - timedelta(seconds=2))
        reply = self.api("GET", "/cameras/cam-1/snapshot.jpg?at=" + at, expect=200)
        self.assertEqual(reply.body[:3], b"\xff\xd8\xff")
        taken = parse_time(reply.headers["Rookery-Time"])
        self.assertLess(abs((parse_time(at) - taken).total_seconds()), 2.5)
        self.api("GET", "/cameras/cam-1/snapshot.jpg?at=2020-01-01T00:00:00Z", expect=404)

    def test_clip_is_exact_and_ranges_fit_together(self):
        span = self.wait_recorded(seconds=8)
        start = parse_time(span["to"]) - timedelta(seconds=7.3)
        end = start + timedelta(seconds=4)
        path = f"/cameras/cam-1/clip.mp4?from={rfc3339(start)}&to={rfc3339(end)}"
        whole = self.api("GET", path, expect=200)
        self.assertEqual(int(whole.headers["Content-Length"]), len(whole.body))
        name = os.path.join(self.folder, "clip.mp4")
        with open(name, "wb") as f:
            f.write(whole.body)
        found, errors = ffprobe(name, "-count_frames", "-show_entries", "stream=nb_read_frames:format=duration")
        self.assertEqual(errors, "")
        self.assertAlmostEqual(float(found["format"]["duration"]), 4, delta=0.15)
        self.assertAlmostEqual(int(found["streams"][0]["nb_read_frames"]), 40, delta=1)
        half = len(whole.body) // 2
        parts = [self.api("GET", path, headers={"Range": r}, expect=206).body
                 for r in (f"bytes=0-{half - 1}", f"bytes={half}-")]
        self.assertEqual(b"".join(parts), whole.body)
        self.api("GET", "/cameras/cam-1/clip.mp4?from=2020-01-01T00:00:00Z&to=2020-01-01T00:01:00Z", expect=404)
        out = os.path.join(self.folder, "export.mp4")
        args = ("export", "--camera", "cam-1", "--from", rfc3339(start), "--to", rfc3339(end), "--out", out)

        def exported():
            if self.rookery.command(*args).returncode != 0:
                return b""
            with open(out, "rb") as f:
                data = f.read()
            os.remove(out)  # it never replaces one
            return data

        # a command beside the server sees finished files only: nothing at first, perhaps a part, then all
        wait_for("the export to be the clip", lambda: exported() == whole.body, 30)

    def test_timeline_and_days_add_up(self):
        span = self.wait_recorded()
        start = parse_time(span["from"])
        line = self.rookery.get("/cameras/cam-1/timeline", bucket_s=1, **{"from": rfc3339(start), "to":
                                rfc3339(start + timedelta(seconds=5))})
        self.assertEqual(len(line["buckets"]), 5)
        self.assertGreater(min(b["recorded"] for b in line["buckets"][1:]), 0.95)
        here = parse_time(now()) + timedelta(hours=8)
        days = self.rookery.get("/cameras/cam-1/days", month=here.strftime("%Y-%m"))["days"]
        self.assertEqual(days[-1]["day"], here.strftime("%Y-%m-%d"))
        self.assertGreater(days[-1]["recorded_s"], 5)

    def test_motion_becomes_events(self):
        item = wait_for("an event", lambda: self.rookery.get("/events")["items"], 40)[0]
        self.assertIn(item["camera_id"], ("cam-1", "cam-2", "cam-3"))
        self.assertEqual(item["type"], "motion")
        self.assertTrue(0 <= item["region"]["x"] <= 1 and 0 < item["score"] <= 1)
        only = self.rookery.get("/events", node="camera:" + item["camera_id"])["items"]
        self.assertEqual({e["camera_id"] for e in only}, {item["camera_id"]})

    def test_wall_shows_pictures(self):
        self.rookery.wait_cause("cam-1", "ok")
        self.assertEqual(self.api("GET", "/wall").status, 426)
        headers = {"Cookie": self.cookie, "Origin": "http://evil.example"}
        self.assertEqual(WebSocket(self.rookery.port, "/api/v1/wall", headers, "rookery.wall.1").status, 403)
        headers["Origin"] = f"http://127.0.0.1:{self.rookery.port}"
        ws = WebSocket(self.rookery.port, "/api/v1/wall", headers, "rookery.wall.1")
        self.assertEqual(ws.status, 101)
        ws.send_json({"type": "subscribe", "tile": 1, "gen": 7, "camera": "cam-1", "stream": "auto", "audio": False})
        ws.send_json({"type": "subscribe", "tile": 2, "gen": 1, "camera": "none", "stream": "auto", "audio": False})
        seen, media = {}, 0
        while media < 8 or "error" not in seen:
            kind, payload = ws.receive()
            if kind == 1:
                message = json.loads(payload)
                seen[message["type"]] = message
            elif payload[0] == 2:
                self.assertEqual((int.from_bytes(payload[2:4], "big"), int.from_bytes(payload[4:8], "big")), (1, 7))
                media += 1
        ws.close()
        self.assertEqual(seen["subscribed"]["stream"], "sub")
        self.assertEqual(seen["format"]["width"], 160)
        self.assertEqual(seen["error"]["code"], "not_found")

    def test_server_sent_events_tell_a_pulled_cable(self):
        self.rookery.wait_cause("cam-2", "ok")
        c = self.rookery.connect(timeout=40)
        c.request("GET", "/api/v1/events/stream", headers={"Authorization": "Bearer " + self.rookery.token})
        response = c.getresponse()
        self.assertEqual(response.headers["Content-Type"], "text/event-stream")
        self.assertEqual(response.readline(), b"event: hello\n")
        self.sim.control("cam-2", "fail?mode=refuse")

        def next_state():
            while True:
                if response.readline() == b"event: state\n":
                    state = json.loads(response.readline()[6:])
                    if state["camera_id"] == "cam-2":
                        return state

        state = next_state()
        while state["advancing"]:
            state = next_state()
        self.assertFalse(state["recording"])
        last = parse_time(self.rookery.state("cam-2")["advancing_at"])
        wait_for("an outage worth telling", lambda: (parse_time(now()) - last).total_seconds() > 3)
        self.sim.control("cam-2", "plug")
        while not (state["advancing"] and state["recording"]):
            state = next_state()
        self.assertEqual(state["cause"], "ok")
        c.close()
        found = self.rookery.get("/cameras/cam-2/recordings", **{"from": now(-60), "to": now()})
        self.assertTrue({"refused", "unreachable"} & {g["cause"] for g in found["gaps"]}, found)

    # --- the rest of the house ---

    def test_static_files_and_health(self):
        page = self.rookery.request("GET", "/", token=None)
        self.assertEqual((page.status, page.headers["Cache-Control"]), (200, "no-cache"))
        for name in ("Content-Security-Policy", "X-Frame-Options", "Referrer-Policy", "X-Content-Type-Options"):
            self.assertEqual(len(page.headers.get_all(name)), 1, name)
        self.assertEqual(self.rookery.request("GET", "/wall/anything", token=None).body, page.body)
        asset = self.rookery.request("GET", "/assets/a-1234.js", token=None)
        self.assertIn("immutable", asset.headers["Cache-Control"])
        self.assertEqual(self.rookery.request("GET", "/assets/none.js", token=None).status, 404)
        for path in ("/../../etc/passwd", "/%2e%2e/%2e%2e/etc/passwd", "/assets/..%2f..%2f..%2frookery.py"):
            self.assertIn(self.rookery.request("GET", path, token=None).status, (400, 404), path)
        self.assertEqual(self.rookery.request("GET", "/healthz", token=None).body, b"ok\n")
        metrics = self.rookery.request("GET", "/metrics", token=None)
        self.assertIn(b"rookery_cameras ", metrics.body)
        proxied = self.rookery.request("GET", "/metrics", token=None, headers={"X-Forwarded-For": "1.2.3.4"})
        self.assertEqual(proxied.status, 403)
        self.assertEqual(self.api("GET", "/openapi.yaml", token=None).body[:8], b"openapi:")

    def test_storage_and_system(self):
        self.wait_recorded()
        storage = self.rookery.get("/storage")
        self.assertTrue(storage["volumes"][0]["is_ok"])
        system = self.rookery.get("/system")
        self.assertEqual(system["cameras"], len(self.rookery.get("/cameras")["items"]))

    def test_second_server_is_refused(self):
        out = self.rookery.command("serve")
        self.assertEqual(out.returncode, 1)
        self.assertIn("another Rookery server", out.stderr)
        rebuild = self.rookery.command("index", "rebuild")
        self.assertEqual(rebuild.returncode, 1)
        self.assertIn("another Rookery server", rebuild.stderr)
        check = self.rookery.command("index", "check")  # reads only
        self.assertEqual(check.returncode, 0, check.stdout + check.stderr)

    def test_hup_reads_the_configuration_again(self):
        with open(self.rookery.config, "a", encoding="utf-8") as f:
            f.write("policy: {live: \"off\"}\n")
        self.rookery.process.popen.send_signal(signal.SIGHUP)
        wait_for("live to be off", lambda: self.api("GET", "/cameras/cam-1/snapshot.jpg").status == 403, 5)
        with open(self.rookery.config, encoding="utf-8") as f:
            text = f.read().replace("policy: {live: \"off\"}\n", "")
        with open(self.rookery.config, "w", encoding="utf-8") as f:
            f.write(text)
        self.rookery.process.popen.send_signal(signal.SIGHUP)
        wait_for("live to be on", lambda: self.api("GET", "/cameras/cam-1/snapshot.jpg").status == 200, 10)


class BadCameras(Fixture):
    """Each gives its cause, and the one good camera goes on."""

    modes = {"web": "http", "sound": "no_video", "noise": "garbage", "unknown": "not_found", "busy": "busy",
             "silent": "silent", "still": "stall"}

    @classmethod
    def cameras(cls):
        return [camera("good"), camera("locked", auth="digest", username="u", password="p"),
                *[camera(name) for name in cls.modes]]

    @classmethod
    def rows(cls):
        cls.noise = random_bytes_server()
        noise_port = cls.noise.getsockname()[1]
        for name, mode in cls.modes.items():
            cls.sim.control(name, "fail?mode=" + mode)
        return [cls.row("good", cls.sim.url("good")),
                cls.row("locked", cls.sim.url("locked"), user="u", password="wrong"),
                *[cls.row(name, cls.sim.url(name)) for name in cls.modes],
                cls.row("wrong-path", f"rtsp://127.0.0.1:{cls.sim.port}/no/such"),
                cls.row("refused", f"rtsp://127.0.0.1:{free_port()}/x"),
                cls.row("no-host", "rtsp://camera.invalid/x"),
                cls.row("no-rtsp", f"rtsp://127.0.0.1:{noise_port}/x")]

    def test_causes(self):
        expected = {"locked": {"auth"}, "web": {"protocol"}, "sound": {"no_video"}, "unknown": {"not_found"},
                    "busy": {"busy"}, "silent": {"timeout"}, "still": {"timeout", "no_keyframe"},
                    "wrong-path": {"not_found"}, "refused": {"refused"},
                    "no-host": {"dns"}, "no-rtsp": {"protocol", "timeout"}, "noise": {"protocol", "timeout", "no_keyframe"}}
        for name, causes in expected.items():
            with self.subTest(camera=name):
                state = wait_for(f"{name} to be {causes}",
                                 lambda n=name, c=causes: (s := self.rookery.state(n))["cause"] in c and s, 40)
                self.assertFalse(state["advancing"])
                self.assertFalse(state["recording"])
                self.assertTrue(state["detail"])
                self.assertNotIn("u:wrong", state["detail"])
        state = self.rookery.state("good")
        self.assertEqual((state["cause"], state["recording"], state["reconnects"]), ("ok", True, 0))

    def test_corrected_password_connects_at_once(self):
        self.rookery.wait_cause("locked", "auth")
        self.api("PATCH", "/cameras/locked", {"password": "p"}, expect=200)
        self.rookery.wait_cause("locked", "ok", 10)
        self.api("PATCH", "/cameras/locked", {"password": "wrong"}, expect=200)
        self.rookery.wait_cause("locked", "auth")


class Life(Fixture):
    """Stopping, killing, starting again."""

    @classmethod
    def cameras(cls):
        return [camera("cam-1"), camera("cam-2")]

    @classmethod
    def rows(cls):
        return [cls.row(n, cls.sim.url(n), cls.sim.url(n, "/sub")) for n in ("cam-1", "cam-2")]

    def setUp(self):
        if self.rookery.process is None or not self.rookery.process.is_running():
            self.rookery.start()  # a test before this one failed halfway

    def spans(self):
        return self.rookery.get("/cameras/cam-1/recordings", **{"from": now(-600), "to": now(5)})

    def test_kill_and_recovery(self):
        wait_for("a recording", lambda: self.spans()["spans"] and self.spans()["spans"][-1]["frames"] > 50, 40)
        before = self.spans()["spans"][-1]
        self.rookery.stop(signal.SIGKILL)
        killed = parse_time(now())
        time.sleep(1.5)  # an outage that can be seen
        self.rookery.start()
        after = wait_for("the next span", lambda: parse_time((r := self.spans())["spans"][-1]["from"]) > killed and r, 30)
        first = [s for s in after["spans"] if s["from"] == before["from"]][0]
        self.assertGreaterEqual(first["frames"], before["frames"])
        gap = [g for g in after["gaps"] if g["from"] == first["to"]][0]
        self.assertIn("server", gap["cause"])
        self.assertLess(abs((parse_time(gap["from"]) - killed).total_seconds()), 5)
        self.assertEqual(self.api("GET", "/me").status, 200)  # still signed in

        # a clean stop is quick, closes everything, and the index agrees with the files
        started = time.monotonic()
        self.assertEqual(self.rookery.stop(), 0)
        self.assertLess(time.monotonic() - started, 5)
        out = self.rookery.command("index", "check", "--deep")
        self.assertEqual((out.returncode, out.stderr), (0, ""), out.stdout)
        for folder, _, names in os.walk(os.path.join(self.rookery.data_dir, "rec")):
            for name in names:
                if name.endswith(".mp4"):
                    found, errors = ffprobe(os.path.join(folder, name), "-show_entries", "stream=codec_name")
                    self.assertEqual((found["streams"][0]["codec_name"], errors), ("h264", ""))
        self.rookery.start()
        today = (parse_time(now()) + timedelta(hours=8)).strftime("%Y-%m-%d")
        report = self.rookery.get("/reports/uptime", period=today)
        self.assertGreater(report["totals"]["own_downtime_s"], 0.5)
        self.assertEqual(report["totals"]["cameras"], 2)

    def test_a_stop_ends_viewers_and_writes_everything(self):
        self.rookery.wait_cause("cam-1", "ok")
        bearer = {"Authorization": "Bearer " + self.rookery.token}
        ws = WebSocket(self.rookery.port, "/api/v1/wall", bearer, "rookery.wall.1")
        for tile in range(4):
            ws.send_json({"type": "subscribe", "tile": tile, "gen": 1, "camera": f"cam-{tile % 2 + 1}",
                          "stream": "main" if tile < 2 else "sub", "audio": False})
        while ws.receive()[0] != 2:
            pass
        opened = []
        for path in ("/cameras/cam-1/live.mp4", "/cameras/cam-2/live.mp4?stream=sub", "/events/stream"):
            c = self.rookery.connect()
            c.request("GET", "/api/v1" + path, headers=bearer)
            opened.append((c, c.getresponse()))
        started = time.monotonic()
        self.assertEqual(self.rookery.stop(), 0, self.rookery.folder)
        self.assertLess(time.monotonic() - started, 5)
        for c, response in opened:
            try:
                while response.read1(65536):
                    pass
            except (OSError, http.client.HTTPException):
                pass  # cut off
            c.close()
        ws.close()
        self.assertEqual(self.rookery.command("index", "check", "--deep").returncode, 0)
        self.rookery.start()

    def test_the_service_manager_is_told(self):
        path = os.path.join(self.folder, "notify")
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as s:
            s.bind(path)
            s.settimeout(20)
            other = Rookery()
            os.environ["NOTIFY_SOCKET"] = path
            try:
                other.start()
            finally:
                del os.environ["NOTIFY_SOCKET"]
            self.assertEqual(s.recv(100), b"READY=1")
            self.assertEqual(other.stop(), 0)
            self.assertEqual(s.recv(100), b"STOPPING=1")
            other.end()

    def test_port_in_use_is_a_sentence(self):
        other = Rookery()
        with open(other.config, encoding="utf-8") as f:
            text = f.read().replace(f":{other.port}\"", f":{self.rookery.port}\"")
        with open(other.config, "w", encoding="utf-8") as f:
            f.write(text)
        out = other.command("serve")
        self.assertEqual(out.returncode, 1)
        self.assertIn("listens on", out.stderr)
        other.end()

    def test_outage_is_in_the_report(self):
        self.rookery.wait_cause("cam-2", "ok")
        self.sim.control("cam-2", "fail?mode=refuse")
        wait_for("the outage", lambda: not self.rookery.state("cam-2")["advancing"], 20)
        last = parse_time(self.rookery.state("cam-2")["advancing_at"])
        wait_for("an outage worth listing", lambda: (parse_time(now()) - last).total_seconds() > 7)
        self.sim.control("cam-2", "plug")
        self.rookery.wait_cause("cam-2", "ok", 40)
        history = self.rookery.get("/cameras/cam-2/states")
        down = [s for s in history["items"] if s["cause"] in ("refused", "unreachable")]
        self.assertTrue(down, history)
        self.assertLess(abs((parse_time(down[-1]["evidence_at"]) - last).total_seconds()), 2)  # what it rests on
        self.assertEqual((history["items"][0]["cause"], history["items"][0]["to"]), ("ok", None))
        for newer, older in zip(history["items"], history["items"][1:]):
            self.assertLessEqual(older["to"], newer["from"])
        self.assertTrue(history["server_runs"])
        today = (parse_time(now()) + timedelta(hours=8)).strftime("%Y-%m-%d")
        report = self.rookery.get("/reports/uptime", period=today, node="institution:i-1")
        outages = [o for o in report["institutions"][0]["outages"] if o["camera_id"] == "cam-2"]
        self.assertTrue(outages)
        self.assertTrue(any(o["cause"] in ("refused", "unreachable") for o in outages), outages)
        self.assertLess(report["totals"]["online_rate"], 1)
        csv = self.api("GET", f"/reports/uptime?period={today}&format=csv", expect=200)
        self.assertTrue(csv.headers["Content-Type"].startswith("text/csv"))
        self.assertIn("一号园", csv.body.decode("utf-8-sig"))
        out = os.path.join(self.folder, "report.json")
        done = self.rookery.command("report", "--period", today, "--format", "json", "--out", out)
        self.assertEqual((done.returncode, done.stderr), (0, ""))
        with open(out, encoding="utf-8") as f:
            self.assertEqual(json.load(f)["period"], today)


del Fixture  # not a test of its own

if __name__ == "__main__":
    unittest.main()
