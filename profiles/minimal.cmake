# The profile `minimal`: everything in the kernel, nothing that a shell does not need. A module is a
# folder below services/; all of them are placed in the core.
# The first scheduling policy is the one that is chosen.
set(HELIX_MODULES
  sched/rr
  sched/fair
  sched/predictive
  drv/mem
  drv/pl011
  drv/uart16550
  drv/virtio_blk
  drv/virtio_console
  drv/virtio_rng
  fs/ramfs)
