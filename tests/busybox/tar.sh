# SPDX-License-Identifier: MIT OR Apache-2.0
mkdir -p in/sub
umask 022
for i in 1 2 3 4 5; do seq $i 2000 > in/f$i; done
ln -s f1 in/link; ln in/f2 in/sub/hard; chmod 600 in/f3; touch -d '2021-01-01 00:00:00' in/f*
tar cf a.tar in && tar tf a.tar | sort
mkdir out && tar xf a.tar -C out && diff -r in out/in && echo same
ls -l out/in/f3 out/in/link | cut -c1-10
tar czf a.tgz in && tar tzf a.tgz | wc -l
mkdir out2 && tar xzf a.tgz -C out2 && diff -r in out2/in && echo same
tar cf - in | (mkdir out3; cd out3; tar xf -) && diff -r in out3/in && echo same
tar xf absent.tar 2>&1; echo $?
head -c 5000 a.tar > cut.tar; mkdir out4; tar xf cut.tar -C out4 >/dev/null 2>&1; echo $?
(cd in && find . | sort | cpio -o -H newc 2>/dev/null) > a.cpio; cpio -t < a.cpio 2>/dev/null | sort
