#include "milvus/transport.h"

#include <absl/synchronization/mutex.h>
#include <fmt/format.h>
#include <grpcpp/completion_queue.h>
#include <grpcpp/create_channel.h>
#include <grpcpp/security/credentials.h>

#include <algorithm>
#include <fstream>
#include <iterator>

#include "base/encodings.h"
#include "milvus/endpoint.h"

namespace crossover::milvus {
namespace {

std::shared_ptr<grpc::ChannelCredentials> credentials(const ClientConfig& config, bool tls) {
    if (!tls) {
        if (!config.ca_file.empty()) {
            throw Error(System::milvus, ErrorKind::usage,
                        "A CA file for Milvus is given, but its URI is not https. Write https://host:port, "
                        "or leave the "
                        "CA file out.");
        }
        return grpc::InsecureChannelCredentials();
    }
    grpc::SslCredentialsOptions options;
    if (!config.ca_file.empty()) {
        std::ifstream file(config.ca_file, std::ios::binary);
        options.pem_root_certs.assign(std::istreambuf_iterator<char>(file), {});
        if (!file || options.pem_root_certs.find("-----BEGIN CERTIFICATE-----") == std::string::npos) {
            throw Error(
                System::milvus, ErrorKind::usage,
                fmt::format("The CA file '{}' for Milvus cannot be read or holds no PEM certificate. Give a "
                            "readable file in PEM form.",
                            config.ca_file));
        }
    }
    return grpc::SslCredentials(options);
}

grpc::ChannelArguments channel_arguments() {
    grpc::ChannelArguments arguments;
    arguments.SetMaxReceiveMessageSize(-1);
    arguments.SetMaxSendMessageSize(-1);  // ours is checked before, with a better message
    // Channels with equal arguments would share one connection.
    arguments.SetInt(GRPC_ARG_USE_LOCAL_SUBCHANNEL_POOL, 1);
    arguments.SetInt(GRPC_ARG_ENABLE_RETRIES, 0);
    // A restarted server is found again soon; MIN bounds one attempt to connect, not the pause between two.
    arguments.SetInt(GRPC_ARG_INITIAL_RECONNECT_BACKOFF_MS, 200);
    arguments.SetInt(GRPC_ARG_MIN_RECONNECT_BACKOFF_MS, 20'000);
    arguments.SetInt(GRPC_ARG_MAX_RECONNECT_BACKOFF_MS, 2'000);
    // The server allows pings every 5 s; a peer that vanished without a word is noticed within 20 s.
    arguments.SetInt(GRPC_ARG_KEEPALIVE_TIME_MS, 10'000);
    arguments.SetInt(GRPC_ARG_KEEPALIVE_TIMEOUT_MS, 10'000);
    arguments.SetInt(GRPC_ARG_KEEPALIVE_PERMIT_WITHOUT_CALLS, 1);
    arguments.SetInt(GRPC_ARG_HTTP2_MAX_PINGS_WITHOUT_DATA, 0);
    return arguments;
}

}  // namespace

Transport::Transport(const ClientConfig& config) : database_(config.database) {
    // Debian's Abseil looks for lock cycles at each lock, which takes 5 % of what a search costs us.
    absl::SetMutexDeadlockDetectionMode(absl::OnDeadlockCycle::kIgnore);
    const Endpoint endpoint = parse_endpoint(config.uri);
    address_ = "Milvus at " + endpoint.authority();
    if (!config.token.empty()) authorization_ = base64(config.token);
    const auto secret = credentials(config, endpoint.tls);
    const int count = std::clamp(config.connections, 1, 64);
    for (int i = 0; i < count; ++i) {
        Connection connection;
        connection.channel =
            grpc::CreateCustomChannel("dns:///" + endpoint.authority(), secret, channel_arguments());
        connection.stub = Service::NewStub(connection.channel);
        connection.generic = std::make_unique<grpc::GenericStub>(connection.channel);
        connections_.push_back(std::move(connection));
    }
}

Transport::Connection& Transport::next(Deadline deadline) {
    // gRPC's timers are too coarse for it: a quick answer would come first.
    if (deadline.passed()) {
        throw make_grpc_error(address_, "call", grpc::StatusCode::DEADLINE_EXCEEDED,
                              "the deadline had passed before");
    }
    const std::size_t turn = turn_++;
    const auto in_turn = [&](std::size_t n) -> Connection& {
        return connections_[(turn + n) % connections_.size()];
    };
    for (std::size_t n = 0; n < connections_.size(); ++n) {
        if (in_turn(n).channel->GetState(true) != GRPC_CHANNEL_TRANSIENT_FAILURE) return in_turn(n);
    }
    // After a failure calls fail at once until the connection is back, and gRPC moves an attempt to connect
    // on only while somebody polls, or every 5 s: the caller lends it a moment, or it may never get through.
    const auto moment = std::min(deadline.remaining(), std::chrono::milliseconds(300));
    in_turn(0).channel->WaitForConnected(gpr_time_from_millis(moment.count(), GPR_TIMESPAN));
    return in_turn(0);
}

void Transport::prepare(grpc::ClientContext& context, Deadline deadline) const {
    // A time span, not a time of day: immune to steps of the wall clock.
    context.set_deadline(gpr_time_from_millis(deadline.remaining().count(), GPR_TIMESPAN));
    context.set_wait_for_ready(false);
    if (!authorization_.empty()) context.AddMetadata("authorization", authorization_);
    if (!database_.empty()) context.AddMetadata("dbname", database_);
    if (const std::int64_t identifier = identifier_; identifier != 0) {
        context.AddMetadata("identifier", std::to_string(identifier));
    }
}

grpc::ByteBuffer Transport::ask_raw(const char* path, const grpc::ByteBuffer& request, Deadline deadline,
                                    const std::string& operation) {
    Connection& connection = next(deadline);
    grpc::ClientContext context;
    prepare(context, deadline);
    grpc::CompletionQueue queue;
    const auto call = connection.generic->PrepareUnaryCall(&context, path, request, &queue);
    call->StartCall();
    grpc::ByteBuffer response;
    grpc::Status status;
    call->Finish(&response, &status, nullptr);
    void* tag = nullptr;
    bool good = false;
    queue.Next(&tag, &good);  // the call's own deadline ends it
    queue.Shutdown();
    while (queue.Next(&tag, &good)) {
    }
    check(status, operation);
    return response;
}

void Transport::check(const grpc::Status& status, const std::string& operation) const {
    if (!status.ok()) throw make_grpc_error(address_, operation, status.error_code(), status.error_message());
}

void Transport::check(const ServerStatus& status, const std::string& operation) const {
    if (!status.ok()) throw make_error(address_, operation, status);
}

}  // namespace crossover::milvus
