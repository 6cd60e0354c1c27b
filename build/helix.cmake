# The whole build vocabulary: helix_library() for a part of the kernel, helix_module() for a module,
# helix_user() for a program that runs in ring 3, helix_fuzz() for a fuzz target.
# Folders use data only: no if(), no variables. Include paths follow the declared dependencies, so
# an include that nobody declared does not compile, and a dependency that points upward does not
# configure.
set(HELIX_LAYERS sdk lib boot hal core subsys runtime outer user) # services, policy, interface: outer

add_library(helix_flags INTERFACE)
target_compile_features(helix_flags INTERFACE c_std_17)
target_compile_options(helix_flags INTERFACE -Wall -Wextra -Wshadow -Wundef -Wstrict-prototypes
  -Wmissing-prototypes -Wvla -Werror -fno-common -g -fno-strict-aliasing
  $<$<C_COMPILER_ID:Clang>:-Wthread-safety> $<$<C_COMPILER_ID:Clang>:-Watomic-implicit-seq-cst>)
target_compile_definitions(helix_flags INTERFACE HELIX_DEBUG=$<BOOL:${HELIX_DEBUG}>)
add_library(helix_host INTERFACE)
add_library(helix_bare INTERFACE)
add_library(helix_fixed INTERFACE)   # code that is linked for one address
add_library(helix_movable INTERFACE) # the same for any, for packages and the kernel alike
include(${CMAKE_CURRENT_LIST_DIR}/arch-${HELIX_ARCH}.cmake)

function(helix_check_layer name layer)
  list(FIND HELIX_LAYERS ${layer} mine)
  if(mine LESS 0)
    message(FATAL_ERROR "${name}: unknown layer '${layer}'; one of ${HELIX_LAYERS}")
  endif()
  set_property(GLOBAL PROPERTY helix_layer_${name} ${mine})
  foreach(dependency ${ARGN})
    get_property(its GLOBAL PROPERTY helix_layer_${dependency})
    if("${its}" STREQUAL "")
      message(FATAL_ERROR "${name}: '${dependency}' is not declared yet: it is above, or the two depend on each other")
    elseif(its GREATER mine)
      message(FATAL_ERROR "${name} (${layer}) may not depend on ${dependency}: dependencies point downward")
    elseif(layer STREQUAL outer AND its EQUAL mine)
      message(FATAL_ERROR "${name} may not depend on ${dependency}: services, policy and interface are siblings")
    endif()
  endforeach()
endfunction()

# Public include folders beside include/.
function(helix_add_includes name)
  get_target_property(type ${name} TYPE)
  foreach(folder ${ARGN})
    if(type STREQUAL INTERFACE_LIBRARY)
      target_include_directories(${name} INTERFACE ${folder})
    else()
      target_include_directories(${name} PUBLIC ${folder})
    endif()
  endforeach()
endfunction()

# helix_library(NAME n LAYER l SRCS ... [DEPS ...] [TESTS ...] [HOST_SRCS ...] [INCLUDES ...] [CALLS family] [MOVABLE]): a
# part of the kernel. CALLS: it serves that family of native calls (helix_calls). MOVABLE: packages may have it, too. HOST_SRCS are the files that are pure and also build on the host, for the tests; a library
# without them does not exist there. TESTS are host programs, one file each.
function(helix_library)
  cmake_parse_arguments(L "MOVABLE" "NAME;LAYER;CALLS" "SRCS;HOST_SRCS;DEPS;TESTS;FUZZ;INCLUDES" ${ARGN})
  if(L_CALLS)
    helix_call_table(${L_CALLS})
  endif()
  helix_check_layer(${L_NAME} ${L_LAYER} ${L_DEPS})
  helix_add_part(${L_NAME} "${L_SRCS}" "${L_HOST_SRCS}" "${L_DEPS}" ${L_MOVABLE})
  helix_add_includes(${L_NAME} ${L_INCLUDES})
  if(L_LAYER MATCHES "^(sdk|lib|core)$")
    helix_strict(${L_NAME})
  endif()
  helix_tests(${L_NAME} ${L_TESTS})
  helix_fuzz(${L_NAME} ${L_FUZZ})
endfunction()

# The lowest parts compile without implicit conversions that may change a value.
function(helix_strict name)
  get_target_property(type ${name} TYPE)
  if(NOT type STREQUAL "INTERFACE_LIBRARY")
    target_compile_options(${name} PRIVATE -Wconversion)
  endif()
endfunction()

