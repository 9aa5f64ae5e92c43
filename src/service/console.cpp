#include "service/console.h"

#include <string>
#include <string_view>

namespace crossover::service {
namespace {

// Written by CMake from console/index.html.
constexpr std::string_view kPage =
#include "console_page.inc"
    ;

}  // namespace

http::Response console_page() {
    return {.status = 200,
            .content_type = "text/html; charset=utf-8",
            .body = std::string(kPage),
            .headers = {{"Content-Security-Policy",
                         "default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'; "
                         "connect-src 'self'; frame-ancestors 'none'; base-uri 'none'"},
                        {"X-Content-Type-Options", "nosniff"}}};
}

}  // namespace crossover::service
