#!/bin/bash
# Lays out /srv/gatehouse, on the data volume when there is one. Idempotent.
#
#   layout [VOLUME]     VOLUME is the id of Hetzner's volume, which is mounted at /mnt/HC_Volume_<id>
#
# Each line of standard input is a folder in it: path, mode, and the number of its user and group, or - for root's.
set -euo pipefail
export LC_ALL=C PATH=/usr/sbin:/usr/bin:/sbin:/bin
umask 077
volume=${1-}
root=/srv/gatehouse
patience=90

die() { printf '%s\n' "$*" >&2; exit 1; }

if [ -n "$volume" ]; then
  mount=/mnt/HC_Volume_$volume
  device=/dev/disk/by-id/scsi-0HC_Volume_$volume
  waited=0
  until mountpoint -q "$mount"; do
    # Hetzner mounts a volume once, when it is attached, and a box that is still booting can miss that.
    if ((waited >= 20)) && [ -b "$device" ]; then
      install -d -m 0755 "$mount"
      grep -q "^$device " /etc/fstab || echo "$device $mount ext4 discard,nofail,defaults 0 0" >>/etc/fstab
      systemctl daemon-reload
      mount "$mount"
      continue
    fi
    ((waited < patience)) || die "volume $volume is not mounted at $mount after $patience s: is it attached to this server?"
    sleep 1
    waited=$((waited + 1))
  done
  # Docker may not start before the volume is there, or the containers would find nothing.
  install -d -m 0755 /etc/systemd/system/docker.service.d
  printf '[Unit]\nRequiresMountsFor=%s\n' "$mount" >/etc/systemd/system/docker.service.d/50-gatehouse-volume.conf
  systemctl daemon-reload
  install -d -m 0711 "$mount/gatehouse"
  if [ -d "$root" ] && [ ! -L "$root" ]; then
    rmdir "$root" 2>/dev/null ||
      die "$root holds data on the box's own disk, but the stack file has a volume: move it to $mount/gatehouse first"
  fi
  ln -sfn "$mount/gatehouse" "$root"
elif [ -L "$root" ]; then
  die "$root leads to $(readlink "$root"), but the stack file has no volume any more: the data is still there"
else
  install -d -m 0711 "$root"
fi

cd "$root"
while read -r path mode owner; do
  if [ "$owner" != - ]; then
    install -d -o "$owner" -g "$owner" -m "$mode" "$path"
  elif [ ! -d "$path" ]; then # else the image's entry point has given it to its own user
    install -d -m "$mode" "$path"
  fi
done
