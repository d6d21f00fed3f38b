"""Everything that can be wrong around the server is said with its cause, and what is right goes on."""

import os
import shutil
import signal
import sqlite3
import subprocess
import tempfile
import threading
import unittest
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer

from bad_camera import BadCamera
from peers import GstCamera, recorded_frames, recordings, segments, set_up_district
from rookery import PASSWORD, SERVER, Camsim, Rookery, ffprobe, free_port, parse_time, wait_for

SMALL = {"scene": "corridor", "size": "320x240", "fps": 10, "gop": 10, "bitrate": 300000}
HEADER = "township,institution_id,institution_name,camera_id,camera_name,area_type,main_url\n"


class QuietHandler(SimpleHTTPRequestHandler):
    def log_message(self, *args):
        pass


class BadNeighbours(unittest.TestCase):
    """One good camera among addresses where something else answers."""

    @classmethod
    def setUpClass(cls):
        cls.folder = tempfile.mkdtemp(prefix="rookery-test-")
        cls.sim = Camsim(cls.folder, [{"id": "good", "main": SMALL}])
        cls.bad = {m: BadCamera(m) for m in ("sound", "noise", "mute", "silent", "endless", "huge", "closes")}
        cls.web = ThreadingHTTPServer(("127.0.0.1", 0), QuietHandler)
        threading.Thread(target=cls.web.serve_forever, daemon=True).start()
        rows = [("good", cls.sim.url("good")), ("web", f"rtsp://127.0.0.1:{cls.web.server_port}/x"),
                ("refused", f"rtsp://127.0.0.1:{free_port()}/x"), *((m, b.url) for m, b in cls.bad.items())]
        cls.gst = GstCamera(cls.folder, "locked", "--auth", "user", "right")
        rows += [("wrong-password", cls.gst.url, "user", "wrong"), ("no-password", cls.gst.url),
                 ("wrong-path", cls.gst.url + "/nothing/here", "user", "right")]
        cls.rookery = Rookery(cls.folder, "segment: 5\nmotion: off\n")
        set_up_district(cls.rookery, rows)
        cls.rookery.start()
        cls.rookery.sign_in()

    @classmethod
    def tearDownClass(cls):
        cls.rookery.end()
        cls.sim.end()
        cls.gst.end()
        for bad in cls.bad.values():
            bad.end()
        cls.web.shutdown()
        cls.web.server_close()

    def test_each_says_its_cause_and_the_good_one_records_without_a_gap(self):
        expected = {"web": {"protocol"}, "refused": {"refused"}, "sound": {"no_video"}, "noise": {"protocol"},
                    "mute": {"timeout", "no_keyframe"}, "silent": {"timeout"}, "endless": {"protocol"},
                    "huge": {"protocol"}, "closes": {"protocol", "unreachable", "refused"}, "wrong-password": {"auth"},
                    "no-password": {"auth"}, "wrong-path": {"not_found"}}
        for name, causes in expected.items():
            with self.subTest(camera=name):
                state = wait_for(f"{name} to be {causes}",
                                 lambda n=name, c=causes: (s := self.rookery.state(n))["cause"] in c and s, 40)
                self.assertFalse(state["advancing"] or state["recording"])
                self.assertGreater(len(state["detail"]), 10)
                self.assertEqual(segments(self.rookery, name), [])
        self.assertEqual(self.rookery.state("good")["cause"], "ok")
        wait_for("a recording", lambda: recorded_frames(self.rookery, "good") >= 120, 30)
        found = recordings(self.rookery, "good")
        self.assertEqual(len(found["spans"]), 1)
        span = found["spans"][0]
        length = (parse_time(span["to"]) - parse_time(span["from"])).total_seconds()
        self.assertAlmostEqual(span["frames"], length * 10, delta=2)
        for mode, bad in self.bad.items():
            self.assertLess(bad.n_accepted, 40, f"{mode} is asked too often")


