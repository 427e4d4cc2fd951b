// An OrganizationService over memory stores after a first start, and what its answers say.
#pragma once

#include "config/organization_service.hpp"
#include "tests/support/marked_secrets.hpp"
#include "tests/support/memory_object_store.hpp"
#include "tests/support/memory_recipient_store.hpp"
#include "tests/support/run_task.hpp"
#include "transport/base/error.hpp"

#include <catch2/catch.hpp>

#include <algorithm>
#include <string>
#include <vector>

namespace mailflow {

struct ServiceFixture {
    ServiceFixture()
        : ServiceFixture(FirstStart{
              "contoso.com",
              {Endpoint::parse("0.0.0.0:25").value(), Endpoint::parse("[::]:25").value()}}) {}

    explicit ServiceFixture(FirstStart first) {
        const auto problems = test.run(service.open(std::move(first)));
        REQUIRE(problems.has_value());
        REQUIRE(problems->empty());
    }

    ChangeOutcome create(
        const std::string& type,
        const std::string& name,
        boost::json::object fields,
        bool what_if = false) {
        return test.run(service.create({type, name, std::move(fields), author, what_if}));
    }

    ChangeOutcome set(
        const std::string& type,
        const std::string& name,
        boost::json::object fields,
        bool what_if = false) {
        return test.run(service.set({type, name, std::move(fields), author, what_if}));
    }

    ChangeOutcome remove(const std::string& type, const std::string& name, bool what_if = false) {
        return test.run(service.remove({type, name, {}, author, what_if}));
    }

    TestLane test;
    MemoryObjectStore objects;
    MemoryRecipientStore recipients{&objects};
    std::vector<OrganizationPtr> published;
    ChangeAuthor author{"uid=0(root)", "test"};
    std::vector<Endpoint> probed;         // bindings the service had tried
    std::vector<RefusedBinding> refused;  // what the probe answers
    std::vector<std::string> certificates;
    int hashed = 0;  // passwords that were made verifiers of
    MarkedSecrets secrets;
    OrganizationService service{
        {objects,
         recipients,
         {"mail.contoso.com", "default"},
         [this](OrganizationPtr organization) { published.push_back(std::move(organization)); },
         [this](std::vector<Endpoint> wanted) { return probe(std::move(wanted)); },
         [this](const std::string& name) {
             return std::find(certificates.begin(), certificates.end(), name) != certificates.end();
         },
         [this](std::string password) { return hash(std::move(password)); },
         {},
         &secrets}};

  private:
    // No verifier anybody could log in by: its salt is the password.
    Task<Result<ScramVerifier>> hash(std::string password) {
        ++hashed;
        if (password == "prohibited") {
            co_return make_error_code(Error::syntax);
        }
        co_return ScramVerifier{4096, password, {}, {}};
    }

    Task<std::vector<RefusedBinding>> probe(std::vector<Endpoint> wanted) {
        probed.insert(probed.end(), wanted.begin(), wanted.end());
        co_return refused;
    }
};

// Problems and warnings, a line each.
[[nodiscard]] inline std::string said(const ChangeOutcome& outcome) {
    std::string all;
    for (const auto& problem : outcome.problems)
        all += problem.text() + "\n";
    for (const auto& warning : outcome.warnings)
        all += "warning: " + warning + "\n";
    return all;
}

}  // namespace mailflow
