"""What goes wrong with disks, files, the catalogue and the clock: the cause is shown, and nothing else is lost. The disks
obey the tap (tests/fault). ROOKERY_NIGHTLY=1 (`./test faults`): also those that take long."""

import errno
import http.client
import json
import os
import shutil
import signal
import tempfile
import threading
import time
import unittest
from datetime import datetime, timezone

from disks import CHANGE, ERRORS, READ, SPACE, SYNC, TINY, WRITE, Tap, gaps, recordings, segments, set_up_district, spans, uncovered
from rookery import PAGE_BYTES, Camsim, Rookery, parse_time, rfc3339, wait_for

NIGHTLY = bool(os.environ.get("ROOKERY_NIGHTLY"))
N_CAMERAS = 8


def moment(seconds):
    return datetime.fromtimestamp(seconds, timezone.utc)


class Alarms(threading.Thread):
    """Changes of volumes and of the catalogue as a browser of the administrator is told them."""

    def __init__(self, rookery):
        super().__init__(daemon=True)
        self.connection = http.client.HTTPConnection("127.0.0.1", rookery.port, timeout=120)
        self.connection.request("GET", "/api/v1/events/stream", headers={"Authorization": "Bearer " + rookery.token})
        self.stream = self.connection.getresponse()
        self.states, self.catalogue = [], []
        self.start()

    def run(self):
        kind = None
        try:
            for line in self.stream:
                if line.startswith(b"event:"):
                    kind = line[6:].strip()
                elif line.startswith(b"data:") and kind == b"volume":
                    volume = json.loads(line[5:])
                    self.states.append((os.path.basename(volume["path"]), volume["state"]))
                elif line.startswith(b"data:") and kind == b"catalogue":
                    self.catalogue.append(json.loads(line[5:]))
        except (OSError, ValueError, http.client.HTTPException, AttributeError):
            pass  # the server has stopped


class Rig(unittest.TestCase):
    """A server with its cameras, on the volumes `a` and `b` unless a test says otherwise."""

    volumes = ("a", "b")

    def setUp(self):
        self.folder = tempfile.mkdtemp(prefix="rookery-test-")
        if not os.environ.get("ROOKERY_KEEP"):
            self.addCleanup(shutil.rmtree, self.folder, ignore_errors=True)
        self.names = [f"cam-{n}" for n in range(N_CAMERAS)]
        self.sim = Camsim(self.folder, [{"id": n, "main": TINY} for n in self.names])
        self.addCleanup(self.sim.end)
        listed = "".join(f'  - {{path: "{self.path(v)}", reserve: 1M}}\n' for v in self.volumes)
        self.rookery = Rookery(self.folder, f"motion: off\nsegment: 5\nsync_interval: 3s\nvolumes:\n{listed}")
        self.addCleanup(self.rookery.end)
        self.tap = Tap(self.rookery, self.folder)
        set_up_district(self.rookery, [(n, self.sim.url(n)) for n in self.names])
        self.rookery.start()
        self.rookery.sign_in()
        wait_for("recordings", lambda: all(spans(self.rookery, n) for n in self.names), 30)
        self.begin = time.time()

    def path(self, volume):
        return os.path.join(self.folder, volume)

    def state(self, volume):
        listed = self.rookery.get("/storage")["volumes"]
        return next(v for v in listed if v["path"] == self.path(volume))

    def wait_state(self, volume, *states, timeout=20):
        return wait_for(f"volume {volume} to be {states}", lambda: (s := self.state(volume))["state"] in states and s, timeout)

    def recorded_to(self):
        """Up to when each camera is recorded."""
        return {n: max(end for _, end, _ in spans(self.rookery, n)) for n in self.names}

    def wait_recorded(self, moment, names=None, timeout=30):
        wait_for(f"recordings up to {moment}",
                 lambda: all(t > moment for n, t in self.recorded_to().items() if n in (names or self.names)), timeout)

    def on_volume(self, volume):
        """The cameras whose newest segment is there."""
        newest = {}
        for v in self.volumes:
            for path in segments(self.path(v)):
                camera = os.path.relpath(path, self.path(v)).split("/")[0]
                newest[camera] = max(newest.get(camera, (0, "")), (os.stat(path).st_mtime, v))
        return {c for c, (_, v) in newest.items() if v == volume}

    def gaps(self, since=None):
        found = {n: gaps(self.rookery, n, since or self.begin) for n in self.names}
        return {n: g for n, g in found.items() if g}

    def stop_and_check(self, expect=0):
        self.assertEqual(self.rookery.stop(), 0)
        self.rookery.env = {}
        out = self.rookery.command("index", "check", "--deep")
        self.assertEqual(out.returncode, expect, out.stdout + out.stderr)
        return out.stdout


