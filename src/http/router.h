#pragma once

#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "http/request.h"
#include "http/response.h"

namespace crossover::http {

enum class Access {
    token,  ///< wants the bearer token, where the server has one
    anyone  ///< for a supervisor's probes, which are answered however busy the rest is
};

/// Which handler answers which request. Filled once, then only read, from any thread.
class Router {
  public:
    /// Called from several threads at once, and may block. What it throws becomes a 500 without details.
    using Handler = std::function<Response(const Request&)>;

    struct Segment {
        std::string text;
        bool is_parameter;
    };
    struct Route {
        std::string method;
        std::string pattern;  ///< "/v1/media/{id}"
        std::vector<Segment> segments;
        Handler handler;
        Access access;
    };
    struct Match {
        const Route* route = nullptr;
        std::string_view pattern;  ///< that the path fits, even where the method does not; else empty
        std::string allow;         ///< without a route: the methods that the path has; else empty
    };

    /// `route` is a method and a pattern: "PUT /v1/media/{id}". {id} stands for one segment of any text but
    /// the empty one. Where several routes fit, the first added wins. GET answers HEAD too. Throws
    /// Error(internal) for what is no route, and for one that is there already.
    void add(std::string_view route, Handler handler, Access access = Access::token);

    /// Whether any route wants the bearer token; true of a router without routes, which may get some.
    bool wants_token() const;
    Match find(std::string_view method, const std::vector<std::string>& segments) const;

  private:
    std::vector<Route> routes_;
};

}  // namespace crossover::http
