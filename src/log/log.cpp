#include "log/log.h"

#include <fmt/format.h>
#include <spdlog/logger.h>
#include <spdlog/pattern_formatter.h>
#include <spdlog/sinks/base_sink.h>

#include <algorithm>
#include <atomic>
#include <cstdio>
#include <memory>
#include <mutex>
#include <nlohmann/json.hpp>
#include <set>

#include "base/address.h"

namespace crossover {
namespace {

class Sink : public spdlog::sinks::base_sink<std::mutex> {
  public:
    void set_writer(std::function<void(std::string_view)> writer) {
        std::lock_guard lock(mutex_);
        writer_ = std::move(writer);
    }

  protected:
    void sink_it_(const spdlog::details::log_msg& message) override {
        spdlog::memory_buf_t line;
        formatter_->format(message, line);
        if (writer_) {
            writer_(std::string_view(line.data(), line.size()));
        } else {
            std::fwrite(line.data(), 1, line.size(), stderr);
        }
    }
    void flush_() override { std::fflush(stderr); }

  private:
    std::function<void(std::string_view)> writer_;
};

// JSON's string syntax serves for text lines too: one line whatever the value holds, and read back by most
// tools.
std::string quoted(const std::string& text) {
    return nlohmann::json(text).dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
}

bool needs_quotes(const std::string& text) {
    return text.empty() || text.find_first_of(" =\"\\\n\r\t") != std::string::npos ||
           std::any_of(text.begin(), text.end(),
                       [](unsigned char byte) { return byte < 0x20 || byte == 0x7f; });
}

std::string value_text(const LogValue& value, LogFormat format) {
    return std::visit(
        [&]<class T>(const T& plain) -> std::string {
            if constexpr (std::is_same_v<T, std::string>) {
                return format == LogFormat::json || needs_quotes(plain) ? quoted(plain) : plain;
            } else if constexpr (std::is_same_v<T, double>) {
                return nlohmann::json(plain).dump();  // NaN has no number in JSON and becomes null
            } else {
                return fmt::format("{}", plain);
            }
        },
        value);
}

spdlog::level::level_enum to_spdlog(LogLevel level) {
    switch (level) {
        case LogLevel::debug:
            return spdlog::level::debug;
        case LogLevel::info:
            return spdlog::level::info;
        case LogLevel::warning:
            return spdlog::level::warn;
        case LogLevel::error:
            return spdlog::level::err;
    }
    return spdlog::level::err;
}

struct Log {
    std::shared_ptr<Sink> sink = std::make_shared<Sink>();
    spdlog::logger logger{"crossover", sink};
    std::atomic<LogFormat> format{LogFormat::text};

    Log() { configure(LogFormat::text, LogLevel::info); }

    void configure(LogFormat new_format, LogLevel least) {
        const char* pattern = new_format == LogFormat::json
                                  ? R"({"time":"%Y-%m-%dT%H:%M:%S.%eZ","level":"%l",%v})"
                                  : "time=%Y-%m-%dT%H:%M:%S.%eZ level=%l %v";
        sink->set_formatter(
            std::make_unique<spdlog::pattern_formatter>(pattern, spdlog::pattern_time_type::utc, "\n"));
        format = new_format;
        logger.set_level(to_spdlog(least));
    }
};

Log& the_log() {
    static Log log;
    return log;
}

}  // namespace

void configure_logging(LogFormat format, LogLevel least) {
    the_log().configure(format, least);
}

void set_log_writer(std::function<void(std::string_view)> writer) {
    the_log().sink->set_writer(std::move(writer));
}

void log_event(LogLevel level, std::string_view event, std::initializer_list<LogField> fields) {
    auto& log = the_log();
    if (!log.logger.should_log(to_spdlog(level))) return;
    const LogFormat format = log.format;
    const bool json = format == LogFormat::json;
    std::string line =
        json ? fmt::format("\"event\":{}", quoted(std::string(event))) : fmt::format("event={}", event);
    for (const auto& field : fields) {
        const auto value = value_text(field.value, format);
        line += json ? fmt::format(",{}:{}", quoted(std::string(field.name)), value)
                     : fmt::format(" {}={}", field.name, value);
    }
    log.logger.log(to_spdlog(level), line);
}

void log_background_failure(std::string_view thread, std::string_view error) {
    log_event(LogLevel::error, "background_failure", {{"thread", thread}, {"error", error}});
}

void warn_of_open_secret(std::string_view server, std::string_view host, std::string_view address,
                         std::string_view advice) {
    const bool socket = host.empty() || host.front() == '/' || host.front() == '@';
    if (socket || is_loopback(host)) return;
    static std::mutex mutex;
    static std::set<std::string, std::less<>> warned;
    {
        const std::lock_guard lock(mutex);
        if (!warned.emplace(address).second) return;
    }
    log_event(LogLevel::warning, "open_secret",
              {{"server", server},
               {"address", address},
               {"warning", "the password or token goes over the network unencrypted"},
               {"advice", advice}});
}

}  // namespace crossover
