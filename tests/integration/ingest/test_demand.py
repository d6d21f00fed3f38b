"""Streams on demand, and one connection per stream however many watch, seen from the camera."""

import http.client
import json
import os
import shutil
import sys
import tempfile
import time
import unittest
from datetime import timedelta

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.dirname(HERE))

from rookery import Camsim, Rookery, now, parse_time, wait_for  # noqa: E402

LINGER_S = 10  # after the last viewer
SCENE = {"scene": "activity", "size": "320x240", "fps": 10, "gop": 10, "bitrate": 100000, "live": False}
HEADER = ("township,institution_id,institution_name,institution_type,camera_id,camera_name,area,area_type,main_url,"
          "sub_url,username,password,record\n")


class Demand(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.folder = tempfile.mkdtemp(prefix="rookery-demand-")
        cls.sim = Camsim(cls.folder, [{"id": f"cam-{i}", "main": SCENE, "sub": SCENE} for i in (1, 2, 3, 4)])
        cls.rookery = Rookery(cls.folder, "motion: off\n")
        cls.rookery.start().sign_in()
        records = {"cam-2": "both", "cam-3": "sub"}
        rows = [f"T,i-1,I,,{c},{c},,,{cls.sim.url(c)},{cls.sim.url(c, '/sub')},,,{record}" for c, record in records.items()]
        done = cls.rookery.api("POST", "/import", HEADER + "\n".join(rows), headers={"Content-Type": "text/csv"})
        assert done.status == 200, done.body
        cls.rookery.api("POST", "/cameras", {
            "id": "cam-1", "name": "cam-1", "institution_id": "i-1", "main_url": cls.sim.url("cam-1"),
            "sub_url": cls.sim.url("cam-1", "/sub"), "record": "off", "on_demand": True}, expect=201)

    @classmethod
    def tearDownClass(cls):
        cls.rookery.end()
        cls.sim.end()
        shutil.rmtree(cls.folder, ignore_errors=True)

    def connections(self, camera):
        c = http.client.HTTPConnection("127.0.0.1", self.sim.control_port, timeout=5)
        c.request("GET", f"/cameras/{camera}")
        told = json.loads(c.getresponse().read())
        c.close()
        return told["clients"], told["accepted"]

    def watch(self, camera, stream):
        c = self.rookery.connect()
        c.request("GET", f"/api/v1/cameras/{camera}/live.mp4?stream={stream}",
                  headers={"Authorization": "Bearer " + self.rookery.token})
        response = c.getresponse()
        self.assertEqual(response.status, 200)
        self.assertTrue(response.read1(4096))
        return c, response

    def test_a_stream_is_pulled_while_somebody_watches(self):
        state = self.rookery.wait_cause("cam-1", "idle")
        self.assertEqual((state["reachable"], state["recording"]), (False, False))
        self.assertEqual(self.connections("cam-1"), (0, 0))
        viewers = [self.watch("cam-1", "main") for _ in range(6)]
        self.assertEqual(self.connections("cam-1"), (1, 1))
        viewers += [self.watch("cam-1", "sub") for _ in range(3)]
        self.assertEqual(self.connections("cam-1"), (2, 2))
        self.assertEqual(wait_for("the viewers", lambda: (s := self.rookery.state("cam-1"))["viewers"] == 9 and s)["cause"], "ok")
        for c, _ in viewers[:5]:
            c.close()
        kept = viewers[5]
        self.assertTrue(kept[1].read1(4096))
        for c, _ in viewers[5:]:
            c.close()
        left = time.monotonic()
        again = self.watch("cam-1", "main")  # in time: nothing is set up anew
        again[0].close()
        wait_for("the streams to be let go", lambda: self.connections("cam-1")[0] == 0, LINGER_S + 10)
        self.assertGreater(time.monotonic() - left, LINGER_S - 1)
        self.assertEqual(self.connections("cam-1"), (0, 2))
        self.rookery.wait_cause("cam-1", "idle")
        self.assertEqual(self.rookery.get("/cameras/cam-1/recordings", **{"from": now(-60), "to": now()})["spans"], [])

    def test_what_is_recorded_is_what_was_asked(self):
        def frames(camera, stream):
            told = self.rookery.get(f"/cameras/{camera}/recordings", **{"from": now(-60), "to": now(1), "stream": stream})
            return sum(span["frames"] for span in told["spans"])

        wait_for("both streams", lambda: frames("cam-2", "main") > 10 and frames("cam-2", "sub") > 10, 30)
        wait_for("the sub stream", lambda: frames("cam-3", "sub") > 10, 30)
        self.assertEqual(frames("cam-3", "main"), 0)
        self.assertEqual(self.connections("cam-2"), (2, 2))
        self.assertEqual(self.connections("cam-3"), (1, 1))  # the uplink is spared the main stream
        viewers = [self.watch("cam-2", "main") for _ in range(5)]
        self.assertEqual(self.connections("cam-2"), (2, 2))  # recording and watching share it
        for c, _ in viewers:
            c.close()

    def test_what_is_watched_but_not_recorded_is_no_unknown_gap(self):
        def recordings():
            return self.rookery.get("/cameras/cam-4/recordings", **{"from": start, "to": now(1)})

        start = now()
        self.rookery.api("POST", "/cameras", {"id": "cam-4", "name": "cam-4", "institution_id": "i-1",
                                              "main_url": self.sim.url("cam-4")}, expect=201)
        self.rookery.wait_cause("cam-4", "ok")
        wait_for("a recording", lambda: recordings()["spans"], 30)
        self.rookery.api("PATCH", "/cameras/cam-4", {"record": "off"}, expect=200)
        wait_for("the recorder to end", lambda: not self.rookery.state("cam-4")["recording"])
        viewer, response = self.watch("cam-4", "main")
        # longer than the group of pictures that a recorder is given when it begins
        wait_for("a gap", lambda: any(parse_time(g["to"]) - parse_time(g["from"]) > timedelta(seconds=3)
                                      for g in recordings()["gaps"]), 30)
        self.rookery.api("PATCH", "/cameras/cam-4", {"record": "main"}, expect=200)
        spans = wait_for("both recordings", lambda: len(s := recordings()["spans"]) == 2 and s, 30)
        inside = [g for g in recordings()["gaps"] if spans[0]["to"] <= g["from"] < spans[1]["from"]]
        self.assertEqual({g["cause"] for g in inside}, {"not_recorded"}, inside)
        self.assertTrue(response.read1(4096))
        viewer.close()


if __name__ == "__main__":
    unittest.main()
