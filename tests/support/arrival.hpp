// An event as the host room hands it to a shard: repaired if it has to be, with its place and its
// number of that host.
//
// Owner    the test; it must outlive whatever the event is pushed to.
#pragma once

#include "proto/frame.hpp"
#include "relay/ingest/event.hpp"
#include "relay/ingest/rules.hpp"
#include "tests/support/signed_repo.hpp"

namespace ringlay::support {

class Arrival {
  public:
    // The frame must be one that the host room would pass on.
    Arrival(const ingest::HostRef& host, Bytes frame, WallMillis received = {});

    ingest::Event event;

  private:
    Buffer message_;
};

// All that is known of an account in good order at its host, before its first event.
ingest::Knowledge knowledge_of(const SignedRepo& repo, const ingest::HostRef& host, WallMillis now);

}  // namespace ringlay::support
