# libsodium's Ed25519 and SHA-512, from Debian's source package, freestanding: the library `libsodium`
# of layer lib. The one file that includes its headers is lib/src/ed25519.c. What a host tool needs to
# compile the same: sodium_files, sodium_words.
include(${CMAKE_CURRENT_LIST_DIR}/library.cmake)
helix_third_party_fetch(libsodium)
set(sodium_source ${PROJECT_SOURCE_DIR}/out/third_party/libsodium/src/libsodium)
set(sodium_shim ${PROJECT_SOURCE_DIR}/third_party/libsodium-shim)
list(APPEND sodium_files crypto_sign/ed25519/ref10/open.c crypto_sign/ed25519/ref10/sign.c
  crypto_sign/ed25519/ref10/keypair.c crypto_core/ed25519/ref10/ed25519_ref10.c
  crypto_hash/sha512/cp/hash_sha512_cp.c crypto_verify/sodium/verify.c)
list(TRANSFORM sodium_files PREPEND ${sodium_source}/)
set(sodium_includes ${sodium_shim} ${sodium_source}/include/sodium)
set(sodium_defines CONFIGURED=1 SODIUM_STATIC HAVE_TI_MODE NATIVE_LITTLE_ENDIAN)
if(NOT TARGET libsodium)
  helix_third_party(libsodium FILES ${sodium_files} INCLUDES ${sodium_includes} DEFINES ${sodium_defines}
    OPTIONS -idirafter ${sodium_shim}/libc)
endif()
