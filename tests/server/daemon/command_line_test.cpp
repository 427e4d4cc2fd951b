#include "server/daemon/command_line.hpp"

#include <catch2/catch.hpp>

using namespace mailflow;

TEST_CASE("The command line beats the bootstrap file", "[daemon][command-line]") {
    Bootstrap settings;
    settings.node.fqdn = "old.contoso.com";
    settings.listen.smtp = 25;

    const auto line = CommandLine::parse(
        {"--config",
         "/etc/m.toml",
         "--node=mail.contoso.com",
         "--domain",
         "contoso.com",
         "--smtp-port",
         "0",
         "--submissions-port=2465"});
    line.apply_to(settings);

    REQUIRE(line.error.empty());
    CHECK(line.config == "/etc/m.toml");
    CHECK(settings.node.fqdn == "mail.contoso.com");
    CHECK(settings.node.domain == "contoso.com");
    CHECK(settings.listen.smtp == 0);
    CHECK(settings.listen.submission == 587);
    CHECK(settings.listen.submissions == 2465);
}

TEST_CASE("Wrong words on the command line are named", "[daemon][command-line]") {
    CHECK(CommandLine::parse({"--smtp-port", "70000"}).error.find("70000") != std::string::npos);
    CHECK(CommandLine::parse({"--smpt-port", "25"}).error == "unknown flag --smpt-port");
    CHECK(CommandLine::parse({"--node"}).error == "--node needs a value");
    CHECK(CommandLine::parse({"--bogus"}).error == "unknown flag --bogus");
    CHECK(CommandLine::parse({"start"}).error == "\"start\" is not understood");
}
