#include "migration/job/monitor.h"

#include <fmt/format.h>

#include <charconv>
#include <cmath>
#include <nlohmann/json.hpp>

#include "base/retry.h"
#include "base/text.h"
#include "commands.h"
#include "progress_view.h"
#include "settings/exit_code.h"

namespace crossover::cli {
namespace {

using migration::JobState;
using migration::JobView;

nlohmann::json view_json(const JobView& view) {
    const auto& checkpoint = view.checkpoint;
    nlohmann::json object{
        {"state", to_string(view.state)},
        {"phase", to_string(checkpoint.phase)},
        {"description", checkpoint.description},
        {"percent", view.fraction * 100},
        {"expected", checkpoint.expected},
        {"read", checkpoint.counts.read},
        {"copied", checkpoint.counts.copied},
        {"quarantined", checkpoint.counts.quarantined},
        {"skipped", checkpoint.counts.skipped},
        {"errors", checkpoint.live.errors},
        {"items_per_second", view.state == JobState::running ? checkpoint.live.items_per_second : 0},
        {"doing", checkpoint.live.state},
        {"stages",
         {{"reader", checkpoint.live.reader},
          {"writer", checkpoint.live.writer},
          {"checker", checkpoint.live.checker}}},
        {"process_id", checkpoint.live.pid},
        {"updated_ms", checkpoint.live.updated_ms},
        {"silent_ms", view.silent_ms},
        {"collection", checkpoint.collection},
        {"copy_seconds", checkpoint.copy_seconds},
        {"index_seconds", checkpoint.index_seconds},
    };
    object["eta_seconds"] = view.eta_seconds ? nlohmann::json(*view.eta_seconds) : nlohmann::json();
    return object;
}

ProgressMoment moment_of(const JobView& view) {
    const auto& checkpoint = view.checkpoint;
    ProgressMoment moment;
    moment.done = checkpoint.counts.copied + checkpoint.counts.quarantined;
    moment.expected = checkpoint.expected;
    if (view.state == JobState::running) moment.items_per_second = checkpoint.live.items_per_second;
    moment.eta_seconds = view.eta_seconds;
    moment.state =
        view.state == JobState::running ? checkpoint.live.state : std::string(to_string(view.state));
    moment.aside = fmt::format("{} quarantined, {}", with_separators(checkpoint.counts.quarantined),
                               counted(checkpoint.live.errors, "error", "errors"));
    return moment;
}

/// What a person can do where the job does not go on by itself; empty otherwise.
std::string advice(const JobView& view) {
    if (view.state == JobState::interrupted) {
        return "The job was interrupted. Run the same 'migrate migrate-embeddings' command again to go on.";
    }
    if (view.state == JobState::gone) {
        return fmt::format(
            "Process {} no longer writes the checkpoint (the last time was {} ago). Unless it runs on "
            "another machine, "
            "run the same 'migrate migrate-embeddings' command again: it goes on from the checkpoint.",
            view.checkpoint.live.pid, duration_text(static_cast<double>(view.silent_ms) / 1000));
    }
    return {};
}

/// The block that is redrawn on a terminal.
std::vector<std::string> panel(const JobView& view, const Terminal& terminal) {
    const auto& checkpoint = view.checkpoint;
    std::vector<std::string> lines;
    const auto add = [&](std::string_view name, const std::string& value) {
        lines.push_back(fit(fmt::format("  {:<12} {}", name, value), terminal.width - 1, terminal.unicode));
    };
    lines.push_back(fit(checkpoint.description, terminal.width - 1, terminal.unicode));
    auto bar = moment_of(view);
    bar.aside.clear();
    bar.state = std::string(to_string(view.state));
    lines.push_back(progress_bar(bar, terminal));
    add("phase", fmt::format("{}{}", to_string(checkpoint.phase),
                             view.state == JobState::running && !checkpoint.live.state.empty()
                                 ? fmt::format(": {}", checkpoint.live.state)
                                 : ""));
    if (view.state == JobState::running && checkpoint.phase == migration::Phase::copy) {
        if (!checkpoint.live.reader.empty()) add("reader", checkpoint.live.reader);
        if (!checkpoint.live.writer.empty()) add("writer", checkpoint.live.writer);
        if (!checkpoint.live.checker.empty()) add("checker", checkpoint.live.checker);
    }
    add("copied", with_separators(checkpoint.counts.copied));
    add("quarantined", with_separators(checkpoint.counts.quarantined));
    add("errors", fmt::format("{} ridden out", with_separators(checkpoint.live.errors)));
    add("written",
        fmt::format("{} ago by process {}", duration_text(static_cast<double>(view.silent_ms) / 1000),
                    checkpoint.live.pid));
    return lines;
}

class Monitor : public Command {
  public:
    explicit Monitor(CLI::App& parent) {
        declare(parent, "monitor",
                "Watch a migrate-embeddings that runs elsewhere, from its checkpoint file.",
                "  migrate monitor                     until the job ends; redraws on a terminal\n"
                "  migrate monitor --interval-secs 30 >>migration.log\n"
                "  migrate monitor --once --output json\n"
                "      for scripts: the state now; \"state\" is running, done, interrupted or gone");
        add_settings("Watching", {"migration.checkpoint_file"});
        app->add_option("--interval-secs", interval_, "seconds between looks")
            ->type_name("N")
            ->default_str("5")
            ->group("Watching");
        app->add_flag("--once", once_, "say it once and end")->group("Watching");
        add_general_flags();
    }

