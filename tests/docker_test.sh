#!/usr/bin/env bash
# Builds the image for real and runs the quickstart in it three times, without a network:
#   as the image has it    its own user, who writes to runs/ and the cache alone
#   hardened               any other number as user, a read-only root, no capabilities, one volume
#   as docs/running.md     in a folder of the user's that holds no runs/, without a GPU
#
# No Docker engine needed: buildah builds, from a Debian base made by debootstrap, and podman runs.
# On Debian or Ubuntu, as root. Takes about eight minutes, the download of torch included, and 25 GB of
# disk for a while. The base stays in CACHE (170 MB); KEEP=1 keeps the image and its layers too (7 GB),
# and the next build takes seconds.
set -euo pipefail
cd "$(dirname "$0")/.."

CACHE=${CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/graft}
BASE=localhost/graft-base
IMAGE=localhost/graft
SUITE=bookworm
USER_ID=1000
OTHER_ID=4321 # which /etc/passwd of the image does not name
EPOCH=training.num_train_epochs=1 # enough to see where files are written

main() {
    need buildah podman runc debootstrap
    own_storage
    trap clean_up EXIT
    step "base: Debian $SUITE with Python"
    make_base
    step "build"
    build
    step "quickstart"
    quickstart
    check
    step "read-only root, one volume, user $OTHER_ID"
    hardened
    step "a folder without runs/"
    own_folder
    echo "docker-test: passed"
}

step() { echo "== docker-test: $1"; }
fail() { echo "docker-test: $1" >&2 && exit 1; }

need() {
    [ "$(id -u)" = 0 ] || fail "needs root, for debootstrap and the containers; try: sudo make docker-test"
    local tool missing=()
    for tool in "$@"; do command -v "$tool" >/dev/null || missing+=("$tool"); done
    [ ${#missing[@]} = 0 ] && return
    command -v apt-get >/dev/null || fail "needs ${missing[*]}; install them and try again"
    step "installing ${missing[*]}"
    apt-get update -qq
    DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "${missing[@]}" >/dev/null
}

# Images and containers in a folder of ours: the machine's own are not seen and not touched.
own_storage() {
    mkdir -p "$CACHE"
    export CONTAINERS_STORAGE_CONF=$CACHE/storage.conf
    printf '[storage]\ndriver = "overlay"\ngraphroot = "%s"\nrunroot = "%s"\n' \
        "$CACHE/storage" "$CACHE/run" >"$CONTAINERS_STORAGE_CONF"
}

clean_up() {
    podman rm --force --volumes --ignore graft-test >/dev/null
    podman volume rm --force graft-test >/dev/null
    [ "${KEEP:-0}" = 1 ] && return
    podman rmi --all --force >/dev/null
    rm -rf "$CACHE/storage" "$CACHE/run" "$CACHE/rootfs"
}

make_base() {
    local tar=$CACHE/$SUITE.tar rootfs=$CACHE/rootfs
    if [ ! -f "$tar" ]; then
        rm -rf "$rootfs"
        debootstrap --variant=minbase --include=ca-certificates,python3,python3-venv "$SUITE" "$rootfs" \
            >"$CACHE/debootstrap.log" || fail "debootstrap failed; see $CACHE/debootstrap.log"
        tar -C "$rootfs" --exclude='./var/cache/apt/archives/*.deb' --exclude='./var/lib/apt/lists/*' \
            -cf "$tar.part" .
        mv "$tar.part" "$tar"
        rm -rf "$rootfs"
    fi
    podman image exists "$BASE" || podman import --quiet "$tar" "$BASE"
}

# The host's certificates, should it have some of its own; its choice of package index likewise.
build() {
    local name arguments=()
    for name in PIP_INDEX_URL PIP_EXTRA_INDEX_URL; do
        [ -z "${!name:-}" ] || arguments+=(--build-arg "$name")
    done
    buildah bud --isolation chroot --format docker --layers --volume /etc/ssl/certs:/etc/ssl/certs:ro \
        --build-arg BASE_IMAGE="$BASE" "${arguments[@]}" --tag "$IMAGE" .
    podman images --filter reference="$IMAGE" --format "{{.Repository}} {{.Size}}"
}

# runc, and limits below the host's own, so that it also works inside another container.
run() {
    podman --runtime runc run --network=none --shm-size=1g \
        --ulimit nofile=4096:4096 --ulimit nproc=4096:4096 --env OMP_NUM_THREADS="$(nproc)" "$@"
}

quickstart() { run --name graft-test "$IMAGE" recipes/quickstart.yaml; }

# Whatever is written goes to the one volume: runs, caches, HOME.
hardened() {
    run --rm --read-only --tmpfs /tmp --cap-drop=ALL --security-opt=no-new-privileges \
        --user "$OTHER_ID:$OTHER_ID" --volume graft-test:/cache --workdir /cache \
        "$IMAGE" quickstart "$EPOCH"
    complete "$(podman volume mount graft-test)/runs/quickstart/1" "$OTHER_ID"
    podman volume unmount graft-test >/dev/null
}

own_folder() {
    local folder
    folder=$(mktemp -d)
    chown "$OTHER_ID:$OTHER_ID" "$folder"
    run --rm --user "$OTHER_ID:$OTHER_ID" --volume "$folder:/work" --workdir /work \
        --volume graft-test:/cache "$IMAGE" quickstart "$EPOCH"
    complete "$folder/runs/quickstart/1" "$OTHER_ID"
    rm -r "$folder"
}

check() {
    local root run
    root=$(podman mount graft-test)
    run=$root/app/runs/quickstart/1
    evidence "$run"
    complete "$run" "$USER_ID"
    written_elsewhere
    podman umount graft-test >/dev/null
}

complete() {
    local run=$1 user=$2
    [ -s "$run/metrics.json" ] || fail "no metrics.json in $run"
    [ -s "$run/model/model.safetensors" ] || fail "no weights in model/"
    [ -s "$run/model/README.md" ] || fail "no model card in model/"
    [ -z "$(find "$run" ! -user "$user" -print -quit)" ] || fail "not all files belong to user $user"
}

evidence() {
    "${PYTHON:-python3}" - "$1/metrics.json" <<'PYTHON' || fail "metrics.json is not as expected"
import json, sys

metrics = json.load(open(sys.argv[1]))
main = metrics["main_metric"]
print(f"validation {metrics['validation']}, test {metrics['test']}, parity {metrics['parity']}")
assert metrics["parity"]["ok"], "the saved model predicts something else"
assert metrics["test"][main] > metrics["baseline"]["test"][main] + 0.2, "it learned nothing"
assert metrics["validation"][main] > metrics["baseline"]["validation"][main] + 0.2
PYTHON
}

# What the run changed in the image: runs/ alone. The cache is a volume, and so not in the list;
# /etc is there for podman's own mtab, and /tmp for files that are gone again.
written_elsewhere() {
    local changed
    changed=$(podman diff graft-test | cut -d ' ' -f 2- | grep -vE '^(/etc|/tmp|/app(/runs(/.*)?)?)$' || true)
    [ -z "$changed" ] || fail "written outside runs/ and the cache: $changed"
}

main
