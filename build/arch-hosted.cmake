# hosted: the pure parts and their tests, as programs of this machine, under sanitizers, and with the
# counters by which the fuzzer finds its way.
target_compile_options(helix_host INTERFACE -fsanitize=address,undefined,fuzzer-no-link
  -fno-sanitize-recover=all -O1 -fno-omit-frame-pointer)
target_link_options(helix_host INTERFACE -fsanitize=address,undefined)

function(helix_add_part name srcs host_srcs deps)
  if(NOT host_srcs)
    add_library(${name} INTERFACE)
    target_include_directories(${name} INTERFACE include)
    target_link_libraries(${name} INTERFACE ${deps})
    return()
  endif()
  add_library(${name} STATIC ${host_srcs})
  target_include_directories(${name} PUBLIC include)
  target_link_libraries(${name} PRIVATE helix_flags helix_host PUBLIC ${deps})
endfunction()

# Each test is a program; exit status 0 is a pass. "check.h" is for all of them.
function(helix_tests name)
  foreach(source ${ARGN})
    get_filename_component(test ${source} NAME_WE)
    add_executable(${test} ${source})
    target_include_directories(${test} PRIVATE ${PROJECT_SOURCE_DIR}/lib/tests)
    target_link_libraries(${test} PRIVATE helix_flags helix_host ${name})
    add_test(NAME ${test} COMMAND ${test})
  endforeach()
endfunction()

# Each fuzz target is a libFuzzer program; ./helix test fuzz runs them with fixed seeds. A short run is
# one of the tests, so that a target does not rot. "fuzz.h" is for all of them.
function(helix_fuzz name)
  foreach(source ${ARGN})
    get_filename_component(target ${source} NAME_WE)
    add_executable(${target} ${source})
    target_include_directories(${target} PRIVATE ${PROJECT_SOURCE_DIR}/lib/fuzz)
    target_compile_options(${target} PRIVATE -fsanitize=fuzzer)
    target_link_options(${target} PRIVATE -fsanitize=fuzzer)
    target_link_libraries(${target} PRIVATE helix_flags helix_host ${name})
    set_property(GLOBAL APPEND PROPERTY helix_fuzz_targets ${target})
    add_test(NAME ${target} COMMAND ${target} -runs=5000 -seed=1)
  endforeach()
endfunction()
