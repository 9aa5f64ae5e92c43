#pragma once

#include <grpcpp/channel.h>
#include <grpcpp/client_context.h>
#include <grpcpp/generic/generic_stub.h>

#include <atomic>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "base/deadline.h"
#include "milvus/client.h"
#include "milvus/milvus.grpc.pb.h"
#include "milvus/status.h"
#include "milvus/wire_read.h"

namespace crossover::milvus {

namespace wire = ::milvus::proto;
using Service = wire::milvus::MilvusService;

inline ServerStatus status_of(const wire::common::Status& response) {
    return to_status(response);
}
template <class Response>
ServerStatus status_of(const Response& response) {
    return to_status(response.status());
}

/// Unary calls to one Milvus over several connections, with the metadata that it wants. Thread-safe.
class Transport {
  public:
    explicit Transport(const ClientConfig& config);

    const std::string& address() const { return address_; }
    const std::string& database() const { return database_; }
    /// The number that Connect gave us; sent with each call from then on, as the official SDKs do.
    void set_identifier(std::int64_t identifier) { identifier_ = identifier; }

    /// Throws for a failed call and for a status that is no success.
    template <class Request, class Response>
    Response call(grpc::Status (Service::Stub::*rpc)(grpc::ClientContext*, const Request&, Response*),
                  Request request, Deadline deadline, const std::string& operation) {
        Response response = ask(rpc, std::move(request), deadline, operation);
        check(status_of(response), operation);
        return response;
    }

    /// Throws for a failed call only; the caller judges the status in the response.
    template <class Request, class Response>
    Response ask(grpc::Status (Service::Stub::*rpc)(grpc::ClientContext*, const Request&, Response*),
                 Request request, Deadline deadline, const std::string& operation) {
        if constexpr (requires { request.set_db_name(database_); }) request.set_db_name(database_);
        Connection& connection = next(deadline);
        grpc::ClientContext context;
        prepare(context, deadline);
        Response response;
        check((connection.stub.get()->*rpc)(&context, request, &response), operation);
        return response;
    }

    /// The same for bytes that are composed or decoded by hand. `path` is "/package.Service/Method".
    grpc::ByteBuffer ask_raw(const char* path, const grpc::ByteBuffer& request, Deadline deadline,
                             const std::string& operation);

    void check(const ServerStatus& status, const std::string& operation) const;

  private:
    struct Connection {
        std::shared_ptr<grpc::Channel> channel;
        std::unique_ptr<Service::Stub> stub;
        std::unique_ptr<grpc::GenericStub> generic;
    };

    /// The next in turn that is not broken; where all are, the next gets a moment to connect.
    Connection& next(Deadline deadline);
    void prepare(grpc::ClientContext& context, Deadline deadline) const;
    void check(const grpc::Status& status, const std::string& operation) const;

    std::string address_;
    std::string database_;
    std::string authorization_;
    std::atomic<std::int64_t> identifier_ = 0;
    std::atomic<std::size_t> turn_ = 0;
    std::vector<Connection> connections_;
};

struct Client::State {
    explicit State(const ClientConfig& config) : transport(config) {}

    UpsertResult send_upsert(const grpc::ByteBuffer& request, const std::string& operation,
                             Deadline deadline);
    ColumnBatch query(const CollectionRef& collection, wire::milvus::QueryRequest request,
                      const ReadFields& fields, Consistency consistency, Deadline deadline);

    Transport transport;
    /// On the server's clock: what a session-consistent read must see.
    std::atomic<std::uint64_t> seen_until = 0;
    void see_writes_until(std::uint64_t timestamp);
};

}  // namespace crossover::milvus
