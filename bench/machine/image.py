"""What a box boots from: a Debian 12 as a cloud gives it, plain or with gatehouse's packages already in it."""

from __future__ import annotations

import re
from pathlib import Path

from bench import ca, rootfs
from bench.paths import ROOT
from bench.rootfs import BuildError, Layer

# As on Hetzner's image: the usual tools of a cloud's Debian, nothing that gatehouse itself installs.
_CLOUD = (
    "systemd-sysv", "dbus", "openssh-server", "cloud-init", "sudo", "iproute2", "locales", "curl", "gpg", "kmod",
    "procps", "iputils-ping", "netbase", "libpam-systemd", "less", "python3", "e2fsprogs", "rsync", "cron",
    "apt-utils", "bzip2", "xz-utils", "logrotate", "tzdata", "udev",
)  # fmt: skip
_HARDENING = ROOT / "components/host/harden.sh"

_SCRIPT = """
localedef -i en_US -f UTF-8 en_US.UTF-8
echo 'LANG=en_US.UTF-8' >/etc/default/locale
: >/etc/machine-id
rm -f /etc/ssh/ssh_host_* /var/lib/dbus/machine-id /etc/hostname
update-ca-certificates
# The addresses come from outside, with the veth pair: nothing in the box waits for udev or asks for a lease.
for unit in systemd-networkd.service systemd-networkd.socket systemd-networkd-wait-online.service \
  systemd-firstboot.service systemd-udevd.service systemd-resolved.service getty@tty1.service console-getty.service; do
  ln -sf /dev/null /etc/systemd/system/$unit
done
rm -f /etc/resolv.conf
echo 'nameserver 203.0.113.1' >/etc/resolv.conf
mkdir -p /etc/cloud/cloud.cfg.d
cat >/etc/cloud/cloud.cfg.d/90-bench.cfg <<'END'
datasource_list: [NoCloud]
network: {config: disabled}
growpart: {mode: "off"}
resize_rootfs: false
manage_etc_hosts: true
disable_root: false
system_info: {default_user: {name: root, lock_passwd: true}}
END
echo 'Acquire::http::Proxy "http://203.0.113.1:3142";' >/etc/apt/apt.conf.d/90bench-proxy
"""


def baked() -> tuple[str, ...]:
    """The packages that gatehouse's hardening installs, in its own words: baked in, a first boot finds them there."""
    found = re.search(r"^PACKAGES=\(([^)]*)\)", _HARDENING.read_text(), re.MULTILINE)
    if not found:
        raise BuildError(
            f"{_HARDENING} has no line PACKAGES=(…) from which to tell what to bake into the box"
        )
    return tuple(sorted(found[1].split()))


def layers(kind: str) -> list[Layer]:
    """The recipe of the `plain` or the `baked` box; it carries the bench's authority, so it is this machine's own."""
    authority = ca.ensure()[0].read_text()
    place = "/usr/local/share/ca-certificates/gatehouse-bench.crt"
    trust = f"cat >{place} <<'END'\n{authority}END\n"
    plain = Layer("box", _CLOUD, trust + _SCRIPT)
    return [plain, Layer("box-baked", baked())] if kind == "baked" else [plain]


def ensure(kind: str, progress: rootfs.Progress) -> list[Path]:
    """The layers of a box's root file system, bottom first, made where they are missing.

    Raises BuildError.
    """
    return rootfs.build(layers(kind), progress)
