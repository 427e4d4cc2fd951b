"""Figures of the receive side: large bodies, TLS, a crowd of idle and slow clients, commands and allocations."""
import re
import signal
import smtplib
import socket
import ssl
import statistics
import subprocess
import sys
import threading
import time

from servers import BENCH, PATIENCE, TOOLS, Ours, Postfix, free_port, load, medians, report

CONNECTOR = "Default Frontend bench.mailflow.invalid"
IMPLICIT = "Client Frontend TLS bench.mailflow.invalid"


def built(source, *flags):
    """A tool of this folder, compiled when it is older than its source."""
    source = TOOLS / source
    made = BENCH / "bin" / (source.stem + (".so" if "-shared" in flags else ""))
    made.parent.mkdir(parents=True, exist_ok=True)
    if not made.exists() or made.stat().st_mtime < source.stat().st_mtime:
        subprocess.run(["gcc", "-O2", *flags, "-o", made, source, "-ldl"], check=True)
    return made


def unlimited(server, name):
    print(f"  changed: {name} --max-inbound-connection unlimited")
    server.ctl("receive-connector", "set", name, "--max-inbound-connection", "unlimited")


def in_rounds(options, makers, measure):
    """The makers' servers in turn, `rounds` times; a list of figures for each."""
    figures = [[] for _ in makers]
    for _ in range(options.rounds):
        for make, into in zip(makers, figures):
            server = make()
            into += measure(server)
            server.stop()
    return figures


def bench_large(options):
    makers = [Ours] + ([lambda: Postfix("accept")] if options.postfix else [])
    figures = in_rounds(options, makers, lambda server: medians(
        load("accept", f"127.0.0.1:{server.port}", type(server).__name__, LENS="102400", REUSE="0", REPS="1"), "accept"))
    report("accept 100 KiB, 20 sessions, a connection each", figures[0], figures[1] if options.postfix else [])


def bench_tls(options):
    makers = [Ours] + ([lambda: Postfix("accept", TLS="1")] if options.postfix else [])
    figures = in_rounds(options, makers, lambda server: medians(
        load("tls", f"127.0.0.1:{server.port}", type(server).__name__, REPS="1"), "tls"))
    report("STARTTLS handshakes, TLS 1.3, no resumption", figures[0], figures[1] if options.postfix else [])
    ours, theirs = [], []
    for _ in range(options.rounds):
        server = Ours()
        unlimited(server, IMPLICIT)
        ours.append(handshakes(server.port_of("Client Frontend TLS")))
        server.stop()
        port = free_port()
        peer = start_s_server(port)
        theirs.append(handshakes(port))
        peer.terminate()
        peer.wait()
    ratios = [a / b for a, b in zip(ours, theirs)]
    print(f"handshakes on connect (4 × openssl s_time): ours {statistics.median(ours):.0f}/s, openssl s_server "
          f"{statistics.median(theirs):.0f}/s, ratio {statistics.median(ratios):.2f}", flush=True)


