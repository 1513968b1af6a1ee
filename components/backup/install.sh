#!/bin/bash
# Sets a box up to back itself up each night, or to do so no more. Idempotent.
#
#   install PART=HASH...   standard input has the files: path, mode and contents in base64, one a line
#   install --remove       takes the timer and everything that opens the repository off the box
set -euo pipefail
export LC_ALL=C PATH=/usr/sbin:/usr/bin:/sbin:/bin DEBIAN_FRONTEND=noninteractive
umask 077
PACKAGES=(curl restic)
ETC=/etc/gatehouse/backup
LIB=/usr/local/lib/gatehouse
UNITS=/etc/systemd/system

if [ "${1:-}" = --remove ]; then
  systemctl disable --quiet --now gatehouse-backup.timer 2>/dev/null || true
  systemctl stop gatehouse-backup.service 2>/dev/null || true
  rm -rf "$ETC" "$UNITS"/gatehouse-backup.{service,timer} "$LIB"/{backup,backup-common,restore,rehearse} /var/cache/gatehouse-backup
  systemctl daemon-reload
  exit
fi

missing=()
for package in "${PACKAGES[@]}"; do
  dpkg-query -W -f '${Status}' "$package" 2>/dev/null | grep -q '^install ok installed$' || missing+=("$package")
done
if ((${#missing[@]})); then
  apt() { apt-get -q -y -o DPkg::Lock::Timeout=600 -o Acquire::Retries=5 "$@" >/dev/null; }
  apt update
  apt install --no-install-recommends "${missing[@]}"
fi

# What is not among them any more, such as the mail of a failure, is not left behind.
rm -rf "$ETC.new"
install -d -m 0700 "$ETC.new"
install -d -m 0755 "$LIB"
while read -r path mode data; do
  case "$path" in "$ETC"/*) target=$ETC.new/${path##*/} ;; *) target=$path ;; esac
  new=$(mktemp "$target.XXXXXX")
  base64 -d <<<"$data" >"$new"
  chmod "$mode" "$new"
  mv -f "$new" "$target"
done
rm -rf "$ETC.old"
if [ -e "$ETC" ]; then mv "$ETC" "$ETC.old"; fi
mv "$ETC.new" "$ETC"
rm -rf "$ETC.old"

systemctl daemon-reload
systemctl enable --quiet gatehouse-backup.timer
systemctl restart gatehouse-backup.timer
"$LIB/backup" prepare