class WrongPasswords(unittest.TestCase):
    """A recorder with many channels, all entered with the same wrong password: it would lock us out after five."""

    def test_the_channels_of_a_recorder_do_not_lock_us_out(self):
        recorder = BadCamera("locked")
        self.addCleanup(recorder.end)
        rookery = Rookery(config="motion: off\n")
        self.addCleanup(rookery.end)
        names = [f"ch-{i}" for i in range(48)]
        rows = "".join(f"甲镇,i-1,一号园,{name},{name},corridor,{recorder.url}/{name},admin,wrong\n" for name in names)
        rows = HEADER.replace("\n", ",username,password\n") + rows
        rookery.start()
        rookery.sign_in()
        for password in ("wrong", "wrong too"):  # they are new; all of them are changed at once
            n_before = recorder.n_signed
            done = rookery.api("POST", "/import", rows.replace(",wrong", "," + password), headers={"Content-Type": "text/csv"})
            self.assertEqual(done.status, 200, done.body)
            wait_for("a login", lambda n=n_before: recorder.n_signed > n)
            wait_for("all to be refused", lambda: all(rookery.state(name)["cause"] == "auth" for name in names))
            self.assertLessEqual(recorder.n_signed - n_before, 2)
        n_before = recorder.n_signed  # or, by a script, one after the other
        for name in names:
            rookery.api("PATCH", f"/cameras/{name}", {"password": "still wrong"}, expect=200)
        wait_for("a login", lambda: recorder.n_signed > n_before)
        wait_for("all to be refused", lambda: all(rookery.state(name)["cause"] == "auth" for name in names))
        self.assertLessEqual(recorder.n_signed - n_before, 2)
        told = [rookery.state(name)["detail"] for name in names]
        self.assertEqual(sum("not tried: the device refused the password" in detail for detail in told), len(names) - 1)


class ChangedPassword(unittest.TestCase):
    """A recorder whose password is changed while all its channels are recorded."""

    def test_the_channels_of_a_recorder_do_not_lock_us_out(self):
        folder = tempfile.mkdtemp(prefix="rookery-test-")
        self.addCleanup(shutil.rmtree, folder, ignore_errors=True)
        sim = Camsim(folder, [{"id": "nvr", "main": SMALL, "auth": "digest", "username": "admin", "password": "old"}])
        rookery = Rookery(folder, "motion: off\n")
        self.addCleanup(rookery.end)
        names = [f"ch-{i}" for i in range(48)]
        rows = "".join(f"甲镇,i-1,一号园,{name},{name},corridor,{sim.url('nvr')},admin,old\n" for name in names)
        rookery.start()
        rookery.sign_in()
        done = rookery.api("POST", "/import", HEADER.replace("\n", ",username,password\n") + rows, headers={"Content-Type": "text/csv"})
        self.assertEqual(done.status, 200, done.body)
        wait_for("all channels", lambda: all(rookery.state(name)["cause"] == "ok" for name in names), 40)
        sim.end()
        recorder = BadCamera("locked", sim.port)
        self.addCleanup(recorder.end)
        wait_for("all to be refused", lambda: all(rookery.state(name)["cause"] == "auth" for name in names), 40)
        self.assertLessEqual(recorder.n_signed, 2)
        for name in names:
            self.assertRegex(rookery.state(name)["detail"], "though it worked before|not tried: the device refused")


