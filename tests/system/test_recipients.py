#!/usr/bin/python3
"""Recipients as an administrator meets them: the seed's steps 2 and 3, policies applied, files in and out, groups, removal."""
import csv
import email
import io
import smtplib
import ssl
import time
import unittest

from support import Client, SystemTest, submit


NODE = "Ex2013CAS.corp.contoso.com"
ZONE = f"""
contoso.com. 300 IN MX 10 {NODE}.
adatum.com. 300 IN MX 10 mx.example.org.
fabrikam.com. 300 IN MX 10 mx1.fabrikam.com.
mx1.fabrikam.com. 300 IN A 127.0.0.1
"""
PASSWORD = "correct horse, battery"


class SeedSteps(SystemTest):
    """Steps 2 and 3 of "Configure mail flow and client access", in their order, on a node that was told no domain."""

    def setUp(self):
        super().setUp()
        self.lab = self.start_lab(ZONE)
        self.mailflow = self.start_mailflow(node=NODE, domain=None, dns=self.lab.dns)
        self.ctl = self.mailflow.ctl

    def addresses(self, name):
        return self.mailflow.json("mailbox", "show", name)["addresses"]

    def mx_status(self, domain):
        return self.mailflow.json("accepted-domain", "show", domain)["mx_status"]

    def send_outside(self, sender):
        """As david, logged in behind STARTTLS."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        with smtplib.SMTP("127.0.0.1", self.mailflow.port("Client Frontend " + NODE.lower()), "client.example") as client:
            client.starttls(context=context)
            client.login("david", PASSWORD)
            client.sendmail(sender, ["carol@fabrikam.com"],
                            f"From: David Pelton <{sender}>\r\nTo: carol@fabrikam.com\r\nSubject: hello\r\n\r\nhello\r\n")

    def test_from_the_first_domain_to_mail_at_the_new_one(self):
        # Before: the domain is the node's own, and so are the first addresses.
        self.assertEqual([d["domain"] for d in self.mailflow.json("accepted-domain", "list")], ["corp.contoso.com"])
        self.ctl("mailbox", "create", "david", "--first-name", "David", "--last-name", "Pelton", "--password", "-",
                 said=PASSWORD + "\n")
        self.assertEqual(self.addresses("david"), ["SMTP:david@corp.contoso.com"])

        # Step 2: 3 to 6, and how you know that it worked.
        created = self.ctl("accepted-domain", "create", "Contoso", "--domain", "contoso.com", "--type", "authoritative")
        self.assertIn(f"  contoso.com. IN MX 10 {NODE}.\n".lower(), created.stdout.lower())
        self.ctl("accepted-domain", "create", "adatum.com")
        self.assertEqual([self.mx_status(name) for name in ("Contoso", "corp.contoso.com", "adatum.com")],
                         ["published", "missing", "elsewhere"])
        self.ctl("accepted-domain", "remove", "adatum.com")
        self.assertIn("contoso.com", [d["domain"] for d in self.mailflow.json("accepted-domain", "list")])
        self.assertEqual(self.addresses("david"), ["SMTP:david@corp.contoso.com"])

        # Step 3: 3 to 7. Nothing changes before Apply.
        self.ctl("address-policy", "set", "Default Policy", "--template", "@contoso.com")
        self.assertEqual(self.addresses("david"), ["SMTP:david@corp.contoso.com"])
        preview = self.ctl("--what-if", "address-policy", "apply", "Default Policy")
        self.assertIn("david@contoso.com", preview.stdout)
        self.assertEqual(self.addresses("david"), ["SMTP:david@corp.contoso.com"])
        self.assertFalse(self.mailflow.json("address-policy", "show", "Default Policy")["applied"])

        # Step 3: 8.
        applied = self.ctl("address-policy", "apply", "Default Policy")

        self.assertIn("2 of 2 recipients changed", applied.stdout)
        self.assertIn("david: logs in as david@corp.contoso.com, primary address david@contoso.com", applied.stdout)
        self.assertIn("smtpctl mailbox set NAME --upn primary", applied.stdout)
        self.assertTrue(self.mailflow.json("address-policy", "show", "Default Policy")["applied"])
        # How you know that it worked.
        self.assertIn("SMTP:david@contoso.com", self.ctl("mailbox", "show", "david").stdout)
        self.assertEqual(self.addresses("david"), ["SMTP:david@contoso.com", "smtp:david@corp.contoso.com"])
        self.ctl("mailbox", "create", "Jane Dow")
        self.assertEqual(self.addresses("Jane Dow"), ["SMTP:JaneDow@contoso.com"])
        # The old address still arrives, in the same Maildir as the new one.
        submit(self.mailflow.port(), "a@example.com", "david@corp.contoso.com")
        submit(self.mailflow.port(), "a@example.com", "David@Contoso.com")
        self.mailflow.delivered("david", 2)
        # What david sends under the old address leaves under the new one.
        self.mailflow.internet(self.lab)
        self.send_outside("david@corp.contoso.com")
        message = self.lab.wait_for_messages(to="carol@fabrikam.com")[0]
        self.assertEqual(message["from"], "david@contoso.com")
        self.assertEqual(email.message_from_bytes(self.lab.content(message))["From"], "David Pelton <david@contoso.com>")

        # Once more changes nothing.
        again = self.ctl("address-policy", "apply", "Default Policy")
        self.assertIn("0 of 3 recipients changed", again.stdout)

        # The note: login names that match.
        rows = self.mailflow.json("mailbox", "list", "--where", "upn != primary")
        self.assertEqual([row["name"] for row in rows], ["david", "postmaster"])
        self.ctl("mailbox", "set", "david", "--upn", "primary")
        self.assertEqual(self.mailflow.json("mailbox", "show", "david")["upn"], "david@contoso.com")
        self.ctl("mailbox", "set", "--where", "upn != primary", "--upn", "primary")
        self.assertEqual(self.mailflow.json("mailbox", "list", "--where", "upn != primary"), [])


class Files(SystemTest):
    def setUp(self):
        super().setUp()
        self.mailflow = self.start_mailflow()
        self.ctl = self.mailflow.ctl

    def write(self, name, text):
        path = self.folder / name
        path.write_bytes(text.encode() if isinstance(text, str) else text)
        return path

    def names(self, kind="mailbox"):
        return [row["name"] for row in self.mailflow.json(kind, "list")]

    def test_good_rows_are_taken_and_bad_ones_named(self):
        path = self.write("staff.csv", "\ufeffName,Display Name,addresses,forwarding_recipient\r\n"
                          'bob,"Smith, Bob ""the builder""",,carol\r\n'
                          "eve,,eve@fabrikam.com,\r\n"
                          "carol,,SMTP:c@contoso.com;smtp:carol@contoso.com,\r\n"
                          "bob,again,,\r\n"
                          "dan,,,nobody\r\n")

        preview = self.ctl("--what-if", "mailbox", "import", path, check=False)
        self.assertEqual(preview.returncode, 1)
        self.assertIn('row 4: would be created: mailbox "carol" (c@contoso.com)', preview.stdout)
        self.assertEqual(self.names(), ["postmaster"])
        refused = self.ctl("mailbox", "import", path, "--all-or-nothing", check=False)
        self.assertEqual(refused.returncode, 1)
        self.assertEqual(self.names(), ["postmaster"])
        result = self.ctl("mailbox", "import", path, check=False)

        self.assertEqual(result.returncode, 1)
        self.assertEqual(result.stdout, "2 created, 0 updated, 0 unchanged, 3 refused\n")
        self.assertIn("row 3, addresses: eve@fabrikam.com: fabrikam.com is not an accepted domain", result.stderr)
        self.assertIn("row 5: name: an earlier row", result.stderr)
        self.assertIn('row 6, forwarding_recipient: there is no recipient "nobody"', result.stderr)
        self.assertEqual(self.names(), ["bob", "carol", "postmaster"])
        bob = self.mailflow.json("mailbox", "show", "bob")
        self.assertEqual(bob["forwarding_recipient"], "carol")
        self.assertEqual(bob["display_name"], 'Smith, Bob "the builder"')
        self.assertEqual(self.mailflow.json("mailbox", "show", "carol@contoso.com")["address_policy_enabled"], False)

    def test_a_good_file_is_taken_whole(self):
        path = self.write("staff.csv", "name,kind,forwarding_recipient,members,password\n"
                          "first,mailbox,last,,pencil\nteam,group,,first;last,\nlast,mailbox,,,\n")

        result = self.ctl("mailbox", "import", path, "--all-or-nothing")

        self.assertEqual(result.stdout, "3 created, 0 updated, 0 unchanged, 0 refused\n")
        self.assertEqual(self.mailflow.json("mailbox", "show", "first")["forwarding_recipient"], "last")
        self.assertTrue(self.mailflow.json("mailbox", "show", "first")["password_set"])
        self.assertEqual(self.mailflow.json("group", "show", "team")["members"], ["first", "last"])

    def test_files_that_are_none_are_refused_whole(self):
        for text, words in (("name,colour\nbob,red\n", 'no recipient has a column "colour"'),
                            ("alias\nbob\n", 'no column "name"'), ("", "empty"),
                            ('name\nbob\n"carol\n', "no closing quote")):
            result = self.ctl("mailbox", "import", self.write("x.csv", text), check=False)
            self.assertEqual(result.returncode, 1, text)
            self.assertIn(words, result.stderr)
        self.assertEqual(self.names(), ["postmaster"])

    def test_what_is_exported_comes_back_as_it_was(self):
        self.ctl("mailbox", "create", "alice", "--password", "-", "--company", "A;B\\C, Ltd.", said="pencil\n")
        self.ctl("mailbox", "create", "bob", "--send-as", "alice", "--address", "SMTP:b@contoso.com", "--address",
                 "smtp:bob@contoso.com")
        self.ctl("contact", "create", "Carol; Jones", "--external-address", "carol@fabrikam.com")
        self.ctl("group", "create", "Sales", "--member", "alice", "--member", "Carol; Jones", "--owner", "bob")
        self.ctl("mailbox", "set", "alice", "--forwarding-recipient", "Sales", "--accept-from", "bob")
        for suffix in ("csv", "json"):
            with self.subTest(suffix):
                first = self.folder / f"all.{suffix}"
                self.ctl("mailbox", "export", "--all-kinds", "--with-secrets", "--out", first)
                before = self.ctl("config", "export").stdout
                for kind, name in (("group", "Sales"), ("contact", "Carol; Jones"), ("mailbox", "alice"),
                                   ("mailbox", "bob")):
                    self.ctl(kind, "remove", name)

                result = self.ctl("mailbox", "import", first)

                self.assertIn("4 created, 0 updated, 1 unchanged, 0 refused", result.stdout)
                self.assertEqual(self.ctl("config", "export").stdout, before)
                self.assertTrue(self.mailflow.json("mailbox", "show", "alice")["password_set"])
                second = self.folder / f"again.{suffix}"
                self.ctl("mailbox", "export", "--all-kinds", "--with-secrets", "--out", second)
                self.assertEqual(second.read_bytes(), first.read_bytes())
        plain = self.ctl("mailbox", "export").stdout
        self.assertNotIn("SCRAM", plain)
        self.assertEqual([row["name"] for row in csv.DictReader(io.StringIO(plain))], ["alice", "bob", "postmaster"])

    def test_twenty_thousand_rows_within_seconds(self):
        count = 20000
        path = self.write("many.csv", "name,first_name,last_name,department\n" + "".join(
            f"user{i},First{i},Last{i},Sales\n" for i in range(count)))

        begun = time.monotonic()
        result = self.ctl("mailbox", "import", path)
        seconds = time.monotonic() - begun

        self.assertIn(f"{count} created, 0 updated, 0 unchanged, 0 refused", result.stdout)
        print(f"{count / seconds:,.0f} rows/s", end=" ", flush=True)
        self.assertLess(seconds, 20)
        self.assertEqual(len(self.mailflow.json("mailbox", "list", "--limit", "1500")), 1500)
        with Client(self.mailflow.port()) as client:
            client.begin("a@example.com", ["user19999@contoso.com"])
        applied = self.ctl("address-policy", "apply")
        self.assertIn(f"0 of {count + 1} recipients changed", applied.stdout)


