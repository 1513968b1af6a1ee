#!/bin/sh
# Makes the Python environment of this checkout, and on Debian as root what the bench needs beside it.
set -eu
cd "$(dirname "$0")/.."

# What each is for: the environment; ssh to the box; namespaces and firewall; the box and its images; real servers; real clients.
packages="python3 python3-venv ca-certificates openssh-client openssh-server \
  iproute2 nftables util-linux psmisc \
  mmdebstrap systemd-container zstd e2fsprogs \
  nginx-light libnginx-mod-http-headers-more-filter libnginx-mod-stream \
  ldap-utils freeradius-utils"

system() {
  if [ "$(id -u)" != 0 ] || ! command -v apt-get >/dev/null; then
    return 0
  fi
  missing=""
  for package in $packages; do
    dpkg-query -W -f='${Status}' "$package" 2>/dev/null | grep -q 'install ok installed' || missing="$missing $package"
  done
  if [ -n "$missing" ]; then
    echo "Installing$missing" >&2
    apt-get -qq update
    # No server of these is wanted on this machine itself: the bench starts its own. Whatever ends this script takes the
    # policy away again, or no package could start a service here any more.
    if [ ! -e /usr/sbin/policy-rc.d ]; then
      trap 'rm -f /usr/sbin/policy-rc.d' EXIT
      trap 'exit 1' HUP INT TERM
      printf '#!/bin/sh\nexit 101\n' > /usr/sbin/policy-rc.d
      chmod 755 /usr/sbin/policy-rc.d
    fi
    # shellcheck disable=SC2086
    DEBIAN_FRONTEND=noninteractive apt-get -qq -y install --no-install-recommends $missing >&2
    # Nor at its next boot.
    case " $missing " in *" openssh-server "*) systemctl --quiet disable ssh >/dev/null 2>&1 || true ;; esac
    case " $missing " in *" nginx-light "*) systemctl --quiet disable nginx >/dev/null 2>&1 || true ;; esac
  fi
}

environment() {
  wanted=$(cat requirements*.txt | cksum)
  [ "$(cat .venv/gatehouse 2>/dev/null || true)" = "$wanted" ] && return 0
  python3 -c 'import sys; sys.exit(sys.version_info < (3, 11))' || {
    echo "gatehouse needs Python 3.11 or newer as python3; this is $(python3 --version 2>&1)" >&2
    exit 1
  }
  echo "Making the Python environment in .venv" >&2
  [ -x .venv/bin/python ] || python3 -m venv .venv
  .venv/bin/python -m pip install --quiet --disable-pip-version-check -r requirements-dev.txt
  .venv/bin/python -m compileall -q .venv/lib >/dev/null 2>&1 || true
  echo "$wanted" > .venv/gatehouse
}

mkdir -p .gatehouse/state
chmod 700 .gatehouse
system
environment
.venv/bin/python -m bench.clients # authentik's own, for tests
