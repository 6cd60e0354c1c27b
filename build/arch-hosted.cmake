# hosted: two products. The pure parts and their tests, as programs of this machine, under sanitizers
# and with the counters by which the fuzzer finds its way; and the whole kernel as one process,
# helix-hosted, plain or with HELIX_SANITIZE=address or thread (then without the tests). HELIX_SANITIZE=
# simulation is address with simulated host threads: hal/hosted/simulation.c.
if(NOT HELIX_SANITIZE)
  target_compile_options(helix_host INTERFACE -fsanitize=address,undefined,fuzzer-no-link
    -fno-sanitize-recover=all -O1 -fno-omit-frame-pointer)
  target_link_options(helix_host INTERFACE -fsanitize=address,undefined)
endif()
set(helix_sanitize_ "")
set(helix_sanitize_address -fsanitize=address,undefined -fno-sanitize-recover=undefined
  -fsanitize-address-use-after-return=never)
set(helix_sanitize_thread -fsanitize=thread)
set(helix_sanitize_fuzz ${helix_sanitize_address} -fsanitize=fuzzer-no-link)
set(helix_sanitize_simulation ${helix_sanitize_address})
set(helix_simulation 0)
if(HELIX_SANITIZE STREQUAL "simulation")
  set(helix_simulation 1)
endif()

# The kernel's code. Its names are hidden: the host's libraries neither see nor replace them.
add_library(helix_process INTERFACE)
target_compile_definitions(helix_process INTERFACE HOSTED_SIMULATION=${helix_simulation})
target_compile_options(helix_process INTERFACE -O2 -gdwarf-4 -fno-pie -fno-omit-frame-pointer -fno-builtin-printf
  -fvisibility=hidden ${helix_sanitize_${HELIX_SANITIZE}})
set_property(GLOBAL PROPERTY helix_process_parts "")

# The same part for both products; where it has no pure files there is only the second one.
function(helix_add_part name srcs host_srcs deps is_movable)
  if(host_srcs AND NOT HELIX_SANITIZE)
    add_library(${name} STATIC ${host_srcs})
    target_include_directories(${name} PUBLIC include)
    target_link_libraries(${name} PRIVATE helix_flags helix_host PUBLIC ${deps})
  else()
    add_library(${name} INTERFACE)
    target_include_directories(${name} INTERFACE include)
    target_link_libraries(${name} INTERFACE ${deps})
  endif()
  list(REMOVE_ITEM srcs src/string.c) # libc's memcpy() and its like, which sanitizers know
  if(srcs)
    add_library(${name}_process OBJECT ${srcs})
    target_include_directories(${name}_process PRIVATE
      $<TARGET_PROPERTY:${name},INTERFACE_INCLUDE_DIRECTORIES>)
    target_link_libraries(${name}_process PRIVATE helix_flags helix_process)
    foreach(dependency ${deps}) # what it generates comes first
      if(TARGET ${dependency}_process)
        add_dependencies(${name}_process ${dependency}_process)
      endif()
    endforeach()
    if(helix_simulation AND NOT name MATCHES "^(boot|hal)$") # these are the simulator's own side
      target_compile_options(${name}_process PRIVATE -fsanitize-coverage=trace-pc)
    endif()
    if(NOT HELIX_PACKAGE_ONLY)
      set_property(GLOBAL APPEND PROPERTY helix_process_parts ${name}_process)
    endif()
  endif()
endfunction()

# It loads no packages.
function(helix_pack name)
endfunction()

# Each test is a program; exit status 0 is a pass. "check.h" is for all of them.
function(helix_tests name)
  if(HELIX_SANITIZE)
    return()
  endif()
  foreach(source ${ARGN})
    get_filename_component(test ${source} NAME_WE)
    add_executable(${test} ${source})
    target_include_directories(${test} PRIVATE ${PROJECT_SOURCE_DIR}/lib/tests)
    target_link_libraries(${test} PRIVATE helix_flags helix_host ${name})
    if(TARGET ${name}_process) # what it generates comes first
      add_dependencies(${test} ${name}_process)
    endif()
    add_test(NAME ${test} COMMAND ${test})
  endforeach()
endfunction()

# Those of a module have the host's SDK (runtime/host), and all that the module has on the host, its manifest too.
function(helix_module_tests name host_srcs)
  helix_tests(${name} ${ARGN})
  foreach(source ${ARGN})
    get_filename_component(test ${source} NAME_WE)
    if(TARGET ${test})
      target_link_libraries(${test} PRIVATE runtime_host)
    endif()
    if(TARGET ${test} AND host_srcs)
      target_link_options(${test} PRIVATE LINKER:--whole-archive $<TARGET_FILE:${name}> LINKER:--no-whole-archive)
    endif()
  endforeach()
endfunction()

# The same once more under ThreadSanitizer, for what needs headers alone: NAME_tsan.
function(helix_thread_tests name)
  if(HELIX_SANITIZE)
    return()
  endif()
  foreach(source ${ARGN})
    get_filename_component(test ${source} NAME_WE)
    add_executable(${test}_tsan ${source})
    target_include_directories(${test}_tsan PRIVATE ${PROJECT_SOURCE_DIR}/lib/tests
      $<TARGET_PROPERTY:${name},INTERFACE_INCLUDE_DIRECTORIES>)
    if(TARGET ${name}_process)
      add_dependencies(${test}_tsan ${name}_process)
    endif()
    target_compile_options(${test}_tsan PRIVATE -fsanitize=thread -O1)
    target_link_options(${test}_tsan PRIVATE -fsanitize=thread)
    target_link_libraries(${test}_tsan PRIVATE helix_flags sdk)
    add_test(NAME ${test}_tsan COMMAND ${test}_tsan)
  endforeach()
endfunction()

# Each fuzz target is a libFuzzer program; ./helix test fuzz runs them with fixed seeds. A short run is
# one of the tests, so that a target does not rot. "fuzz.h" is for all of them.
function(helix_fuzz name)
  if(HELIX_SANITIZE)
    return()
  endif()
  foreach(source ${ARGN})
    get_filename_component(target ${source} NAME_WE)
    add_executable(${target} ${source})
    target_include_directories(${target} PRIVATE ${PROJECT_SOURCE_DIR}/lib/fuzz)
    target_compile_options(${target} PRIVATE -fsanitize=fuzzer)
    target_link_options(${target} PRIVATE -fsanitize=fuzzer)
    target_link_libraries(${target} PRIVATE helix_flags helix_host ${name})
    if(TARGET ${name}_process) # what it generates comes first
      add_dependencies(${target} ${name}_process)
    endif()
    set_property(GLOBAL APPEND PROPERTY helix_fuzz_targets ${target})
    add_test(NAME ${target} COMMAND ${target} -runs=5000 -seed=1)
  endforeach()
endfunction()
