#include "tests/support/fake_resolver.hpp"

#include "transport/base/ascii.hpp"

#include <stdexcept>

namespace mailflow {

namespace {

constexpr int kCnameDepth = 8;

std::string detail_of(DnsStatus status, std::string_view type, const std::string& name) {
    switch (status) {
        case DnsStatus::found: return {};
        case DnsStatus::no_such_name: return name + " does not exist";
        case DnsStatus::no_such_data: return name + " has no " + std::string(type) + " record";
        case DnsStatus::temporary: return "SERVFAIL for " + name;
    }
    return {};
}

}  // namespace

std::string FakeResolver::key(std::string_view name) {
    if (name.ends_with('.')) name.remove_suffix(1);
    return ascii::to_lower(name);
}

void FakeResolver::add_mx(
    std::string_view name, std::uint16_t preference, std::string_view exchange) {
    names_[key(name)].mx.push_back(MxRecord{preference, key(exchange)});
}

void FakeResolver::add_address(std::string_view name, std::string_view address) {
    const auto parsed = IpAddress::parse(address);
    if (!parsed)
        throw std::invalid_argument("FakeResolver: no IP address: " + std::string(address));
    auto& entry = names_[key(name)];
    (parsed->is_v4() ? entry.ipv4 : entry.ipv6).push_back(*parsed);
}

void FakeResolver::add_txt(std::string_view name, std::string_view text) {
    names_[key(name)].txt.emplace_back(text);
}

void FakeResolver::add_cname(std::string_view name, std::string_view target) {
    names_[key(name)].cname = key(target);
}

void FakeResolver::add_tlsa(std::string_view name, TlsaRecord record) {
    names_[key(name)].tlsa.push_back(std::move(record));
}

void FakeResolver::set_authentic(std::string_view name, bool authentic) {
    names_[key(name)].authentic = authentic;
}

void FakeResolver::set_status(std::string_view name, DnsStatus status) {
    names_[key(name)].status = status;
}

void FakeResolver::remove(std::string_view name) {
    names_.erase(key(name));
}

template <class Record>
DnsAnswer<Record> FakeResolver::answer(
    std::string_view type, std::string_view name, std::vector<Record> Name::*records) {
    std::string at = key(name);
    queries_.push_back(std::string(type) + " " + at);
    DnsAnswer<Record> result;
    result.ttl = ttl_;
    result.authentic = dnssec_ == DnssecTrust::proven;
    for (int depth = 0; depth <= kCnameDepth; ++depth) {
        const auto found = names_.find(at);
        result.authentic = result.authentic && found != names_.end() && found->second.authentic;
        if (depth > 0) result.canonical_name = at;
        if (found == names_.end()) {
            result.status = DnsStatus::no_such_name;
        } else if (found->second.status != DnsStatus::found) {
            result.status = found->second.status;
        } else if (!found->second.cname.empty()) {
            at = found->second.cname;
            continue;
        } else {
            result.records = found->second.*records;
            result.status = result.records.empty() ? DnsStatus::no_such_data : DnsStatus::found;
        }
        result.detail = detail_of(result.status, type, at);
        return result;
    }
    result.status = DnsStatus::temporary;
    result.detail = "CNAME chain too long at " + at;
    return result;
}

Task<DnsAnswer<MxRecord>> FakeResolver::find_mx(DomainName name) {
    auto result = answer("MX", name.text(), &Name::mx);
    co_return result;
}

Task<DnsAnswer<IpAddress>> FakeResolver::find_ipv4(DomainName name) {
    auto result = answer("A", name.text(), &Name::ipv4);
    co_return result;
}

Task<DnsAnswer<IpAddress>> FakeResolver::find_ipv6(DomainName name) {
    auto result = answer("AAAA", name.text(), &Name::ipv6);
    co_return result;
}

Task<DnsAnswer<TlsaRecord>> FakeResolver::find_tlsa(std::string name) {
    auto result = answer("TLSA", name, &Name::tlsa);
    co_return result;
}

Task<DnsAnswer<std::string>> FakeResolver::find_txt(std::string name) {
    auto result = answer("TXT", name, &Name::txt);
    co_return result;
}

}  // namespace mailflow