# helix_module(NAME n SRCS ... [HOST_SRCS ...] [DEPS ...] [TESTS ...]): one module of services/, policy/ or
# interface/, in the image (if the profile names it) and as a package. It is compiled against the SDK and lib alone. TESTS have what
# is in HOST_SRCS, and the SDK of runtime/host.
function(helix_module)
  cmake_parse_arguments(M "" "NAME" "SRCS;HOST_SRCS;DEPS;TESTS" ${ARGN})
  helix_library(NAME ${M_NAME} LAYER outer SRCS ${M_SRCS} HOST_SRCS ${M_HOST_SRCS} DEPS sdk lib ports ${M_DEPS}
    MOVABLE)
  helix_module_tests(${M_NAME} "${M_HOST_SRCS}" ${M_TESTS})
  helix_pack(${M_NAME})
endfunction()

# helix_sources(variable folder f ...): files of a folder of another part, for SRCS.
function(helix_sources variable folder)
  list(TRANSFORM ARGN PREPEND ${PROJECT_SOURCE_DIR}/${folder}/)
  set(${variable} ${ARGN} PARENT_SCOPE)
endfunction()

# helix_package(NAME n SRCS ... [INCLUDES ...] [PORT p]): a module as a package alone. INCLUDES: what only tests may see.
# PORT: a port of that file, in place of the one that sdk/ports describes.
function(helix_package)
  cmake_parse_arguments(M "" "NAME;PORT" "SRCS;INCLUDES" ${ARGN})
  if(NOT HELIX_ARCH STREQUAL "hosted")
    if(M_PORT)
      helix_portgen()
      get_filename_component(port ${M_PORT} NAME_WE)
      set(into ${CMAKE_CURRENT_BINARY_DIR}/${M_NAME}_port)
      file(MAKE_DIRECTORY ${into}/helix/ports)
      list(APPEND M_SRCS ${into}/helix/ports/${port}_port.h)
      list(APPEND M_INCLUDES ${into})
      add_custom_command(OUTPUT ${into}/helix/ports/${port}_port.h
        COMMAND ${HELIX_PORTGEN} ${CMAKE_CURRENT_SOURCE_DIR}/${M_PORT} ${into}/helix/ports/${port}_port.h
        DEPENDS portgen_program ${HELIX_PORTGEN} ${M_PORT} COMMENT "Making the port ${port} of ${M_NAME}" VERBATIM)
    endif()
    add_library(${M_NAME} STATIC ${M_SRCS})
    target_link_libraries(${M_NAME} PRIVATE helix_flags helix_bare helix_movable sdk lib ports)
    target_include_directories(${M_NAME} PRIVATE ${M_INCLUDES})
    helix_pack(${M_NAME})
  endif()
endfunction()

# helix_ports(NAME n PORTS ... [ATOMIC ...] [DEPS ...] [TESTS ...] [HOST_ONLY]): a part that holds what portgen makes
# of each NAME.port in this folder: <helix/ports/NAME_port.h> and the functions behind it and, unless the port is
# ATOMIC, <helix/ports/NAME_wire.h>, its isolated form, with a fuzz target. HOST_ONLY: for tests.
function(helix_ports)
  cmake_parse_arguments(P "HOST_ONLY" "NAME" "PORTS;ATOMIC;DEPS;TESTS" ${ARGN})
  helix_portgen()
  set(into ${CMAKE_CURRENT_BINARY_DIR}/include/helix/ports)
  set(pages ${CMAKE_BINARY_DIR}/${P_NAME}) # one reference page for each: ports/fs.md
  file(MAKE_DIRECTORY ${into} ${pages})
  file(GLOB ports CONFIGURE_DEPENDS *.port) # one may use another
  foreach(port ${P_PORTS} ${P_ATOMIC})
    set(made ${into}/${port}_port.h ${CMAKE_CURRENT_BINARY_DIR}/${port}_port.c ${pages}/${port}.md)
    if(port IN_LIST P_PORTS)
      list(APPEND made ${into}/${port}_wire.h ${CMAKE_CURRENT_BINARY_DIR}/${port}_wire.c)
      file(CONFIGURE OUTPUT fuzz_${port}_wire.c @ONLY
        CONTENT "#include <helix/ports/@port@_wire.h>\n#define FUZZ_PORT @port@_wire\n#include \"fuzz_wire.h\"\n")
      list(APPEND fuzz ${CMAKE_CURRENT_BINARY_DIR}/fuzz_${port}_wire.c)
    endif()
    add_custom_command(OUTPUT ${made}
      COMMAND ${HELIX_PORTGEN} ${CMAKE_CURRENT_SOURCE_DIR}/${port}.port ${made}
      DEPENDS portgen_program ${HELIX_PORTGEN} ${ports}
      COMMENT "Making the port ${port}" VERBATIM)
    list(APPEND host_sources ${made})
  endforeach()
  if(NOT P_HOST_ONLY)
    set(sources ${host_sources})
    list(TRANSFORM P_PORTS PREPEND ${CMAKE_CURRENT_SOURCE_DIR}/)
    list(TRANSFORM P_ATOMIC PREPEND ${CMAKE_CURRENT_SOURCE_DIR}/)
    set_property(GLOBAL APPEND PROPERTY helix_ports ${P_PORTS} ${P_ATOMIC})
  endif()
  helix_library(NAME ${P_NAME} LAYER lib SRCS ${sources} HOST_SRCS ${host_sources} DEPS sdk lib ${P_DEPS} MOVABLE
    INCLUDES ${CMAKE_CURRENT_BINARY_DIR}/include TESTS ${P_TESTS} FUZZ ${fuzz})
