// SPDX-License-Identifier: MIT OR Apache-2.0
// tests/differential/left_out.h: what no step draws, by its name, with its reason. 1 draws it.
#pragma once

// What Linux does is not the same twice, or is no more than how it is made.
#define WITH_ANONYMOUS_INODES 0 // Linux has one for all eventfds and the like: changes stay

// What differs, and stands in docs/STATUS.md, "Next" 19.
#define WITH_ACCESS_3    0 // open() with O_ACCMODE: neither to read nor to write
#define WITH_NORMAL_BITS 0 // POLLRDNORM of eventfd, timerfd and signalfd, who have POLLIN alone
#define WITH_PEEK_OFF    0 // SO_PEEK_OFF
#define WITH_ORDER_OF_NAMES                                                                        \
    0 // of what is wrong with the two names of rename: Linux looks up the first one before the
      // second folder
#define WITH_BIND_TWICE  0 // of a bound socket: Linux looks at the path first
#define WITH_OUT_OF_BAND 0 // MSG_OOB of streams of AF_UNIX
#define WITH_QUEUE_SETID 0 // set-user and set-group bits of message queues
#define WITH_VMSPLICE                                                                              \
    0 // leaves the rest of a packet; what it gave is no page that a write goes on with
#define WITH_SEEK_NAMELESS      0 // lseek and pread of eventfd and the like
#define WITH_NO_BYTES           0 // preadv2 with flags that are refused, of no bytes
#define WITH_EMPTY_READS        0 // of no bytes, from an inotify
#define WITH_EMPTY_READLINK     0 // of a descriptor of what has no name
#define WITH_SENDFILE_TO_ITSELF 0 // by one position: Linux reads on from where it began
#define WITH_SPLICED_DATAGRAMS  0 // from sockets of datagrams and packets
#define WITH_AMBIENT            0 // PR_CAP_AMBIENT
#define WITH_SECUREBITS         0 // PR_SET_SECUREBITS
#define WITH_IDS_OF_THREADS     0 // users, groups and capabilities of one thread alone
#define WITH_REMOVE             0 // MADV_REMOVE where nothing is mapped
#define WITH_UNSHARED_RANGE     0 // CLOSE_RANGE_UNSHARE of a table that is shared
#define WITH_KEEPCAPS           0 // PR_SET_KEEPCAPS
#define WITH_SEALS              0 // of memfd_create
#define WITH_WHITEOUT           0 // of renameat2
#define WITH_ZERO_RANGE         0 // of fallocate; Linux's tmpfs has none
#define WITH_USER_XATTR         0 // Linux 6.1's tmpfs has none
#define WITH_SOCKET_XATTR       0 // system.sockprotoname
#define WITH_PIPE_OWNERS        0 // fchmod, fchown, utimensat and times of what has no name
#define WITH_OTHERS_LOCKED      0 // flock and record locks of what is no file
