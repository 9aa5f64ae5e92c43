set(CMAKE_CXX_STANDARD 20)
set(CMAKE_CXX_STANDARD_REQUIRED ON)
set(CMAKE_CXX_EXTENSIONS OFF)
set(CMAKE_RUNTIME_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/bin)
set_property(GLOBAL PROPERTY USE_FOLDERS ON)

find_program(CCACHE_PROGRAM ccache)
if(CCACHE_PROGRAM AND NOT CMAKE_CXX_COMPILER_LAUNCHER)
    set(CMAKE_CXX_COMPILER_LAUNCHER ${CCACHE_PROGRAM})
endif()

# Flags of our own code; generated code and libraries stay outside.
add_library(crossover_flags INTERFACE)
target_include_directories(crossover_flags INTERFACE ${PROJECT_SOURCE_DIR}/src)
target_compile_options(crossover_flags INTERFACE -Wall -Wextra -Wpedantic)
if(CROSSOVER_WERROR)
    target_compile_options(crossover_flags INTERFACE -Werror)
endif()

if(CROSSOVER_SANITIZE)
    add_compile_options(-fsanitize=${CROSSOVER_SANITIZE} -fno-omit-frame-pointer -fno-sanitize-recover=all)
    add_link_options(-fsanitize=${CROSSOVER_SANITIZE})
endif()
