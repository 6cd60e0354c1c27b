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
add_library(zlib STATIC ${zlib_files})
set_property(GLOBAL PROPERTY helix_layer_zlib 1) # as lib
# HAVE_MEMCPY: without it Z_SOLO brings zlib's own copy, byte by byte. The source is not ours, so our
# warnings do not apply to it; its code is compiled as the rest is.
target_compile_definitions(zlib PRIVATE HAVE_MEMCPY)
target_include_directories(zlib PRIVATE ${PROJECT_SOURCE_DIR}/lib/include ${PROJECT_SOURCE_DIR}/sdk/include)
target_compile_options(zlib PRIVATE -w -include ${CMAKE_CURRENT_LIST_DIR}/zlib-shim/memory.h)
if(HELIX_ARCH STREQUAL "hosted")
  target_link_libraries(zlib PRIVATE zlib_headers helix_host)
else()
  target_link_libraries(zlib PRIVATE zlib_headers helix_bare)
  set_property(GLOBAL APPEND PROPERTY helix_parts zlib)
endif()
