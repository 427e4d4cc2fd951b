#include "certs/secrets.hpp"

#include "transport/base/encoding.hpp"
#include "transport/base/error.hpp"

#include <stdexcept>

namespace mailflow {

std::string BoxSecrets::seal(std::string_view secret, std::string_view context) {
    if (!box_) {
        throw std::logic_error("nothing can be sealed before the key is read");
    }
    return std::string(kSealedMark) + base64_encode(box_->seal(secret, context, random_));
}

Result<std::string> BoxSecrets::open(std::string_view sealed, std::string_view context) const {
    if (!box_ || !is_sealed(sealed)) {
        return Error::corrupt;
    }
    const auto octets = base64_decode(sealed.substr(kSealedMark.size()));
    if (!octets) {
        return Error::corrupt;
    }
    return box_->open(*octets, context);
}

}  // namespace mailflow
