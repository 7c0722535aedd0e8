#!/bin/sh
# Takes of the official image's variables: POSTGRES_USER, POSTGRES_PASSWORD or its _FILE, POSTGRES_DB, POSTGRES_INITDB_ARGS.
set -eu
case "${1:-}" in
  postgres) ;;
  -*) set -- postgres "$@" ;;
  *) exec "$@" ;;
esac

if [ ! -e "$PGDATA/PG_VERSION" ]; then
  user=${POSTGRES_USER:-postgres}
  database=${POSTGRES_DB:-$user}
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
fi
unset POSTGRES_PASSWORD
exec "$@" -c listen_addresses='*' -c unix_socket_directories=/var/run/postgresql
