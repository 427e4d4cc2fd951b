#include "transport/addressing/srs.hpp"

#include "transport/base/ascii.hpp"
#include "transport/base/error.hpp"

#include <optional>

namespace mailflow {

namespace {

constexpr std::string_view kAlphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";  // RFC 4648 §6
constexpr std::string_view kFirst = "SRS0";
constexpr std::string_view kSecond = "SRS1";
constexpr std::string_view kSeparators = "=+-";
constexpr std::size_t kHashLength = 6;
constexpr std::size_t kBitsOfCharacter = 5;
constexpr std::uint32_t kDays = 1024;  // what two characters count

bool is_kind(std::string_view local, std::string_view kind) noexcept {
    return local.size() > kind.size() && ascii::starts_with_ignoring_case(local, kind) &&
           kSeparators.find(local[kind.size()]) != std::string_view::npos;
}

std::uint32_t day_of(UtcTime now) noexcept {
    const auto days = std::chrono::floor<std::chrono::days>(now).time_since_epoch().count();
    return static_cast<std::uint32_t>(days) % kDays;
}

std::string encode_day(std::uint32_t day) {
    return {kAlphabet[day / kAlphabet.size()], kAlphabet[day % kAlphabet.size()]};
}

std::optional<std::uint32_t> decode_day(std::string_view text) {
    if (text.size() != 2) {
        return std::nullopt;
    }
    std::uint32_t day = 0;
    for (const char c : text) {
        const char upper = c >= 'a' && c <= 'z' ? static_cast<char>(c - 'a' + 'A') : c;
        const auto digit = kAlphabet.find(upper);
        if (digit == std::string_view::npos) {
            return std::nullopt;
        }
        day =
            day * static_cast<std::uint32_t>(kAlphabet.size()) + static_cast<std::uint32_t>(digit);
    }
    return day;
}

// The day before today to the end of the lifetime; tomorrow too, for a host whose clock is ahead.
bool is_alive(std::uint32_t made, std::uint32_t today) noexcept {
    constexpr auto kLifetime = static_cast<std::uint32_t>(
        std::chrono::duration_cast<std::chrono::days>(kSrsLifetime).count());
    const auto age = (today + kDays - made) % kDays;
    return age <= kLifetime || age == kDays - 1;
}

// What stands before the next `=`, which is taken away with it; nothing: there is none.
std::optional<std::string_view> take_field(std::string_view& rest) noexcept {
    const auto end = rest.find('=');
    if (end == std::string_view::npos) {
        return std::nullopt;
    }
    const auto field = rest.substr(0, end);
    rest.remove_prefix(end + 1);
    return field;
}

Result<EmailAddress> address_of(std::string local, std::string_view host) {
    auto domain = DomainName::parse(host);
    if (!domain) {
        return Error::corrupt;
    }
    // Quoted where it must be, and checked for its length as it is written.
    return EmailAddress::parse(EmailAddress::of(std::move(local), std::move(*domain)).text());
}

}  // namespace

bool Srs::is_srs(std::string_view local) noexcept {
    return is_kind(local, kFirst) || is_kind(local, kSecond);
}

std::string Srs::hash(std::string_view kind, std::string_view text) const {
    const auto mac = mac_(ascii::to_lower(std::string(kind) + '=' + std::string(text)));
    std::string hash;
    std::uint32_t bits = 0;
    std::size_t held = 0;
    for (std::size_t at = 0; hash.size() < kHashLength && at < mac.size();) {
        bits = (bits << 8U) | static_cast<unsigned char>(mac[at++]);
        for (held += 8; held >= kBitsOfCharacter && hash.size() < kHashLength;) {
            held -= kBitsOfCharacter;
            hash += kAlphabet[(bits >> held) & 0x1fU];
        }
    }
    return hash;
}

bool Srs::is_ours(std::string_view kind, std::string_view text, std::string_view claimed) const {
    return claimed.size() == kHashLength && ascii::equal_ignoring_case(hash(kind, text), claimed);
}

Result<EmailAddress> Srs::make(std::string_view kind, std::string_view text) const {
    auto local = std::string(kind) + '=' + hash(kind, text) + '=' + std::string(text);
    return address_of(std::move(local), domain_.text());
}

// SRS0 = "SRS0" separator hash "=" day "=" domain "=" local
// SRS1 = "SRS1" separator hash "=" forwarder "=" rest, where "SRS0" rest is what the forwarder made
Result<EmailAddress> Srs::forward(const EmailAddress& sender, UtcTime now) const {
    if (!sender.domain()) {
        return Error::syntax;
    }
    if (*sender.domain() == domain_) {
        return sender;
    }
    const std::string_view local = sender.local();
    if (is_kind(local, kFirst)) {
        const auto text = sender.domain()->text() + '=' + std::string(local.substr(kFirst.size()));
        return make(kSecond, text);
    }
    if (is_kind(local, kSecond)) {
        auto rest = local.substr(kSecond.size() + 1);
        const auto hash = take_field(rest);
        if (hash && rest.find('=') != std::string_view::npos) {
            return make(kSecond, rest);
        }
    }
    const auto text =
        encode_day(day_of(now)) + '=' + sender.domain()->text() + '=' + std::string(local);
    return make(kFirst, text);
}

Result<EmailAddress> Srs::reverse(const EmailAddress& address, UtcTime now) const {
    const std::string_view local = address.local();
    if (!is_srs(local)) {
        return Error::syntax;
    }
    const bool is_second = is_kind(local, kSecond);
    const auto kind = is_second ? kSecond : kFirst;
    auto rest = local.substr(kind.size() + 1);
    const auto claimed = take_field(rest);
    if (!claimed || !is_ours(kind, rest, *claimed)) {
        return Error::corrupt;
    }
    if (!is_second) {
        const auto day = decode_day(take_field(rest).value_or(""));
        if (!day || !is_alive(*day, day_of(now))) {
            return Error::corrupt;
        }
    }
    const auto host = take_field(rest);
    if (!host || rest.empty()) {
        return Error::corrupt;
    }
    return address_of(
        is_second ? std::string(kFirst) + std::string(rest) : std::string(rest), *host);
}

}  // namespace mailflow
