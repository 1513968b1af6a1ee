#!/bin/bash
# Restores a snapshot into a second Postgres and a second authentik beside the living ones. Written by gatehouse.
#
#   rehearse start SNAPSHOT  runs the following as a unit, and shows what it says until it ends
#   rehearse run SNAPSHOT    brings the copy up
#   rehearse where           the address at which the box, and nobody else, reaches it
#   rehearse clean           takes all of it away
#
# The copy is on a network of its own that has no way out and publishes nothing; it has no worker and no mail server, so
# that it sends, synchronises and renews nothing. What a killed rehearsal left is taken away by a timer, and by the next.
# shellcheck source-path=SCRIPTDIR source=common.sh
. "${GATEHOUSE_ROOT-}/usr/local/lib/gatehouse/backup-common"
UNIT=gatehouse-rehearse
COPY=gatehouse-rehearsal
FOLDER=$DATA/backup/rehearsal
MEMORY_MB=1200
ANSWERS_SECONDS=600
LONGEST=45min

clean() {
  systemctl stop "$COPY-end.timer" 2>/dev/null || true
  docker ps --all --quiet --filter "name=^$COPY" | xargs --no-run-if-empty docker rm --force --volumes >/dev/null
  docker network rm "$COPY" >/dev/null 2>&1 || true
  rm -rf "$FOLDER" "$RUN/$COPY.env"
}

# environment_of NAME: that of a living container, but for what would reach out.
environment_of() {
  docker inspect --format '{{range .Config.Env}}{{println .}}{{end}}' "gatehouse-$1" | grep -vE '^(AUTHENTIK_EMAIL__|AUTHENTIK_BOOTSTRAP_|$)' >"$RUN/$COPY.env"
}

start_copy() { # start_copy NAME OPTIONS... -- COMMAND...
  local name=$1 options=()
  shift
  while [ "$1" != -- ]; do options+=("$1"); shift; done
  shift
  environment_of "$name"
  docker run --detach --name "$COPY-$name" --network "$COPY" --network-alias "gatehouse-$name" --env-file "$RUN/$COPY.env" \
    --security-opt no-new-privileges:true --memory "${MEMORY_MB}m" --log-opt max-size=10m --log-driver json-file \
    "${options[@]}" "$(docker inspect --format '{{.Image}}' "gatehouse-$name")" "$@" >/dev/null
  rm -f "$RUN/$COPY.env"
}

wait_for() { # wait_for WORDS COMMAND...: until it succeeds
  local words=$1 waited=0
  shift
  until "$@" >/dev/null 2>&1; do
    ((waited < ANSWERS_SECONDS)) || die "$words within $ANSWERS_SECONDS s in the copy: this backup cannot be relied on." \
      "What it said last: $(docker logs --tail 2 "$COPY-authentik-server" 2>&1 | tr '\n' ' ')"
    sleep 1
    waited=$((waited + 1))
  done
}

answers() { [ "$(docker inspect --format '{{.State.Health.Status}}' "$COPY-authentik-server")" = healthy ]; }

run() {
  exclusively
  clean
  # Whoever started this may be gone before it ends.
  systemd-run --quiet --collect --unit="$COPY-end" --on-active="$LONGEST" "$0" clean
  trap 'status=$?; [ "$status" = 0 ] || clean; exit "$status"' EXIT
  local free
  free=$(awk '/^(MemAvailable|SwapFree):/ {sum += $2} END {print int(sum / 1024)}' /proc/meminfo)
  ((free >= MEMORY_MB)) || die "The box has $free MB of memory left, and a second authentik takes $MEMORY_MB: nothing was" \
    "begun. Take a larger type (gatehouse:server.type) for the rehearsal."
  open_repository
  unlock
  fetch "$1" "$FOLDER"
  docker network create --internal "$COPY" >/dev/null
  say "starting a second Postgres, and loading the backup into it"
  install -d -m 0700 "$FOLDER/postgres"
  start_copy postgres --volume "$FOLDER/postgres:/var/lib/postgresql/data" -- postgres
  POSTGRES=$COPY-postgres
  wait_for "Postgres does not answer" in_postgres pg_isready --quiet --host 127.0.0.1 --dbname authentik --username authentik
  in_postgres pg_restore --username authentik --dbname authentik --exit-on-error --no-owner --single-transaction \
    <"$FOLDER/$STAGE/authentik.dump" 2>"$FOLDER/errors" ||
    die "The dump in snapshot ${1:0:8} cannot be loaded: $(tail -n 2 "$FOLDER/errors" | tr '\n' ' ')"
  if docker inspect gatehouse-redis >/dev/null 2>&1; then
    # shellcheck disable=SC2016
    start_copy redis -- sh -c 'printf "requirepass %s\n" "$REDISCLI_AUTH" | exec redis-server -'
  fi
  say "starting a second authentik, and waiting until it answers"
  local volumes=() source inside
  while read -r source inside; do
    if [ -n "$source" ] && [ -d "$FOLDER/authentik/${source#*/authentik/}" ]; then
      volumes+=(--volume "$FOLDER/authentik/${source#*/authentik/}:$inside")
    fi
  done < <(docker inspect --format '{{range .Mounts}}{{.Source}} {{.Destination}}{{println}}{{end}}' gatehouse-authentik-server)
  start_copy authentik-server --health-cmd 'ak healthcheck' --health-interval 5s --health-start-period 300s \
    "${volumes[@]}" -- server
  wait_for "authentik does not answer" answers
}

case "${1:-}" in
  start) follow "$UNIT.service" systemd-run --quiet --wait --collect --unit="$UNIT" --property=SyslogIdentifier="$UNIT" "$0" run "${2:?which snapshot}" ;;
  run) run "${2:?which snapshot}" ;;
  where) docker inspect --format '{{range .NetworkSettings.Networks}}{{.IPAddress}}{{end}}' "$COPY-authentik-server" ;;
  clean)
    # One that is still under way would go on making what is taken away.
    systemctl stop "$UNIT.service" 2>/dev/null || true
    clean
    ;;
  *) die "rehearse: start, run, where or clean" ;;
esac
