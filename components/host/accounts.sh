#!/bin/bash
# Makes the accounts on the box what the stack file says: standard input has a line `NAME KEY` for each key.
# `deploy` is among them. Whoever was an operator and is no longer named loses key, group and all that they run.
set -euo pipefail
export LC_ALL=C PATH=/usr/sbin:/usr/bin:/sbin:/bin
umask 077
die() { printf '%s\n' "$*" >&2; exit 1; }

# made NAME: whether gatehouse made the account; useradd has always put that into its comment, which only root changes.
made() { [ "$(getent passwd "$1" | cut -d: -f5 | cut -d, -f1)" = gatehouse ]; }
member() { id -nG "$1" 2>/dev/null | tr ' ' '\n' | grep -qx "$2"; }

declare -A keys=()
while read -r name key; do
  keys[$name]+="$key"$'\n'
done
[ -n "${keys[deploy]-}" ] || die "no key for deploy was given"
getent group gatehouse >/dev/null || groupadd --system gatehouse

# Before anything is changed. A person's account in the group was taken over before gatehouse looked at who made it.
for name in "${!keys[@]}"; do
  if made "$name" || { member "$name" gatehouse && [ "$(id -u "$name")" -lt 60000 ]; }; then continue; fi
  getent passwd "$name" >/dev/null || getent group "$name" >/dev/null || continue
  remedy="give the operator another name in gatehouse:operators"
  if [ "$name" = deploy ]; then remedy="rename it (usermod --login, groupmod --new-name): gatehouse needs this name"; fi
  die "there is a user or group $name on this box that gatehouse did not make: $remedy, then run \`up\` again"
done

for name in "${!keys[@]}"; do
  id "$name" >/dev/null 2>&1 || useradd --create-home --shell /bin/bash --comment gatehouse "$name"
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

# end_all NAME: ends what they run, sessions and root shells in these too. A container that has the same number for its
# user is not theirs: it is told by its control group. Again, for what is started meanwhile.
end_all() {
  local pid left
  loginctl kill-user --signal=KILL "$1" 2>/dev/null || true
  for _ in {1..20}; do
    left=no
    for pid in $(pgrep -u "$1" || true); do
      if grep -qsE '/(docker|libpod|cri-containerd)[-/][0-9a-f]{64}' "/proc/$pid/cgroup"; then continue; fi
      left=yes
      kill -KILL "$pid" 2>/dev/null || true
    done
    [ $left = yes ] || return 0
    sleep 0.1
  done
  die "some of what $1 runs does not end: look at it with \`ps -u $1\`"
}

for name in $(getent group gatehouse | cut -d: -f4 | tr , ' '); do
  if [ -n "${keys[$name]-}" ]; then continue; fi
  rm -f "$(getent passwd "$name" | cut -d: -f6)/.ssh/authorized_keys"
  if made "$name"; then usermod --lock --expiredate 1 "$name"; fi
  end_all "$name"
  # The groups go last: by them a run that was killed half-way is gone on with.
  for group in docker gatehouse; do
    if member "$name" "$group"; then gpasswd --delete "$name" "$group" >/dev/null; fi
  done
done
