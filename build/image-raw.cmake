# Image: the contents of helix.elf without headers, as Linux's boot protocol wants them on machines with a device tree.
find_program(HELIX_OBJCOPY NAMES llvm-objcopy-19 llvm-objcopy REQUIRED)
function(helix_raw folder)
  add_custom_command(OUTPUT ${folder}/Image
    COMMAND ${HELIX_OBJCOPY} -O binary ${folder}/helix.elf ${folder}/Image
    DEPENDS ${folder}/helix.elf COMMENT "Making ${folder}/Image" VERBATIM)
endfunction()
include(${CMAKE_CURRENT_LIST_DIR}/image.cmake)
