#include "transport/mail/delivery_status.hpp"
#include "transport/mail/enhanced_status.hpp"

#include <catch2/catch.hpp>

namespace mailflow {

TEST_CASE("RFC 3463 section 2: enhanced status codes are read and written", "[mail][status]") {
    CHECK(EnhancedStatus::parse("5.1.1") == EnhancedStatus{5, 1, 1});
    CHECK(EnhancedStatus::parse("2.0.0") == EnhancedStatus{2, 0, 0});
    CHECK(EnhancedStatus::parse("4.999.100") == EnhancedStatus{4, 999, 100});
    CHECK(EnhancedStatus{5, 7, 900}.text() == "5.7.900");
    CHECK_FALSE(EnhancedStatus{}.is_given());

    for (const auto* text :
         {"",
          "5",
          "5.1",
          "5.1.",
          ".1.1",
          "1.1.1",
          "3.1.1",
          "55.1.1",
          "5.1000.1",
          "5.1.1000",
          "5.01.1",
          "5.1.1.1",
          "5.1.1 ",
          " 5.1.1",
          "5.-1.1",
          "5..1",
          "5.a.1"}) {
        CAPTURE(text);
        CHECK_FALSE(EnhancedStatus::parse(text));
    }
}

TEST_CASE("RFC 3464 section 2.3.3: actions have their names", "[mail][status]") {
    CHECK(to_text(DeliveryAction::failed) == std::string("failed"));
    CHECK(to_text(DeliveryAction::delayed) == std::string("delayed"));
    CHECK(to_text(DeliveryAction::delivered) == std::string("delivered"));
    CHECK(to_text(DeliveryAction::relayed) == std::string("relayed"));
    CHECK(to_text(DeliveryAction::expanded) == std::string("expanded"));
}

}  // namespace mailflow
