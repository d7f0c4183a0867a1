# The shipped library: every layer in one, shared and static, only deja_* visible; and how others find it, by pkg-config
# and by find_package(deja). Both may be moved: they know where they are relative to each other.

set(layers deja_base deja_value deja_cache deja_runner deja_calls deja_jobs)
set(public_folders cache/base cache/value cache runner jobs/calls)
set(static_needs sqlite3 xxhash yaml zstd m dl) # of the static library, beside threads
set(objects "")
foreach(layer IN LISTS layers)
  list(APPEND objects $<TARGET_OBJECTS:${layer}>)
endforeach()

# What the version script does for the shared library, one object with its inner names made local does for the static one:
# a program may have a json_string() or a graph_free() of its own. Not with sanitizers, whose tables name symbols.
set(shared_objects ${objects})
set(static_objects ${objects})
if(CMAKE_LINKER AND CMAKE_OBJCOPY AND NOT DEJA_SANITIZE)
  set(static_objects ${PROJECT_BINARY_DIR}/libdeja.o)
  add_custom_command(OUTPUT ${static_objects}
    COMMAND ${CMAKE_LINKER} -r -o ${static_objects} ${objects}
    COMMAND ${CMAKE_OBJCOPY} --localize-hidden ${static_objects}
    DEPENDS ${layers} COMMAND_EXPAND_LISTS VERBATIM COMMENT "libdeja.o")
endif()

foreach(kind SHARED STATIC)
  string(TOLOWER ${kind} suffix)
  add_library(deja_lib_${suffix} ${kind} ${${suffix}_objects})
  set_target_properties(deja_lib_${suffix} PROPERTIES OUTPUT_NAME deja LINKER_LANGUAGE C
    VERSION ${PROJECT_VERSION} SOVERSION ${PROJECT_VERSION_MAJOR})
  # What a build of deja itself links is nothing that an installed package can name.
  target_link_libraries(deja_lib_${suffix} PRIVATE
    $<BUILD_INTERFACE:deja_flags> $<BUILD_INTERFACE:deja::sqlite3> $<BUILD_INTERFACE:deja::xxhash>
    $<BUILD_INTERFACE:deja::yaml> $<BUILD_INTERFACE:deja::zstd> Threads::Threads)
  foreach(folder IN LISTS public_folders)
    target_include_directories(deja_lib_${suffix} INTERFACE $<BUILD_INTERFACE:${PROJECT_SOURCE_DIR}/${folder}/include>)
  endforeach()
  target_include_directories(deja_lib_${suffix} INTERFACE $<INSTALL_INTERFACE:${CMAKE_INSTALL_INCLUDEDIR}>)
endforeach()
target_link_options(deja_lib_shared PRIVATE -Wl,--version-script=${PROJECT_SOURCE_DIR}/cmake/libdeja.map -Wl,--no-undefined)
target_link_libraries(deja_lib_static INTERFACE $<INSTALL_INTERFACE:${static_needs}>)

# The names that an outside project uses, for examples/ in this build too.
add_library(deja::deja ALIAS deja_lib_shared)
add_library(deja::deja_static ALIAS deja_lib_static)
set_target_properties(deja_lib_shared PROPERTIES EXPORT_NAME deja)
set_target_properties(deja_lib_static PROPERTIES EXPORT_NAME deja_static)

# The program is where README and scripts say: build/<preset>/deja.
set_target_properties(deja PROPERTIES RUNTIME_OUTPUT_DIRECTORY ${PROJECT_BINARY_DIR})

install(TARGETS deja RUNTIME DESTINATION ${CMAKE_INSTALL_BINDIR})
install(TARGETS deja_lib_shared deja_lib_static EXPORT dejaTargets
  LIBRARY DESTINATION ${CMAKE_INSTALL_LIBDIR}
  ARCHIVE DESTINATION ${CMAKE_INSTALL_LIBDIR})
foreach(folder IN LISTS public_folders)
  install(DIRECTORY ${PROJECT_SOURCE_DIR}/${folder}/include/ DESTINATION ${CMAKE_INSTALL_INCLUDEDIR})
endforeach()

# ---- how others find it ----

include(CMakePackageConfigHelpers)
configure_package_config_file(${PROJECT_SOURCE_DIR}/cmake/dejaConfig.cmake.in ${PROJECT_BINARY_DIR}/dejaConfig.cmake
  INSTALL_DESTINATION ${CMAKE_INSTALL_LIBDIR}/cmake/deja NO_SET_AND_CHECK_MACRO NO_CHECK_REQUIRED_COMPONENTS_MACRO)
write_basic_package_version_file(${PROJECT_BINARY_DIR}/dejaConfigVersion.cmake COMPATIBILITY SameMinorVersion)
install(EXPORT dejaTargets NAMESPACE deja:: DESTINATION ${CMAKE_INSTALL_LIBDIR}/cmake/deja)
install(FILES ${PROJECT_BINARY_DIR}/dejaConfig.cmake ${PROJECT_BINARY_DIR}/dejaConfigVersion.cmake
  DESTINATION ${CMAKE_INSTALL_LIBDIR}/cmake/deja)

file(RELATIVE_PATH deja_pc_prefix ${CMAKE_INSTALL_FULL_LIBDIR}/pkgconfig ${CMAKE_INSTALL_PREFIX})
string(REGEX REPLACE "/$" "" deja_pc_prefix "${deja_pc_prefix}")
file(RELATIVE_PATH deja_pc_include ${CMAKE_INSTALL_PREFIX} ${CMAKE_INSTALL_FULL_INCLUDEDIR})
list(TRANSFORM static_needs PREPEND -l OUTPUT_VARIABLE deja_pc_private)
list(JOIN deja_pc_private " " deja_pc_private)
string(APPEND deja_pc_private " -pthread")
configure_file(${PROJECT_SOURCE_DIR}/cmake/deja.pc.in ${PROJECT_BINARY_DIR}/deja.pc @ONLY)
install(FILES ${PROJECT_SOURCE_DIR}/jobs/cli/events.schema.json DESTINATION ${CMAKE_INSTALL_DATADIR}/deja)
install(FILES ${PROJECT_BINARY_DIR}/deja.pc DESTINATION ${CMAKE_INSTALL_LIBDIR}/pkgconfig)
