# SPDX-License-Identifier: MIT OR Apache-2.0
echo one | cat | tr a-z A-Z | rev
cat <<END
here $((6 * 7)) $(echo nested)
END
cat <<'END'
literal $x
END
cat <<-END
	tabs
	END
for i in $(seq 1 300); do (exit $((i & 1))) || n=$((n + 1)); done; echo $n
true && echo and; false || echo or; ! false && echo not
(exit 7); echo $?
f() { local x=$1; echo "f $x"; return 5; }; f arg; echo $?
x=abc; echo ${x#a} ${x%c} ${#x} ${y:-default} ${x/b/B}
case abc in a*) echo match;; esac
set -- a b c; shift; echo $# $1 "$@"
while read line; do echo "<$line>"; done <<END
l1
l2
END
echo out > o; echo more >> o; cat < o; echo err 2>&1 >/dev/null
{ echo a; echo b >&2; } 2>&1 | sort
exec 5> five; echo five >&5; exec 5>&-; cat five
yes | head -2
seq 1 100000 | head -1
(echo x; sleep 0.2; echo y) | cat
sh -c 'kill -TERM $$'; echo $?
sh -c 'kill -SEGV $$' 2>/dev/null; echo $?
trap 'echo trapped' USR1; kill -USR1 $$; trap - USR1
trap 'echo bye' EXIT
ulimit -n; ulimit -s
[ -t 0 ] || echo no terminal
printf '%s %05d %x %c\n' str 42 255 z
test -e /bin/sh -a -x /bin/sh && echo exists
echo $((1 << 40)) $((0x10)) $((-7 / 2)) $((7 % 3))
cd /proc/self && pwd | sed 's/[0-9][0-9]*/N/'
nosuchcommand 2>&1; echo $?
