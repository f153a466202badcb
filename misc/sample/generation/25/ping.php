#!/usr/bin/env bash
# Stands in for the ping.php of LibreNMS trees without "device:ping fast"; it does nothing without -f.
base=${BASH_SOURCE[0]%/*} type=ping id='' given=$*
[[ " $* " == *' -f '* ]] || exit 0
while (($#)); do
  [[ $1 == -g ]] && id=${2:-}
  shift
done
source "$base/.sample/stand-in.bash"
valid_id "$id"
work "UPDATE devices SET last_ping = NOW(), last_ping_timetaken = 0.5 WHERE poller_group = $id" '' 0 "Pinged group $id."
