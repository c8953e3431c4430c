#include "relay/base/config.hpp"

#include <catch2/catch.hpp>
#include <fstream>
#include <sstream>

#include "relay/base/config_table.hpp"
#include "relay/base/config_values.hpp"
#include "tests/relay/base/config_rig.hpp"

using namespace ringlay::base;
using namespace ringlay::support;
using Catch::Contains;
using Action = Invocation::Action;

namespace {

const Setting& row(std::string_view name) {
    for (const Setting& setting : config_table()) {
        if (setting.name == name) return setting;
    }
    FAIL("no such setting");
    return config_table().front();
}

}  // namespace

TEST_CASE("nothing set: the documented defaults, and no warning") {
    Invocation invocation = parsed({}, {{"HOME", "/root"}, {"PATH", "/bin"}});
    const Config& config = invocation.config;
    CHECK(invocation.action == Action::run);
    CHECK(invocation.warnings.empty());
    CHECK(config.data_dir == "./data");
    CHECK(config.port == 3000);
    CHECK(config.http_port == 3001);
    CHECK(config.bind == "127.0.0.1");
    CHECK(config.http_bind == "127.0.0.1");
    CHECK(config.hosts.empty());
    CHECK(config.upstream == std::vector<std::string>{"https://bsky.network"});
    CHECK(config.ca_bundle.empty());
    CHECK(config.allow_private_hosts.empty());
    CHECK(config.trusted_domains == std::vector<std::string>{"*.host.bsky.network"});
    CHECK(config.max_hosts == 20'000);
    CHECK(config.max_hosts_per_address == 64);
    CHECK(config.new_hosts_per_day == 1000);
    CHECK(config.host_events_per_second == 50);
    CHECK(config.request_crawl == RequestCrawl::on);
    CHECK(config.trusted_proxies.empty());
    CHECK(config.admin_passwords.empty());
    CHECK(config.admin_password_file.empty());
    CHECK(config.workers == 5);
    CHECK(config.shards == 2);
    CHECK(config.plc_url == "https://plc.directory");
    CHECK(config.key_wait_ms == 2000);
    CHECK(config.unverified == Unverified::pass);
    CHECK(config.identity_handle == IdentityHandle::strip);
    CHECK(config.cached_accounts == 1'000'000);
    CHECK(config.retention_hours == 72);
    CHECK(config.retention_bytes == 0);
    CHECK(config.segment_bytes == 256u << 20);
    CHECK(config.tail_bytes == 64u << 20);
    CHECK(config.sync_interval_ms == 100);
    CHECK(config.initial_seq == 0);
    CHECK(config.consumer_stall_seconds == 600);
    CHECK(config.max_consumers == 1000);
    CHECK(config.max_consumers_per_address == 50);
    CHECK(config.log_level == LogLevel::info);
    CHECK(config.log_format == LogFormat::automatic);
}

TEST_CASE("workers follow the number of CPUs, from 2 to 47") {
    CHECK(parsed({}, {}, 0).config.workers == 2);  // unknown
    CHECK(parsed({}, {}, 1).config.workers == 2);
    CHECK(parsed({}, {}, 2).config.workers == 5);
    CHECK(parsed({}, {}, 15).config.workers == 44);
    CHECK(parsed({}, {}, 16).config.workers == 47);
    CHECK(parsed({}, {}, 64).config.workers == 47);
    CHECK(parsed({"--workers", "1"}, {}, 64).config.workers == 1);
}

TEST_CASE("flags win over the environment, the environment over defaults") {
    Environment environment = {{"RELAY_PORT", "4000"}, {"RELAY_HTTP_PORT", "4001"}};
    Config config = parsed({"--port", "5000"}, environment).config;
    CHECK(config.port == 5000);
    CHECK(config.http_port == 4001);
    CHECK(parsed({"--port=5000"}, environment).config.port == 5000);
    CHECK(parsed({"--port", "5000", "--port", "6000"}, {}).config.port == 6000);  // the last one
    CHECK(parsed({"--data-dir", "a=b"}, {}).config.data_dir == "a=b");
    CHECK(parsed({"--data-dir=a=b"}, {}).config.data_dir == "a=b");
}

TEST_CASE("a wrong value in the environment is harmless where a flag replaces it") {
    CHECK(parsed({"--port", "5000"}, {{"RELAY_PORT", "many"}}).config.port == 5000);
}

TEST_CASE("an empty environment value counts as unset, an empty flag does not") {
    CHECK(parsed({}, {{"RELAY_PORT", ""}}).config.port == 3000);
    CHECK(parsed({}, {{"RELAY_DATADIR", ""}}).warnings.empty());
    CHECK_THAT(refusal({"--port="}, {}), Contains("flag --port"));
    CHECK_THAT(refusal({"--data-dir="}, {}), Contains("must be a path"));
    CHECK(parsed({"--hosts="}, {{"RELAY_HOSTS", "a:1"}}).config.hosts.empty());
}

TEST_CASE("every setting can be set by its flag, its environment name and its aliases") {
    const std::vector<std::pair<std::string_view, std::string_view>> values = {
        {"data_dir", "/var/lib/x"},
        {"port", "1"},
        {"http_port", "2"},
        {"bind", "127.0.0.2"},
        {"http_bind", "::1"},
        {"hosts", "a.example:1"},
        {"upstream", "relay.example"},
        {"ca_bundle", "/etc/ca.pem"},
        {"allow_private_hosts", "pds.lan:2583"},
        {"trusted_domains", "*.example"},
        {"max_hosts", "20"},
        {"max_hosts_per_address", "1"},
        {"new_hosts_per_day", "0"},
        {"host_events_per_second", "1"},
        {"request_crawl", "off"},
        {"trusted_proxies", "10.0.0.0/8"},
        {"admin_password", "secret"},
        {"admin_password_file", "/run/secret"},
        {"workers", "256"},
        {"shards", "1"},
        {"plc_url", "http://127.0.0.1:2582"},
        {"key_wait_ms", "0"},
        {"unverified", "drop"},
        {"identity_handle", "keep"},
        {"cached_accounts", "1000"},
        {"retention_hours", "24"},
        {"retention_bytes", "1GiB"},
        {"reserve_bytes", "3GiB"},
        {"segment_bytes", "1MiB"},
        {"tail_bytes", "16MiB"},
        {"sync_interval_ms", "60000"},
        {"initial_seq", "9007199254740991"},
        {"consumer_stall_seconds", "1"},
        {"max_consumers", "2"},
        {"max_consumers_per_address", "3"},
        {"log_file", "/var/log/relay"},
        {"log_level", "debug"},
        {"log_format", "json"},
    };
    const std::string defaulted = "https://bsky.network";
    auto fields = [&](const Config& c) {
        std::string hosts;
        for (const HostAddress& host : c.hosts) hosts += host.name + std::to_string(host.port);
        // Whoever names hosts has no upstream by default: that is not what is asked here.
        std::string upstream = c.hosts.empty() && !c.upstream.empty() ? c.upstream[0] : defaulted;
        return std::vector<std::string>{
            c.data_dir,
            std::to_string(c.port),
            std::to_string(c.http_port),
            c.bind,
            c.http_bind,
            hosts,
            upstream,
            c.ca_bundle,
            std::to_string(c.allow_private_hosts.empty()),
            c.trusted_domains.empty() ? "" : c.trusted_domains[0],
            std::to_string(c.max_hosts),
            std::to_string(c.max_hosts_per_address),
            std::to_string(c.new_hosts_per_day),
            std::to_string(c.host_events_per_second),
            std::to_string(static_cast<int>(c.request_crawl)),
            c.trusted_proxies.empty() ? "" : c.trusted_proxies[0].text(),
            c.admin_passwords.empty() ? "" : c.admin_passwords[0],
            c.admin_password_file,
            std::to_string(c.workers),
            std::to_string(c.shards),
            c.plc_url,
            std::to_string(c.key_wait_ms),
            std::to_string(static_cast<int>(c.unverified)),
            std::to_string(static_cast<int>(c.identity_handle)),
            std::to_string(c.cached_accounts),
            std::to_string(c.retention_hours),
            std::to_string(c.retention_bytes),
            std::to_string(c.reserve_bytes),
            std::to_string(c.segment_bytes),
            std::to_string(c.tail_bytes),
            std::to_string(c.sync_interval_ms),
            std::to_string(c.initial_seq),
            std::to_string(c.consumer_stall_seconds),
            std::to_string(c.max_consumers),
            std::to_string(c.max_consumers_per_address),
            c.log_file,
            std::to_string(static_cast<int>(c.log_level)),
            std::to_string(static_cast<int>(c.log_format))};
    };
    const std::vector<std::string> defaults = fields(parsed({}, {}).config);
    REQUIRE(values.size() == config_table().size());
    for (std::size_t at = 0; at < values.size(); ++at) {
        const auto& [name, value] = values[at];
        CAPTURE(name);
        const Setting& setting = row(name);
        REQUIRE(&setting == &config_table()[at]);
        std::string flag = flag_of(setting);
        REQUIRE(flag.empty() == setting.is_secret);
        auto by_flag =
            setting.is_secret
                ? fields(parsed({}, {{environment_of(setting), std::string(value)}}).config)
                : fields(parsed({flag, value}, {}).config);
        // Exactly this field has changed: no row stores into another's field.
        for (std::size_t other = 0; other < values.size(); ++other) {
            CAPTURE(values[other].first);
            CHECK((by_flag[other] != defaults[other]) == (other == at));
        }
        std::vector<std::string> names = {environment_of(setting)};
        names.insert(names.end(), setting.aliases.begin(), setting.aliases.end());
        for (const std::string& key : names) {
            CAPTURE(key);
            CHECK(fields(parsed({}, {{key, std::string(value)}}).config) == by_flag);
        }
    }
}

TEST_CASE("names that operators of other relays know are aliases of ours") {
    CHECK(parsed({}, {{"RELAY_METRICS_PORT", "9"}}).config.http_port == 9);
    CHECK(parsed({}, {{"RELAY_REPLAY_WINDOW", "48h"}}).config.retention_hours == 48);
    CHECK(parsed({}, {{"RELAY_EVENT_PLAYBACK_TTL", "24h0m0s"}}).config.retention_hours == 24);
    CHECK(parsed({}, {{"RELAY_INITIAL_SEQ_NUMBER", "7"}}).config.initial_seq == 7);
    CHECK(parsed({}, {{"LOG_LEVEL", "WARN"}}).config.log_level == LogLevel::warn);
    CHECK(parsed({}, {{"RELAY_PLC_HOST", "http://plc:1"}}).config.plc_url == "http://plc:1");
    CHECK(parsed({}, {{"RELAY_IDENT_CACHE_SIZE", "5000"}}).config.cached_accounts == 5000);
}

TEST_CASE("shards are as many as CPUs, and never more than workers") {
    CHECK(parsed({}, {}, 16).config.shards == 16);
    CHECK(parsed({"--workers", "3"}, {}, 16).config.shards == 3);
    CHECK(parsed({"--workers", "3", "--shards", "7"}, {}, 16).config.shards == 3);
    CHECK(parsed({}, {}, 0).config.shards == 1);
}

TEST_CASE("the directory is an http or https address without a path") {
    CHECK(parsed({"--plc-url", "http://localhost:2582/"}, {}).config.plc_url ==
          "http://localhost:2582");
    for (std::string_view wrong : {"plc.directory", "ws://plc", "http://", "http://plc/export",
                                   "http://plc?x", "http://me@plc", ""}) {
        CAPTURE(wrong);
        CHECK_THAT(refusal({"--plc-url", wrong}, {}), Contains("http://host[:port]"));
    }
    CHECK_THAT(refusal({"--unverified", "maybe"}, {}), Contains("pass or drop"));
    CHECK_THAT(refusal({"--identity-handle", "x"}, {}), Contains("strip or keep"));
}

TEST_CASE("the canonical name wins over an alias, and says so when they differ") {
    Environment differ = {{"RELAY_METRICS_PORT", "9"}, {"RELAY_HTTP_PORT", "8"}};
    Invocation invocation = parsed({}, differ);
    CHECK(invocation.config.http_port == 8);
    REQUIRE(invocation.warnings.size() == 1);
    CHECK_THAT(invocation.warnings[0],
               Contains("RELAY_METRICS_PORT is ignored") && Contains("RELAY_HTTP_PORT"));
    CHECK(parsed({}, {{"RELAY_METRICS_PORT", "8"}, {"RELAY_HTTP_PORT", "8"}}).warnings.empty());
}

TEST_CASE("a bad value is refused with its setting, its source and what would be valid") {
    std::string by_environment = refusal({}, {{"RELAY_WORKERS", "0"}});
    CHECK_THAT(by_environment, Contains("workers") && Contains("\"0\"") &&
                                   Contains("(RELAY_WORKERS)") &&
                                   Contains("a number from 1 to 256"));
    std::string by_flag = refusal({"--workers", "257"}, {{"RELAY_WORKERS", "3"}});
    CHECK_THAT(by_flag, Contains("\"257\"") && Contains("(flag --workers)"));
    CHECK_THAT(refusal({}, {{"RELAY_METRICS_PORT", "x"}}),
               Contains("http_port") && Contains("(RELAY_METRICS_PORT)"));
    CHECK_THAT(refusal({}, {{"LOG_LEVEL", "loud"}}), Contains("debug, info, warn or error"));
    CHECK_THAT(refusal({}, {{"RELAY_LOG_FORMAT", "xml"}}), Contains("auto, text or json"));
    CHECK_THAT(refusal({}, {{"RELAY_RETENTION_HOURS", "90m"}}), Contains("whole hours"));
    CHECK_THAT(refusal({}, {{"RELAY_SEGMENT_BYTES", "1000000"}}), Contains("from 1MiB to 2GiB"));
    CHECK_THAT(refusal({}, {{"RELAY_INITIAL_SEQ", "9007199254740992"}}), Contains("initial_seq"));
}

TEST_CASE("a refusal shows no control character and not more than the start of a long value") {
    std::string text = refusal({}, {{"RELAY_PORT", "\x1b[31m" + std::string(500, 'x')}});
    CHECK(text.size() < 300);
    CHECK_THAT(text, Contains("\"?[31mxxx") && Contains("...\""));
}

TEST_CASE("bounds of numbers are exact") {
    CHECK(parsed({"--port", "0"}, {}).config.port == 0);
    CHECK(parsed({"--port", "65535"}, {}).config.port == 65535);
    CHECK_THAT(refusal({"--port", "65536"}, {}), Contains("0 to 65535"));
    CHECK(parsed({"--workers", "256"}, {}).config.workers == 256);
    CHECK(parsed({"--retention-hours", "8784"}, {}).config.retention_hours == 8784);
    CHECK_THAT(refusal({"--retention-hours", "8785"}, {}), Contains("8784"));
}

TEST_CASE("sizes take suffixes of powers of 1000 and of 1024") {
    CHECK(parse_size_bytes("0") == 0);
    CHECK(parse_size_bytes("4096") == 4096);
    CHECK(parse_size_bytes("4096B") == 4096);
    CHECK(parse_size_bytes("2K") == 2000);
    CHECK(parse_size_bytes("2kb") == 2000);
    CHECK(parse_size_bytes("2Ki") == 2048);
    CHECK(parse_size_bytes("2KiB") == 2048);
    CHECK(parse_size_bytes("3M") == 3'000'000);
    CHECK(parse_size_bytes("3MiB") == 3 << 20);
    CHECK(parse_size_bytes("100G") == 100'000'000'000);
    CHECK(parse_size_bytes("1TiB") == 1ull << 40);
    CHECK(parse_size_bytes("16777215TiB") == 16777215ull << 40);
    for (std::string_view bad : {"", "K", "-1", "+1", " 1", "1 ", "1 K", "1.5G", "1KK", "1Kx", "1X",
                                 "1i", "1iB", "0x10", "18446744073709551616", "16777216TiB"}) {
        CAPTURE(bad);
        CHECK_FALSE(parse_size_bytes(bad));
    }
}

TEST_CASE("hours are digits or a Go duration of whole hours") {
    CHECK(parse_hours("72") == 72);
    CHECK(parse_hours("72h") == 72);
    CHECK(parse_hours("1h60m") == 2);
    CHECK(parse_hours("72h0m0s") == 72);
    CHECK(parse_hours("7200s") == 2);
    for (std::string_view bad : {"", "h", "90m", "1h1s", "72d", "72h3", "-1h", "1.5h", " 1h",
                                 "5124095576030432h", "5124095576030431h16s"}) {
        CAPTURE(bad);
        CHECK_FALSE(parse_hours(bad));
    }
}

TEST_CASE("a near miss of our own names is refused with the right one") {
    const std::pair<std::string, std::string> misses[] = {
        {"RELAY_DATADIR", "RELAY_DATA_DIR"},
        {"RELAY_RETENTION_HOUR", "RELAY_RETENTION_HOURS"},
        {"RELAY_PROT", "RELAY_PORT"},
        {"RELAY_HTTPPORT", "RELAY_HTTP_PORT"},
        {"RELAY_METRIC_PORT", "RELAY_METRICS_PORT"},
        {"RELAY_HOSTSS", "RELAY_HOSTS"},
        {"RELAY_data_dir", ""},  // far from everything: eight letters differ
    };
    for (const auto& [name, meant] : misses) {
        CAPTURE(name);
        if (meant.empty()) {
            CHECK(parsed({}, {{name, "1"}}).warnings.size() == 1);
        } else {
            CHECK_THAT(refusal({}, {{name, "1"}}), Contains(name) && Contains(meant + "?"));
        }
    }
    CHECK_THAT(refusal({"--datadir", "x"}, {}), Contains("did you mean --data-dir?"));
    CHECK_THAT(refusal({"--halp"}, {}), Contains("did you mean --help?"));
    CHECK_THAT(refusal({"--port-number", "1"}, {}),
               Contains("--port-number") && Contains("see --help"));
    CHECK_THAT(refusal({"--" + std::string(100'000, 'x')}, {}), Contains("see --help"));
}

TEST_CASE("two letters away is a near miss, three are a stranger") {
    CHECK_THAT(refusal({}, {{"RELAY_WORKERXX", "1"}}), Contains("RELAY_WORKERS?"));
    CHECK(parsed({}, {{"RELAY_WORKERXXX", "1"}}).warnings.size() == 1);
}

TEST_CASE("what Kubernetes and other relays put into the environment is ignored in one warning") {
    Environment environment = {
        {"RELAY_PORT", "tcp://10.43.0.7:3000"},
        {"RELAY_HTTP_PORT", "tcp://10.43.0.8:3001"},
        {"RELAY_METRICS_PORT", "udp://10.43.0.8:3001"},
        {"RELAY_HOSTS", "sctp://10.43.0.8:3001"},
        {"RELAY_METRIC_PORT", "tcp://10.43.0.8:3001"},  // almost ours, and a link
        {"RELAY_SERVICE_HOST", "10.43.0.7"},
        {"RELAY_SERVICE_PORT", "3000"},
        {"RELAY_SERVICE_PORT_XRPC", "3000"},
        {"RELAY_PORT_3000_TCP", "tcp://10.43.0.7:3000"},
        {"RELAY_PORT_3000_TCP_ADDR", "10.43.0.7"},
        {"RELAY_PORT_53_UDP_PROTO", "udp"},
        {"RELAY_HOST", "https://relay.example"},  // one letter from RELAY_HOSTS
        {"RELAY_SIBLING_RELAYS", "bsky.network"},
        {"FRAME_WORKERS", "16"},
        {"RELAY_STRANGER", "1"},
        {"WORKERS", "x"},
    };
    Invocation invocation = parsed({}, environment);
    CHECK(invocation.config.port == 3000);
    CHECK(invocation.config.http_port == 3001);
    REQUIRE(invocation.warnings.size() == 1);
    const std::string& warning = invocation.warnings[0];
    for (const auto& [name, value] : environment) {
        if (name == "WORKERS") continue;
        CHECK_THAT(warning, Contains(" " + name));
    }
    CHECK_THAT(warning, !Contains(" WORKERS"));
    // A link hides nothing: an alias with a sound value is still taken.
    environment[2].second = "4001";
    CHECK(parsed({}, environment).config.http_port == 4001);
}

TEST_CASE("settings are checked against each other") {
    CHECK_THAT(refusal({"--port", "3001"}, {}), Contains("port and http_port are both 3001"));
    CHECK(parsed({"--port", "3001", "--bind", "127.0.0.2"}, {}).config.port == 3001);
    for (std::string_view every : {"0.0.0.0", "::"}) {
        CHECK_THAT(refusal({"--port", "3001", "--bind", every}, {}), Contains("are both 3001"));
        CHECK_THAT(refusal({"--port", "3001", "--http-bind", every}, {}), Contains("both 3001"));
        CHECK(parsed({"--bind", every, "--http-bind", every}, {}).config.bind == every);
    }
    CHECK(parsed({"--port", "0", "--http-port", "0"}, {}).config.http_port == 0);
    CHECK_THAT(refusal({"--max-hosts", "24577", "--workers", "1"}, {}),
               Contains("workers must be at least 2, not 1"));
    CHECK(parsed({"--max-hosts", "24576", "--workers", "1"}, {}).config.workers == 1);
    CHECK(parsed({"--max-hosts", "100000", "--workers", "5"}, {}).config.max_hosts == 100'000);
    CHECK_THAT(refusal({"--max-hosts", "100001"}, {}), Contains("1 to 100000"));
    CHECK_THAT(refusal({"--retention-bytes", "511MiB"}, {}), Contains("twice segment_bytes"));
    CHECK(parsed({"--retention-bytes", "512MiB"}, {}).config.retention_bytes == 512u << 20);
}

TEST_CASE("help, version and the table are asked for by flag, whatever the environment says") {
    Environment broken = {{"RELAY_PORT", "many"}, {"RELAY_DATADIR", "x"}};
    CHECK(parsed({"--help"}, broken).action == Action::help);
    CHECK(parsed({"-h"}, broken).action == Action::help);
    CHECK(parsed({"--version"}, broken).action == Action::version);
    CHECK(parsed({"--print-config-table"}, broken).action == Action::print_config_table);
}

TEST_CASE("what holds is told with who set it, in the program's own form, but no secret") {
    const Environment environment = {{"RELAY_METRICS_LISTEN", ":4001"},
                                     {"RELAY_REPLAY_WINDOW", "48h"},
                                     {"RELAY_ADMIN_PASSWORD", "hush"}};
    const auto told =
        parsed({"--print-settings", "--port", "4000", "--hosts=One.example"}, environment);
    CHECK(told.action == Action::print_settings);
    const std::string text = settings_text(told.settings);
    for (const std::string_view line :
         {"port\t4000\tflag --port\n", "http_port\t4001\tRELAY_METRICS_LISTEN\n",
          "http_bind\t::\tRELAY_METRICS_LISTEN\n", "retention_hours\t48\tRELAY_REPLAY_WINDOW\n",
          "bind\t127.0.0.1\tdefault\n", "hosts\tOne.example\tflag --hosts\n",
          "upstream\t\tdefault\n", "workers\t5\tdefault\n", "unverified\tpass\tdefault\n"}) {
        CHECK_THAT(text, Contains(std::string(line)));
    }
    CHECK_THAT(text, !Contains("hush") && !Contains("admin_password\t"));
    CHECK(
        settings_text(parsed({}, {}).settings).find("upstream\thttps://bsky.network\tdefault\n") !=
        std::string::npos);
    CHECK_THAT(refusal({"--print-settings", "--port", "many"}, {}), Contains("port: \"many\""));
    CHECK(parsed({"--print-settings", "--help"}, {}).action == Action::help);
}

TEST_CASE("arguments that are no flags, and flags without a value, are refused") {
    CHECK_THAT(refusal({"serve"}, {}), Contains("unexpected argument \"serve\""));
    CHECK_THAT(refusal({"-p", "1"}, {}), Contains("unexpected argument \"-p\""));
    CHECK_THAT(refusal({"--port"}, {}), Contains("--port lacks a value"));
}

TEST_CASE("help and the README table name every setting with flag, variable and default") {
    std::string help = help_text(), table = config_table_markdown();
    for (const Setting& setting : config_table()) {
        CAPTURE(setting.name);
        for (const std::string& text : {help, table}) {
            CHECK_THAT(text, Contains(flag_of(setting)) && Contains(environment_of(setting)) &&
                                 Contains(std::string(setting.default_value)));
            for (std::string_view alias : setting.aliases) {
                CHECK_THAT(text, Contains(std::string(alias)));
            }
        }
        CHECK_FALSE(setting.help.empty());
        CHECK_FALSE((setting.default_value.empty() && setting.default_words.empty()));
    }
    for (std::size_t at = 0; at < help.size();) {
        std::size_t end = help.find('\n', at);
        CHECK(end - at <= 92);
        at = end + 1;
    }
    // Five columns in each row: an escaped bar does not count.
    std::size_t rows = 0;
    for (std::size_t at = 0; at < table.size(); ++rows) {
        std::size_t end = table.find('\n', at), bars = 0;
        for (std::size_t i = at; i < end; ++i)
            bars += table[i] == '|' && table[i - (i > 0)] != '\\';
        CHECK(bars == 6);
        at = end + 1;
    }
    CHECK(rows == config_table().size() + 2);
}

TEST_CASE("the table in README.md is the one that --print-config-table prints") {
    std::ifstream file(RINGLAY_SOURCE_ROOT "/README.md");
    std::stringstream stream;
    stream << file.rdbuf();
    std::string readme = stream.str();
    const std::string begin = "<!-- config table: begin -->\n\n",
                      end = "\n<!-- config table: end -->";
    std::size_t from = readme.find(begin), to = readme.find(end);
    REQUIRE(from != std::string::npos);
    REQUIRE(to != std::string::npos);
    from += begin.size();
    CHECK(readme.substr(from, to - from) == config_table_markdown());
}
