#include "http/response.h"

#include <boost/beast/http/status.hpp>
#include <nlohmann/json.hpp>

namespace crossover::http {

Response problem(unsigned status, std::string_view detail) {
    const auto title = boost::beast::http::obsolete_reason(boost::beast::http::int_to_status(status));
    const nlohmann::ordered_json document = {{"type", "about:blank"},
                                             {"title", std::string_view(title.data(), title.size())},
                                             {"status", status},
                                             {"detail", detail}};
    Response response;
    response.status = status;
    response.content_type = "application/problem+json";
    response.body = document.dump(-1, ' ', false, nlohmann::ordered_json::error_handler_t::replace);
    return response;
}

}  // namespace crossover::http
