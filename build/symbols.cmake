# cmake -DNM=… -DIMAGE=… -DOUTPUT=… -P symbols.cmake: the table of core/symbols.h as assembly, from a
# linked image's functions. The assembler computes the differences.
execute_process(COMMAND ${NM} --numeric-sort --defined-only ${IMAGE} OUTPUT_VARIABLE lines
  COMMAND_ERROR_IS_FATAL ANY)
string(REGEX MATCHALL "[0-9a-f]+ [tT] [A-Za-z0-9_.$]+" lines "${lines}")
set(table "")
set(names "")
set(count 0)
set(base "")
foreach(line ${lines})
  string(REGEX MATCH "^([0-9a-f]+) . (.*)$" matched "${line}")
  set(address 0x${CMAKE_MATCH_1})
  set(name ${CMAKE_MATCH_2})
  if(base STREQUAL "")
    set(base ${address})
  endif()
  if(name STREQUAL "image_text_end")
    set(name "")
  endif()
  string(APPEND table "    .long ${address} - ${base}, .Lname${count} - symbol_names\n")
  string(APPEND names ".Lname${count}: .asciz \"${name}\"\n")
  math(EXPR count "${count} + 1")
  if(name STREQUAL "")
    break() # the end of the code
  endif()
endforeach()
if(count EQUAL 0)
  message(FATAL_ERROR "${IMAGE} has no functions")
endif()
file(WRITE ${OUTPUT} "    .section .rodata.symbols, \"a\"
    .globl symbol_base, symbol_count, symbol_table, symbol_names
    .balign 8
symbol_base: .quad ${base}
symbol_count: .long ${count}
symbol_table:
${table}symbol_names:
${names}    .section .note.GNU-stack, \"\", @progbits
")
