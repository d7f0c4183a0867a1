# Flags of every target of ours, and the one function that makes a layer.

add_library(deja_flags INTERFACE)
target_compile_definitions(deja_flags INTERFACE _GNU_SOURCE _FILE_OFFSET_BITS=64)
target_compile_options(deja_flags INTERFACE
  -Wall -Wextra -Wshadow -Wstrict-prototypes -Wmissing-prototypes -Wpointer-arith -Wvla -Wwrite-strings
  -Wformat=2 -Wundef -fno-common -fstack-protector-strong
  $<$<BOOL:${DEJA_WERROR}>:-Werror>
  $<$<CONFIG:Release>:-O2>)
if(DEJA_SANITIZE)
  target_compile_options(deja_flags INTERFACE -fsanitize=${DEJA_SANITIZE} -fno-omit-frame-pointer -fno-sanitize-recover=all)
  target_link_options(deja_flags INTERFACE -fsanitize=${DEJA_SANITIZE})
endif()

# deja_layer(NAME [LOWER layer...] [THIRD_PARTY target...])
# Makes the static library deja_NAME of the current folder's *.c: include/ is public, the folder itself private, the
# lower layers public (their headers may be included), third-party libraries private.
function(deja_layer name)
  cmake_parse_arguments(LAYER "" "" "LOWER;THIRD_PARTY" ${ARGN})
  file(GLOB sources CONFIGURE_DEPENDS ${CMAKE_CURRENT_SOURCE_DIR}/*.c)
  add_library(deja_${name} STATIC ${sources})
  target_include_directories(deja_${name}
    PUBLIC $<BUILD_INTERFACE:${CMAKE_CURRENT_SOURCE_DIR}/include>
    PRIVATE ${CMAKE_CURRENT_SOURCE_DIR})
  target_link_libraries(deja_${name} PUBLIC ${LAYER_LOWER} PRIVATE deja_flags ${LAYER_THIRD_PARTY})
endfunction()
