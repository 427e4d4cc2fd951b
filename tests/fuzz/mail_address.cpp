// Fuzz target: addresses, paths and domains. What is accepted has one text, and that text is
// accepted again as the same.
#include "transport/mail/path.hpp"

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string_view>

namespace {

void require(bool holds) {
    if (!holds) {
        std::abort();
    }
}

bool has_control(std::string_view text) {
    for (const char c : text) {
        if (static_cast<unsigned char>(c) < 0x20 || c == 0x7f) {
            return true;
        }
    }
    return false;
}

void check_domain(std::string_view text) {
    const auto domain = mailflow::DomainName::parse(text);
    if (!domain) {
        return;
    }
    require(domain->text().size() <= 255);
    require(mailflow::DomainName::parse(domain->text()).value() == *domain);
    require(mailflow::DomainName::parse(domain->display()).value() == *domain);
}

void check_address(std::string_view text) {
    const auto address = mailflow::EmailAddress::parse(text);
    if (!address) {
        return;
    }
    const auto written = address->text();
    const auto again = mailflow::EmailAddress::parse(written);
    require(again.has_value() && *again == *address && again->text() == written);
    require(address->domain().has_value() != address->literal().has_value());
    require(!has_control(written));
}

void check_paths(std::string_view text) {
    if (const auto reverse = mailflow::ReversePath::parse(text)) {
        const auto written = '<' + reverse->text() + '>';
        require(mailflow::ReversePath::parse(written).value() == *reverse);
    }
    if (const auto forward = mailflow::ForwardPath::parse(text)) {
        const auto written = '<' + forward->text() + '>';
        require(mailflow::ForwardPath::parse(written).value() == *forward);
    }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const std::string_view text(reinterpret_cast<const char*>(data), size);
    check_domain(text);
    check_address(text);
    check_paths(text);
    return 0;
}
