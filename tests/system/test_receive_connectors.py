#!/usr/bin/python3
"""Receive connectors as an administrator meets them: who may come in, the printers, ports that are taken, doors that open and
close."""
import json
import os
import pathlib
import socket
import unittest

from support import Client, SystemTest, free_port, is_open, submit, wait_for

DEFAULT = "Default Frontend mail.contoso.com"
LOCAL = "postmaster@contoso.com"
NOBODY_OUTSIDE = "no receive connector is left that takes mail from outside"


class Restricting(SystemTest):
    """The seed's note: change the default connector to restrict inbound mail."""

    def setUp(self):
        super().setUp()
        self.mailflow = self.start_mailflow()
        self.port = self.mailflow.port()

    def set(self, *words):
        return self.mailflow.ctl("receive-connector", "set", DEFAULT, *words)

    def test_by_remote_range(self):
        result = self.set("--remote-range", "127.0.0.2-127.0.0.9")

        self.assertIn(f"warning: {NOBODY_OUTSIDE}", result.stderr)
        with Client(self.port, source="127.0.0.10", greeting=b"421 4.3.2 Service not available\r\n") as client:
            self.assertEqual(client.reply(), b"")
        with Client(self.port, source="127.0.0.2") as client:
            client.begin("a@example.com", [LOCAL])

        result = self.set("--remote-range", "0.0.0.0-255.255.255.255", "--remote-range", "::/0")
        self.assertEqual(result.stderr, "")
        with Client(self.port, source="127.0.0.10") as client:
            client.begin("a@example.com", [LOCAL])

    def test_a_public_range_is_not_the_outside(self):
        self.assertIn(NOBODY_OUTSIDE, self.set("--remote-range", "192.0.2.0/24").stderr)

    def test_by_removing_anonymous(self):
        result = self.set("--remove-permission-group", "anonymous")

        self.assertIn(f"warning: {NOBODY_OUTSIDE}", result.stderr)
        with Client(self.port) as client:
            client.command("EHLO c.example.com", "250")
            client.command("MAIL FROM:<a@example.com>", "530 5.7.1")
        self.assertEqual(self.set("--add-permission-group", "anonymous").stderr, "")
        submit(self.port, "a@example.com", LOCAL)


class Printers(SystemTest):
    def setUp(self):
        super().setUp()
        self.mailflow = self.start_mailflow()

    def test_a_range_of_its_own_relays_and_no_other_does(self):
        port = free_port()
        result = self.mailflow.ctl("receive-connector", "create", "Printers", "--remote-range", "192.0.2.0/24",
                                   "--permission-group", "anonymous", "--permission", "any-recipient", "--binding",
                                   f"127.0.0.1:{port}")
        self.assertEqual(result.stderr, "")
        self.assertEqual(result.stdout, 'created receive-connector "Printers"\n')
        with Client(port, greeting=b"421 4.3.2 "):
            pass

        self.mailflow.ctl("receive-connector", "set", "Printers", "--remote-range", "127.0.0.4/30")

        for source in ("127.0.0.4", "127.0.0.7"):
            with Client(port, source=source) as client:
                client.begin("scanner@contoso.com", ["somebody@fabrikam.com"])
        with Client(port, source="127.0.0.8", greeting=b"421 4.3.2 "):
            pass
        with Client(self.mailflow.port(), source="127.0.0.4") as client:
            client.command("EHLO c.example.com", "250")
            client.command("MAIL FROM:<scanner@contoso.com>", "250")
            client.command("RCPT TO:<somebody@fabrikam.com>", "550 5.7.1")

    def test_beside_another_connector_the_smaller_range_wins(self):
        port = free_port()
        self.mailflow.ctl("receive-connector", "set", DEFAULT, "--binding", f"127.0.0.1:{port}")
        self.mailflow.ctl("receive-connector", "create", "Printers", "--remote-range", "127.0.0.4", "--permission-group",
                          "anonymous", "--permission", "any-recipient", "--binding", f"127.0.0.1:{port}")

        for source, answer in (("127.0.0.4", "250"), ("127.0.0.5", "550 5.7.1")):
            with Client(port, source=source) as client:
                client.command("EHLO c.example.com", "250")
                client.command("MAIL FROM:<a@example.com>", "250")
                client.command("RCPT TO:<somebody@fabrikam.com>", answer)

    def test_it_shows_in_list(self):
        self.mailflow.relay_port()

        table = self.mailflow.ctl("receive-connector", "list").stdout.splitlines()

        self.assertRegex(table[0], r"^Name +enabled +bindings +remote_ranges +permission_groups +permissions +tls$")
        self.assertRegex("\n".join(table), r"(?m)^Local applications +true +127\.0\.0\.1:\d+ +127\.0\.0\.0/8 +anonymous +"
                                           r"any-recipient +opportunistic$")
        rows = self.mailflow.json("receive-connector", "list")
        self.assertEqual([row["name"] for row in rows], [
            "Client Frontend mail.contoso.com", "Client Frontend TLS mail.contoso.com", DEFAULT, "Local applications"])

    def test_ranges_that_overlap_in_part_name_both(self):
        first = ["--binding", "127.0.0.1:2599", "--permission-group", "anonymous", "--enabled", "false"]
        self.mailflow.ctl("receive-connector", "create", "Upstairs", "--remote-range", "10.0.0.0-10.0.0.99", *first)

        result = self.mailflow.ctl("receive-connector", "create", "Downstairs", "--remote-range", "10.0.0.50-10.0.0.150",
                                   *first, check=False)

        self.assertEqual(result.returncode, 1)
        self.assertIn('"Upstairs"', result.stderr)
        self.assertIn('"Downstairs"', result.stderr)


