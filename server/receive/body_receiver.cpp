#include "server/receive/body_receiver.hpp"

namespace mailflow {

std::size_t BodyReceiver::take(std::string_view octets) {
    scratch_.clear();
    const auto taken = decoder_.feed(octets, scratch_);
    octets_ += taken;
    if (writer_ == nullptr) {
        return taken;
    }
    scanner_.feed(scratch_);
    if (is_too_large() || scanner_.header_too_large() || scanner_.too_many_fields()) {
        writer_.reset();  // refused at the end; nothing of it is kept
    } else {
        // A failure stays with the writer and comes back from its `finish`.
        static_cast<void>(writer_->write(scratch_));
    }
    return taken;
}

bool BodyReceiver::is_hopeless() const noexcept {
    return max_size_ && decoder_.size() > 2 * *max_size_ && !decoder_.is_complete();
}

ReceivedFacts BodyReceiver::finish_scan() {
    ReceivedFacts facts;
    facts.too_large = is_too_large();
    facts.bare_newline = decoder_.has_bare_newline();
    facts.long_line = decoder_.has_long_line();
    facts.header_too_large = scanner_.header_too_large() || scanner_.too_many_fields();
    content_ = scanner_.finish();
    facts.received_count = content_.received_count;
    return facts;
}

}  // namespace mailflow
