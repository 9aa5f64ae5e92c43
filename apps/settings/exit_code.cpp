#include "settings/exit_code.h"

namespace crossover::cli {

ExitCode exit_code_of(const Error& error) {
    switch (error.kind()) {
        case ErrorKind::usage:
        case ErrorKind::authentication:
            return kUsage;
        case ErrorKind::not_found:
            // A database or collection that a setting names; of files only the command knows what was
            // expected.
            return error.system() == System::file ? kFailed : kUsage;
        case ErrorKind::unreachable:
        case ErrorKind::timeout:
            return kUnreachable;
        case ErrorKind::not_ready:
        case ErrorKind::conflict:
            return kNotReady;
        case ErrorKind::cancelled:
            return kInterrupted;
        case ErrorKind::rejected:
        case ErrorKind::too_large:
        case ErrorKind::overloaded:
        case ErrorKind::unavailable:
        case ErrorKind::protocol:
        case ErrorKind::io:
        case ErrorKind::internal:
            return kFailed;
    }
    return kFailed;
}

}  // namespace crossover::cli
