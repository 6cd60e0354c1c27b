# SPDX-License-Identifier: MIT OR Apache-2.0
mkdir -p sub
umask 022
echo hello > file; : > empty; chmod 4755 file; chmod 600 empty
ln -s file link; ln file hard; mkfifo fifo; mknod null c 1 3; chmod 1777 sub
touch -d '2020-05-06 07:08:09' file empty fifo null sub
touch -h -d '2020-05-06 07:08:09' link
ls -l
ls -a
ls -ld . | cut -c1-10
ls -ln file
ls -F
ls -R sub
ls absent 2>&1
ls -i file hard | awk '{print $1}' | uniq | wc -l
stat -c '%n %s %a %F %h %u:%g %Y' file link sub fifo null
