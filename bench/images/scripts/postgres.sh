#!/bin/bash
# Behaves as the official image's entry point: makes a database on an empty volume, then runs the server as postgres.
set -Eeuo pipefail

# file_env VAR [DEFAULT]: the value of VAR, or what the file that VAR_FILE names holds.
file_env() {
  local var=$1 file="$1_FILE"
  if [ -n "${!var:-}" ] && [ -n "${!file:-}" ]; then
    echo "error: both $var and $file are set (but are exclusive)" >&2
    exit 1
  fi
  local value=${2:-}
  if [ -n "${!var:-}" ]; then value=${!var}; elif [ -n "${!file:-}" ]; then value=$(<"${!file}"); fi
  export "$var"="$value"
  unset "$file"
}

case "${1:-}" in -*) set -- postgres "$@" ;; esac

if [ "${1:-}" = postgres ]; then
  if [ "$(id -u)" = 0 ]; then
    mkdir -p "$PGDATA" /run/postgresql
    chmod 0700 "$PGDATA"
    chmod 3777 /run/postgresql
    find "$PGDATA" /run/postgresql \! -user postgres -exec chown postgres {} +
    exec setpriv --reuid=postgres --regid=postgres --init-groups "$0" "$@"
  fi
  if [ ! -s "$PGDATA/PG_VERSION" ]; then
    file_env POSTGRES_PASSWORD
    file_env POSTGRES_USER postgres
    file_env POSTGRES_DB "$POSTGRES_USER"
    if [ -z "$POSTGRES_PASSWORD" ] && [ "${POSTGRES_HOST_AUTH_METHOD:-}" != trust ]; then
      cat >&2 <<'END'
Error: Database is uninitialized and superuser password is not specified.
       You must specify POSTGRES_PASSWORD to a non-empty value for the
       superuser. For example, "-e POSTGRES_PASSWORD=password" on "docker run".
END
      exit 1
    fi
    initdb --username="$POSTGRES_USER" --pwfile=<(printf '%s\n' "$POSTGRES_PASSWORD") ${POSTGRES_INITDB_ARGS:-}
    printf '\nhost all all all %s\n' "${POSTGRES_HOST_AUTH_METHOD:-scram-sha-256}" >>"$PGDATA/pg_hba.conf"
    # While it is being made it listens on its socket only, so that nobody sees half a database.
    PGPASSWORD=$POSTGRES_PASSWORD pg_ctl -D "$PGDATA" -o "-c listen_addresses=''" -w start
    export PGPASSWORD=$POSTGRES_PASSWORD
    query=(psql -v ON_ERROR_STOP=1 --username "$POSTGRES_USER" --no-password --no-psqlrc)
    if [ "$POSTGRES_DB" != postgres ]; then
      "${query[@]}" --dbname postgres --set db="$POSTGRES_DB" <<<'CREATE DATABASE :"db" ;'
    fi
    for file in /docker-entrypoint-initdb.d/*.sql; do
      if [ -f "$file" ]; then "${query[@]}" --dbname "$POSTGRES_DB" -f "$file"; fi
    done
    pg_ctl -D "$PGDATA" -m fast -w stop
    unset PGPASSWORD
    echo 'PostgreSQL init process complete; ready for start up.'
  else
    echo 'PostgreSQL Database directory appears to contain a database; Skipping initialization'
  fi
  set -- "$@" -c "listen_addresses=*"
fi
exec "$@"