    int run(const Context& context) override {
        const auto interval = parse_interval();
        const auto& file = context.settings.checkpoint_file;
        std::size_t lines_shown = 0;
        for (;;) {
            const auto view = migration::observe_job(file);
            if (context.json) {
                // One object a line while watching, so that each can be read as it comes.
                fmt::print("{}\n", view_json(view).dump(once_ ? 2 : -1, ' ', false,
                                                        nlohmann::json::error_handler_t::replace));
            } else {
                lines_shown = print(view, lines_shown);
            }
            std::fflush(stdout);
            if (once_) return kDone;
            if (view.state == JobState::done) return kDone;
            if (view.state != JobState::running) {
                if (!context.json) fmt::print("{}\n", advice(view));
                return kFailed;
            }
            if (!sleep_for(interval, context.stop)) return kInterrupted;
        }
    }

  private:
    std::chrono::milliseconds parse_interval() const {
        double seconds = 0;
        const char* end = interval_.data() + interval_.size();
        const auto [stop, error] = std::from_chars(interval_.data(), end, seconds);
        if (error != std::errc() || stop != end || !(seconds >= 0.1 && seconds <= 86'400)) {
            throw Error(
                System::config, ErrorKind::usage,
                fmt::format("--interval-secs must be a number from 0.1 to 86400, not '{}'.", interval_));
        }
        return std::chrono::milliseconds(std::llround(seconds * 1000));
    }

    std::size_t print(const JobView& view, std::size_t lines_before) const {
        const auto terminal = inspect_terminal(stdout);
        if (!terminal.is_terminal) {
            fmt::print("{}\n", progress_sentence(moment_of(view)));
            if (once_ && !advice(view).empty()) fmt::print("{}\n", advice(view));
            return 0;
        }
        const auto lines = panel(view, terminal);
        std::string text;
        if (lines_before > 0) text += fmt::format("\x1b[{}A", lines_before);
        for (const auto& line : lines) text += "\r\x1b[K" + line + "\n";
        // The panel got shorter: what is left of the old one goes.
        text += "\x1b[J";
        fmt::print("{}", text);
        if (once_ && !advice(view).empty()) fmt::print("{}\n", advice(view));
        return lines.size();
    }

    std::string interval_ = "5";
    bool once_ = false;
};

}  // namespace

std::unique_ptr<Command> make_monitor(CLI::App& parent) {
    return std::make_unique<Monitor>(parent);
}

}  // namespace crossover::cli
