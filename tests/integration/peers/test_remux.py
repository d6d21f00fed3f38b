"""rookery-remux alone: what it makes of streams that FFmpeg sends, and what it says when there is none."""

import os
import re
import tempfile
import unittest

from peers import run
from remux import HttpFilm, Remux, Sender, falls_silent, file_of, live
from rookery import free_port, wait_for


def make_films(folder):
    films = {}
    for name, args in (("h264", ("libx264", "aac")), ("h265", ("libx265", "aac")), ("mp3", ("libx264", "libmp3lame"))):
        films[name] = os.path.join(folder, name + ".mp4")
        done = run("ffmpeg", "-v", "error", "-y", "-f", "lavfi", "-i", "testsrc2=size=320x240:rate=25", "-f", "lavfi",
                   "-i", "sine=r=16000", "-t", "8", "-pix_fmt", "yuv420p", "-g", "25", "-c:v", args[0], "-preset",
                   "veryfast", *(["-x265-params", "log-level=error:keyint=25"] if name == "h265" else []),
                   "-c:a", args[1], "-movflags", "faststart", films[name])
        assert done.returncode == 0, done.stderr
    return films


class RemuxProgram(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        holder = tempfile.TemporaryDirectory(prefix="rookery-test-")
        cls.addClassCleanup(holder.cleanup)
        cls.folder = holder.name
        films = cls.films = make_films(cls.folder)
        hls = os.path.join(cls.folder, "hls.m3u8")
        run("ffmpeg", "-v", "error", "-i", films["h264"], "-c", "copy", "-hls_time", "2", "-hls_list_size", "0", hls)
        routes = {"/a.flv": live(films["h264"], "flv", "video/x-flv"), "/a.ts": live(films["h264"], "mpegts", "video/mp2t"),
                  "/b.ts": live(films["h265"], "mpegts", "video/mp2t"), "/mp3.ts": live(films["mp3"], "mpegts", "video/mp2t"),
                  "/f.mp4": file_of(films["h264"], "video/mp4"), "/hls.m3u8": file_of(hls, "application/vnd.apple.mpegurl"),
                  "/silent.ts": falls_silent(films["h264"], "mpegts", "video/mp2t"),
                  "/silent.flv": falls_silent(films["h264"], "flv", "video/x-flv"),
                  "/none.html": file_of(__file__, "text/html")}
        for name in os.listdir(cls.folder):
            if name.endswith(".ts"):
                routes["/" + name] = file_of(os.path.join(cls.folder, name), "video/mp2t")
        cls.http = HttpFilm(routes)
        cls.addClassCleanup(cls.http.end)
        with open(os.path.join(cls.folder, "evil.m3u8"), "w", encoding="ascii") as f:
            f.write("#EXTM3U\n#EXT-X-TARGETDURATION:2\n#EXTINF:2,\nfile:///etc/passwd\n#EXT-X-ENDLIST\n")
        routes["/evil.m3u8"] = file_of(f.name, "application/vnd.apple.mpegurl")

    def url(self, path, login=""):
        return f"http://{login}127.0.0.1:{self.http.port}{path}"

    def check(self, address, codec, n_audio=10, seconds=2.0, is_live=True):
        remux = Remux(address)
        self.addCleanup(remux.end)
        end = remux.run(seconds)
        self.assertIsNone(end)
        self.assertEqual(remux.requests, ["ANNOUNCE", "SETUP"] + ["SETUP"] * (n_audio > 0) + ["RECORD"])
        self.assertIn({"h264": "H264", "h265": "H265"}[codec] + "/90000", remux.sdp)
        pictures = remux.marked(0)
        self.assertGreater(len(pictures), 25 * seconds - 15)
        self.assertLess(len(pictures), 25 * (seconds + (2 if is_live else 0.5)))
        self.assertGreaterEqual(len(remux.packets(2)), n_audio)
        stamps = sorted(int.from_bytes(p[4:8], "big") for p in pictures)
        steps = [b - a for a, b in zip(stamps, stamps[1:]) if b - a < 1 << 30][:-4]
        self.assertEqual(set(steps[4:]), {3600})
        return remux

    def test_http_flv(self):
        remux = self.check(self.url("/a.flv"), "h264")
        self.assertRegex(remux.sdp, "MPEG4-GENERIC/16000")

    def test_https(self):
        pem = os.path.join(self.folder, "own.pem")
        made = run("openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-keyout", pem + ".key", "-out", pem, "-days", "2",
                   "-subj", "/CN=camera")
        self.assertEqual(made.returncode, 0, made.stderr)
        with open(pem, "a", encoding="ascii") as out, open(pem + ".key", encoding="ascii") as key:
            out.write(key.read())
        http = HttpFilm({"/a.flv": live(self.films["h264"], "flv", "video/x-flv")}, certificate=pem)
        self.addCleanup(http.end)
        self.check(f"https://127.0.0.1:{http.port}/a.flv", "h264")

    def make(self, name, *args):
        path = os.path.join(self.folder, name)
        made = run("ffmpeg", "-v", "error", "-y", "-f", "lavfi", "-i", "testsrc2=size=320x240:rate=10", "-f", "lavfi", "-i",
                   "sine=r=8000", "-t", "8", *args, path)
        self.assertEqual(made.returncode, 0, made.stderr)
        return path

    def test_http_flv_with_g711(self):
        film = self.make("g711.flv", "-c:v", "libx264", "-pix_fmt", "yuv420p", "-c:a", "pcm_mulaw", "-ac", "1")
        self.http.routes["/g711.flv"] = live(film, "flv", "video/x-flv")
        remux = Remux(self.url("/g711.flv"))
        self.addCleanup(remux.end)
        self.assertIsNone(remux.run(1))
        self.assertIn("m=audio 0 RTP/AVP 0\r\n", remux.sdp)
        self.assertGreater(len(remux.packets(2)), 3)

    def test_http_mjpeg_is_stamped_by_arrival(self):
        kind = "multipart/x-mixed-replace;boundary=ffmpeg"
        for tables in ("default", "optimal"):
            film = self.make(tables + ".mkv", "-c:v", "mjpeg", "-pix_fmt", "yuvj420p", "-huffman", tables, "-an")
            self.http.routes["/" + tables] = live(film, "mpjpeg", kind)
        remux = Remux(self.url("/default"))
        self.addCleanup(remux.end)
        self.assertIsNone(remux.run(4))
        self.assertIn("m=video 0 RTP/AVP 26\r\n", remux.sdp)
        stamps = [int.from_bytes(p[4:8], "big") for p in remux.marked(0)][-20:]
        self.assertAlmostEqual(((stamps[-1] - stamps[0]) & 0xFFFFFFFF) / 19, 9000, delta=900)
        remux = Remux(self.url("/optimal"))
        self.assertEqual(remux.verdict()[0], "unsupported")
        remux.end()

    def test_http_ts(self):
        self.check(self.url("/a.ts"), "h264")

    def test_http_ts_h265(self):
        self.check(self.url("/b.ts"), "h265")

    def test_hls_is_sent_as_it_was_filmed(self):
        self.check(self.url("/hls.m3u8"), "h264", seconds=3, is_live=False)

    def test_mp4_is_sent_as_it_was_filmed(self):
        self.check(self.url("/f.mp4"), "h264", seconds=3, is_live=False)

    def test_rtmp(self):
        port = free_port()
        address = f"rtmp://127.0.0.1:{port}/live/key"
        sender = Sender(self.folder, self.films["h264"], "-f", "flv", "-listen", "1", address)
        self.addCleanup(sender.end)
        sender.wait_listening(port)
        self.check(address, "h264")

    def test_udp(self):
        port = free_port()
        sender = Sender(self.folder, self.films["h264"], "-f", "mpegts", f"udp://127.0.0.1:{port}?pkt_size=1316")
        self.addCleanup(sender.end)
        self.check(f"udp://127.0.0.1:{port}", "h264")

    def test_srt(self):
        port = free_port()
        sender = Sender(self.folder, self.films["h265"], "-f", "mpegts", f"srt://127.0.0.1:{port}?mode=listener")
        self.addCleanup(sender.end)
        sender.wait_listening(port, "udp")
        self.check(f"srt://127.0.0.1:{port}", "h265")

    def test_sound_that_cannot_be_carried_is_named_and_left_out(self):
        remux = self.check(self.url("/mp3.ts"), "h264", n_audio=0)
        self.assertRegex(remux.sdp, "m=audio 0 .*\r\na=rtpmap:127 mp3/")

    def test_what_is_wrong_is_said(self):
        port = free_port()
        cases = [(f"rtmp://127.0.0.1:{port}/a/b", "refused", "refused"), (f"http://127.0.0.1:{port}/a", "refused", "refused"),
                 (f"udp://127.0.0.1:{port}", "timeout", "no media"), (f"srt://127.0.0.1:{port}", "refused", "SRT"),
                 ("http://nosuch.invalid/x", "dns", "nosuch.invalid"), (self.url("/missing"), "not_found", "404"),
                 (self.url("/none.html"), "protocol", "no FLV"), ("file:///etc/passwd", "unsupported", "not supported"),
                 ("concat:/etc/passwd", "unsupported", "not supported"), (self.url("/evil.m3u8"), "", "")]
        for address, cause, words in cases:
            with self.subTest(address=address):
                remux = Remux(address, open_ms=3500)
                said, reason = remux.verdict()
                self.assertEqual(remux.end(), 0)
                self.assertIn(words, reason)
                self.assertNotIn("://", reason)
                if cause:
                    self.assertEqual(said, cause)
                self.assertNotIn(b"root:", remux.bytes)

    def test_a_sender_that_falls_silent_is_no_broken_one(self):
        for path in ("/silent.ts", "/silent.flv"):
            with self.subTest(path=path):
                remux = Remux(self.url(path), silence_ms=1000)
                self.addCleanup(remux.end)
                self.assertEqual(remux.verdict(), ("timeout", "no media came in time while reading"))
                self.assertEqual(len(remux.marked(0)), 8 * 25)

    def test_login(self):
        http = HttpFilm({"/a.flv": live(self.films["h264"], "flv", "video/x-flv")}, login="user:pass word@")
        self.addCleanup(http.end)
        remux = Remux(f"http://user:pass%20word%40@127.0.0.1:{http.port}/a.flv")
        self.addCleanup(remux.end)
        self.assertIsNone(remux.run(0.5))
        remux = Remux(f"http://user:wrong@127.0.0.1:{http.port}/a.flv")
        cause, reason = remux.verdict()
        remux.end()
        self.assertEqual((cause, re.search("40[0-9]", reason).group()), ("auth", "401"))
        self.assertNotIn("wrong@", reason)

    def test_the_process_is_caged_and_holds_no_secret_in_its_arguments(self):
        remux = Remux(self.url("/a.flv?key=s3cret", "user:s3cret@"))
        self.addCleanup(remux.end)
        remux.run(0.3)
        for name in ("cmdline", "environ"):
            with open(f"/proc/{remux.process.pid}/{name}", "rb") as f:
                self.assertNotIn(b"s3cret", f.read())
        with open(f"/proc/{remux.process.pid}/limits", encoding="ascii") as f:
            limits = f.read()
        self.assertRegex(limits, r"Max file size +0 +0")
        self.assertRegex(limits, r"Max core file size +0 +0")
        with open(f"/proc/{remux.process.pid}/status", encoding="ascii") as f:
            self.assertIn("NoNewPrivs:\t1", f.read())

    def test_it_ends_when_nobody_listens(self):
        for address in (self.url("/a.flv"), f"udp://127.0.0.1:{free_port()}"):
            remux = Remux(address)
            if address.startswith("http"):
                remux.run(0.3)
            remux.socket.close()
            self.assertIsNotNone(wait_for("its end", lambda r=remux: r.process.poll() is not None and (r.process.returncode,), 5))
            remux.end()


if __name__ == "__main__":
    unittest.main()
