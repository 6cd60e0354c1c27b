# SPDX-License-Identifier: MIT OR Apache-2.0
mount | grep -E ' on /(proc|tmp) ' | sed 's/ (.*//'
mkdir m
mount -t tmpfs tmpfs m && mount | grep -c '/m type tmpfs'
echo inside > m/f; ls m
umount m; ls m; mount | grep -c '/m '
umount m 2>&1; mount -t nosuch none m 2>&1
mount -t proc none m && [ -d m/self ] && echo proc; umount m
mount -t tmpfs -o ro none m && touch m/x 2>&1; umount m
mount -t tmpfs -o size=100k none m; dd if=/dev/zero of=m/f bs=1k count=200 2>&1 | head -1; umount m
grep -w tmpfs /proc/filesystems
df m | tail -1 | awk '{print $1, $6}'
