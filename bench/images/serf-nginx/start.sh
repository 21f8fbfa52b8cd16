#!/bin/sh
# nginx, and the serf agent that the applications' agents join.
set -eu
mkdir -p /etc/nginx/upstreams
for n in 1 2 3 4 5; do mkdir -p "/run/members/app-$n"; done
SERF_EVENT=none /handler.sh < /dev/null
serf agent -node=balancer -bind="$(hostname -i | cut -d' ' -f1)" -tag role=balancer \
  -event-handler=/handler.sh &
exec nginx -g 'daemon off;'
