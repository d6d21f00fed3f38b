#!/usr/bin/env bash
# The lint part of ./test: form, fences and truth of the tree. Prints one line per check.
set -u
cd "$(dirname "$0")/.." || exit 1
. tools/lib.sh

p=0
f=0
check() { # NAME OUTPUT: passes when OUTPUT is empty
    if [ -z "$2" ]; then
        p=$((p + 1))
        echo "ok $1"
    else
        f=$((f + 1))
        echo "FAIL $1"
        printf '%s\n' "$2" | head -n 20
    fi
}

layers=(base net media ingest analysis storage delivery server)
mapfile -t c_files < <(git ls-files -- '*.c' '*.h')
mapfile -t layer_c < <(git ls-files -- "${layers[@]/%//*.c}")
mapfile -t layer_h < <(git ls-files -- "${layers[@]/%//*.h}")

check 'clang-format' "$(clang-format --dry-run --Werror "${c_files[@]}" 2>&1 | grep -E 'error:' | cut -d: -f1 | sort | uniq -c)"

# Third-party headers stay behind their fences.
fence() { # NAME PATTERN ALLOWED-REGEX
    check "fence: $1" "$(grep -nE "#include <$2" "${layer_c[@]}" "${layer_h[@]}" | grep -vE "^($3)")"
}
fence libevent 'event2?/' '(base|net)/'
fence sqlite 'sqlite3' 'storage/db[^/]*\.[ch]:'
fence libav 'lib(av|sw)' '[a-z]+/av_[^/]*\.[ch]:'
fence gstreamer 'gst/' '$^'

# Includes name the folder; the build refuses upward ones, this refuses relative ones.
check 'includes name their folder' "$(grep -nE '#include "[^/"]+"' "${layer_c[@]}" "${layer_h[@]}")"

# Time is read through struct clock only.
check 'time only through clock' "$(grep -nE '\b(clock_gettime|gettimeofday|time)\((NULL|CLOCK_|&)' "${layer_c[@]}" | grep -vE '^base/clock\.c:')"

# Headers compile alone.
alone=$(for h in "${layer_h[@]}"; do
    gcc -std=gnu11 -D_GNU_SOURCE -Wall -Wextra -Werror -fsyntax-only -include base/banned.h -I. -x c "$h" 2>&1 | grep -E 'error' | head -n 1
done)
check 'headers compile alone' "$alone"

# Dead names: a function declared in a header and used nowhere besides its own file and header.
dead=$(python3 tools/dead_names.py)
check 'no dead names' "$dead"

# Cameras: every behaviour of docs/cameras.md has its test, and every case a row.
check 'camera quirks' "$(python3 tools/quirks_check.py)"

# Documents: links lead somewhere.
check 'document links' "$(python3 tools/doc_links.py)"

# clang-tidy over the compile commands of the check build.
[ -f build/check/compile_commands.json ] || build_c check >/dev/null
tidy=$(printf '%s\n' "${layer_c[@]}" | xargs -P 2 -n 4 clang-tidy -p build/check --quiet 2>/dev/null |
    grep -E '(warning|error):' | sort -u)
check 'clang-tidy' "$tidy"

check 'shell scripts parse' "$(for s in run test .ci/run tools/*.sh tests/*.sh tests/*/*.sh; do [ ! -f "$s" ] || bash -n "$s" 2>&1; done)"

echo "longest functions and files (places to look, not failures):"
wc -l "${layer_c[@]}" | sort -rn | sed -n '2,6p'

echo "$p passed, $f failed"
[ "$f" = 0 ]
