#!/usr/bin/python3
"""smtpctl explain against the real server: what it foretells, and that the server then does it."""
import json
import unittest

from support import Client, SystemTest

ZONE = """
fabrikam.com. 300 IN MX 20 second.fabrikam.com.
fabrikam.com. 300 IN MX 10 first.fabrikam.com.
first.fabrikam.com. 300 IN A 127.0.0.1
second.fabrikam.com. 300 IN A 127.0.0.2
"""

DEFAULT = ("--connector", "Default Frontend mail.contoso.com")
CLIENT = ("--connector", "Client Frontend mail.contoso.com")


class Explain(SystemTest):
    def setUp(self):
        super().setUp()
        self.lab = self.start_lab(ZONE)
        self.mailflow = self.start_mailflow(dns=self.lab.dns)
        self.mailflow.ctl("mailbox", "create", "david", "--address", "SMTP:david@contoso.com",
                          "--address", "smtp:d.green@contoso.com")

    def explain(self, sender, *recipients, words=DEFAULT, client="127.0.0.1"):
        """The exit status and the answer."""
        to = [word for recipient in recipients for word in ("--to", recipient)]
        result = self.mailflow.ctl("--json", "explain", "--client-ip", client, "--from", sender, *to, *words, check=False)
        self.assertIn(result.returncode, (0, 1), result.stderr)
        return result.returncode, json.loads(result.stdout)

    def refusals(self, answer):
        return [check["reply"] for check in answer["checks"] if not check["passed"]]

    def reply_to(self, sender, recipient):
        """What the server itself answers to RCPT."""
        with Client(self.mailflow.port()) as client:
            client.command("EHLO client.example")
            client.command(f"MAIL FROM:<{sender}>")
            return client.command(f"RCPT TO:<{recipient}>").strip()

    def test_a_message_for_a_mailbox(self):
        status, answer = self.explain("bob@fabrikam.com", "d.green@contoso.com")

        self.assertEqual(status, 0)
        self.assertTrue(answer["receive_connector"].startswith("Default Frontend"))
        recipient, = answer["recipients"]
        self.assertEqual((recipient["original"], recipient["address"]), ("d.green@contoso.com", "david@contoso.com"))
        self.assertEqual((recipient["outcome"], recipient["mailbox"]), ("delivered", "david"))
        table = self.mailflow.ctl("explain", "--client-ip", "127.0.0.1", "--from", "bob@fabrikam.com",
                                  "--to", "d.green@contoso.com", *DEFAULT).stdout
        self.assertIn("david@contoso.com (for d.green@contoso.com): delivered", table)
        self.assertIn("Accepted for all recipients", table)

    def test_refusals_are_the_server_s_own(self):
        for recipient in ("nobody@contoso.com", "carol@fabrikam.com"):
            status, answer = self.explain("bob@fabrikam.com", recipient)

            self.assertEqual(status, 1)
            reply, = self.refusals(answer)
            self.assertEqual(reply, self.reply_to("bob@fabrikam.com", recipient))

    def test_one_of_two_is_refused(self):
        result = self.mailflow.ctl("explain", "--client-ip", "127.0.0.1", "--from", "bob@fabrikam.com",
                                   "--to", "david@contoso.com", "--to", "nobody@contoso.com", *DEFAULT, check=False)

        self.assertEqual(result.returncode, 1)
        self.assertIn("Refused at RCPT <nobody@contoso.com>: 550 5.1.1 User unknown", result.stdout)
        self.assertIn("david@contoso.com: delivered", result.stdout)

    def test_a_message_that_leaves(self):
        """The sender's primary address, the connector that wins and the one that loses, hosts in order."""
        self.mailflow.internet(self.lab)
        self.mailflow.ctl("send-connector", "create", "Spare", "--address-space", "*;9")
        self.mailflow.relay_port("--permission-group", "authenticated")

        status, answer = self.explain("d.green@contoso.com", "carol@fabrikam.com",
                                      words=("--connector", "Local applications", "--auth", "david"))

        self.assertEqual(status, 0, answer)
        recipient, = answer["recipients"]
        self.assertEqual(recipient["mail_from"], "david@contoso.com")
        self.assertIn({"before": "From: <d.green@contoso.com>", "after": "From: <david@contoso.com>"}, recipient["header"])
        self.assertEqual(recipient["next_hop"], "dns|fabrikam.com|Internet")
        self.assertEqual([loser["name"] for loser in recipient["other_connectors"]], ["Spare"])
        self.assertEqual([host["host"] for host in recipient["hosts"]], ["first.fabrikam.com", "second.fabrikam.com"])

    def test_a_group_and_its_members(self):
        self.mailflow.ctl("mailbox", "create", "erin")
        self.mailflow.ctl("group", "create", "sales", "--member", "david", "--member", "erin")

        status, answer = self.explain("erin@contoso.com", "sales@contoso.com",
                                      words=(*CLIENT, "--auth", "erin"))

        self.assertEqual(status, 0, answer)
        self.assertEqual(sorted(r["address"] for r in answer["recipients"]), ["david@contoso.com", "erin@contoso.com"])
        self.assertTrue(any(step["stage"] == "expand" for step in answer["steps"]))

    def test_too_large(self):
        status, answer = self.explain("bob@fabrikam.com", "david@contoso.com", words=(*DEFAULT, "--size", "1 GB"))

        self.assertEqual(status, 1)
        self.assertEqual(self.refusals(answer), ["552 5.3.4 Message size exceeds fixed maximum message size"])

    def test_what_is_wrong_is_said(self):
        for words, said in ((("--client-ip", "here", "--from", "a@b.com", "--to", "c@d.com"), "is no IP address"),
                            (("--client-ip", "127.0.0.1", "--from", "a@b.com", "--to", "c@d.com", "--connector", "None"),
                             "there is no receive connector"),
                            (("--client-ip", "127.0.0.1", "--from", "a@b.com", "--to", "c@d.com", "--auth", "none"),
                             "no mailbox logs in")):
            result = self.mailflow.ctl("explain", *words, check=False)

            self.assertEqual(result.returncode, 1)
            self.assertIn(said, result.stderr)
        self.assertEqual(self.mailflow.ctl("explain", "--from", "a@b.com", check=False).returncode, 2)

    def test_nothing_is_sent_or_written(self):
        self.explain("bob@fabrikam.com", "david@contoso.com", "nobody@contoso.com")

        self.assertEqual(self.mailflow.json("status")["queue"]["messages"], 0)
        self.assertEqual(self.mailflow.track("--from", "bob@fabrikam.com"), [])
        self.assertFalse(self.mailflow.maildir("david").exists())


if __name__ == "__main__":
    unittest.main()
