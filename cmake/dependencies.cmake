# Third-party libraries: deja::sqlite3, deja::xxhash, deja::yaml, deja::zstd. With DEJA_STATIC_DEPS the archive is taken
# where it is installed: a program that starts in a millisecond has no time for the dynamic linker (measured in
# tests/bench/README.md).

find_package(Threads REQUIRED)

function(deja_third_party name header library)
  find_path(${name}_INCLUDE_DIR ${header})
  find_library(${name}_SHARED ${library})
  find_library(${name}_ARCHIVE lib${library}.a)
  if(NOT ${name}_INCLUDE_DIR OR NOT (${name}_SHARED OR ${name}_ARCHIVE))
    message(FATAL_ERROR "deja needs lib${library} with its header ${header}: run ./tests/run --packages to see what to install")
  endif()
  add_library(deja_third_party_${name} INTERFACE)
  add_library(deja::${name} ALIAS deja_third_party_${name})
  target_include_directories(deja_third_party_${name} SYSTEM INTERFACE ${${name}_INCLUDE_DIR})
  if(DEJA_STATIC_DEPS AND ${name}_ARCHIVE)
    target_link_libraries(deja_third_party_${name} INTERFACE ${${name}_ARCHIVE})
  else()
    target_link_libraries(deja_third_party_${name} INTERFACE ${${name}_SHARED})
  endif()
endfunction()

deja_third_party(sqlite3 sqlite3.h sqlite3)
deja_third_party(xxhash xxhash.h xxhash)
deja_third_party(yaml yaml.h yaml)
deja_third_party(zstd zstd.h zstd)
find_library(LIBM m)
target_link_libraries(deja_third_party_sqlite3 INTERFACE ${LIBM} Threads::Threads ${CMAKE_DL_LIBS})
