#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "bolt/packstream.h"
#include "bolt/value.h"

namespace crossover::bolt {

class Stream;

/// One row of a result, decoded.
class Record {
  public:
    using Keys = std::shared_ptr<const std::vector<std::string>>;
    Record(Keys keys, std::vector<Value> values) : keys_(std::move(keys)), values_(std::move(values)) {}

    const std::vector<std::string>& keys() const noexcept { return *keys_; }
    const std::vector<Value>& values() const noexcept { return values_; }
    std::size_t size() const noexcept { return values_.size(); }
    const Value& operator[](std::size_t index) const noexcept { return values_[index]; }
    auto begin() const noexcept { return values_.begin(); }
    auto end() const noexcept { return values_.end(); }
    /// Throw std::out_of_range for a column that the result does not have.
    const Value& at(std::size_t index) const { return values_.at(index); }
    const Value& at(std::string_view key) const;
    /// The value as a T; throws Error `rejected` that names the column and both types where it is of another.
    template <class T>
    const T& get(std::string_view key) const {
        const Value& value = at(key);
        if (const T* typed = value.get_if<T>()) return *typed;
        fail_type(key, value);
    }

  private:
    [[noreturn]] static void fail_type(std::string_view key, const Value& value);
    Keys keys_;
    std::vector<Value> values_;
};

/// One row as it came, still encoded: `fields` stands before the first of `size` values. Valid until
/// the next call of its Result.
struct RecordView {
    Decoder fields{{}};
    std::size_t size = 0;
};

/// What the server says of a statement once it has ended.
struct Summary {
    std::string query_type;  ///< "r", "w", "rw" or "s"
    std::string database;
    std::string bookmark;  ///< of an auto-commit transaction
    std::optional<std::chrono::milliseconds> available_after;
    std::optional<std::chrono::milliseconds> consumed_after;
    Map counters;  ///< "nodes-created", "properties-set", ...: those that are not 0
    /// Dictionaries as the server sent them: notifications, from Bolt 5.6 statuses.
    List notifications;
    /// Of EXPLAIN and PROFILE: the plan as the server sent it ("operatorType", "args", "children", and of
    /// PROFILE "dbHits" and "rows"); else empty.
    Map plan;

    /// 0 where the server did not name it.
    std::int64_t counter(std::string_view name) const;
};

/// The rows of one statement, as they stream in. Move-only; used by its session's thread. It ends when its
/// rows are read, when its session or transaction starts another statement (reading it throws then) or ends.
///
/// At most one batch (`fetch_size` rows) is under way: the server makes the next one once the last row of
/// the former was taken. With fetch_size -1 all rows are one batch, held back by TCP alone.
///
/// All calls throw crossover::Error. The session's timeout limits the server's silence, its deadline or that
/// of RunOptions the whole.
///
/// A Result destroyed before its end is ended: under read access by RESET, at once; under write access by
/// reading on, so that an auto-commit statement commits. Only consume() tells whether it did.
class [[nodiscard]] Result {
  public:
    explicit Result(std::shared_ptr<Stream> stream) noexcept;
    Result(Result&&) noexcept;
    Result& operator=(Result&&) noexcept;
    ~Result();

    const std::vector<std::string>& keys() const;

    /// The next row, or nothing at the end.
    std::optional<Record> next();
    /// The same without decoding: no object for a field. False at the end. The fast way to read.
    bool next(RecordView& record);
    /// Calls `fn(Decoder& fields, std::size_t size) -> bool` for each row until it returns false, to
    /// stop early. True when all rows were read. Throws Error `protocol` where `fn` left the decoder with an
    /// error.
    template <class Function>
    bool for_each_raw(Function&& fn) {
        RecordView record;
        while (next(record)) {
            const bool go_on = fn(record.fields, record.size);
            if (!record.fields.ok()) fail_decoding(record.fields.error());
            if (!go_on) return false;
        }
        return true;
    }

    /// All rows that are left.
    std::vector<Record> collect();
    /// The only row; Error `rejected` where there is none or more than one.
    Record single();
    /// Skips the rows that are left, lets the statement end, and says how it went. Asking for rows is then an
    /// error.
    Summary consume();
    /// Stops the statement by RESET. An auto-commit or explicit transaction that is not committed is rolled
    /// back.
    void cancel();

  private:
    [[noreturn]] void fail_decoding(DecodeError error);
    std::shared_ptr<Stream> stream_;
};

}  // namespace crossover::bolt
