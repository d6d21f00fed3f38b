"""Holds, the stock and the ledger, through the API of the real server."""

import os
import sqlite3
import tempfile
import time
import unittest

from rookery import Rookery, now

HOUR = 3600


class Holds(unittest.TestCase):
    """Recordings are rows put into the catalogue while the server is stopped: no camera is needed."""

    @classmethod
    def setUpClass(cls):
        cls.folder = tempfile.mkdtemp(prefix="rookery-test-")
        cls.rookery = Rookery(cls.folder, "retention: {days: 30, thin: {after_days: 25, keep: motion}}\n")
        csv = os.path.join(cls.folder, "district.csv")
        with open(csv, "w", encoding="utf-8") as f:
            f.write("township,institution_id,institution_name,camera_id,camera_name,area_type,main_url,record\n"
                    "甲镇,i-1,一号园,cam-1,门口,corridor,rtsp://127.0.0.1:1/a,main\n"
                    "甲镇,i-1,一号园,cam-2,走廊,corridor,rtsp://127.0.0.1:1/b,main\n"
                    "乙镇,i-2,二号园,cam-3,教室,corridor,rtsp://127.0.0.1:1/c,main\n")
        out = cls.rookery.command("import", csv)
        assert out.returncode == 0, out.stderr
        cls.rookery.start()
        cls.rookery.sign_in()
        cls.rookery.api("POST", "/users", {"name": "clerk", "password": "long enough 7"}, expect=201)
        cls.rookery.stop()
        cls.fill()
        cls.rookery.start()

    @classmethod
    def fill(cls):
        """cam-1: ten days of ten minutes each of 1 MB, of which the oldest were deleted for want of space."""
        db = sqlite3.connect(os.path.join(cls.rookery.data_dir, "catalog.db"))
        end = int(time.time()) // 600 * 600
        cls.end = end
        db.execute("UPDATE users SET scope = 'institution:i-2' WHERE name = 'clerk'")
        db.execute("INSERT OR IGNORE INTO camera_keys(camera_id) VALUES('cam-1')")
        key = db.execute("SELECT key FROM camera_keys WHERE camera_id = 'cam-1'").fetchone()[0]
        volume = db.execute("SELECT key FROM volumes").fetchone()[0]
        cls.n = 10 * 144
        db.executemany("INSERT INTO segments(camera, stream, from_us, n, to_us, volume, bytes, frames, lost_packets,"
                       " began, ended) VALUES(?, 0, ?, 1, ?, ?, 1000000, 15000, 0, 1, 1)",
                       [(key, (end - 600 * (i + 1)) * 10**6, (end - 600 * i) * 10**6, volume) for i in range(cls.n)])
        oldest = end - 600 * cls.n
        db.execute("INSERT INTO deletions VALUES(?, 0, ?, ?, ?, 144, 144000000, 'space')",
                   (key, (oldest - 86400) * 10**6, oldest * 10**6, end * 10**6))
        db.execute("INSERT INTO deletions VALUES(?, 0, ?, ?, ?, 144, 144000000, 'expired')",
                   (key, (oldest - 40 * 86400) * 10**6, (oldest - 39 * 86400) * 10**6, (end - HOUR) * 10**6))
        db.commit()
        db.close()

    @classmethod
    def tearDownClass(cls):
        cls.rookery.end()

    def api(self, *args, **more):
        return self.rookery.api(*args, **more)

    def hold(self, **more):
        return dict({"camera_id": "cam-1", "from": now(-2 * HOUR), "to": now(-HOUR), "reason": "案件 7"}, **more)

    def test_a_hold_is_placed_listed_and_released_with_a_reason(self):
        before = self.rookery.get("/storage")["held_bytes"]
        made = self.api("POST", "/holds", self.hold(), expect=201).json
        self.assertEqual((made["camera_name"], made["user"], made["released_at"]), ("门口", "admin", None))
        self.assertIn(made["bytes"], (6000000, 7000000))
        listed = self.rookery.get("/holds", camera="cam-1", active="true")["items"]
        self.assertIn(made, listed)
        self.assertEqual(self.rookery.get("/storage")["held_bytes"], before + made["bytes"])
        self.assertEqual(self.rookery.get("/holds", camera="cam-2")["items"], [])
        path = "/holds/" + made["id"]
        self.assertEqual(self.api("DELETE", path, {}).status, 422)
        self.assertEqual(self.api("DELETE", path, {"reason": "  "}).status, 422)
        done = self.api("DELETE", path, {"reason": "结案"}, expect=200).json
        self.assertEqual((done["released_by"], done["released_reason"]), ("admin", "结案"))
        self.assertIsNotNone(done["released_at"])
        self.assertEqual(self.api("DELETE", path, {"reason": "again"}).status, 409)
        self.assertEqual(self.api("DELETE", "/holds/hold-none", {"reason": "x"}).status, 404)
        self.assertIn(done, self.rookery.get("/holds", active="false")["items"])
        self.assertNotIn(made["id"], [h["id"] for h in self.rookery.get("/holds", active="true")["items"]])
        db = sqlite3.connect(os.path.join(self.rookery.data_dir, "catalog.db"))
        rows = db.execute("SELECT user, action, object, detail FROM audit ORDER BY id").fetchall()
        db.close()
        actions = [(r[0], r[1], r[2]) for r in rows if made["id"] in r[3]]
        self.assertEqual(actions, [("admin", "hold_place", "camera:cam-1"), ("admin", "hold_release", "camera:cam-1")])

    def test_what_is_no_hold_is_refused(self):
        for change in ({"camera_id": "none"}, {"reason": ""}, {"reason": "x" * 1001}, {"to": now(-3 * HOUR)},
                       {"from": "yesterday"}, {"more": 1}):
            self.assertEqual(self.api("POST", "/holds", self.hold(**change)).status, 422, change)
        for missing in ("camera_id", "from", "to", "reason"):
            body = self.hold()
            del body[missing]
            self.assertEqual(self.api("POST", "/holds", body).status, 422, missing)
        self.assertEqual(self.api("GET", "/holds?active=perhaps").status, 422)
        self.assertEqual(self.api("GET", "/holds?cursor=x").status, 422)
        self.assertEqual(self.api("GET", "/holds", token=None).status, 401)

    def test_pages_of_holds(self):
        made = [self.api("POST", "/holds", self.hold(camera_id="cam-3"), expect=201).json["id"] for _ in range(3)]
        first = self.rookery.get("/holds", camera="cam-3", active="true", limit=2)
        rest = self.rookery.get("/holds", camera="cam-3", active="true", limit=2, cursor=first["next"])
        self.assertEqual([h["id"] for h in first["items"] + rest["items"]], made[::-1])
        self.assertIsNone(rest["next"])

    def test_a_scope_sees_its_own(self):
        made = [self.api("POST", "/holds", self.hold(camera_id=c), expect=201).json["id"] for c in ("cam-1", "cam-3")]
        reply = self.api("POST", "/session", {"username": "clerk", "password": "long enough 7"}, expect=200)
        headers = {"Cookie": reply.headers["Set-Cookie"].split(";")[0], "X-CSRF-Token": reply.json["csrf"]}

        def as_clerk(method, path, body=None):
            return self.api(method, path, body, token=None, headers=headers)

        seen = [h["id"] for h in as_clerk("GET", "/holds").json["items"]]
        self.assertIn(made[1], seen)
        self.assertNotIn(made[0], seen)
        self.assertEqual(as_clerk("POST", "/holds", self.hold()).status, 422)
        self.assertEqual(as_clerk("DELETE", "/holds/" + made[0], {"reason": "x"}).status, 404)
        self.assertEqual(as_clerk("DELETE", "/holds/" + made[1], {"reason": "x"}).status, 200)
        self.assertEqual(as_clerk("GET", "/storage").status, 403)
        kept = as_clerk("GET", "/storage/cameras?node=institution:i-2")
        self.assertEqual([k["camera_id"] for k in kept.json["items"]], ["cam-3"])
        self.assertEqual(as_clerk("GET", "/storage/deletions").json["items"], [])
        self.assertEqual(as_clerk("GET", "/storage/deletions?camera=cam-1").json["items"], [])
        self.assertEqual(as_clerk("GET", "/storage/cameras?node=institution:i-1").status, 403)

    def test_the_forecast(self):
        s = self.rookery.get("/storage")
        self.assertEqual((s["bytes_per_day"], s["required_days"], s["segments"]), (144000000, 30, self.n))
        v = s["volumes"][0]
        room = s["bytes"] + v["free_bytes"] - v["reserve_bytes"]
        self.assertAlmostEqual(s["capacity_bytes"], max(room, 0), delta=1 << 30)
        room = max(s["capacity_bytes"] - s["held_bytes"], 0)
        self.assertAlmostEqual(s["forecast_days"], room / 144000000, delta=0.1)
        self.assertEqual(s["missing_bytes"], max(30 * 144000000 - room, 0))
        # nothing is as old as that yet, so every day counts whole
        self.assertEqual(s["thinning"], {"after_days": 25, "keep": "motion", "share": None})

    def test_what_is_kept_of_every_camera(self):
        kept = self.rookery.get("/storage/cameras")["items"]
        self.assertEqual([k["camera_id"] for k in kept], ["cam-1", "cam-2", "cam-3"])
        one, two = kept[0], kept[1]
        self.assertEqual((one["name"], one["institution_name"], one["days_required"]), ("门口", "一号园", 30))
        self.assertAlmostEqual(one["days_kept"], 10, delta=0.05)
        self.assertEqual((one["bytes_per_day"], one["is_short"]), (144000000, True))
        self.assertEqual((two["oldest"], two["days_kept"], two["is_short"]), (None, 0, False))
        page = self.rookery.get("/storage/cameras", node="institution:i-1", limit=1)
        self.assertEqual([k["camera_id"] for k in page["items"]], ["cam-1"])
        page = self.rookery.get("/storage/cameras", node="institution:i-1", limit=1, cursor=page["next"])
        self.assertEqual(([k["camera_id"] for k in page["items"]], page["next"]), (["cam-2"], None))
        # fewer days asked of it: nothing of them is missing
        self.api("PATCH", "/cameras/cam-1", {"retention_days": 9}, expect=200)
        self.assertFalse(self.rookery.get("/storage/cameras")["items"][0]["is_short"])
        self.api("PATCH", "/cameras/cam-1", {"retention_days": None}, expect=200)

    def test_the_ledger(self):
        rows = self.rookery.get("/storage/deletions")["items"]
        self.assertEqual([(r["why"], r["segments"], r["stream"], r["camera_name"]) for r in rows],
                         [("space", 144, "main", "门口"), ("expired", 144, "main", "门口")])
        first = self.rookery.get("/storage/deletions", limit=1)
        rest = self.rookery.get("/storage/deletions", limit=1, cursor=first["next"])
        self.assertEqual(first["items"] + rest["items"], rows)
        self.assertEqual(self.rookery.get("/storage/deletions", why="expired")["items"], rows[1:])
        self.assertEqual(self.rookery.get("/storage/deletions", camera="cam-2")["items"], [])
        self.assertEqual(self.rookery.get("/storage/deletions", camera="cam-1")["items"], rows)
        self.assertEqual(self.rookery.get("/storage/deletions", node="institution:i-2")["items"], [])
        only = self.rookery.get("/storage/deletions", **{"from": rows[0]["from"], "to": rows[0]["to"]})
        self.assertEqual(only["items"], rows[:1])
        self.assertEqual(self.api("GET", "/storage/deletions?cursor=1-2").status, 422)


if __name__ == "__main__":
    unittest.main()
