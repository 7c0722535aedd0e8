# What a backup consists of; read by `backup`, `verify-backup` and `restore`.
FORMAT="OpenMusic backup, format 1"
# The services with a database, the last one of the description first: what refers to others is saved before them.
DATABASES=$(awk '/^\[processes\./ { gsub(/^\[processes\.|\]$/, ""); name = $0 }
  /^needs = .*"postgres"/ { found = name }
  /^service = / { name = "" }
  found != "" { if (name != "") names = name " " names; found = "" }
  END { print names }' deploy/operations/src/openmusic_operations/system.toml)
FILES="$(printf '%s.dump ' $DATABASES)covers.tar later-covers.tar secrets.json"

# describe FOLDER FILE: its line in the manifest, with checksum and size in bytes
describe() { printf '%s %d %s\n' "$(sha256sum <"$1/$2" | cut -d ' ' -f 1)" "$(wc -c <"$1/$2")" "$2"; }

once() { docker compose run --rm --no-deps -T "$@"; }
