#!/usr/bin/env bash
# Stands in for LibreNMS's billing-calculate.php, which does nothing without -f.
base=${BASH_SOURCE[0]%/*} type=billing id=calculate given=$*
[[ " $* " == *' -f '* ]] || exit 0
source "$base/.sample/stand-in.bash"
work '' '' 1 'Bills calculated.'
