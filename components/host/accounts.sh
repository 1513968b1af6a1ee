#!/bin/bash
# Makes the accounts on the box what the stack file says: standard input has a line `NAME KEY` for each key.
# `deploy` is among them. Whoever was an operator and is no longer named loses key, group and open sessions.
set -euo pipefail
export LC_ALL=C PATH=/usr/sbin:/usr/bin:/sbin:/bin
umask 077
die() { printf '%s\n' "$*" >&2; exit 1; }

declare -A keys=()
while read -r name key; do
  keys[$name]+="$key"$'\n'
done
[ -n "${keys[deploy]-}" ] || die "no key for deploy was given"
getent group gatehouse >/dev/null || groupadd --system gatehouse

for name in "${!keys[@]}"; do
  if ! id "$name" >/dev/null 2>&1; then
    useradd --create-home --shell /bin/bash --comment gatehouse "$name"
  elif [ "$(id -u "$name")" -lt 1000 ]; then
    die "an operator cannot be called $name: that is an account of the system"
  fi
  groups=gatehouse
  if getent group docker >/dev/null; then groups+=,docker; fi
  # Undoes an earlier off-boarding as well.
  usermod --append --groups "$groups" --expiredate '' "$name"
  home=$(getent passwd "$name" | cut -d: -f6)
  install -d -o "$name" -g "$(id -g "$name")" -m 0700 "$home/.ssh"
  new=$(mktemp "$home/.ssh/.gatehouse.XXXXXX")
  printf '%s' "${keys[$name]}" >"$new"
  chown "$name:" "$new"
  mv -f "$new" "$home/.ssh/authorized_keys"
done

for name in $(getent group gatehouse | cut -d: -f4 | tr , ' '); do
  if [ -n "${keys[$name]-}" ]; then continue; fi
  rm -f "$(getent passwd "$name" | cut -d: -f6)/.ssh/authorized_keys"
  usermod --lock --expiredate 1 "$name"
  # The group goes last: it is what a run that was killed half-way finds this account by.
  pkill -KILL -u "$name" || true
  for group in docker gatehouse; do
    if id -nG "$name" | grep -qw "$group"; then gpasswd --delete "$name" "$group" >/dev/null; fi
  done
done
