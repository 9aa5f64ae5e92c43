#include "base/encodings.h"

#include <absl/strings/escaping.h>
#include <simdjson.h>

namespace crossover {

std::string base64(std::string_view bytes) {
    return absl::Base64Escape({bytes.data(), bytes.size()});
}

std::string hex(std::string_view bytes) {
    return absl::BytesToHexString({bytes.data(), bytes.size()});
}

std::string from_hex(std::string_view digits) {
    return absl::HexStringToBytes({digits.data(), digits.size()});
}

bool is_utf8(std::string_view bytes) {
    return simdjson::validate_utf8(bytes.data(), bytes.size());
}

}  // namespace crossover
