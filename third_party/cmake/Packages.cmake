# Every library of the build, found by name; a missing one stops the build with the Debian package
# that holds it. `scripts/bootstrap` installs them all.
list(APPEND CMAKE_MODULE_PATH "${CMAKE_CURRENT_LIST_DIR}")

macro(mailflow_package name debian)
    find_package(${name} ${ARGN} QUIET)
    if(NOT ${name}_FOUND)
        message(FATAL_ERROR
            "mailflow needs ${name}, which is not here or too old. Install it: apt-get install ${debian} "
            "(or run scripts/bootstrap, which installs everything).")
    endif()
endmacro()

# The foundation.
set(Boost_NO_WARN_NEW_VERSIONS ON)
mailflow_package(Boost "libboost1.81-dev libboost-json1.81-dev" 1.81 COMPONENTS json)
mailflow_package(OpenSSL libssl-dev 3.0)
mailflow_package(Cares libc-ares-dev)
mailflow_package(fmt libfmt-dev 9)
mailflow_package(SQLite3 libsqlite3-dev 3.40)
if(MAILFLOW_TESTS)
    mailflow_package(Catch2 catch2 2.13)
endif()

# What none of the six can do; reasons in third_party/README.md.
mailflow_package(SQLiteCpp libsqlitecpp-dev)
mailflow_package(tomlplusplus libtomlplusplus-dev)
mailflow_package(Idn2 libidn2-dev)
mailflow_package(Gsasl libgsasl-dev 2.2)
mailflow_package(PrometheusCore prometheus-cpp-dev)
mailflow_package(Threads libc6-dev)
