// Whole lives of accounts through the rules, with the little state that they need: lives of our own
// making, and public vectors of other relays and of the real network.
#include <simdjson.h>

#include <algorithm>
#include <catch2/catch.hpp>

#include "crypto/did_key.hpp"
#include "proto/base/base32.hpp"
#include "proto/cbor.hpp"
#include "proto/did_document.hpp"
#include "relay/hosts/frame_rules.hpp"
#include "relay/ingest/rules.hpp"
#include "tests/proto/base64.hpp"
#include "tests/support/arrival.hpp"
#include "tests/support/fixtures.hpp"
#include "tests/support/frame_parts.hpp"
#include "tests/support/signed_repo.hpp"

using namespace ringlay;
using namespace ringlay::ingest;
using namespace std::chrono_literals;
using simdjson::dom::element;
using support::SignedRepo;
namespace forge = support::forge;

namespace {

constexpr WallMillis now = 1'767'225'600s;
const HostRef home{7, "pds.example"};
const HostRef new_home{8, "new.example"};

// One account, as a shard that finds nothing out but what it is told would keep it.
class Model {
  public:
    explicit Model(const crypto::PublicKey& key, std::string pds_host)
        : pds_host_(std::move(pds_host)) {
        known.has_identity = true;
        known.key = key;
        known.now = now;
    }

    // What did not pass: nothing if it did.
    std::optional<std::string> feed(const HostRef& host, Bytes frame) {
        std::uint64_t& last_seq = last_seqs_[host.id];
        hosts::Ruling arrived = hosts::rule(frame, last_seq);
        if (!hosts::row_of(arrived.outcome).is_passed) {
            return std::string(hosts::row_of(arrived.outcome).name);
        }
        last_seq = arrived.frame.seq;
        support::Arrival arrival(host, frame);
        known.pds_host = pds_host_;
        Ruling ruling = examine(arrival.event, known);
        if (ruling.disposition != Disposition::pass) {
            return std::string(check_table()[index_of(ruling.check)].name);
        }
        known.host_id = host.id;
        if (ruling.standing) known.upstream = *ruling.standing;
        if (ruling.proof && ruling.proof->is_verified) {
            known.rev = ruling.proof->rev;
            known.data = ruling.proof->data;
        }
        return std::nullopt;
    }

    void move_to(const HostRef& host) { pds_host_ = host.name; }

    Knowledge known;

  private:
    std::string pds_host_;
    std::map<std::uint32_t, std::uint64_t> last_seqs_;
};

const std::optional<std::string> passes;

}  // namespace

TEST_CASE("an account is made, posts, sleeps, wakes and is deleted") {
    SignedRepo alice(1);
    Model model(alice.public_key(), home.name);
    CHECK(model.feed(home, alice.identity(1, now)) == passes);
    CHECK(model.feed(home, alice.account(2, now, true)) == passes);
    CHECK(model.feed(home, alice.commit(3, now, {})) == passes);
    CHECK(model.feed(home, alice.sync(4, now)) == passes);  // the same rev
    CHECK(model.feed(home, alice.create(5, now, "a.b.c/1")) == passes);
    CHECK(model.known.data == alice.data());

    CHECK(model.feed(home, alice.account(6, now, false, "deactivated")) == passes);
    Buffer asleep = alice.create(7, now, "a.b.c/2");
    CHECK(model.feed(home, asleep) == "active");
    CHECK(model.feed(home, alice.sync(8, now)) == "active");
    CHECK(model.feed(home, alice.identity(9, now)) == passes);
    CHECK(model.known.data != alice.data());
    CHECK(model.feed(home, alice.account(10, now, true)) == passes);
    CHECK(model.feed(home, alice.create(11, now, "a.b.c/3")) == passes);
    CHECK(model.known.data == alice.data());

    CHECK(model.feed(home, alice.account(12, now, false, "deleted")) == passes);
    CHECK(model.feed(home, alice.create(13, now, "a.b.c/4")) == "active");
}

TEST_CASE("an account that comes back under its DID must go on above its rev") {
    SignedRepo alice(1);
    Model model(alice.public_key(), home.name);
    CHECK(model.feed(home, alice.create(1, now, "a.b.c/1")) == passes);
    CHECK(model.feed(home, alice.account(2, now, false, "deleted")) == passes);
    CHECK(model.feed(home, alice.account(3, now, true)) == passes);
    SignedRepo again(1);  // from nothing
    CHECK(model.feed(home, again.create(4, now - 1h, "a.b.c/1")) == "rev");
    CHECK(model.feed(home, again.sync(5, now - 1h)) == "rev");
    CHECK(model.feed(home, again.create(6, now + 1s, "a.b.c/2")) == passes);
}

TEST_CASE("revs that do not rise, and seqs that do not, are dropped; what follows is not") {
    SignedRepo alice(1);
    Model model(alice.public_key(), home.name);
    Buffer first = alice.create(10, now, "a.b.c/1");
    Buffer second = alice.create(11, now, "a.b.c/2");
    CHECK(model.feed(home, second) == passes);
    CHECK(model.feed(home, first) == "stale");
    support::FrameParts later(first);
    later.payload.set_uint("seq", 12);
    CHECK(model.feed(home, later.frame()) == "rev");
    support::FrameParts repeated(second);
    repeated.payload.set_uint("seq", 13);
    CHECK(model.feed(home, repeated.frame()) == "rev");
    CHECK(model.feed(home, alice.create(14, now, "a.b.c/3")) == passes);
}

