#!/bin/sh
# `server FOLDER`, as MinIO's own image takes it; of its variables MINIO_ROOT_USER, MINIO_ROOT_PASSWORD and their _FILE.
# JuiceFS's gateway speaks for a folder with MinIO's own code, and checks signatures as MinIO does.
set -eu
if [ "${1:-}" = minio ]; then shift; fi
if [ "${1:-}" != server ] || [ -z "${2:-}" ]; then echo "usage: server FOLDER" >&2; exit 2; fi
folder=$2

[ -z "${MINIO_ROOT_USER_FILE:-}" ] || MINIO_ROOT_USER=$(cat "$MINIO_ROOT_USER_FILE")
[ -z "${MINIO_ROOT_PASSWORD_FILE:-}" ] || MINIO_ROOT_PASSWORD=$(cat "$MINIO_ROOT_PASSWORD_FILE")
export MINIO_ROOT_USER MINIO_ROOT_PASSWORD HOME=/tmp

metadata=sqlite3://$folder/meta.db
[ -e "$folder/meta.db" ] || juicefs format --storage file --bucket "$folder/blob/" --trash-days 0 "$metadata" objects
exec juicefs gateway --multi-buckets --keep-etag --object-meta --no-usage-report --no-banner --backup-meta 0 \
  --cache-dir /tmp/cache "$metadata" 0.0.0.0:9000
