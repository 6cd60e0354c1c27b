# SPDX-License-Identifier: MIT OR Apache-2.0
dd if=/dev/zero of=z bs=1k count=64 2>&1 | head -2
ls -l z | awk '{print $5}'
seq 1 1000 > s; dd if=s bs=10 skip=3 count=2 2>/dev/null; echo
dd if=s of=z bs=1 seek=5 count=4 conv=notrunc 2>/dev/null; od -c z | head -2
dd if=/dev/urandom bs=1k count=16 2>/dev/null | wc -c
dd if=/dev/zero of=/dev/full bs=1k count=1 2>&1 | head -1
dd if=s of=t bs=7 2>/dev/null; cmp s t && echo same
dd if=/dev/zero bs=1M count=20 2>/dev/null | md5sum
truncate -s 1M sparse; ls -l sparse | awk '{print $5}'; du -k sparse | cut -f1
cat s | dd bs=3 count=1 2>/dev/null | od -An -tx1
