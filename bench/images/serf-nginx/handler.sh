#!/bin/sh
# Event handler of serf: one file per member, from these nginx's upstreams, then a reload.
# On stdin one line per member: NAME ADDRESS ROLE TAGS.
set -eu
while read -r name address role _; do
  [ -d "/run/members/$role" ] || continue
  case $SERF_EVENT in
    member-join | member-update) echo "server $address:8080;" > "/run/members/$role/$name" ;;
    member-leave | member-failed | member-reap) rm -f "/run/members/$role/$name" ;;
  esac
done
for role in /run/members/*; do
  upstream=/etc/nginx/upstreams/${role##*/}
  cat "$role"/* > "$upstream.new" 2>/dev/null || echo 'server 127.0.0.1:9 down;' > "$upstream.new"
  mv "$upstream.new" "$upstream"
done
[ ! -s /run/nginx.pid ] || nginx -s reload
