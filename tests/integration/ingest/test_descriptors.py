"""A fleet that is too large for the number of files the system allows: the API answers, nothing else breaks, and
whoever gets no connection says why."""

import os
import shutil
import socket
import sys
import tempfile
import unittest

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.dirname(HERE))

from rookery import Camsim, Rookery, free_port, now, wait_for  # noqa: E402

LIMIT = 220
CAMERAS = 90  # each would have a connection and a file
SCENE = {"scene": "activity", "size": "320x240", "fps": 10, "gop": 10, "bitrate": 100000, "live": False}
HEADER = ("township,institution_id,institution_name,institution_type,camera_id,camera_name,area,area_type,main_url,"
          "sub_url,username,password,record\n")


class Descriptors(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.folder = tempfile.mkdtemp(prefix="rookery-descriptors-")
        cls.sim = Camsim(cls.folder, [{"id": "cam", "main": SCENE}])
        cls.push_port = free_port()
        cls.rookery = Rookery(cls.folder, f'motion: off\nloops: 2\nrtsp: {{listen: "127.0.0.1:{cls.push_port}"}}\n')
        cls.rookery.prefix = ["prlimit", f"--nofile={LIMIT}"]
        cls.rookery.start().sign_in()

    @classmethod
    def tearDownClass(cls):
        cls.rookery.end()
        cls.sim.end()
        shutil.rmtree(cls.folder, ignore_errors=True)

    def of_cause(self, cause):
        return [s for s in self.rookery.get("/states")["items"] if s["cause"] == cause]

    def test_the_api_answers_and_says_why_cameras_do_not_come(self):
        rows = [f"T,i-1,I,,cam-{i},c,,,{self.sim.url('cam')},,,,main" for i in range(CAMERAS)]
        self.rookery.api("POST", "/import", HEADER + "\n".join(rows), headers={"Content-Type": "text/csv"}, expect=200)
        wait_for("the cameras", lambda: len(self.of_cause("ok")) + len(self.of_cause("internal")) == CAMERAS, 30)
        refused, taken = self.of_cause("internal"), self.of_cause("ok")
        self.assertGreater(len(refused), 20)
        self.assertGreater(len(taken), 5)
        for state in refused:
            self.assertRegex(state["detail"], r"may open no more files and connections .* LimitNOFILE .*next try in")
        # whoever connects, and whoever knocks, takes nothing from those that record
        idle = []
        for port, n in ((self.rookery.port, 12), (self.push_port, 100)):
            idle += [socket.create_connection(("127.0.0.1", port), timeout=5) for _ in range(n)]
        wait_for("all recordings", lambda: all(s["recording"] for s in self.of_cause("ok")), 30)
        self.assertLess(len(os.listdir(f"/proc/{self.rookery.process.popen.pid}/fd")), LIMIT)
        for s in idle:
            s.close()
        self.rookery.api("PATCH", "/cameras/cam-0", {"name": "still writes"}, expect=200)
        storage = self.rookery.get("/storage")
        self.assertEqual([v["state"] for v in storage["volumes"]], ["ok"])
        one = taken[0]["camera_id"]
        self.assertTrue(self.rookery.get(f"/cameras/{one}/recordings", **{"from": now(-60), "to": now()})["spans"])
        self.assertEqual(self.rookery.api("GET", f"/cameras/{one}/snapshot.jpg").status, 200)
        # room is used as soon as it is there
        for state in taken:
            self.rookery.api("DELETE", f"/cameras/{state['camera_id']}", expect=204)
        wait_for("others in their place", lambda: len(self.of_cause("ok")) >= min(len(taken), len(refused)), 45)


if __name__ == "__main__":
    unittest.main()
