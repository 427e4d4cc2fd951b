#!/usr/bin/python3
"""Accepted domains as an administrator meets them: the first one, the record to publish, and what the DNS says of it."""
import json
import socket
import subprocess
import time
import unittest

from support import BIN, SystemTest

ZONE = """
contoso.com. 300 IN MX 10 mail.contoso.com.
fabrikam.com. 300 IN MX 10 mx.example.org.
fabrikam.com. 300 IN MX 5 first.example.org.
empty.com. 300 IN A 127.0.0.9
"""
# A DNS answer is waited for no longer than this, whatever the resolver does.
DNS_LIMIT = 3


class FirstDomain(SystemTest):
    def test_is_the_domain_of_the_node(self):
        """The seed's first screen: the node's own domain is accepted, and its first addresses are there."""
        mailflow = self.start_mailflow(node="Ex2013CAS.corp.contoso.com", domain=None)

        domains = mailflow.json("accepted-domain", "list")
        mailflow.ctl("mailbox", "create", "david")

        self.assertEqual([(d["domain"], d["type"], d["default"]) for d in domains],
                         [("corp.contoso.com", "authoritative", True)])
        self.assertIn("SMTP:david@corp.contoso.com", mailflow.json("mailbox", "show", "david")["addresses"])
        policy = mailflow.json("address-policy", "show", "Default Policy")
        self.assertEqual(policy["templates"], ["SMTP:%m@corp.contoso.com"])
        self.assertEqual(policy["priority"], "lowest")


class Published(SystemTest):
    """Against a DNS that answers."""

    def setUp(self):
        super().setUp()
        self.lab = self.start_lab(ZONE)
        self.mailflow = self.start_mailflow(dns=self.lab.dns)

    def status(self, domain):
        shown = self.mailflow.json("accepted-domain", "show", domain)
        return shown["mx_status"], shown["mx_found"]

    def test_create_prints_the_record(self):
        result = self.mailflow.ctl("accepted-domain", "create", "fabrikam.com", "--type", "authoritative")

        self.assertIn("created accepted-domain \"fabrikam.com\"", result.stdout)
        self.assertIn("  fabrikam.com. IN MX 10 mail.contoso.com.\n", result.stdout)
        shown = self.mailflow.json("accepted-domain", "create", "*.empty.com")
        self.assertEqual(shown["mx_records"],
                         ["empty.com. IN MX 10 mail.contoso.com.", "*.empty.com. IN MX 10 mail.contoso.com."])

    def test_show_says_what_the_dns_says(self):
        for domain in ("fabrikam.com", "empty.com", "nowhere.com"):
            self.mailflow.ctl("accepted-domain", "create", domain)

        self.assertEqual(self.status("contoso.com"), ("published", ["10 mail.contoso.com"]))
        self.assertEqual(self.status("fabrikam.com"), ("elsewhere", ["5 first.example.org", "10 mx.example.org"]))
        self.assertEqual(self.status("empty.com"), ("missing", []))
        self.assertEqual(self.status("nowhere.com"), ("missing", []))
        self.assertIn("published", self.mailflow.ctl("accepted-domain", "show", "contoso.com").stdout)

    def test_a_relay_domain_that_leads_back_is_refused(self):
        """Reference 16, fact 11: the relay connector must use a smart host, since the MX points back here."""
        self.mailflow.ctl("send-connector", "create", "Internet", "--address-space", "*")
        self.mailflow.ctl("accepted-domain", "create", "fabrikam.com", "--default", "true")

        refused = self.mailflow.ctl("accepted-domain", "set", "contoso.com", "--type", "internal-relay", check=False)
        self.mailflow.ctl("address-policy", "set", "Default Policy", "--template", "SMTP:%m@fabrikam.com")
        loop = self.mailflow.ctl("accepted-domain", "set", "contoso.com", "--type", "internal-relay", check=False)

        self.assertEqual(refused.returncode, 1)
        self.assertIn("is in use by address-policy \"Default Policy\"", refused.stderr)
        self.assertEqual(loop.returncode, 1)
        self.assertIn("the MX of contoso.com is this node", loop.stderr)
        self.mailflow.ctl("send-connector", "create", "Inside", "--address-space", "contoso.com", "--smart-host",
                          "192.0.2.7")
        self.mailflow.ctl("accepted-domain", "set", "contoso.com", "--type", "internal-relay")


class Silent(SystemTest):
    """With a name server that says nothing."""

    def test_show_does_not_wait_for_long_and_holds_nobody_up(self):
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as silent:
            silent.bind(("127.0.0.1", 0))
            mailflow = self.start_mailflow(dns=f"127.0.0.1:{silent.getsockname()[1]}")
            started = time.monotonic()
            show = subprocess.Popen([BIN / "smtpctl", "--socket", mailflow.socket, "--json", "accepted-domain", "show",
                                     "contoso.com"], stdout=subprocess.PIPE, text=True)
            silent.recv(512)  # the question is on its way
            mailflow.ctl("mailbox", "create", "anna")
            self.assertIsNone(show.poll(), "the look-up held the creation up")
            shown = json.loads(show.communicate(timeout=30)[0])

        self.assertEqual((shown["mx_status"], shown["mx_found"]), ("unknown", []))
        self.assertGreaterEqual(time.monotonic() - started, DNS_LIMIT - 1)
        self.assertLess(time.monotonic() - started, DNS_LIMIT + 10)


if __name__ == "__main__":
    unittest.main()
