"""MJPEG cameras (RTP/JPEG, RFC 2435) by GStreamer's RTSP server and by VLC: recorded, decoded, cut, watched for motion.
The scan of every recorded image must be what the camera sent, byte for byte."""

import hashlib
import os
import subprocess
import tempfile
import unittest
from datetime import timedelta

from peers import (GstCamera, as_nobody, decode_errors, has, index_of, recorded_frames, recordings,
                   run, save, segments, set_up_district, vlc_env, watch_live)
from rookery import Rookery, ffprobe, free_port, parse_time, rfc3339, wait_for

FPS = 15


def scans_of(images):
    """Hashes of the entropy-coded bytes of images that stand back to back; the heads are the reader's own."""
    found = []
    for image in images.split(b"\xff\xd8\xff")[1:]:
        at = image.index(b"\xff\xda")
        at += 2 + int.from_bytes(image[at + 2:at + 4], "big")
        end = image.index(b"\xff\xd9", at)
        found.append(hashlib.sha1(image[at:end]).hexdigest())
    return found


def copied(path, *before, more=()):
    out = run("ffmpeg", "-v", "error", *before, "-i", path, "-map", "0:v", *more, "-c", "copy", "-f", "mjpeg", "-")
    return scans_of(out.stdout)


def n_fragments(path):
    with open(path, "rb") as f:
        return f.read().count(b"moof\0\0\0\x10mfhd")


