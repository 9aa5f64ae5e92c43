#pragma once

#include <algorithm>
#include <deque>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "bolt/chunking.h"
#include "bolt/driver.h"
#include "bolt/packstream.h"
#include "net/byte_stream.h"
#include "unit/packstream/bytes.h"

/// A Bolt server in memory: it reads the client's bytes and answers as Neo4j does, or as the test says.
namespace crossover::bolt::test {

enum Tag : std::uint8_t {
    kHello = 0x01,
    kGoodbye = 0x02,
    kReset = 0x0F,
    kRun = 0x10,
    kBegin = 0x11,
    kCommit = 0x12,
    kRollback = 0x13,
    kDiscard = 0x2F,
    kPull = 0x3F,
    kRoute = 0x66,
    kLogon = 0x6A
};

inline Bytes message(std::uint8_t tag, const Value* field = nullptr) {
    Bytes bytes;
    Encoder encoder(bytes);
    encoder.write_struct_header(field == nullptr ? 0 : 1, tag);
    if (field != nullptr) encoder.write_value(*field);
    return bytes;
}
inline Bytes success(Map metadata = {}) {
    const Value value(std::move(metadata));
    return message(0x70, &value);
}
inline Bytes failure(const std::string& code, const std::string& text = "because", bool modern = true) {
    const Value value(Map{{modern ? "neo4j_code" : "code", code}, {"message", text}});
    return message(0x7F, &value);
}
inline Bytes ignored() {
    return message(0x7E);
}
inline Bytes record(List fields) {
    const Value value(std::move(fields));
    return message(0x71, &value);
}

/// What all connections of one test share.
struct FakeServer {
    Version version{5, 8};
    bool manifest = true;
    std::int64_t rows = 3;                  ///< of each statement: 0, 1, 2, ...
    std::deque<std::vector<List>> results;  ///< of the next statements, instead
    std::int64_t keep_alive_seconds = 120;
    std::vector<Address> members;  ///< of the routing table; empty = whom was asked
    std::string home = "neo4j";    ///< the database that routing tables are of, where none is asked for
    std::size_t read_limit = 1 << 20;

    /// The next answers to a kind of request, instead of the usual.
    std::map<std::uint8_t, std::deque<Bytes>> instead;
    /// The connection is lost on the nth read or write of all, from 1; 0 = never.
    int lost_at = 0;
    /// Lost when a request of this kind arrives, so many times.
    std::map<std::uint8_t, int> lost_on;
    /// Such a request is never answered, nor is what follows it.
    std::uint8_t silent_on = 0;

    int io = 0;
    int connections = 0;
    int refused = 0;                               ///< connects to refuse
    std::vector<std::string> log;                  ///< "5.8 HELLO..." as hex of each message
    std::vector<std::pair<Address, int>> tags;     ///< where each request arrived
    std::vector<std::chrono::milliseconds> waits;  ///< that clients were ready for
    std::vector<Map> transactions;                 ///< what each BEGIN, and each RUN outside of one, said

    int count(std::uint8_t tag) const {
        return static_cast<int>(
            std::count_if(tags.begin(), tags.end(), [&](auto& entry) { return entry.second == tag; }));
    }
    Connector connector();
};

class FakeStream final : public net::ByteStream {
  public:
    FakeStream(FakeServer& server, Address address)
        : server_(server), address_(std::move(address)), peer_(to_string(address_)) {}

    std::size_t read_some(std::span<std::byte> buffer, Deadline deadline) override {
        touch();
        if (out_.empty()) {
            server_.waits.push_back(deadline.remaining());
            throw Error(System::neo4j, ErrorKind::timeout, "reading from " + peer_ + " took too long");
        }
        const std::size_t count = std::min({buffer.size(), out_.size(), server_.read_limit});
        std::copy_n(out_.begin(), count, buffer.begin());
        out_.erase(out_.begin(), out_.begin() + static_cast<std::ptrdiff_t>(count));
        return count;
    }
    void write(std::span<const std::byte> bytes, Deadline) override {
        touch();
        std::size_t used = 0;
        if (!greeted_) {
            greeted_ = true;
            used = 20;
            const auto version = server_.version;
            if (server_.manifest) {
                // 4.4 to 4.3, then ours as the top of a range of one; capability 9.
                append(hex("00 00 01 FF 02 00 01 04 04"));
                append(Bytes{std::byte{0}, std::byte{0}, std::byte{version.minor}, std::byte{version.major}});
                append(hex("09"));
                choice_left_ = 5;
            } else {
                append(Bytes{std::byte{0}, std::byte{0}, std::byte{version.minor}, std::byte{version.major}});
            }
        }
        while (choice_left_ > 0 && used < bytes.size()) {
            choice_.push_back(bytes[used++]);
            --choice_left_;
        }
        const auto room = in_.prepare(bytes.size());
        std::copy(bytes.begin() + static_cast<std::ptrdiff_t>(used), bytes.end(), room.begin());
        in_.commit(bytes.size() - used);
        while (const auto message = in_.next_message()) answer(*message);
    }
    void shutdown() noexcept override { closed_ = true; }
    const std::string& peer() const noexcept override { return peer_; }
    bool idle_and_open() noexcept override { return !closed_ && out_.empty(); }

