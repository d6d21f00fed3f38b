"""Segment files, read box by box."""

from rookery import ffprobe


def boxes(data):
    at = 0
    while at + 8 <= len(data):
        size = int.from_bytes(data[at:at + 4], "big")
        if size < 8 or at + size > len(data):
            return
        yield at, size, data[at + 4:at + 8]
        at += size


def fragments(data):
    """[(wall clock of the first picture, offset behind the fragment)]"""
    found, wall = [], None
    for at, size, kind in boxes(data):
        if kind == b"prft":
            ntp = int.from_bytes(data[at + 16:at + 24], "big")
            wall = (ntp >> 32) - 2208988800 + (ntp & 0xFFFFFFFF) / 2**32
        elif kind == b"mdat" and wall is not None:
            found.append((wall, at + size))
            wall = None
    return found


def picture_times(path):
    """The wall clock of every picture: that of the first of its fragment, and what the file counts from there."""
    with open(path, "rb") as f:
        starts = fragments(f.read())
    found, _ = ffprobe(path, "-select_streams", "v", "-show_entries", "packet=dts_time,pos")
    times, n = [], -1
    for packet in found.get("packets", []):  # none yet in a file that has just been begun
        dts = float(packet["dts_time"])
        if n < 0 or int(packet["pos"]) >= starts[n][1]:
            n += 1
            if n == len(starts):
                break  # written meanwhile
            shift = starts[n][0] - dts
        times.append(dts + shift)
    return times
