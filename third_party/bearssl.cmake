# BearSSL's SHA-256 and HMAC, from Debian's source package, freestanding: the library `bearssl` of
# layer lib. The one file that includes its headers is lib/src/hmac.c.
include(${CMAKE_CURRENT_LIST_DIR}/library.cmake)
helix_third_party_fetch(bearssl)
set(bearssl_source ${PROJECT_SOURCE_DIR}/out/third_party/bearssl)
list(APPEND bearssl_files hash/sha2small.c hash/dig_size.c mac/hmac.c codec/enc32be.c codec/dec32be.c)
list(TRANSFORM bearssl_files PREPEND ${bearssl_source}/src/)
# Its tables of functions are called by other types than they have, which clang's sanitizer refuses.
helix_third_party(bearssl FILES ${bearssl_files}
  OPTIONS $<$<C_COMPILER_ID:Clang>:-fno-sanitize=function>
  INCLUDES ${PROJECT_SOURCE_DIR}/third_party/bearssl-shim ${bearssl_source}/inc ${bearssl_source}/src)
