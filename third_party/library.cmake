# How code from third_party is built: in each form that the machine wants, as the rest is, but
# without our warnings, since it is not ours.
# helix_third_party(NAME FILES file... INCLUDES folder... DEFINES word... OPTIONS option... DEPS target...)
function(helix_third_party_form name kind flags)
  add_library(${name} ${kind} ${THIRD_FILES})
  target_compile_definitions(${name} PRIVATE ${THIRD_DEFINES})
  target_include_directories(${name} PRIVATE ${THIRD_INCLUDES} ${PROJECT_SOURCE_DIR}/lib/include ${PROJECT_SOURCE_DIR}/sdk/include)
  target_compile_options(${name} PRIVATE -w)
  set_source_files_properties(${THIRD_FILES} PROPERTIES COMPILE_OPTIONS "${THIRD_OPTIONS}") # come last
  target_link_libraries(${name} PRIVATE ${THIRD_DEPS} ${flags})
endfunction()
function(helix_third_party name)
  cmake_parse_arguments(THIRD "" "" "FILES;INCLUDES;DEFINES;OPTIONS;DEPS" ${ARGN})
  set_property(GLOBAL PROPERTY helix_layer_${name} 1) # as lib
  if(HELIX_ARCH STREQUAL "hosted")
    helix_third_party_form(${name} STATIC helix_host)
    helix_third_party_form(${name}_process OBJECT helix_process)
    set_property(GLOBAL APPEND PROPERTY helix_process_parts ${name}_process)
  else()
    helix_third_party_form(${name} STATIC "helix_bare;helix_fixed")
    set_property(GLOBAL APPEND PROPERTY helix_parts ${name})
  endif()
endfunction()
# Gets the package; its folder is out/third_party/PACKAGE.
function(helix_third_party_fetch package)
  set_property(DIRECTORY APPEND PROPERTY CMAKE_CONFIGURE_DEPENDS ${PROJECT_SOURCE_DIR}/third_party/packages)
  execute_process(COMMAND ${PROJECT_SOURCE_DIR}/third_party/fetch ${package} COMMAND_ERROR_IS_FATAL ANY)
endfunction()
