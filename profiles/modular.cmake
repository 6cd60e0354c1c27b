# The profile `modular`: drivers and policies that a boot does not need before it has files are packages.
set(HELIX_MODULES
  sched/rr
  drv/mem
  drv/pl011
  drv/uart16550
  fs/ramfs)
# Somebody may load a better driver: they are given up a little later.
set(HELIX_DEATHS_MOST 12)
set(HELIX_NORMAL
  sched/fair
  drv/virtio_blk
  drv/virtio_console)
set(HELIX_DEFERRED
  sched/predictive
  drv/virtio_rng)
