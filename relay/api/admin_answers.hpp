// What the administration's answers have in common. Included by the .cpp files of AdminHosts alone.
#pragma once

#include <expected>
#include <string>
#include <string_view>

#include "relay/api/json_fields.hpp"
#include "relay/hosts/host_book.hpp"
#include "relay/net/http_message.hpp"

namespace ringlay::api {

net::HttpResponse admin_page(std::string json);
net::HttpResponse admin_error(std::string_view message);              // 400 BadRequest
net::HttpResponse admin_done(std::optional<std::size_t> hosts = {});  // `"success":"true"`

// The body's fields, or the answer that refuses them.
std::expected<JsonFields, net::HttpResponse> body_of(const net::HttpRequest& request);

// What a ban is about, as the registry calls it: `*.domain`, or a host's name.
std::expected<std::string, hosts::Refusal> ban_target(std::string_view text);

}  // namespace ringlay::api