class BadFiles(unittest.TestCase):
    def setUp(self):
        self.rookery = Rookery()

    def tearDown(self):
        self.rookery.end()

    def assert_sentence(self, out, *words):
        self.assertEqual(out.returncode, 1, out.stderr)
        self.assertEqual(out.stderr.count("\n"), 1, out.stderr)
        for word in words:
            self.assertIn(word, out.stderr)

    def serve(self, config):
        return subprocess.run([SERVER, "serve", "--config", config], capture_output=True, text=True, timeout=20, check=False)

    def test_unreadable_configurations(self):
        path = os.path.join(self.rookery.folder, "other.yaml")
        self.assert_sentence(self.serve(path), path)
        self.assert_sentence(self.serve(self.rookery.folder), self.rookery.folder)
        for content in (b"\xff\xfe\x00\x01" * 100, b"{" * 5000, b"data_dir: [1, 2\n", b"- a\n- b\n", b"data_dir: {a: b}\n",
                        b"&a [*a]\n", b"loops: 99999999999999999999\n", b"http: {listen: \"nowhere\"}\n",
                        b"retention: {days: -1}\n", b"data_dir: x\ndata_dir: y\n", os.urandom(4096)):
            with open(path, "wb") as f:
                f.write(content)
            with self.subTest(content=content[:30]):
                self.assert_sentence(self.serve(path), path)

    @unittest.skipIf(os.geteuid() == 0, "root may read everything")
    def test_forbidden_configuration(self):
        os.chmod(self.rookery.config, 0)
        self.assert_sentence(self.serve(self.rookery.config), self.rookery.config)

    def test_corrupt_catalogue(self):
        self.assertEqual(self.rookery.command("user", "list").returncode, 0)
        path = os.path.join(self.rookery.data_dir, "catalog.db")
        for extra in ("-wal", "-shm"):
            if os.path.exists(path + extra):
                os.remove(path + extra)
        with open(path, "wb") as f:
            f.write(os.urandom(65536))
        out = self.rookery.command("serve")
        self.assert_sentence(out, "catalog.db")
        self.assertEqual(os.path.getsize(path), 65536)  # kept for whoever can repair it

    def test_catalogue_of_a_later_version(self):
        self.assertEqual(self.rookery.command("user", "list").returncode, 0)
        db = sqlite3.connect(os.path.join(self.rookery.data_dir, "catalog.db"))
        version = db.execute("PRAGMA user_version").fetchone()[0]
        self.assertGreater(version, 0)
        db.execute(f"PRAGMA user_version = {version + 1000}")
        db.commit()
        db.close()
        self.assert_sentence(self.rookery.command("serve"), "catalogue", "newer")

    def test_bad_spreadsheets_change_nothing(self):
        good = "甲镇,i-1,一号园,cam-1,门口,entrance,rtsp://127.0.0.1/1\n"
        for content in ("", "\n\n", "a,b,c\n1,2,3\n", HEADER + good + "甲镇,i-1,一号园,cam-2,门口,entrance\n",
                        HEADER + good + '甲镇,i-1,一号园,cam-2,"门口,entrance,rtsp://127.0.0.1/2\n',
                        HEADER + good + "甲镇,i-1,一号园,cam 2,门口,entrance,rtsp://127.0.0.1/2\n",
                        HEADER + good + "甲镇,i-1,一号园,cam-2," + "长" * 5000 + ",entrance,rtsp://127.0.0.1/2\n",
                        HEADER + good + "甲镇,i-1,一号园,../x,门口,entrance,rtsp://127.0.0.1/2\n",
                        HEADER.replace("main_url", "main_urll") + good, HEADER + good + "\0\0\0\0\n"):
            path = os.path.join(self.rookery.folder, "bad.csv")
            with open(path, "w", encoding="utf-8") as f:
                f.write(content)
            with self.subTest(content=content[-60:]):
                out = self.rookery.command("import", path)
                self.assertEqual(out.returncode, 1, out.stdout)
                self.assertRegex(out.stderr, r"bad\.csv")
        path = os.path.join(self.rookery.folder, "good.csv")
        with open(path, "w", encoding="utf-8") as f:
            f.write(HEADER + good)
        self.assertIn("cameras 1 new", self.rookery.command("import", path, "--dry-run").stdout)


