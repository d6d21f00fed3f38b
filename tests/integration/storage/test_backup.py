"""Backup and restore by the real commands, beside a running server and without one."""

import fcntl
import glob
import os
import signal
import stat
import unittest

from rookery import Rookery, wait_for

HEADER = "township,institution_id,institution_name,camera_id,camera_name,area_type,main_url,username,password\n"


class Backups(unittest.TestCase):
    def setUp(self):
        self.rookery = Rookery()
        self.file = os.path.join(self.rookery.folder, "backup.tar")

    def tearDown(self):
        self.rookery.end()

    def add_camera(self, camera, password="secret"):
        path = os.path.join(self.rookery.folder, "in.csv")
        with open(path, "w", encoding="utf-8") as f:
            f.write(HEADER + f"甲镇,i-1,一号园,{camera},门口,entrance,rtsp://127.0.0.1:9/x,user,{password}\n")
        out = self.rookery.command("import", path)
        self.assertEqual(out.returncode, 0, out.stderr)

    def cameras(self):
        return sorted(c["id"] for c in self.rookery.get("/cameras")["items"])

    def run_ok(self, *args):
        out = self.rookery.command(*args)
        self.assertEqual(out.returncode, 0, out.stderr)
        return out.stdout

    def refused(self, *args, word):
        out = self.rookery.command(*args)
        self.assertEqual(out.returncode, 1, out.stdout)
        self.assertIn(word, out.stderr)
        self.assertEqual(out.stderr.count("\n"), 1)

    def kept(self):
        return glob.glob(os.path.join(self.rookery.data_dir, "before-restore-*"))

    def test_a_backup_beside_a_running_server_restores_what_was_there(self):
        self.rookery.start()
        cookie, _ = self.rookery.sign_in()
        self.add_camera("cam-1")
        self.run_ok("backup", self.file)
        self.assertEqual(stat.S_IMODE(os.stat(self.file).st_mode), 0o600)
        self.refused("backup", self.file, word="exists already")
        key = os.path.join(self.rookery.data_dir, "keys", "camera.key")
        with open(key, "rb") as f:
            key_then = f.read()
        self.add_camera("cam-2")
        # beside a server it waits
        said = self.run_ok("restore", self.file)
        self.assertIn("next start", said)
        wait_for("both cameras", lambda: self.cameras() == ["cam-1", "cam-2"])
        self.assertEqual(self.rookery.stop(), 0)
        with open(key, "wb") as f:
            f.write(b"x" * 32)
        self.rookery.start()
        self.assertEqual(self.cameras(), ["cam-1"])
        with open(key, "rb") as f:
            self.assertEqual(f.read(), key_then)
        # what was there is kept whole, and sessions of then are over
        kept, = self.kept()
        self.assertTrue(os.path.exists(os.path.join(kept, "catalog.db")))
        self.assertTrue(os.path.exists(os.path.join(kept, "keys", "camera.key")))
        self.assertEqual(self.rookery.request("GET", "/api/v1/cameras", token=None,
                                              headers={"Cookie": cookie}).status, 401)

    def test_without_a_server_it_takes_place_at_once(self):
        self.rookery.start()
        self.rookery.sign_in()
        self.add_camera("cam-1")
        self.run_ok("backup", self.file)
        self.add_camera("cam-2")
        self.rookery.stop(signal.SIGKILL)  # its log was not carried over
        said = self.run_ok("restore", self.file)
        self.assertIn("kept in", said)
        self.assertIn("index rebuild", said)
        self.assertEqual(len(self.kept()), 1)
        self.rookery.start()
        self.assertEqual(self.cameras(), ["cam-1"])

    def test_a_restore_that_waits_can_be_taken_back(self):
        self.rookery.start()
        self.rookery.sign_in()
        self.run_ok("backup", self.file)
        self.add_camera("cam-1")
        self.refused("restore", "--cancel", word="no restore waits")
        self.run_ok("restore", self.file)
        self.run_ok("restore", "--cancel")
        self.rookery.stop()
        self.rookery.start()
        self.assertEqual(self.cameras(), ["cam-1"])

    def test_restores_do_not_meet(self):
        self.rookery.start()
        self.rookery.sign_in()
        self.run_ok("backup", self.file)
        fd = os.open(self.rookery.data_dir, os.O_RDONLY)
        fcntl.flock(fd, fcntl.LOCK_EX)  # as another restore does
        self.refused("restore", self.file, word="under way")
        self.refused("restore", "--cancel", word="under way")
        os.close(fd)
        self.run_ok("restore", self.file)
        # killed in the middle of taking place: the old log may be away already
        with open(os.path.join(self.rookery.data_dir, "restore", "aside"), encoding="ascii") as f:
            aside = os.path.join(self.rookery.data_dir, f.read())
        os.mkdir(aside)
        self.refused("restore", "--cancel", word="has begun")
        os.rmdir(aside)
        self.run_ok("restore", "--cancel")

    def test_on_a_new_machine(self):
        self.rookery.start()
        self.rookery.sign_in()
        self.add_camera("cam-1")
        self.run_ok("backup", self.file)
        other = Rookery()
        try:
            out = other.command("restore", self.file)
            self.assertEqual(out.returncode, 0, out.stderr)
            other.start()
            other.sign_in()  # with the account of the old machine
            self.assertEqual([c["id"] for c in other.get("/cameras")["items"]], ["cam-1"])
        finally:
            other.end()

    def test_what_is_not_whole_is_refused_and_nothing_is_touched(self):
        self.rookery.start()
        self.rookery.sign_in()
        self.add_camera("cam-1")
        self.run_ok("backup", self.file)
        self.rookery.stop()
        with open(self.file, "rb") as f:
            whole = f.read()
        data = self.rookery.data_dir

        def listing():
            return {p: os.stat(p).st_mtime_ns for p in glob.glob(data + "/**", recursive=True) if os.path.isfile(p)}

        before = listing()
        bad = os.path.join(self.rookery.folder, "bad.tar")
        for content, word in ((whole[:-3000], "cut off"), (whole[:700], "no backup"), (b"", "no backup"),
                              (whole[:60000] + b"\xff" + whole[60001:], "damaged"), (b"hello" * 1000, "no backup")):
            with open(bad, "wb") as f:
                f.write(content)
            self.refused("restore", bad, word=word)
            self.assertEqual(listing(), before)
        self.refused("restore", bad + ".none", word="No such file")
        self.assertEqual(self.rookery.command("restore").returncode, 2)
        self.assertEqual(self.rookery.command("backup").returncode, 2)
