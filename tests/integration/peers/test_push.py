"""Encoders that share no line with Rookery push to it: FFmpeg and GStreamer, over TCP and UDP, with every way to log in.
What is recorded must be what they sent, and what is refused must say why."""

import os
import signal
import subprocess
import tempfile
import time
import unittest

from peers import coded_pictures, has, index_of, make_film, recorded_frames, recordings, run, segments, set_up_district
from rookery import Process, Rookery, free_port, wait_for

KEY = "k3y-of/the camera"
KEY_ENCODED = "k3y-of%2Fthe%20camera"
FILM_S = 4


class Push(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.folder = tempfile.mkdtemp(prefix="rookery-test-")
        cls.film = make_film(os.path.join(cls.folder, "film.mp4"), "h264", FILM_S)
        cls.port = free_port()
        cls.rookery = Rookery(cls.folder, f'segment: 5\nmotion: off\nrtsp: {{listen: "127.0.0.1:{cls.port}"}}\n')
        set_up_district(cls.rookery, [("pulled", "rtsp://127.0.0.1:9/none", "pulled", KEY),
                                      ("imported", "push:", "", KEY)])
        cls.rookery.start()
        cls.rookery.sign_in()
        cls.processes = []

    @classmethod
    def tearDownClass(cls):
        for process in cls.processes:
            process.end(signal.SIGKILL)
        cls.rookery.end()

    def add_camera(self, name, **more):
        self.rookery.api("POST", "/cameras", {
            "id": name, "name": name, "institution_id": "i-1", "area_type": "corridor", "main_url": "push:",
            "password": KEY, "record": "main", **more}, expect=201)

    def start(self, name, *args):
        process = Process(list(args), os.path.join(self.folder, f"{name}-{len(self.processes)}.log"))
        self.processes.append(process)
        return process

    def url(self, path, login=""):
        return f"rtsp://{login}127.0.0.1:{self.port}/{path}"

    def push(self, name, url, transport="tcp"):
        return self.start(
            name, "ffmpeg", "-v", "info", "-nostdin", "-re", "-stream_loop", "-1", "-i", self.film, "-f", "lavfi", "-i",
            "sine=f=440:r=16000", "-map", "0:v", "-map", "1:a", "-c:v", "copy", "-c:a", "aac", "-f", "rtsp",
            "-rtsp_transport", transport, url)

    def end(self, process, sig=signal.SIGTERM):
        process.end(sig)
        self.processes.remove(process)

    def assert_recorded_whole(self, name, seconds=8):
        """Without a gap, and byte for byte what the film holds, over and over."""
        self.rookery.wait_cause(name, "ok")
        wait_for(f"{seconds} s of {name}", lambda: recorded_frames(self.rookery, name) >= seconds * 25, 40)
        found = recordings(self.rookery, name)
        self.assertEqual(len(found["spans"]), 1, found)
        state = self.rookery.state(name)
        self.assertTrue(state["recording"], state)
        film, _ = coded_pictures(self.film, "h264")

        def finished():
            pictures = []
            for path in segments(self.rookery, name)[:-1]:  # the last one is being written
                pictures += coded_pictures(path, "h264", "-ignore_editlist", "1")[0]
            return pictures if len(pictures) >= 4 * 25 else None

        pictures = wait_for(f"4 s of {name} in finished segments", finished, 30)
        self.assertGreaterEqual(index_of(pictures, film * 20), 0, f"{name}: not the pictures that were pushed")
        return state

    def test_ffmpeg_pushes_over_tcp_by_user_and_password(self):
        self.add_camera("ff-tcp")
        wait_for("the stream to wait", lambda: "waits for the encoder to push to /ff-tcp" in self.rookery.state("ff-tcp")["detail"])
        process = self.push("ff-tcp", self.url("ff-tcp", f"ff-tcp:{KEY_ENCODED}@"))
        state = self.assert_recorded_whole("ff-tcp")
        self.assertIn("over TCP", state["detail"])
        self.end(process)

    def test_ffmpeg_pushes_over_udp(self):
        self.add_camera("ff-udp", username="encoder-7")
        process = self.push("ff-udp", self.url("ff-udp", f"encoder-7:{KEY_ENCODED}@"), "udp")
        state = self.assert_recorded_whole("ff-udp")
        self.assertIn("over UDP", state["detail"])
        self.end(process)

    def test_ffmpeg_pushes_with_the_key_in_the_address(self):
        process = self.push("imported", self.url(f"imported?key={KEY_ENCODED}"))
        self.assert_recorded_whole("imported")
        self.end(process)

    def test_main_and_sub_are_pushed_side_by_side(self):
        self.add_camera("both", sub_url="push:", record="both")
        main = self.push("both", self.url(f"both?key={KEY_ENCODED}"))
        sub = self.push("both-sub", self.url(f"both/sub?key={KEY_ENCODED}"))
        self.assert_recorded_whole("both")
        wait_for("a file of the sub stream", lambda: segments(self.rookery, "both", "sub"))
        self.end(main)
        self.end(sub)

    @unittest.skipUnless(has("gst-launch-1.0") and run("gst-inspect-1.0", "rtspclientsink").returncode == 0,
                         "gstreamer1.0-rtsp is not installed")
    def test_gstreamer_pushes_over_tcp_and_udp(self):
        for protocol in ("tcp", "udp"):
            name = "gst-" + protocol
            self.add_camera(name)
            process = self.start(
                name, "gst-launch-1.0", "-q", "videotestsrc", "is-live=true", "!", "video/x-raw,width=320,height=240", "!",
                "x264enc", "tune=zerolatency", "key-int-max=25", "!", "rtspclientsink", "location=" + self.url(name),
                "protocols=" + protocol, "user-id=" + name, "user-pw=" + KEY)
            self.rookery.wait_cause(name, "ok", 40)
            wait_for(f"5 s of {name}", lambda n=name: recorded_frames(self.rookery, n) >= 120, 40)
            self.assertEqual(len(recordings(self.rookery, name)["spans"]), 1)
            self.end(process)
            self.rookery.wait_cause(name, "unreachable")

    def test_an_encoder_that_dies_leaves_a_gap_with_its_cause(self):
        self.add_camera("mortal")
        process = self.push("mortal", self.url("mortal", f"mortal:{KEY_ENCODED}@"))
        self.rookery.wait_cause("mortal", "ok")
        wait_for("3 s of mortal", lambda: recorded_frames(self.rookery, "mortal") >= 75)
        self.end(process, signal.SIGKILL)
        state = self.rookery.wait_cause("mortal", "unreachable")
        self.assertIn("waits for the encoder to push again", state["detail"])
        time.sleep(3)  # the gap is to be seen
        process = self.push("mortal", self.url("mortal", f"mortal:{KEY_ENCODED}@"))
        self.rookery.wait_cause("mortal", "ok")
        found = wait_for("the time after the gap",
                         lambda: (r := recordings(self.rookery, "mortal")) and len(r["spans"]) == 2 and r, 30)
        causes = [g["cause"] for g in found["gaps"] if found["spans"][0]["to"] <= g["from"] < found["spans"][1]["from"]]
        self.assertIn("unreachable", causes, found)
        self.end(process)

    def refused(self, url):
        out = subprocess.run(["ffmpeg", "-v", "error", "-nostdin", "-re", "-i", self.film, "-c", "copy", "-t", "2", "-f",
                              "rtsp", "-rtsp_transport", "tcp", url], capture_output=True, text=True, timeout=30,
                             check=False)
        self.assertNotEqual(out.returncode, 0)
        return out.stderr

    def test_what_is_refused_is_told_and_nothing_else(self):
        self.add_camera("held")
        wrong = self.refused(self.url("held", "held:wrong@"))
        self.assertIn("401", wrong)
        self.assertIn("401", self.refused(self.url("nobody", f"nobody:{KEY_ENCODED}@")))
        self.assertIn("401", self.refused(self.url("held?key=wrong")))
        self.assertIn("401", self.refused(self.url("held")))
        self.assertIn("403", self.refused(self.url("pulled", f"pulled:{KEY_ENCODED}@")))
        self.assertIn("wrong key", self.rookery.process.output())
        self.assertNotIn(KEY, self.rookery.process.output())
        process = self.push("held", self.url("held", f"held:{KEY_ENCODED}@"))
        self.rookery.wait_cause("held", "ok")
        self.assertIn("453", self.refused(self.url("held", f"held:{KEY_ENCODED}@")))
        self.end(process)

    def test_a_camera_that_pushes_needs_a_key(self):
        reply = self.rookery.api("POST", "/cameras", {"id": "keyless", "name": "x", "institution_id": "i-1",
                                                      "area_type": "corridor", "main_url": "push:"}, expect=422)
        self.assertIn("key", str(reply.json))
        self.assertEqual(self.rookery.get("/me")["push_port"], self.port)


if __name__ == "__main__":
    unittest.main()