class Ends(unittest.TestCase):
    """Killed, rebuilt, full."""

    def setUp(self):
        self.folder = tempfile.mkdtemp(prefix="rookery-test-")
        self.sim = Camsim(self.folder, [{"id": "cam-1", "main": SMALL},
                                        {"id": "cam-2", "main": dict(SMALL, codec="h265")}])
        self.addCleanup(self.sim.end)

    def start(self, config):
        rookery = Rookery(self.folder, "motion: off\n" + config)
        self.addCleanup(rookery.end)
        set_up_district(rookery, [(n, self.sim.url(n)) for n in ("cam-1", "cam-2")])
        rookery.start()
        rookery.sign_in()
        return rookery

    def spans(self, rookery, camera):
        return [(s["from"], s["to"], s["frames"], s["bytes"]) for s in recordings(rookery, camera)["spans"]]

    def test_killed_again_and_again_then_rebuilt_from_the_files(self):
        rookery = self.start("segment: 5\n")
        for n_killed in range(1, 4):
            n = 25 + recorded_frames(rookery, "cam-1")
            wait_for("recordings", lambda c=n: all(recorded_frames(rookery, x) > c for x in ("cam-1", "cam-2")), 30)
            before = {c: recordings(rookery, c)["spans"] for c in ("cam-1", "cam-2")}
            rookery.stop(signal.SIGKILL)
            rookery.start()
            for camera, spans in before.items():
                after = recordings(rookery, camera)
                old, new = spans[-1], after["spans"][len(spans) - 1]
                self.assertEqual(new["from"], old["from"])
                self.assertGreaterEqual(new["frames"], old["frames"])
                self.assertIn("server_stopped", {g["cause"] for g in after["gaps"]})
                self.assertGreaterEqual(len(after["spans"]), n_killed)
        wait_for("recordings", lambda: all(len(self.spans(rookery, c)) == 4 for c in ("cam-1", "cam-2")), 30)
        self.assertEqual(rookery.stop(), 0)
        out = rookery.command("index", "check", "--deep")
        self.assertEqual((out.returncode, out.stderr), (0, ""), out.stdout)
        for camera in ("cam-1", "cam-2"):
            for path in segments(rookery, camera):
                _, errors = ffprobe(path, "-count_frames", "-show_streams")
                self.assertEqual(errors, "", path)
        rookery.start()
        counts = {c: self.spans(rookery, c) for c in ("cam-1", "cam-2")}
        rookery.stop()
        with_files = {c: len(segments(rookery, c)) for c in ("cam-1", "cam-2")}

        # what is stopped now, seen through the first index and through the one made from the files
        first = self.seen_offline(rookery)
        out = rookery.command("index", "rebuild")
        self.assertEqual((out.returncode, out.stderr), (0, ""), out.stdout)
        self.assertEqual(self.seen_offline(rookery), first)
        self.assertEqual({c: len(segments(rookery, c)) for c in ("cam-1", "cam-2")}, with_files)
        rookery.start()
        for camera, spans in counts.items():
            self.assertEqual(self.spans(rookery, camera)[:4], spans[:4])

    def seen_offline(self, rookery):
        db = sqlite3.connect(os.path.join(rookery.data_dir, "catalog.db"))
        columns = [r[1] for r in db.execute("PRAGMA table_info(segments)")]
        wanted = [c for c in columns if "id" not in c.split("_") and c not in ("flags",)]
        rows = sorted(map(repr, db.execute(f"SELECT {', '.join(wanted)} FROM segments")))
        db.close()
        return rows

    def test_index_rebuilt_after_the_catalogue_is_lost(self):
        rookery = self.start("segment: 5\n")
        wait_for("recordings", lambda: recorded_frames(rookery, "cam-1") > 80, 30)
        rookery.stop()
        rookery.start()
        before = self.spans(rookery, "cam-1")[0]
        rookery.stop(signal.SIGKILL)
        for name in os.listdir(rookery.data_dir):
            if name.startswith("catalog.db"):
                os.remove(os.path.join(rookery.data_dir, name))
        out = rookery.command("index", "rebuild")
        self.assertEqual(out.returncode, 0, out.stderr)
        set_up_district(rookery, [(n, self.sim.url(n)) for n in ("cam-1", "cam-2")])
        rookery.start()
        rookery.token = None
        rookery.sign_in()
        self.assertEqual(self.spans(rookery, "cam-1")[0], before)

    @unittest.skipUnless(os.geteuid() == 0 and shutil.which("mount"), "needs root, to mount a small disk")
    def test_full_disk_is_said_and_overcome(self):
        disk = os.path.join(self.folder, "disk")
        os.mkdir(disk)
        if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=24m", "none", disk], capture_output=True,
                          check=False).returncode != 0:
            self.skipTest("mounting is not allowed here")
        self.addCleanup(subprocess.run, ["umount", "-l", disk], check=False)
        rookery = self.start(f'segment: 5\nvolumes:\n  - {{path: "{disk}", reserve: 1M}}\n')
        wait_for("a recording", lambda: recorded_frames(rookery, "cam-1") > 20, 30)
        ballast = os.path.join(disk, "ballast")
        with open(ballast, "wb") as f:
            try:
                for _ in range(400):
                    f.write(b"x" * 65536)
                    f.flush()
            except OSError:
                pass
        state = wait_for("the disk to be named",
                         lambda: (s := rookery.state("cam-1"))["cause"] == "disk" and s, 40)
        self.assertFalse(state["recording"])
        self.assertTrue(state["advancing"], state)
        self.assertRegex(state["detail"], "(?i)full|space|disk")
        self.assertEqual(rookery.request("GET", "/healthz", token=None).status, 200)
        self.assertEqual(rookery.api("GET", "/cameras/cam-1/snapshot.jpg").status, 200)
        n = recorded_frames(rookery, "cam-1")
        os.remove(ballast)
        wait_for("recording again",
                 lambda: rookery.state("cam-1")["recording"] and recorded_frames(rookery, "cam-1") > n + 20, 60)
        gaps = recordings(rookery, "cam-1")["gaps"]
        self.assertTrue({"disk", "space"} & {g["cause"] for g in gaps}, gaps)
        self.assertEqual(rookery.stop(), 0)
        out = rookery.command("index", "check", "--deep")
        self.assertEqual((out.returncode, out.stderr), (0, ""), out.stdout)

    def test_port_and_directory_in_use(self):
        rookery = self.start("")
        out = rookery.command("serve")
        self.assertEqual((out.returncode, out.stderr.count("\n")), (1, 1))
        self.assertIn(rookery.data_dir, out.stderr)
        other = Rookery()
        self.addCleanup(other.end)
        with open(other.config, encoding="utf-8") as f:
            text = f.read().replace(str(other.port), str(rookery.port))
        with open(other.config, "w", encoding="utf-8") as f:
            f.write(text)
        out = other.command("serve")
        self.assertEqual(out.returncode, 1)
        self.assertIn(str(rookery.port), out.stderr)
        self.assertEqual(rookery.api("POST", "/session", {"username": "admin", "password": PASSWORD}).status, 200)


if __name__ == "__main__":
    unittest.main()