class MjpegCameras(unittest.TestCase):
    SIZES = {"tcp": (640, 360), "udp": (320, 240), "large": (2560, 1440)}

    @classmethod
    def setUpClass(cls):
        cls.folder = tempfile.mkdtemp(prefix="rookery-test-")
        cls.cameras = {name: GstCamera(cls.folder, name, "--images", *map(str, size))
                       for name, size in cls.SIZES.items()}
        cls.rookery = Rookery(cls.folder, "segment: 5\nmotion: on\n")
        set_up_district(cls.rookery, [("first", "rtsp://127.0.0.1:9/none")])
        cls.rookery.start()
        cls.rookery.sign_in()
        for name, camera in cls.cameras.items():
            cls.rookery.api("POST", "/cameras", {
                "id": name, "name": name, "institution_id": "i-1", "area_type": "corridor", "main_url": camera.url,
                "transport": "udp" if name == "udp" else "tcp", "record": "main"}, expect=201)

    @classmethod
    def tearDownClass(cls):
        cls.rookery.end()
        for camera in cls.cameras.values():
            camera.end()

    def recorded(self, name):
        return [h for path in segments(self.rookery, name) for h in copied(path, "-ignore_editlist", "1")]

    def finished_segment(self, name):
        paths = wait_for("a finished segment", lambda: len(p := segments(self.rookery, name)) > 1 and p, 40)
        return max(paths[:-1], key=os.path.getsize)

    def snapshot(self, name, **query):
        text = "&".join(f"{k}={v}" for k, v in query.items())
        reply = self.rookery.api("GET", f"/cameras/{name}/snapshot.jpg?{text}", expect=200)
        return save(os.path.join(self.folder, name + ".jpg"), reply.body), reply.body

    def test_names_what_it_receives(self):
        for name, size in self.SIZES.items():
            state = self.rookery.wait_cause(name, "ok")
            self.assertEqual((state["codec"], state["width"], state["height"]), ("jpeg", *size))
            carrier = "UDP" if name == "udp" else "TCP"
            self.assertEqual(state["detail"], f"receiving MJPEG {size[0]}x{size[1]} over {carrier}")

    def test_recorded_is_what_ffmpeg_receives(self):
        self.rookery.wait_cause("tcp", "ok")
        theirs = copied(self.cameras["tcp"].url, "-rtsp_transport", "tcp", more=("-t", "4"))
        self.assertGreater(len(theirs), 3 * FPS)
        wait_for("the same images in the files", lambda: index_of(theirs[1:-1], self.recorded("tcp")) >= 0, 15)

    def test_every_picture_of_a_segment_decodes(self):
        for name, size in self.SIZES.items():
            path = self.finished_segment(name)
            with self.subTest(camera=name):
                self.assertEqual(decode_errors(path), "")
                found, errors = ffprobe(path, "-count_frames", "-show_entries",
                                        "stream=codec_name,codec_tag_string,width,height,nb_read_frames,nb_read_packets:"
                                        "packet=flags:format=duration", "-show_packets")
                stream = found["streams"][0]
                self.assertEqual(errors, "")
                self.assertEqual((stream["codec_name"], stream["codec_tag_string"]), ("mjpeg", "mp4v"))
                self.assertEqual((stream["width"], stream["height"]), size)
                n = int(stream["nb_read_frames"])
                self.assertEqual(n, len(found["packets"]))
                self.assertAlmostEqual(n / float(found["format"]["duration"]), FPS, delta=0.5)
                self.assertTrue(all(p["flags"].startswith("K") for p in found["packets"]))
                # every picture is a key frame, but no fragment of its own
                self.assertLess(n_fragments(path), n / 5 if name != "large" else n)
        for name in ("tcp", "udp"):
            self.assertEqual(self.rookery.state(name)["lost_packets"], 0)

    def test_a_snapshot_is_the_image_itself(self):
        for name, (width, height) in self.SIZES.items():
            self.rookery.wait_cause(name, "ok")
            path, body = self.snapshot(name)
            found, errors = ffprobe(path, "-show_entries", "stream=width,height")
            self.assertEqual((found["streams"][0]["width"], found["streams"][0]["height"], errors), (width, height, ""))
            scan = scans_of(body)
            wait_for("the snapshot among the recorded images", lambda s=scan, n=name: index_of(s, self.recorded(n)) >= 0, 15)
            path, body = self.snapshot(name, width=160)
            found, errors = ffprobe(path, "-show_entries", "stream=width,height")
            self.assertEqual((found["streams"][0]["width"], errors), (160, ""))
            self.assertLess(len(body), 20000)

    def test_a_snapshot_of_a_time_is_that_picture(self):
        path = self.finished_segment("tcp")
        images = copied(path, "-ignore_editlist", "1")
        span = recordings(self.rookery, "tcp")["spans"][0]
        at = parse_time(span["from"]) + timedelta(seconds=2.5)
        _, body = self.snapshot("tcp", at=rfc3339(at))
        everything = self.recorded("tcp")
        self.assertAlmostEqual(index_of(scans_of(body), everything), 2.5 * FPS, delta=3)
        self.assertGreater(len(images), 0)

    def test_clip_and_live_pictures(self):
        wait_for("recorded pictures", lambda: recorded_frames(self.rookery, "tcp") >= 6 * FPS, 40)
        start = parse_time(recordings(self.rookery, "tcp")["spans"][0]["from"]) + timedelta(seconds=1.5)
        reply = self.rookery.api("GET", f"/cameras/tcp/clip.mp4?from={rfc3339(start)}&to="
                                 f"{rfc3339(start + timedelta(seconds=3))}", expect=200)
        path = save(os.path.join(self.folder, "clip.mp4"), reply.body)
        self.assertEqual(decode_errors(path), "")
        found, errors = ffprobe(path, "-count_frames", "-show_entries", "stream=nb_read_frames")
        self.assertEqual(errors, "")
        self.assertIn(int(found["streams"][0]["nb_read_frames"]), (3 * FPS, 3 * FPS + 1))
        path = watch_live(self.rookery, "tcp", os.path.join(self.folder, "live.mp4"), 3)
        self.assertEqual(decode_errors(path), "")
        shown = copied(path)
        self.assertGreater(len(shown), 2 * FPS)
        wait_for("what was shown in the files", lambda: index_of(shown[:-1], self.recorded("tcp")) >= 0, 15)

    def test_a_moving_picture_makes_events(self):
        def events():
            return self.rookery.get("/events", node="camera:tcp")["items"]

        item = wait_for("an event", events, 60)[0]
        self.assertEqual((item["type"], item["camera_id"]), ("motion", "tcp"))

    @unittest.skipUnless(has("gst-launch-1.0"), "no GStreamer")
    def test_gstreamer_plays_segments(self):
        for name in self.cameras:
            out = run("gst-launch-1.0", "-q", "filesrc", f"location={self.finished_segment(name)}", "!", "qtdemux", "!",
                      "jpegdec", "!", "fakesink")
            self.assertEqual((out.returncode, out.stderr.decode()), (0, ""), name)

    @unittest.skipUnless(has("cvlc"), "no VLC")
    def test_vlc_plays_a_segment(self):
        copy = os.path.join(self.folder, "vlc.mp4")
        with open(self.finished_segment("tcp"), "rb") as f:
            save(copy, f.read())
        os.chmod(copy, 0o644)
        out = subprocess.run(["cvlc", "-I", "dummy", "--play-and-exit", "--no-audio", "--vout", "dummy", "--no-spu", "--rate",
                              "3", "--no-dbus", "-vv", copy], env=vlc_env(self.folder), capture_output=True, timeout=60,
                             check=False, **as_nobody())
        log = out.stderr.decode(errors="replace")
        self.assertEqual(out.returncode, 0, log[-2000:])
        self.assertIn("using video decoder module", log)
        bad = [line for line in log.splitlines() if ("error" in line.lower() or "cannot" in line.lower()) and
               ("mp4" in line or "avcodec" in line or "decoder" in line) and "debug" not in line]
        self.assertEqual(bad, [])


