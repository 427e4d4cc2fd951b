#include "tests/support/dialog_settings.hpp"

#include "server/receive/password.hpp"
#include "transport/base/ascii.hpp"
#include "transport/base/error.hpp"

#include <functional>
#include <map>
#include <stdexcept>

namespace mailflow {

namespace {

using F = ReceiveFixture;
using S = const std::string&;
using Setter = std::function<void(F&, S)>;
using Setters = std::map<std::string, Setter>;

std::uint32_t number(const std::string& text) {
    return static_cast<std::uint32_t>(std::stoul(text));
}

template <class Word>
Word word_of(const std::map<std::string, Word>& words, S text) {
    return words.at(text);
}

// `a b c` of words that are one bit each; `none` is nothing.
template <class Bit, class Set>
Set bits_of(const std::map<std::string, Bit>& words, S text) {
    Set set = 0;
    for (const auto word : ascii::split(text, ' ')) {
        if (word != "none") {
            set = static_cast<Set>(set | static_cast<Set>(words.at(std::string(word))));
        }
    }
    return set;
}

template <auto Field>
Setter flag() {
    return [](F& f, S v) {
        f.connector().*Field = v == "on";
    };
}

template <auto Field>
Setter extension() {
    return [](F& f, S v) {
        f.connector().extensions.*Field = v == "on";
    };
}

template <auto Field>
Setter text() {
    return [](F& f, S v) {
        f.connector().*Field = v;
    };
}

template <auto Field>
Setter count() {
    return [](F& f, S v) {
        f.connector().*Field = number(v);
    };
}

template <auto Field>
Setter seconds() {
    return [](F& f, S v) {
        f.connector().*Field = std::chrono::seconds(number(v));
    };
}

template <auto Field>
Setter range() {
    return [](F& f, S v) {
        f.connector().*Field = {IpRange::parse(v).value()};
    };
}

const std::map<std::string, PermissionGroup> kGroups = {
    {"anonymous", PermissionGroup::anonymous},
    {"authenticated", PermissionGroup::authenticated},
    {"partners", PermissionGroup::partners},
    {"trusted", PermissionGroup::trusted}};

const std::map<std::string, Permission> kPermissions = {
    {"submit", Permission::submit},
    {"any-recipient", Permission::any_recipient},
    {"any-sender", Permission::any_sender},
    {"authoritative-domain-sender", Permission::authoritative_domain_sender},
    {"bypass-message-size", Permission::bypass_message_size},
    {"accept-routing-headers", Permission::accept_routing_headers},
    {"accept-organization-headers", Permission::accept_organization_headers}};

const std::map<std::string, AuthMechanism> kMechanisms = {
    {"plain", AuthMechanism::plain},
    {"login", AuthMechanism::login},
    {"scram-sha-256", AuthMechanism::scram_sha_256},
    {"scram-sha-256-plus", AuthMechanism::scram_sha_256_plus},
    {"external", AuthMechanism::external}};

const std::map<std::string, TlsMode> kTlsModes = {
    {"none", TlsMode::none},
    {"opportunistic", TlsMode::opportunistic},
    {"required", TlsMode::required},
    {"implicit", TlsMode::implicit}};

const std::map<std::string, Error> kErrors = {
    {"disk-full", Error::disk_full},
    {"store-failed", Error::store_failed},
    {"unavailable", Error::unavailable}};

AcceptedDomain accepted_domain(S value) {
    const auto blank = value.find(' ');
    const auto name = value.substr(0, blank);
    const auto type = value.substr(blank + 1);
    AcceptedDomain domain{name, DomainName::parse(name).value()};
    domain.type = type == "internal-relay"   ? AcceptedDomainType::internal_relay
                  : type == "external-relay" ? AcceptedDomainType::external_relay
                                             : AcceptedDomainType::authoritative;
    return domain;
}

// The two words of a value.
std::pair<std::string, std::string> two_words(S value) {
    const auto blank = value.find(' ');
    return {value.substr(0, blank), value.substr(blank + 1)};
}

Pressure pressure_of(S value) {
    static const std::map<std::string, Pressure> kLevels = {
        {"medium-queue", {PressureLevel::medium, Resource::queue_length, 0}},
        {"medium-disk", {PressureLevel::medium, Resource::disk_space, 0}},
        {"high-disk", {PressureLevel::high, Resource::disk_space, 0}}};
    return kLevels.at(value);
}

const Setters& who_setters() {
    using C = ReceiveConnector;
    static const Setters kSetters = {
        {"permission_groups",
         [](F& f, S v) {
             f.connector().permission_groups = bits_of<PermissionGroup, std::uint8_t>(kGroups, v);
         }},
        {"permission",
         [](F& f, S v) {
             auto& set = f.connector().permissions;
             set = static_cast<PermissionSet>(set | static_cast<PermissionSet>(kPermissions.at(v)));
         }},
        {"tls",
         [](F& f, S v) {
             f.connector().tls = word_of(kTlsModes, v);
             f.has_certificate = true;
         }},
        {"client_certificates",
         [](F& f, S v) {
             f.connector().client_certificates =
                 v == "require" ? ClientCertificates::require : ClientCertificates::request;
         }},
        {"auth_mechanisms",
         [](F& f, S v) {
             f.connector().auth_mechanisms = bits_of<AuthMechanism, std::uint8_t>(kMechanisms, v);
         }},
        {"auth_requires_tls", flag<&C::auth_requires_tls>()},
        {"submission", flag<&C::submission>()},
        {"sender_policy",
         [](F& f, S v) {
             static const std::map<std::string, SenderPolicy> kPolicies = {
                 {"refuse", SenderPolicy::refuse},
                 {"fix", SenderPolicy::fix},
                 {"ignore", SenderPolicy::ignore}};
             f.connector().sender_policy = kPolicies.at(v);
         }},
        {"default_domain", text<&C::default_domain>()},
        {"remote_range", range<&C::remote_ranges>()},
        {"proxy_protocol_from", range<&C::proxy_protocol_from>()},
        {"xclient_from", range<&C::xclient_from>()},
        {"mailbox",
         [](F& f, S v) {
             f.directory.add_mailbox(v, {v});
         }},
        {"password",
         [](F& f, S v) {
             const auto [name, password] = two_words(v);
             f.directory.change(name, [&secret = password](MailRecipient& who) {
                 who.verifier = make_verifier(secret, "0123456789abcdef", 4096);
             });
         }},
        {"send_as",  // whose owner may send as whom: `bob alice`
         [](F& f, S v) {
             const auto [account, whom] = two_words(v);
             f.directory.change(
                 whom, [&name = account](MailRecipient& who) { who.send_as.push_back(name); });
         }},
        {"domain", [](F& f, S v) {
             f.parts.accepted_domains.push_back(accepted_domain(v));
         }}};
    return kSetters;
}

const Setters& manner_setters() {
    using C = ReceiveConnector;
    using E = ExtensionSwitches;
    static const Setters kSetters = {
        {"fqdn", text<&C::fqdn>()},
        {"banner", text<&C::banner>()},
        {"require_ehlo_domain", flag<&C::require_ehlo_domain>()},
        {"reject_reserved_top_level_recipient_domains",
         flag<&C::reject_reserved_top_level_recipient_domains>()},
        {"reject_reserved_second_level_recipient_domains",
         flag<&C::reject_reserved_second_level_recipient_domains>()},
        {"reject_single_label_recipient_domains",
         flag<&C::reject_single_label_recipient_domains>()},
        {"bare_newline",
         [](F& f, S v) {
             f.connector().bare_newline =
                 v == "normalize" ? BareNewline::normalize : BareNewline::reject;
         }},
        {"verify",
         [](F& f, S v) {
             static const std::map<std::string, VerifyPolicy> kPolicies = {
                 {"nobody", VerifyPolicy::nobody},
                 {"authenticated", VerifyPolicy::authenticated},
                 {"everybody", VerifyPolicy::everybody}};
             f.connector().verify = kPolicies.at(v);
         }},
        {"size",
         [](F& f, S v) {
             f.connector().extensions.size = v == "disabled"
                                                 ? SizeAnnouncement::disabled
                                                 : SizeAnnouncement::enabled_without_value;
         }},
        {"pipelining", extension<&E::pipelining>()},
        {"eight_bit_mime", extension<&E::eight_bit_mime>()},
        {"binary_mime", extension<&E::binary_mime>()},
        {"chunking", extension<&E::chunking>()},
        {"smtputf8", extension<&E::smtputf8>()},
        {"delivery_status_notification", extension<&E::delivery_status_notification>()},
        {"enhanced_status_codes", extension<&E::enhanced_status_codes>()},
        {"require_tls", extension<&E::require_tls>()},
        {"limits", extension<&E::limits>()},
        {"mt_priority", extension<&E::mt_priority>()},
        {"future_release", extension<&E::future_release>()},
        {"deliver_by", extension<&E::deliver_by>()}};
    return kSetters;
}

const Setters& limit_setters() {
    using C = ReceiveConnector;
    static const Setters kSetters = {
        {"max_message_size",
         [](F& f, S v) {
             f.connector().max_message_size = std::stoull(v);
         }},
        {"max_header_size",
         [](F& f, S v) {
             f.connector().max_header_size = std::stoull(v);
         }},
        {"max_receive_size",
         [](F& f, S v) {
             f.parts.transport.max_receive_size = std::stoull(v);
         }},
        {"max_send_size",
         [](F& f, S v) {
             f.parts.transport.max_send_size = std::stoull(v);
         }},
        {"max_recipient_envelope_limit",
         [](F& f, S v) {
             f.parts.transport.max_recipient_envelope_limit = number(v);
         }},
        {"recipient_validation",
         [](F& f, S v) {
             f.parts.transport.recipient_validation = v == "true";
         }},
        {"max_hop_count", count<&C::max_hop_count>()},
        {"max_local_hop_count", count<&C::max_local_hop_count>()},
        {"organization_max_hop_count",
         [](F& f, S v) {
             f.parts.transport.max_hop_count = number(v);
         }},
        {"max_recipients_per_message", count<&C::max_recipients_per_message>()},
        {"max_messages_per_connection", count<&C::max_messages_per_connection>()},
        {"max_protocol_errors", count<&C::max_protocol_errors>()},
        {"max_logon_failures", count<&C::max_logon_failures>()},
        {"max_inbound_connection", count<&C::max_inbound_connection>()},
        {"max_inbound_connection_per_source", count<&C::max_inbound_connection_per_source>()},
        {"message_rate_limit", count<&C::message_rate_limit>()},
        {"message_rate_limit_per_hour", count<&C::message_rate_limit_per_hour>()},
        {"recipient_rate_limit", count<&C::recipient_rate_limit>()},
        {"message_rate_source",
         [](F& f, S v) {
             f.connector().message_rate_source =
                 v == "user" ? MessageRateSource::user : MessageRateSource::ip_address;
         }},
        {"min_data_rate", count<&C::min_data_rate>()},
        {"connection_timeout", seconds<&C::connection_timeout>()},
        {"connection_inactivity_timeout", seconds<&C::connection_inactivity_timeout>()},
        {"tarpit_interval", seconds<&C::tarpit_interval>()},
        {"auth_tarpit_interval", seconds<&C::auth_tarpit_interval>()}};
    return kSetters;
}

// Of alice.
const Setters& recipient_setters() {
    static const Setters kSetters = {
        {"require_authenticated_sender",
         [](F& f, S v) {
             f.directory.change("alice", [&v](MailRecipient& alice) {
                 alice.limits.require_authenticated_sender = v == "true";
             });
         }},
        {"accept_from",
         [](F& f, S v) {
             f.directory.change(
                 "alice", [&v](MailRecipient& alice) { alice.limits.accept_from = {v}; });
         }},
        {"reject_from",
         [](F& f, S v) {
             f.directory.change(
                 "alice", [&v](MailRecipient& alice) { alice.limits.reject_from = {v}; });
         }},
        {"recipient_max_receive_size",
         [](F& f, S v) {
             f.directory.change("alice", [&v](MailRecipient& alice) {
                 alice.limits.max_receive_size = std::stoull(v);
             });
         }},
        {"group", [](F& f, S v) {
             f.directory.add_group(v, v + "@contoso.com", {"alice", "postmaster"});
         }}};
    return kSetters;
}

const Setters& double_setters() {
    static const Setters kSetters = {
        {"directory",
         [](F& f, S v) {
             f.directory.fail_with(kErrors.at(v));
         }},
        {"store",
         [](F& f, S v) {
             f.store.fail_call(1, kErrors.at(v));
         }},
        {"body_create",
         [](F& f, S v) {
             f.bodies.fail_create_with(kErrors.at(v));
         }},
        {"body_write",
         [](F& f, S v) {
             f.bodies.fail_writes_with(kErrors.at(v), 10);
         }},
        {"body_finish",
         [](F& f, S v) {
             f.bodies.fail_finish_with(kErrors.at(v));
         }},
        {"pressure", [](F& f, S v) {
             f.lane.pressure = pressure_of(v);
         }}};
    return kSetters;
}

}  // namespace

void apply_dialog_setting(ReceiveFixture& fixture, S field, S value) {
    for (const auto* setters :
         {&who_setters(),
          &manner_setters(),
          &limit_setters(),
          &recipient_setters(),
          &double_setters()}) {
        if (const auto found = setters->find(field); found != setters->end()) {
            found->second(fixture, value);
            return;
        }
    }
    throw std::out_of_range("no field " + field);
}

}  // namespace mailflow
