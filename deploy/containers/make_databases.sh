#!/bin/sh
# A database and a role of the same name for each service; nobody else may connect to it, and it to no other. May run any
# number of times.
set -eu
PGPASSWORD=$(cat /secrets/databases/postgres)
export PGPASSWORD

for file in /secrets/databases/*; do
  service=${file##*/}
  [ "$service" != postgres ] || continue
  psql --quiet --no-psqlrc --set ON_ERROR_STOP=1 --set name="openmusic_$service" \
    --set password="$(cat "$file")" <<'SQL'
SELECT format('CREATE ROLE %I LOGIN', :'name') WHERE NOT EXISTS (SELECT FROM pg_roles WHERE rolname = :'name') \gexec
ALTER ROLE :"name" PASSWORD :'password';
SELECT format('CREATE DATABASE %I OWNER %I', :'name', :'name')
  WHERE NOT EXISTS (SELECT FROM pg_database WHERE datname = :'name') \gexec
REVOKE CONNECT ON DATABASE :"name", postgres, template1 FROM PUBLIC;
SQL
done
