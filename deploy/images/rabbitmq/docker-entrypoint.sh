#!/bin/sh
# As root, hands the data to rabbitmq and becomes it; as any other user, stays that.
set -eu
case "${1:-}" in
  rabbitmq*)
    if [ "$(id -u)" = 0 ]; then
      [ "$1" != rabbitmq-server ] || chown -R rabbitmq /var/lib/rabbitmq
      exec setpriv --reuid rabbitmq --regid rabbitmq --clear-groups "$0" "$@"
    fi
    ;;
esac
exec "$@"
