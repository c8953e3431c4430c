#include "relay/ingest/rules.hpp"

#include <catch2/catch.hpp>

#include "tests/support/arrival.hpp"
#include "tests/support/frame_parts.hpp"
#include "tests/support/signed_repo.hpp"

using namespace ringlay;
using namespace ringlay::ingest;
using namespace std::chrono_literals;
using support::Arrival;
using support::SignedRepo;
namespace forge = support::forge;

TEST_CASE("a good commit passes") {
    SignedRepo alice(1);
    HostRef host{7, "pds.example"};
    WallMillis now = 1'767'225'600s;
    Buffer frame = alice.create(5, now, "app.bsky.feed.post/a");
    Arrival arrival(host, frame, now);
    auto ruling = examine(arrival.event, support::knowledge_of(alice, host, now));
    CAPTURE(ruling.why);
    CHECK(ruling.disposition == Disposition::pass);
    CHECK(ruling.proof->is_verified);
}