endfunction()

# helix_port_calls(): makes <core/ports/NAME_calls.h> of each port so far, for those who call it, and NAME_numbered.h, for
# what sends these calls to ring 3; `made` are the files.
function(helix_port_calls)
  helix_portgen()
  get_property(ports GLOBAL PROPERTY helix_ports)
  set(into ${CMAKE_CURRENT_BINARY_DIR}/include/core/ports)
  file(MAKE_DIRECTORY ${into})
  foreach(port ${ports})
    get_filename_component(name ${port} NAME)
    add_custom_command(OUTPUT ${into}/${name}_calls.h ${into}/${name}_numbered.h
      COMMAND ${HELIX_PORTGEN} ${port}.port ${into}/${name}_calls.h ${into}/${name}_numbered.h
      DEPENDS portgen_program ${HELIX_PORTGEN} ${port}.port
      COMMENT "Making calls of the port ${name}" VERBATIM)
    list(APPEND made ${into}/${name}_calls.h)
  endforeach()
  add_custom_target(port_calls DEPENDS ${made})
  return(PROPAGATE made)
endfunction()

# helix_calls(NAME n FILE f): a part that holds the types and numbers of native calls, <helix/f.h>, made from f.calls
# in this folder.
function(helix_calls)
  cmake_parse_arguments(C "" "NAME;FILE" "" ${ARGN})
  helix_portgen()
  set(source ${CMAKE_CURRENT_SOURCE_DIR}/${C_FILE}.calls)
  set(made ${CMAKE_CURRENT_BINARY_DIR}/include/helix/${C_FILE}.h)
  file(MAKE_DIRECTORY ${CMAKE_CURRENT_BINARY_DIR}/include/helix)
  add_custom_command(OUTPUT ${made} COMMAND ${HELIX_PORTGEN} ${source} ${made}
    DEPENDS portgen_program ${HELIX_PORTGEN} ${source} COMMENT "Making the calls ${C_FILE}" VERBATIM)
  add_custom_target(${C_NAME}_process DEPENDS ${made}) # the name that users of generated parts wait for
  set_property(GLOBAL PROPERTY helix_calls_source ${source})
  helix_library(NAME ${C_NAME} LAYER sdk DEPS sdk INCLUDES ${CMAKE_CURRENT_BINARY_DIR}/include)
  add_dependencies(${C_NAME} ${C_NAME}_process)
endfunction()

# What serves a family of calls: adds FAMILY_table.c to the caller's sources.
macro(helix_call_table family)
  helix_portgen()
  get_property(source GLOBAL PROPERTY helix_calls_source)
  set(tables ${CMAKE_CURRENT_BINARY_DIR}/tables)
  set(made ${tables}/${family}_table.h ${tables}/${family}_table.c)
  file(MAKE_DIRECTORY ${tables})
  add_custom_command(OUTPUT ${made} COMMAND ${HELIX_PORTGEN} ${source} ${made}
    DEPENDS portgen_program ${HELIX_PORTGEN} ${source} COMMENT "Making the table of calls ${family}" VERBATIM)
  list(APPEND L_SRCS ${made})
  list(APPEND L_INCLUDES ${tables})
endmacro()

