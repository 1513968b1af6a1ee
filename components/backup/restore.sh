#!/bin/bash
# Puts a snapshot in the place of what is on this box. Written by gatehouse.
#
#   restore start SNAPSHOT   runs the following as a unit, and shows what it says until it ends
#   restore run SNAPSHOT     fetch, read back, load beside the living database, swap, start, wait until it answers
#   restore undo             puts back what was there before a restore that did not come to its end
#
# Nothing is touched before all of the snapshot is on the box and in a database of its own. What was there before is
# kept until the new one answers. Killed anywhere, the same command again does all of it again: what was there before
# the first attempt is what is kept.
# shellcheck source-path=SCRIPTDIR source=common.sh
. "${GATEHOUSE_ROOT-}/usr/local/lib/gatehouse/backup-common"
UNIT=gatehouse-restore
AUTHENTIK=(gatehouse-authentik-server gatehouse-authentik-worker)
STOPPED=("${AUTHENTIK[@]}" gatehouse-npm)
FOLDERS=(authentik npm letsencrypt)
RESTORED=$DATA/backup/restored
BEFORE=$DATA/backup/before
ANSWERS_SECONDS=600

has() { [ "$(sql <<<"select 1 from pg_database where datname = '$1'")" = 1 ]; }

# authentik brings an older database up to its version, and cannot go back.
fits() {
  local snapshot box name
  for name in "${STOPPED[@]}"; do
    docker inspect --format '{{.Name}}' "$name" >/dev/null 2>&1 ||
      die "Nothing was touched: there is no $name on this box. Bring it up (./gatehouse up $CLIENT), then run this again."
  done
  snapshot=$(sed 's/.*://' "$RESTORED/$STAGE/image")
  box=$(image_of gatehouse-authentik-server | sed 's/.*://')
  [ "$(printf '%s\n' "$snapshot" "$box" | sort -V | tail -n 1)" = "$box" ] || {
    rm -rf "$RESTORED"
    die "Nothing was touched: the snapshot is of authentik $snapshot, and $box runs here, which cannot read it." \
      "Write gatehouse:authentik.version: $snapshot and bring it up, or take an older snapshot."
  }
}

load() {
  say "loading the database beside the living one"
  printf '%s\n' 'drop database if exists authentik_restored with (force);' \
    'create database authentik_restored template template0;' | sql
  in_postgres pg_restore --username authentik --dbname authentik_restored --exit-on-error --no-owner \
    --single-transaction <"$RESTORED/$STAGE/authentik.dump" 2>"$RESTORED/errors" ||
    die "Nothing was touched: the database cannot be loaded: $(tail -n 2 "$RESTORED/errors" | tr '\n' ' ')"
}

halt() { docker stop --time 60 "${STOPPED[@]}" >/dev/null; }

swap() {
  say "stopping authentik and Nginx Proxy Manager, and putting the restored data in place"
  note restoring "$(now) $1"
  halt
  if has authentik_before; then # of an attempt that was cut off: that is what was there before
    printf '%s\n' 'drop database if exists authentik with (force);' 'alter database authentik_restored rename to authentik;' | sql
  else
    printf '%s\n' "select pg_terminate_backend(pid) from pg_stat_activity where datname = 'authentik';" 'begin;' \
      'alter database authentik rename to authentik_before;' 'alter database authentik_restored rename to authentik;' \
      'commit;' | sql >/dev/null
  fi
  if [ -e "$RESTORED/$STAGE/npm.sqlite" ]; then install -m 0644 "$RESTORED/$STAGE/npm.sqlite" "$RESTORED/npm/database.sqlite"; fi
  install -d -m 0700 "$BEFORE"
  local folder
  for folder in "${FOLDERS[@]}"; do
    if [ ! -d "$RESTORED/$folder" ]; then continue; fi
    if [ -e "$BEFORE/$folder" ]; then rm -rf "${DATA:?}/$folder"; else mv "$DATA/$folder" "$BEFORE/$folder"; fi
    mv "$RESTORED/$folder" "$DATA/$folder"
  done
  # What authentik kept in its cache is of the other database (up to 2025.8).
  docker exec gatehouse-redis redis-cli flushall >/dev/null 2>&1 || true
}

answers() { # whether all of them are healthy within ANSWERS_SECONDS
  local name health waited=0
  docker start "${STOPPED[@]}" >/dev/null
  for name in "${STOPPED[@]}"; do
    while :; do
      health=$(docker inspect --format '{{.State.Health.Status}}' "$name" 2>/dev/null || true)
      if [ "$health" = healthy ]; then break; fi
      if ((waited >= ANSWERS_SECONDS)); then SILENT=$name; return 1; fi
      sleep 2
      waited=$((waited + 2))
    done
  done
}

discard_former() {
  sql <<<'drop database if exists authentik_before with (force)' 2>/dev/null
  rm -rf "$BEFORE"
}

run() {
  exclusively
  trap 'rm -rf "$RESTORED"' EXIT
  # Without the note, nothing hangs on what an earlier restore left: it came to its end.
  if [ ! -e "$DATA/backup/restoring" ]; then discard_former; fi
  open_repository
  unlock
  fetch "$1" "$RESTORED"
  fits
  load
  swap "$1"
  say "starting them, and waiting until they answer"
  answers || die "$SILENT does not answer after $ANSWERS_SECONDS s with the restored data: docker logs $SILENT." \
    "What was there before is kept; to put it back: ./gatehouse restore $CLIENT --undo"
  rm -f "$DATA/backup/restoring"
  discard_former
  say "restored"
}

undo() {
  exclusively
  [ -e "$DATA/backup/restoring" ] || die "No restore of this box was cut off: nothing was touched."
  halt
  if has authentik_before; then
    printf '%s\n' 'drop database if exists authentik with (force);' 'alter database authentik_before rename to authentik;' | sql
  fi
  local folder
  for folder in "${FOLDERS[@]}"; do
    if [ ! -e "$BEFORE/$folder" ]; then continue; fi
    rm -rf "${DATA:?}/$folder"
    mv "$BEFORE/$folder" "$DATA/$folder"
  done
  answers || die "$SILENT does not answer after $ANSWERS_SECONDS s: docker logs $SILENT"
  rm -f "$DATA/backup/restoring"
  rm -rf "$BEFORE"
  say "what was there before is back"
}

case "${1:-}" in
  start) follow "$UNIT.service" systemd-run --quiet --wait --collect --unit="$UNIT" --property=SyslogIdentifier="$UNIT" "$0" run "${2:?which snapshot}" ;;
  run) run "${2:?which snapshot}" ;;
  undo) undo ;;
  *) die "restore: start, run or undo" ;;
esac
