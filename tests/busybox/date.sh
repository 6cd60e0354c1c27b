# SPDX-License-Identifier: MIT OR Apache-2.0
date -u -d @0
date -u -d @1000000000 '+%Y-%m-%d %H:%M:%S %j %a %s'
date -u -d '2024-02-29 12:00:00' +%s
TZ=CET-1 date -d @86400 '+%H:%M %Z'
[ $(date +%Y) -ge 2020 ] && echo recent
date -u -s '2030-01-02 03:04:05' > /dev/null && date -u '+%Y-%m-%d'
a=$(cut -d. -f1 /proc/uptime); sleep 1; b=$(cut -d. -f1 /proc/uptime); [ $b -gt $a ] && echo later
cal 2 2024
time true 2>&1 | sed 's/[0-9]/N/g;s/NN*/N/g'