class TwoDisks(Rig):
    def test_a_stall_costs_nothing(self):
        alarms = Alarms(self.rookery)
        slow = self.tap.rule(self.path("a"), CHANGE | SPACE, delay_ms=5000)
        at = time.time()
        self.wait_state("a", "stalled", timeout=10)
        self.assertEqual(self.state("b")["state"], "ok")
        wait_for("every camera to go on on b", lambda: self.on_volume("b") == set(self.names), 15)
        slow()
        self.wait_recorded(at + 9)
        self.assertEqual(self.gaps(), {})
        self.assertIn(("a", "stalled"), alarms.states)
        self.assertEqual({s for v, s in alarms.states if v == "b"}, set())
        self.stop_and_check()

    def fail_with(self, name):
        alarms = Alarms(self.rookery)
        there, others = self.on_volume("a"), self.on_volume("b")
        self.assertTrue(there and others, (there, others))
        works = self.tap.rule(self.path("a"), CHANGE, ERRORS[name])
        at = time.time()
        state = self.wait_state("a", "failed", "full")
        self.assertRegex(state["last_error"] + state["detail"], "Input/output error|Read-only|No space left")
        self.assertGreater(state["errors"], 0)
        self.assertIsNotNone(state["last_error_at"])
        self.wait_recorded(at + 8)
        self.assertEqual(self.on_volume("b"), set(self.names))
        for camera, found in self.gaps().items():
            self.assertIn(camera, there, "only cameras of the disk that failed lose anything")
            self.assertEqual({cause for _, _, cause in found}, {"disk"})
            self.assertLess(sum(end - start for start, end, _ in found), 4)
        works()
        self.wait_state("a", "ok", "stalled")
        self.assertIn(("a", state["state"]), alarms.states)
        self.stop_and_check()

    @unittest.skipUnless(NIGHTLY, "nightly")
    def test_an_input_output_error_moves_the_cameras(self):
        self.fail_with("EIO")

    def test_a_server_stops_though_its_disk_does_not_work(self):
        works = self.tap.rule(self.path("a"), CHANGE, ERRORS["EIO"])
        self.wait_state("a", "failed")
        before = {n: spans(self.rookery, n) for n in self.names}
        self.assertEqual(self.rookery.stop(), 0)
        works()
        self.rookery.start()
        for name, was in before.items():
            self.assertEqual(uncovered(was, spans(self.rookery, name)), [], name)
        self.stop_and_check()

    @unittest.skipUnless(NIGHTLY, "nightly")
    def test_a_disk_that_is_read_only_moves_the_cameras(self):
        self.fail_with("EROFS")

    @unittest.skipUnless(NIGHTLY, "nightly")
    def test_a_disk_that_is_full_moves_the_cameras(self):
        self.fail_with("ENOSPC")


