# What a backup consists of; read by `backup`, `verify-backup` and `restore`.
FORMAT="OpenMusic backup, format 1"
DATABASES="export playlist catalog auth" # what refers to others goes first, so that all it refers to is saved after it
FILES="$(printf '%s.dump ' $DATABASES)covers.tar later-covers.tar secrets.json"

# describe FOLDER FILE: its line in the manifest, with checksum and size in bytes
describe() { printf '%s %d %s\n' "$(sha256sum <"$1/$2" | cut -d ' ' -f 1)" "$(wc -c <"$1/$2")" "$2"; }

once() { docker compose run --rm --no-deps -T "$@"; }
