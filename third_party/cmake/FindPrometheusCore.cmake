# The core of prometheus-cpp alone: its CMake package also wants the libraries of its HTTP endpoints, which are not
# used. Result: target PrometheusCore::core.
find_path(PrometheusCore_INCLUDE_DIR prometheus/registry.h)
find_library(PrometheusCore_LIBRARY prometheus-cpp-core)
include(FindPackageHandleStandardArgs)
find_package_handle_standard_args(PrometheusCore REQUIRED_VARS PrometheusCore_LIBRARY PrometheusCore_INCLUDE_DIR)
if(PrometheusCore_FOUND AND NOT TARGET PrometheusCore::core)
    add_library(PrometheusCore::core UNKNOWN IMPORTED)
    set_target_properties(PrometheusCore::core PROPERTIES
        IMPORTED_LOCATION "${PrometheusCore_LIBRARY}"
        INTERFACE_INCLUDE_DIRECTORIES "${PrometheusCore_INCLUDE_DIR}")
endif()
