#include "transport/base/error.hpp"

#include <string>

namespace mailflow {

namespace {

class MailflowCategory final : public boost::system::error_category {
  public:
    [[nodiscard]] const char* name() const noexcept override { return "mailflow"; }

    [[nodiscard]] std::string message(int value) const override {
        switch (static_cast<Error>(value)) {
            case Error::would_block: return "no data can move now";
            case Error::end_of_stream: return "the peer closed the connection";
            case Error::timed_out: return "timed out";
            case Error::cancelled: return "stopped";
            case Error::line_too_long: return "line too long";
            case Error::syntax: return "syntax error";
            case Error::too_large: return "over the limit";
            case Error::not_found: return "not found";
            case Error::already_exists: return "already exists";
            case Error::conflict: return "changed by someone else in between";
            case Error::disk_full: return "no space left on the disk";
            case Error::store_failed: return "the store failed and takes nothing more";
            case Error::corrupt: return "stored data is damaged";
            case Error::newer_schema: return "written by a newer version of mailflow";
            case Error::locked: return "in use by another process";
            case Error::refused_target: return "an address that is never connected to";
            case Error::tls_failed: return "TLS failed";
            case Error::unavailable: return "not available now";
            case Error::truncated: return "the peer broke TLS off";
        }
        return "unknown error";
    }
};

}  // namespace

const boost::system::error_category& mailflow_category() noexcept {
    static const MailflowCategory category;
    return category;
}

boost::system::error_code make_error_code(Error error) noexcept {
    return {static_cast<int>(error), mailflow_category()};
}

}  // namespace mailflow
