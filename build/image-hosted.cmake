# helix-hosted: all parts of the kernel as one process of this machine.
get_property(helix_process_parts GLOBAL PROPERTY helix_process_parts)
foreach(part ${helix_process_parts})
  list(APPEND helix_objects $<TARGET_OBJECTS:${part}>)
endforeach()
add_executable(helix-hosted ${helix_objects})
target_link_options(helix-hosted PRIVATE -no-pie -fuse-ld=lld -Wl,-z,now -pthread
  ${helix_sanitize_${HELIX_SANITIZE}})
