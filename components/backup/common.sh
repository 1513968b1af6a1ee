# What the backup and the restore of a box share; sourced by both. Written by gatehouse.
set -euo pipefail
export LC_ALL=C
ROOT=${GATEHOUSE_ROOT-} # somewhere else than / in tests, with tools of their own
PATH=${ROOT:+$ROOT/bin:}/usr/sbin:/usr/bin:/sbin:/bin
export PATH
umask 077
DATA=$ROOT/srv/gatehouse ETC=$ROOT/etc/gatehouse/backup RUN=$ROOT/run
STAGE=backup/stage      # below DATA, as all that is backed up: dumps, and what they were made of
POSTGRES=gatehouse-postgres
EXIT_FAILED=1 EXIT_BUSY=75 # what `die` ends with; that somebody else is at it

# Who reads along may have gone; that is no reason to end. `die` says what is wrong and what to do, in one line.
say() { printf '%s\n' "$*" || true; }
die() {
  printf '%s\n' "$*" >&2
  if [ -n "${WHY:-}" ]; then printf '%s\n' "$*" >"$WHY"; fi
  exit "$EXIT_FAILED"
}

set -a
# shellcheck disable=SC1091
. "$ETC/environment"
set +a
export RESTIC_CACHE_DIR=$ROOT/var/cache/gatehouse-backup
SHOWN=$(<"$ETC/repository") # without what opens it

# The ways into the repository of an SFTP server: our own key, and the host key of the stack file.
RESTIC=(restic --quiet)
if [ -e "$ETC/sftp" ]; then RESTIC+=(-o "sftp.command=$(<"$ETC/sftp")"); fi

# One at a time on this box: a backup, a restore, a rehearsal. UNIT is the one; what ends it is in WHY, for whoever asks.
exclusively() {
  WHY=$RUN/${UNIT%.service}.why
  rm -f "$WHY"
  install -d -m 0700 "$DATA/backup"
  exec 8>"$RUN/gatehouse-backup.lock"
  EXIT_FAILED=$EXIT_BUSY
  flock -n 8 || die "Another backup or restore is under way on this box: wait for it, then run this again."
  EXIT_FAILED=1
}

# explain WORDS: what restic said, in the operator's words, with what to do.
explain() {
  local said
  said=$(sed -e 's/^Fatal: //' -e '/^$/d' -e '/^Is there a repository/,$d' <<<"$1" | tail -n 3 | tr '\n' ' ')
  said=${said% }
  case "$said" in
    *"wrong password"*)
      echo "The repository $SHOWN does not open with this client's password, which follows from the root secret:" \
        "it was made by another client, or with another root secret. Give this client a repository of its own." ;;
    *"no space left"*|*"No space left"*)
      echo "The disk is full ($said). Make room, or a larger volume (gatehouse:server.volumeSize), and run this again." ;;
    *"Host key verification failed"*|*"host key is known"*)
      echo "Another machine answers at $SHOWN than gatehouse:backup.hostKey names: nothing was sent to it. Ask its keeper" \
        "whether its host key has changed, and write the one that they name." ;;
    *AccessDenied*|*InvalidAccessKeyId*|*SignatureDoesNotMatch*|*"(401)"*|*"(403)"*|*"401:"*|*"403:"*|*"Permission denied"*|*"permission denied"*)
      echo "The repository $SHOWN does not let this box in ($said). Check keyId and key in gatehouse:backup (for SFTP, that" \
        "the key that \`gatehouse outputs\` prints may log in there), then run this again." ;;
    *"connection refused"*|*"no such host"*|*"timeout"*|*"timed out"*|*"unreachable"*|*"Could not resolve"*|*"closed"*|*"EOF"*|"")
      echo "The repository $SHOWN cannot be reached (${said:-no answer}). Check that it is up and that its address in" \
        "gatehouse:backup is right, then run this again." ;;
    *) echo "restic says of $SHOWN: $said" ;;
  esac
}

is_missing() { grep -qiE 'no such file|not exist|\(404\)|404:|not found|NoSuch' <<<"$1"; }

