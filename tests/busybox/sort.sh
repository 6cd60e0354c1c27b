# SPDX-License-Identifier: MIT OR Apache-2.0
printf 'pear 3\napple 10\nfig 2\napple 1\n' > f
sort f
sort -r f
sort -k2n f
sort -u -k1,1 f
printf '10\n9\n2\n1\n' | sort
printf '10\n9\n2\n1\n' | sort -n
sort f | uniq -c | sed 's/^ *//'
cut -d' ' -f1 f | sort | uniq -d
seq 1 2000 | sort | tail -3
sort -c f 2>&1; echo $?