class MjpegIndex(unittest.TestCase):
    def test_the_index_is_rebuilt_from_the_files(self):
        rookery = Rookery(config="segment: 5\nmotion: off\n")
        self.addCleanup(rookery.end)
        camera = GstCamera(rookery.folder, "index", "--images", "320", "240")
        self.addCleanup(camera.end)
        set_up_district(rookery, [("cam", camera.url)])
        rookery.start()
        rookery.sign_in()
        wait_for("7 s of pictures", lambda: recorded_frames(rookery, "cam") >= 7 * FPS, 40)
        rookery.stop()
        out = rookery.command("index", "rebuild")
        self.assertEqual(out.returncode, 0, out.stderr)
        out = rookery.command("index", "check", "--deep")
        self.assertEqual(out.returncode, 0, out.stdout + out.stderr)


@unittest.skipUnless(has("cvlc"), "no VLC")
class VlcMjpegCamera(unittest.TestCase):
    def test_vlc_as_a_camera(self):
        rookery = Rookery(config="segment: 5\nmotion: off\n")
        self.addCleanup(rookery.end)
        film = os.path.join(rookery.folder, "film.avi")
        out = run("ffmpeg", "-v", "error", "-y", "-f", "lavfi", "-i", "testsrc2=size=320x240:rate=25", "-t", "20", "-c:v",
                  "mjpeg", "-huffman", "default", "-pix_fmt", "yuvj420p", film)
        self.assertEqual(out.returncode, 0, out.stderr)
        os.chmod(film, 0o644)
        port = free_port()
        env = vlc_env(rookery.folder)
        with open(os.path.join(rookery.folder, "vlc.log"), "wb") as out:
            vlc = subprocess.Popen(["cvlc", "-I", "dummy", "--no-dbus", "--loop", film, "--sout",
                                    f"#rtp{{sdp=rtsp://127.0.0.1:{port}/film}}", "--sout-keep"], stdout=out, stderr=out,
                                   env=env, **as_nobody())

        def end():
            vlc.kill()
            vlc.wait()

        self.addCleanup(end)
        set_up_district(rookery, [("vlc", f"rtsp://127.0.0.1:{port}/film")])
        rookery.start()
        rookery.sign_in()
        state = rookery.wait_cause("vlc", "ok", 40)
        self.assertEqual((state["codec"], state["width"]), ("jpeg", 320))
        wait_for("100 pictures", lambda: recorded_frames(rookery, "vlc") >= 100, 30)
        rookery.stop()
        found = []
        for path in segments(rookery, "vlc"):
            self.assertEqual(decode_errors(path), "")
            found += copied(path, "-ignore_editlist", "1")
        self.assertGreaterEqual(index_of(found[:90], copied(film) * 2), 0)


if __name__ == "__main__":
    unittest.main()
