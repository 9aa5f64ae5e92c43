#include "redis/reply.h"

#include <fmt/format.h>

#include <array>

namespace crossover::redis {

namespace {

struct Refusal {
    std::string_view begins;
    ErrorKind kind;
    std::string_view advice = {};
};

constexpr std::array kRefusals = {
    Refusal{"NOAUTH", ErrorKind::authentication, "It asks for a password"},
    Refusal{"WRONGPASS", ErrorKind::authentication, "Check user and password"},
    Refusal{"NOPERM", ErrorKind::authentication,
            "Give the user this right (ACL SETUSER), or use another one"},
    Refusal{"ERR AUTH ", ErrorKind::authentication, "A password was given, but the server has none"},
    Refusal{"ERR invalid password", ErrorKind::authentication, "Check the password"},
    Refusal{"LOADING", ErrorKind::unavailable, "It has just started"},
    Refusal{"BUSY ", ErrorKind::unavailable, "A script runs there for long"},
    Refusal{"MASTERDOWN", ErrorKind::unavailable, "It is a replica that has lost its master"},
    Refusal{"CLUSTERDOWN", ErrorKind::unavailable, "See CLUSTER INFO there"},
    Refusal{"TRYAGAIN", ErrorKind::unavailable},
    Refusal{"READONLY", ErrorKind::unavailable,
            "It is a replica: name the master, or wait for it to become one"},
    Refusal{"MISCONF", ErrorKind::unavailable, "It cannot save to its disk; its log says why"},
    Refusal{"NOREPLICAS", ErrorKind::unavailable, "It has fewer replicas than it wants for writes"},
    Refusal{"OOM", ErrorKind::overloaded, "It is at its maxmemory"},
    Refusal{"ERR max number of clients", ErrorKind::overloaded},
    Refusal{"MOVED", ErrorKind::rejected, "It belongs to a cluster, where this key is elsewhere"},
    Refusal{"ASK", ErrorKind::rejected, "It belongs to a cluster, where this key is on its way elsewhere"},
};

}  // namespace

std::string_view Reply::error_code() const {
    if (kind != Kind::error) return {};
    const std::string_view whole(*text);
    return whole.substr(0, whole.find(' '));
}

Error to_error(const std::string& server, const Reply& refusal) {
    std::string_view text = refusal.text ? std::string_view(*refusal.text) : std::string_view();
    ErrorKind kind = ErrorKind::rejected;
    std::string_view advice;
    for (const auto& known : kRefusals) {
        if (!text.starts_with(known.begins)) continue;
        kind = known.kind;
        advice = known.advice;
        break;
    }
    while (text.ends_with('.')) text.remove_suffix(1);
    return Error(System::redis, kind,
                 fmt::format("{} refused: {}.{}{}{}", server, text, advice.empty() ? "" : " ", advice,
                             advice.empty() ? "" : "."),
                 std::string(refusal.error_code()));
}

}  // namespace crossover::redis
