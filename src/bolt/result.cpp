#include "bolt/result.h"

#include <fmt/format.h>

#include <stdexcept>

#include "bolt/session_context.h"

namespace crossover::bolt {

namespace {

Error single_error(std::string_view rows) {
    return Error(System::neo4j, ErrorKind::rejected,
                 fmt::format("One row was expected of Neo4j, but there {}.", rows));
}

}  // namespace

const Value& Record::at(std::string_view key) const {
    for (std::size_t i = 0; i < keys_->size() && i < values_.size(); ++i) {
        if ((*keys_)[i] == key) return values_[i];
    }
    throw std::out_of_range(fmt::format("The result has no column '{}'.", key));
}

void Record::fail_type(std::string_view key, const Value& value) {
    throw Error(System::neo4j, ErrorKind::rejected,
                fmt::format("Column '{}' of Neo4j's result holds a value of type {}, which was not expected.",
                            key, value.type_name()));
}

std::int64_t Summary::counter(std::string_view name) const {
    const auto* value = counters.get_if<std::int64_t>(name);
    return value == nullptr ? 0 : *value;
}

Result::Result(std::shared_ptr<Stream> stream) noexcept : stream_(std::move(stream)) {}
Result::Result(Result&&) noexcept = default;

Result& Result::operator=(Result&& other) noexcept {
    if (this != &other) {
        if (stream_) stream_->abandon();
        stream_ = std::move(other.stream_);
    }
    return *this;
}

Result::~Result() {
    if (stream_) stream_->abandon();
}

const std::vector<std::string>& Result::keys() const {
    return *stream_->keys();
}

std::optional<Record> Result::next() {
    RecordView raw;
    if (!next(raw)) return std::nullopt;
    std::vector<Value> values(raw.size);
    for (Value& value : values) {
        if (!raw.fields.read_value(value)) fail_decoding(raw.fields.error());
    }
    return Record(stream_->keys(), std::move(values));
}

bool Result::next(RecordView& record) {
    return stream_->next(record);
}

std::vector<Record> Result::collect() {
    std::vector<Record> records;
    while (auto record = next()) records.push_back(std::move(*record));
    return records;
}

Record Result::single() {
    auto record = next();
    if (!record) throw single_error("is none");
    RecordView more;
    if (next(more)) {
        stream_->abandon();
        throw single_error("are more");
    }
    return std::move(*record);
}

Summary Result::consume() {
    return stream_->consume();
}
void Result::cancel() {
    stream_->cancel();
}

void Result::fail_decoding(DecodeError error) {
    stream_->cancel();
    throw Error(System::neo4j, ErrorKind::protocol,
                fmt::format("Neo4j sent a row that cannot be decoded: {}.", to_string(error)));
}

}  // namespace crossover::bolt
