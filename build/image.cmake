# helix.elf: all parts of the kernel, linked for HELIX_ARCH as HELIX_LD_MACHINE. It exists once the part with
# kernel_main does.
# The linker is called itself, so that no compiler driver adds anything.
find_program(HELIX_LD NAMES ld.lld-19 ld.lld REQUIRED)
find_program(HELIX_NM NAMES llvm-nm-19 llvm-nm nm REQUIRED)
get_property(helix_parts GLOBAL PROPERTY helix_parts)
if(NOT DEFINED helix_main)
  set(helix_main runtime_kernel) # the part that defines kernel_main
endif()
if(TARGET ${helix_main})
  set(helix_script ${CMAKE_CURRENT_LIST_DIR}/../boot/${HELIX_ARCH}/kernel.ld)
  foreach(part ${helix_parts})
    list(APPEND helix_archives $<TARGET_FILE:${part}>)
  endforeach()
  set(helix_link ${HELIX_LD} -m ${HELIX_LD_MACHINE} -n -static -T ${helix_script} --gc-sections --build-id=none
    --orphan-handling=error --fatal-warnings --discard-locals -z noexecstack --whole-archive ${helix_archives} --no-whole-archive)
  # Linked twice: the second time with the names of the functions, for backtraces (core/symbols.h).
  set(helix_symbols ${CMAKE_BINARY_DIR}/symbols)
  set(helix_assemble ${CMAKE_ASM_COMPILER} -c)
  if(CMAKE_ASM_COMPILER_TARGET)
    list(APPEND helix_assemble --target=${CMAKE_ASM_COMPILER_TARGET})
  endif()
  add_custom_command(OUTPUT ${CMAKE_BINARY_DIR}/helix.elf
    COMMAND ${helix_link} -o ${helix_symbols}.elf
    COMMAND ${CMAKE_COMMAND} -DNM=${HELIX_NM} -DIMAGE=${helix_symbols}.elf -DOUTPUT=${helix_symbols}.s
      -P ${CMAKE_CURRENT_LIST_DIR}/symbols.cmake
    COMMAND ${helix_assemble} ${helix_symbols}.s -o ${helix_symbols}.o
    COMMAND ${helix_link} ${helix_symbols}.o -o ${CMAKE_BINARY_DIR}/helix.elf
    DEPENDS ${helix_parts} ${helix_script} ${CMAKE_CURRENT_LIST_DIR}/symbols.cmake
    COMMENT "Linking helix.elf" VERBATIM COMMAND_EXPAND_LISTS)
  add_custom_target(helix_image ALL DEPENDS ${CMAKE_BINARY_DIR}/helix.elf)
endif()
