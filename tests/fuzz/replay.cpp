#include <cstddef>
#include <filesystem>
#include <fstream>
#include <iostream>
#include <iterator>
#include <string>

/// Runs a fuzz target over the files of the folders given, without a fuzzer: any compiler, any sanitizer.
/// The target aborts on a failure; the last file named is then the culprit.
extern "C" int LLVMFuzzerTestOneInput(const unsigned char* data, std::size_t size);

int main(int argc, char** argv) {
    std::size_t count = 0;
    for (int i = 1; i < argc; ++i) {
        for (const auto& entry : std::filesystem::recursive_directory_iterator(argv[i])) {
            if (!entry.is_regular_file()) continue;
            std::cout << entry.path().filename().string() << std::endl;
            std::ifstream file(entry.path(), std::ios::binary);
            const std::string content{std::istreambuf_iterator<char>(file), {}};
            LLVMFuzzerTestOneInput(reinterpret_cast<const unsigned char*>(content.data()), content.size());
            ++count;
        }
    }
    std::cout << count << " inputs replayed" << std::endl;
    return count == 0 ? 1 : 0;
}
