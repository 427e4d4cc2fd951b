// An organization database in a temporary folder. Everything on the test's thread, under virtual
// time.
#pragma once

#include "storage/organization_database.hpp"
#include "tests/support/run_task.hpp"
#include "tests/support/temp_directory.hpp"

#include <memory>
#include <string>

namespace mailflow {

struct OrganizationFixture {
    OrganizationFixture() { open(); }

    void open() {
        database =
            OrganizationDatabase::open({path(), {}, &faults}, {runner, runner, test.clock}).value();
    }

    // As after an orderly end and a new start.
    void reopen() {
        test.run(database->close());
        database.reset();
        open();
    }

    [[nodiscard]] std::string path() const { return directory / "organization.db"; }

    TempDirectory directory;
    TestLane test;
    FoldedRunner runner{test.context};
    FaultPlan faults;
    std::unique_ptr<OrganizationDatabase> database;
};

}  // namespace mailflow
