"""Signed zones for system tests: keys and signatures by ldns, served by nsd, validated by unbound; and SMTP servers
with certificates of their own, one for each loopback address."""
import hashlib
import socket
import ssl
import subprocess
import threading

from support import PEERS, free_port, is_open, peer, peer_environment, wait_for

SECURE, BOGUS, UNSIGNED = "fabrikam.com", "adatum.com", "tailspin.com"


def run(command, cwd=None, env=None):
    result = subprocess.run([str(word) for word in command], cwd=cwd, env=env, capture_output=True, text=True)
    if result.returncode != 0:
        raise AssertionError(f"{command}: exit {result.returncode}\n{result.stdout}{result.stderr}")
    return result.stdout


def ldns(program, *words, cwd):
    environment = dict(peer_environment("ldnsutils"), LD_LIBRARY_PATH=str(PEERS / "libldns3/usr/lib/x86_64-linux-gnu"))
    return run([peer("ldnsutils", f"usr/bin/{program}"), *words], cwd=cwd, env=environment)


class Certificate:
    """A key and a certificate, made by the openssl command; signed by itself unless an issuer is given."""

    def __init__(self, folder, name, issuer=None):
        self.key, self.chain = folder / f"{name}.key", folder / f"{name}.pem"
        by = ["-CA", issuer.chain, "-CAkey", issuer.key] if issuer else []
        run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "30",
             "-keyout", self.key, "-out", self.chain, "-subj", f"/CN={name}", "-addext", f"subjectAltName=DNS:{name}", *by])
        if issuer:
            self.chain.write_text(self.chain.read_text() + issuer.chain.read_text())

    def tlsa(self, usage=3, selector=1):
        if selector == 0:
            octets = ssl.PEM_cert_to_DER_cert(run(["openssl", "x509", "-in", self.chain]))
        else:
            public = run(["openssl", "x509", "-in", self.chain, "-noout", "-pubkey"])
            octets = ssl.PEM_cert_to_DER_cert(
                public.replace("BEGIN PUBLIC KEY", "BEGIN CERTIFICATE").replace("END PUBLIC KEY", "END CERTIFICATE"))
        return f"{usage} {selector} 1 {hashlib.sha256(octets).hexdigest()}"


class Zones:
    """One zone signed well, one whose signatures have expired, one without any; nsd behind a validating unbound."""

    def __init__(self, test, records, port):
        self.test = test
        self.folder = test.folder / "zones"
        self.folder.mkdir()
        self.tlsa = f"_{port}._tcp"
        anchors = []
        for zone, dates in ((SECURE, []), (BOGUS, ["-i", "20200101000000", "-e", "20200201000000"]), (UNSIGNED, None)):
            file = self.folder / zone
            file.write_text(f"$ORIGIN {zone}.\n$TTL 60\n@ IN SOA ns hostmaster 1 3600 600 86400 1\n  IN NS ns\n"
                            f"ns IN A 127.0.0.1\n{records.get(zone, '')}")
            if dates is not None:
                key = ldns("ldns-keygen", "-a", "ECDSAP256SHA256", "-k", zone, cwd=self.folder).strip()
                ldns("ldns-signzone", *dates, "-f", file, file, key, cwd=self.folder)
                anchors.append(self.folder / f"{key}.key")
        self.anchors = "".join(f'    trust-anchor-file: "{anchor}"\n' for anchor in anchors)
        self.authority = self.start_nsd()

    def start_nsd(self):
        port = free_port()
        conf = self.folder / "nsd.conf"
        zones = "".join(f'zone:\n    name: "{zone}"\n    zonefile: "{self.folder / zone}"\n'
                        for zone in (SECURE, BOGUS, UNSIGNED))
        conf.write_text(f'server:\n    ip-address: 127.0.0.1@{port}\n    zonesdir: "{self.folder}"\n    database: ""\n'
                        f'    zonelistfile: "{self.folder}/zone.list"\n    xfrdfile: "{self.folder}/xfrd.state"\n'
                        f'    xfrdir: "{self.folder}"\n    pidfile: ""\n    username: ""\n    chroot: ""\n'
                        f'    server-count: 1\nremote-control:\n    control-enable: no\n{zones}')
        self.test.start_process([peer("nsd", "usr/sbin/nsd"), "-d", "-c", conf], "nsd", env=peer_environment("nsd"))
        wait_for(lambda: is_open(port), "nsd answers")
        return port

    def start_unbound(self, validating=True, address="127.0.0.1", port=None):
        port = port or free_port()
        conf = self.folder / f"unbound.{port}.conf"
        stubs = "".join(f'stub-zone:\n    name: "{zone}"\n    stub-addr: 127.0.0.1@{self.authority}\n'
                        for zone in (SECURE, BOGUS, UNSIGNED))
        conf.write_text(f"""server:
    interface: {address}
    port: {port}
    do-daemonize: no
    username: ""
    chroot: ""
    directory: "{self.folder}"
    pidfile: ""
    use-syslog: no
    logfile: ""
    num-threads: 1
    do-not-query-localhost: no
    module-config: "{'validator ' if validating else ''}iterator"
    access-control: 127.0.0.0/8 allow
{self.anchors if validating else ''}remote-control:
    control-enable: no
{stubs}""")
        self.test.start_process([peer("unbound", "usr/sbin/unbound"), "-d", "-c", conf], f"unbound-{port}",
                                env=peer_environment("unbound"))

        def answers():
            with socket.socket() as probe:
                probe.settimeout(1)
                return probe.connect_ex((address, port)) == 0
        wait_for(answers, "unbound answers")
        return port


class TlsSink:
    """An SMTP server on one loopback address; `messages` says for each message whether it came by TLS."""

    def __init__(self, test, address, port, certificate=None):
        self.messages = []
        self.sni = []
        self.context = None
        if certificate:
            self.context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            self.context.load_cert_chain(certificate.chain, certificate.key)
            self.context.sni_callback = lambda _, name, __: self.sni.append(name)
        self.listener = socket.create_server((address, port))
        test.stack.callback(self.listener.close)
        threading.Thread(target=self.accept, daemon=True).start()

    def accept(self):
        while True:
            try:
                client, _ = self.listener.accept()
            except OSError:
                return
            threading.Thread(target=self.serve, args=(client,), daemon=True).start()

    def serve(self, client):
        client.settimeout(30)
        encrypted = False
        try:
            client.sendall(b"220 sink ESMTP\r\n")
            lines = client.makefile("rb")
            while line := lines.readline():
                verb = line.split()[0].upper() if line.split() else b""
                if verb == b"EHLO":
                    offer = b"250-STARTTLS\r\n" if self.context and not encrypted else b""
                    client.sendall(b"250-sink\r\n" + offer + b"250 8BITMIME\r\n")
                elif verb == b"STARTTLS":
                    client.sendall(b"220 go\r\n")
                    client = self.context.wrap_socket(client, server_side=True)
                    lines, encrypted = client.makefile("rb"), True
                elif verb == b"DATA":
                    client.sendall(b"354 go\r\n")
                    while lines.readline() not in (b".\r\n", b""):
                        pass
                    self.messages.append(encrypted)
                    client.sendall(b"250 taken\r\n")
                elif verb == b"QUIT":
                    client.sendall(b"221 bye\r\n")
                    return
                else:
                    client.sendall(b"250 ok\r\n")
        except (OSError, IndexError):
            pass
        finally:
            client.close()