class OneDisk(Rig):
    volumes = ("a",)

    def test_a_disk_that_does_not_answer_holds_up_who_reads_and_nobody_else(self):
        start, end = spans(self.rookery, self.names[0])[0][:2]
        span = f"from={rfc3339(moment(start))}&to={rfc3339(moment(end))}"
        clip = f"/cameras/{self.names[0]}/clip.mp4?{span}"
        self.rookery.api("GET", clip, expect=200)
        slow = self.tap.rule(self.path("a"), READ, delay_ms=8000)
        clips = []
        readers = [threading.Thread(target=lambda: clips.append(self.rookery.api("GET", clip, timeout=120).status))
                   for _ in range(6)]
        for reader in readers:
            reader.start()
        wait_for("readers to wait", lambda: slow(stop=False) >= len(readers), 20)
        asked = time.monotonic()
        self.rookery.get(f"/cameras/{self.names[0]}/recordings?{span}")
        self.assertLess(time.monotonic() - asked, 6)
        self.assertEqual(clips, [])
        slow()
        for reader in readers:
            reader.join()
        self.assertEqual(clips, [200] * len(readers))

    @unittest.skipUnless(NIGHTLY, "nightly")
    def test_the_queue_bridges_a_stall_of_the_only_disk(self):
        slow = self.tap.rule(self.path("a"), CHANGE | SPACE, delay_ms=5000)
        at = time.time()
        self.wait_state("a", "stalled", timeout=10)
        time.sleep(max(0, at + 5 - time.time()))  # the length of the stall is what is tried
        slow()
        self.wait_recorded(at + 12)
        self.assertEqual(self.gaps(), {})
        self.stop_and_check()

    def test_a_full_disk_of_the_catalogue_costs_no_recording(self):
        alarms = Alarms(self.rookery)
        room = self.tap.rule(os.path.join(self.rookery.data_dir, "catalog.db"), WRITE | SYNC, ERRORS["ENOSPC"])
        at = time.time()
        trouble = wait_for("the trouble to be told", lambda: self.rookery.get("/system")["catalogue_trouble"], 15)
        self.assertRegex(trouble, "(?i)full|space")
        told = wait_for("the alarm", lambda: alarms.catalogue, 5)[0]
        self.assertEqual((told["state"], told["detail"]), ("full", trouble))
        self.assertIn("make room", told["advice"])
        self.assertEqual(self.rookery.get("/system")["catalogue"], told)
        time.sleep(max(0, at + 8 - time.time()))  # every camera rotates once in that time
        self.assertGreater(room(), 0)
        wait_for("the trouble to end", lambda: not self.rookery.get("/system")["catalogue_trouble"], 20)
        wait_for("the alarm to end", lambda: alarms.catalogue[-1]["state"] == "ok", 5)
        self.wait_recorded(at + 10)
        self.assertEqual(self.gaps(), {})
        self.stop_and_check()

    def test_a_full_disk_of_the_catalogue_does_not_keep_a_server_from_recording(self):
        self.rookery.stop(signal.SIGKILL)
        room = self.tap.rule(os.path.join(self.rookery.data_dir, "catalog.db"), WRITE | SYNC, ERRORS["ENOSPC"])
        self.rookery.start()
        at = time.time()
        wait_for("files of every camera", lambda: all(max((os.stat(p).st_mtime for p in segments(os.path.join(self.path("a"), n))), default=0) > at
                                                      for n in self.names), 20)
        room()
        wait_for("the trouble to end", lambda: not self.rookery.get("/system")["catalogue_trouble"], 20)
        self.wait_recorded(time.time() + 6)  # rotated, so in the index
        self.rookery.stop()
        # recorded while nothing could be registered: found by the check, entered by a rebuild
        self.rookery.env = {}
        self.assertEqual(self.rookery.command("index", "rebuild").returncode, 0)
        self.assertEqual(self.rookery.command("index", "check", "--deep").returncode, 0)

    @unittest.skipUnless(NIGHTLY, "nightly")
    def test_the_wall_clock_jumps_by_a_day_and_back(self):
        for shift in (86400, 0, -86400, 0):
            self.tap.shift_wall(shift)
            at = time.time() + shift
            wait_for(f"recordings {shift} s from now",
                     lambda t=at: all(any(start < t + 8 < end + 4 and end > t + 4 for start, end, _ in
                                          spans(self.rookery, n, 2 * 86400 + 900) + self.ahead(n)) for n in self.names), 30)
            for name in self.names:
                self.assertTrue(self.rookery.state(name)["recording"])
        self.stop_and_check()

    def ahead(self, name):
        """Spans of tomorrow."""
        found = self.rookery.get(f"/cameras/{name}/recordings", **{
            "from": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(time.time() + 80000)),
            "to": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(time.time() + 90000))})["spans"]
        return [(parse_time(s["from"]).timestamp(), parse_time(s["to"]).timestamp(), s["frames"]) for s in found]


