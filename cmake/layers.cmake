# One static library per folder. A target sees only the folders it USES, so an include that points
# upwards fails with "No such file" and a cycle fails at configure time.

find_package(PkgConfig REQUIRED)
find_package(Threads REQUIRED)

add_library(rookery_flags INTERFACE)
target_compile_definitions(rookery_flags INTERFACE _GNU_SOURCE)
target_compile_options(rookery_flags INTERFACE
  -Wall -Wextra -Wshadow -Wundef -Wvla -Wformat=2 -Wpointer-arith -Wstrict-prototypes
  -Wmissing-prototypes -Wimplicit-fallthrough
  -Werror=implicit-function-declaration -fno-strict-aliasing -fstack-protector-strong
  -include ${CMAKE_SOURCE_DIR}/base/banned.h)
if(ROOKERY_WERROR)
  target_compile_options(rookery_flags INTERFACE -Werror)
endif()
if(CMAKE_C_COMPILER_ID MATCHES Clang)
  target_compile_options(rookery_flags INTERFACE -Wthread-safety)
endif()
if(ROOKERY_SANITIZE)
  target_compile_options(rookery_flags INTERFACE -fsanitize=${ROOKERY_SANITIZE} -fno-omit-frame-pointer
    -fno-sanitize-recover=all)
  target_link_options(rookery_flags INTERFACE -fsanitize=${ROOKERY_SANITIZE})
endif()
if(ROOKERY_FUZZ)
  target_compile_options(rookery_flags INTERFACE -fsanitize=fuzzer-no-link) # the layers too give coverage
endif()
target_link_libraries(rookery_flags INTERFACE Threads::Threads)

# add_layer(NAME SOURCES a.c b.c USES base net LIBS PkgConfig::X)
function(add_layer name)
  cmake_parse_arguments(L "" "" "SOURCES;USES;LIBS" ${ARGN})
  set(gate ${CMAKE_BINARY_DIR}/gate/${name})
  file(MAKE_DIRECTORY ${gate})
  file(CREATE_LINK ${CMAKE_SOURCE_DIR}/${name} ${gate}/${name} SYMBOLIC)
  add_library(${name} STATIC ${L_SOURCES})
  target_include_directories(${name} PUBLIC ${gate})
  target_link_libraries(${name} PUBLIC ${L_USES} PRIVATE ${L_LIBS} rookery_flags)
endfunction()

# add_unit(FOLDER NAME [LIBS …]): tests/unit/FOLDER/NAME.c as one cmocka program linked to layer FOLDER.
function(add_unit folder name)
  cmake_parse_arguments(U "" "" "LIBS;SOURCES" ${ARGN})
  add_executable(${name} ${CMAKE_SOURCE_DIR}/tests/unit/${folder}/${name}.c ${U_SOURCES})
  target_link_libraries(${name} PRIVATE ${folder} ${U_LIBS} cmocka rookery_flags)
  add_test(NAME unit/${folder}/${name} COMMAND ${name})
  set_tests_properties(unit/${folder}/${name} PROPERTIES LABELS unit TIMEOUT 120)
endfunction()

# add_fuzz(NAME LAYER…): tests/fuzz/NAME.c. With ROOKERY_FUZZ a libFuzzer program; always a replay
# of its corpus under ctest.
function(add_fuzz name)
  set(corpus ${CMAKE_SOURCE_DIR}/tests/fuzz/corpus/${name})
  add_executable(${name}_replay ${CMAKE_SOURCE_DIR}/tests/fuzz/${name}.c
    ${CMAKE_SOURCE_DIR}/tests/fuzz/replay_main.c)
  target_link_libraries(${name}_replay PRIVATE ${ARGN} rookery_flags)
  add_test(NAME fuzz/${name} COMMAND ${name}_replay ${corpus})
  set_tests_properties(fuzz/${name} PROPERTIES LABELS fuzz-replay TIMEOUT 60)
  if(ROOKERY_FUZZ)
    add_executable(${name} ${CMAKE_SOURCE_DIR}/tests/fuzz/${name}.c)
    target_compile_options(${name} PRIVATE -fsanitize=fuzzer)
    target_link_options(${name} PRIVATE -fsanitize=fuzzer)
    target_link_libraries(${name} PRIVATE ${ARGN} rookery_flags)
  endif()
endfunction()
