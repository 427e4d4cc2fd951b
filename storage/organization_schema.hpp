// The tables of organization.db: objects as documents, recipients as rows, and who changed what
// when. Every change of either is one transaction and one version. Ids are ours: a recipient's id
// is the version that made it.
#pragma once

#include "storage/schema.hpp"

#include <array>

namespace mailflow {

inline constexpr std::array kOrganizationSchema{
    SchemaStep{R"(
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
)"},
    // Who may log in. Mailboxes of before log in by their primary address once they get a password.
    // `login_secret`: what the salts told to logins nobody has are made from; it outlives a
    // restart, as real salts do.
    SchemaStep{R"(
ALTER TABLE recipient ADD COLUMN upn TEXT NOT NULL DEFAULT '';
ALTER TABLE recipient ADD COLUMN upn_key TEXT NOT NULL DEFAULT '';
ALTER TABLE recipient ADD COLUMN iterations INTEGER NOT NULL DEFAULT 0;
ALTER TABLE recipient ADD COLUMN salt BLOB;
ALTER TABLE recipient ADD COLUMN stored_key BLOB;
ALTER TABLE recipient ADD COLUMN server_key BLOB;
UPDATE recipient SET (upn, upn_key) = (
    SELECT text, key FROM address WHERE address.recipient = recipient.id AND position = 0);
CREATE UNIQUE INDEX recipient_upn ON recipient(upn_key);
CREATE TABLE send_as(
    recipient INTEGER NOT NULL,
    position INTEGER NOT NULL,
    sender INTEGER NOT NULL,
    PRIMARY KEY(recipient, position)) WITHOUT ROWID;
CREATE INDEX send_as_sender ON send_as(sender);
CREATE TABLE login_secret(octets BLOB NOT NULL);
INSERT INTO login_secret(octets) VALUES(randomblob(32));
PRAGMA user_version = 2;
)"},
    // Certificates with their sealed private keys.
    SchemaStep{R"(
CREATE TABLE certificate(
    thumbprint TEXT PRIMARY KEY,
    name TEXT NOT NULL UNIQUE COLLATE NOCASE,
    chain TEXT NOT NULL,
    private_key BLOB,
    services INTEGER NOT NULL,
    created INTEGER NOT NULL) WITHOUT ROWID;
PRAGMA user_version = 3;
)"}};

}  // namespace mailflow
