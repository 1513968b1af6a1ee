#!/bin/bash
# Makes the OpenSSH private key on standard input the box's host key. Safe to be killed at any point: sshd takes
# the public key out of the private one, so the old .pub may go first.
set -euo pipefail
export LC_ALL=C PATH=/usr/sbin:/usr/bin:/sbin:/bin
umask 077
file=/etc/ssh/ssh_host_ed25519_key
new=$(mktemp /etc/ssh/.gatehouse.XXXXXX)
trap 'rm -f "$new"' EXIT
cat >"$new"
public=$(ssh-keygen -y -f "$new")
if ! cmp -s "$new" "$file"; then
  rm -f "$file.pub"
  mv -f "$new" "$file"
fi
printf '%s\n' "$public" >"$file.pub"
chmod 0644 "$file.pub"
systemctl reload ssh.service