def start_s_server(port):
    folder = BENCH / "tls"
    folder.mkdir(parents=True, exist_ok=True)
    if not (folder / "cert.pem").exists():
        subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-subj",
                        "/CN=bench.invalid", "-keyout", folder / "key.pem", "-out", folder / "cert.pem"], check=True, capture_output=True)
    process = subprocess.Popen(["openssl", "s_server", "-accept", f"127.0.0.1:{port}", "-cert", folder / "cert.pem", "-key",
                                folder / "key.pem", "-quiet", "-num_tickets", "1"], stdin=subprocess.PIPE,
                               stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    end = time.monotonic() + PATIENCE
    while time.monotonic() < end:
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
            return process
        except OSError:
            time.sleep(0.05)
    sys.exit("bench: openssl s_server does not listen")


def handshakes(port, clients=4, seconds=3):
    """Handshakes a second of several `openssl s_time`, a new session each."""
    command = ["openssl", "s_time", "-connect", f"127.0.0.1:{port}", "-new", "-time", str(seconds), "-tls1_3"]
    running = [subprocess.Popen(command, text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT) for _ in range(clients)]
    total = 0.0
    for process in running:
        text = process.communicate(timeout=PATIENCE)[0]
        found = re.search(r"^(\d+) connections in (\d+) real seconds", text, re.M)
        if not found:
            sys.exit(f"bench: openssl s_time: {text[-500:]}")
        total += int(found.group(1)) / max(1, int(found.group(2)))
    return total


def tls_session(port, context):
    raw = socket.create_connection(("127.0.0.1", port), timeout=PATIENCE)
    raw.recv(1000)
    for line in (b"EHLO x.invalid\r\n", b"STARTTLS\r\n"):
        raw.sendall(line)
        raw.recv(4000)
    secure = context.wrap_socket(raw)
    secure.sendall(b"EHLO x.invalid\r\n")
    secure.recv(4000)
    return secure


def bench_idle_tls(options):
    server = Ours()
    unlimited(server, CONNECTOR)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    warm = [tls_session(server.port, context) for _ in range(50)]
    time.sleep(1)
    before = server.pss_kib()
    held = [tls_session(server.port, context) for _ in range(options.sessions)]
    time.sleep(1)
    after = server.pss_kib()
    for session in held + warm:
        session.close()
    server.stop()
    print(f"idle TLS sessions: {(after - before) * 1024 / options.sessions:.0f} octets of PSS each "
          f"({options.sessions} after 50 of warming up)", flush=True)


def latency(port, count=300):
    """Seconds from MAIL to the final reply, of messages one after the other: median and 95th percentile."""
    times = []
    with smtplib.SMTP("127.0.0.1", port, "bench.invalid", timeout=PATIENCE) as client:
        client.ehlo()
        for _ in range(count):
            begin = time.monotonic()
            client.sendmail("a@from.invalid", ["b@to.invalid"], b"Subject: x\r\n\r\n" + b"x" * 4000)
            times.append(time.monotonic() - begin)
    times.sort()
    return statistics.median(times), times[int(len(times) * 0.95)]


class SlowClients:
    """Connections that send one octet every five seconds."""

    def __init__(self, port, count):
        self.sockets = []
        for _ in range(count):
            one = socket.create_connection(("127.0.0.1", port), timeout=PATIENCE)
            one.recv(1000)
            self.sockets.append(one)
        self.over = threading.Event()
        self.thread = threading.Thread(target=self.drip, daemon=True)
        self.thread.start()

    def drip(self):
        for number in range(1000):
            for one in self.sockets:
                try:
                    one.send(b"NOOP xxxxxxxxxxxxxxxxxxxxxxxxxxx"[number % 32:number % 32 + 1])
                except OSError:
                    pass
            if self.over.wait(5):
                return

    def stop(self):
        self.over.set()
        self.thread.join()
        for one in self.sockets:
            one.close()


def bench_crowd(options):
    server = Ours()
    unlimited(server, CONNECTOR)
    latency(server.port, 50)
    quiet = latency(server.port)
    idle = subprocess.Popen([built("idle.c"), "127.0.0.1", str(server.port), str(options.sessions)],
                            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    ready = idle.stdout.readline().strip()
    slow = SlowClients(server.port, 200)
    time.sleep(1)
    crowded = latency(server.port)
    slow.stop()
    idle.stdin.close()
    idle.wait(PATIENCE)
    server.stop()
    print(f"crowd: {options.sessions} idle ({ready}) and 200 slow connections: median {crowded[0] * 1000:.2f} ms against "
          f"{quiet[0] * 1000:.2f} ms quiet, ratio {crowded[0] / quiet[0]:.2f}; 95th percentile {crowded[1] * 1000:.2f} ms against "
          f"{quiet[1] * 1000:.2f} ms", flush=True)


def count_allocations(server, path):
    path.unlink(missing_ok=True)
    server.process.send_signal(signal.SIGUSR2)
    end = time.monotonic() + PATIENCE
    while time.monotonic() < end:
        if path.exists() and path.read_text().endswith("\n"):
            return int(path.read_text())
        time.sleep(0.01)
    sys.exit("bench: no count of allocations")


def bench_commands(options):
    """Pipelined RCPT commands of one client: parsing, directory, reply; then what a kept connection's message allocates."""
    server = Ours()
    flight = (b"MAIL FROM:<a@from.invalid>\r\n" + b"".join(b"RCPT TO:<u%d@to.invalid>\r\n" % n for n in range(199)) + b"RSET\r\n")
    commands, begin = 0, time.monotonic()
    while time.monotonic() - begin < 3:
        with socket.create_connection(("127.0.0.1", server.port), timeout=PATIENCE) as raw:
            stream = raw.makefile("rb")
            stream.readline()
            raw.sendall(b"HELO x.invalid\r\n")
            stream.readline()
            for _ in range(50):
                raw.sendall(flight)
                for _ in range(201):
                    stream.readline()
                commands += 201
    rate = commands / (time.monotonic() - begin)
    server.stop()

    library = built("alloccount.c", "-shared", "-fPIC")
    told = BENCH / "run" / "alloccount"
    server = Ours(environment={"LD_PRELOAD": str(library), "ALLOCCOUNT": str(told)})
    latency(server.port, 100)
    before = count_allocations(server, told)
    latency(server.port, 1000)
    each = (count_allocations(server, told) - before) / 1000
    server.stop()
    print(f"commands: {rate:.0f}/s of one pipelining client; {each:.0f} allocations for a message of 4 KiB on a kept connection, "
          f"from MAIL to the last octet on disk", flush=True)
