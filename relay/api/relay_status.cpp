#include "relay/api/relay_status.hpp"

#include "proto/base/json_writer.hpp"

namespace ringlay::api {
namespace {

void write_ingest(JsonWriter& json, const IngestStatus& ingest) {
    json.begin_object();
    json.key("state").text(ingest.has_begun ? "running" : "catching up");
    if (!ingest.has_begun) json.key("fold_percent").number(ingest.fold_percent);
    json.key("hosts_known").number(ingest.hosts_known);
    json.key("hosts_connected").number(ingest.hosts_connected);
    json.key("events_per_second").number(ingest.events_per_second);
    if (ingest.verified_percent) json.key("verified_percent").number(*ingest.verified_percent);
    json.end_object();
}

Health page(const LogStatus& log, std::string_view version, bool is_ok,
            const std::vector<std::string>& reasons) {
    JsonWriter json;
    json.begin_object();
    json.key("status").text(is_ok ? "ok" : "error");
    json.key("version").text(version);
    json.key("head_seq").number(log.head_seq);
    json.key("ingest");
    write_ingest(json, log.ingest);
    json.key("reasons").begin_array();
    for (const std::string& reason : reasons) json.text(reason);
    json.end_array().end_object();
    return {.is_ok = is_ok, .json = json.take()};
}

}  // namespace

Health readiness_page(const LogStatus& log, std::string_view version) {
    const IngestStatus& ingest = log.ingest;
    std::vector<std::string> reasons;
    if (!log.wedge.empty()) reasons.push_back(log.wedge);
    if (log.is_stalled) reasons.push_back("log: " + std::string(log.stall));
    if (ingest.alone_for >= max_alone) {
        reasons.push_back(ingest.hosts_known == 0
                              ? "hosts: none is known yet"
                              : "hosts: none of " + std::to_string(ingest.hosts_known) +
                                    " is connected");
    }
    const bool is_ok = reasons.empty();
    if (!ingest.has_begun) {
        reasons.push_back("fold: the database is catching up with the log (" +
                          std::to_string(ingest.fold_percent) + " %); hosts follow then");
    }
    reasons.insert(reasons.end(), log.notes.begin(), log.notes.end());
    return page(log, version, is_ok, reasons);
}

Health liveness_page(const LogStatus& log, std::string_view version) {
    std::vector<std::string> reasons;
    if (!log.wedge.empty()) reasons.push_back(log.wedge);
    return page(log, version, reasons.empty(), reasons);
}

}  // namespace ringlay::api
