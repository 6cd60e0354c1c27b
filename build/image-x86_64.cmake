# helix.elf: all parts of the kernel, linked for x86_64. Exists once there is a kernel_main.
get_property(helix_parts GLOBAL PROPERTY helix_parts)
if(TARGET kernel IN_LIST helix_parts OR "runtime_kernel" IN_LIST helix_parts OR "kernel" IN_LIST helix_parts)
endif()
