# GNU SASL as Debian 12 ships it has no CMake package. Result: target Gsasl::gsasl.
find_path(Gsasl_INCLUDE_DIR gsasl.h)
find_library(Gsasl_LIBRARY gsasl)
if(Gsasl_INCLUDE_DIR AND EXISTS "${Gsasl_INCLUDE_DIR}/gsasl-version.h")
    file(STRINGS "${Gsasl_INCLUDE_DIR}/gsasl-version.h" gsasl_version_line
        REGEX "#[ ]*define GSASL_VERSION \"")
    string(REGEX REPLACE ".*\"([0-9.]+).*" "\\1" Gsasl_VERSION "${gsasl_version_line}")
endif()
include(FindPackageHandleStandardArgs)
find_package_handle_standard_args(Gsasl
    REQUIRED_VARS Gsasl_LIBRARY Gsasl_INCLUDE_DIR
    VERSION_VAR Gsasl_VERSION)
if(Gsasl_FOUND AND NOT TARGET Gsasl::gsasl)
    add_library(Gsasl::gsasl UNKNOWN IMPORTED)
    set_target_properties(Gsasl::gsasl PROPERTIES
        IMPORTED_LOCATION "${Gsasl_LIBRARY}"
        INTERFACE_INCLUDE_DIRECTORIES "${Gsasl_INCLUDE_DIR}")
endif()
