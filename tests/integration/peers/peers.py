"""Cameras and players that nobody here wrote, and the comparison of pictures by their bytes."""

import glob
import hashlib
import os
import re
import shutil
import subprocess
import time

from rookery import Process, built, free_port, now, wait_for

HEADER = "township,institution_id,institution_name,camera_id,camera_name,area_type,main_url,sub_url,username,password,record"


class GstCamera:
    """gst-rtsp-server: a live picture, or a file."""

    def __init__(self, folder, name, *args):
        self.port = free_port()
        log = os.path.join(folder, f"gst-{name}.log")
        self.process = Process([built("tests/rig/gst-camera"), str(self.port), *args], log)
        wait_for("gst-camera", lambda: "ready" in self.process.output(), 30)
        self.url = f"rtsp://127.0.0.1:{self.port}/test"

    def end(self):
        self.process.end()


def run(*args, timeout=60):
    return subprocess.run(args, capture_output=True, timeout=timeout, check=False)


def make_film(path, codec, seconds, more=()):
    """A short film with everything an encoder does by default: B pictures, several slices per GOP."""
    done = run("ffmpeg", "-v", "error", "-y", "-f", "lavfi", "-i", "testsrc2=size=320x240:rate=25", "-t", str(seconds),
               "-c:v", {"h264": "libx264", "h265": "libx265"}[codec], "-preset", "veryfast", "-g", "25",
               *(["-x265-params", "log-level=error:keyint=25"] if codec == "h265" else []),
               "-pix_fmt", "yuv420p", *more, path)
    assert done.returncode == 0, done.stderr
    return path


def codec_of(path):
    out = run("ffprobe", "-v", "error", "-select_streams", "v", "-show_entries", "stream=codec_name", "-of", "csv=p=0", path)
    return out.stdout.decode().strip().strip(",")


def coded_pictures(path, codec, *before):
    """Hashes of the NAL units that carry picture data, in the order of the stream, as FFmpeg copies them."""
    form = {"h264": "h264", "h265": "hevc"}[codec]
    out = run("ffmpeg", "-v", "error", *before, "-i", path, "-map", "0:v", "-c", "copy",
              "-bsf:v", form + "_mp4toannexb", "-f", form, "-", timeout=120)
    return hashes_of(out.stdout, codec), out.stderr.decode()


def hashes_of(annexb, codec):
    units = [u.rstrip(b"\0") for u in re.split(b"\0\0\1", annexb)[1:]]
    if codec == "h264":
        units = [u for u in units if 1 <= u[0] & 31 <= 5]
    else:
        units = [u for u in units if (u[0] >> 1) & 63 < 32]
    return [hashlib.sha1(u).hexdigest() for u in units]


def index_of(part, whole):
    """Where `part` stands in `whole` without a gap, or -1."""
    for i in range(len(whole) - len(part) + 1):
        if whole[i] == part[0] and whole[i:i + len(part)] == part:
            return i
    return -1


def segments(rookery, camera, stream="main"):
    pattern = os.path.join(rookery.data_dir, "rec", camera, stream, "*", "*", "*", "*.mp4")
    return sorted(glob.glob(pattern))


def decode_errors(path, *before):
    """What FFmpeg complains about while it decodes everything."""
    return run("ffmpeg", "-v", "error", *before, "-i", path, "-map", "0", "-fps_mode", "passthrough", "-enc_time_base",
               "1:90000", "-f", "null", "-", timeout=120).stderr.decode().strip()


def has(program):
    return shutil.which(program) is not None


def as_nobody():
    """VLC refuses to run as root."""
    return {"user": "nobody", "group": "nogroup", "extra_groups": []} if os.geteuid() == 0 else {}


def vlc_env(folder):
    home = os.path.join(folder, "vlc-home")
    os.makedirs(home, exist_ok=True)
    os.chmod(home, 0o777)
    os.chmod(folder, 0o755)
    return dict(os.environ, HOME=home, XDG_RUNTIME_DIR=home, DBUS_SESSION_BUS_ADDRESS="disabled:")


def set_up_district(rookery, rows):
    """Rows: (camera id, url[, user, password])."""
    path = os.path.join(rookery.folder, "district.csv")
    with open(path, "w", encoding="utf-8") as f:
        f.write(HEADER + "\n")
        for name, url, *more in rows:
            user, password = more or ("", "")
            f.write(f"甲镇,i-1,一号园,{name},{name},corridor,{url},,{user},{password},main\n")
    out = rookery.command("import", path)
    assert out.returncode == 0, out.stderr


def recordings(rookery, camera, seconds=900):
    return rookery.get(f"/cameras/{camera}/recordings", **{"from": now(-seconds), "to": now(5)})


def recorded_frames(rookery, camera):
    return sum(s["frames"] for s in recordings(rookery, camera)["spans"])


def save(path, data):
    with open(path, "wb") as f:
        f.write(data)
    return path


def watch_live(rookery, camera, path, seconds):
    """live.mp4 as a file."""
    c = rookery.connect()
    c.request("GET", f"/api/v1/cameras/{camera}/live.mp4", headers={"Authorization": "Bearer " + rookery.token})
    response = c.getresponse()
    assert response.status == 200, response.status
    end = time.monotonic() + seconds
    with open(path, "wb") as f:
        while time.monotonic() < end:
            f.write(response.read1(65536))
    c.close()
    return path
