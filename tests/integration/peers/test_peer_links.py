"""The ways to a camera besides plain RTSP, against GStreamer's RTSP server: TLS, RTSP over HTTP, and both. What is
recorded must be what the camera sent, byte for byte."""

import os
import tempfile
import unittest

from peers import (GstCamera, coded_pictures, has, index_of, make_film, recorded_frames, run, segments,
                   set_up_district)
from rookery import Rookery, wait_for

FILM_S = 8
N_FILM = FILM_S * 25


def make_certificate(folder):
    """As cameras make theirs: for no name of anybody's, RSA."""
    cert, key = os.path.join(folder, "camera.crt"), os.path.join(folder, "camera.key")
    done = run("openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-subj", "/CN=IPCAM", "-days", "1",
               "-keyout", key, "-out", cert)
    assert done.returncode == 0, done.stderr
    return cert, key


@unittest.skipUnless(has("openssl"), "no openssl")
class PeerLinks(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.folder = tempfile.mkdtemp(prefix="rookery-test-")
        cls.film = make_film(os.path.join(cls.folder, "film.mp4"), "h264", FILM_S)
        tls = ("--tls", *make_certificate(cls.folder))
        play = ("--file", cls.film, "h264")
        login = ("--auth", "user", "pass word")
        # name: the scheme we use, and the camera
        ways = {"tls": ("rtsps", GstCamera(cls.folder, "tls", *play, *tls)),
                "tls-login": ("rtsps", GstCamera(cls.folder, "tls-login", *play, *tls, *login)),
                "http": ("rtsph", GstCamera(cls.folder, "http", *play)),
                "http-login": ("rtsp+http", GstCamera(cls.folder, "http-login", *play, *login)),
                "https": ("rtspsh", GstCamera(cls.folder, "https", *play, *tls)),
                "plain": ("rtsp", GstCamera(cls.folder, "plain"))}
        cls.cameras = {name: camera for name, (_, camera) in ways.items()}
        cls.urls = {name: f"{scheme}://127.0.0.1:{camera.port}/test" for name, (scheme, camera) in ways.items()}
        cls.rookery = Rookery(cls.folder, "segment: 5\nmotion: off\n")
        set_up_district(cls.rookery, [("first", "rtsp://127.0.0.1:9/none")])
        cls.rookery.start()
        cls.rookery.sign_in()
        for name, url in cls.urls.items():
            cls.add(name, url, {"username": "user", "password": "pass word"} if name.endswith("login") else {})

    @classmethod
    def tearDownClass(cls):
        cls.rookery.end()
        for camera in cls.cameras.values():
            camera.end()

    @classmethod
    def add(cls, name, url, more):
        return cls.rookery.api("POST", "/cameras", {
            "id": name, "name": name, "institution_id": "i-1", "area_type": "corridor", "main_url": url,
            "transport": "auto", "record": "main", **more}, expect=201)

    def recorded(self, name):
        found = []
        for path in segments(self.rookery, name):
            found += coded_pictures(path, "h264", "-ignore_editlist", "1")[0]
        return found

    def assert_film_recorded(self, name):
        film, _ = coded_pictures(self.film, "h264")
        wait_for("the pictures of " + name, lambda: recorded_frames(self.rookery, name) >= N_FILM, 40)
        # the picture after the last one may still be in memory: what is whole must be there
        wait_for("the film in the files", lambda: index_of(film, self.recorded(name)) >= 0, 15)
        self.assertEqual(self.rookery.state(name)["lost_packets"], 0)

    def test_rtsp_over_tls_is_recorded_unmodified(self):
        self.assert_film_recorded("tls")

    def test_login_inside_tls(self):
        self.assert_film_recorded("tls-login")

    def test_rtsp_over_http_is_recorded_unmodified(self):
        self.assert_film_recorded("http")

    def test_login_inside_a_tunnel(self):
        self.assert_film_recorded("http-login")

    def test_rtsp_over_https_is_recorded_unmodified(self):
        self.assert_film_recorded("https")

    def test_addresses_are_kept_as_written(self):
        shown = {c["id"]: c["main_url"] for c in self.rookery.get("/cameras")["items"]}
        for name, url in self.urls.items():
            self.assertEqual(shown[name], url.replace("rtsp+http:", "rtsph:"))

    def test_a_wrong_way_is_named(self):
        for name, scheme, port, words in (
                ("wrong-tls", "rtsps", self.cameras["plain"].port, "TLS: the camera"),
                ("wrong-https", "rtspsh", self.cameras["plain"].port, "try rtsph://"),
                ("wrong-web", "rtsph", self.rookery.port, "HTTP tunnel: the camera answer")):
            self.add(name, f"{scheme}://127.0.0.1:{port}/test", {})
            with self.subTest(name):
                state = wait_for("a cause", lambda n=name: (s := self.rookery.state(n))["cause"] in
                                 ("protocol", "not_found", "timeout") and s, 30)
                self.assertIn(words, state["detail"])
        reply = self.rookery.api("POST", "/cameras", {
            "id": "wrong", "name": "wrong", "institution_id": "i-1", "area_type": "corridor",
            "main_url": "rtspx://127.0.0.1/x", "transport": "auto", "record": "main"})
        self.assertEqual(reply.status, 422)
        self.assertIn(b"rtspsh://", reply.body)


if __name__ == "__main__":
    unittest.main()
