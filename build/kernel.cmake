# What helix_library() means when the product is a kernel image.
function(helix_add_part name srcs host_srcs deps)
  if(NOT srcs)
    add_library(${name} INTERFACE)
    target_include_directories(${name} INTERFACE include)
    target_link_libraries(${name} INTERFACE ${deps})
    return()
  endif()
  add_library(${name} STATIC ${srcs})
  target_include_directories(${name} PUBLIC include)
  target_link_libraries(${name} PRIVATE helix_flags helix_bare PUBLIC ${deps})
  set_property(GLOBAL APPEND PROPERTY helix_parts ${name})
endfunction()

function(helix_tests name)
endfunction()

function(helix_thread_tests)
endfunction()

function(helix_fuzz name)
endfunction()
