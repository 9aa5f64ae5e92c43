#pragma once

#include <cstdint>
#include <functional>
#include <initializer_list>
#include <string>
#include <string_view>
#include <utility>
#include <variant>

/// The log of both programs: one line an event, on stderr.
///
///     time=2026-01-31T12:00:00.123Z level=warning event=milvus_error server="Milvus at host:19530" attempt=3
///     {"time":"2026-01-31T12:00:00.123Z","level":"warning","event":"milvus_error","attempt":3}
///
/// All functions are thread-safe.
namespace crossover {

enum class LogFormat { text, json };
enum class LogLevel { debug, info, warning, error };

using LogValue = std::variant<bool, std::int64_t, double, std::string>;
struct LogField {
    LogField(std::string_view name, bool value) : name(name), value(value) {}
    template <class T>
    requires std::is_integral_v<T> LogField(std::string_view name, T value)
        : name(name), value(static_cast<std::int64_t>(value)) {}
    LogField(std::string_view name, double value) : name(name), value(value) {}
    LogField(std::string_view name, std::string value) : name(name), value(std::move(value)) {}
    LogField(std::string_view name, std::string_view value) : name(name), value(std::string(value)) {}
    LogField(std::string_view name, const char* value) : name(name), value(std::string(value)) {}

    std::string_view name;
    LogValue value;
};

/// Events below `least` are dropped. Until this is called: text, info.
void configure_logging(LogFormat format, LogLevel least);

/// Who writes finished lines (each ends with a newline) from now on; an empty function is stderr again. A
/// progress bar takes them, so that a line does not end up in the middle of it.
void set_log_writer(std::function<void(std::string_view line)> writer);

/// `event` is what operators search for: one lower-case word with underscores. Values are quoted where
/// needed. Never pass secrets.
void log_event(LogLevel level, std::string_view event, std::initializer_list<LogField> fields = {});

/// For in_background(): `event=background_failure thread=… error=…`.
void log_background_failure(std::string_view thread, std::string_view error);

/// Warns, once for each address, that a password or token goes over the network unencrypted; not where `host`
/// is loopback or, as libpq names them, a socket of this machine. `advice` says how to encrypt.
void warn_of_open_secret(std::string_view server, std::string_view host, std::string_view address,
                         std::string_view advice);

}  // namespace crossover
