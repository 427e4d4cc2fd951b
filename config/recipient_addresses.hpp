// The list of addresses in a recipient's document: which one is primary, and what an edit may do to
// it while a policy manages it (reference 4.5). Elements are canonical, `SMTP:` or `smtp:` and an
// address. Pure; inside config only.
#pragma once

#include <boost/json/array.hpp>
#include <boost/json/object.hpp>
#include <boost/json/value.hpp>

#include <string>
#include <string_view>

namespace mailflow {

// `alice@contoso.com` of `SMTP:alice@contoso.com`.
[[nodiscard]] std::string_view bare_address(std::string_view proxy);
[[nodiscard]] bool is_primary(const boost::json::value& proxy);
[[nodiscard]] bool is_same_address(const boost::json::value& a, const boost::json::value& b);

// The primary to the front; without a mark the first becomes primary. False when two are marked.
[[nodiscard]] bool order_addresses(boost::json::array& addresses);
// Marks `primary` in the list, when it is there and no other is marked.
void mark_primary(boost::json::array& addresses, std::string_view primary);

// Whether the addresses as people gave them, a text or a list, name a primary: one with `SMTP:`, or
// a first one without a mark.
[[nodiscard]] bool names_primary(const boost::json::value& given);

// `add_addresses` with an `SMTP:` moves the mark: the former primary stays as a proxy
// (reference 4.4).
void move_primary(boost::json::object& document, const boost::json::object& edit);

}  // namespace mailflow
