#!/usr/bin/python3
"""Scanners look at the listening sockets: testssl.sh, and nmap's SMTP scripts. Minutes long: scripts/test --long runs it.
With --show prints the scanners' summaries, as docs/security.md has them."""
import json
import subprocess
import sys
import unittest

from support import SystemTest

SCAN_TIME = 600
# What every certificate that signed itself, on a host without public DNS, is told.
ABOUT_THE_TEST_CERTIFICATE = ("cert_chain_of_trust", "cert_trust", "cert_caIssuers", "cert_revocation", "cert_crlDistributionPoints",
                              "cert_ocspURL", "cert_notAfter", "cert_validityPeriod", "cert_extlifeSpan", "cert_certificatePolicies_EV",
                              "DNS_CAArecord", "cert_mustStaple", "OCSP_stapling", "certificate_transparency", "scanTime", "overall_grade",
                              "grade_cap_reason", "final_score")
SERIOUS = ("LOW", "MEDIUM", "HIGH", "CRITICAL")


def show(title, lines):
    if "--show" in sys.argv:
        print(title, *lines, sep="\n    ", flush=True)


class Scan(SystemTest):
    def setUp(self):
        super().setUp()
        self.mailflow = self.start_mailflow()

    def look_with_testssl(self, port, *words):
        report = self.folder / f"testssl.{port}.json"
        result = subprocess.run(["testssl", "--quiet", "--color", "0", "--warnings", "off", "--nodns", "min", "--jsonfile", report, *words,
                                 f"127.0.0.1:{port}"], text=True, capture_output=True, timeout=SCAN_TIME, stdin=subprocess.DEVNULL)
        self.assertTrue(report.exists(), result.stdout[-2000:] + result.stderr[-2000:])
        findings = json.loads(report.read_text())
        show(f"testssl {' '.join(words)}", sorted({f"{f['id']}: {f['finding']}" for f in findings if f["severity"] in ("OK", *SERIOUS, "WARN")}))
        self.assertIn("TLS1_3", {f["id"] for f in findings}, "the scan saw no handshake")
        return [f for f in findings if f["severity"] in SERIOUS and not f["id"].startswith(ABOUT_THE_TEST_CERTIFICATE)]

    def test_testssl_finds_nothing_behind_starttls_on_port_25(self):
        self.assertEqual(self.look_with_testssl(self.mailflow.port(), "--starttls", "smtp"), [])

    def test_testssl_finds_nothing_on_the_submissions_port(self):
        self.assertEqual(self.look_with_testssl(self.mailflow.port("Client Frontend TLS")), [])

    def nmap(self, port, *scripts):
        result = subprocess.run(["nmap", "-n", "-Pn", "-sT", "-p", str(port), "--script", ",".join(f"+{s}" for s in scripts), "127.0.0.1"],
                                text=True, capture_output=True, timeout=SCAN_TIME)
        self.assertEqual(result.returncode, 0, result.stderr)
        show(f"nmap {' '.join(scripts)}", [line for line in result.stdout.splitlines() if line.startswith("|")])
        return result.stdout

    def test_nmap_finds_no_open_relay_and_no_users(self):
        self.mailflow.ctl("mailbox", "create", "root")
        self.mailflow.set_connector("Default Frontend mail.contoso.com", tarpit_interval="0", max_protocol_errors="unlimited")
        found = self.nmap(self.mailflow.port(), "smtp-commands", "smtp-open-relay", "smtp-enum-users", "smtp-vuln-cve2010-4344",
                          "smtp-vuln-cve2011-1720", "smtp-vuln-cve2011-1764", "smtp-ntlm-info")

        self.assertNotIn("VULNERABLE:", found)
        self.assertNotRegex(found, r"Server is an open relay")
        self.assertIn("smtp-commands: mail.contoso.com Hello", found)

    def test_nmap_sees_only_modern_ciphers(self):
        found = self.nmap(self.mailflow.port("Client Frontend TLS"), "ssl-enum-ciphers")

        self.assertIn("TLSv1.3", found)
        self.assertNotRegex(found, r"TLSv1\.[01]|SSLv3")
        self.assertIn("least strength: A", found)


if __name__ == "__main__":
    unittest.main(argv=[word for word in sys.argv if word != "--show"])
