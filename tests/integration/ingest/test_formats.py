"""Parameter sets that change all the time, and another size: what viewers, recordings and clips get of it, decoded by
ffmpeg."""

import glob
import os
import shutil
import struct
import subprocess
import sys
import tempfile
import time
import unittest

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.dirname(HERE))

from rookery import Camsim, Rookery, ffprobe, now, wait_for  # noqa: E402

SCENE = {"scene": "corridor", "live": False, "size": "320x240", "fps": 10, "gop": 10, "bitrate": 200000}
FLIP = [{"do": "edit_set", "key": True, "every": 2, "set": "sps", "hex": "80"}]
CAMERAS = {
    "flip-h264": {"main": {**SCENE, "codec": "h264"}, "audio": "pcma", "rtp": FLIP},
    "lower-first": {"main": {**SCENE, "codec": "h264"}, "audio": "pcm", "rtsp": [{"on": "DESCRIBE", "sdp": [
        "v=0", "s=-", "t=0 0", "${VIDEO}", "a=control:trackID=0", "m=audio 0 RTP/AVP 97", "a=rtpmap:97 L16/8000",
        "a=control:trackID=1"]}]},
    "upper-first": {"main": {**SCENE, "codec": "h264"}, "audio": "l16"},
    "flip-h265": {"main": {**SCENE, "codec": "h265"}, "rtp": FLIP},
    "size": {"main": {**SCENE, "codec": "h264"}, "sub": {**SCENE, "codec": "h264", "size": "480x270"},
             "rtp": [{"do": "other", "from": 40, "times": 40}]},
}
HEADER = ("township,institution_id,institution_name,institution_type,camera_id,camera_name,area,area_type,main_url,"
          "sub_url,username,password,record\n")
WATCHED_S = 8


class Formats(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.folder = tempfile.mkdtemp(prefix="rookery-formats-")
        cls.sim = Camsim(cls.folder, [{"id": c, **camera} for c, camera in CAMERAS.items()])
        cls.rookery = Rookery(cls.folder, "motion: off\n")
        cls.rookery.start().sign_in()
        rows = [f"T,i-1,I,,{c},{c},,,{cls.sim.url(c)},,,,main" for c in CAMERAS]
        cls.rookery.api("POST", "/import", HEADER + "\n".join(rows), headers={"Content-Type": "text/csv"}, expect=200)
        cls.began = now()
        for camera in CAMERAS:
            wait_for(f"{camera} to be recorded", lambda c=camera: cls.rookery.state(c)["recording"])

    @classmethod
    def tearDownClass(cls):
        cls.rookery.end()
        cls.sim.end()
        shutil.rmtree(cls.folder, ignore_errors=True)

    def decode(self, name, data):
        """How many pictures ffmpeg makes of it, without one word of complaint, and its tracks."""
        path = os.path.join(self.folder, name)
        with open(path, "wb") as f:
            f.write(data)
        told = subprocess.run(["ffmpeg", "-v", "error", "-i", path, "-map", "0:v", "-f", "null", "-"],
                              capture_output=True, text=True, timeout=60, check=False)
        self.assertEqual((told.returncode, told.stderr), (0, ""))
        streams = ffprobe(path, "-count_frames", "-show_entries", "stream=codec_name,nb_read_frames")[0]["streams"]
        return int(streams[0]["nb_read_frames"]), [s["codec_name"] for s in streams]

    def watch(self, camera):
        c = self.rookery.connect()
        c.request("GET", f"/api/v1/cameras/{camera}/live.mp4?stream=main",
                  headers={"Authorization": "Bearer " + self.rookery.token})
        response = c.getresponse()
        self.assertEqual(response.status, 200)
        data, until = b"", time.monotonic() + WATCHED_S
        while time.monotonic() < until:
            piece = response.read1(65536)
            self.assertTrue(piece, "the server ended live.mp4")
            data += piece
        c.close()
        return data[:data.rfind(b"moof") - 4]  # whole fragments

    def segments(self, camera):
        return glob.glob(os.path.join(self.folder, "**", camera, "main", "**", "*.mp4"), recursive=True)

    def clip(self, camera):
        time.sleep(2)  # the newest group is on its way to the disk
        return self.rookery.api("GET", f"/cameras/{camera}/clip.mp4?from={self.began}&to={now()}", expect=200)

    def check_flips(self, camera, tracks):
        data = self.watch(camera)
        self.assertEqual(data.count(b"moov"), 1)
        n, codecs = self.decode(f"{camera}-live.mp4", data)
        self.assertEqual(codecs, tracks)
        self.assertGreater(n, WATCHED_S * 10 - 15)
        self.assertEqual(len(self.segments(camera)), 1)
        n, codecs = self.decode(f"{camera}-clip.mp4", self.clip(camera).body)
        self.assertEqual(codecs, tracks)
        self.assertGreater(n, WATCHED_S * 10 - 15)
        self.assertEqual(self.rookery.state(camera)["lost_packets"], 0)

    def test_flipping_h264_sets_end_nothing(self):
        self.check_flips("flip-h264", ["h264", "pcm_alaw"])
        self.assertEqual(self.rookery.state("flip-h264")["audio"], {"codec": "pcma", "state": "recorded", "detail": ""})

    def test_flipping_h265_sets_end_nothing(self):
        self.check_flips("flip-h265", ["hevc"])
        self.assertEqual(self.rookery.state("flip-h265")["audio"]["state"], "absent")

    def check_tone(self, camera, codec, entry):
        """The simulator's tone swells to a quarter of the scale; in the wrong order it is noise of the whole."""
        wait_for("its sound", lambda: self.rookery.state(camera)["audio"]["state"] == "recorded")
        live = self.watch(camera)
        for name, data in ((f"{camera}-live.mp4", live), (f"{camera}-clip.mp4", self.clip(camera).body)):
            self.assertEqual(self.decode(name, data)[1], ["h264", codec])
            self.assertIn(entry, data)
            sound = subprocess.run(["ffmpeg", "-v", "error", "-i", os.path.join(self.folder, name), "-map", "0:a", "-f",
                                    "s16le", "-"], capture_output=True, timeout=60, check=True).stdout
            samples = struct.unpack(f"<{len(sound) // 2}h", sound)
            self.assertGreater(len(samples), 8000 * (WATCHED_S - 4))
            self.assertTrue(5000 < max(samples) < 8000, max(samples))
            self.assertLess(max(abs(a - b) for a, b in zip(samples[:8000], samples[1:8000])), 4000)

    def test_16_bit_sound_is_what_the_camera_sent(self):
        self.check_tone("upper-first", "pcm_s16be", b"twos")

    def test_16_bit_sound_with_the_wrong_label_too(self):
        self.check_tone("lower-first", "pcm_s16le", b"sowt")
        self.assertRegex(self.rookery.state("lower-first")["audio"]["detail"], "^lower byte first, as the samples show")

    def test_another_size_is_another_segment_and_one_clip(self):
        wait_for("the size of before", lambda: len(self.segments("size")) == 3)
        reply = self.clip("size")
        self.assertEqual(reply.headers.get("Rookery-Gaps", "").count("no_keyframe"), 0)
        n, _ = self.decode("size-clip.mp4", reply.body)
        spans = self.rookery.get("/cameras/size/recordings", **{"from": self.began, "to": now()})["spans"]
        self.assertEqual(len(spans), 1)
        self.assertGreater(n, 80)
        self.assertEqual(self.rookery.state("size")["reconnects"], 0)


if __name__ == "__main__":
    unittest.main()
