#include "transport/deliver/tls_policy.hpp"

#include <catch2/catch.hpp>

namespace mailflow {

namespace {

using Names = std::vector<std::string>;

const TlsaRecord kRecord{3, 1, 1, std::string(32, 'a')};

SendConnector connector() {
    SendConnector result;
    result.name = "Internet";
    return result;
}

SendConnector requiring(std::optional<TlsAuthLevel> level, std::string domain = {}) {
    auto result = connector();
    result.require_tls = true;
    result.tls_auth_level = level;
    result.tls_domain = std::move(domain);
    return result;
}

TlsQuestion ask(const SendConnector& of) {
    TlsQuestion question;
    question.connector = &of;
    question.recipient_domain = "contoso.com";
    question.host = "mail.contoso.com";
    return question;
}

DaneAnswer dane(DaneState state) {
    DaneAnswer answer;
    answer.state = state;
    if (state == DaneState::usable) answer.records = {kRecord};
    if (state != DaneState::absent) answer.base_domain = "mail.contoso.com";
    return answer;
}

StsPolicy policy(StsMode mode) {
    StsPolicy result;
    result.domain = "contoso.com";
    result.id = "20261123";
    result.mode = mode;
    return result;
}

TlsDemand demand(TlsLevel level, bool testing = false) {
    TlsDemand result;
    result.level = level;
    result.testing = testing;
    return result;
}

}  // namespace

TEST_CASE("A send connector asks for the level it names", "[deliver][tls-policy]") {
    auto ignoring = connector();
    ignoring.ignore_starttls = true;
    auto old = connector();
    old.force_helo = true;

    struct Row {
        SendConnector connector;
        TlsLevel level;
        TlsSource source;
        Names names;
    };

    const std::vector<Row> table{
        {connector(), TlsLevel::opportunistic, TlsSource::nobody, {}},
        {ignoring, TlsLevel::none, TlsSource::connector, {}},
        {old, TlsLevel::none, TlsSource::connector, {}},
        {requiring({}), TlsLevel::encryption_only, TlsSource::connector, {}},
        {requiring(TlsAuthLevel::encryption_only),
         TlsLevel::encryption_only,
         TlsSource::connector,
         {}},
        {requiring(TlsAuthLevel::certificate_validation),
         TlsLevel::certificate_validation,
         TlsSource::connector,
         {}},
        {requiring(TlsAuthLevel::domain_validation),
         TlsLevel::domain_validation,
         TlsSource::connector,
         {"contoso.com"}},
        {requiring(TlsAuthLevel::domain_validation, "*.fabrikam.com"),
         TlsLevel::domain_validation,
         TlsSource::connector,
         {"*.fabrikam.com"}},
    };

    for (const auto& row : table) {
        const auto decision = decide_tls(ask(row.connector));

        INFO(to_text(row.level));
        CHECK(decision.demand.level == row.level);
        CHECK(decision.demand.source == row.source);
        CHECK(decision.demand.names == row.names);
        CHECK(decision.demand.sni == (row.level == TlsLevel::none ? "" : "mail.contoso.com"));
        CHECK(!decision.refused);
    }
}

TEST_CASE("A log-in that needs TLS needs the smart host's name", "[deliver][tls-policy]") {
    for (const auto auth : {SmartHostAuth::basic_require_tls, SmartHostAuth::oauth2}) {
        auto logging_in = connector();
        logging_in.auth = auth;
        auto question = ask(logging_in);
        question.place = TlsPlace::smart_host;
        question.host = "Relay.Contoso.com";

        const auto decision = decide_tls(question);

        CHECK(decision.demand.level == TlsLevel::domain_validation);
        CHECK(decision.demand.names == Names{"relay.contoso.com"});
        CHECK(decision.demand.sni == "relay.contoso.com");
    }
    auto plain = connector();
    plain.auth = SmartHostAuth::basic;
    auto question = ask(plain);
    question.place = TlsPlace::smart_host;
    CHECK(decide_tls(question).demand.level == TlsLevel::opportunistic);
}

TEST_CASE("DANE decides for MX hosts, and before MTA-STS", "[deliver][tls-policy][rfc7672]") {
    const auto of = connector();
    const auto sts = policy(StsMode::enforce);
    auto question = ask(of);
    question.sts = &sts;
    question.sts_lists_host = true;
    question.dane = dane(DaneState::usable);

    auto decision = decide_tls(question);

    CHECK(decision.demand.level == TlsLevel::dane);
    CHECK(decision.demand.source == TlsSource::dane);
    CHECK(decision.demand.tlsa == std::vector{kRecord});
    CHECK(decision.demand.names == Names{"mail.contoso.com", "contoso.com"});
    CHECK(decision.demand.policy_id.empty());

    question.dane = dane(DaneState::unusable);
    CHECK(decide_tls(question).demand.level == TlsLevel::encryption_only);
    CHECK(decide_tls(question).demand.source == TlsSource::dane);

    question.dane = dane(DaneState::unknown);
    decision = decide_tls(question);
    REQUIRE(decision.refused);
    CHECK(decision.refused->type == TlsResultType::dnssec_invalid);
    CHECK(!decision.demand.is_optional());

    question.dane = dane(DaneState::absent);
    CHECK(decide_tls(question).demand.source == TlsSource::mta_sts);
}

TEST_CASE("The SNI of an alias is the name its records were found at", "[deliver][tls-policy]") {
    const auto of = connector();
    auto question = ask(of);
    question.dane = dane(DaneState::usable);
    question.dane.base_domain = "mail.fabrikam.com";

    const auto decision = decide_tls(question);

    CHECK(decision.demand.sni == "mail.fabrikam.com");
    CHECK(decision.demand.names == Names{"mail.fabrikam.com", "contoso.com"});
    const auto expectation = expectation_of(decision.demand);
    CHECK(expectation.server_name == "mail.fabrikam.com");
    CHECK(expectation.names == decision.demand.names);
    REQUIRE(expectation.tlsa.size() == 1);
    CHECK(expectation.tlsa[0].data == kRecord.data);
}

TEST_CASE("DANE and MTA-STS rule only where they may", "[deliver][tls-policy]") {
    const auto sts = policy(StsMode::enforce);
    const auto level_of = [&](const SendConnector& of, TlsPlace place, std::string host) {
        auto question = ask(of);
        question.place = place;
        question.host = std::move(host);
        question.dane = dane(DaneState::usable);
        question.sts = &sts;
        question.sts_lists_host = true;
        return decide_tls(question).demand.level;
    };
    auto without = connector();
    without.dane = false;
    auto neither = without;
    neither.mta_sts = false;
    auto ignoring = connector();
    ignoring.ignore_starttls = true;

    CHECK(level_of(connector(), TlsPlace::mx_host, "mail.contoso.com") == TlsLevel::dane);
    CHECK(level_of(without, TlsPlace::mx_host, "mail.contoso.com") == TlsLevel::domain_validation);
    CHECK(level_of(neither, TlsPlace::mx_host, "mail.contoso.com") == TlsLevel::opportunistic);
    CHECK(level_of(ignoring, TlsPlace::mx_host, "mail.contoso.com") == TlsLevel::none);
    CHECK(level_of(connector(), TlsPlace::smart_host, "a.example") == TlsLevel::opportunistic);
    CHECK(level_of(connector(), TlsPlace::mailbox_server, "a.example") == TlsLevel::opportunistic);
    CHECK(level_of(connector(), TlsPlace::lmtp_server, "a.example") == TlsLevel::none);
    CHECK(level_of(connector(), TlsPlace::mx_host, "[192.0.2.1]") == TlsLevel::opportunistic);
    // The administrator has named whom to trust.
    CHECK(
        level_of(requiring(TlsAuthLevel::domain_validation), TlsPlace::mx_host, "a.example") ==
        TlsLevel::domain_validation);
    CHECK(
        level_of(requiring(TlsAuthLevel::certificate_validation), TlsPlace::mx_host, "a.example") ==
        TlsLevel::dane);
}

TEST_CASE("An unusable record does not lower what a connector asks for", "[deliver][tls-policy]") {
    const auto of = requiring(TlsAuthLevel::certificate_validation);
    auto question = ask(of);
    question.dane = dane(DaneState::unusable);

    const auto decision = decide_tls(question);

    CHECK(decision.demand.level == TlsLevel::certificate_validation);
    CHECK(decision.demand.source == TlsSource::connector);
}

TEST_CASE("MTA-STS demands the host's name and a listed host", "[deliver][tls-policy][rfc8461]") {
    const auto of = connector();
    const auto enforce = policy(StsMode::enforce);
    auto question = ask(of);
    question.sts = &enforce;
    question.sts_lists_host = true;

    auto decision = decide_tls(question);
    CHECK(decision.demand.level == TlsLevel::domain_validation);
    CHECK(decision.demand.names == Names{"mail.contoso.com"});
    CHECK(decision.demand.policy_id == "20261123");
    CHECK(!decision.demand.testing);
    CHECK(!decision.refused);

    question.sts_lists_host = false;
    CHECK(decide_tls(question).refused.has_value());

    const auto testing = policy(StsMode::testing);
    question.sts = &testing;
    decision = decide_tls(question);
    CHECK(decision.demand.testing);
    CHECK(!decision.refused);
    const auto required = requiring({});
    question.connector = &required;
    CHECK(decide_tls(question).demand.source == TlsSource::connector);

    const auto none = policy(StsMode::none);
    question.connector = &of;
    question.sts = &none;
    CHECK(decide_tls(question).demand.level == TlsLevel::opportunistic);
}

TEST_CASE("REQUIRETLS wants somebody to vouch, and REQUIRETLS there", "[deliver][rfc8689]") {
    const auto of = connector();
    auto question = ask(of);
    question.require_tls = true;

    auto decision = decide_tls(question);
    CHECK(decision.demand.level == TlsLevel::domain_validation);
    CHECK(decision.demand.source == TlsSource::message);
    CHECK(decision.demand.names == Names{"mail.contoso.com"});
    CHECK(decision.demand.requires_requiretls);

    question.dane = dane(DaneState::usable);
    decision = decide_tls(question);
    CHECK(decision.demand.level == TlsLevel::dane);
    CHECK(decision.demand.source == TlsSource::message);

    question.dane = {};
    const auto testing = policy(StsMode::testing);
    question.sts = &testing;
    CHECK(!decide_tls(question).demand.testing);

    auto ignoring = connector();
    ignoring.ignore_starttls = true;
    question.connector = &ignoring;
    decision = decide_tls(question);
    REQUIRE(decision.refused);
    CHECK(decision.refused->type == TlsResultType::starttls_not_supported);
    CHECK(!decision.demand.is_optional());
}

TEST_CASE("TLS-Required: No waives what the recipient's side asks for", "[deliver][rfc8689]") {
    const auto of = connector();
    const auto sts = policy(StsMode::enforce);
    auto question = ask(of);
    question.tls_not_required = true;
    question.dane = dane(DaneState::unknown);
    question.sts = &sts;

    CHECK(decide_tls(question).demand.level == TlsLevel::opportunistic);
    CHECK(!decide_tls(question).refused);
    CHECK(!asks_dane(question));
    CHECK(!asks_sts(question));
    const auto required = requiring({});
    question.connector = &required;
    CHECK(decide_tls(question).demand.level == TlsLevel::encryption_only);
    // RFC 8689 §5: the parameter wins.
    question.connector = &of;
    question.require_tls = true;
    CHECK(decide_tls(question).refused);
}

TEST_CASE("What is remembered matters only where TLS is optional", "[deliver][tls-policy]") {
    const TlsPeer peer{"mail.contoso.com", "no shared cipher", {}, {}, 1};
    const auto optional = connector();
    const auto required = requiring({});
    auto question = ask(optional);
    question.peer = &peer;

    CHECK(decide_tls(question).demand.level == TlsLevel::none);
    CHECK(decide_tls(question).demand.source == TlsSource::memory);
    question.dane = dane(DaneState::usable);
    CHECK(decide_tls(question).demand.level == TlsLevel::dane);
    question.dane = {};
    question.connector = &required;
    CHECK(decide_tls(question).demand.level == TlsLevel::encryption_only);
}

TEST_CASE("Each event of a session has one move, by level", "[deliver][tls-policy]") {
    struct Row {
        TlsEvent event;
        TlsMove optional;
        TlsMove demanded;
    };

    const std::vector<Row> table{
        {TlsEvent::offered, TlsMove::say_starttls, TlsMove::say_starttls},
        {TlsEvent::not_offered, TlsMove::proceed, TlsMove::give_up},
        {TlsEvent::ready, TlsMove::shake_hands, TlsMove::shake_hands},
        {TlsEvent::refused, TlsMove::proceed, TlsMove::give_up},
        {TlsEvent::closing, TlsMove::reconnect_in_clear, TlsMove::give_up},
        {TlsEvent::injected, TlsMove::reconnect_in_clear, TlsMove::give_up},
        {TlsEvent::handshake_failed, TlsMove::reconnect_in_clear, TlsMove::give_up},
        {TlsEvent::not_good_enough, TlsMove::proceed, TlsMove::give_up},
        {TlsEvent::encrypted, TlsMove::proceed, TlsMove::proceed},
    };

    for (const auto& row : table) {
        INFO("event " << static_cast<int>(row.event));
        CHECK(next_move(demand(TlsLevel::none), row.event) == TlsMove::proceed);
        CHECK(next_move(demand(TlsLevel::opportunistic), row.event) == row.optional);
        CHECK(next_move(demand(TlsLevel::domain_validation, true), row.event) == row.optional);
        for (const auto level :
             {TlsLevel::encryption_only,
              TlsLevel::certificate_validation,
              TlsLevel::domain_validation,
              TlsLevel::dane}) {
            CHECK(next_move(demand(level), row.event) == row.demanded);
        }
    }
}

TEST_CASE("Names match as RFC 6125 says", "[deliver][tls-policy][rfc6125][rfc7817]") {
    struct Row {
        const char* wanted;
        const char* presented;
        bool match;
    };

    const std::vector<Row> table{
        {"mail.contoso.com", "mail.contoso.com", true},
        {"mail.contoso.com", "MAIL.Contoso.COM", true},
        {"mail.contoso.com", "*.contoso.com", true},
        {"mail.contoso.com", "contoso.com", false},
        {"a.mail.contoso.com", "*.contoso.com", false},
        {"contoso.com", "*.contoso.com", false},
        {"contoso.com", "*.com", false},
        {"mail.contoso.com", "m*.contoso.com", false},
        {"mail.contoso.com", "mail.*.com", false},
        {"mail.contoso.com", "*", false},
        {".contoso.com", "*.contoso.com", false},
        {"*.contoso.com", "*.contoso.com", true},
        {"*.contoso.com", "mail.contoso.com", true},
        {"*.contoso.com", "a.b.contoso.com", true},
        {"*.contoso.com", "contoso.com", false},
        {"*.contoso.com", "mailcontoso.com", false},
        {"*.contoso.com", "*.b.contoso.com", false},
        {"", "", false},
    };

    for (const auto& row : table) {
        INFO(row.wanted << " by " << row.presented);
        CHECK(names_match(row.wanted, row.presented) == row.match);
    }
}

TEST_CASE("A certificate is judged by level", "[deliver][tls-policy]") {
    TlsFacts good;
    good.peer_verified = true;
    good.peer_names = {"mail.contoso.com"};
    good.peer_addresses = {"192.0.2.1"};
    auto other = good;
    other.peer_names = {"mail.fabrikam.com"};
    auto unknown = good;
    unknown.peer_verified = false;
    unknown.problem = ChainProblem::untrusted;
    unknown.verify_error = "self-signed certificate";
    auto expired = unknown;
    expired.problem = ChainProblem::dates;
    expired.verify_error = "certificate has expired";
    const auto judge = [](TlsLevel level, const TlsFacts& facts, Names names) {
        auto asked = demand(level);
        asked.names = std::move(names);
        const auto shortfall = judge_certificate(asked, facts);
        return shortfall ? shortfall->type : TlsResultType::success;
    };
    const Names mail{"mail.contoso.com"};

    for (const auto level : {TlsLevel::opportunistic, TlsLevel::encryption_only}) {
        CHECK(judge(level, unknown, mail) == TlsResultType::success);
    }
    const auto chain = TlsLevel::certificate_validation;
    CHECK(judge(chain, good, {}) == TlsResultType::success);
    CHECK(judge(chain, other, {}) == TlsResultType::success);
    CHECK(judge(chain, unknown, {}) == TlsResultType::certificate_not_trusted);
    CHECK(judge(chain, expired, {}) == TlsResultType::certificate_expired);
    CHECK(judge(chain, TlsFacts{}, {}) == TlsResultType::certificate_not_trusted);
    const auto name = TlsLevel::domain_validation;
    CHECK(judge(name, good, mail) == TlsResultType::success);
    CHECK(judge(name, other, mail) == TlsResultType::certificate_host_mismatch);
    CHECK(judge(name, unknown, mail) == TlsResultType::certificate_not_trusted);
    CHECK(judge(name, good, {}) == TlsResultType::certificate_host_mismatch);
    CHECK(judge(name, good, {"[192.0.2.1]"}) == TlsResultType::success);
    CHECK(judge(name, good, {"[192.0.2.2]"}) == TlsResultType::certificate_host_mismatch);
}

TEST_CASE("DANE is judged by its records alone", "[deliver][tls-policy][rfc7672]") {
    TlsFacts facts;
    facts.peer_verified = true;
    auto asked = demand(TlsLevel::dane);
    asked.names = {"mail.contoso.com"};
    const auto judge = [&](DaneMatch match, ChainProblem problem) {
        facts.dane = match;
        facts.problem = problem;
        const auto shortfall = judge_certificate(asked, facts);
        return shortfall ? shortfall->type : TlsResultType::success;
    };

    CHECK(judge(DaneMatch::matched, ChainProblem::none) == TlsResultType::success);
    CHECK(judge(DaneMatch::none, ChainProblem::tlsa) == TlsResultType::tlsa_invalid);
    CHECK(judge(DaneMatch::none, ChainProblem::untrusted) == TlsResultType::tlsa_invalid);
    CHECK(judge(DaneMatch::none, ChainProblem::dates) == TlsResultType::certificate_expired);
    CHECK(judge(DaneMatch::none, ChainProblem::name) == TlsResultType::certificate_host_mismatch);
    CHECK(judge(DaneMatch::not_asked, ChainProblem::none) == TlsResultType::tlsa_invalid);
    CHECK(judge(DaneMatch::unusable, ChainProblem::untrusted) == TlsResultType::success);
    asked.requires_requiretls = true;
    CHECK(judge(DaneMatch::unusable, ChainProblem::untrusted) == TlsResultType::tlsa_invalid);
}

}  // namespace mailflow
