#include "net/resolve.h"

#include <cerrno>
#include <cstring>
#include <future>
#include <system_error>
#include <thread>

namespace crossover::net {
namespace {

Resolution look_up(const std::string& host, const std::string& port, int flags) {
    addrinfo hints{};
    hints.ai_family = AF_UNSPEC;
    hints.ai_socktype = SOCK_STREAM;
    hints.ai_flags = flags | AI_NUMERICSERV;
    addrinfo* list = nullptr;
    const int code = getaddrinfo(host.c_str(), port.c_str(), &hints, &list);
    if (code == 0) return {Addresses(list), {}, false};
    return {nullptr, code == EAI_SYSTEM ? std::strerror(errno) : gai_strerror(code), false};
}

}  // namespace

Resolution resolve(const std::string& host, std::uint16_t port, Deadline deadline) {
    const std::string service = std::to_string(port);
    if (Resolution numeric = look_up(host, service, AI_NUMERICHOST); numeric.addresses) return numeric;
    std::packaged_task<Resolution()> task([host, service] { return look_up(host, service, 0); });
    std::future<Resolution> answer = task.get_future();
    try {
        std::thread(std::move(task)).detach();
    } catch (const std::system_error& error) {
        return {nullptr, error.what(), false};
    }
    if (answer.wait_until(deadline.point()) == std::future_status::timeout) return {nullptr, {}, true};
    return answer.get();
}

}  // namespace crossover::net
