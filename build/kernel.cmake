# What helix_library() means when the product is a kernel image.
function(helix_add_part name srcs host_srcs deps is_movable)
  set(position helix_fixed)
  if(is_movable)
    set(position helix_movable)
  endif()
  if(NOT srcs)
    add_library(${name} INTERFACE)
    target_include_directories(${name} INTERFACE include)
    target_link_libraries(${name} INTERFACE ${deps})
    return()
  endif()
  add_library(${name} STATIC ${srcs})
  target_include_directories(${name} PUBLIC include)
  target_link_libraries(${name} PRIVATE helix_flags helix_bare ${position} PUBLIC ${deps})
  if(NOT HELIX_PACKAGE_ONLY)
    set_property(GLOBAL APPEND PROPERTY helix_parts ${name})
  endif()
endfunction()

function(helix_tests name)
endfunction()

function(helix_module_tests name)
endfunction()

function(helix_thread_tests)
endfunction()

function(helix_fuzz name)
endfunction()

# Makes modules/NAME.hxm of the library NAME: a shared object, with what the module uses of lib, and a signature. gcc
# makes none: what it makes of lib is for the kernel alone.
function(helix_pack name)
  if(NOT CMAKE_C_COMPILER_ID STREQUAL "Clang")
    return()
  endif()
  if(NOT TARGET packages)
    add_custom_target(packages)
    add_library(package STATIC ${PROJECT_SOURCE_DIR}/sdk/package/package.c)
    target_link_libraries(package PRIVATE helix_flags helix_bare helix_movable sdk)
    set_target_properties(package PROPERTIES ARCHIVE_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/sdk)
  endif()
  helix_packer()
  find_program(HELIX_LD NAMES ld.lld-19 ld.lld REQUIRED)
  set(made ${CMAKE_BINARY_DIR}/modules/${name})
  add_custom_command(OUTPUT ${made}.hxm
    COMMAND ${HELIX_LD} -m ${HELIX_LD_MACHINE} -shared -Bsymbolic -z now -z max-page-size=4096 -z noexecstack --hash-style=sysv
      --build-id=none --fatal-warnings -e __stack_chk_fail --whole-archive $<TARGET_FILE:${name}> $<TARGET_FILE:package>
      --no-whole-archive $<TARGET_FILE:lib> $<TARGET_FILE:ports> -o ${made}.elf
    COMMAND ${HELIX_PACKER} sign ${HELIX_KEY} ${made}.elf ${made}.hxm
    DEPENDS ${name} package lib ports packer ${HELIX_PACKER} ${HELIX_KEY} COMMENT "Packing ${name}" VERBATIM)
  add_custom_target(package_${name} ALL DEPENDS ${made}.hxm)
  add_dependencies(packages package_${name})
  set_property(GLOBAL APPEND PROPERTY helix_packages ${name})
endfunction()
