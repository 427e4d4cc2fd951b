#!/usr/bin/python3
"""DANE (RFC 7672) with zones that are really signed, nsd, a validating unbound, and SMTP servers with certificates of
their own; Postfix's posttls-finger is asked about the same hosts."""
import os
import subprocess
import unittest

from signed_zones import BOGUS, SECURE, UNSIGNED, Certificate, TlsSink, Zones
from support import SystemTest, free_port, peer, peer_environment, submit, wait_for

LOCAL = "postmaster@contoso.com"


class Dane(SystemTest):
    def setUp(self):
        super().setUp()
        self.port = free_port()
        self.hosts = {}
        self.records = {SECURE: "", BOGUS: "", UNSIGNED: ""}

    def add(self, name, tlsa=lambda certificate: [], zone=SECURE, starttls=True, name_on_it=None, issuer=None):
        """A recipient domain NAME.ZONE with one host, mx.NAME.ZONE, on a loopback address of its own."""
        host = f"mx.{name}.{zone}"
        address = f"127.0.0.{20 + len(self.hosts)}"
        certificate = Certificate(self.folder, name_on_it or host, issuer)
        self.hosts[name] = TlsSink(self, address, self.port, certificate if starttls else None)
        self.records[zone] += (f"{name} IN MX 10 mx.{name}\nmx.{name} IN A {address}\n" + "".join(
            f"_{self.port}._tcp.mx.{name} IN TLSA {record}\n" for record in tlsa(certificate)))
        return certificate

    def start(self, dnssec=f'trust_ad = "loopback"\nprobe_secure = "{SECURE}"\nprobe_bogus = "{BOGUS}"', validating=True):
        self.zones = Zones(self, self.records, self.port)
        resolver = self.zones.start_unbound(validating)
        self.mailflow = self.start_mailflow(dns=f"127.0.0.1:{resolver}", dnssec=dnssec)
        self.mailflow.ctl("send-connector", "create", "Internet", "--address-space", "*", "--port", self.port)
        self.relay = self.mailflow.relay_port()

    def wait_for_proof(self):
        wait_for(lambda: self.mailflow.json("status", check=False)["dnssec"]["state"] == "proven", "unbound is proven")

    def send(self, name, zone=SECURE):
        return submit(self.relay, LOCAL, f"a@{name}.{zone}")

    def assert_sent(self, name, zone=SECURE, encrypted=True):
        self.mailflow.wait_for_event("SEND", self.send(name, zone))
        self.assertEqual(self.hosts[name].messages, [encrypted], name)

    def assert_deferred(self, name, status, words, zone=SECURE):
        queue_id = self.send(name, zone)
        self.mailflow.wait_for_event("DEFER", queue_id)
        shown = self.mailflow.show(queue_id)["last_error"]
        self.assertIn(status, shown)
        self.assertIn(words, shown)
        self.assertEqual(self.hosts[name].messages, [], name)

    def test_each_host_ends_as_the_rfc_says(self):
        other = Certificate(self.folder, "stranger")
        self.add("good", lambda own: [own.tlsa()])
        self.add("whole", lambda own: [own.tlsa(3, 0)])
        self.add("rollover", lambda own: [other.tlsa(), own.tlsa()])
        self.add("wrong", lambda own: [other.tlsa()])
        self.add("none")
        self.add("clear", starttls=False)
        self.add("stripped", lambda own: [own.tlsa()], starttls=False)
        self.add("pkix", lambda own: [other.tlsa(1, 1)])
        self.add("pkixclear", lambda own: [other.tlsa(1, 1)], starttls=False)
        authority = Certificate(self.folder, "Private Root")
        self.add("anchor", lambda own: [authority.tlsa(2, 0)], issuer=authority)
        self.add("misnamed", lambda own: [authority.tlsa(2, 0)], name_on_it="mx.elsewhere.test", issuer=authority)
        self.add("bogus")
        # The name is signed well; what it leads to is not.
        self.records[SECURE] += f"_{self.port}._tcp.mx.bogus IN CNAME _tlsa.{BOGUS}.\n"
        self.records[BOGUS] += f"_tlsa IN TLSA {other.tlsa()}\n"
        self.add("unsigned", lambda own: [other.tlsa()], zone=UNSIGNED)
        self.start()
        self.wait_for_proof()

        for name in ("good", "whole", "rollover", "anchor", "none", "pkix"):
            self.assert_sent(name)
        self.assertEqual(self.hosts["good"].sni, [f"mx.good.{SECURE}"])
        self.assert_sent("clear", encrypted=False)
        self.assert_sent("unsigned", zone=UNSIGNED)
        self.assert_deferred("wrong", "4.7.323", "no TLSA record matches")
        self.assert_deferred("misnamed", "4.7.325", "mx.elsewhere.test")
        self.assert_deferred("stripped", "4.7.321", "STARTTLS")
        self.assert_deferred("pkixclear", "4.7.321", "STARTTLS")
        self.assert_deferred("bogus", "4.7.324", f"TLSA of mx.bogus.{SECURE}: SERVFAIL")
        self.assertEqual(self.mailflow.ctl("status").returncode, 0)
        self.assertIn("proven", self.mailflow.ctl("status").stdout)

    def test_a_zone_with_expired_signatures_is_not_believed(self):
        self.add("any", zone=BOGUS)
        self.start()
        self.wait_for_proof()

        queue_id = self.send("any", BOGUS)

        self.mailflow.wait_for_event("DEFER", queue_id)
        self.assertIn("SERVFAIL", self.mailflow.show(queue_id)["last_error"])

    def test_without_trust_dane_is_off(self):
        other = Certificate(self.folder, "stranger")
        self.add("wrong", lambda own: [other.tlsa()])
        self.start(dnssec='trust_ad = "none"')

        self.assert_sent("wrong")
        status = self.mailflow.json("status")
        self.assertEqual(status["dnssec"]["state"], "untrusted")
        self.assertTrue(status["healthy"])

    def test_a_resolver_that_does_not_validate_is_found_out(self):
        other = Certificate(self.folder, "stranger")
        self.add("wrong", lambda own: [other.tlsa()])
        self.start(validating=False)

        def judged():
            status = self.mailflow.json("status", check=False)
            return status if "does not validate" in status["dnssec"]["reason"] else None
        status = wait_for(judged, "the probe has an answer")
        self.assertEqual(status["dnssec"]["state"], "unproven")
        self.assertFalse(status["healthy"])
        self.assertEqual(self.mailflow.ctl("status", check=False).returncode, 1)
        self.assert_sent("wrong")

    def test_nobody_said_whom_to_believe_so_it_is_a_warning(self):
        self.add("any")
        self.start(dnssec=f'probe_secure = "{SECURE}"\nprobe_bogus = "{BOGUS}"', validating=False)

        wait_for(lambda: any("DANE is off" in words for words in self.mailflow.json("status")["warnings"]),
                 "status warns of it")
        self.assertTrue(self.mailflow.json("status")["healthy"])

    def finger(self, name, zone=SECURE):
        """posttls-finger asks the system's resolver at port 53, so it gets an /etc/resolv.conf of its own."""
        command = [peer("postfix", "usr/sbin/posttls-finger"), "-c", "-l", "dane", "-t", "20", "-T", "20",
                   f"[mx.{name}.{zone}]:{self.port}"]
        return subprocess.run(
            ["unshare", "--mount", "sh", "-c", 'mount --bind "$0" /etc/resolv.conf && exec "$@"',
             str(self.folder / "resolv.conf"), *command],
            capture_output=True, text=True, timeout=60, check=False,
            env=dict(peer_environment("postfix"), MAIL_CONFIG=str(self.folder / "postfix")))

    @unittest.skipIf(os.geteuid() != 0, "port 53 and a mount of its own need root")
    def test_posttls_finger_agrees(self):
        other = Certificate(self.folder, "stranger")
        self.add("good", lambda own: [own.tlsa()])
        self.add("rollover", lambda own: [other.tlsa(), own.tlsa()])
        self.add("wrong", lambda own: [other.tlsa()])
        self.start()
        self.zones.start_unbound(address="127.0.0.77", port=53)
        (self.folder / "resolv.conf").write_text("nameserver 127.0.0.77\noptions trust-ad edns0\n")
        (self.folder / "postfix").mkdir()
        (self.folder / "postfix/main.cf").write_text(
            "compatibility_level = 3.6\nmyhostname = mail.contoso.com\nsmtp_dns_support_level = dnssec\n"
            "inet_protocols = ipv4\n")
        self.wait_for_proof()

        for name in ("good", "rollover"):
            said = self.finger(name)
            self.assertIn("Verified TLS connection established", said.stdout + said.stderr)
            self.assert_sent(name)
        said = self.finger("wrong")
        self.assertIn("Untrusted TLS connection established", said.stdout + said.stderr)
        self.assert_deferred("wrong", "4.7.323", "no TLSA record matches")


if __name__ == "__main__":
    unittest.main()
