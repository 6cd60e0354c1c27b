# helix.elf: all parts of the kernel, linked for HELIX_ARCH as HELIX_LD_MACHINE. It exists once the part with
# kernel_main does. The other profiles' have the same parts but for the modules, so they are linked here, too: the target
# image_P makes profiles/P/helix.elf.
# The linker is called itself, so that no compiler driver adds anything.
find_program(HELIX_LD NAMES ld.lld-19 ld.lld REQUIRED)
find_program(HELIX_NM NAMES llvm-nm-19 llvm-nm nm REQUIRED)
if(NOT DEFINED helix_main)
  set(helix_main runtime_kernel) # the part that defines kernel_main
endif()

# helix_image_parts(): `parts`, those of the image: the modules of the profile in the place of the build's own.
function(helix_image_parts)
  get_property(parts GLOBAL PROPERTY helix_parts)
  list(TRANSFORM helix_own REPLACE ".*/" "")
  list(TRANSFORM HELIX_MODULES REPLACE ".*/" "")
  list(GET helix_own 0 first)
  list(FIND parts ${first} place)
  if(place GREATER_EQUAL 0)
    list(REMOVE_ITEM parts ${helix_own}) # all of them stand behind the first one
    list(INSERT parts ${place} ${HELIX_MODULES})
  endif()
  return(PROPAGATE parts)
endfunction()

# helix_image(profile folder): the image folder/helix.elf, of the profile whose words the caller has read.
function(helix_image profile folder)
  helix_image_parts()
  set(words ${CMAKE_BINARY_DIR}/words/${profile}.c)
  helix_profile_file(${words})
  helix_key_file(${CMAKE_BINARY_DIR}/words/${profile}_key.c)
  add_library(words_${profile} STATIC EXCLUDE_FROM_ALL ${words} ${CMAKE_BINARY_DIR}/words/${profile}_key.c)
  target_include_directories(words_${profile} PRIVATE ${PROJECT_SOURCE_DIR}/runtime/kernel)
  target_link_libraries(words_${profile} PRIVATE helix_flags helix_bare helix_fixed ${helix_main})
  set(script ${PROJECT_SOURCE_DIR}/boot/${HELIX_ARCH}/kernel.ld)
  foreach(part ${parts} words_${profile})
    list(APPEND archives $<TARGET_FILE:${part}>)
  endforeach()
  set(link ${HELIX_LD} -m ${HELIX_LD_MACHINE} -n -static -T ${script} --gc-sections --build-id=none
    --orphan-handling=error --fatal-warnings --discard-locals -z noexecstack --whole-archive ${archives} --no-whole-archive)
  # Linked twice: the second time with the names of the functions, for backtraces (core/symbols.h).
  set(symbols ${folder}/symbols)
  set(assemble ${CMAKE_ASM_COMPILER} -c)
  if(CMAKE_ASM_COMPILER_TARGET)
    list(APPEND assemble --target=${CMAKE_ASM_COMPILER_TARGET})
  endif()
  file(MAKE_DIRECTORY ${folder})
  add_custom_command(OUTPUT ${folder}/helix.elf
    COMMAND ${link} -o ${symbols}.elf
    COMMAND ${CMAKE_COMMAND} -DNM=${HELIX_NM} -DIMAGE=${symbols}.elf -DOUTPUT=${symbols}.s
      -P ${PROJECT_SOURCE_DIR}/build/symbols.cmake
    COMMAND ${assemble} ${symbols}.s -o ${symbols}.o
    COMMAND ${link} ${symbols}.o -o ${folder}/helix.elf
    DEPENDS ${parts} words_${profile} ${script} ${PROJECT_SOURCE_DIR}/build/symbols.cmake
    COMMENT "Linking helix.elf of ${profile}" VERBATIM COMMAND_EXPAND_LISTS)
  set(made ${folder}/helix.elf)
  if(COMMAND helix_raw)
    helix_raw(${folder})
    list(APPEND made ${folder}/Image)
  endif()
  add_custom_target(image_${profile} DEPENDS ${made})
endfunction()

# Of a profile that is not the build's own: its words are of this function.
function(helix_other_image profile)
  unset(HELIX_NORMAL)
  unset(HELIX_DEFERRED)
  unset(HELIX_ISOLATED)
  unset(HELIX_OWN_KEY)
  foreach(word SPAN_MS AT_ONCE PAUSE_MS MOST)
    unset(HELIX_DEATHS_${word})
  endforeach()
  set(HELIX_PROFILE ${profile})
  helix_profile()
  if(HELIX_OWN_KEY)
    set(HELIX_KEY ${HELIX_KEY_OF_ONES_OWN})
  endif()
  helix_image(${profile} ${CMAKE_BINARY_DIR}/profiles/${profile})
  helix_other_packages(${profile} ${CMAKE_BINARY_DIR}/profiles/${profile}/modules)
endfunction()

# The packages of a profile, signed by its key: the target packages_P.
function(helix_other_packages profile folder)
  get_property(names GLOBAL PROPERTY helix_packages)
  file(MAKE_DIRECTORY ${folder})
  foreach(name ${names})
    set(linked ${CMAKE_BINARY_DIR}/modules/${name}.elf)
    add_custom_command(OUTPUT ${folder}/${name}.hxm
      COMMAND ${CMAKE_COMMAND} -E create_symlink ${linked} ${folder}/${name}.elf
      COMMAND ${HELIX_PACKER} sign ${HELIX_KEY} ${linked} ${folder}/${name}.hxm
      DEPENDS package_${name} ${CMAKE_BINARY_DIR}/modules/${name}.hxm ${HELIX_KEY} COMMENT "Signing ${name} for ${profile}" VERBATIM)
    list(APPEND made ${folder}/${name}.hxm)
  endforeach()
  add_custom_target(packages_${profile} DEPENDS ${made})
endfunction()

if(TARGET ${helix_main})
  set(helix_own ${HELIX_MODULES})
  helix_image(${HELIX_PROFILE} ${CMAKE_BINARY_DIR})
  add_custom_target(helix_image ALL DEPENDS image_${HELIX_PROFILE})
  helix_packer()
  file(GLOB helix_profiles CONFIGURE_DEPENDS ${PROJECT_SOURCE_DIR}/profiles/*.cmake)
  foreach(file ${helix_profiles})
    get_filename_component(name ${file} NAME_WE)
    if(NOT name STREQUAL HELIX_PROFILE)
      helix_other_image(${name})
    endif()
  endforeach()
endif()
