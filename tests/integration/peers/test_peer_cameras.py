"""Cameras and players that share no line with Rookery: GStreamer's RTSP server and VLC's; FFmpeg, VLC, GStreamer and
Chromium as players. What is recorded, cut and shown must be what the camera sent, byte for byte."""

import os
import re
import subprocess
import tempfile
import unittest
from datetime import timedelta

from peers import (GstCamera, as_nobody, coded_pictures, decode_errors, has, hashes_of, index_of,
                   make_film, recorded_frames, recordings, run, save, segments, set_up_district, vlc_env, watch_live)
from rookery import ROOT, Process, Rookery, ffprobe, free_port, parse_time, rfc3339, wait_for

FILM_S = 8
N_FILM = FILM_S * 25


class PeerCameras(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.folder = tempfile.mkdtemp(prefix="rookery-test-")
        cls.films = {c: make_film(os.path.join(cls.folder, c + ".mp4"), c, FILM_S) for c in ("h264", "h265")}
        cls.cameras = {
            "live": GstCamera(cls.folder, "live"),
            "aac-tcp": GstCamera(cls.folder, "aac-tcp", "--sound", "aac", "16000"),
            "aac-udp": GstCamera(cls.folder, "aac-udp", "--sound", "aac", "48000"),
            "pcma-tcp": GstCamera(cls.folder, "pcma-tcp", "--sound", "pcma", "8000"),
            "l16-tcp": GstCamera(cls.folder, "l16-tcp", "--sound", "l16", "16000"),
            "locked": GstCamera(cls.folder, "locked", "--auth", "user", "pass word"),
            "h264-tcp": GstCamera(cls.folder, "h264-tcp", "--file", cls.films["h264"], "h264"),
            "h265-tcp": GstCamera(cls.folder, "h265-tcp", "--file", cls.films["h265"], "h265"),
            "h264-udp": GstCamera(cls.folder, "h264-udp", "--file", cls.films["h264"], "h264"),
            "h265-udp": GstCamera(cls.folder, "h265-udp", "--file", cls.films["h265"], "h265")}
        cls.rookery = Rookery(cls.folder, "segment: 5\nmotion: off\n")
        set_up_district(cls.rookery, [("first", "rtsp://127.0.0.1:9/none")])
        cls.rookery.start()
        cls.rookery.sign_in()
        for name, camera in cls.cameras.items():
            login = {"username": "user", "password": "pass word"} if name == "locked" else {}
            cls.rookery.api("POST", "/cameras", {
                "id": name, "name": name, "institution_id": "i-1", "area_type": "corridor", "main_url": camera.url,
                "transport": "udp" if name.endswith("udp") or name == "locked" else "tcp", "record": "main", **login},
                expect=201)

    @classmethod
    def tearDownClass(cls):
        cls.rookery.end()
        for camera in cls.cameras.values():
            camera.end()

    def wait_frames(self, name, n, timeout=40):
        return wait_for(f"{n} recorded pictures of {name}", lambda: recorded_frames(self.rookery, name) >= n, timeout)

    def recorded(self, name, codec):
        found = []
        for path in segments(self.rookery, name):
            found += coded_pictures(path, codec, "-ignore_editlist", "1")[0]
        return found

    def assert_film_recorded(self, name):
        codec = name[:4]
        film, _ = coded_pictures(self.films[codec], codec)
        self.assertGreaterEqual(len(film), N_FILM)
        self.wait_frames(name, N_FILM)
        # the picture after the last one may still be in memory: what is whole must be there
        wait_for("the film in the files", lambda: index_of(film, self.recorded(name, codec)) >= 0, 15)
        state = self.rookery.state(name)
        self.assertEqual((state["lost_packets"], state["codec"]), (0, codec))

    def test_h264_over_tcp_is_recorded_unmodified(self):
        self.assert_film_recorded("h264-tcp")

    def test_h265_over_tcp_is_recorded_unmodified(self):
        self.assert_film_recorded("h265-tcp")

    def test_h264_over_udp_is_recorded_unmodified(self):
        self.assert_film_recorded("h264-udp")

    def test_h265_over_udp_is_recorded_unmodified(self):
        self.assert_film_recorded("h265-udp")

    def test_recorded_is_what_ffmpeg_receives(self):
        self.rookery.wait_cause("live", "ok")
        out = run("ffmpeg", "-v", "error", "-rtsp_transport", "tcp", "-i", self.cameras["live"].url, "-t", "4",
                  "-c", "copy", "-bsf:v", "h264_mp4toannexb", "-f", "h264", "-")
        theirs = hashes_of(out.stdout, "h264")[:-1]
        self.assertGreater(len(theirs), 30)
        wait_for("the same pictures in the files", lambda: index_of(theirs, self.recorded("live", "h264")) >= 0, 10)

    def test_login_over_udp_and_live_pictures(self):
        for name in ("live", "locked"):
            state = self.rookery.wait_cause(name, "ok")
            self.assertEqual((state["width"], state["height"], state["codec"]), (640, 360, "h264"))
            path = watch_live(self.rookery, name, os.path.join(self.folder, name + "-live.mp4"), 3)
            self.assertEqual(decode_errors(path), "")
            shown, _ = coded_pictures(path, "h264")
            self.assertGreater(len(shown), 25)
            wait_for("what was shown in the files",
                     lambda n=name, s=shown[:-1]: index_of(s, self.recorded(n, "h264")) >= 0, 10)

    def test_sound_is_recorded_beside_the_picture(self):
        for name, codec, told, rate in (("aac-tcp", "aac", "aac", 16000), ("aac-udp", "aac", "aac", 48000),
                                        ("pcma-tcp", "pcm_alaw", "pcma", 8000), ("l16-tcp", "pcm_s16be", "s16be", 16000)):
            with self.subTest(camera=name):
                self.wait_frames(name, 130)  # more than one segment of 5 s
                audio = self.rookery.state(name)["audio"]
                self.assertEqual((audio["codec"], audio["state"]), (told, "recorded"))
                path = segments(self.rookery, name)[0]
                self.assertEqual(decode_errors(path), "")
                found, _ = ffprobe(path, "-show_entries", "stream=codec_type,codec_name,sample_rate,duration")
                streams = {s["codec_type"]: s for s in found["streams"]}
                self.assertEqual((streams["audio"]["codec_name"], int(streams["audio"]["sample_rate"])), (codec, rate))
                self.assertAlmostEqual(float(streams["audio"]["duration"]), float(streams["video"]["duration"]), delta=0.4)
                loud = run("ffmpeg", "-hide_banner", "-i", path, "-map", "0:a", "-af", "volumedetect", "-f", "null", "-")
                mean = float(re.search(r"mean_volume: (-?[0-9.]+) dB", loud.stderr.decode())[1])
                self.assertGreater(mean, -12)  # the tone of 0.8 lies at about -5; silence would be -91

    def test_clip_of_a_film_is_part_of_the_film(self):
        for name in ("h264-tcp", "h265-tcp"):
            self.wait_frames(name, 150)
            codec = name[:4]
            span = recordings(self.rookery, name)["spans"][0]
            start = parse_time(span["from"]) + timedelta(seconds=1.48)
            end = start + timedelta(seconds=3)
            reply = self.rookery.api("GET", f"/cameras/{name}/clip.mp4?from={rfc3339(start)}&to={rfc3339(end)}",
                                     expect=200)
            path = save(os.path.join(self.folder, name + "-clip.mp4"), reply.body)
            self.assertEqual(decode_errors(path), "")
            found, errors = ffprobe(path, "-count_frames", "-show_entries", "stream=nb_read_frames:format=duration")
            self.assertEqual(errors, "")
            n_shown = int(found["streams"][0]["nb_read_frames"])
            hashes, _ = coded_pictures(path, codec, "-ignore_editlist", "1")
            film, _ = coded_pictures(self.films[codec], codec)
            key = index_of(hashes, film)
            self.assertGreaterEqual(key, 0)
            # 3 s of decoding; of the pictures decoded before, those presented later are shown too
            packets, _ = ffprobe(self.films[codec], "-show_entries", "packet=pts_time")
            pts = [float(p["pts_time"]) for p in packets["packets"]][key:key + len(hashes)]
            self.assertEqual(len(pts), len(hashes))
            self.assertIn(n_shown, [sum(t >= min(pts[-n:]) for t in pts) for n in (75, 76)], name)

    def test_times_follow_the_camera(self):
        for name in ("h264-tcp", "h265-tcp", "h264-udp", "h265-udp", "locked", "live"):
            step = 1 / 15 if name in ("locked", "live") else 1 / 25
            path = self.finished_segment(name)
            found, _ = ffprobe(path, "-show_entries", "packet=dts_time")
            times = [float(p["dts_time"]) for p in found["packets"]]
            steps = [b - a for a, b in zip(times, times[1:])]
            with self.subTest(camera=name):
                self.assertAlmostEqual((times[-1] - times[0]) / len(steps), step, delta=step * 0.01)
                self.assertGreater(min(steps), step * 0.9)
                self.assertLess(max(steps), step * 1.1)
                # rounded to pictures, no two have the same time
                out = run("ffmpeg", "-v", "warning", "-i", path, "-f", "null", "-")
                self.assertNotIn(b"non monoton", out.stderr)

    # --- players ---

    def finished_segment(self, name):
        paths = wait_for("a finished segment", lambda: len(p := segments(self.rookery, name)) > 1 and p, 40)
        return max(paths[:-1], key=os.path.getsize)

    def test_ffmpeg_plays_every_segment(self):
        for name in self.cameras:
            path = self.finished_segment(name)
            with self.subTest(camera=name):
                self.assertEqual(decode_errors(path), "")
                _, errors = ffprobe(path, "-show_streams", "-show_packets")
                self.assertEqual(errors, "")

    @unittest.skipUnless(has("gst-launch-1.0"), "no GStreamer")
    def test_gstreamer_plays_segments(self):
        for name, parser in (("h264-tcp", "h264parse ! avdec_h264"), ("h265-tcp", "h265parse ! avdec_h265"),
                             ("live", "h264parse ! avdec_h264")):
            path = self.finished_segment(name)
            out = run("gst-launch-1.0", "-q", "filesrc", f"location={path}", "!", "qtdemux", "!", *parser.split(), "!",
                      "fakesink")
            if b"no element" in out.stderr:
                self.skipTest(out.stderr.decode())
            self.assertEqual((out.returncode, out.stderr.decode()), (0, ""), name)

    @unittest.skipUnless(has("cvlc"), "no VLC")
    def test_vlc_plays_segments(self):
        for name in ("h264-tcp", "h265-tcp", "live"):
            path = self.finished_segment(name)
            copy = os.path.join(self.folder, "vlc-" + name + ".mp4")
            with open(path, "rb") as f:
                save(copy, f.read())
            os.chmod(copy, 0o644)
            out = subprocess.run(["cvlc", "-I", "dummy", "--play-and-exit", "--no-audio", "--vout", "dummy", "--no-spu",
                                  "--rate", "3", "--no-dbus", "-vv", copy], env=vlc_env(self.folder), capture_output=True, timeout=60,
                                 check=False, **as_nobody())
            log = out.stderr.decode(errors="replace")
            self.assertEqual(out.returncode, 0, log[-2000:])
            bad = [line for line in log.splitlines() if ("error" in line.lower() or "cannot" in line.lower()) and
                   ("mp4" in line or "avcodec" in line or "decoder" in line) and "debug" not in line]
            self.assertEqual(bad, [])
            self.assertIn("using video decoder module", log)

    @unittest.skipUnless(has("chromium") and os.path.isdir(os.path.join(ROOT, "web/node_modules/playwright-core")),
                         "no Chromium or no playwright-core")
    def test_chromium_plays_a_segment_and_a_clip(self):
        path = self.finished_segment("h264-tcp")
        script = os.path.join(os.path.dirname(os.path.abspath(__file__)), "video.mjs")
        with open(path, "rb") as f:
            save(os.path.join(self.folder, "page.mp4"), f.read())
        span = recordings(self.rookery, "live")["spans"][-1]
        to = parse_time(span["to"]) - timedelta(seconds=1)
        start = to - timedelta(seconds=4)
        clip = self.rookery.api("GET", f"/cameras/live/clip.mp4?from={rfc3339(start)}&to={rfc3339(to)}", expect=200)
        save(os.path.join(self.folder, "page-clip.mp4"), clip.body)
        for name in ("page.mp4", "page-clip.mp4"):
            out = run("node", script, os.path.join(ROOT, "web"), os.path.join(self.folder, name), timeout=90)
            self.assertEqual(out.returncode, 0, out.stderr.decode()[-2000:])


@unittest.skipUnless(has("cvlc"), "no VLC")
class VlcCamera(unittest.TestCase):
    """VLC sends a file over RTSP, and Rookery records it."""

    def test_vlc_as_a_camera(self):
        rookery = Rookery(config="segment: 5\nmotion: off\n")
        self.addCleanup(rookery.end)
        film = make_film(os.path.join(rookery.folder, "film.mp4"), "h264", 20, ("-bf", "0"))
        os.chmod(film, 0o644)
        port = free_port()
        log = os.path.join(rookery.folder, "vlc.log")
        with open(log, "wb") as out:
            vlc = subprocess.Popen(["cvlc", "-I", "dummy", "--no-dbus", "--loop", film, "--sout",
                                    f"#rtp{{sdp=rtsp://127.0.0.1:{port}/film}}", "--sout-keep"], stdout=out, stderr=out,
                                   env=vlc_env(rookery.folder), **as_nobody())

        def end():
            vlc.kill()
            vlc.wait()

        self.addCleanup(end)
        set_up_district(rookery, [("vlc", f"rtsp://127.0.0.1:{port}/film")])
        rookery.start()
        rookery.sign_in()
        state = rookery.wait_cause("vlc", "ok", 40)
        self.assertEqual((state["codec"], state["width"]), ("h264", 320))
        wait_for("100 pictures", lambda: recorded_frames(rookery, "vlc") >= 100, 30)
        rookery.stop()
        found = []
        for path in segments(rookery, "vlc"):
            self.assertEqual(decode_errors(path), "")
            found += coded_pictures(path, "h264", "-ignore_editlist", "1")[0]
        theirs, _ = coded_pictures(film, "h264")
        self.assertGreater(len(found), 90)
        self.assertGreaterEqual(index_of(found[:90], theirs + theirs), 0)


if __name__ == "__main__":
    unittest.main()
