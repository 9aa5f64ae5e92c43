#pragma once

#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace crossover::http {

/// What a handler answers. A plain value.
struct Response {
    unsigned status = 200;
    std::string content_type = "application/json";
    std::string body{};
    /// Beyond Content-Type, Content-Length, Connection and Date, which the server writes itself.
    std::vector<std::pair<std::string, std::string>> headers{};
};

/// An error answer: a problem document (RFC 9457) of type "about:blank". `detail` is a sentence for the
/// person who reads the answer, so nothing internal may be in it; bytes that are not UTF-8 are replaced.
Response problem(unsigned status, std::string_view detail);

}  // namespace crossover::http
