# SPDX-License-Identifier: MIT OR Apache-2.0
printf abc > f; : > e
md5sum f e
sha1sum f
sha256sum f
sha512sum e
sha3sum f

md5sum f e > sums; md5sum -c sums
echo x >> f; md5sum -c sums 2>/dev/null; echo $?
cat /bin/busybox | md5sum | wc -c
cmp /bin/busybox /bin/ls && echo same
