// The octets after DATA on their way to the body store: decoded, scanned and written piece by
// piece, never whole in memory. Beyond the size limit nothing is written any more, the rest is read
// and dropped (up to twice the limit). Belongs to one transaction.
#pragma once

#include "server/receive/admission.hpp"
#include "transport/mail/header_scanner.hpp"
#include "transport/net/connection.hpp"
#include "transport/ports/body_store.hpp"
#include "transport/smtp/data_decoder.hpp"

#include <cstdint>
#include <memory>
#include <optional>
#include <string>

namespace mailflow {

class BodyReceiver final : public OctetSink {
  public:
    // `scratch`: of the lane, its contents are used within `take` only.
    BodyReceiver(
        std::unique_ptr<BodyWriter> writer,
        std::optional<std::uint64_t> max_size,
        std::string& scratch) noexcept
        : writer_(std::move(writer))
        , max_size_(max_size)
        , scratch_(scratch) {}

    std::size_t take(std::string_view octets) override;

    // The end of the message has been seen.
    [[nodiscard]] bool is_complete() const noexcept { return decoder_.is_complete(); }

    // So far beyond the limit that the rest is not waited for.
    [[nodiscard]] bool is_hopeless() const noexcept;

    // Octets taken, as they came.
    [[nodiscard]] std::uint64_t octets() const noexcept { return octets_; }

    // After the end, once.
    [[nodiscard]] ReceivedFacts finish_scan();

    [[nodiscard]] ContentFacts& content() noexcept { return content_; }

    // Null when the message is refused anyway.
    [[nodiscard]] BodyWriter* writer() noexcept { return writer_.get(); }

  private:
    [[nodiscard]] bool is_too_large() const noexcept {
        return max_size_ && decoder_.size() > *max_size_;
    }

    std::unique_ptr<BodyWriter> writer_;
    std::optional<std::uint64_t> max_size_;
    std::string& scratch_;
    smtp::DataDecoder decoder_;
    HeaderScanner scanner_;
    ContentFacts content_;
    std::uint64_t octets_ = 0;
};

}  // namespace mailflow
