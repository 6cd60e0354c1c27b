# zlib's decompressor, from Debian's source package, freestanding: the targets `zlib` (a library of
# layer lib) and `zlib_headers` (for the one file that includes them). Names get a z_ in front, so
# that the host's own zlib can be in the same program.
set(zlib_source ${PROJECT_SOURCE_DIR}/out/third_party/zlib)
set_property(DIRECTORY APPEND PROPERTY CMAKE_CONFIGURE_DEPENDS ${CMAKE_CURRENT_LIST_DIR}/packages)
execute_process(COMMAND ${CMAKE_CURRENT_LIST_DIR}/fetch zlib COMMAND_ERROR_IS_FATAL ANY)

add_library(zlib_headers INTERFACE)
target_include_directories(zlib_headers SYSTEM INTERFACE ${zlib_source})
target_compile_definitions(zlib_headers INTERFACE Z_SOLO Z_PREFIX)

foreach(file inflate inftrees inffast adler32 crc32)
  list(APPEND zlib_files ${zlib_source}/${file}.c)
endforeach()
set_property(GLOBAL PROPERTY helix_layer_zlib 1) # as lib
# HAVE_MEMCPY: without it Z_SOLO brings zlib's own copy, byte by byte. The source is not ours, so our
# warnings do not apply to it; its code is compiled as the rest is.
function(helix_zlib name kind flags)
  add_library(${name} ${kind} ${zlib_files})
  target_compile_definitions(${name} PRIVATE HAVE_MEMCPY)
  target_include_directories(${name} PRIVATE ${PROJECT_SOURCE_DIR}/lib/include ${PROJECT_SOURCE_DIR}/sdk/include)
  target_compile_options(${name} PRIVATE -w -include ${PROJECT_SOURCE_DIR}/third_party/zlib-shim/memory.h)
  target_link_libraries(${name} PRIVATE zlib_headers ${flags})
endfunction()
if(HELIX_ARCH STREQUAL "hosted")
  helix_zlib(zlib STATIC helix_host)
  helix_zlib(zlib_process OBJECT helix_process)
  set_property(GLOBAL APPEND PROPERTY helix_process_parts zlib_process)
else()
  helix_zlib(zlib STATIC helix_bare)
  set_property(GLOBAL APPEND PROPERTY helix_parts zlib)
endif()
