// The tables of organization.db: objects as documents, recipients as rows, and who changed what
// when. Every change of either is one transaction and one version. Ids are ours: a recipient's id
// is the version that made it.
#pragma once

#include "storage/schema.hpp"

#include <array>

namespace mailflow {

inline constexpr std::array kOrganizationSchema{SchemaStep{R"(
CREATE TABLE version(
    version INTEGER PRIMARY KEY,
    time INTEGER NOT NULL,
    who TEXT NOT NULL,
    what TEXT NOT NULL);
CREATE TABLE object(
    type TEXT NOT NULL,
    name TEXT NOT NULL COLLATE NOCASE,
    document TEXT NOT NULL,
    PRIMARY KEY(type, name)) WITHOUT ROWID;
CREATE TABLE object_change(
    version INTEGER NOT NULL,
    number INTEGER NOT NULL,
    type TEXT NOT NULL,
    name TEXT NOT NULL,
    document TEXT,
    new_name TEXT NOT NULL,
    PRIMARY KEY(version, number)) WITHOUT ROWID;
CREATE TABLE recipient(
    id INTEGER PRIMARY KEY,
    name TEXT NOT NULL UNIQUE COLLATE NOCASE,
    alias TEXT NOT NULL UNIQUE COLLATE NOCASE,
    first_name TEXT NOT NULL,
    last_name TEXT NOT NULL,
    display_name TEXT NOT NULL);
CREATE TABLE address(
    key TEXT PRIMARY KEY,
    recipient INTEGER NOT NULL,
    position INTEGER NOT NULL,
    domain TEXT NOT NULL,
    text TEXT NOT NULL) WITHOUT ROWID;
CREATE INDEX address_recipient ON address(recipient, position);
CREATE INDEX address_domain ON address(domain, recipient);
PRAGMA user_version = 1;
)"}};

}  // namespace mailflow
