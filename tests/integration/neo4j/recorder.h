#pragma once

#include <algorithm>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <utility>
#include <vector>

#include "bolt/chunking.h"
#include "bolt/driver.h"
#include "net/tcp.h"

namespace crossover::neo4j::test {

/// What a driver sends to Neo4j as statements, by a name that the test has given to what it was doing.
class Recorder {
  public:
    struct Statement {
        std::string name;
        std::string text;
        bolt::Map parameters;
    };

    /// Of what is sent from now on; the second statement under one name is "… (2)".
    void now(std::string name) {
        const std::lock_guard lock(mutex_);
        name_ = std::move(name);
    }
    /// Of statements that hold `part`, which another thread sends at any time.
    void apart(std::string part, std::string name) {
        const std::lock_guard lock(mutex_);
        apart_ = {std::move(part), std::move(name)};
    }
    void add(std::string text, bolt::Map parameters) {
        const std::lock_guard lock(mutex_);
        const auto known = std::find_if(statements_.begin(), statements_.end(),
                                        [&](const auto& statement) { return statement.text == text; });
        if (known != statements_.end()) return;
        const bool apart = !apart_.first.empty() && text.find(apart_.first) != std::string::npos;
        auto name = apart ? apart_.second : name_;
        if (const int place = ++counts_[name]; place > 1) name += " (" + std::to_string(place) + ")";
        statements_.push_back({name, std::move(text), std::move(parameters)});
    }
    std::vector<Statement> statements() const {
        const std::lock_guard lock(mutex_);
        return statements_;
    }

    bolt::Connector connector();

  private:
    mutable std::mutex mutex_;
    std::string name_;
    std::pair<std::string, std::string> apart_;
    std::map<std::string, int> counts_;
    std::vector<Statement> statements_;
};

/// Hears of each statement before it is sent, with what it is sent along with ("tx_timeout", in
/// milliseconds); may hold it up, or throw in the connection's stead.
using StatementListener = std::function<void(std::string text, bolt::Map parameters, bolt::Map extra)>;

/// Passes everything on and reads along what the client says.
class RecordedStream final : public net::ByteStream {
  public:
    RecordedStream(StatementListener listener, std::unique_ptr<net::ByteStream> stream)
        : listener_(std::move(listener)), stream_(std::move(stream)) {}

    std::size_t read_some(std::span<std::byte> buffer, Deadline deadline) override {
        return stream_->read_some(buffer, deadline);
    }
    void write(std::span<const std::byte> bytes, Deadline deadline) override {
        const auto fresh = bytes.subspan(std::min(bytes.size(), handshake_left_));
        handshake_left_ -= bytes.size() - fresh.size();
        const auto room = messages_.prepare(fresh.size());
        std::copy(fresh.begin(), fresh.end(), room.begin());
        messages_.commit(fresh.size());
        while (const auto message = messages_.next_message()) {
            bolt::Decoder decoder(*message);
            bolt::StructHeader header;
            std::string_view text;
            bolt::Map parameters, extra;
            constexpr std::uint8_t kRun = 0x10;
            if (decoder.read_struct_header(header) && header.tag == kRun && decoder.read_string(text) &&
                decoder.read_map(parameters) && decoder.read_map(extra)) {
                listener_(std::string(text), std::move(parameters), std::move(extra));
            }
        }
        stream_->write(bytes, deadline);
    }
    void shutdown() noexcept override { stream_->shutdown(); }
    const std::string& peer() const noexcept override { return stream_->peer(); }
    bool idle_and_open() noexcept override { return stream_->idle_and_open(); }

  private:
    const StatementListener listener_;
    std::unique_ptr<net::ByteStream> stream_;
    bolt::Dechunker messages_;
    std::size_t handshake_left_ = 25;  ///< the greeting, and the choice of a version out of a manifest
};

inline bolt::Connector listening_connector(StatementListener listener) {
    return [listener = std::move(listener)](const bolt::Address& address,
                                            Deadline deadline) -> std::unique_ptr<net::ByteStream> {
        return std::make_unique<RecordedStream>(
            listener, net::tcp_connect(address.host, address.port, deadline, System::neo4j));
    };
}

inline bolt::Connector Recorder::connector() {
    return listening_connector([this](std::string text, bolt::Map parameters, const bolt::Map&) {
        add(std::move(text), std::move(parameters));
    });
}

}  // namespace crossover::neo4j::test
