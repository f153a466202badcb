#!/usr/bin/env bash
# Stands in for the discovery.php of LibreNMS trees without device:discover; a down device is exit code 5 here.
base=${BASH_SOURCE[0]%/*} type=discovery id='' given=$*
while (($#)); do
  [[ $1 == -h ]] && id=${2:-}
  shift
done
source "$base/.sample/stand-in.bash"
valid_id "$id"
work "UPDATE devices SET last_discovered = NOW(), last_discovered_timetaken = __TIME__, sysName = hostname,
      status = 1, status_reason = '' WHERE device_id = $id" \
  "UPDATE devices SET status = 0, status_reason = 'icmp' WHERE device_id = $id" \
  5 "Discovered device $id."
