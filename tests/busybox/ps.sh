# SPDX-License-Identifier: MIT OR Apache-2.0
exec 2>/dev/null # who reaps the killed job decides whether this shell says "Terminated"
sleep 1000 & pid=$!
until [ "$(cut -d' ' -f2,3 /proc/$pid/stat)" = "(sleep) S" ]; do :; done # it has to get there first
ps -o pid,ppid,stat,args | awk -v p=$pid '$1 == p { print $2 == PPID_OF, $3, $4, $5 }' PPID_OF=$$
ps -o pid,comm | grep -c ' ps$'
ps | head -1
ps -o pid,user,comm | awk '$1 == 1 { print $2, $3 }'
kill -STOP $pid; sleep 0.1; ps -o pid,stat | awk -v p=$pid '$1 == p { print $2 }'
kill -CONT $pid; kill $pid; wait $pid; echo $?
pidof sleep || echo none
cat /proc/$$/comm
tr '\0' ' ' < /proc/$$/cmdline; echo
sleep 500 & until pidof sleep >/dev/null; do :; done; killall sleep; wait $!; echo $?
