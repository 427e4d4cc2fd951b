// RFC 5321 §4.1.2 paths as MAIL and RCPT carry them. A source route is accepted and dropped
// (§4.1.1.3, appendix C).
#pragma once

#include "transport/mail/email_address.hpp"

#include <optional>

namespace mailflow {

// Where reports go. Null (`<>`) is the sender of every DSN.
class ReversePath {
  public:
    // Null.
    ReversePath() = default;

    explicit ReversePath(EmailAddress address)
        : address_(std::move(address)) {}

    // `<>` or `<[route:]mailbox>`, with the brackets, nothing behind them.
    [[nodiscard]] static Result<ReversePath> parse(std::string_view text);

    [[nodiscard]] bool is_null() const noexcept { return !address_; }

    // Only when not null.
    [[nodiscard]] const EmailAddress& address() const { return *address_; }

    // Without brackets; empty when null.
    [[nodiscard]] std::string text() const { return address_ ? address_->text() : std::string(); }

    friend bool operator==(const ReversePath&, const ReversePath&) = default;

  private:
    std::optional<EmailAddress> address_;
};

// One recipient. RFC 5321 §4.1.1.3: `<postmaster>` without a domain is legal in any case of
// letters.
class ForwardPath {
  public:
    explicit ForwardPath(EmailAddress address)
        : address_(std::move(address)) {}

    [[nodiscard]] static ForwardPath postmaster() { return ForwardPath(); }

    // `<[route:]mailbox>` or `<postmaster>`, with the brackets.
    [[nodiscard]] static Result<ForwardPath> parse(std::string_view text);

    [[nodiscard]] bool is_bare_postmaster() const noexcept { return !address_; }

    // Only when not the bare postmaster.
    [[nodiscard]] const EmailAddress& address() const { return *address_; }

    [[nodiscard]] std::string text() const {
        return address_ ? address_->text() : std::string("postmaster");
    }

    friend bool operator==(const ForwardPath&, const ForwardPath&) = default;

  private:
    ForwardPath() = default;
    std::optional<EmailAddress> address_;
};

}  // namespace mailflow
