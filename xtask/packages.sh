#!/bin/sh
# Installs the Debian packages that building, testing and the demo need. Does nothing when they are there.
set -eu

# Building: gcc libc6-dev pkg-config libseccomp-dev. Containers of the tests: busybox-static. Checks of the tests:
# nftables iproute2 procps. Images of other tools: skopeo umoci. File systems of containers' writable layers: e2fsprogs.
# Clients: python3-venv ca-certificates.
packages="gcc libc6-dev pkg-config libseccomp-dev busybox-static nftables iproute2 procps skopeo umoci e2fsprogs
    python3-venv ca-certificates"

if ! command -v dpkg-query >/dev/null 2>&1; then
    echo "not a Debian system: please see to it that these are installed: $packages" >&2
    exit 0
fi

missing=""
for package in $packages; do
    case "$(dpkg-query --show --showformat '${db:Status-Status}' "$package" 2>/dev/null || true)" in
        installed) ;;
        *) missing="$missing $package" ;;
    esac
done
[ -n "$missing" ] || exit 0

if [ "$(id -u)" != 0 ]; then
    echo "missing Debian packages; install them as root: apt-get install --no-install-recommends$missing" >&2
    exit 1
fi
echo "installing Debian packages:$missing"
export DEBIAN_FRONTEND=noninteractive
apt-get update -qq
# shellcheck disable=SC2086 # a list of names
apt-get install -y -qq --no-install-recommends $missing
