// Client: the server itself.
#include <fmt/chrono.h>
#include <fmt/format.h>

#include <chrono>

#include "milvus/node_info.h"
#include "milvus/transport.h"

namespace crossover::milvus {

Client::Client(ClientConfig config) : state_(std::make_unique<State>(config)) {}
Client::~Client() = default;

const std::string& Client::address() const {
    return state_->transport.address();
}

ServerVersion Client::check_connection(Deadline deadline) {
    auto& transport = state_->transport;
    wire::milvus::ConnectRequest hello;
    auto& info = *hello.mutable_client_info();
    info.set_sdk_type("Crossover");
    info.set_local_time(fmt::format("{:%FT%TZ}", std::chrono::system_clock::now()));
    const auto welcome = transport.call(&Service::Stub::Connect, hello, deadline, "connecting");
    transport.set_identifier(welcome.identifier());
    // Some servers let Connect pass without looking at the token or the database; listing needs both.
    list_collections(deadline);
    return version(deadline);
}

ServerVersion Client::version(Deadline deadline) {
    const auto response =
        state_->transport.call(&Service::Stub::GetVersion, {}, deadline, "asking for the version");
    auto version = parse_server_version(response.version());
    if (!version) {
        throw Error(
            System::milvus, ErrorKind::protocol,
            fmt::format(
                "{}: its version '{}' cannot be read. Check that this is a released Milvus, 2.3 or newer.",
                address(), response.version()));
    }
    return *version;
}

Health Client::health(Deadline deadline) {
    const auto response =
        state_->transport.call(&Service::Stub::CheckHealth, {}, deadline, "asking for health");
    return {response.ishealthy(), {response.reasons().begin(), response.reasons().end()}};
}

std::vector<NodeMetrics> Client::node_metrics(Deadline deadline) {
    wire::milvus::GetMetricsRequest request;
    request.set_request(R"({"metric_type":"system_info"})");
    const auto response =
        state_->transport.call(&Service::Stub::GetMetrics, request, deadline, "asking for node metrics");
    auto nodes = parse_system_info(response.response());
    if (!nodes) {
        throw Error(
            System::milvus, ErrorKind::protocol,
            fmt::format(
                "{}: its node metrics are not the JSON that Milvus 2.3 and newer send. Check the server's "
                "version.",
                address()));
    }
    return std::move(*nodes);
}

void Client::see_all_until_now(Deadline deadline) {
    const auto response =
        state_->transport.call(&Service::Stub::AllocTimestamp, {}, deadline, "asking for a timestamp");
    state_->see_writes_until(response.timestamp());
}

}  // namespace crossover::milvus
