#!/bin/sh
# As root, hands /data to redis and becomes it; as any other user, stays that. Options alone are those of redis-server.
set -eu
case "${1:-}" in -* | *.conf) set -- redis-server "$@" ;; esac
if [ "$1" = redis-server ] && [ "$(id -u)" = 0 ]; then
  chown redis /data
  exec setpriv --reuid redis --regid redis --clear-groups "$0" "$@"
fi
umask 077
exec "$@"
