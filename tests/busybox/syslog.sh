# SPDX-License-Identifier: MIT OR Apache-2.0
# Messages for the system's log go over a socket of datagrams, /dev/log.
exec 2>/dev/null # who reaps a killed job decides whether this shell says "Terminated"
syslogd -n -S -O log & daemon=$!
until grep -q " /dev/log$" /proc/net/unix; do usleep 10000; done
logger -p user.info -t tester "over a socket"
logger -p user.err -t tester "and again"
until grep -q "and again" log; do usleep 10000; done
sed -n 's/.*tester: //p' log
kill $daemon; wait $daemon
grep -q " /dev/log$" /proc/net/unix || echo gone
