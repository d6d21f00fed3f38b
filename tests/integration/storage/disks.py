"""What tests of recordings share: a district of many cameras, the tap (tests/fault) around the server, its journal and
its faults."""

import errno
import glob
import mmap
import os
import struct
import subprocess

from rookery import built, now, parse_time

HEADER = "township,institution_id,institution_name,camera_id,camera_name,area_type,main_url,sub_url,username,password,record"
TINY = {"scene": "corridor", "size": "160x120", "fps": 5, "gop": 5, "bitrate": 100000}

CREATE, WRITE, SYNC, REMOVE, SPACE, READ = (1 << n for n in range(6))
CHANGE = CREATE | WRITE | SYNC | REMOVE


def set_up_district(rookery, rows):
    path = os.path.join(rookery.folder, "district.csv")
    with open(path, "w", encoding="utf-8") as f:
        f.write(HEADER + "\n")
        for name, url in rows:
            f.write(f"甲镇,i-1,一号园,{name},{name},corridor,{url},,,,main\n")
    out = rookery.command("import", path)
    assert out.returncode == 0, out.stderr


def recordings(rookery, camera, seconds=900):
    return rookery.get(f"/cameras/{camera}/recordings", **{"from": now(-seconds), "to": now(5)})


def spans(rookery, camera, seconds=900):
    """[(from, to, frames)] in seconds."""
    return [(parse_time(s["from"]).timestamp(), parse_time(s["to"]).timestamp(), s["frames"])
            for s in recordings(rookery, camera, seconds)["spans"]]


def gaps(rookery, camera, since):
    """[(from, to, cause)] that begin after `since`, the one at the end left out: it only is not recorded yet."""
    found = recordings(rookery, camera)
    end = max((s["to"] for s in found["spans"]), default="")
    return [(parse_time(g["from"]).timestamp(), parse_time(g["to"]).timestamp(), g["cause"])
            for g in found["gaps"] if g["from"] < end and parse_time(g["from"]).timestamp() >= since]


def uncovered(inner, outer):
    """What of the spans `inner` is not in the spans `outer`, to the picture. The end of a file that was recovered is told
    by its pictures' own times, which are not the wall clock's to the last milliseconds."""
    return [(start, end, n) for start, end, n in inner
            if not any(abs(o_start - start) < 0.001 and o_n >= n and o_end > end - 0.2 for o_start, o_end, o_n in outer)]


class Tap:
    """Stands between the server and its disks."""

    SIZE = 8 + 8 * 256

    def __init__(self, rookery, root, journal=None):
        self.path = os.path.join(rookery.folder, "tap-control")
        with open(self.path, "wb") as f:
            f.write(bytes(self.SIZE))
        with open(self.path, "r+b") as f:
            self.map = mmap.mmap(f.fileno(), self.SIZE)
        self.n = 0
        rookery.env = {"LD_PRELOAD": built("librookery-tap.so"), "ROOKERY_TAP_ROOT": os.path.realpath(root),
                       "ROOKERY_TAP_CONTROL": self.path}
        if journal is not None:
            rookery.env["ROOKERY_TAP_JOURNAL"] = journal

    def rule(self, path, ops, error=0, delay_ms=0):
        """From now on; returns what ends it and answers how often it was met, or only that with stop=False."""
        n = self.n
        self.n = (n + 1) % 8
        at = 8 + n * 256
        self.map[at + 16:at + 256] = os.path.realpath(path).encode().ljust(240, b"\0")
        self.map[at + 4:at + 16] = struct.pack("=iII", error, delay_ms, 0)
        self.map[at:at + 4] = struct.pack("=I", ops)

        def end(stop=True):
            if stop:
                self.map[at:at + 4] = bytes(4)
            return struct.unpack("=I", self.map[at + 12:at + 16])[0]
        return end

    def shift_wall(self, seconds):
        self.map[0:8] = struct.pack("=q", int(seconds * 1_000_000))


# --- segments ---

def segments(root):
    return sorted(glob.glob(os.path.join(root, "**", "*.mp4"), recursive=True))


# --- the journal ---

def read_journal(path):
    """[wall clock in seconds] per record, and the records in front of which a sync of a whole volume is about to end."""
    out = subprocess.run([built("fault-replay"), path], capture_output=True, check=True).stdout.decode(errors="replace")
    walls, syncs, ends = [], set(), []
    for i, line in enumerate(out.splitlines()):
        _, _, wall, what, _, number, n = line.split(" ")[:7]
        walls.append(int(wall) / 1e6)
        if what == "sync" and n == "n=2":
            syncs.add(number)
        elif what == "synced" and number in syncs:
            ends.append(i)
    return walls, ends


def cut(journal, at, seed, directory):
    subprocess.run([built("fault-replay"), journal, str(at), str(seed), directory], check=True)


ERRORS = {"EIO": errno.EIO, "EROFS": errno.EROFS, "ENOSPC": errno.ENOSPC}
