#include "http/router.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/error.h"
#include "http/target.h"

namespace crossover::http {
namespace {

bool fits(const std::vector<Router::Segment>& pattern, const std::vector<std::string>& segments) {
    return std::equal(pattern.begin(), pattern.end(), segments.begin(), segments.end(),
                      [](const Router::Segment& wanted, const std::string& given) {
                          return wanted.is_parameter ? !given.empty() : wanted.text == given;
                      });
}

}  // namespace

void Router::add(std::string_view route, Handler handler, Access access) {
    const auto refuse = [&](std::string_view why) {
        throw Error(System::internal, ErrorKind::internal, fmt::format("the route '{}' {}", route, why));
    };
    const auto blank = route.find(' ');
    if (blank == 0 || blank == std::string_view::npos) refuse("is no method and pattern");
    Route added{std::string(route.substr(0, blank)),
                std::string(route.substr(blank + 1)),
                {},
                std::move(handler),
                access};
    Target target;
    if (parse_target(added.pattern, target)) refuse("has no path as its pattern");
    for (auto& text : target.segments) {
        const bool is_parameter = text.size() > 2 && text.front() == '{' && text.back() == '}';
        if (is_parameter) text = text.substr(1, text.size() - 2);
        added.segments.push_back({std::move(text), is_parameter});
    }
    for (const auto& other : routes_) {
        if (other.method == added.method && other.pattern == added.pattern) refuse("is there already");
    }
    routes_.push_back(std::move(added));
}

bool Router::wants_token() const {
    return routes_.empty() || std::any_of(routes_.begin(), routes_.end(),
                                          [](const Route& route) { return route.access == Access::token; });
}

Router::Match Router::find(std::string_view method, const std::vector<std::string>& segments) const {
    if (method == "HEAD") method = "GET";
    Match match;
    for (const auto& route : routes_) {
        if (!fits(route.segments, segments)) continue;
        if (route.method == method) return {&route, route.pattern, {}};
        if (match.pattern.empty()) match.pattern = route.pattern;
        if (!match.allow.empty()) match.allow += ", ";
        match.allow += route.method == "GET" ? "GET, HEAD" : route.method;
    }
    return match;
}

}  // namespace crossover::http
