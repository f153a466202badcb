#!/usr/bin/env bash
# Stands in for LibreNMS's alerts.php, which does nothing without -f.
base=${BASH_SOURCE[0]%/*} type=alerting id=alerts given=$*
[[ " $* " == *' -f '* ]] || exit 0
source "$base/.sample/stand-in.bash"
printf 'Start: %(%a, %d %b %Y %T %z)T\r\n' -1
work '' '' 1 $'RunAcks():\r\nAlerts done.\r\nEnd  : now\r'
