#include "base/error.h"

namespace crossover {

std::string_view to_string(System system) {
    switch (system) {
        case System::config:
            return "config";
        case System::file:
            return "file";
        case System::neo4j:
            return "neo4j";
        case System::milvus:
            return "milvus";
        case System::postgres:
            return "postgres";
        case System::redis:
            return "redis";
        case System::internal:
            return "internal";
    }
    return "internal";
}

std::string_view to_string(ErrorKind kind) {
    switch (kind) {
        case ErrorKind::usage:
            return "usage";
        case ErrorKind::unreachable:
            return "unreachable";
        case ErrorKind::timeout:
            return "timeout";
        case ErrorKind::authentication:
            return "authentication";
        case ErrorKind::not_found:
            return "not_found";
        case ErrorKind::conflict:
            return "conflict";
        case ErrorKind::rejected:
            return "rejected";
        case ErrorKind::too_large:
            return "too_large";
        case ErrorKind::overloaded:
            return "overloaded";
        case ErrorKind::unavailable:
            return "unavailable";
        case ErrorKind::protocol:
            return "protocol";
        case ErrorKind::not_ready:
            return "not_ready";
        case ErrorKind::io:
            return "io";
        case ErrorKind::cancelled:
            return "cancelled";
        case ErrorKind::internal:
            return "internal";
    }
    return "internal";
}

}  // namespace crossover
