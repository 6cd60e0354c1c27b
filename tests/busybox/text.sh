# SPDX-License-Identifier: MIT OR Apache-2.0
seq 1 10 > n; head -3 n; tail -2 n; tail -n +9 n; wc n
tr -d 24 < n | tr '\n' ' '; echo
cut -c1 n | sort | uniq -c | sort -rn | head -1 | sed 's/^ *//'
paste -d, n n | head -2; nl n | head -1; rev n | tail -1; tac n | head -1
printf 'a\tb\n' | expand; fold -w 3 n | wc -l; od -An -tx1 n | head -1; hexdump -C n | head -1
seq 1 5 > m; diff n m; cmp n m
echo hello | tee copy; cat copy; 
strings /bin/busybox | head -0; expr 6 \* 7; expr length hello; factor 1001; basename /a/b.c .c; dirname /a/b
env -i A=1 sh -c 'echo $A$HOME'; uname -m; hostname x; hostname; id; whoami; echo aGk= | base64 -d; echo
which ls; realpath /bin/ls; readlink /bin/ls; dc -e '2 3 + p'; echo '2^64' | bc; test -L /bin/ls && echo link; cat -n m | tail -1; sync; echo done
