//! The process of the server, the plan of each connection, and the accounts of both sides.

pub(crate) mod mio_client;
pub(crate) mod mio_server;
pub(crate) mod tokio_client;
pub(crate) mod tokio_server;

use std::io::{BufRead, BufReader, Write};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use ws_proto::Config;
use ws_proto::handshake::HandshakeLimits;

/// Says to this program that it is the server.
const SERVER: &str = "WS_SOAK_SERVER";

pub(crate) fn is_server() -> bool {
    std::env::var_os(SERVER).is_some()
}

/// Keepalive is on and often; what is a deadline is long, for a machine may be busy.
pub(crate) fn config() -> Config {
    let patience = Duration::from_secs(120);
    Config::default()
        .ping_interval(Some(Duration::from_secs(5)))
        .pong_timeout(Some(patience))
        .close_timeout(patience)
        .write_stall_timeout(Some(patience))
}

pub(crate) fn limits() -> HandshakeLimits {
    HandshakeLimits::default().timeout(Some(Duration::from_secs(120)))
}

/// The accounts of one side.
#[derive(Debug, Default)]
pub(crate) struct Accounts {
    /// Connections whose opening handshake was completed.
    pub(crate) opened: AtomicUsize,
    /// Connections that ended with a complete closing handshake.
    pub(crate) clean: AtomicUsize,
    /// Connections that ended otherwise.
    pub(crate) broken: AtomicUsize,
    /// Messages that were received.
    pub(crate) messages: AtomicUsize,
}

pub(crate) fn count(counter: &AtomicUsize) {
    counter.fetch_add(1, Ordering::Relaxed);
}

impl Accounts {
    const fn new() -> Self {
        Self {
            opened: AtomicUsize::new(0),
            clean: AtomicUsize::new(0),
            broken: AtomicUsize::new(0),
            messages: AtomicUsize::new(0),
        }
    }

    fn numbers(&self) -> [usize; 4] {
        [&self.opened, &self.clean, &self.broken, &self.messages]
            .map(|counter| counter.load(Ordering::Relaxed))
    }
}

/// What the server of this process has counted.
pub(crate) static ACCOUNTS: Accounts = Accounts::new();

/// Memory in KiB and descriptors of this process.
fn usage() -> [usize; 2] {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find(|line| line.starts_with("VmRSS:")).unwrap();
    let memory = line.split_whitespace().nth(1).unwrap().parse().unwrap();
    [memory, std::fs::read_dir("/proc/self/fd").unwrap().count()]
}

/// In the server: tells the address, and then what is asked, until nobody asks any more.
pub(crate) fn tell(port: u16) {
    println!("\nSOAK {port}");
    std::thread::spawn(|| {
        for _ in std::io::stdin().lock().lines() {
            let [opened, clean, broken, messages] = ACCOUNTS.numbers();
            let [memory, descriptors] = usage();
            println!("\nSOAK {opened} {clean} {broken} {messages} {memory} {descriptors}");
        }
        std::process::exit(0);
    });
}

/// The server, seen from the client's process.
struct Server {
    child: Child,
    ask: ChildStdin,
    answers: BufReader<ChildStdout>,
}

impl Server {
    fn start(test: &str) -> (Self, u16) {
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args(["--ignored", "--exact", "--nocapture", test])
            .env(SERVER, "1")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let (ask, answers) = (child.stdin.take().unwrap(), BufReader::new(child.stdout.take().unwrap()));
        let mut server = Self { child, ask, answers };
        let port = server.read_line()[0];
        (server, u16::try_from(port).unwrap())
    }

    fn read_line(&mut self) -> Vec<usize> {
        let mut line = String::new();
        while !line.starts_with("SOAK ") {
            line.clear();
            assert_ne!(self.answers.read_line(&mut line).unwrap(), 0, "the server is gone");
        }
        line.split_whitespace().skip(1).map(|number| number.parse().unwrap()).collect()
    }

    /// Opened, clean, broken, messages; memory in KiB, descriptors.
    fn report(&mut self) -> [usize; 6] {
        writeln!(self.ask).unwrap();
        self.read_line().try_into().unwrap()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// What a client has to do, and how it is told of the time.
pub(crate) struct Task<'a> {
    pub(crate) port: u16,
    pub(crate) connections: usize,
    pub(crate) until: Instant,
    pub(crate) accounts: &'a Accounts,
    /// To be called now and then while all connections are there.
    pub(crate) look: &'a mut dyn FnMut(),
}

impl Task<'_> {
    /// One of several addresses of the loopback, so that there are ports enough for connections that come and go.
    pub(crate) fn address(&self, n: usize) -> std::net::SocketAddr {
        ([127, 0, 0, 1 + (n % 16) as u8], self.port).into()
    }
}

fn number(name: &str, default: usize) -> usize {
    std::env::var(name).map_or(default, |value| value.parse().unwrap())
}

