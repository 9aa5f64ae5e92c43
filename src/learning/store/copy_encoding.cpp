#include "learning/store/copy_encoding.h"

#include <array>
#include <bit>

namespace crossover::learning {
namespace {

constexpr std::int64_t kFrom1970To2000 = 946'684'800'000'000;
constexpr char kJsonbVersion = 1;

/// Big-endian fields, each after its length.
class Fields {
  public:
    explicit Fields(std::string& out) : out_(out) {}

    void count(std::uint16_t fields) { put(fields, 2); }
    void null() { put(0xFFFF'FFFF, 4); }
    void bytes(std::string_view bytes) {
        put(bytes.size(), 4);
        out_ += bytes;
    }
    void json(std::string_view text) {
        put(text.size() + 1, 4);
        out_ += kJsonbVersion;
        out_ += text;
    }
    void integer(std::int64_t number) {
        put(8, 4);
        put(static_cast<std::uint64_t>(number), 8);
    }
    void real(double number) {
        put(8, 4);
        put(std::bit_cast<std::uint64_t>(number), 8);
    }
    void boolean(bool value) {
        put(1, 4);
        put(value ? 1 : 0, 1);
    }
    void time(std::int64_t micros) { integer(to_postgres_time(micros)); }

  private:
    void put(std::uint64_t number, int size) {
        std::array<char, 8> bytes;
        for (int i = 0; i < size; ++i) {
            bytes[static_cast<std::size_t>(i)] = static_cast<char>(number >> 8 * (size - 1 - i) & 0xFF);
        }
        out_.append(bytes.data(), static_cast<std::size_t>(size));
    }

    std::string& out_;
};

void tail(const Row& row, Fields& fields) {
    fields.integer(row.version);
    row.content_hash ? fields.integer(*row.content_hash) : fields.null();
    row.expires_at_us ? fields.time(*row.expires_at_us) : fields.null();
}

}  // namespace

std::string_view columns_of(Kind kind) {
    switch (kind) {
        case Kind::experience:
            return "redis_key, agent_id, state, action, reward, next_state, done, occurred_at, extra, "
                   "version, "
                   "content_hash, expires_at";
        case Kind::q_value:
            return "redis_key, agent_id, state_hash, action, value, visits, extra, version, content_hash, "
                   "expires_at";
        case Kind::policy:
            return "redis_key, agent_id, policy, version, content_hash, expires_at";
        case Kind::agent:
            return "redis_key, agent_id, metadata, version, content_hash, expires_at";
    }
    return {};
}

std::string_view copy_header() {
    static constexpr std::string_view kHeader("PGCOPY\n\xFF\r\n\0\0\0\0\0\0\0\0\0", 19);
    return kHeader;
}

std::string_view copy_trailer() {
    return "\xFF\xFF";
}

void encode_row(const Row& row, std::string& out) {
    Fields fields(out);
    const auto extra = [&] { row.extra.empty() ? fields.null() : fields.json(row.extra); };
    switch (row.kind) {
        case Kind::experience:
            fields.count(12);
            fields.bytes(row.key);
            fields.bytes(row.agent_id);
            fields.json(row.state);
            fields.json(row.action);
            fields.real(row.number);
            row.has_next_state ? fields.json(row.next_state) : fields.null();
            fields.boolean(row.done);
            fields.time(row.occurred_at_us);
            extra();
            break;
        case Kind::q_value:
            fields.count(10);
            fields.bytes(row.key);
            fields.bytes(row.agent_id);
            fields.bytes(row.state_hash);
            fields.bytes(row.action);
            fields.real(row.number);
            fields.integer(row.visits);
            extra();
            break;
        case Kind::policy:
            fields.count(6);
            fields.bytes(row.key);
            fields.bytes(row.agent_id);
            fields.bytes(row.body);
            break;
        case Kind::agent:
            fields.count(6);
            fields.bytes(row.key);
            fields.bytes(row.agent_id);
            fields.json(row.body);
            break;
    }
    tail(row, fields);
}

std::int64_t to_postgres_time(std::int64_t micros_since_1970) {
    return micros_since_1970 - kFrom1970To2000;
}
std::int64_t from_postgres_time(std::int64_t micros_since_2000) {
    return micros_since_2000 + kFrom1970To2000;
}

}  // namespace crossover::learning
