# What all stand-in scripts share; sourced, never run.
#
# A stand-in behaves as its original does towards a dispatcher: it takes time, prints, writes its row and ends with the original's exit code.
# It stays cheap, because thousands of them run in a test: builtins only, and one call of the mariadb client.
#
# behaviour/default, behaviour/<type>, behaviour/<id>, behaviour/<type>.<id> (later ones win) hold words of the form key=value:
#   sleep=SECONDS       how long the work takes                    jitter=SECONDS       up to this much more, evenly spread
#   exit=CODE           end with this code, nothing written        down=1               the device is down: status 0, exit 6 (or 5)
#   fail_percent=N      exit 1 in N of 100 runs                    output_bytes=N       print so much, in lines
#   ignore_term=1       ignore SIGTERM                             grandchildren=N      leave N processes that have a child each
#   offset=SECONDS      write times that are so much too early, as a PHP in another time zone does
#   memory=MIB          hold so much of it, growing 8 MiB at a time         burn=SECONDS     of CPU time
#   exception=1         die of an exception in the middle, and end with 0 all the same
#   no_write=1          write nothing to the database              no_journal=1         write nothing to the journal
#   cache=DRIVER        of the settings: file, database, or array = none        cache_seconds=N      kept so long, whatever CONFIG_CACHE_TTL says

# Failing writes end the script with 255, as php-cli does, instead of by a signal.
trap '' PIPE

began=$EPOCHREALTIME
mariadb_client=(mariadb "--defaults-file=$base/.sample/client.cnf" --batch --skip-column-names)

declare -A how=([sleep]=1 [jitter]=0 [exit]='' [down]=0 [fail_percent]=0 [output_bytes]=0 [ignore_term]=0 [grandchildren]=0 [offset]=0
  [no_write]=0 [no_journal]=0 [memory]=0 [burn]=0 [truncate]=0 [warning]=0 [exception]=0
  [cache]=file [cache_seconds]='')

# Reads the behaviour files of this job; unknown keys are an error, since a misspelt one would make a test pass for nothing.
read_behaviour() {
  local file line word
  local files=(default "$type" "$id" "$type.$id")
  # The dump is no job: what holds for all scripts is not for it.
  if [[ $type == dump ]]; then files=(dump); fi
  for file in "${files[@]}"; do
    [[ -n $file && -r $base/behaviour/$file ]] || continue
    while read -r line || [[ -n $line ]]; do
      for word in $line; do
        if [[ -z ${how[${word%%=*}]+known} ]]; then
          printf 'behaviour/%s: unknown key in "%s"\n' "$file" "$word" >&2
          exit 99
        fi
        how[${word%%=*}]=${word#*=}
      done
    done <"$base/behaviour/$file"
  done
}

# One line, one write: lines of concurrent scripts never mix. The command line comes last, since it has spaces: as the scripts are started,
# without the path of the directory. Scripts that look through their arguments keep them in `given`.
journal() {
  ((how[no_journal])) || printf '%s %s %s %s %s %s%s\n' "$EPOCHREALTIME" "$1" "$type" "${id:--}" "$$" "${2:--}" "${3:+ $3}" \
    >>"$base/journal.log"
}

journal_start() {
  journal start - "${STARTED_BY:+$STARTED_BY }${0##*/}${given:+ $given}"
}

finish() {
  journal end "$1"
  exit "$1"
}

# Seconds since the start, with microseconds.
elapsed() {
  local now=$EPOCHREALTIME
  local micros=$((${now/[.,]/} - ${began/[.,]/}))
  printf -v "$1" '%d.%06d' $((micros / 1000000)) $((micros % 1000000))
}

# Waits without a process: nobody ever writes to this FIFO.
pause() {
  [[ $1 == 0 ]] || read -r -t "$1" -u "$never" _
}

leave_grandchildren() {
  local i
  for ((i = 0; i < how[grandchildren]; i++)); do
    (
      sleep 900 &
      sleep 900
    ) &
  done
}

hold_memory() {
  local block i
  ((how[memory])) || return 0
  printf -v block '%*s' $((8 << 20)) ''
  held=()
  for ((i = 0; i < how[memory]; i += 8)); do held+=("$block"); done
}

# Fields 14 and 15 of /proc/PID/stat are hundredths of a second; the name in field 2 has no spaces here.
burn_cpu() {
  local fields i
  while read -r -a fields <"/proc/$$/stat" && ((fields[13] + fields[14] < how[burn] * 100)); do
    for ((i = 0; i < 5000; i++)); do :; done
  done
}

print_output() {
  local line='INFO: a line of output that is as long as the lines of a verbose poll, more or less, ends here' block='' left=$((how[output_bytes]))
  ((left)) || return 0
  while ((${#block} < 65536)); do block+=$line$'\n'; done
  while ((left > 0)); do
    if ((left < ${#block})); then block=${block:0:left}; fi
    printf '%s' "$block" || finish 255
    left=$((left - ${#block}))
  done
}

# $1: the statement for an up device, $2: for a down one (empty: none), $3: the exit code of a down one, $4: what the original prints.
# __TIME__ stands for the seconds taken.
work() {
  local statement=$1 code=0 taken
  read_behaviour
  if ((how[ignore_term])); then trap '' TERM; fi
  journal_start
  exec {never}<>"$base/.sample/never"
  leave_grandchildren
  hold_memory
  burn_cpu
  print_output
  if [[ ${how[jitter]} != 0 ]]; then
    local limit extra
    printf -v limit '%.0f' "${how[jitter]}e3"
    extra=$((RANDOM % (limit + 1)))
    printf -v extra '%d.%03d' $((extra / 1000)) $((extra % 1000))
    pause "$extra"
  fi
  pause "${how[sleep]}"
  if ((how[down])); then
    statement=$2 code=$3
  elif [[ -n ${how[exit]} ]]; then
    code=${how[exit]}
    statement=''
    if ((code == 6)); then statement=$2; fi
  elif ((how[fail_percent] > RANDOM % 100)); then
    statement='' code=1
  fi
  if ((how[exception])); then
    printf '\n   In RunAlerts.php line 212:\n          \n  Cannot access offset of type string on string  \n          \n\n'
    finish 0
  fi
  if [[ -n $statement ]] && ((!how[no_write])); then
    elapsed taken
    if ((how[offset])); then statement=${statement//NOW()/NOW() - INTERVAL ${how[offset]} SECOND}; fi
    "${mariadb_client[@]}" -e "${statement//__TIME__/$taken}" >&2 || finish 1
  fi
  printf '%s\n' "$4" || finish 255
  finish "$code"
}

valid_id() {
  [[ $1 =~ ^[0-9]+$ ]] || {
    printf 'Not a device id: "%s"\n' "$1" >&2
    exit 2
  }
}