# opens: whether the repository is there and opens; else OPENING has what restic said.
opens() {
  local status=0
  OPENING=$(timeout 120 "${RESTIC[@]}" cat config 2>&1 >/dev/null </dev/null) || status=$?
  return "$status"
}

open_repository() {
  opens && return
  if is_missing "$OPENING"; then
    die "There is no repository at $SHOWN any more: whoever tends that place has to say why. To begin a new one there," \
      "without what was in it: ./gatehouse backup NAME --new-repository"
  fi
  die "$(explain "$OPENING")"
}

# Whether the last good backup went to this repository: then there is one.
was_good_here() { [ "$(cut -d' ' -f3- "$DATA/backup/good" 2>/dev/null)" = "$SHOWN" ]; }

# A lock that its process did not take away, being killed, is let go; those of living ones are not touched.
unlock() { "${RESTIC[@]}" unlock >/dev/null 2>&1 </dev/null || true; }

in_postgres() { docker exec -i "$POSTGRES" "$@"; }
sql() { in_postgres psql --quiet --no-psqlrc --tuples-only --no-align --set ON_ERROR_STOP=1 --username authentik --dbname "${DATABASE:-postgres}"; }

# The name of what a container runs; Docker itself was given the image's id.
image_of() { docker image inspect --format '{{join .RepoTags " "}}' "$(docker inspect --format '{{.Image}}' "$1")"; }

# fetch SNAPSHOT FOLDER: brings a snapshot onto the box, and reads its dump back; nothing else is touched.
fetch() {
  local said folder=$2
  say "fetching snapshot ${1:0:8} from $SHOWN"
  rm -rf "$folder"
  install -d -m 0700 "$folder"
  said=$("${RESTIC[@]}" restore "$1" --target "$folder" 2>&1 </dev/null) || {
    rm -rf "$folder"
    case "$said" in
      *"no space left"*) die "Nothing was touched. $(explain "$said")" ;;
      *) die "Nothing was touched: snapshot ${1:0:8} cannot be read as a whole ($(grep -v '^$' <<<"$said" | tail -n 1))." \
           "Take another one: ./gatehouse snapshots $CLIENT" ;;
    esac
  }
  cd "$folder/$STAGE" 2>/dev/null || die "Nothing was touched: snapshot ${1:0:8} is none of gatehouse's."
  { sha256sum --check --quiet SHA256SUMS && in_postgres pg_restore --file /dev/null <authentik.dump; } >/dev/null 2>&1 || {
    cd /
    rm -rf "$folder"
    die "Nothing was touched: the dump in snapshot ${1:0:8} is damaged. Take another one: ./gatehouse snapshots $CLIENT"
  }
}

note() { # note FILE WORDS: one line that outlives a reboot, at once or not at all
  printf '%s\n' "$2" >"$DATA/backup/$1.new" && mv -f "$DATA/backup/$1.new" "$DATA/backup/$1"
}
now() { date -u +%FT%TZ; }

follow() { # follow UNIT COMMAND...: runs what starts that unit, and shows what it says itself until it ends
  local unit=${1%.service} why began=$EPOCHREALTIME shown=0 command status=0
  why=$RUN/$unit.why
  shift
  rm -f "$why"
  "$@" &
  command=$!
  while kill -0 "$command" 2>/dev/null; do
    show_more
    sleep 0.5
  done
  wait "$command" || status=$?
  journalctl --sync || true
  show_more
  # Last, however late the journal was; whoever reads this shows it once.
  if [ "$status" != 0 ] && [ -e "$why" ]; then cat "$why"; fi
  return "$status"
}
# What `follow` has not shown yet. Asked from the beginning each time: with a cursor or `-f`, journalctl 252 leaves out
# the first line that matches.
show_more() {
  local lines line
  mapfile -t lines < <(journalctl -q -o cat --since "@$began" --identifier="$unit")
  for line in "${lines[@]:shown}"; do say "$line"; done
  shown=${#lines[@]}
}
