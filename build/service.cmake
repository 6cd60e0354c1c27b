# The host of modules in ring 3 (runtime/service): compiled as packages are, linked by itself, and put into the kernel
# as the bytes between service_image_start and service_image_end. Machines without packages get no bytes, and so do
# kernels that gcc builds.
# helix_service_sources(variable): the sources that define the two, and the table of ports of both ends.
function(helix_service_sources out)
  set(here ${PROJECT_SOURCE_DIR}/runtime/service)
  set(image ${CMAKE_BINARY_DIR}/service.elf)
  if(CMAKE_C_COMPILER_ID STREQUAL "Clang" AND NOT HELIX_ARCH STREQUAL "hosted")
    find_program(HELIX_LD NAMES ld.lld-19 ld.lld REQUIRED)
    helix_packer()
    set(functions ${CMAKE_CURRENT_BINARY_DIR}/service_exports.c)
    add_custom_command(OUTPUT ${functions}
      COMMAND ${HELIX_PACKER} exports ${functions} ${PROJECT_SOURCE_DIR}/sdk/include/helix/env.h
        ${PROJECT_SOURCE_DIR}/sdk/include/helix/env_atomic.h
      DEPENDS packer ${HELIX_PACKER} ${PROJECT_SOURCE_DIR}/sdk/include/helix/env.h
        ${PROJECT_SOURCE_DIR}/sdk/include/helix/env_atomic.h VERBATIM)
    add_library(service STATIC ${here}/main.c ${here}/arena.c ${here}/slots.c ${here}/heap.c ${here}/env.c ${here}/devices.c
      ${here}/doom.c ${here}/ports.c ${functions})
    target_link_libraries(service PRIVATE helix_flags helix_bare helix_movable sdk lib ports)
    target_include_directories(service PRIVATE ${here}/include ${here} ${PROJECT_SOURCE_DIR}/runtime/kernel
      ${PROJECT_SOURCE_DIR}/user/libhelix/${HELIX_ARCH}/include)
    add_custom_command(OUTPUT ${image}
      COMMAND ${HELIX_LD} -m ${HELIX_LD_MACHINE} -shared -Bsymbolic -z now -z max-page-size=4096 -z noexecstack
        --hash-style=sysv --build-id=none -s --gc-sections --no-undefined --fatal-warnings -e __stack_chk_fail
        --whole-archive $<TARGET_FILE:service> --no-whole-archive $<TARGET_FILE:lib> $<TARGET_FILE:ports> -o ${image}
      DEPENDS service lib ports COMMENT "Linking the host of modules in ring 3" VERBATIM)
    set(bytes ".incbin \"${image}\"")
  else()
    set(image)
    set(bytes "")
  endif()
  set(source ${CMAKE_BINARY_DIR}/service_image.S)
  file(CONFIGURE OUTPUT ${source} CONTENT ".section .rodata.service, \"a\", %progbits
.balign 8
.globl service_image_start, service_image_end
service_image_start: @bytes@
service_image_end:
.section .note.GNU-stack, \"\", %progbits
" @ONLY)
  set_source_files_properties(${source} PROPERTIES OBJECT_DEPENDS "${image}")
  set(${out} ${source} ${here}/ports.c PARENT_SCOPE)
endfunction()