class Groups(SystemTest):
    def setUp(self):
        super().setUp()
        self.mailflow = self.start_mailflow()
        self.ctl = self.mailflow.ctl
        for name in ("alice", "bob"):
            self.ctl("mailbox", "create", name)

    def test_members_come_and_go(self):
        self.ctl("group", "create", "Sales", "--member", "alice", "--require-authenticated-sender", "false")
        self.ctl("group", "set", "Sales", "--add-member", "bob@contoso.com", "--remove-member", "alice")

        self.assertEqual(self.mailflow.json("group", "show", "Sales")["members"], ["bob"])
        submit(self.mailflow.port(), "a@example.com", "sales@contoso.com")
        self.mailflow.delivered("bob", 1)

    def test_what_cannot_be_is_said(self):
        self.ctl("group", "create", "Sales")
        for words, said in ((("group", "set", "Sales", "--add-member", "sales"), "cannot be its own member"),
                            (("group", "set", "Sales", "--add-member", "nobody"), 'there is no recipient "nobody"'),
                            (("group", "set", "Sales", "--report-to-owner", "true", "--owner", "bob"), "never to both"),
                            (("mailbox", "set", "bob", "--forwarding-recipient", "bob"), "forwarded to itself"),
                            (("mailbox", "set", "bob", "--add-address", "SMTP:b@contoso.com"),
                             "--address-policy-enabled false"),
                            (("mailbox", "show", "Sales"), "smtpctl group show"),
                            (("mailbox", "list", "--where", "upn !! 3"), "--where")):
            result = self.ctl(*words, check=False)
            self.assertEqual(result.returncode, 1, words)
            self.assertIn(said, result.stderr, words)

    def test_a_removal_names_those_that_lose_somebody(self):
        self.ctl("group", "create", "Sales", "--member", "bob")
        self.ctl("mailbox", "set", "alice", "--forwarding-recipient", "bob")

        result = self.ctl("mailbox", "remove", "bob")

        self.assertIn('"alice" (forwarding)', result.stderr)
        self.assertIn('"Sales" (member)', result.stderr)
        self.assertEqual(self.mailflow.json("group", "show", "Sales")["members"], [])


if __name__ == "__main__":
    unittest.main()
