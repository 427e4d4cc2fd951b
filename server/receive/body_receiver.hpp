// The octets after DATA, or of the chunks of BDAT, on their way to the body store: decoded, scanned
// and written piece by piece, never whole in memory. Beyond the size limit nothing is written any
// more, the rest is read and dropped (up to twice the limit). Belongs to one transaction.
#pragma once

#include "server/receive/admission.hpp"
#include "transport/mail/envelope.hpp"
#include "transport/mail/header_scanner.hpp"
#include "transport/net/connection.hpp"
#include "transport/ports/body_store.hpp"
#include "transport/smtp/chunk_decoder.hpp"
#include "transport/smtp/data_decoder.hpp"

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <variant>

namespace mailflow {

class BodyReceiver final : public OctetSink {
  public:
    enum class Framing : std::uint8_t { dot, chunks };  // DATA, BDAT

    struct Rules {
        Framing framing = Framing::dot;
        BodyType body = BodyType::seven_bit;
        smtp::BareNewlines bare_newlines = smtp::BareNewlines::reject;
        std::optional<std::uint64_t> max_size;  // octets; none: unlimited
        HeaderLimits header;
        HeaderWishes wishes;
    };

    // `scratch`: of the lane, its contents are used within a call only.
    BodyReceiver(
        std::unique_ptr<BodyWriter> writer,
        const Rules& rules,
        MonotonicTime started,
        std::string& scratch);

    // The next chunk; framing `chunks` only, the one before is complete.
    void begin_chunk(std::uint64_t size, bool last) noexcept;

    std::size_t take(std::string_view octets) override;

    // What was to be read has been: the message, or the chunk.
    [[nodiscard]] bool is_complete() const noexcept;

    // So far beyond the limit that the rest is not waited for.
    [[nodiscard]] bool is_hopeless() const noexcept;

    // Octets taken, as they came.
    [[nodiscard]] std::uint64_t octets() const noexcept { return octets_; }

    // When the first of them was asked for.
    [[nodiscard]] MonotonicTime started() const noexcept { return started_; }

    // After the end of the message, once.
    [[nodiscard]] ReceivedFacts finish_scan();

    [[nodiscard]] ContentFacts& content() noexcept { return content_; }

    // After finish_scan.
    [[nodiscard]] const ScannedHeader& header() const noexcept { return header_; }

    // Null when the message is refused anyway.
    [[nodiscard]] BodyWriter* writer() noexcept { return writer_.get(); }

  private:
    [[nodiscard]] std::uint64_t size() const noexcept;

    [[nodiscard]] bool is_too_large() const noexcept { return max_size_ && size() > *max_size_; }

    void keep(std::string_view decoded);

    std::unique_ptr<BodyWriter> writer_;
    std::optional<std::uint64_t> max_size_;
    std::string& scratch_;
    std::variant<smtp::DataDecoder, smtp::ChunkDecoder> decoder_;
    HeaderScanner scanner_;
    ContentFacts content_;
    ScannedHeader header_;
    MonotonicTime started_;
    std::uint64_t octets_ = 0;
};

}  // namespace mailflow
