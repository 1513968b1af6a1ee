#!/bin/bash
# Says what somebody else has on a box that was there before gatehouse: one line for each thing that hardening would cut
# off, nothing where there is none. It only looks. What gatehouse has begun to harden is gatehouse's.
#
#   takeover SSH_PORT
set -euo pipefail
export LC_ALL=C PATH=$PATH:/usr/sbin:/sbin
ssh_port=$1
if [ -e /etc/gatehouse ]; then exit; fi

here() { command -v "$1" >/dev/null; }
# told WHAT: each line of standard input, with what it is. but PATTERN: the lines that do not match; none is fine.
told() { sed "s/^/$1: /"; }
but() { grep -vE "$1" || true; }

for engine in docker podman; do
  # An engine that is installed and does not run has no containers that run.
  if here "$engine"; then { "$engine" ps --format '{{.Names}}' 2>/dev/null || true; } | but '^gatehouse-' | told "a container of $engine"; fi
done

file=/etc/docker/daemon.json
if [ -s "$file" ] && [ "$(tr -d '[:space:]' <"$file")" != '{}' ]; then echo "Docker's settings: $file"; fi

# Rules for the ports that stay open are no news, whatever comment they bear. ufw keeps its rules even while it is off.
usual='^-P INPUT ACCEPT$|-j (GATEHOUSE|ufw6?|f2b)-[^ ]+$'
if here ufw; then
  if ufw status | grep -q '^Status: active'; then usual+='|^-P INPUT DROP$'; fi
  ufw show added | grep '^ufw ' | but "^ufw allow (($ssh_port|80|443)(/tcp)?|OpenSSH)( comment '.*')?\$" | told "a rule of ufw" || true
fi
for service in firewalld nftables; do
  if systemctl is-enabled --quiet "$service" 2>/dev/null; then echo "a firewall of its own: $service.service"; fi
done
# iptables keeps its tables in nftables too; they are looked at below. fail2ban's and Docker's own are nobody's choice.
ordinary='^table (ip|ip6) (filter|nat|mangle|raw|security)$|f2b-table$|docker-bridges$'
if here nft; then nft list tables | but "$ordinary" | told "rules of nftables"; fi
for tool in iptables ip6tables; do
  if here "$tool"; then "$tool" -S INPUT | but "$usual" | told "a rule of $tool"; fi
done
