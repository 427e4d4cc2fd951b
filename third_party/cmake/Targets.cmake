# mailflow_options: flags of every target. mailflow_library / mailflow_program / mailflow_test: one call a target.
add_library(mailflow_options INTERFACE)
target_include_directories(mailflow_options INTERFACE "${PROJECT_SOURCE_DIR}")
target_compile_definitions(mailflow_options INTERFACE
    BOOST_ASIO_SEPARATE_COMPILATION BOOST_ASIO_NO_DEPRECATED BOOST_ASIO_NO_TS_EXECUTORS
    BOOST_BEAST_SEPARATE_COMPILATION
    MAILFLOW_VERSION="${PROJECT_VERSION}")
target_compile_options(mailflow_options INTERFACE
    -Wall -Wextra -Wpedantic -Wshadow -Wconversion -Werror)
if(CMAKE_CXX_COMPILER_ID STREQUAL "GNU")
    # -Wrestrict: a false alarm on string concatenation at -O3 (GCC bug 105651). -Wmismatched-new-delete: a false alarm
    # on Asio's coroutine frames, whose operator new is aligned_alloc when it is inlined.
    target_compile_options(mailflow_options INTERFACE -fcoroutines -Wno-restrict $<$<COMPILE_LANGUAGE:CXX>:-Wno-mismatched-new-delete>)
    if(CCACHE_PROGRAM)
        target_compile_options(mailflow_options INTERFACE -fpch-preprocess)
    endif()
endif()
if(MAILFLOW_SANITIZE)
    target_compile_options(mailflow_options INTERFACE
        -fsanitize=${MAILFLOW_SANITIZE} -fno-omit-frame-pointer -fno-sanitize-recover=all)
    target_link_options(mailflow_options INTERFACE -fsanitize=${MAILFLOW_SANITIZE})
    if(MAILFLOW_SANITIZE MATCHES "thread")
        # GCC's TSan does not know the fences of Asio's fenced blocks.
        target_compile_definitions(mailflow_options INTERFACE BOOST_ASIO_DISABLE_FENCED_BLOCK)
    endif()
endif()
if(MAILFLOW_FUZZ)
    # Clang 14 cannot emit the function check of UBSan for coroutines.
    target_compile_options(mailflow_options INTERFACE
        -fsanitize=fuzzer-no-link,address,undefined -fno-sanitize=function -fno-sanitize-recover=all)
    target_link_options(mailflow_options INTERFACE -fsanitize=address,undefined)
endif()

# mailflow_library(NAME SOURCES file… LINK target… [PCH])
# PCH: compiled with the precompiled header of Asio (net and everything above it).
function(mailflow_library name)
    cmake_parse_arguments(arg "PCH" "" "SOURCES;LINK" ${ARGN})
    if(arg_SOURCES)
        add_library(${name} STATIC ${arg_SOURCES})
        target_link_libraries(${name} PUBLIC mailflow_options ${arg_LINK})
        if(arg_PCH)
            target_precompile_headers(${name} REUSE_FROM mailflow_net)
        endif()
    else()
        add_library(${name} INTERFACE)
        target_link_libraries(${name} INTERFACE mailflow_options ${arg_LINK})
    endif()
endfunction()

# mailflow_program(NAME SOURCES file… LINK target…)
function(mailflow_program name)
    cmake_parse_arguments(arg "" "" "SOURCES;LINK" ${ARGN})
    add_executable(${name} ${arg_SOURCES})
    target_link_libraries(${name} PRIVATE mailflow_options ${arg_LINK})
endfunction()

# mailflow_test(NAME SOURCES file… LINK target… [LABELS label…]): one Catch2 program, run by CTest as one test.
function(mailflow_test name)
    cmake_parse_arguments(arg "" "" "SOURCES;LINK;LABELS" ${ARGN})
    if(NOT MAILFLOW_TESTS)
        return()
    endif()
    add_executable(${name} ${arg_SOURCES})
    target_link_libraries(${name} PRIVATE mailflow_options mailflow_catch_main ${arg_LINK})
    add_test(NAME ${name} COMMAND ${name} WORKING_DIRECTORY "${PROJECT_SOURCE_DIR}")
    if(arg_LABELS)
        set_tests_properties(${name} PROPERTIES LABELS "${arg_LABELS}")
    endif()
endfunction()

# mailflow_fuzz(NAME SOURCES file… LINK target…): a libFuzzer target, only with MAILFLOW_FUZZ.
function(mailflow_fuzz name)
    cmake_parse_arguments(arg "" "" "SOURCES;LINK" ${ARGN})
    if(NOT MAILFLOW_FUZZ)
        return()
    endif()
    add_executable(${name} ${arg_SOURCES})
    target_link_libraries(${name} PRIVATE mailflow_options ${arg_LINK})
    target_link_options(${name} PRIVATE -fsanitize=fuzzer,address,undefined)
    if(NOT TARGET fuzzers)
        add_custom_target(fuzzers)
    endif()
    add_dependencies(fuzzers ${name})
endfunction()
