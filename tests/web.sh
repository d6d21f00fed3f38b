#!/usr/bin/env bash
# The web part of ./test: each step is one check.
set -u
cd "$(dirname "$0")/../web" || exit 1
p=0
f=0
step() {
    local name=$1
    shift
    if "$@"; then
        echo "ok $name"
        p=$((p + 1))
    else
        echo "FAIL $name"
        f=$((f + 1))
    fi
}
step 'lint' npm run --silent lint
step 'unit tests' npm run --silent test
step 'build with type check' env ROOKERY_WEB_OUT=../build/web-test npm run --silent build
echo "$p passed, $f failed"
[ "$f" = 0 ]
