#include <fmt/format.h>
#include <signal.h>
#include <unistd.h>

#include <clocale>
#include <cstdlib>
#include <cstring>
#include <nlohmann/json.hpp>
#include <stop_token>
#include <thread>

#include "base/error.h"
#include "command_line.h"
#include "log/log.h"
#include "settings/exit_code.h"

namespace {

using namespace crossover;

/// SIGINT and SIGTERM ask the command to stop cleanly; the second one ends the process at once.
std::stop_token stop_on_signals() {
    sigset_t signals;
    sigemptyset(&signals);
    sigaddset(&signals, SIGINT);
    sigaddset(&signals, SIGTERM);
    // Before there is any other thread: all of them inherit it, so that only sigwait gets the signals.
    pthread_sigmask(SIG_BLOCK, &signals, nullptr);
    std::stop_source source;
    std::thread([signals, source]() mutable {
        for (bool first = true;; first = false) {
            int received = 0;
            if (sigwait(&signals, &received) != 0) continue;
            if (!first) _exit(cli::kInterrupted);
            source.request_stop();
        }
    }).detach();
    return source.get_token();
}

/// Known before the arguments are read, for errors in them.
bool wants_json(int count, char** arguments) {
    for (int i = 1; i < count; ++i) {
        if (std::strcmp(arguments[i], "--output=json") == 0) return true;
        if (std::strcmp(arguments[i], "--output") == 0 && i + 1 < count) {
            return std::strcmp(arguments[i + 1], "json") == 0;
        }
    }
    return false;
}

int report(const Error& error, bool json) {
    const auto code = cli::exit_code_of(error);
    fmt::print(stderr, "error: {}\n", error.what());
    if (json) {
        const nlohmann::json object{{"error",
                                     {{"system", to_string(error.system())},
                                      {"kind", to_string(error.kind())},
                                      {"native_code", error.native_code()},
                                      {"gql_status", error.server_words().gql_status},
                                      {"server_message", error.server_words().message},
                                      {"cause", error.server_words().cause},
                                      {"message", error.what()},
                                      {"exit_code", static_cast<int>(code)}}}};
        fmt::print("{}\n", object.dump(2, ' ', false, nlohmann::json::error_handler_t::replace));
    }
    return code;
}

int run(int count, char** arguments) {
    const auto stop = stop_on_signals();
    const bool json = wants_json(count, arguments);
    configure_logging(json ? LogFormat::json : LogFormat::text, LogLevel::warning);
    try {
        cli::CommandLine line;
        auto parsed = line.parse(count, arguments, [](const char* name) { return std::getenv(name); });
        if (parsed.command == nullptr) return cli::kDone;
        parsed.context.stop = stop;
        return parsed.command->run(parsed.context);
    } catch (const Error& error) {
        return report(error, json);
    } catch (const std::exception& error) {
        return report(
            Error(System::internal, ErrorKind::internal,
                  fmt::format("An unexpected error, which is a bug: {}. Please report it with the command.",
                              error.what())),
            json);
    }
}

}  // namespace

int main(int count, char** arguments) {
    std::setlocale(LC_CTYPE, "");
    // A reader that went away ('migrate … | head') is an error of the write, not a death.
    signal(SIGPIPE, SIG_IGN);
    const int code = run(count, arguments);
    std::fflush(nullptr);
    return code;
}
