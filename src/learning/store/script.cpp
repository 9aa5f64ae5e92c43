#include "learning/store/script.h"

#include <fmt/format.h>
#include <openssl/sha.h>

#include <array>
#include <vector>

#include "base/encodings.h"
#include "base/error.h"

namespace crossover::learning {

namespace {

std::string sha1_hex(std::string_view text) {
    std::array<unsigned char, SHA_DIGEST_LENGTH> digest{};
    SHA1(reinterpret_cast<const unsigned char*>(text.data()), text.size(), digest.data());
    return hex({reinterpret_cast<const char*>(digest.data()), digest.size()});
}

}  // namespace

Script::Script(std::string source) : source_(std::move(source)), digest_(sha1_hex(source_)) {}

redis::Reply Script::run(redis::Connection& connection, std::span<const std::string> keys,
                         std::span<const std::string> arguments, Deadline deadline) const {
    const std::string count = std::to_string(keys.size());
    std::vector<std::string_view> words = {"EVALSHA", digest_, count};
    words.insert(words.end(), keys.begin(), keys.end());
    words.insert(words.end(), arguments.begin(), arguments.end());
    try {
        return connection.call(words, deadline);
    } catch (const Error& error) {
        if (error.native_code() != "NOSCRIPT") throw;
    }
    words[0] = "EVAL";
    words[1] = source_;
    return connection.call(words, deadline);
}

}  // namespace crossover::learning