TEST_CASE("an account moves: the new host speaks for it at once, the old one no more") {
    SignedRepo alice(1);
    Model model(alice.public_key(), home.name);
    CHECK(model.feed(home, alice.create(1, now, "a.b.c/1")) == passes);
    CHECK(model.feed(new_home, alice.account(1, now, true)) == "authority");
    model.move_to(new_home);
    CHECK(model.feed(new_home, alice.identity(2, now)) == passes);
    CHECK(model.feed(new_home, alice.account(3, now, true)) == passes);
    CHECK(model.feed(new_home, alice.sync(4, now)) == passes);
    CHECK(model.feed(home, alice.account(2, now, false, "deactivated")) == "authority");
    CHECK(model.known.upstream.is_active);
    CHECK(model.feed(new_home, alice.create(5, now, "a.b.c/2")) == passes);
}

TEST_CASE("unverified events leave nothing behind: a forged rev cannot block the real ones") {
    SignedRepo alice(1);
    SignedRepo mallory(alice.did(), bench::invented_key(crypto::Curve::k256, 66, 6));
    Model model(alice.public_key(), home.name);
    CHECK(model.feed(home, alice.create(1, now, "a.b.c/1")) == passes);
    std::uint64_t rev = model.known.rev;

    // Its key cannot be found out now; the forgery is four minutes ahead.
    model.known.has_identity = false;
    model.known.skips_identity = true;
    CHECK(model.feed(home, mallory.create(2, now + 4min, "a.b.c/evil")) == passes);
    CHECK(model.known.rev == rev);
    model.known.has_identity = true;
    CHECK(model.feed(home, alice.create(3, now + 1s, "a.b.c/2")) == passes);
    CHECK(model.known.rev == alice.rev().value());
    CHECK(model.feed(home, mallory.create(4, now + 4min, "a.b.c/more")) == "signature");
}

// ----- public vectors ---------------------------------------------------------------------------

namespace {

// {"$link": ...} and {"$bytes": ...} stand for what JSON does not have.
void write(proto::CborWriter& out, element value) {
    using Type = simdjson::dom::element_type;
    switch (value.type()) {
        case Type::ARRAY:
            out.write_array(value.get_array().size());
            for (element item : value.get_array()) write(out, item);
            return;
        case Type::STRING:
            return out.write_text(value.get_string().value());
        case Type::INT64:
            return out.write_int(value.get_int64().value());
        case Type::BOOL:
            return out.write_bool(value.get_bool().value());
        case Type::NULL_VALUE:
            return out.write_null();
        default:
            break;
    }
    std::vector<simdjson::dom::key_value_pair> entries;
    for (auto entry : value.get_object()) entries.push_back(entry);
    if (entries.size() == 1 && entries[0].key == "$link") {
        std::string_view text = entries[0].value.get_string().value();
        return out.write_link(from_base32(text.substr(1)).value());
    }
    if (entries.size() == 1 && entries[0].key == "$bytes") {
        return out.write_bytes(from_base64(entries[0].value.get_string().value()));
    }
    std::ranges::sort(entries, proto::key_before, &simdjson::dom::key_value_pair::key);
    auto map = out.write_map(entries.size());
    for (auto entry : entries) {
        out.write_key(map, entry.key);
        write(out, entry.value);
    }
}

Buffer frame_of(element header, element body) {
    Buffer out;
    proto::CborWriter writer(out);
    write(writer, header);
    write(writer, body);
    return out;
}

}  // namespace

TEST_CASE("lives of accounts that another relay is tested with come to the same end here") {
    std::string_view name = GENERATE(
        values<std::string_view>({"account_lifecycle", "deactivation", "legacy", "post_lifecycle",
                                  "post_lifecycle_legacy", "rev_ordering", "seq_ordering"}));
    CAPTURE(name);
    auto file =
        support::read_fixture("indigo/cmd/relay/testing/testdata/" + std::string(name) + ".json");
    if (!file) return;
    simdjson::dom::parser parser;
    element scenario = parser.parse(*file);
    element identity = scenario["accounts"].at(0)["identity"];
    auto key = crypto::parse_multikey(
        identity["keys"]["atproto"]["publicKeyMultibase"].get_string().value());
    std::string_view url = identity["services"]["atproto_pds"]["url"].get_string().value();
    const HostRef host{7, proto::host_of_endpoint(url).value()};
    Model model(key.value(), host.name);

    int number = 0;
    for (element message : scenario["messages"].get_array()) {
        Buffer frame = frame_of(message["frame"]["header"], message["frame"]["body"]);
        auto failed = model.feed(host, frame);
        CAPTURE(number++, failed.value_or("passed"));
        CHECK(failed.has_value() == message["drop"].get_bool().value());
    }
    CHECK(number > 0);
}

TEST_CASE("commits captured on the network pass every check that needs no key") {
    std::string_view name = GENERATE(
        values<std::string_view>({"4621317030", "4621317332", "4621332152", "4623075231"}));
    CAPTURE(name);
    auto file = support::read_fixture("indigo/atproto/repo/testdata/firehose_commit_" +
                                      std::string(name) + ".json");
    if (!file) return;
    simdjson::dom::parser parser;
    simdjson::dom::parser header_parser;
    element header = header_parser.parse(std::string_view(R"({"op":1,"t":"#commit"})"));
    Buffer frame = frame_of(header, parser.parse(*file));

    SignedRepo anybody(1);
    Model model(anybody.public_key(), home.name);
    model.known.has_identity = false;
    model.known.skips_identity = true;
    CHECK(model.feed(home, frame) == passes);
    model.known.has_identity = true;
    support::FrameParts again(frame);
    again.payload.set_uint("seq", (std::uint64_t{1} << 53) - 1);
    CHECK(model.feed(home, again.frame()) == "signature");
}
