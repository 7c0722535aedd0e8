#!/bin/sh
# Takes of the official image's variables: POSTGRES_USER, POSTGRES_PASSWORD or its _FILE, POSTGRES_DB, POSTGRES_INITDB_ARGS.
# A new database runs what lies in /docker-entrypoint-initdb.d. As root, hands the data to postgres and becomes it.
set -eu
case "${1:-}" in
  postgres) ;;
  -*) set -- postgres "$@" ;;
  *) exec "$@" ;;
esac

if [ "$(id -u)" = 0 ]; then
  mkdir -p "$PGDATA"
  chown -R postgres "$PGDATA" /var/run/postgresql
  chmod 700 "$PGDATA"
  exec setpriv --reuid postgres --regid postgres --clear-groups "$0" "$@"
fi

if [ ! -e "$PGDATA/PG_VERSION" ]; then
  user=${POSTGRES_USER:-postgres}
  database=${POSTGRES_DB:-$user}
  [ -z "${POSTGRES_PASSWORD_FILE:-}" ] || [ -z "${POSTGRES_PASSWORD:-}" ] ||
    { echo "POSTGRES_PASSWORD and POSTGRES_PASSWORD_FILE exclude each other" >&2; exit 1; }
  [ -z "${POSTGRES_PASSWORD_FILE:-}" ] || POSTGRES_PASSWORD=$(cat "$POSTGRES_PASSWORD_FILE")
  : "${POSTGRES_PASSWORD:?must be set, or POSTGRES_PASSWORD_FILE}"
  password_file=$(mktemp)
  printf '%s\n' "$POSTGRES_PASSWORD" > "$password_file"
  # shellcheck disable=SC2086
  initdb --username="$user" --pwfile="$password_file" ${POSTGRES_INITDB_ARGS:-}
  rm "$password_file"
  printf '\nhost all all all scram-sha-256\n' >> "$PGDATA/pg_hba.conf"
  if [ "$database" != postgres ]; then
    printf 'CREATE DATABASE "%s";\n' "$database" | postgres --single -j postgres >/dev/null
  fi
  export PGPASSWORD="$POSTGRES_PASSWORD" PGUSER="$user" PGDATABASE="$database" PGHOST=/var/run/postgresql
  pg_ctl --wait -o "-c listen_addresses='' -c unix_socket_directories=$PGHOST" start
  for script in /docker-entrypoint-initdb.d/*.sql; do
    [ ! -e "$script" ] || psql --no-psqlrc --set ON_ERROR_STOP=1 --file "$script"
  done
  pg_ctl --wait --mode fast stop
  unset PGPASSWORD PGUSER PGDATABASE PGHOST
fi
unset POSTGRES_PASSWORD
exec "$@" -c listen_addresses='*' -c unix_socket_directories=/var/run/postgresql
