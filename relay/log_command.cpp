#include "relay/log_command.hpp"

#include "relay/event_log/check.hpp"

namespace ringlay {
namespace {

std::string_view kind_name(event_log::Finding::Kind kind) {
    switch (kind) {
        case event_log::Finding::Kind::damage:
            return "damage";
        case event_log::Finding::Kind::unfinished:
            return "unfinished";
        case event_log::Finding::Kind::difference:
            return "difference";
    }
    return "?";
}

void append_finding(std::string& text, const event_log::Finding& finding) {
    text += std::string(kind_name(finding.kind)) + ": " + finding.file + " at byte " +
            std::to_string(finding.offset_bytes);
    if (finding.seq != 0) text += ", seq " + std::to_string(finding.seq);
    text += ": " + finding.what + "\n";
}

}  // namespace

LogCommandResult log_command(env::Env& env, std::string_view directory, bool compares_frames) {
    auto report = compares_frames ? event_log::verify_log(env, directory)
                                  : event_log::check_log(env, directory);
    if (!report) {
        return {false, std::string(directory) + ": " + std::string(report.error().what) + "\n"};
    }
    LogCommandResult result{report->is_sound(), {}};
    for (const auto& finding : report->findings) append_finding(result.text, finding);
    auto count = [&](std::string_view what, std::uint64_t number) {
        result.text += std::string(what) + " " + std::to_string(number) + "\n";
    };
    count("segments", report->segments);
    count("facts_only_segments", report->facts_only_segments);
    count("events", report->events);
    count("facts_only", report->facts_only);
    count("wire_bytes", report->wire_bytes);
    count("facts_bytes", report->facts_bytes);
    count("first_seq", report->first_seq);
    count("last_seq", report->last_seq);
    count("damages", report->damages);
    count("unfinished", report->unfinished);
    if (compares_frames) count("differences", report->differences);
    result.text += result.is_sound ? "sound\n" : "NOT sound\n";
    return result;
}

}  // namespace ringlay
