# SPDX-License-Identifier: MIT OR Apache-2.0
mkdir -p x/y/z empty
for i in 1 2 3; do echo $i > x/f$i.txt; echo $i$i > x/y/g$i.c; done
ln -s x link; dd if=/dev/zero of=x/y/z/big bs=1k count=100 2>/dev/null
find . | sort
find . -type f -name '*.c' | sort
find . -type d -empty
find . -size +50k
find . -type l
find . -name '*.txt' -exec cat {} \; | sort
find . -name '*.c' -print0 | xargs -0 cat | sort
find x -mindepth 2 -maxdepth 2 | sort
find . -newer x/f1.txt -name nothing
find . -name '*.txt' -exec rm {} +; find . -name '*.txt' | wc -l
find absent 2>&1; echo $?