  private:
    void touch() {
        if (closed_) lose();
        if (++server_.io == server_.lost_at) lose();
    }
    [[noreturn]] void lose() {
        closed_ = true;
        throw Error(System::neo4j, ErrorKind::unreachable, "the connection to " + peer_ + " was lost");
    }
    void append(const Bytes& bytes) { out_.insert(out_.end(), bytes.begin(), bytes.end()); }
    void reply(const Bytes& message) {
        Bytes chunked;
        append_chunked(message, chunked);
        append(chunked);
    }

    void answer(std::span<const std::byte> bytes) {
        server_.log.push_back(to_hex(bytes));
        Decoder decoder(bytes);
        StructHeader header;
        decoder.read_struct_header(header);
        server_.tags.emplace_back(address_, header.tag);
        if (auto& left = server_.lost_on[header.tag]; left > 0) {
            --left;
            lose();
        }
        note_transaction(header.tag, decoder);
        silent_ = silent_ || server_.silent_on == header.tag;
        if (silent_ || header.tag == kGoodbye) return;
        if (failed_ && header.tag != kReset) return reply(ignored());
        if (auto& answers = server_.instead[header.tag]; !answers.empty()) {
            const Bytes next = answers.front();
            answers.pop_front();
            failed_ = next.size() > 1 && next[1] == std::byte{0x7F};
            return reply(next);
        }
        usual(header.tag, decoder);
    }

    void note_transaction(std::uint8_t tag, Decoder decoder) {
        Value skipped;
        Map said;
        if (tag == kRun) {
            decoder.read_value(skipped);
            decoder.read_value(skipped);
        }
        if ((tag == kBegin || tag == kRun) && decoder.read_map(said) && !said.empty())
            server_.transactions.push_back(std::move(said));
    }

    void usual(std::uint8_t tag, Decoder decoder) {
        switch (tag) {
            case kHello:
                return reply(success(
                    {{"server", "Neo4j/5.26.0"},
                     {"connection_id", "bolt-1"},
                     {"hints", Map{{"connection.recv_timeout_seconds", server_.keep_alive_seconds}}}}));
            case kRun:
                row_ = 0;
                result_.reset();
                if (!server_.results.empty()) {
                    result_ = std::move(server_.results.front());
                    server_.results.pop_front();
                }
                return reply(success({{"fields", List{"n"}}, {"t_first", 1}}));
            case kPull:
            case kDiscard: {
                Map options;
                decoder.read_map(options);
                const std::int64_t n = *options.get_if<std::int64_t>("n");
                const std::int64_t rows = result_ ? static_cast<std::int64_t>(result_->size()) : server_.rows;
                const std::int64_t end = n < 0 ? rows : std::min(rows, row_ + n);
                for (; row_ < end; ++row_) {
                    if (tag == kPull) {
                        reply(record(result_ ? (*result_)[static_cast<std::size_t>(row_)] : List{row_}));
                    }
                }
                if (row_ < rows) return reply(success({{"has_more", true}}));
                Map summary{{"type", "r"}, {"db", "neo4j"}, {"t_last", 2}};
                if (!in_transaction_) summary.set("bookmark", "auto");
                return reply(success(std::move(summary)));
            }
            case kBegin:
                in_transaction_ = true;
                return reply(success());
            case kCommit:
                in_transaction_ = false;
                return reply(success({{"bookmark", "committed"}}));
            case kReset:
                failed_ = false;
                [[fallthrough]];
            case kRollback:
                in_transaction_ = false;
                return reply(success());
            case kRoute: {
                List members;
                for (const Address& member : server_.members) members.push_back(to_string(member));
                if (members.empty()) members.push_back(to_string(address_));
                List servers;
                for (const char* role : {"ROUTE", "READ", "WRITE"}) {
                    servers.push_back(Map{{"addresses", members}, {"role", role}});
                }
                return reply(
                    success({{"rt", Map{{"ttl", 300}, {"db", server_.home}, {"servers", servers}}}}));
            }
            default:
                return reply(success());
        }
    }

    FakeServer& server_;
    Address address_;
    std::string peer_;
    Dechunker in_;
    Bytes out_;
    Bytes choice_;
    int choice_left_ = 0;
    bool greeted_ = false;
    bool closed_ = false;
    bool failed_ = false;
    bool silent_ = false;
    bool in_transaction_ = false;
    std::int64_t row_ = 0;
    std::optional<std::vector<List>> result_;
};

inline Connector FakeServer::connector() {
    return [this](const Address& address, Deadline) -> std::unique_ptr<net::ByteStream> {
        ++connections;
        if (refused > 0) {
            --refused;
            throw Error(System::neo4j, ErrorKind::unreachable, "cannot connect to " + to_string(address));
        }
        if (++io == lost_at) throw Error(System::neo4j, ErrorKind::unreachable, "cannot connect");
        return std::make_unique<FakeStream>(*this, address);
    };
}

inline Driver make_driver(FakeServer& server, DriverConfig config = {},
                          const char* uri = "bolt://fake:7687") {
    return Driver(parse_uri(uri), AuthToken::basic("neo4j", "s3cret"), std::move(config), server.connector());
}

template <class Action>
std::optional<Error> error_of(Action action) {
    try {
        action();
    } catch (const Error& error) {
        return error;
    }
    return std::nullopt;
}

}  // namespace crossover::bolt::test
