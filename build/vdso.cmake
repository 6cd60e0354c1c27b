# The vDSO (user/vdso): compiled for programs, linked by itself, and put into the kernel as the bytes
# between vdso_image_start and vdso_image_end. Machines without one get no bytes.
# HELIX_PROGRAM_FLAGS: what programs of the machine are compiled with beside that.
# helix_vdso_sources(variable): the sources that define the two.
function(helix_vdso_sources out)
  set(here ${CMAKE_SOURCE_DIR}/user/vdso)
  set(image ${CMAKE_BINARY_DIR}/vdso.so)
  if(EXISTS ${here}/${HELIX_ARCH})
    find_program(HELIX_LD NAMES ld.lld-19 ld.lld REQUIRED)
    add_library(vdso OBJECT ${here}/vdso.c)
    target_compile_options(vdso PRIVATE -O2 -ffreestanding -fPIC -fno-stack-protector -fasynchronous-unwind-tables
      -Wall -Wextra -Werror $<$<C_COMPILER_ID:Clang>:-nostdlibinc> ${HELIX_PROGRAM_FLAGS})
    target_include_directories(vdso PRIVATE ${here}/${HELIX_ARCH} ${CMAKE_SOURCE_DIR}/sdk/include
      $<TARGET_PROPERTY:calls,INTERFACE_INCLUDE_DIRECTORIES>)
    add_dependencies(vdso calls)
    add_custom_command(OUTPUT ${image}
      COMMAND ${HELIX_LD} -m ${HELIX_LD_MACHINE} -shared -Bsymbolic -soname linux-vdso.so.1 --hash-style=both --eh-frame-hdr
        --build-id=none -z noseparate-code -z norelro -z max-page-size=4096 --no-undefined --fatal-warnings -s
        -T ${here}/vdso.ld --version-script=${here}/${HELIX_ARCH}/vdso.map $<TARGET_OBJECTS:vdso> -o ${image}
      DEPENDS vdso $<TARGET_OBJECTS:vdso> ${here}/vdso.ld ${here}/${HELIX_ARCH}/vdso.map
      COMMENT "Linking the vDSO" VERBATIM COMMAND_EXPAND_LISTS)
    set(bytes ".incbin \"${image}\"")
  else()
    set(image)
    set(bytes "")
  endif()
  set(source ${CMAKE_BINARY_DIR}/vdso_image.S)
  file(CONFIGURE OUTPUT ${source} CONTENT ".section .rodata.vdso, \"a\", %progbits
.balign 8
.globl vdso_image_start, vdso_image_end
vdso_image_start: @bytes@
vdso_image_end:
.section .note.GNU-stack, \"\", %progbits
" @ONLY)
  set_source_files_properties(${source} PROPERTIES OBJECT_DEPENDS "${image}")
  set(${out} ${source} PARENT_SCOPE)
endfunction()
