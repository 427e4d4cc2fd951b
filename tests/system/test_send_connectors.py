#!/usr/bin/python3
"""How mail leaves: nodes and sites that share a configuration, secrets, what of a header goes outside."""
import unittest

from support import Mailflow, SystemTest, submit, wait_for

ZONE = """
fabrikam.com.       MX 10 mx1.fabrikam.com.
mx1.fabrikam.com.   A 127.0.0.1
"""


class SharedConfiguration(SystemTest):
    def start_node(self, name, site):
        node = Mailflow(self.folder / name, dns=self.lab.dns, node=f"{name}.contoso.com")
        node.config.write_text(node.config.read_text().replace("[node]", f'[node]\nsite = "{site}"'))
        self.stack.callback(node.close)
        return node.start()

    def share(self, source, target):
        file = self.folder / "shared.toml"
        file.write_text(source.ctl("config", "export", "--shared").stdout)
        return target.ctl("config", "apply", file).stdout

    def test_a_scoped_connector_is_used_in_its_own_site_only(self):
        self.lab = self.start_lab(ZONE)
        berlin = self.start_node("mx1", "berlin")
        paris = self.start_node("mx2", "paris")
        berlin.ctl("node", "create", "mx2.contoso.com", "--site", "paris")
        berlin.internet(self.lab)
        berlin.ctl("send-connector", "create", "Berlin only", "--address-space", "fabrikam.com", "--scoped", "true",
                   "--port", self.lab.sink_port)
        ports = {berlin: berlin.relay_port(), paris: paris.relay_port()}

        said = self.share(berlin, paris)
        self.assertIn('+ node "mx1.contoso.com"', said)
        self.assertIn('+ send-connector "Berlin only"', said)
        self.assertEqual(paris.ctl("config", "diff", self.folder / "shared.toml").stdout, "no differences\n")

        # Berlin sends by its own connector, Paris does not see it, and waits for Berlin to send by the other one.
        queue_id = submit(ports[berlin], "alice@contoso.com", "bob@fabrikam.com")
        self.lab.wait_for_messages(1, to="bob@fabrikam.com")
        self.assertIn("Berlin only", str(berlin.wait_for_event("SEND", queue_id)))
        explained = paris.ctl("explain", "--local", f"127.0.0.1:{ports[paris]}", "--client-ip", "127.0.0.1", "--from",
                              "alice@contoso.com", "--to", "bob@fabrikam.com", check=False).stdout
        self.assertIn("it is scoped to the site of its source servers, which is another", explained)
        queue_id = submit(ports[paris], "alice@contoso.com", "carol@fabrikam.com")
        queue = wait_for(lambda: [q for q in paris.json("queue", "list") if "other-node" in str(q)], "the queue of Berlin")[0]
        self.assertIn("mx1.contoso.com", queue["last_error"])
        self.assertIn("mx1.contoso.com", str(paris.show(queue_id)))

        # Paris may send now: what waited goes at once, by the connector for all.
        paris.ctl("send-connector", "set", "Internet", "--add-source-server", "mx2.contoso.com")
        self.lab.wait_for_messages(1, to="carol@fabrikam.com")
        self.assertIn("Internet", str(paris.wait_for_event("SEND", queue_id)))

        refused = paris.ctl("node", "remove", "mx1.contoso.com", check=False)
        self.assertIn('is the last source server of send-connector "Berlin only"', refused.stderr)


class WayOut(SystemTest):
    def setUp(self):
        super().setUp()
        self.lab = self.start_lab(ZONE)
        self.mailflow = self.start_mailflow(dns=self.lab.dns)

    def test_secrets_are_in_no_log_and_no_answer(self):
        create = self.mailflow.ctl(
            "send-connector", "create", "Provider", "--address-space", "*", "--smart-host", "127.0.0.1", "--port",
            self.lab.sink_port, "--auth", "basic", "--username", "mailflow", "--password", "-", said="open sesame\n")
        shown = self.mailflow.json("send-connector", "show", "Provider")
        self.assertEqual(shown["password"], "set")
        sealed = self.mailflow.ctl("config", "export", "--with-secrets").stdout
        self.assertIn('password = "sealed:', sealed)
        plain = self.mailflow.ctl("config", "export").stdout
        self.assertNotIn("sealed:", plain)
        everything = [create.stdout, create.stderr, str(shown), sealed, plain, self.mailflow.daemon.text()]
        stored = b"".join(path.read_bytes() for path in self.mailflow.state.rglob("*") if path.is_file())
        for text in everything:
            self.assertNotIn("sesame", text)
        self.assertNotIn(b"sesame", stored)
        on_line = self.mailflow.ctl("send-connector", "set", "Provider", "--password", "other", check=False)
        self.assertEqual(on_line.returncode, 2)

    def test_routing_fields_leave_by_right_only(self):
        self.mailflow.internet(self.lab)
        port = self.mailflow.relay_port()
        content = b"Received: from inside by hub; Mon, 23 Nov 2026 10:00:00 +0000\r\nSubject: x\r\n\r\nReceived: said\r\n"
        submit(port, "alice@contoso.com", "bob@fabrikam.com", content)
        kept = self.lab.content(self.lab.wait_for_messages(1, to="bob@fabrikam.com")[0])
        self.mailflow.ctl("send-connector", "set", "Internet", "--send-routing-headers", "false")
        submit(port, "alice@contoso.com", "carol@fabrikam.com", content)
        stripped = self.lab.content(self.lab.wait_for_messages(1, to="carol@fabrikam.com")[0])

        self.assertIn(b"Received: from inside", kept)
        header, body = stripped.split(b"\r\n\r\n", 1)
        self.assertNotIn(b"received:", header.lower())
        self.assertIn(b"Subject: x", header)
        self.assertEqual(body, b"Received: said\r\n")


if __name__ == "__main__":
    unittest.main()
