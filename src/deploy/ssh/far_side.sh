# What the deploy type ssh of rollover runs on each machine: with /bin/sh, told on standard input
# what to do. It can also be the forced command of a key in authorized_keys (restrict,command=...).
#
# Told: a line "rollover-ssh/1 OPERATION"; lines owner, group, mode, number of files; per file its
# path and, to stage it, its size in octets and its content; then the words of the reload command.
# Key material goes through standard input and files alone, and is never a word of any command.
# There is no apostrophe in this file: it travels between two of them.

umask 077
PATH=$PATH:/usr/local/sbin:/usr/sbin:/sbin
paths=
newline="
"

# Where a file goes, what is staged for it, and what was there before.
place() {
  directory=${1%/*}/ name=${1##*/}
  new=$directory.rollover-$name.new before=$directory.rollover-$name.before
}

# Does $1 for each path, to the end; fails if any did.
each() {
  printf %s "$paths" | {
    outcome=0
    while IFS= read -r path; do
      place "$path"
      "$1" || outcome=1
    done
    exit $outcome
  }
}

say() { printf "%s\n" "$*" >&2; }

settle() { sync "$directory" 2>/dev/null || sync; }

# Refuses what is not to be replaced, as on the near side.
refuse_strange() {
  if [ -h "$path" ]; then
    say "cannot replace $path: it is a symbolic link, perhaps to a file of another program; let the" \
      "mail server and this configuration name a file of their own"
    return 1
  elif [ -d "$path" ]; then
    say "cannot replace $path: it is a directory"
    return 1
  fi
}

# Writes what comes next on standard input beside the file, whole, with its access, and on the disk.
# What is there now stays at hand; where there is nothing, an empty file says so.
stage_one() {
  refuse_strange || return 1
  rm -f "$new" "$before"
  dd bs=1 count="$size" >"$new" 2>/dev/null || { say "cannot write $new"; return 1; }
  [ "$(wc -c <"$new")" -eq "$size" ] || { say "cannot write $new: is the disk full?"; return 1; }
  { [ -z "$owner" ] || chown "$owner" "$new"; } &&
    { [ -z "$group" ] || chgrp "$group" "$new"; } &&
    chmod "$mode" "$new" || return 1
  sync "$new" 2>/dev/null || sync
  if [ -e "$path" ]; then
    ln "$path" "$before" || cp -p "$path" "$before"
  else
    : >"$before"
  fi
}

switch_one() {
  [ -e "$new" ] || { say "$new is gone"; return 1; }
  mv -f "$new" "$path" && settle
}

put_back_one() {
  rm -f "$new"
  if [ -s "$before" ]; then
    mv -f "$before" "$path" || return 1
  elif [ -e "$before" ]; then
    rm -f "$path"
  fi
  rm -f "$before"
  settle
}

discard_one() { rm -f "$new" "$before"; }

keep_one() { rm -f "$before"; }

read_one() {
  refuse_strange || return 1
  if [ -e "$path" ]; then
    wc -c <"$path" && cat "$path"
  else
    echo absent
  fi
}

IFS=" " read -r protocol operation
[ "$protocol" = rollover-ssh/1 ] || { say "this is not told in rollover-ssh/1"; exit 1; }
IFS= read -r owner && IFS= read -r group && IFS= read -r mode && IFS= read -r count || exit 1
while [ "$count" -gt 0 ]; do
  IFS= read -r path || exit 1
  paths=$paths$path$newline
  if [ "$operation" = stage ]; then
    IFS= read -r size || exit 1
    place "$path"
    stage_one || { each discard_one; exit 1; }
  fi
  count=$((count - 1))
done
set --
while IFS= read -r word; do
  set -- "$@" "$word"
done

# The reload command; nothing to run is fine.
reload() { [ $# -eq 0 ] || "$@" </dev/null; }

case $operation in
stage) ;;
discard) each discard_one ;;
keep) each keep_one ;;
read) each read_one ;;
switch)
  if each switch_one; then
    reload "$@"
    status=$?
    [ $status -eq 0 ] && exit 0
    say "$1 exited with status $status"
  fi
  each put_back_one
  reload "$@" >/dev/null 2>&1 || say "and it does so with the former files as well"
  exit 1
  ;;
back)
  each put_back_one && reload "$@"
  ;;
*)
  say "there is no operation $operation"
  exit 1
  ;;
esac
