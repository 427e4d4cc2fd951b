// The tables of organization.db: objects as documents, recipients as rows, and who changed what
// when. Every change of either is one transaction and one version. Ids are ours: a new recipient
// gets the one after the highest.
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
)"},
    // Contacts and groups beside mailboxes, and all that decides where mail for them goes. Only
    // mailboxes have a UPN, so many may be without. `reference` is every name of another recipient
    // but members (ReferenceRole), `member` the members of groups: by their current names, so that
    // a large group is read page by page. `recipient_count`: by kind. The triggers keep both true.
    // Addresses of a recipient are read from their index alone.
    SchemaStep{R"(
ALTER TABLE recipient ADD COLUMN kind INTEGER NOT NULL DEFAULT 0;
ALTER TABLE recipient ADD COLUMN initials TEXT NOT NULL DEFAULT '';
ALTER TABLE recipient ADD COLUMN address_policy_enabled INTEGER NOT NULL DEFAULT 1;
ALTER TABLE recipient ADD COLUMN rewrite_sender_to_primary INTEGER;
ALTER TABLE recipient ADD COLUMN require_authenticated_sender INTEGER NOT NULL DEFAULT 0;
ALTER TABLE recipient ADD COLUMN max_receive_size INTEGER;
ALTER TABLE recipient ADD COLUMN max_send_size INTEGER;
ALTER TABLE recipient ADD COLUMN max_recipients INTEGER;
ALTER TABLE recipient ADD COLUMN target_kind INTEGER NOT NULL DEFAULT 0;
ALTER TABLE recipient ADD COLUMN target_place TEXT NOT NULL DEFAULT '';
ALTER TABLE recipient ADD COLUMN forwarding_address TEXT;
ALTER TABLE recipient ADD COLUMN deliver_and_forward INTEGER NOT NULL DEFAULT 0;
ALTER TABLE recipient ADD COLUMN external_address TEXT;
ALTER TABLE recipient ADD COLUMN report_to_owner INTEGER NOT NULL DEFAULT 0;
ALTER TABLE recipient ADD COLUMN report_to_originator INTEGER NOT NULL DEFAULT 1;
ALTER TABLE recipient ADD COLUMN send_oof_to_originator INTEGER NOT NULL DEFAULT 0;
DROP INDEX recipient_upn;
CREATE UNIQUE INDEX recipient_upn ON recipient(upn_key) WHERE upn_key <> '';
CREATE INDEX recipient_kind ON recipient(kind, name);
DROP INDEX address_recipient;
CREATE INDEX address_recipient ON address(recipient, position, text);
CREATE TABLE attribute(
    recipient INTEGER NOT NULL,
    name TEXT NOT NULL,
    value TEXT NOT NULL,
    PRIMARY KEY(recipient, name)) WITHOUT ROWID;
CREATE TABLE reference(
    recipient INTEGER NOT NULL,
    role INTEGER NOT NULL,
    position INTEGER NOT NULL,
    target INTEGER NOT NULL,
    PRIMARY KEY(recipient, role, position)) WITHOUT ROWID;
CREATE INDEX reference_target ON reference(target, role);
INSERT INTO reference(recipient, role, position, target)
    SELECT recipient, 1, position, sender FROM send_as;
DROP TABLE send_as;
CREATE TABLE member(
    "group" INTEGER NOT NULL,
    name TEXT NOT NULL COLLATE NOCASE,
    recipient INTEGER NOT NULL,
    PRIMARY KEY("group", name)) WITHOUT ROWID;
CREATE INDEX member_recipient ON member(recipient, "group");
CREATE TRIGGER member_renamed AFTER UPDATE OF name ON recipient
    WHEN new.name IS NOT old.name COLLATE BINARY
    BEGIN UPDATE member SET name = new.name WHERE recipient = new.id; END;
CREATE TABLE recipient_count(kind INTEGER PRIMARY KEY, number INTEGER NOT NULL);
INSERT INTO recipient_count(kind, number)
    VALUES(0, (SELECT count(*) FROM recipient)), (1, 0), (2, 0);
CREATE TRIGGER recipient_counted AFTER INSERT ON recipient
    BEGIN UPDATE recipient_count SET number = number + 1 WHERE kind = new.kind; END;
CREATE TRIGGER recipient_gone AFTER DELETE ON recipient
    BEGIN UPDATE recipient_count SET number = number - 1 WHERE kind = old.kind; END;
CREATE TRIGGER recipient_other_kind AFTER UPDATE OF kind ON recipient
    WHEN new.kind <> old.kind
    BEGIN
        UPDATE recipient_count SET number = number - 1 WHERE kind = old.kind;
        UPDATE recipient_count SET number = number + 1 WHERE kind = new.kind;
    END;
PRAGMA user_version = 4;
)"},
    // Most recipients are mailboxes, which are listed by the index of names: only the others have
    // one of their kind. `staged_row`: rows of an import that is taken whole, until it is.
    SchemaStep{R"(
DROP INDEX recipient_kind;
CREATE INDEX recipient_kind ON recipient(kind, name) WHERE kind <> 0;
CREATE TABLE staged_row(number INTEGER PRIMARY KEY, document TEXT NOT NULL);
PRAGMA user_version = 5;
)"}};

}  // namespace mailflow
