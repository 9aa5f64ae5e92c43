#pragma once

#include <string>
#include <string_view>

#include "core/error.h"

/// What the two kinds of status that a call can end with mean.
namespace crossover::milvus {

/// The status inside a response. Servers from 2.3 fill `code`; `legacy_code` is the one of before, still
/// filled beside it.
struct ServerStatus {
    int code = 0;
    int legacy_code = 0;
    std::string reason = {};

    bool ok() const { return code == 0 && legacy_code == 0; }
    /// The code that decides: 65535 and 0 say nothing, so the legacy one is asked then.
    int deciding_code() const;
};

/// Codes are those of the server's pkg/util/merr (`code`) and common.proto (`legacy_code`).
ErrorKind kind_of(const ServerStatus& status);

/// gRPC's own status, by its number; `text` only tells a foreign server from an absent one.
ErrorKind kind_of_grpc(int grpc_code, std::string_view text);
std::string_view grpc_code_name(int grpc_code);

/// "<address>: <operation> failed: <text> (code N). <what to do>"
Error make_error(std::string_view address, std::string_view operation, const ServerStatus& status);
Error make_grpc_error(std::string_view address, std::string_view operation, int grpc_code,
                      std::string_view text);

}  // namespace crossover::milvus
