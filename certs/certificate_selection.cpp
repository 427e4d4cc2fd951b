#include "certs/certificate_selection.hpp"

#include "transport/base/ascii.hpp"

#include <algorithm>
#include <compare>
#include <tuple>

namespace mailflow {

namespace {

// How good a certificate is for a name; the larger the better. Reference 6.6 steps 5 to 7: one that
// peers can verify before a self-signed one, the newest first, an expired one only for want of
// another.
struct Fitness {
    bool is_current = false;
    NameMatch match = NameMatch::none;
    int trust = 0;
    UtcTime since{};

    friend auto operator<=>(const Fitness&, const Fitness&) = default;

    // As good but for the age.
    [[nodiscard]] bool is_peer_of(const Fitness& other) const noexcept {
        return std::tie(is_current, match, trust) ==
               std::tie(other.is_current, other.match, other.trust);
    }
};

struct Candidate {
    Fitness fitness;
    std::size_t position = 0;
};

int trust_of(const StoredCertificate& certificate) noexcept {
    if (certificate.is_trusted) {
        return 2;
    }
    return certificate.facts.self_signed ? 0 : 1;
}

Candidate candidate_of(
    std::span<const StoredCertificate> all, std::size_t position, NameMatch match, UtcTime now) {
    const auto& one = all[position];
    return {{one.facts.is_valid_at(now), match, trust_of(one), one.facts.not_before}, position};
}

// The best, and of each other kind of key the best one that is its equal: an ECDSA certificate
// nobody can verify would hide an RSA one everybody can.
std::vector<std::size_t> best_of(
    std::span<const StoredCertificate> all, std::vector<Candidate> candidates) {
    std::stable_sort(candidates.begin(), candidates.end(), [](const auto& a, const auto& b) {
        return a.fitness > b.fitness;
    });
    std::vector<std::size_t> chosen;
    for (const auto& candidate : candidates) {
        const auto kind = all[candidate.position].facts.key;
        const bool has_kind = std::any_of(chosen.begin(), chosen.end(), [&](std::size_t position) {
            return all[position].facts.key == kind;
        });
        if (!has_kind && candidate.fitness.is_peer_of(candidates.front().fitness)) {
            chosen.push_back(candidate.position);
        }
    }
    return chosen;
}

bool may_serve(const StoredCertificate& certificate) noexcept {
    return certificate.key != nullptr && has(certificate.services, CertificateUse::smtp);
}

std::vector<std::size_t> named(
    std::span<const StoredCertificate> all, std::string_view name, UtcTime now) {
    std::vector<Candidate> candidates;
    for (std::size_t i = 0; i < all.size(); ++i) {
        const auto match = match_name(all[i].facts, name);
        if (may_serve(all[i]) && match != NameMatch::none) {
            candidates.push_back(candidate_of(all, i, match, now));
        }
    }
    return best_of(all, std::move(candidates));
}

std::vector<std::size_t> pinned(std::span<const StoredCertificate> all, std::string_view wish) {
    for (std::size_t i = 0; i < all.size(); ++i) {
        const bool is_it = ascii::equal_ignoring_case(all[i].name, wish) ||
                           ascii::equal_ignoring_case(all[i].facts.thumbprint, wish);
        if (is_it && all[i].key != nullptr) {
            return {i};
        }
    }
    return {};
}

}  // namespace

NameMatch match_name(const CertificateFacts& facts, std::string_view name) noexcept {
    auto best = NameMatch::none;
    const auto dot = name.find('.');
    for (const auto& own : facts.names) {
        if (ascii::equal_ignoring_case(own, name)) {
            return NameMatch::exact;
        }
        // RFC 9525 §6.3: a wildcard is the whole left-most label, and stands for one label.
        if (own.starts_with("*.") && dot != std::string_view::npos && dot > 0 &&
            ascii::equal_ignoring_case(std::string_view(own).substr(1), name.substr(dot))) {
            best = NameMatch::wildcard;
        }
    }
    return best;
}

std::vector<std::size_t> select_certificates(
    std::span<const StoredCertificate> all, const CertificateWish& wish, UtcTime now) {
    if (!wish.pinned.empty()) {
        return pinned(all, wish.pinned);
    }
    for (const auto name : {wish.server_name, wish.connector_fqdn, wish.node_fqdn}) {
        auto chosen = name.empty() ? std::vector<std::size_t>() : named(all, name, now);
        if (!chosen.empty()) {
            return chosen;
        }
    }
    std::vector<Candidate> candidates;
    for (std::size_t i = 0; i < all.size(); ++i) {
        if (may_serve(all[i])) {
            candidates.push_back(candidate_of(all, i, NameMatch::none, now));
        }
    }
    return best_of(all, std::move(candidates));
}

}  // namespace mailflow
