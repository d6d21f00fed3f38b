"""The ingest layer alone, against the simulator and against gst-rtsp-server, over TCP and UDP: what comes is counted."""

import concurrent.futures
import os
import re
import shutil
import subprocess
import sys
import tempfile
import unittest

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.dirname(HERE))
sys.path.insert(0, os.path.join(os.path.dirname(HERE), "peers"))

from peers import GstCamera, make_film  # noqa: E402
from rookery import CAMSIM, Process, built, free_port, wait_for  # noqa: E402

SECONDS = 4


def pull(*args, seconds=SECONDS):
    """What ingest_pull says about each address, as dictionaries of its figures."""
    options = [a for a in args if not a.startswith("rtsp:")]
    urls = [a for a in args if a.startswith("rtsp:")]
    done = subprocess.run([built("tests/integration/ingest_pull"), "--quiet", *options, str(seconds), *urls], capture_output=True, timeout=60, check=False)
    lines = [line for line in done.stdout.decode().splitlines() if re.match(r"cam\d+ video ", line)]
    assert len(lines) == len(urls), done.stdout.decode() + done.stderr.decode()
    return [dict(re.findall(r"(\w+) (-?[\w.]+)", line.split(" ", 1)[1])) for line in lines]


def pull_each(many):
    """Several pulls at a time."""
    with concurrent.futures.ThreadPoolExecutor() as threads:
        return list(zip(many, threads.map(lambda args: pull(*args), many)))


class Pull(unittest.TestCase):
    def setUp(self):
        self.folder = tempfile.mkdtemp(prefix="rookery-pull-")
        self.addCleanup(shutil.rmtree, self.folder)

    def simulate(self, *args):
        port = free_port()
        sim = Process([CAMSIM, "--count", "2", "--port", str(port), *args], os.path.join(self.folder, f"sim-{port}.log"))
        self.addCleanup(sim.end)
        wait_for("the simulator", lambda: "ready" in sim.output(), 60)
        return [f"rtsp://127.0.0.1:{port}/cam-00{i}" for i in (1, 2)]

    def assert_whole(self, figures, codec, fps):
        self.assertEqual(figures["codec"], codec)
        self.assertEqual(figures["cause"], "ok")
        self.assertEqual((figures["lost"], figures["damaged"], figures["dts_back"]), ("0", "0", "0"), figures)
        self.assertLessEqual(int(figures["breaks"]), 2, "one break per track: its start")
        self.assertGreater(int(figures["keys"]), 0)
        media_s, wall_s = float(figures["media"]), float(figures["wall"])
        self.assertGreater(media_s, SECONDS / 2)
        self.assertAlmostEqual(media_s, wall_s, delta=0.3)
        self.assertAlmostEqual(int(figures["video"]), media_s * fps + 1, delta=5)

    def test_simulator(self):
        for codec in ("h264", "h265"):
            urls = self.simulate("--codec", codec, "--audio", "aac" if codec == "h264" else "pcma", "--scene-size", "640x360", "--scene-fps", "25", "--gop", "25")
            for options, answers in pull_each([["--tcp", *urls], ["--tcp", "--live", *urls], ["--udp", *urls]]):
                with self.subTest(codec=codec, options=options):
                    for figures in answers:
                        self.assert_whole(figures, codec, 25)
                        self.assertGreater(int(figures["audio"]), 25)

    def test_login(self):
        for auth in ("basic", "digest", "digest-sha256"):
            urls = self.simulate("--auth", auth, "--user", "u", "--password", "p@ss:w/1", "--scene-size", "320x240", "--scene-fps", "10", "--gop", "10")
            with self.subTest(auth=auth):
                right, = pull("--user", "u", "--password", "p@ss:w/1", urls[0], seconds=3)
                self.assertEqual(right["cause"], "ok")
                wrong, = pull("--user", "u", "--password", "wrong", urls[1], seconds=2)
                self.assertEqual(wrong["cause"], "auth")

    def test_gst_live(self):
        camera = GstCamera(self.folder, "live")
        self.addCleanup(camera.end)
        # One after the other: who joins a picture that is running already misses a packet of it.
        for option in ("--tcp", "--udp"):
            with self.subTest(option=option):
                figures, = pull(option, camera.url)
                self.assert_whole(figures, "h264", 15)

    def test_gst_film_with_b_pictures(self):
        for codec in ("h264", "h265"):
            film = make_film(os.path.join(self.folder, f"{codec}.mp4"), codec, 20)
            camera = GstCamera(self.folder, codec, "--file", film, codec)
            self.addCleanup(camera.end)
            for options, (figures,) in pull_each([["--tcp", camera.url], ["--udp", camera.url]]):
                with self.subTest(codec=codec, options=options):
                    self.assert_whole(figures, codec, 25)


if __name__ == "__main__":
    unittest.main()
