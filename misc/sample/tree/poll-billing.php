#!/usr/bin/env bash
# Stands in for LibreNMS's poll-billing.php, which does nothing without -f.
base=${BASH_SOURCE[0]%/*} type=billing id=poll given=$*
[[ " $* " == *' -f '* ]] || exit 0
source "$base/.sample/stand-in.bash"
work '' '' 1 'Bills polled.'
