# zlib's decompressor, from Debian's source package, freestanding: the targets `zlib` (a library of
# layer lib) and `zlib_headers` (for the one file that includes them). Names get a z_ in front, so
# that the host's own zlib can be in the same program.
include(${CMAKE_CURRENT_LIST_DIR}/library.cmake)
helix_third_party_fetch(zlib)
set(zlib_source ${PROJECT_SOURCE_DIR}/out/third_party/zlib)

add_library(zlib_headers INTERFACE)
target_include_directories(zlib_headers SYSTEM INTERFACE ${zlib_source})
target_compile_definitions(zlib_headers INTERFACE Z_SOLO Z_PREFIX)

# HAVE_MEMCPY: without it Z_SOLO brings zlib's own copy, byte by byte.
helix_third_party(zlib
  FILES ${zlib_source}/inflate.c ${zlib_source}/inftrees.c ${zlib_source}/inffast.c ${zlib_source}/adler32.c ${zlib_source}/crc32.c
  DEFINES HAVE_MEMCPY OPTIONS -include ${PROJECT_SOURCE_DIR}/third_party/zlib-shim/memory.h DEPS zlib_headers)
