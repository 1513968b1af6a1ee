"""Names that an operator's account on the box cannot have, since the box has users or groups of its own by them."""

from __future__ import annotations

# Debian 12: passwd.master and group.master of base-passwd.
_DEBIAN = """
    _apt adm audio backup bin cdrom daemon dialout dip disk fax floppy games gnats irc kmem list lp mail man news nobody
    nogroup operator plugdev proxy root sasl shadow src staff sudo sync sys tape tty users utmp uucp video voice
    www-data
"""
# What the packages make that are on a server or that gatehouse installs, by their maintainers' scripts and sysusers.d.
_PACKAGES = """
    _chrony _ssh crontab dhcpcd docker input kvm messagebus mlocate netdev ntp ntpsec plocate polkitd postdrop
    postfix rdma render rtkit sgx ssh sshd ssl-cert systemd-coredump systemd-journal systemd-network
    systemd-resolve systemd-timesync tcpdump tss uuidd
"""
_OURS = "deploy gatehouse"
RESERVED_ACCOUNTS = frozenset(f"{_DEBIAN} {_PACKAGES} {_OURS}".split())
