#pragma once

#include <string>
#include <string_view>

#include "base/error.h"

/// What the two kinds of status that a call can end with mean.
namespace crossover::milvus {

/// The status inside a response. Servers from 2.3 fill `code`; `legacy_code` is the one of before, still
/// filled beside it.
struct ServerStatus {
    int code = 0;
    int legacy_code = 0;
    std::string reason = {};
    bool retriable = false;    ///< the server says that the same call may succeed later
    bool input_error = false;  ///< the server blames the request: `extra_info["is_input_error"]`, from 2.4

    bool ok() const { return code == 0 && legacy_code == 0; }
    /// The code that decides: 65535 and 0 say nothing, so the legacy one is asked then.
    int deciding_code() const;
};

/// A deadline that passed within the server comes first, by code or sentence: it may have been in the middle
/// of a write. Then the server's flags decide, then the table of codes, which is that of the server's own
/// pkg/util/merr/errors.go from 2.3.5 to 3.0 (`code`) and of common.proto (`legacy_code`), then the sentence.
/// What none of them knows is `protocol`: of a write such an answer tells nothing.
ErrorKind kind_of(const ServerStatus& status);

/// gRPC's own status, by its number; `text` only tells a foreign server from an absent one.
ErrorKind kind_of_grpc(int grpc_code, std::string_view text);
std::string_view grpc_code_name(int grpc_code);

/// "<address>: <operation> failed: <text> (code N). <what to do>"
Error make_error(std::string_view address, std::string_view operation, const ServerStatus& status);
Error make_grpc_error(std::string_view address, std::string_view operation, int grpc_code,
                      std::string_view text);

}  // namespace crossover::milvus
