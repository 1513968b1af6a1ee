#!/bin/bash
# Backs this box up into a restic repository. Written by gatehouse; what it may know lies in /etc/gatehouse/backup.
#
#   backup run          what the timer starts: dump, snapshot, retention, once a week a check, heartbeat
#   backup now          starts that as a unit, and shows what it says until it ends
#   backup ended        told by systemd how a run ended: writes to whom it may concern when that was not well
#   backup prepare [--new]   opens the repository, or makes it
#   backup snapshots    all snapshots as restic lists them, in JSON
#   backup status       what is known on the box: a line each of good, failed, checked, restoring
#   backup papers       takes a tar file of what the operator's machine wants to be in the backups
# shellcheck source-path=SCRIPTDIR source=common.sh
. "${GATEHOUSE_ROOT-}/usr/local/lib/gatehouse/backup-common"
UNIT=gatehouse-backup.service
PARTS=(authentik npm letsencrypt backup/papers "$STAGE")
EXCLUDED=(--exclude 'npm/database.sqlite*' --exclude npm/logs)
CHECK_DAYS=7
SHARE=5% # of the data, drawn anew at each check

# ---------------------------------------------------------------------------------------------------------------- dumps
# Whole or not at all: what is in STAGE was read back to its end.
dump() {
  local need have
  rm -rf "${DATA:?}/$STAGE" "$DATA/backup/stage.new"
  install -d -m 0700 "$DATA/backup/stage.new"
  cd "$DATA/backup/stage.new"
  [ "$(docker inspect --format '{{.State.Running}}' "$POSTGRES" 2>/dev/null)" = true ] ||
    die "Postgres does not run on this box (docker ps --all): bring it up (./gatehouse up), then run this again."
  need=$(DATABASE=authentik sql <<<"select pg_database_size('authentik')") || die "Postgres does not answer: docker logs $POSTGRES"
  have=$(df --output=avail --block-size=1 . | tail -n 1)
  ((have > need)) || die "The disk is full: the dump may need $((need >> 20)) MB, and $((have >> 20)) MB are free below" \
    "$DATA. Make room, or a larger volume (gatehouse:server.volumeSize), and run this again."
  # Not compressed: restic does that, and finds what has not changed since yesterday.
  in_postgres pg_dump --username authentik --format custom --compress 0 authentik </dev/null >authentik.dump 2>errors ||
    die "The database cannot be dumped: $(tail -n 2 errors | tr '\n' ' ')"
  in_postgres pg_restore --file /dev/null <authentik.dump 2>errors ||
    die "The dump of the database cannot be read back: $(tail -n 2 errors | tr '\n' ' ')"
  if [ -e "$DATA/npm/database.sqlite" ]; then
    python3 - "$DATA/npm/database.sqlite" npm.sqlite 2>errors <<'PYTHON' || die "Nginx Proxy Manager's database cannot be copied: $(tail -n 1 errors)"
import sqlite3, sys
source, copy = sqlite3.connect(f"file:{sys.argv[1]}?mode=ro", uri=True, timeout=60), sqlite3.connect(sys.argv[2])
source.backup(copy)
assert copy.execute("pragma integrity_check").fetchone() == ("ok",), "it is damaged"
PYTHON
  fi
  rm -f errors
  image_of gatehouse-authentik-server >image
  sha256sum -- * >SHA256SUMS
  cd "$DATA"
  mv "$DATA/backup/stage.new" "$DATA/$STAGE"
}

# -------------------------------------------------------------------------------------------------------------- snapshot
# SNAPSHOT has its id. restic makes one, too, of what it could not read as a whole: that one is taken away again.
snapshot() {
  local status=0 said parts=() part
  cd "$DATA"
  for part in "${PARTS[@]}"; do if [ -e "$part" ]; then parts+=("$part"); fi; done
  said=$("${RESTIC[@]}" backup --json --host "$CLIENT" --tag gatehouse "${EXCLUDED[@]}" "${parts[@]}" 2>"$RUN/gatehouse-backup.errors") || status=$?
  SNAPSHOT=$(sed -nE 's/.*"message_type":"summary".*"snapshot_id":"([0-9a-f]+)".*/\1/p' <<<"$said")
  return "$status"
}

snapshot_of_all() {
  local attempt status errors
  for attempt in 1 2 3; do
    status=0
    snapshot || status=$?
    errors=$(<"$RUN/gatehouse-backup.errors")
    if [ "$status" = 0 ] && [ -n "$SNAPSHOT" ]; then return; fi
    if [ "$status" != 3 ]; then die "$(explain "$errors")"; fi
    # Something went away while it was read: a log that was rotated, a certificate that was renewed.
    if [ "$APPEND_ONLY" = no ] && [ -n "$SNAPSHOT" ]; then "${RESTIC[@]}" forget "$SNAPSHOT" </dev/null; fi
    if [ "$attempt" != 3 ]; then sleep 10; fi
  done
  die "Not all files could be read, three times in a row, and the backup does not count: $(grep -v '^{' <<<"$errors" | tail -n 2 | tr '\n' ' ')"
}