# The compiler of ports is a program of this machine, whatever the product is: HELIX_PORTGEN.
function(helix_portgen)
  set(HELIX_PORTGEN ${CMAKE_BINARY_DIR}/portgen)
  find_program(HELIX_HOST_CC NAMES clang-19 cc gcc REQUIRED)
  file(GLOB sources CONFIGURE_DEPENDS ${PROJECT_SOURCE_DIR}/tools/portgen/*.c)
  file(GLOB headers CONFIGURE_DEPENDS ${PROJECT_SOURCE_DIR}/tools/portgen/*.h)
  set(status ${PROJECT_SOURCE_DIR}/sdk/include)
  if(NOT TARGET portgen_program)
    add_custom_command(OUTPUT ${HELIX_PORTGEN}
      COMMAND ${HELIX_HOST_CC} -std=gnu17 -O1 -Wall -Wextra -Werror -I${status} -o ${HELIX_PORTGEN} ${sources}
      DEPENDS ${sources} ${headers} ${status}/helix/status.h COMMENT "Building portgen" VERBATIM)
    add_custom_target(portgen_program DEPENDS ${HELIX_PORTGEN})
  endif()
  return(PROPAGATE HELIX_PORTGEN)
endfunction()

# The packer of modules is one of this machine's programs, too: HELIX_PACKER. Packages are signed by HELIX_KEY, a file that ./helix
# chooses (tools/helix/keys.py), and believed of nobody else.
function(helix_packer)
  set(HELIX_PACKER ${CMAKE_BINARY_DIR}/pack)
  if(NOT TARGET packer)
    find_program(HELIX_HOST_CC NAMES clang-19 cc gcc REQUIRED)
    include(${PROJECT_SOURCE_DIR}/third_party/libsodium.cmake)
    set(here ${PROJECT_SOURCE_DIR}/tools/pack)
    set(lib ${PROJECT_SOURCE_DIR}/lib)
    list(APPEND sources ${here}/main.c ${here}/exports.c ${lib}/src/package.c ${lib}/src/ed25519.c ${lib}/src/elf.c ${lib}/src/format.c)
    list(TRANSFORM sodium_includes PREPEND -I)
    list(TRANSFORM sodium_defines PREPEND -D)
    add_custom_command(OUTPUT ${HELIX_PACKER}
      COMMAND ${HELIX_HOST_CC} -std=gnu17 -O2 -Wall -Wextra -Wno-unused-function -Werror -D_GNU_SOURCE -I${PROJECT_SOURCE_DIR}/sdk/include -I${lib}/include
        ${sodium_includes} ${sodium_defines} -o ${HELIX_PACKER} ${sources} ${sodium_files}
      DEPENDS ${sources} ${here}/pack.h ${lib}/include/lib/package.h ${sodium_files} COMMENT "Building pack" VERBATIM)
    add_custom_target(packer DEPENDS ${HELIX_PACKER})
  endif()
  return(PROPAGATE HELIX_PACKER)
endfunction()

# helix_exports(): what the loader of packages is made with: the functions of the SDK; `made` is the file.
function(helix_exports)
  helix_packer()
  set(headers ${PROJECT_SOURCE_DIR}/sdk/include/helix/env.h ${PROJECT_SOURCE_DIR}/sdk/include/helix/env_atomic.h)
  set(made ${CMAKE_CURRENT_BINARY_DIR}/module_exports.c)
  add_custom_command(OUTPUT ${made} COMMAND ${HELIX_PACKER} exports ${made} ${headers}
    DEPENDS packer ${HELIX_PACKER} ${headers} COMMENT "Making what packages may import" VERBATIM)
  set_source_files_properties(${made} PROPERTIES COMPILE_OPTIONS -I${CMAKE_CURRENT_SOURCE_DIR})
  return(PROPAGATE made)
endfunction()

# helix_key_file(FILE): makes the public part of the profile's key, HELIX_KEY.
function(helix_key_file file)
  helix_packer()
  add_custom_command(OUTPUT ${file}
    COMMAND ${HELIX_PACKER} public ${file} ${HELIX_KEY} ${PROJECT_SOURCE_DIR}/out/module.key
      $<IF:$<BOOL:${HELIX_OWN_KEY}>,refuse,take>
    DEPENDS packer ${HELIX_PACKER} ${HELIX_KEY} COMMENT "Making the key of ${HELIX_PROFILE}" VERBATIM)
endfunction()

# helix_profile(): reads the profile HELIX_PROFILE, which sets HELIX_MODULES, in the image, and the packages that are
# loaded at boot: HELIX_NORMAL, before the first program, and HELIX_DEFERRED, of which HELIX_ISOLATED run in ring 3; and which deaths are too many:
# HELIX_DEATHS_SPAN_MS, _AT_ONCE, _PAUSE_MS, _MOST (struct supervise_rule). HELIX_OWN_KEY: it takes no development key.
macro(helix_profile)
  if(NOT EXISTS ${PROJECT_SOURCE_DIR}/profiles/${HELIX_PROFILE}.cmake)
    message(FATAL_ERROR "there is no profile '${HELIX_PROFILE}' in profiles/")
  endif()
  include(${PROJECT_SOURCE_DIR}/profiles/${HELIX_PROFILE}.cmake)
endmacro()

# helix_profile_packages(): `profile_made` is what a part has of the profile: on the hosted machine all (helix_profile_file), else nothing,
# since it is linked to an image of each profile (image.cmake).
function(helix_profile_packages)
  set(profile_made)
  if(HELIX_ARCH STREQUAL "hosted")
    set(profile_made ${CMAKE_CURRENT_BINARY_DIR}/profile_packages.c ${CMAKE_CURRENT_BINARY_DIR}/module_key.c)
    helix_profile_file(${CMAKE_CURRENT_BINARY_DIR}/profile_packages.c)
    helix_key_file(${CMAKE_CURRENT_BINARY_DIR}/module_key.c)
    set_source_files_properties(${profile_made} PROPERTIES COMPILE_OPTIONS -I${CMAKE_CURRENT_SOURCE_DIR})
  endif()
  return(PROPAGATE profile_made)
endfunction()

# helix_profile_file(FILE): makes what the kernel loads at boot, HELIX_NORMAL and HELIX_DEFERRED of the profile, and its rule of deaths.
# The hosted machine loads none.
function(helix_profile_file profile_made)
  foreach(phase NORMAL DEFERRED)
    foreach(folder ${HELIX_${phase}})
      if(folder IN_LIST HELIX_MODULES OR NOT EXISTS ${PROJECT_SOURCE_DIR}/services/${folder})
        message(FATAL_ERROR "profile ${HELIX_PROFILE}: ${folder} is in the image, too, or no folder of services/")
      endif()
      get_filename_component(name ${folder} NAME)
      set(place MODULE_IN_KERNEL)
      if(folder IN_LIST HELIX_ISOLATED)
        set(place MODULE_ISOLATED)
      endif()
      if(NOT HELIX_ARCH STREQUAL "hosted")
        string(APPEND rows "    { \"${name}\", HX_PHASE_${phase}, ${place} },\n")
      endif()
    endforeach()
  endforeach()
  set(rule_defaults SPAN_MS 1000 AT_ONCE 4 PAUSE_MS 1 MOST 10)
  while(rule_defaults)
    list(POP_FRONT rule_defaults word value)
    if(NOT DEFINED HELIX_DEATHS_${word})
      set(HELIX_DEATHS_${word} ${value})
    endif()
  endwhile()
  file(CONFIGURE OUTPUT ${profile_made} @ONLY CONTENT "#include \"profile.h\"
#include \"supervise.h\"
_Static_assert(@HELIX_DEATHS_MOST@ >= 1 && @HELIX_DEATHS_MOST@ <= SUPERVISE_RECENT, \"HELIX_DEATHS_MOST\");
_Static_assert(@HELIX_DEATHS_AT_ONCE@ >= 0 && @HELIX_DEATHS_SPAN_MS@ > 0 && @HELIX_DEATHS_PAUSE_MS@ >= 0, \"HELIX_DEATHS_\");
const struct supervise_rule supervise_rule = { @HELIX_DEATHS_SPAN_MS@ * INT64_C(1000000), @HELIX_DEATHS_AT_ONCE@,
    @HELIX_DEATHS_PAUSE_MS@ * INT64_C(1000000), @HELIX_DEATHS_MOST@ };
const struct profile_package profile_packages[] = {
@rows@    { 0 },
};
")
endfunction()

# helix_modules(): the folders of modules below this one: those that the profile names, which are in the image, in its order,
# and all others, as packages alone.
function(helix_modules)
  helix_folders(${HELIX_MODULES})
  set(HELIX_PACKAGE_ONLY ON)
  file(GLOB others CONFIGURE_DEPENDS RELATIVE ${CMAKE_CURRENT_SOURCE_DIR} */*/CMakeLists.txt)
  list(TRANSFORM others REPLACE "/CMakeLists.txt" "")
  list(REMOVE_ITEM others ${HELIX_MODULES})
  helix_folders(${others})
endfunction()

# helix_folders(f ...): the folders below this one that are part of the build, in this order.
function(helix_folders)
  foreach(folder ${ARGN})
    add_subdirectory(${folder})
  endforeach()
endfunction()