class Files(Rig):
    """Files that somebody else was at, and a catalogue that is damaged."""

    volumes = ("a",)

    def stop_with_segments(self):
        wait_for("two segments of each camera", lambda: all(len(self.of(n)) >= 2 for n in self.names), 20)
        before = {n: spans(self.rookery, n) for n in self.names}
        self.stop_and_check()
        return before

    def of(self, camera):
        return segments(os.path.join(self.path("a"), camera))

    def overwrite(self, path, at, data):
        with open(path, "r+b") as f:
            f.seek(at)
            f.write(data)

    def test_damage_is_named_and_the_rest_plays(self):
        before = self.stop_with_segments()
        gone, short, changed, zero, copied = (self.of(n)[0] for n in self.names[:5])
        os.remove(gone)
        os.truncate(short, os.stat(short).st_size // 2)
        self.overwrite(changed, os.stat(changed).st_size // 2, b"somebody was here")
        self.overwrite(zero, 0, bytes(200))
        twin = copied.replace(".mp4", "9.mp4")
        shutil.copy(copied, twin)
        foreign = os.path.join(self.path("a"), "holiday.mp4")
        shutil.copy(changed, foreign)
        with open(os.path.join(self.path("a"), "README.txt"), "w", encoding="utf-8") as f:
            f.write("not ours\n")
        said = self.rookery.command("index", "check", "--deep").stdout
        named = {line.split(":")[0] for line in said.splitlines() if ".mp4" in line}
        wanted = {os.path.relpath(p, self.path("a"))
                  for p in (gone, short, changed, zero, twin, foreign)}
        self.assertEqual(named & wanted, wanted, said)
        self.rookery.start()
        for name in self.names[5:]:
            self.assertEqual(spans(self.rookery, name)[:1][0][0], before[name][0][0])
        for name in self.names:
            clip = self.rookery.request("GET", f"/api/v1/cameras/{name}/recordings", timeout=10)
            self.assertLess(clip.status, 500)
            self.assertEqual(self.rookery.request("GET", "/healthz", token=None).status, 200)
        self.assertEqual(self.rookery.stop(), 0)
        self.assertTrue(os.path.exists(foreign), "what is not ours is not touched")

    def test_what_the_disk_does_not_read_is_named_and_kept(self):
        wait_for("two segments of each camera", lambda: all(len(self.of(n)) >= 2 for n in self.names), 20)
        name, other = self.names[:2]
        path = self.of(name)[0]
        before = {n: spans(self.rookery, n) for n in (name, other)}
        readable = self.tap.rule(path, READ, errno.EIO)
        start, end, _ = before[name][0]
        for camera in (name, other):
            clip = self.rookery.request("GET", f"/api/v1/cameras/{camera}/clip.mp4?from={rfc3339(moment(start + 1))}&to={rfc3339(moment(start + 3))}")
            self.assertEqual(clip.status == 200, camera == other, (clip.status, clip.body[:200]))
        self.assertGreater(readable(), 0)
        self.wait_recorded(time.time(), timeout=20)

        # killed: what is open then cannot be read at the next start
        open_ones = [self.of(n)[-1] for n in (name, other)]
        sizes = {}
        self.rookery.stop(signal.SIGKILL)
        for p in (path, *open_ones):
            sizes[p] = os.stat(p).st_size
        ends = [self.tap.rule(p, READ, errno.EIO) for p in (path, *open_ones)]
        self.rookery.start()
        self.rookery.token = None
        self.rookery.sign_in()
        self.wait_recorded(time.time(), timeout=30)
        for p, size in sizes.items():
            self.assertEqual(os.stat(p).st_size, size, p)
        self.assertIn("Input/output error", self.rookery.process.output())
        self.assertEqual(self.rookery.stop(), 0)

        out = self.rookery.command("index", "check", "--deep", env=self.rookery.env)
        self.assertEqual(out.returncode, 1, out.stdout + out.stderr)
        for p, what in ((path, "Input/output error"), *((p, "unfinished") for p in open_ones)):
            self.assertRegex(out.stdout, os.path.relpath(p, self.path("a")) + ".*" + what)
        out = self.rookery.command("index", "rebuild", env=self.rookery.env)
        self.assertEqual([os.path.exists(p) for p in sizes], [True] * 3, out.stdout + out.stderr)

        # the disk reads again
        for end in ends:
            end()
        out = self.rookery.command("index", "rebuild")
        self.assertEqual(out.returncode, 0, out.stdout + out.stderr)
        self.rookery.start()
        self.rookery.token = None
        self.rookery.sign_in()
        for camera, was in before.items():
            wait_for(f"what {camera} had", lambda c=camera, w=was: not uncovered(w[:1], spans(self.rookery, c)), 20)
        self.stop_and_check()

    def test_a_catalogue_that_the_disk_does_not_read_costs_no_recording(self):
        alarms = Alarms(self.rookery)
        bytes_before = sum(os.stat(p).st_size for p in segments(self.path("a")))
        readable = self.tap.rule(os.path.join(self.rookery.data_dir, "catalog.db"), READ, errno.EIO)
        wait_for("the trouble to be told", lambda: any(c["state"] != "ok" for c in alarms.catalogue), 30)
        wait_for("recording to go on",
                 lambda: sum(os.stat(p).st_size for p in segments(self.path("a"))) > bytes_before + 100_000, 30)
        self.assertEqual(self.rookery.request("GET", "/healthz", token=None).status, 200)
        readable()
        self.wait_recorded(time.time(), timeout=40)
        self.assertEqual(self.gaps(), {})
        self.assertEqual(self.rookery.stop(), 0)
        self.rookery.start()  # SQLite takes what cannot be read for damaged; the next start looks again
        self.rookery.token = None
        self.rookery.sign_in()
        self.assertEqual(self.rookery.get("/system")["catalogue"]["state"], "ok")
        self.stop_and_check()

    @unittest.skipUnless(NIGHTLY, "nightly")
    def test_a_damaged_catalogue_is_named_and_made_again(self):
        before = self.stop_with_segments()
        path = os.path.join(self.rookery.data_dir, "catalog.db")
        size = os.stat(path).st_size
        self.overwrite(path, size * 3 // 4 // PAGE_BYTES * PAGE_BYTES, b"\xa5" * 2 * PAGE_BYTES)
        self.rebuild("index", "rebuild")
        self.check_recorded(before)
        self.assertEqual(self.rookery.stop(), 0)

        # so much is gone that nothing can be saved
        for at in range(0, size, 2 * PAGE_BYTES):
            self.overwrite(path, at, b"\xa5" * PAGE_BYTES)
        self.assertIn("--empty", self.rookery.command("index", "rebuild").stderr)
        self.rebuild("index", "rebuild", "--empty")
        set_up_district(self.rookery, [(n, self.sim.url(n)) for n in self.names])
        self.check_recorded(before)

    def rebuild(self, *command):
        out = self.rookery.command("serve")
        self.assertNotEqual(out.returncode, 0)
        self.assertRegex(out.stderr, "catalog.*damaged")
        self.assertIn("rebuild", out.stderr)
        out = self.rookery.command(*command)
        self.assertEqual(out.returncode, 0, out.stdout + out.stderr)
        out = self.rookery.command("index", "check")
        self.assertEqual(out.returncode, 0, out.stdout + out.stderr)

    def check_recorded(self, before):
        self.rookery.start()
        self.rookery.token = None
        self.rookery.sign_in()
        for name, was in before.items():
            now = spans(self.rookery, name)[0]
            self.assertEqual(now[0], was[0][0])
            self.assertGreaterEqual(now[1:], was[0][1:])  # it went on until the server stopped


if __name__ == "__main__":
    unittest.main()