/// As many descriptors as the system lets one have; says how many that is.
fn raise_descriptor_limit() -> usize {
    let limit = getrlimit(Resource::Nofile);
    let _ = setrlimit(Resource::Nofile, Rlimit { current: limit.maximum, maximum: limit.maximum });
    getrlimit(Resource::Nofile).current.map_or(usize::MAX, |limit| limit as usize)
}

pub(crate) fn soak(test: &str, run: fn(Task<'_>)) {
    let seconds = number("WS_SOAK_SECONDS", 600);
    let asked = number("WS_SOAK_CONNECTIONS", 10_000);
    let connections = asked.min(raise_descriptor_limit().saturating_sub(200));
    if connections < asked {
        println!("{connections} connections, for there are no more descriptors");
    }
    let (mut server, port) = Server::start(test);
    let at_first = [usage()[1], server.report()[5]];
    let accounts = Accounts::default();
    let began = Instant::now();
    // From a quarter of the time on nothing grows any more.
    let mut early = None;
    let mut last = [0; 4];
    let mut next = began + Duration::from_secs(seconds as u64) / 4;
    let mut look = || {
        if Instant::now() < next {
            return;
        }
        next += Duration::from_secs(5);
        let [opened, clean, broken, messages, memory, descriptors] = server.report();
        let [my_memory, my_descriptors] = usage();
        last = [memory, descriptors, my_memory, my_descriptors];
        // Nearly all connections are there: before that, it has to grow.
        if early.is_none() && my_descriptors * 10 >= connections * 9 {
            early = Some(last);
        }
        println!(
            "{:3} s: server {opened} opened, {clean} clean, {broken} broken, {messages} messages, {memory} KiB, {descriptors} \
             descriptors; client {my_memory} KiB, {my_descriptors} descriptors",
            began.elapsed().as_secs()
        );
    };
    let until = began + Duration::from_secs(seconds as u64);
    run(Task { port, connections, until, accounts: &accounts, look: &mut look });
    let early = early.expect("too short, or the machine too busy: never were all connections there");

    // What the client has seen to its end, the server sees soon.
    let [opened, clean, broken, messages] = accounts.numbers();
    let patience = Instant::now() + Duration::from_secs(130);
    let theirs = loop {
        let theirs = server.report();
        if theirs[1] + theirs[2] >= opened || Instant::now() > patience {
            break theirs;
        }
        std::thread::sleep(Duration::from_millis(100));
    };
    println!(
        "client: {opened} opened, {clean} clean, {broken} broken, {messages} messages; server: {theirs:?}"
    );
    assert!(opened >= connections && messages > connections);
    assert_eq!(
        theirs[..3],
        [opened, clean, broken],
        "opened, clean, broken: once each, and as the client says"
    );
    assert_eq!(clean + broken, opened);
    for (early, last) in [(early[0], last[0]), (early[2], last[2])] {
        assert!(last <= early + early / 10 + (8 << 10), "memory grew from {early} to {last} KiB");
    }
    for descriptors in [early[1], last[1], early[3], last[3]] {
        assert!(descriptors <= connections + 100, "{descriptors} descriptors for {connections} connections");
    }
    // A runtime keeps a few for the whole process.
    for (at_first, at_last) in at_first.into_iter().zip([usage()[1], theirs[5]]) {
        assert!(at_last <= at_first + 4, "descriptors are left: {at_first} became {at_last}");
    }
}

/// How a connection is to end.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum End {
    /// The transport is dropped, with an answer outstanding.
    Break,
    /// The client closes.
    Close,
    /// The client asks the server to close.
    ServerCloses,
}

/// What one connection does: a few messages, each of them waited for, with pauses, and one of several ends.
#[derive(Debug)]
pub(crate) struct Plan {
    random: u64,
    left: u32,
}

impl Plan {
    pub(crate) fn new(n: usize) -> Self {
        let mut plan = Self { random: (n as u64 + 1).wrapping_mul(0x9E37_79B9_7F4A_7C15), left: 0 };
        plan.left = 3 + plan.below(15);
        plan
    }

    fn below(&mut self, bound: u32) -> u32 {
        // Marsaglia's xorshift: good enough to mix things up.
        self.random ^= self.random << 13;
        self.random ^= self.random >> 7;
        self.random ^= self.random << 17;
        (self.random >> 33) as u32 % bound
    }

    /// The next message; `None` if it is time to end.
    pub(crate) fn message(&mut self) -> Option<Vec<u8>> {
        self.left = self.left.checked_sub(1)?;
        let size = if self.below(20) == 0 { self.below(40_000) } else { self.below(300) };
        let first = self.below(256) as u8;
        Some((0..size).map(|n| first.wrapping_add((n / 7) as u8)).collect())
    }

    pub(crate) fn pause(&mut self) -> Duration {
        Duration::from_millis(u64::from(1000 + self.below(6000)))
    }

    pub(crate) fn end(&mut self) -> End {
        [End::Break, End::Close, End::Close, End::ServerCloses][self.below(4) as usize]
    }
}

/// What asks the server to close.
pub(crate) const PLEASE_CLOSE: &str = "close, please";
