#include "config/bootstrap.hpp"

#include "tests/support/memory_files.hpp"
#include "transport/base/error.hpp"

#include <catch2/catch.hpp>

#include <string>
#include <vector>

namespace mailflow {

namespace {

std::string joined(const std::vector<std::string>& lines) {
    std::string text;
    for (const auto& line : lines)
        text += line + "\n";
    return text;
}

constexpr const char* kWholeFile = R"(state_dir = "var"
[node]
fqdn = "Mail.Contoso.com"
site = "berlin"
domain = "contoso.com"
[listen]
address = "127.0.0.1"
smtp = 2525
submission = 2587
submissions = 2465
https = 8443
http = 8080
[admin]
socket = "var/admin.sock"
[dns]
servers = ["127.0.0.1:5353", "192.0.2.53", "[::1]:53"]
[deliver]
allow_destinations = ["127.0.0.0/8", "::1"]
[process]
user = "mailflow"
[threads]
lanes = 1
workers = 2
store_readers = 3
[log]
target = "file:log/mailflow.log"
level = "debug"
format = "json"
[storage]
key_file = "/etc/mailflow/secret.key"
[durability]
level = "process-crash"
)";

}  // namespace

TEST_CASE("a bootstrap file sets every key it names", "[config][bootstrap]") {
    const auto result = parse_bootstrap(kWholeFile, "/srv/mail/mailflowd.toml");

    CHECK(joined(result.errors) == "");
    const auto& settings = result.settings;
    CHECK(settings.state_dir == "/srv/mail/var");
    CHECK(settings.node.fqdn == "mail.contoso.com");
    CHECK(settings.node.site == "berlin");
    CHECK(settings.node.domain == "contoso.com");
    REQUIRE(settings.listen.addresses.size() == 1);
    CHECK(settings.listen.addresses[0].text() == "127.0.0.1");
    CHECK(settings.listen.smtp == 2525);
    CHECK(settings.listen.submission == 2587);
    CHECK(settings.listen.submissions == 2465);
    CHECK(settings.listen.https == 8443);
    CHECK(settings.listen.http == 8080);
    CHECK(settings.admin_socket() == "/srv/mail/var/admin.sock");
    REQUIRE(settings.dns.servers.size() == 3);
    CHECK(settings.dns.servers[0].text() == "127.0.0.1:5353");
    CHECK(settings.dns.servers[1].text() == "192.0.2.53:53");
    CHECK(settings.dns.servers[2].text() == "[::1]:53");
    REQUIRE(settings.deliver.allow_destinations.size() == 2);
    CHECK(settings.process.user == "mailflow");
    CHECK(settings.threads.lanes == 1U);
    CHECK(settings.threads.workers == 2U);
    CHECK(settings.threads.store_readers == 3U);
    CHECK(settings.log.target == LogTarget::file);
    CHECK(settings.log.file == "/srv/mail/log/mailflow.log");
    CHECK(settings.log.level == LogLevel::debug);
    CHECK(settings.log.format == LogFormat::json);
    CHECK(settings.key_file() == "/etc/mailflow/secret.key");
    CHECK(settings.durability.level == DurabilityLevel::process_crash);
}

TEST_CASE("[dns] says whose word on DNSSEC counts", "[config][bootstrap][dnssec]") {
    using TrustAd = Bootstrap::Dns::TrustAd;
    const auto dns = [](const std::string& text) {
        const auto result = parse_bootstrap("[dns]\n" + text, "f.toml");
        CHECK(joined(result.errors) == "");
        return result.settings.dns;
    };

    CHECK(!dns("servers = '127.0.0.1'").trust_ad.has_value());
    CHECK(dns("trust_ad = 'loopback'").trust_ad == TrustAd::loopback);
    CHECK(dns("trust_ad = 'none'").trust_ad == TrustAd::none);
    const auto listed =
        dns("trust_ad = ['192.0.2.53', '2001:db8::53']\nprobe_secure = 'good.test'\n"
            "probe_bogus = 'bad.test'");
    CHECK(listed.trust_ad == TrustAd::list);
    REQUIRE(listed.trusted.size() == 2);
    CHECK(listed.trusted[1].text() == "2001:db8::53");
    CHECK(listed.probe_secure == "good.test");
    CHECK(listed.probe_bogus == "bad.test");
}

TEST_CASE("an empty bootstrap file means the defaults", "[config][bootstrap]") {
    const auto result = parse_bootstrap("", "mailflowd.toml");

    CHECK(result.ok());
    const auto& settings = result.settings;
    CHECK(settings.state_dir == "/var/lib/mailflow");
    CHECK(settings.admin_socket() == "/run/mailflow/admin.sock");
    CHECK(settings.key_file() == "/var/lib/mailflow/secret.key");
    CHECK(settings.node.site == "default");
    CHECK(settings.listen.smtp == 25);
    CHECK_FALSE(settings.listen.http);
    REQUIRE(settings.listen_addresses().size() == 2);
    CHECK(settings.listen_addresses()[0].text() == "0.0.0.0");
    CHECK(settings.listen_addresses()[1].text() == "::");
    CHECK_FALSE(settings.threads.lanes);
    CHECK(settings.durability.level == DurabilityLevel::power_loss);
}

TEST_CASE("with a state folder of its own the admin socket lies in it", "[config][bootstrap]") {
    const auto result = parse_bootstrap("state_dir = 'var'", "mailflowd.toml");

    CHECK(result.settings.admin_socket() == "var/admin.sock");
}

