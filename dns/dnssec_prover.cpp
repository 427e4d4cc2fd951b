#include "dns/dnssec_prover.hpp"

#include <algorithm>
#include <utility>

namespace mailflow::dns {

namespace {

bool is_server_failure(const ChannelReply& reply) {
    return reply.answered ? reply.answer.code == ResponseCode::server_failure
                          : reply.failure.starts_with(name_of(ResponseCode::server_failure));
}

bool is_good(const ChannelReply& reply) {
    return reply.answered && reply.answer.code == ResponseCode::no_error;
}

std::string words_of(ServerProof proof, const ChannelReply& secure, const ProbeZones& zones) {
    switch (proof) {
        case ServerProof::validates: break;
        case ServerProof::accepts_anything:
            return secure.answer.authentic
                       ? "a name server answers for " + zones.bogus + ", whose signatures are wrong"
                       : "a name server does not vouch for " + zones.secure +
                             " (no AD bit): it does not validate";
        case ServerProof::silent:
            return "no answer for " + zones.secure + " and " + zones.bogus +
                   (secure.failure.empty() ? std::string() : ": " + secure.failure);
    }
    return {};
}

}  // namespace

ServerProof judge_server(const ChannelReply& secure, const ChannelReply& bogus) {
    if (is_good(secure) && !secure.answer.authentic) return ServerProof::accepts_anything;
    if (is_good(bogus)) return ServerProof::accepts_anything;
    // RFC 4035 §5.5: the answer for data that fails validation.
    return is_good(secure) && is_server_failure(bogus) ? ServerProof::validates
                                                       : ServerProof::silent;
}

DnssecProver::DnssecProver(
    Lane& lane, std::vector<std::unique_ptr<Channel>> servers, ProbeZones zones)
    : lane_(lane)
    , servers_(std::move(servers))
    , zones_(std::move(zones))
    , alive_(std::make_shared<bool>(true)) {}

DnssecProver::~DnssecProver() {
    *alive_ = false;
}

void DnssecProver::start() {
    lane_.post([alive = alive_, this] {
        if (*alive) lane_.spawn("dnssec probe", run(alive, this, &lane_));
    });
}

void DnssecProver::stop() {
    *alive_ = false;
    for (const auto& server : servers_)
        server->stop();
}

void DnssecProver::on_failure(MonotonicTime now) noexcept {
    due_ = std::min(due_, now + kProbeAfterFailure);
}

Task<void> DnssecProver::run(std::shared_ptr<bool> alive, DnssecProver* self, Lane* lane) {
    while (*alive) {
        co_await self->probe();
        if (!*alive) break;
        const bool proven = self->trust_ == DnssecTrust::proven;
        const auto pause = proven ? kProbeInterval : self->wait_;
        self->wait_ = proven ? kFirstProbeRetry : std::min(self->wait_ * 2, kProbeInterval);
        self->due_ = lane->clock().monotonic() + pause;
        // In steps, as failures move the time forward.
        while (*alive && lane->clock().monotonic() < self->due_) {
            const auto step = std::min(self->due_, lane->clock().monotonic() + kProbeAfterFailure);
            const auto error = co_await lane->sleep_until(step);
            if (error) co_return;
        }
    }
}

Task<void> DnssecProver::probe() {
    const Question good{zones_.secure, RecordType::soa};
    const Question wrong{zones_.bogus, RecordType::soa};
    std::size_t proven = 0;
    bool contradicted = false;
    std::string why = "there is no name server";
    const auto alive = alive_;
    for (std::size_t i = 0; i < servers_.size(); ++i) {
        const auto secure = co_await servers_[i]->ask(good);
        if (!*alive) co_return;
        const auto bogus = co_await servers_[i]->ask(wrong);
        if (!*alive) co_return;
        const auto proof = judge_server(secure, bogus);
        if (proof == ServerProof::validates) {
            ++proven;
            continue;
        }
        contradicted = contradicted || proof == ServerProof::accepts_anything;
        why = words_of(proof, secure, zones_);
    }
    const bool now = proven > 0 && !contradicted;
    const auto before = trust_.exchange(now ? DnssecTrust::proven : DnssecTrust::unproven);
    detail_ = now ? std::string() : why;
    if (now && before != DnssecTrust::proven) {
        lane_.log().info("the name servers validate: DANE is on", {});
    } else if (!now && (before == DnssecTrust::proven || wait_ == kFirstProbeRetry)) {
        lane_.log().warning("DANE is off: no name server is proven to validate", {{"reason", why}});
    }
}

}  // namespace mailflow::dns
