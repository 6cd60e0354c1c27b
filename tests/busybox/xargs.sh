# SPDX-License-Identifier: MIT OR Apache-2.0
seq 1 10 | xargs echo
seq 1 10 | xargs -n 3 echo
printf 'a b\nc\n' | xargs -I{} echo '<{}>'
printf 'a b\0c\0' | xargs -0 -n1 echo
seq 1 200 | xargs -n 1 -P 4 echo | sort -n | md5sum
echo | xargs -r false; echo $?
seq 1 3 | xargs sh -c 'exit 3' ; echo $?
seq 1 5000 | xargs echo | wc -c
