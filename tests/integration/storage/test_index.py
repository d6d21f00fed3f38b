"""The index of recordings by the real commands: beside a server, on another machine, and when the catalogue breaks."""

import os
import shutil
import sqlite3
import tempfile
import unittest

from rookery import PAGE_BYTES, Camsim, Rookery, ffprobe, now, parse_time, wait_for

SMALL = {"scene": "corridor", "size": "320x240", "fps": 10, "gop": 10, "bitrate": 200000}
HEADER = "township,institution_id,institution_name,camera_id,camera_name,area_type,main_url,sub_url,record\n"
ROWS = ("SELECT k.camera_id, s.stream, s.from_us, s.n, s.to_us, s.bytes, s.frames, s.lost_packets, s.began, s.ended,"
        " s.holes FROM segments s JOIN camera_keys k ON k.key = s.camera ORDER BY 1, 2, 3, 4")


class Index(unittest.TestCase):
    def setUp(self):
        self.folder = tempfile.mkdtemp(prefix="rookery-test-")
        self.sim = Camsim(self.folder, [{"id": n, "main": SMALL, "sub": SMALL} for n in ("cam-1", "cam-2")])
        self.rookery = Rookery(self.folder, "segment: 5\n")
        path = os.path.join(self.folder, "in.csv")
        with open(path, "w", encoding="utf-8") as f:
            f.write(HEADER)
            for name in ("cam-1", "cam-2"):
                f.write(f"甲镇,i-1,一号园,{name},{name},corridor,{self.sim.url(name)},{self.sim.url(name, '/sub')},both\n")
        out = self.rookery.command("import", path)
        self.assertEqual(out.returncode, 0, out.stderr)
        self.rookery.start()
        self.rookery.sign_in()

    def tearDown(self):
        self.rookery.end()
        self.sim.end()

    @property
    def catalogue(self):
        return os.path.join(self.rookery.data_dir, "catalog.db")

    def rows(self, rookery=None):
        db = sqlite3.connect(os.path.join((rookery or self.rookery).data_dir, "catalog.db"))
        try:
            return db.execute(ROWS).fetchall()
        finally:
            db.close()

    def spans(self, rookery, camera="cam-1"):
        return rookery.get(f"/cameras/{camera}/recordings", **{"from": now(-600), "to": now(5)})["spans"]

    def wait_recorded(self, seconds):
        def check():
            spans = self.spans(self.rookery)
            return spans and (parse_time(spans[-1]["to"]) - parse_time(spans[-1]["from"])).total_seconds() > seconds

        wait_for("a recording", check, 60)

    def check(self, code, *args, rookery=None):
        out = (rookery or self.rookery).command("index", "check", *args)
        self.assertEqual(out.returncode, code, out.stdout + out.stderr)
        return out.stdout

    def files(self):
        return sorted(os.path.join(d, n) for d, _, names in os.walk(os.path.join(self.rookery.data_dir, "rec"))
                      for n in names if n.endswith(".mp4"))

    def clip_frames(self, rookery, camera="cam-1"):
        span = self.spans(rookery, camera)[0]
        reply = rookery.api("GET", f"/cameras/{camera}/clip.mp4?from={span['from']}&to={span['to']}", expect=200)
        path = os.path.join(rookery.folder, "clip.mp4")
        with open(path, "wb") as f:
            f.write(reply.body)
        found, errors = ffprobe(path, "-count_frames", "-show_entries", "stream=nb_read_frames")
        self.assertEqual(errors, "")
        return int(found["streams"][0]["nb_read_frames"])

    def test_check_beside_a_server_then_the_volume_on_another_machine(self):
        self.wait_recorded(7)  # beyond a rotation
        self.check(0)
        self.check(0, "--deep")
        self.assertEqual(self.rookery.stop(), 0)
        self.check(0, "--deep")
        before = self.rows()
        self.assertGreaterEqual(len(before), 4)
        self.rookery.start()
        frames = self.clip_frames(self.rookery)
        self.assertGreater(frames, 50)
        self.rookery.stop()

        other = Rookery()
        try:
            shutil.copytree(os.path.join(self.rookery.data_dir, "rec"), os.path.join(other.data_dir, "rec"))
            out = other.command("index", "rebuild")
            self.assertEqual(out.returncode, 0, out.stderr)
            self.assertIn("archive", out.stdout)
            rows = self.rows(other)
            self.assertEqual([r for r in rows if r[2:4] in {b[2:4] for b in before}], before)  # to the frame
            other.start()
            other.sign_in()
            cameras = {c["id"]: c for c in other.get("/cameras")["items"]}
            self.assertEqual(set(cameras), {"cam-1", "cam-2"})
            self.assertFalse(cameras["cam-1"]["enabled"])
            self.assertEqual(self.clip_frames(other), frames)
            self.check(0, rookery=other)
            # whoever is in the district already is left as it is
            other.stop()
            out = other.command("index", "rebuild")
            self.assertEqual(out.returncode, 0, out.stderr)
            self.assertNotIn("archive", out.stdout)
            self.assertEqual(self.rows(other), rows)
        finally:
            other.end()

    def test_every_kind_of_difference_has_its_exit_code(self):
        self.wait_recorded(7)
        self.rookery.stop()
        self.check(0)
        self.assertEqual(self.rookery.command("index", "check", "x").returncode, 2)
        first, second = self.files()[:2]
        os.rename(first, first + ".away")
        self.assertIn("its file is missing", self.check(1))
        os.rename(first + ".away", first)
        size = os.path.getsize(second)
        with open(second, "r+b") as f:
            f.truncate(size - 100)
        self.check(1)
        rec = os.path.join(self.rookery.data_dir, "rec")
        os.rename(rec, rec + ".away")
        self.check(1)
        out = self.rookery.command("index", "rebuild")
        self.assertEqual(out.returncode, 1)
        self.assertIn("nothing was changed", out.stderr)
        os.rename(rec + ".away", rec)
        self.assertEqual(self.rookery.command("index", "rebuild").returncode, 0)
        self.check(0)

    def test_a_volume_out_of_the_configuration_keeps_its_rows(self):
        self.wait_recorded(7)
        self.rookery.stop()
        before = self.rows()
        with open(self.rookery.config, "a", encoding="utf-8") as f:
            f.write(f'volumes:\n  - {{path: "{self.folder}/other"}}\n')
        out = self.rookery.command("index", "rebuild")
        self.assertEqual(out.returncode, 1, out.stdout)
        self.assertIn("nothing was changed", out.stderr)
        self.assertIn("/rec", out.stderr)
        self.assertEqual(self.rows(), before)
        out = self.rookery.command("index", "rebuild", "--forget")
        self.assertEqual(out.returncode, 0, out.stderr)
        self.assertEqual(self.rows(), [])

    def test_a_catalogue_that_breaks_at_run_time_loses_no_recording(self):
        backup = os.path.join(self.folder, "b.tar")
        self.assertEqual(self.rookery.command("backup", backup).returncode, 0)
        self.wait_recorded(3)
        # everything but the first page, while the server has it open
        size = os.path.getsize(self.catalogue)
        with open(self.catalogue, "r+b") as f:
            f.seek(PAGE_BYTES)
            f.write(b"\x5a" * (size - PAGE_BYTES))
        n_before = len(self.files())
        wait_for("the damage to be seen", lambda: b"rookery_catalogue_ok 0" in
                 self.rookery.request("GET", "/metrics", token=None).body, 40)
        wait_for("recording to go on", lambda: len(self.files()) >= n_before + 4, 60)
        self.assertIn("the catalogue is damaged", self.rookery.process.output())
        self.assertIn("index rebuild", self.rookery.process.output())
        self.rookery.stop()
        files = self.files()
        out = self.rookery.command("serve")
        self.assertEqual(out.returncode, 1)
        self.assertIn("is damaged", out.stderr)
        self.assertEqual(self.rookery.command("index", "check").returncode, 1)
        out = self.rookery.command("index", "rebuild")
        self.assertEqual(out.returncode, 1, out.stdout + out.stderr)
        self.assertIn("nothing was changed", out.stderr)
        self.assertIn("rookery restore", out.stderr)
        self.assertEqual(self.rookery.command("restore", backup).returncode, 0)
        self.assertEqual(self.rookery.command("index", "rebuild").returncode, 0)
        self.assertEqual(len(self.rows()), len(files))
        self.check(0)
        self.rookery.start()
        self.rookery.sign_in()
        self.clip_frames(self.rookery)

    def test_what_can_be_read_is_saved_and_the_files_bring_back_the_rest(self):
        self.wait_recorded(3)
        self.rookery.stop()
        before = self.rows()
        db = sqlite3.connect(self.catalogue)
        root, = db.execute("SELECT rootpage FROM sqlite_schema WHERE name = 'segments'").fetchone()
        db.close()
        with open(self.catalogue, "r+b") as f:  # the start does not look at it
            f.seek((root - 1) * PAGE_BYTES)
            f.write(b"\x5a" * PAGE_BYTES)
        self.assertEqual(self.rookery.command("index", "check").returncode, 1)
        out = self.rookery.command("index", "rebuild")
        self.assertEqual(out.returncode, 0, out.stderr)
        self.assertIn("kept in", out.stdout)
        self.assertTrue([n for n in os.listdir(self.rookery.data_dir) if n.startswith("damaged-")])
        self.assertEqual(self.rows(), before)
        self.check(0)
        self.rookery.start()
        self.rookery.sign_in()
        self.assertEqual(len(self.rookery.get("/cameras")["items"]), 2)
        self.clip_frames(self.rookery)
