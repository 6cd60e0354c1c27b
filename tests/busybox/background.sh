# SPDX-License-Identifier: MIT OR Apache-2.0
exec 2>/dev/null # who reaps a killed job decides whether this shell says "Terminated"
sleep 0.3 & a=$!
sleep 0.1 & b=$!
wait $b; echo b $?; wait $a; echo a $?
(exit 9) & wait $!; echo $?
{ for i in 5 4 3 2 1; do (sleep 0.$i; echo $i) & done; wait; } | sort; echo all
mkfifo f; (echo through >f) & cat f; wait
sleep 100 & kill $!; wait $!; echo $?
sleep 100 & kill -9 $!; wait $! 2>/dev/null; echo $?
(trap 'echo got it; exit 4' TERM; echo ready > r; while :; do sleep 0.05; done) & p=$!
while [ ! -s r ]; do sleep 0.05; done; kill $p; wait $p; echo $?
timeout 1 sleep 100; echo $?
timeout 5 true; echo $?
jobs | wc -l
nohup sh -c 'echo nohup works' 2>/dev/null
seq 1 50 | while read i; do (echo $i) & done | sort -n | md5sum
