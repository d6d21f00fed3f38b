#!/usr/bin/env bash
# The e2e part of ./test: starts the demo (simulator and server) on free ports in a temporary folder,
# and runs the checks in Chromium against it. Screenshots go to build/e2e.
set -u
cd "$(dirname "$0")/../.." || exit 1

dir=$(mktemp -d /tmp/rookery-e2e.XXXXXX)
pids=()
stop() {
    for pid in "${pids[@]}"; do kill -TERM "$pid" 2>/dev/null; done
    for pid in "${pids[@]}"; do wait "$pid" 2>/dev/null; done
    rm -rf "$dir"
}
trap stop EXIT

read -r http rtsp control re_rtsp webrtc mjpeg < <(PYTHONPATH=tests/integration python3 -c '
from rookery import free_port
print(*(free_port() for _ in range(6)))')

# the second disk is not taken into use before the checks of storage remove somebody else's file
mkdir "$dir/disk1" "$dir/disk2"
touch "$dir/disk2/holiday.jpg"
cat >"$dir/rookery.yaml" <<YAML
data_dir: "$dir/data"
volumes: [{path: "$dir/disk1"}, {path: "$dir/disk2"}]
http: {listen: "127.0.0.1:$http", tls: off}
rtsp: {listen: "127.0.0.1:$re_rtsp"}
webrtc: {listen: "127.0.0.1:$webrtc"}
web_dir: "$PWD/build/web"
YAML
export ROOKERY_ADMIN_PASSWORD=e2e-$RANDOM$RANDOM
sed "s/:18554/:$rtsp/g" configs/demo.csv >"$dir/demo.csv"

build/rookery-camsim --config configs/demo-cameras.json --port "$rtsp" --control-port "$control" >"$dir/camsim.log" 2>&1 &
pids+=($!)
# the demo has no MJPEG camera; the checks add this one
build/rookery-camsim --count 1 --port "$mjpeg" --codec mjpeg --scenes --scene-size 640x360 --scene-fps 12 >"$dir/mjpeg.log" 2>&1 &
pids+=($!)
build/rookery import "$dir/demo.csv" --config "$dir/rookery.yaml" || exit 1
build/rookery serve --config "$dir/rookery.yaml" >"$dir/rookery.log" 2>&1 &
pids+=($!)

if ! timeout 20 bash -c "until curl -fsS http://127.0.0.1:$http/readyz >/dev/null 2>&1; do read -r -t 0.1 <> <(:) || :; done"; then
    echo "FAIL the server did not become ready"
    tail -n 20 "$dir/rookery.log"
    exit 1
fi

mkdir -p build/e2e
ROOKERY_URL=http://127.0.0.1:$http ROOKERY_PASSWORD=$ROOKERY_ADMIN_PASSWORD \
    MJPEG_URL=rtsp://127.0.0.1:$mjpeg/cam-001 CAMSIM_CONTROL_URL=http://127.0.0.1:$control ROOKERY_SHOTS=$PWD/build/e2e \
    node tests/e2e/run.mjs "$@"
status=$?
[ $status = 0 ] || { echo "--- server log"; tail -n 40 "$dir/rookery.log"; }
exit $status
