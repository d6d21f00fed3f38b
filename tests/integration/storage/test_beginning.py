"""The first minutes of a server, before any segment is finished: what is being written counts, and a kill leaves files
that the index check names."""

import os
import shutil
import signal
import tempfile
import unittest

from disks import TINY, set_up_district
from rookery import Camsim, Rookery, now, parse_time, wait_for

NAMES = [f"cam-{n:02}" for n in range(1, 24)]
SHOWN = 20  # files that the check names


class Beginning(unittest.TestCase):
    def setUp(self):
        self.folder = tempfile.mkdtemp(prefix="rookery-test-")
        self.addCleanup(shutil.rmtree, self.folder, ignore_errors=True)
        self.sim = Camsim(self.folder, [{"id": n, "main": TINY} for n in NAMES])
        self.addCleanup(self.sim.end)
        self.rookery = Rookery(self.folder, "motion: off\n")
        self.addCleanup(self.rookery.end)
        set_up_district(self.rookery, [(n, self.sim.url(n)) for n in NAMES])
        self.rookery.start()
        self.rookery.sign_in()

    def check(self, code=0):
        out = self.rookery.command("index", "check")
        self.assertEqual((out.returncode, out.stderr), (code, ""), out.stdout)
        return out.stdout.splitlines()

    def files(self):
        return [os.path.join(d, n) for d, _, names in os.walk(os.path.join(self.rookery.data_dir, "rec"))
                for n in names if n.endswith(".mp4")]

    def kept(self):
        kept = self.rookery.get("/storage/cameras")["items"]
        return kept if all(k["oldest"] and k["bytes_per_day"] > 0 for k in kept) else None

    def test_what_is_being_written_counts_and_a_kill_leaves_what_is_named(self):
        kept = wait_for("every camera to be kept", self.kept, 60)
        self.assertEqual([k["camera_id"] for k in kept], NAMES)
        started = parse_time(self.rookery.get("/system")["started_at"])
        for k in kept:
            self.assertLess(abs((parse_time(k["oldest"]) - started).total_seconds()), 30, k)
            self.assertFalse(k["is_short"])
        s = self.rookery.get("/storage")
        on_disk = sum(os.path.getsize(f) for f in self.files())
        self.assertEqual((s["segments"], s["volumes"][0]["segments"]), (len(NAMES), len(NAMES)))
        self.assertEqual(s["bytes"], s["volumes"][0]["bytes"])
        self.assertLessEqual(s["bytes"], on_disk)
        self.assertGreater(s["bytes"], on_disk / 2)
        self.assertLess(abs((parse_time(s["oldest"]) - started).total_seconds()), 30)
        self.assertIsNotNone(s["forecast_days"])

        hold = self.rookery.api("POST", "/holds", {"camera_id": NAMES[0], "from": now(-60), "to": now(), "reason": "7"},
                                expect=201).json
        self.assertGreater(hold["bytes"], 0)
        self.assertGreaterEqual(self.rookery.get("/holds")["items"][0]["bytes"], hold["bytes"])
        self.assertGreaterEqual(self.rookery.get("/storage")["held_bytes"], hold["bytes"])

        lines = self.check()
        self.assertEqual(len(lines), 1, lines)  # nothing to be named
        self.assertIn(f"{len(NAMES)} being written by the server", lines[-1])
        self.rookery.stop(signal.SIGKILL)
        lines = self.check()
        self.assertIn(f"{len(NAMES)} unfinished: settled at the next start of the server", lines[-1])
        named = [line for line in lines if ".mp4: unfinished" in line]
        self.assertEqual(len(named), SHOWN)
        self.assertIn(f"{len(NAMES) - SHOWN} more files are unfinished", "\n".join(lines))
        for line in named:
            self.assertTrue(os.path.exists(os.path.join(self.rookery.data_dir, "rec", line.split(": ")[0])), line)
        self.rookery.start()
        self.rookery.stop()
        lines = self.check()
        self.assertEqual(len(lines), 1, lines)
        self.assertNotIn("unfinished", lines[-1])
