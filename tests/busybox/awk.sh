# SPDX-License-Identifier: MIT OR Apache-2.0
printf 'anna 3 4\nbert 10 2\ncarl 7 7\n' > a
awk '{ print $2 * $3, $1 }' a
awk '{ sum += $2 } END { print sum, NR, sum / NR }' a
awk '$2 > 5 { print toupper($1) }' a
awk -F: '{ print $1 }' /etc/passwd
awk 'BEGIN { for (i = 0; i < 5; i++) printf "%d %s\n", i, substr("abcdef", i + 1, 2) }'
awk '{ words[$1] = length($1) } END { for (w in words) print w, words[w] | "sort"; close("sort") }' a
awk 'BEGIN { "echo from a command" | getline line; print line }'
awk 'BEGIN { while ((getline line < "a") > 0) n++; print n }'
awk '{ gsub(/[aeiou]/, "*"); print }' a
awk 'BEGIN { print index("hello", "l"), match("foobar", /o+/), RSTART, RLENGTH; print 17 % 5 }'
awk 'BEGIN { printf "%c%c %5d|%-5s|%x\n", 65, "B", 42, "ab", 255; exit 3 }'; echo $?
seq 1 20000 | awk '{ s += $1 } END { print s }'
