# The shipped library: every layer in one, shared and static, only deja_* visible.

set(layers deja_base deja_value deja_cache deja_runner deja_jobs)
set(objects "")
foreach(layer IN LISTS layers)
  list(APPEND objects $<TARGET_OBJECTS:${layer}>)
endforeach()

foreach(kind SHARED STATIC)
  string(TOLOWER ${kind} suffix)
  add_library(deja_lib_${suffix} ${kind} ${objects})
  set_target_properties(deja_lib_${suffix} PROPERTIES OUTPUT_NAME deja LINKER_LANGUAGE C
    VERSION ${PROJECT_VERSION} SOVERSION ${PROJECT_VERSION_MAJOR})
  target_link_libraries(deja_lib_${suffix} PRIVATE deja_flags deja::sqlite3 deja::xxhash deja::yaml deja::zstd Threads::Threads)
  foreach(folder cache/base cache/value cache runner jobs)
    target_include_directories(deja_lib_${suffix} INTERFACE $<BUILD_INTERFACE:${PROJECT_SOURCE_DIR}/${folder}/include>)
  endforeach()
  target_include_directories(deja_lib_${suffix} INTERFACE $<INSTALL_INTERFACE:${CMAKE_INSTALL_INCLUDEDIR}>)
endforeach()
target_link_options(deja_lib_shared PRIVATE -Wl,--version-script=${PROJECT_SOURCE_DIR}/cmake/libdeja.map -Wl,--no-undefined)

# The program is where README and scripts say: build/<preset>/deja.
set_target_properties(deja PROPERTIES RUNTIME_OUTPUT_DIRECTORY ${PROJECT_BINARY_DIR})

install(TARGETS deja_lib_shared deja_lib_static deja
  RUNTIME DESTINATION ${CMAKE_INSTALL_BINDIR}
  LIBRARY DESTINATION ${CMAKE_INSTALL_LIBDIR}
  ARCHIVE DESTINATION ${CMAKE_INSTALL_LIBDIR})
foreach(folder cache/base cache/value cache runner jobs)
  install(DIRECTORY ${PROJECT_SOURCE_DIR}/${folder}/include/ DESTINATION ${CMAKE_INSTALL_INCLUDEDIR})
endforeach()
