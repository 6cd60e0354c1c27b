# The profile `secure`: every driver in ring 3, in a process of its own that reaches its device and nothing else. The root file system
# and the policy that the first programs run under are in the image. Packages are signed by a key that somebody made for it.
set(HELIX_OWN_KEY ON)
set(HELIX_MODULES
  sched/rr
  fs/ramfs)
set(HELIX_NORMAL
  sched/fair
  drv/mem
  drv/pl011
  drv/uart16550
  drv/virtio_blk
  drv/virtio_console)
set(HELIX_DEFERRED
  sched/predictive
  drv/virtio_rng)
set(HELIX_ISOLATED
  drv/mem
  drv/pl011
  drv/uart16550
  drv/virtio_blk
  drv/virtio_console
  drv/virtio_rng)
