#include "server/receive/body_receiver.hpp"

#include <utility>

namespace mailflow {

namespace {

using Decoder = std::variant<smtp::DataDecoder, smtp::ChunkDecoder>;

Decoder decoder_for(const BodyReceiver::Rules& rules) {
    if (rules.framing == BodyReceiver::Framing::dot) {
        return smtp::DataDecoder(rules.bare_newlines);
    }
    return smtp::ChunkDecoder(rules.body, rules.bare_newlines);
}

}  // namespace

BodyReceiver::BodyReceiver(
    std::unique_ptr<BodyWriter> writer,
    const Rules& rules,
    MonotonicTime started,
    std::string& scratch)
    : writer_(std::move(writer))
    , max_size_(rules.max_size)
    , scratch_(scratch)
    , decoder_(decoder_for(rules))
    , scanner_(rules.header, rules.wishes)
    , started_(started) {}

void BodyReceiver::begin_chunk(std::uint64_t size, bool last) noexcept {
    std::get<smtp::ChunkDecoder>(decoder_).begin(size, last);
}

std::size_t BodyReceiver::take(std::string_view octets) {
    scratch_.clear();
    const auto taken =
        std::visit([&](auto& decoder) { return decoder.feed(octets, scratch_); }, decoder_);
    octets_ += taken;
    keep(scratch_);
    return taken;
}

void BodyReceiver::keep(std::string_view decoded) {
    if (writer_ == nullptr) {
        return;
    }
    scanner_.feed(decoded);
    if (is_too_large() || scanner_.header_too_large() || scanner_.too_many_fields()) {
        writer_.reset();  // refused at the end; nothing of it is kept
    } else {
        // A failure stays with the writer and comes back from its `finish`.
        static_cast<void>(writer_->write(decoded));
    }
}

bool BodyReceiver::is_complete() const noexcept {
    if (const auto* const chunks = std::get_if<smtp::ChunkDecoder>(&decoder_)) {
        return chunks->is_chunk_complete();
    }
    return std::get<smtp::DataDecoder>(decoder_).is_complete();
}

bool BodyReceiver::is_hopeless() const noexcept {
    return is_too_large() && size() - *max_size_ > *max_size_ && !is_complete();
}

std::uint64_t BodyReceiver::size() const noexcept {
    return std::visit([](const auto& decoder) { return decoder.size(); }, decoder_);
}

ReceivedFacts BodyReceiver::finish_scan() {
    if (auto* const chunks = std::get_if<smtp::ChunkDecoder>(&decoder_)) {
        scratch_.clear();
        chunks->finish(scratch_);
        keep(scratch_);
    }
    ReceivedFacts facts;
    facts.too_large = is_too_large();
    facts.bare_newline =
        std::visit([](const auto& decoder) { return decoder.has_bare_newline(); }, decoder_);
    facts.long_line =
        std::visit([](const auto& decoder) { return decoder.has_long_line(); }, decoder_);
    facts.header_too_large = scanner_.header_too_large() || scanner_.too_many_fields();
    content_ = scanner_.finish();
    header_ = scanner_.take_header();
    facts.received_count = content_.received_count;
    facts.local_received_count = content_.local_received_count;
    return facts;
}

}  // namespace mailflow
