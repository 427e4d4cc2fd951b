# c-ares as Debian 12 ships it has no CMake package: header and library are looked up by name.
# Result: target Cares::cares.
find_path(Cares_INCLUDE_DIR ares.h)
find_library(Cares_LIBRARY cares)
include(FindPackageHandleStandardArgs)
find_package_handle_standard_args(Cares REQUIRED_VARS Cares_LIBRARY Cares_INCLUDE_DIR)
if(Cares_FOUND AND NOT TARGET Cares::cares)
    add_library(Cares::cares UNKNOWN IMPORTED)
    set_target_properties(Cares::cares PROPERTIES
        IMPORTED_LOCATION "${Cares_LIBRARY}"
        INTERFACE_INCLUDE_DIRECTORIES "${Cares_INCLUDE_DIR}")
endif()
