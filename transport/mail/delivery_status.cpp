#include "transport/mail/delivery_status.hpp"

namespace mailflow {

const char* to_text(DeliveryAction action) noexcept {
    switch (action) {
        case DeliveryAction::delivered: return "delivered";
        case DeliveryAction::relayed: return "relayed";
        case DeliveryAction::expanded: return "expanded";
        case DeliveryAction::delayed: return "delayed";
        case DeliveryAction::failed: return "failed";
    }
    return "failed";
}

}  // namespace mailflow
