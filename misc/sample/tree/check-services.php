#!/usr/bin/env bash
# Stands in for LibreNMS's check-services.php.
base=${BASH_SOURCE[0]%/*} type=services id='' given=$*
while (($#)); do
  [[ $1 == -h ]] && id=${2:-}
  shift
done
source "$base/.sample/stand-in.bash"
valid_id "$id"
work "UPDATE services SET service_status = 0, service_message = 'OK' WHERE device_id = $id" '' 5 "Checked the services of device $id."
