"""The power goes while the real server records: from the journal of everything it asked of its files, SQLite's included,
the state of the disk after a cut at any moment is built (tests/fault), a server is started on it, and what was received
earlier than the sync interval before the cut must be there, byte by byte.

ROOKERY_CUTS: how many (4; `./test nightly` does 100). ROOKERY_SEED: another choice of moments."""

import os
import random
import shutil
import tempfile
import time
import unittest

from disks import TINY, Tap, cut, read_journal, recordings, segments, set_up_district
from mp4 import fragments
from rookery import Camsim, Rookery, wait_for

CUTS = int(os.environ.get("ROOKERY_CUTS", "4"))
SEED = int(os.environ.get("ROOKERY_SEED", str(time.time_ns())))
RECORD_S = 12
SYNC_INTERVAL_S = 5


class PowerCut(unittest.TestCase):
    def setUp(self):
        self.folder = tempfile.mkdtemp(prefix="rookery-test-")
        if not os.environ.get("ROOKERY_KEEP"):
            self.addCleanup(shutil.rmtree, self.folder, ignore_errors=True)
        self.names = [f"cam-{n}" for n in range(6)]
        # every other camera has long groups: its pictures wait 2 s for the end of their fragment
        self.sim = Camsim(self.folder, [{"id": n, "main": dict(TINY, gop=5 if i % 2 else 50)}
                                        for i, n in enumerate(self.names)])
        self.addCleanup(self.sim.end)
        self.rookery = Rookery(self.folder, f"motion: off\nsegment: 5\nsync_interval: {SYNC_INTERVAL_S}s\n")
        self.addCleanup(self.rookery.end)
        self.journal = os.path.join(self.folder, "journal")

    def record(self):
        rookery = self.rookery
        Tap(rookery, rookery.data_dir, self.journal)
        rookery.command("check-config")
        # the district too is made below the tap: the journal must know every file
        self.rows = [(n, self.sim.url(n)) for n in self.names]
        command_env = dict(rookery.env)
        os.environ.update(command_env)
        try:
            set_up_district(rookery, self.rows)
        finally:
            for name in command_env:
                os.environ.pop(name, None)
        rookery.start()
        rookery.sign_in()
        wait_for("recordings", lambda: all(recordings(rookery, n)["spans"] for n in self.names), 30)
        time.sleep(RECORD_S)  # so long there is something to cut
        self.assertEqual(rookery.stop(), 0)
        rookery.env = {}
        self.sim.end()

    def check(self, at, wall, seed, truth):
        rookery, data = self.rookery, self.rookery.data_dir
        shutil.rmtree(data, ignore_errors=True)
        os.mkdir(data)
        cut(self.journal, at, seed, data)
        rookery.start()
        self.assertEqual(rookery.stop(), 0)
        what = f"seed {SEED}: cut {at}, outcome {seed}, {wall:.3f}"
        n_due = 0
        for path, content in truth.items():
            due = [end for first_picture, end in fragments(content) if first_picture < wall - SYNC_INTERVAL_S]
            if not due:
                continue
            n_due += len(due)
            self.assertTrue(os.path.exists(path), f"{what}: {path} is missing")
            with open(path, "rb") as f:
                self.assertEqual(f.read(due[-1]), content[:due[-1]], f"{what}: {path}")
        out = rookery.command("index", "check", "--deep")
        self.assertEqual((out.returncode, out.stderr), (0, ""), f"{what}: {out.stdout}")
        return n_due

    def test_what_is_older_than_the_sync_interval_is_there(self):
        self.record()
        truth = {}
        for path in segments(self.rookery.data_dir):
            with open(path, "rb") as f:
                truth[path] = f.read()
        walls, ends = read_journal(self.journal)
        chance = random.Random(SEED)
        begin = next(i for i, wall in enumerate(walls) if wall > walls[-1] - RECORD_S + 6)
        worst = [i for i in ends if i > begin]
        n_due = 0
        for n in range(CUTS):
            at = chance.choice(worst) if n % 2 else chance.randrange(begin, len(walls))
            n_due += self.check(at, walls[at], chance.randrange(1 << 32), truth)
        self.assertGreater(n_due, CUTS * len(self.names))


if __name__ == "__main__":
    unittest.main()
