"""Volumes as people see them: their health, and one that fails while a camera records on it."""

import json
import os
import shutil
import tempfile
import unittest

from rookery import Camsim, Rookery, wait_for

SMALL = {"scene": "corridor", "size": "320x240", "fps": 10, "gop": 10, "bitrate": 200000}


class Volumes(unittest.TestCase):
    def setUp(self):
        self.folder = tempfile.mkdtemp(prefix="rookery-test-")
        self.paths = [os.path.join(self.folder, name) for name in ("disk-a", "disk-b")]
        self.sim = Camsim(self.folder, [{"id": "cam-1", "main": SMALL}])
        self.addCleanup(self.sim.end)
        volumes = "".join(f'  - {{path: "{p}", reserve: 1M}}\n' for p in self.paths)
        self.rookery = Rookery(self.folder, f"segment: 5\nsync_interval: 3s\nmotion: off\nvolumes:\n{volumes}")
        self.addCleanup(self.rookery.end)
        csv = os.path.join(self.folder, "district.csv")
        with open(csv, "w", encoding="utf-8") as f:
            f.write("township,institution_id,institution_name,camera_id,camera_name,area_type,main_url,record\n"
                    f"甲镇,i-1,一号园,cam-1,cam-1,corridor,{self.sim.url('cam-1')},main\n")
        out = self.rookery.command("import", csv)
        self.assertEqual(out.returncode, 0, out.stderr)
        self.rookery.start()
        self.rookery.sign_in()

    def volumes(self):
        return self.rookery.get("/storage")["volumes"]

    def recording_on(self):
        """Index of the volume the camera records on, once it has written there."""
        def look():
            for i, v in enumerate(self.volumes()):
                if v["cameras"] == 1 and v["write_bps"] > 0:
                    return [i]
            return None
        return wait_for("a recording", look, 40)[0]

    def test_health_and_a_volume_that_fails(self):
        first = self.recording_on()
        wait_for("a sync", lambda: self.volumes()[first]["sync_latency_s"]["max"] > 0)
        v = self.volumes()[first]
        self.assertEqual((v["state"], v["errors"], v["last_error"], v["last_error_at"]), ("ok", 0, "", None))
        self.assertEqual(len(v["id"]), 32)
        self.assertGreater(v["write_latency_s"]["max"], 0)
        self.assertLessEqual(v["write_latency_s"]["median"], v["write_latency_s"]["p99"])
        metrics = self.rookery.request("GET", "/metrics", token=None).body.decode()
        self.assertIn(f'rookery_volume_recording{{volume="{first}",path="{self.paths[first]}"}} 1\n', metrics)
        self.assertIn(f'rookery_volume_ok{{volume="{1 - first}",path="{self.paths[1 - first]}"}} 1\n', metrics)

        c = self.rookery.connect(timeout=40)
        c.request("GET", "/api/v1/events/stream", headers={"Authorization": "Bearer " + self.rookery.token})
        events = c.getresponse()
        shutil.rmtree(self.paths[first])  # the next file cannot be made
        while events.readline() != b"event: volume\n":
            pass
        told = json.loads(events.readline()[6:])
        c.close()
        self.assertEqual((told["path"], told["state"]), (self.paths[first], "failed"))
        self.assertGreaterEqual(told["errors"], 1)
        self.assertIn("create a file", told["last_error"])
        self.assertIn(self.paths[first], self.rookery.process.output())
        wait_for("the other volume", lambda: self.volumes()[1 - first]["cameras"] == 1)
        wait_for("the camera to be recorded", lambda: self.rookery.state("cam-1")["recording"])


if __name__ == "__main__":
    unittest.main()
