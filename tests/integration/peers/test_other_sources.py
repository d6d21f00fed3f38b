"""Cameras that speak no RTSP, sent by FFmpeg and recorded by the real server through rookery-remux."""

import os
import signal
import tempfile
import unittest

from peers import coded_pictures, decode_errors, index_of, recorded_frames, recordings, segments, set_up_district, watch_live
from remux import HttpFilm, Sender, children_of, live
from rookery import Rookery, ffprobe, free_port, wait_for
from test_remux import make_films

SECRET = "s3cret-pass"


class OtherSources(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        holder = tempfile.TemporaryDirectory(prefix="rookery-test-")
        cls.addClassCleanup(holder.cleanup)
        cls.folder = holder.name
        films = cls.films = make_films(cls.folder)
        cls.http = HttpFilm({"/a.flv": live(films["h264"], "flv", "video/x-flv"),
                             "/b.ts": live(films["h265"], "mpegts", "video/mp2t"),
                             "/mp3.ts": live(films["mp3"], "mpegts", "video/mp2t")}, login="user:" + SECRET)
        cls.addClassCleanup(cls.http.end)
        rtmp, udp, srt = (free_port() for _ in range(3))
        for film, form, url in (("h264", "flv", f"rtmp://127.0.0.1:{rtmp}/live/key"),
                                ("h264", "mpegts", f"udp://127.0.0.1:{udp}?pkt_size=1316"),
                                ("h265", "mpegts", f"srt://127.0.0.1:{srt}?mode=listener&passphrase={SECRET}")):
            sender = Sender(cls.folder, films[film], "-f", form, *(["-listen", "1"] if "rtmp" in url else []), url)
            cls.addClassCleanup(sender.end)
            if "udp" not in url:
                sender.wait_listening(rtmp if "rtmp" in url else srt, "tcp" if "rtmp" in url else "udp")
        web = f"http://user:{SECRET}@127.0.0.1:{cls.http.port}"
        cls.cameras = {"flv-h264": web + "/a.flv", "ts-h265": web + "/b.ts", "mp3-h264": web + "/mp3.ts",
                       "rtmp-h264": f"rtmp://127.0.0.1:{rtmp}/live/key", "udp-h264": f"udp://127.0.0.1:{udp}",
                       "srt-h265": f"srt://127.0.0.1:{srt}?passphrase={SECRET}"}
        cls.rookery = Rookery(cls.folder, "segment: 5\nmotion: off\n")
        set_up_district(cls.rookery, list(cls.cameras.items()))
        cls.rookery.start()
        cls.addClassCleanup(cls.rookery.end)
        cls.rookery.sign_in()

    def add(self, name, **more):
        self.rookery.api("POST", "/cameras", {"id": name, "name": name, "institution_id": "i-1", "area_type": "corridor",
                                              **more}, expect=201)
        self.addCleanup(self.rookery.api, "DELETE", "/cameras/" + name)

    def processes(self):
        return children_of(self.rookery.process.popen.pid, "rookery-remux")

    def test_everything_is_recorded_unmodified(self):
        for name in self.cameras:
            with self.subTest(camera=name):
                codec = name.split("-")[1]
                state = self.rookery.wait_cause(name, "ok")
                self.assertEqual((state["codec"], state["width"]), (codec, 320))
                if "mp3" in name:
                    self.assertEqual((state["audio"]["state"], state["audio"]["codec"].lower()), ("unsupported", "mp3"))
                wait_for("pictures of " + name, lambda n=name: recorded_frames(self.rookery, n) >= 150, 30)
                film, _ = coded_pictures(self.films["mp3" if "mp3" in name else codec], codec)
                paths = wait_for("finished segments", lambda n=name: len(p := segments(self.rookery, n)) > 1 and p[:-1], 30)
                found = [h for p in paths for h in coded_pictures(p, codec, "-ignore_editlist", "1")[0]]
                self.assertGreater(len(found), 50)
                self.assertGreaterEqual(index_of(found[:100], film + film), 0)
                self.assertEqual(decode_errors(paths[0]), "")
                streams, _ = ffprobe(paths[-1], "-show_streams")
                kinds = {s["codec_name"] for s in streams["streams"]}
                self.assertEqual(kinds, {codec.replace("h265", "hevc")} | (set() if "mp3" in name else {"aac"}))
                found, _ = ffprobe(paths[0], "-select_streams", "v", "-show_entries", "packet=dts_time")
                times = [float(p["dts_time"]) for p in found["packets"]]
                self.assertAlmostEqual((times[-1] - times[0]) / (len(times) - 1), 0.04, delta=0.002)

    def test_no_secret_can_be_seen_from_outside(self):
        wait_for("the processes", lambda: len(self.processes()) >= len(self.cameras), 20)
        for pid in self.processes():
            for name in ("cmdline", "environ"):
                with open(f"/proc/{pid}/{name}", "rb") as f:
                    self.assertNotIn(SECRET.encode(), f.read())
        self.assertNotIn(SECRET, self.rookery.process.output())
        for name in ("flv-h264", "ts-h265"):
            self.assertNotIn(SECRET, self.rookery.api("GET", "/cameras/" + name, expect=200).body.decode())
        for name in self.cameras:
            self.assertNotIn(SECRET, str(self.rookery.state(name)))

    def test_what_is_missing_is_said(self):
        port = free_port()
        cases = {"no-rtmp": (f"rtmp://127.0.0.1:{port}/a/b", "refused"), "no-http": (f"http://127.0.0.1:{port}/a", "refused"),
                 "no-film": (f"http://user:{SECRET}@127.0.0.1:{self.http.port}/missing.flv", "not_found"),
                 "no-login": (f"http://127.0.0.1:{self.http.port}/a.flv", "auth"),
                 "no-name": ("http://nosuch.invalid/x", "dns"), "no-udp": (f"udp://127.0.0.1:{port}", "timeout"),
                 "no-srt": (f"srt://127.0.0.1:{port}", "refused")}
        for name, (url, _) in cases.items():
            self.add(name, main_url=url, record="off")
        for name, (_, cause) in cases.items():
            with self.subTest(camera=name):
                state = self.rookery.wait_cause(name, cause)
                self.assertIn("next try in", state["detail"])
                self.assertNotIn(SECRET, state["detail"])

    def test_files_of_the_server_cannot_be_named(self):
        for url in ("file:///etc/passwd", "concat:/etc/passwd", "data:text/plain,x", "pipe:0", "/etc/passwd"):
            reply = self.rookery.api("POST", "/cameras", {"id": "evil", "name": "x", "institution_id": "i-1",
                                                          "area_type": "corridor", "main_url": url}, expect=422)
            self.assertIn("rtmp://", reply.body.decode())

    def test_a_killed_process_is_a_gap_with_a_cause(self):
        name = "kill-me"
        self.add(name, main_url=f"http://127.0.0.1:{self.http.port}/a.flv", username="user", password=SECRET, record="main")
        before = self.processes()
        self.rookery.wait_cause(name, "ok")
        wait_for("pictures", lambda: recorded_frames(self.rookery, name) > 50, 20)
        mine = [p for p in self.processes() if p not in before]
        if len(mine) != 1:  # it was there already
            mine = [max(self.processes())]
        os.kill(mine[0], signal.SIGKILL)
        wait_for("the log", lambda: "internal: rookery-remux ended unexpectedly" in self.rookery.process.output(), 10)
        self.rookery.wait_cause(name, "ok")

        def gap():
            found = [g for g in recordings(self.rookery, name)["gaps"] if g["cause"] == "internal"]
            return found and recordings(self.rookery, name)["spans"][-1]
        wait_for("the gap", gap, 20)

    def test_on_demand_there_is_a_process_only_while_somebody_watches(self):
        name = "sometimes"
        self.add(name, main_url=f"http://127.0.0.1:{self.http.port}/a.flv", username="user", password=SECRET, record="off",
                 on_demand=True)
        self.rookery.wait_cause(name, "idle")
        before = self.processes()
        path = watch_live(self.rookery, name, os.path.join(self.folder, "live.mp4"), 4)
        self.assertEqual(decode_errors(path), "")
        self.assertEqual(len([p for p in self.processes() if p not in before]), 1)
        self.rookery.wait_cause(name, "idle", 20)
        wait_for("its end", lambda: not [p for p in self.processes() if p not in before], 5)


class Ending(unittest.TestCase):
    def test_nothing_is_left_behind(self):
        with tempfile.TemporaryDirectory(prefix="rookery-test-") as folder:
            films = make_films(folder)
            http = HttpFilm({"/a.flv": live(films["h264"], "flv", "video/x-flv")})
            self.addCleanup(http.end)
            rookery = Rookery(folder, "motion: off\n")
            self.addCleanup(rookery.end)
            url = f"http://127.0.0.1:{http.port}/a.flv"
            set_up_district(rookery, [("one", url), ("two", url), ("silent", f"udp://127.0.0.1:{free_port()}")])
            for sig in (signal.SIGTERM, signal.SIGKILL):
                rookery.start()
                rookery.sign_in()
                rookery.wait_cause("one", "ok")
                pids = wait_for("the processes", lambda: len(p := children_of(rookery.process.popen.pid, "rookery-remux")) == 3 and p)
                code = rookery.stop(sig)
                if sig == signal.SIGTERM:
                    self.assertEqual(code, 0)
                    self.assertEqual([p for p in pids if os.path.exists(f"/proc/{p}")], [])
                wait_for("their end", lambda p=pids: not any(is_running(x) for x in p), 5)


def is_running(pid):
    try:
        with open(f"/proc/{pid}/stat", encoding="ascii") as f:
            return f.read().rsplit(")", 1)[1].split()[0] != "Z"
    except FileNotFoundError:
        return False


if __name__ == "__main__":
    unittest.main()