retention() {
  if [ "$APPEND_ONLY" = yes ]; then return; fi
  local said
  # shellcheck disable=SC2086
  said=$("${RESTIC[@]}" forget --prune --host "$CLIENT" --tag gatehouse --group-by host $KEEP 2>&1 </dev/null) ||
    die "The backup is there (snapshot ${SNAPSHOT:0:8}), but older ones cannot be deleted. $(explain "$said")"
}

weekly_check() {
  local said
  if [ -n "$(find "$DATA/backup/checked" -mtime -"$CHECK_DAYS" 2>/dev/null)" ]; then return; fi
  say "reading a random $SHARE of the repository back"
  # Of an append-only store nothing is locked exclusively: only this box writes into it.
  said=$("${RESTIC[@]}" check --read-data-subset="$SHARE" 2>&1 </dev/null) ||
    die "The backup is there (snapshot ${SNAPSHOT:0:8}), but the repository $SHOWN is damaged: $(grep -iE 'error|damag|fatal|not match' <<<"$said" | head -n 2 | tr '\n' ' ')" \
      "Begin a new one at another place (gatehouse:backup.repository), and keep this one for what can still be read."
  note checked "$(now)"
}

heartbeat() {
  if [ ! -e "$ETC/heartbeat" ]; then return; fi
  curl --silent --show-error --fail --max-time 20 --retry 3 --output /dev/null --config "$ETC/heartbeat" 2>&1 ||
    say "the heartbeat could not be sent: whoever watches it will think that this backup failed"
}

run() {
  exclusively
  # Left by a run that did not come to its end.
  trap 'status=$?; rm -rf "${DATA:?}/$STAGE" "$DATA/backup/stage.new" "$RUN/gatehouse-backup.errors"; exit $status' EXIT
  if [ -e "$DATA/backup/restoring" ]; then
    die "A restore of this box has not come to its end: run it again (./gatehouse restore). Nothing was backed up."
  fi
  open_repository
  unlock
  say "dumping authentik's database, and reading the dump back"
  dump
  say "sending what changed to $SHOWN"
  snapshot_of_all
  say "snapshot ${SNAPSHOT:0:8} is there"
  weekly_check
  retention
  note good "$(now) $SNAPSHOT $SHOWN"
  rm -f "$DATA/backup/failed"
  heartbeat
  say "done"
}

# How a run ended, by systemd: told even when it was killed or took too long.
ended() {
  if [ "${SERVICE_RESULT:-success}" = success ] || [ "${EXIT_STATUS:-}" = "$EXIT_BUSY" ]; then return; fi
  local words
  words="The run was cut off ($SERVICE_RESULT); what it said: journalctl -u $UNIT"
  if [ -e "$RUN/gatehouse-backup.why" ]; then words=$(<"$RUN/gatehouse-backup.why"); fi
  install -d -m 0700 "$DATA/backup"
  note failed "$(now) $words"
  if [ ! -e "$ETC/mail" ]; then return; fi
  local good="There is no good backup yet."
  if [ -e "$DATA/backup/good" ]; then good="The last good backup is of $(cut -d' ' -f1 "$DATA/backup/good")."; fi
  { cat "$ETC/mail-head"; printf 'Date: %s\n\n%s\n\n%s\n\nOnce it is put right: ./gatehouse backup %s\n' "$(date -R)" "$words" "$good" "$CLIENT"; } |
    sed 's/$/\r/' | curl --silent --show-error --max-time 60 --config "$ETC/mail" --upload-file - 2>&1 || say "$words (Nobody was written to: the mail could not be sent.)"
}

prepare() {
  if opens; then return; fi
  is_missing "$OPENING" || die "$(explain "$OPENING")"
  if was_good_here && [ "${1:-}" != --new ]; then open_repository; fi
  local said
  said=$("${RESTIC[@]}" init 2>&1 </dev/null) || die "No repository can be made. $(explain "$said")"
  rm -f "$DATA/backup/good" "$DATA/backup/checked"
}

case "${1:-}" in
  run) run ;;
  now) follow "$UNIT" systemctl start "$UNIT" ;;
  ended) ended ;;
  prepare) prepare "${2:-}" ;;
  snapshots) open_repository; "${RESTIC[@]}" snapshots --json --host "$CLIENT" --tag gatehouse --no-lock ;;
  status)
    for name in good failed checked restoring; do
      if [ -e "$DATA/backup/$name" ]; then printf '%s %s\n' "$name" "$(head -n 1 "$DATA/backup/$name")"; fi
    done
    ;;
  papers)
    install -d -m 0700 "$DATA/backup"
    rm -rf "$DATA/backup/papers.new"
    mkdir "$DATA/backup/papers.new"
    tar -x -C "$DATA/backup/papers.new" --no-same-owner
    rm -rf "$DATA/backup/papers"
    mv "$DATA/backup/papers.new" "$DATA/backup/papers"
    ;;
  *) die "backup: run, now, ended, prepare, snapshots, status or papers" ;;
esac
