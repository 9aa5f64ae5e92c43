#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"

namespace crossover::redis {

/// What Redis answered to one command.
struct Reply {
    enum class Kind { nil, text, integer, error, array };

    Kind kind = Kind::nil;
    /// A text or status; an error's whole message ("WRONGTYPE Operation …"); an integer in digits. Nothing
    /// where the answer is nil or an array.
    std::optional<std::string> text;
    std::int64_t integer = 0;
    std::vector<Reply> elements;

    bool is_nil() const { return kind == Kind::nil; }
    bool is_error() const { return kind == Kind::error; }
    /// "WRONGTYPE": the first word of an error; empty for anything else.
    std::string_view error_code() const;
};

/// The error reply as an exception, with the server's address in its sentence. Its native code is
/// error_code().
///
/// `authentication`: NOAUTH, WRONGPASS, NOPERM. `unavailable`, which passes: LOADING, BUSY, MASTERDOWN,
/// CLUSTERDOWN, TRYAGAIN, READONLY, MISCONF, NOREPLICAS. `overloaded`: OOM, too many clients. Else
/// `rejected`.
Error to_error(const std::string& server, const Reply& refusal);

}  // namespace crossover::redis