TEST_CASE("what is wrong in a bootstrap file is told with file and line", "[config][bootstrap]") {
    struct Row {
        std::string text;
        std::string says;
    };

    const std::vector<Row> table = {
        {"stat_dir = 'x'", "f.toml:1: unknown key \"stat_dir\"; did you mean \"state_dir\"?"},
        {"\n[listen]\nsmpt = 25",
         "f.toml:3: unknown key \"smpt\" in [listen]; did you mean \"smtp\"?"},
        {"[lissen]\nsmtp = 25", "f.toml:1: unknown key \"lissen\"; did you mean \"listen\"?"},
        {"[zzzzzzzzz]", "f.toml:1: unknown key \"zzzzzzzzz\"; the keys are state_dir, node,"},
        {"[node]\n\nzzzzzzzzz = 1",
         "f.toml:3: unknown key \"zzzzzzzzz\" in [node]; the keys are fqdn, site, domain"},
        {"[listen]\nsmtp = '25'", "f.toml:2: a whole number from 0 to 65535 is needed here"},
        {"[listen]\nsmtp = 65536", "f.toml:2: a whole number from 0 to 65535 is needed here"},
        {"[listen]\nsmtp = -1", "f.toml:2: a whole number from 0 to 65535"},
        {"[listen]\nhttp = true", "f.toml:2: a whole number from 0 to 65535"},
        {"[listen]\naddress = 'localhost'", "f.toml:2: \"localhost\" is not an IP address"},
        {"[listen]\naddress = ['127.0.0.1',\n'x']", "f.toml:3: \"x\" is not an IP address"},
        {"[threads]\nlanes = 0", "f.toml:2: a whole number from 1 to 256 is needed here"},
        {"[node]\nfqdn = 'a b'", "f.toml:2: \"a b\" is not a domain name"},
        {"[node]\nfqdn = 5", "f.toml:2: a text in quotes is needed here"},
        {"node = 5", "f.toml:1: node is a table: write [node]"},
        {"[[node]]\nfqdn = 'a'", "node is a table: write [node]"},
        {"state_dir = ''", "f.toml:1: a path is needed here"},
        {"[log]\ntarget = 'syslog'",
         "f.toml:2: \"syslog\" is not one of \"stderr\", \"journal\", \"file:PATH\""},
        {"[log]\ntarget = 'file:'", "is not one of"},
        {"[log]\nlevel = 'verbose'",
         "f.toml:2: \"verbose\" is not one of \"debug\", \"info\", \"warning\", \"error\""},
        {"[log]\nformat = 'xml'", "f.toml:2: \"xml\" is not one of \"text\", \"json\""},
        {"[durability]\nlevel = 'none'",
         "f.toml:2: \"none\" is not one of \"power-loss\", \"process-crash\""},
        {"[dns]\nservers = ['ns1.contoso.com']",
         "f.toml:2: \"ns1.contoso.com\" is not a name server"},
        {"[dns]\nservers = ['127.0.0.1:0']", "is not a name server"},
        {"[dns]\ntrust_ad = 'all'", "f.toml:2: \"all\" is not \"loopback\", \"none\" or a list"},
        {"[dns]\ntrust_ad = ['loopback']", "\"loopback\" is not"},
        {"[dns]\nprobe_secure = 'a b'", "f.toml:2: \"a b\" is not a domain name"},
        {"[deliver]\nallow_destinations = ['10.0.0.1/8']",
         "f.toml:2: \"10.0.0.1/8\" is not an address, a range"},
        {"state_dir = 'x'\nstate_dir = 'y'", "f.toml:2: "},
        {"[listen\nsmtp = 25", "f.toml:1: "},
        {"state_dir = \"a\\nb\"", "f.toml:1: a control character is not allowed here"},
    };
    for (const auto& row : table) {
        INFO(row.text);
        const auto result = parse_bootstrap(row.text, "f.toml");
        CHECK_THAT(joined(result.errors), Catch::Contains(row.says));
    }
}

TEST_CASE("all errors of a bootstrap file are told, in the order of lines", "[config][bootstrap]") {
    const auto result =
        parse_bootstrap("x = 1\n[node]\nfqdn = 1\n[admin]\nsokket = 'a'\n", "f.toml");

    REQUIRE(result.errors.size() == 3);
    CHECK_THAT(result.errors[0], Catch::StartsWith("f.toml:1: "));
    CHECK_THAT(result.errors[1], Catch::StartsWith("f.toml:3: "));
    CHECK_THAT(result.errors[2], Catch::StartsWith("f.toml:5: "));
}

TEST_CASE("a bootstrap file that was named must be readable", "[config][bootstrap]") {
    MemoryFiles files;

    const auto named = load_bootstrap(files, "missing.toml");
    const auto unnamed = load_bootstrap(files, "");

    CHECK_THAT(joined(named.errors), Catch::StartsWith("missing.toml: cannot be read: "));
    CHECK(unnamed.ok());
}

TEST_CASE("a bootstrap file is read from its path", "[config][bootstrap]") {
    MemoryFiles files;
    REQUIRE(files.make_directory("etc"));
    auto file = files.create("etc/m.toml");
    REQUIRE(file);
    REQUIRE((*file)->append("state_dir = 'var'\n"));

    const auto result = load_bootstrap(files, "etc/m.toml");

    CHECK(joined(result.errors) == "");
    CHECK(result.settings.state_dir == "etc/var");
}

}  // namespace mailflow
