// A fake PLC directory: DID documents of the fleet's accounts.
//
// Owner    Fleet. Constant once made.
// Thread   any.
// Bound    about 100 bytes an account.
// Source   protocol 6.2; web.plc.directory (GET /{did}).
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "bench/fleet/accounts.hpp"
#include "relay/net/http_message.hpp"

namespace ringlay::bench {

class Plc {
  public:
    Plc(const AccountBook& book, std::vector<std::string> host_urls);

    net::HttpResponse answer(const net::HttpRequest& request) const;

  private:
    std::string document(const std::string& did, std::uint64_t number) const;

    AccountBook book_;
    std::vector<std::string> host_urls_;
    std::unordered_map<std::string, std::uint64_t> number_of_;
};

}  // namespace ringlay::bench
