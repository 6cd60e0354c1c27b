# Image: the contents of helix.elf without headers, as Linux's boot protocol wants them on machines with a device tree.
include(${CMAKE_CURRENT_LIST_DIR}/image.cmake)
find_program(HELIX_OBJCOPY NAMES llvm-objcopy-19 llvm-objcopy REQUIRED)
if(TARGET helix_image)
  add_custom_command(OUTPUT ${CMAKE_BINARY_DIR}/Image
    COMMAND ${HELIX_OBJCOPY} -O binary ${CMAKE_BINARY_DIR}/helix.elf ${CMAKE_BINARY_DIR}/Image
    DEPENDS ${CMAKE_BINARY_DIR}/helix.elf COMMENT "Making Image" VERBATIM)
  add_custom_target(helix_raw_image ALL DEPENDS ${CMAKE_BINARY_DIR}/Image)
endif()
