# SPDX-License-Identifier: MIT OR Apache-2.0
top -b -n1 > top
head -1 top | sed 's/[0-9][0-9]*/N/g'
sed -n 2p top | sed 's/[0-9][0-9]*/N/g;s/  */ /g;s/CPU: */CPU: /'
sed -n 4p top | sed 's/  */ /g'
grep -c 'top -b -n1' top
free | sed 's/[0-9][0-9]*/N/g;s/  */ /g'
free | awk '/Mem/ { exit !($2 > $3 && $2 > 10000) }' && echo plausible
uptime | sed 's/[0-9][0-9]*/N/g;s/  */ /g;s/up.*load/up load/'
nproc | sed 's/[1-9]/N/'
df /tmp | tail -1 | awk '{print $1, $6}'
