#!/bin/sh
# The server and, beside it, a serf agent that tells the balancer of it. ROLE: the service's name.
perl /server.pl &
server=$!
address=$(hostname -i | cut -d' ' -f1)
serf agent -node="$HOSTNAME" -bind="$address" -tag role="$ROLE" -retry-join=balancer \
  -retry-interval=1s -config-file=/etc/serf.json &
agent=$!
trap 'kill $server $agent' TERM
# The first wait ends with the signal, the second with serf's good-bye to the others.
wait $agent
wait $agent
