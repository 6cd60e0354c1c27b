# SPDX-License-Identifier: MIT OR Apache-2.0
seq 1 20000 > f; md5sum < f
gzip -k f && gzip -t f.gz && echo fine
gunzip -c f.gz | md5sum
gzip f 2>&1; echo $?
gzip -f f; ls
gunzip f.gz; ls; md5sum < f
bzip2 f && bzcat f.bz2 | md5sum && bunzip2 f.bz2
zcat /dev/null; echo $?
printf 'garbage' | gunzip 2>&1; echo $?
head -c 300000 /dev/zero | gzip | gunzip | md5sum
