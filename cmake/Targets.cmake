# crossover_library(NAME SOURCES... PUBLIC targets... PRIVATE targets...)
# One static library per folder of src/, known to others as crossover::NAME.
function(crossover_library name)
    cmake_parse_arguments(ARG "" "" "SOURCES;PUBLIC;PRIVATE" ${ARGN})
    add_library(crossover_${name} STATIC ${ARG_SOURCES})
    add_library(crossover::${name} ALIAS crossover_${name})
    target_link_libraries(crossover_${name} PUBLIC ${ARG_PUBLIC} PRIVATE crossover_flags ${ARG_PRIVATE})
    target_include_directories(crossover_${name} PUBLIC ${PROJECT_SOURCE_DIR}/src)
endfunction()

# crossover_test(NAME LABEL SOURCES... LINK targets...)
# A GoogleTest program registered with ctest under LABEL (unit or integration).
function(crossover_test name label)
    cmake_parse_arguments(ARG "" "" "SOURCES;LINK" ${ARGN})
    add_executable(${name} ${ARG_SOURCES})
    target_link_libraries(${name} PRIVATE crossover_flags ${ARG_LINK} GTest::gmock GTest::gtest_main)
    target_include_directories(${name} PRIVATE ${PROJECT_SOURCE_DIR}/tests)
    add_test(NAME ${name} COMMAND ${name})
    set_tests_properties(${name} PROPERTIES LABELS ${label} TIMEOUT 300)
    if(CROSSOVER_SANITIZE MATCHES thread)
        # gRPC comes without instrumentation: what it does to synchronise is not seen.
        set_tests_properties(${name} PROPERTIES ENVIRONMENT
            "TSAN_OPTIONS=ignore_noninstrumented_modules=1")
    endif()
endfunction()
