# helix.elf: all parts of the kernel, linked for x86_64. It exists once the part with kernel_main does.
# The linker is called itself, so that no compiler driver adds anything.
find_program(HELIX_LD NAMES ld.lld-19 ld.lld REQUIRED)
get_property(helix_parts GLOBAL PROPERTY helix_parts)
if(NOT DEFINED helix_main)
  set(helix_main runtime_kernel) # the part that defines kernel_main
endif()
if(TARGET ${helix_main})
  set(helix_script ${CMAKE_CURRENT_LIST_DIR}/../boot/x86_64/kernel.ld)
  foreach(part ${helix_parts})
    list(APPEND helix_archives $<TARGET_FILE:${part}>)
  endforeach()
  add_custom_command(OUTPUT ${CMAKE_BINARY_DIR}/helix.elf
    COMMAND ${HELIX_LD} -m elf_x86_64 -n -static -T ${helix_script} -o ${CMAKE_BINARY_DIR}/helix.elf
      --gc-sections --build-id=none --orphan-handling=error --fatal-warnings -z noexecstack
      --whole-archive ${helix_archives} --no-whole-archive
    DEPENDS ${helix_parts} ${helix_script} COMMENT "Linking helix.elf" VERBATIM)
  add_custom_target(helix_image ALL DEPENDS ${CMAKE_BINARY_DIR}/helix.elf)
endif()
