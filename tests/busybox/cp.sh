# SPDX-License-Identifier: MIT OR Apache-2.0
mkdir -p a/b/c
umask 022
echo one > a/one; echo two > a/b/two; ln -s ../one a/b/link; mkfifo a/fifo
chmod 640 a/one; chmod 700 a/b; touch -d '2019-01-02 03:04:05' a/one a/b/two a/b
cp -a a copy
ls -lR copy | sed 's/^total.*/total/;s/... .. ..:.. \(c\|fifo\|link.*\)$/DATE \1/'
diff -r a/b copy/b && echo same
cp a/one plain; cat plain
cp a/one a/b/two copy/b/c; ls copy/b/c
cp absent x 2>&1
cp -r a/b/link followed; ls -l followed | cut -c1
mv copy moved; ls moved
mv moved/one moved/b/c/uno; cat moved/b/c/uno
rm -r moved && ls
rm absent 2>&1; rm -f absent; echo $?
rmdir a 2>&1; echo $?
