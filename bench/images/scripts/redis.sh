#!/bin/sh
# Behaves as the official image's entry point: redis-server as the user redis, open to other containers.
set -e
case "${1:-}" in -* | *.conf) set -- redis-server "$@" ;; esac
if [ "$1" = redis-server ]; then
  if [ "$(id -u)" = 0 ]; then
    find . \! -user redis -exec chown redis {} +
    exec setpriv --reuid=redis --regid=redis --clear-groups "$0" "$@"
  fi
  shift
  umask 0077
  exec redis-server "$@" --protected-mode no
fi
exec "$@"