class Bindings(SystemTest):
    def taken_port(self):
        holder = socket.socket()
        self.addCleanup(holder.close)
        holder.bind(("127.0.0.1", 0))
        holder.listen()
        return holder.getsockname()[1]

    def test_a_port_that_is_taken_refuses_the_change_and_names_the_holder(self):
        mailflow = self.start_mailflow()
        port = self.taken_port()
        before = mailflow.ctl("config", "export").stdout
        name = pathlib.Path("/proc/self/comm").read_text().strip()
        for words in (["create", "Printers", "--permission-group", "anonymous", "--binding", f"127.0.0.1:{port}"],
                      ["set", DEFAULT, "--add-binding", f"127.0.0.1:{port}"],
                      ["set", DEFAULT, "--binding", f"0.0.0.0:{port}"]):
            result = mailflow.ctl("receive-connector", *words, check=False)

            self.assertEqual(result.returncode, 1, words)
            self.assertIn(f":{port} cannot be opened: Address already in use; {name} (pid {os.getpid()}) holds it",
                          result.stderr)
        self.assertEqual(mailflow.ctl("config", "export").stdout, before)
        self.assertTrue(mailflow.json("status")["healthy"])
        submit(mailflow.port(), "a@example.com", LOCAL)

    def test_enabling_on_a_port_that_is_taken_is_refused(self):
        mailflow = self.start_mailflow()
        port = self.taken_port()
        mailflow.ctl("receive-connector", "create", "Printers", "--permission-group", "anonymous", "--binding",
                     f"127.0.0.1:{port}", "--enabled", "false")

        result = mailflow.ctl("receive-connector", "enable", "Printers", check=False)

        self.assertEqual(result.returncode, 1)
        self.assertIn("holds it", result.stderr)
        self.assertFalse(mailflow.json("receive-connector", "show", "Printers")["enabled"])

    def test_an_address_of_another_host_is_refused_in_words(self):
        mailflow = self.start_mailflow()

        result = mailflow.ctl("receive-connector", "create", "Elsewhere", "--binding", "192.0.2.77:2525", check=False)

        self.assertEqual(result.returncode, 1)
        self.assertIn("no interface of this host has the address", result.stderr)

    def test_from_one_address_to_all_and_back(self):
        mailflow = self.start_mailflow()
        port = free_port()
        mailflow.ctl("receive-connector", "set", DEFAULT, "--binding", f"127.0.0.1:{port}")

        mailflow.ctl("receive-connector", "set", DEFAULT, "--binding", f"0.0.0.0:{port}")
        submit(port, "a@example.com", LOCAL)
        mailflow.ctl("receive-connector", "set", DEFAULT, "--binding", f"127.0.0.1:{port}")
        submit(port, "a@example.com", LOCAL)

        self.assertTrue(mailflow.json("status")["healthy"])

    def test_enable_and_disable_open_and_close_without_dropping_sessions(self):
        mailflow = self.start_mailflow()
        port = free_port()
        mailflow.ctl("receive-connector", "create", "Door", "--binding", f"127.0.0.1:{port}", "--permission-group",
                     "anonymous")
        with Client(port) as client:
            client.begin("a@example.com", [LOCAL])
            mailflow.ctl("receive-connector", "disable", "Door")
            wait_for(lambda: not is_open(port), "the port closes")
            self.assertFalse(mailflow.json("receive-connector", "show", "Door")["enabled"])
            self.assertRegex(client.text(b"Subject: still here\r\n\r\nx\r\n"), "^250 2.6.0")

            mailflow.ctl("receive-connector", "enable", "Door")
            wait_for(lambda: is_open(port), "the port opens")
            client.command("QUIT", "221")
        submit(port, "a@example.com", LOCAL)


class FirstStart(SystemTest):
    def test_a_default_port_that_is_taken_does_not_stop_the_start(self):
        holder = socket.socket()
        self.addCleanup(holder.close)
        holder.bind(("127.0.0.1", 0))
        holder.listen()
        port = holder.getsockname()[1]
        mailflow = self.start_mailflow(submission=port)

        result = mailflow.ctl("--json", "status", check=False)

        self.assertEqual(result.returncode, 1)
        self.assertIn(f"cannot listen on 127.0.0.1:{port}: Address already in use; ", result.stdout)
        self.assertIn(f"(pid {os.getpid()}) holds it", result.stdout)
        open_at = {listener["connector"]: listener["endpoint"] for listener in json.loads(result.stdout)["listeners"]}
        submit(int(open_at[DEFAULT].rsplit(":", 1)[1]), "a@example.com", LOCAL)


if __name__ == "__main__":
    unittest.main()
