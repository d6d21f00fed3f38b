# Shared by ./run and ./test: progress, packages, builds. Sourced by bash with the checkout as the
# working directory.

say() { printf '%s %s\n' "$(date +%H:%M:%S)" "$*"; }
die() {
    printf '\nrookery: %s\n' "$*" >&2
    exit 1
}

# quiet LOG WHAT COMMAND…: runs with its output in LOG; on failure shows the end of it and a sentence.
quiet() {
    local log=$1 what=$2
    shift 2
    mkdir -p "$(dirname "$log")"
    if ! "$@" >"$log" 2>&1; then
        tail -n 15 "$log" >&2
        die "$what failed. The whole output is in $log"
    fi
}

as_root() {
    if [ "$(id -u)" = 0 ]; then
        "$@"
    elif command -v sudo >/dev/null 2>&1; then
        sudo -E "$@"
    else
        die "packages must be installed, which needs root. Run this as root, or install sudo"
    fi
}

# need_packages LISTFILE…: installs from Debian what is not there yet.
need_packages() {
    local wanted missing=() name status
    wanted=$(sed -e 's/#.*//' "$@" | tr -s ' \n' '\n' | sed '/^$/d' | sort -u)
    # A node and npm from elsewhere serve as well, when new enough.
    if command -v npm >/dev/null 2>&1 && node -e 'process.exit(parseInt(process.versions.node) >= 18 ? 0 : 1)' 2>/dev/null; then
        wanted=$(printf '%s\n' "$wanted" | grep -vx -e nodejs -e npm)
    fi
    status=$(dpkg-query -W -f='${Package} ${db:Status-Status}\n' 2>/dev/null)
    for name in $wanted; do
        grep -qx "$name installed" <<<"$status" || missing+=("$name")
    done
    [ ${#missing[@]} = 0 ] && return 0
    say "installing ${#missing[@]} Debian packages (a few minutes the first time): ${missing[*]}"
    export DEBIAN_FRONTEND=noninteractive
    mkdir -p build/log
    if ! as_root apt-get update -q >build/log/apt-update.log 2>&1; then
        tail -n 5 build/log/apt-update.log >&2
        die "the package lists cannot be fetched. Is there a network, and are the sources in /etc/apt right?"
    fi
    if ! as_root apt-get install -y -q --no-install-recommends "${missing[@]}" >build/log/apt-install.log 2>&1; then
        grep -E '^E: ' build/log/apt-install.log >&2
        die "packages could not be installed. Is there a network, and is this Debian 12? Wanted: ${missing[*]} (whole output: build/log/apt-install.log)"
    fi
}

# build_c PRESET [TARGET…]
build_c() {
    local preset=$1 dir=build
    shift
    [ "$preset" = release ] || dir=build/$preset
    if [ ! -f "$dir/build.ninja" ]; then
        say "configuring ($preset)"
        quiet "build/log/configure-$preset.log" "configuring the $preset build" cmake --preset "$preset"
    fi
    if ! ninja -C "$dir" -n "$@" 2>/dev/null | grep -q 'no work to do'; then
        say "building ($preset)"
        quiet "build/log/build-$preset.log" "the $preset build" ninja -C "$dir" "$@"
    fi
}

# The web app goes to build/web and is built again only when something under web/ changed.
web_stamp() {
    (cd web && find . -path ./node_modules -prune -o -path ./dist -prune -o -type f -print0 |
        LC_ALL=C sort -z | xargs -0 sha256sum; sha256sum ../docs/openapi.yaml) | sha256sum | cut -d' ' -f1
}
web_modules() {
    local stamp
    stamp=$(sha256sum web/package-lock.json | cut -d' ' -f1)
    if [ "$(cat web/node_modules/.rookery-stamp 2>/dev/null)" != "$stamp" ]; then
        say "installing the web app's packages from the npm registry"
        (cd web && npm ci --no-audit --no-fund --loglevel=error) >build/log/npm.log 2>&1 || {
            grep -E 'npm (ERR!|error)' build/log/npm.log | head -5 >&2
            die "npm could not install the web app's packages (see build/log/npm.log). Is the npm registry reachable?"
        }
        echo "$stamp" >web/node_modules/.rookery-stamp
    fi
}
build_web() {
    local stamp
    mkdir -p build/log
    stamp=$(web_stamp)
    [ "$(cat build/web/.stamp 2>/dev/null)" = "$stamp" ] && [ -f build/web/index.html ] && return 0
    web_modules
    say "building the web app"
    (cd web && npm run --silent build) >build/log/web.log 2>&1 || {
        tail -n 20 build/log/web.log >&2
        die "the web app does not build (see build/log/web.log)"
    }
    echo "$stamp" >build/web/.stamp
}
