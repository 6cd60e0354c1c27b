# helix-hosted: all parts of the kernel as one process of this machine, with the programs for it.
helix_folders(tests/hosted)
get_property(helix_process_parts GLOBAL PROPERTY helix_process_parts)
foreach(part ${helix_process_parts})
  list(APPEND helix_objects $<TARGET_OBJECTS:${part}>)
endforeach()
add_executable(helix-hosted ${helix_objects})
target_link_options(helix-hosted PRIVATE -no-pie -fuse-ld=lld -Wl,-z,now -pthread
  ${helix_sanitize_${HELIX_SANITIZE}})

# With HELIX_SANITIZE=fuzz, libFuzzer runs beside the kernel (tests/hosted/fuzz.c), whose main() stays.
if(HELIX_SANITIZE STREQUAL "fuzz")
  execute_process(COMMAND ${CMAKE_C_COMPILER} -print-file-name=lib/linux/libclang_rt.fuzzer_no_main-x86_64.a
    OUTPUT_VARIABLE helix_fuzzer OUTPUT_STRIP_TRAILING_WHITESPACE)
  target_sources(helix-hosted PRIVATE tests/hosted/fuzz.c)
  target_link_libraries(helix-hosted PRIVATE helix_flags helix_process ${helix_fuzzer} stdc++ m)
  target_link_options(helix-hosted PRIVATE -Wl,--wrap=host_exit)
  target_include_directories(helix-hosted PRIVATE
    $<TARGET_PROPERTY:hosted_programs_process,INCLUDE_DIRECTORIES>)
endif()

# helix-bench: the same with a module that measures (./helix bench --arch hosted).
if(NOT HELIX_SANITIZE)
  set(helix_bench ${PROJECT_SOURCE_DIR}/bench/hosted)
  add_executable(helix-bench EXCLUDE_FROM_ALL ${helix_objects} ${helix_bench}/main.c ${helix_bench}/kernel.c
    ${helix_bench}/references.c ${helix_bench}/across.c)
  target_include_directories(helix-bench PRIVATE
    $<TARGET_PROPERTY:runtime_kernel_process,INCLUDE_DIRECTORIES>)
  target_link_libraries(helix-bench PRIVATE helix_flags helix_process)
  target_link_options(helix-bench PRIVATE -no-pie -fuse-ld=lld -Wl,-z,now -pthread)
endif()
