#pragma once

#include <functional>
#include <initializer_list>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "bolt/packstream.h"
#include "bolt/value.h"

namespace crossover::bolt {

/// The parameters of a query: values, and values that write themselves to the wire, so that a list of a
/// thousand ids needs no thousand Value objects.
///
///     Parameters parameters{{"limit", 10}};
///     parameters.add("ids", [&](Encoder& encoder) {
///         encoder.write_list_header(ids.size());
///         for (const auto id : ids) encoder.write_int(id);
///     });
class Parameters {
  public:
    /// Writes exactly one value. May be called again when a transaction is retried.
    using Writer = std::function<void(Encoder&)>;

    Parameters() = default;
    Parameters(Map values) : values_(std::move(values)) {}
    Parameters(std::initializer_list<Map::Entry> values) : values_(values) {}

    Parameters& add(std::string name, Value value) {
        values_.set(std::move(name), std::move(value));
        return *this;
    }
    /// `name` must not be among the values.
    Parameters& add(std::string name, Writer writer) {
        writers_.emplace_back(std::move(name), std::move(writer));
        return *this;
    }

    /// As a PackStream dictionary.
    void write(Encoder& encoder) const {
        encoder.write_map_header(values_.size() + writers_.size());
        for (const auto& [name, value] : values_) {
            encoder.write_string(name);
            encoder.write_value(value);
        }
        for (const auto& [name, writer] : writers_) {
            encoder.write_string(name);
            writer(encoder);
        }
    }

  private:
    Map values_;
    std::vector<std::pair<std::string, Writer>> writers_;
};

}  // namespace crossover::bolt
