"""SIGKILL at any moment under load: nothing that was recorded is missing afterwards, and the index fits the files.

ROOKERY_KILLS: how many (6; `./test nightly` does 500). ROOKERY_SEED: another choice of moments."""

import os
import random
import shutil
import signal
import tempfile
import time
import unittest

from disks import TINY, set_up_district, spans, uncovered
from rookery import Camsim, Rookery, wait_for

N_CAMERAS = 24
KILLS = int(os.environ.get("ROOKERY_KILLS", "6"))
SEED = int(os.environ.get("ROOKERY_SEED", str(time.time_ns())))


class Kills(unittest.TestCase):
    def setUp(self):
        self.folder = tempfile.mkdtemp(prefix="rookery-test-")
        if not os.environ.get("ROOKERY_KEEP"):
            self.addCleanup(shutil.rmtree, self.folder, ignore_errors=True)
        self.names = [f"cam-{n:02}" for n in range(N_CAMERAS)]
        self.sim = Camsim(self.folder, [{"id": n, "main": TINY} for n in self.names])
        self.addCleanup(self.sim.end)
        self.rookery = Rookery(self.folder, "motion: off\nsegment: 5\n")
        self.addCleanup(self.rookery.end)
        set_up_district(self.rookery, [(n, self.sim.url(n)) for n in self.names])

    def check_index(self, *args):
        out = self.rookery.command("index", "check", *args)
        self.assertEqual((out.returncode, out.stderr), (0, ""), out.stdout)

    def recorded(self, names, since):
        return {n: spans(self.rookery, n, time.time() - since) for n in names}

    def missing(self, before, since):
        after = self.recorded(before, since + 2)
        before = {n: [s for s in was if s[0] > since + 3] for n, was in before.items()}
        lost = {name: uncovered(was, after[name]) for name, was in before.items()}
        return {name: (lost[name], after[name]) for name in lost if lost[name]}

    def test_killed_at_random_moments_under_load(self):
        chance = random.Random(SEED)
        rookery = self.rookery.start()
        rookery.sign_in()
        wait_for("recordings", lambda: all(self.recorded(self.names, time.time() - 60).values()), 30)
        for n in range(KILLS):
            time.sleep(chance.uniform(0, 1.5))  # the moment is what is tried
            since = time.time() - 60
            before = self.recorded(chance.sample(self.names, 12), since)
            rookery.stop(signal.SIGKILL)
            rookery.start()
            # recovery goes on behind a start that would take more than 3 s
            lost = {}

            def is_there(before=before, since=since, lost=lost):
                lost.clear()
                lost.update(self.missing(before, since))
                return not lost
            try:
                wait_for("recovery", is_there, 20)
            except AssertionError:
                self.fail(f"seed {SEED}, kill {n}: (lost, there): {lost}")
            if n % max(1, KILLS // 4) == 0:
                self.assertEqual(rookery.stop(), 0)
                self.check_index()
                rookery.start()
            self.assertNotIn("cannot be recovered", rookery.process.output())
        n_spans = {n: len(spans(rookery, n, 3600)) for n in self.names}
        self.assertGreater(sum(n_spans.values()), N_CAMERAS - 1)
        self.assertEqual(rookery.stop(), 0)
        self.check_index("--deep")


if __name__ == "__main__":
    unittest.main()
