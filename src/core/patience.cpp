#include "core/patience.h"

namespace crossover {

bool Patience::has_for(const Error& error) {
    // A number is Milvus's own, in an answer that came as it should; gRPC's codes are names.
    const auto& code = error.native_code();
    const bool unknown_code = error.system() == System::milvus && error.kind() == ErrorKind::protocol &&
                              !code.empty() && code.front() >= '0' && code.front() <= '9';
    unknown_ = unknown_code ? unknown_ + 1 : 0;
    return unknown_code ? unknown_ < kUnknownCodeAttempts : error.retryable();
}

}  // namespace crossover
