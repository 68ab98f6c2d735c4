//! What the interop tests share: our servers, our client, and the peers, which are other processes.
//!
//! A peer that is not installed is no failure: its tests say so and pass. Environment variables say where to find what
//! is not on the path: `WS_TEST_PYTHON` an interpreter that has the package `websockets`, `WS_TEST_NODE_PATH` the
//! folder with the package `ws`, `WS_TEST_CHROMIUM` the browser.
//!
//! All servers speak the same: they echo; a text of `!ping` makes them send a ping of `from the server` and report the
//! pong to it as a text of `pong: from the server`; a text of `!close` makes them close with 4001 and a reason. They
//! choose the subprotocol `echo`, and take messages of up to 4 MiB.

#![allow(dead_code, reason = "each test file uses a part of this")]

mod mio_client;
mod mio_server;
mod tokio_server;

use std::ffi::OsString;
use std::path::PathBuf;
use std::process::Stdio;
use std::time::Duration;

use tokio::io::{AsyncBufReadExt as _, BufReader, Lines};
use tokio::process::{Child, ChildStdout, Command};
use tokio::sync::mpsc;
use tokio::time::timeout;
use ws_proto::deflate::{DeflateConfig, DeflateParams};
use ws_proto::handshake::{ClientRequest, HandshakeLimits, Uri};
use ws_proto::{CloseCode, Config};
use ws_tokio::{CloseFrame, Message, connect_with};

/// The most that any conversation may take.
pub(crate) const LIMIT: Duration = Duration::from_secs(60);

/// The largest message that a server takes.
pub(crate) const MAX_MESSAGE: usize = 4 << 20;

/// The page that drives the echo page, for a browser that nobody sits at.
const BROWSER: &str = include_str!("../../interop/browser.html");

/// Whether permessage-deflate is agreed on, and how.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Compression {
    Off,
    Takeover,
    NoTakeover,
}

impl Compression {
    pub(crate) const ALL: [Self; 3] = [Self::Off, Self::Takeover, Self::NoTakeover];

    pub(crate) fn config(self) -> Option<DeflateConfig> {
        let config = DeflateConfig::new();
        match self {
            Self::Off => None,
            Self::Takeover => Some(config),
            Self::NoTakeover => {
                Some(config.server_no_context_takeover(true).client_no_context_takeover(true))
            }
        }
    }

    /// What the clients of peers are told to expect.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Off => "off",
            Self::Takeover => "takeover",
            Self::NoTakeover => "no-takeover",
        }
    }

    pub(crate) fn check(self, agreed: Option<DeflateParams>) {
        let expected = match self {
            Self::Off => None,
            Self::Takeover => Some((false, false)),
            Self::NoTakeover => Some((true, true)),
        };
        let agreed =
            agreed.map(|agreed| (agreed.server_no_context_takeover, agreed.client_no_context_takeover));
        assert_eq!(agreed, expected);
    }
}

/// One of our servers.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Server {
    Mio,
    Tokio,
}

impl Server {
    pub(crate) const ALL: [Self; 2] = [Self::Mio, Self::Tokio];

    /// Starts it on a free port of the loopback interface.
    pub(crate) async fn start(self, compression: Compression) -> RunningServer {
        match self {
            Self::Mio => mio_server::start(compression),
            Self::Tokio => tokio_server::start(compression).await,
        }
    }
}

/// A server of ours; it stops when this is dropped.
pub(crate) struct RunningServer {
    /// Of the form `127.0.0.1:PORT`.
    pub(crate) addr: String,
    pub(crate) reports: mpsc::UnboundedReceiver<Report>,
    pub(crate) stop: Box<dyn Send>,
}

/// What a server has to say.
#[derive(Debug, Eq, PartialEq)]
pub(crate) enum Report {
    /// A connection ended: the codes of both Close frames, and the error if there was one.
    Closed { local: Option<u16>, peer: Option<u16>, error: Option<String> },
    /// Somebody asked for `/result?` with this query.
    Result(String),
}

impl RunningServer {
    pub(crate) fn url(&self) -> String {
        format!("ws://{}/", self.addr)
    }

    pub(crate) async fn report(&mut self) -> Report {
        timeout(LIMIT, self.reports.recv()).await.expect("the server reports nothing").unwrap()
    }

    /// The reports that a client gives rise to which does what they all do.
    pub(crate) async fn expect_the_usual_ends(&mut self) {
        let both = |code| Report::Closed { local: Some(code), peer: Some(code), error: None };
        assert_eq!(self.report().await, both(4000));
        assert_eq!(self.report().await, both(4001));
        let Report::Closed { local, error, .. } = self.report().await else { panic!("another report") };
        assert_eq!(local, Some(1009));
        assert!(error.is_some_and(|error| error.contains("4194304")));
    }
}

/// A program that can be run, if its peer is installed.
pub(crate) struct Peer {
    program: OsString,
    node_path: Option<OsString>,
}

impl Peer {
    pub(crate) async fn python() -> Option<Self> {
        let program = std::env::var_os("WS_TEST_PYTHON").unwrap_or_else(|| "python3".into());
        let peer = Self { program, node_path: None };
        peer.check(&["-c", "import websockets"], "Python's websockets").await
    }

    pub(crate) async fn node() -> Option<Self> {
        let node_path = std::env::var_os("WS_TEST_NODE_PATH").or_else(|| std::env::var_os("NODE_PATH"));
        let peer = Self { program: "node".into(), node_path };
        peer.check(&["-e", "require('ws')"], "npm's ws").await
    }

    pub(crate) async fn chromium() -> Option<Self> {
        let program = std::env::var_os("WS_TEST_CHROMIUM").unwrap_or_else(|| "chromium".into());
        Self { program, node_path: None }.check(&["--version"], "Chromium").await
    }

    /// A client that talks to `url`, and exits with 0 if all is well.
    pub(crate) async fn run_client(&self, script: &str, url: &str, compression: Compression) {
        let args = [url, compression.name()];
        let child = self.command().arg(path_of(script)).args(args).stderr(Stdio::piped()).spawn().unwrap();
        // The child is killed when it is dropped.
        let output = timeout(LIMIT, child.wait_with_output()).await.expect("the client hangs").unwrap();
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        assert!(output.status.success(), "{}{}", text(&output.stdout), text(&output.stderr));
        assert_eq!(text(&output.stdout).trim(), "ok");
    }

    /// A server, which prints its port.
    pub(crate) async fn start_server(&self, script: &str) -> PeerServer {
        let mut child = self.command().arg(path_of(script)).spawn().unwrap();
        let lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let mut server = PeerServer { lines, url: String::new(), child };
        let line = server.line().await;
        let port: u16 = line.strip_prefix("listening ").expect("no port").parse().unwrap();
        server.url = format!("ws://127.0.0.1:{port}/");
        server
    }

    pub(crate) fn command(&self) -> Command {
        let mut command = Command::new(&self.program);
        if let Some(node_path) = &self.node_path {
            command.env("NODE_PATH", node_path);
        }
        command.env("PYTHONUTF8", "1").env("PYTHONDONTWRITEBYTECODE", "1");
        command.stdin(Stdio::null()).stdout(Stdio::piped()).kill_on_drop(true);
        command
    }

    async fn check(self, args: &[&str], name: &str) -> Option<Self> {
        let status = self.command().args(args).stdout(Stdio::null()).stderr(Stdio::null()).status();
        if matches!(timeout(LIMIT, status).await, Ok(Ok(status)) if status.success()) {
            return Some(self);
        }
        println!("SKIPPED: {name} is not installed, or not where {:?} finds it", self.program);
        None
    }
}

/// A server in another process; it is killed when this is dropped.
pub(crate) struct PeerServer {
    pub(crate) url: String,
    lines: Lines<BufReader<ChildStdout>>,
    child: Child,
}

impl PeerServer {
    /// The next line that it prints.
    pub(crate) async fn line(&mut self) -> String {
        let line = timeout(LIMIT, self.lines.next_line()).await.expect("the server prints nothing");
        line.unwrap().expect("the server ended")
    }
}

/// The path of a script.
pub(crate) fn path_of(script: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("interop").join(script)
}

/// Our mio client talks to a peer's server.
pub(crate) async fn converse_over_mio(server: &mut PeerServer, compression: Compression) {
    let url = server.url.clone();
    let talk = tokio::task::spawn_blocking(move || mio_client::talk(&url, compression));
    timeout(LIMIT, talk).await.expect("the conversation hangs").unwrap();
    assert_eq!(server.line().await, "closed 4000 grüße vom Client");
}

/// Our tokio client talks to a peer's server.
pub(crate) async fn converse(server: &mut PeerServer, compression: Compression) {
    let url = server.url.clone();
    let config = Config::default().max_message_size(MAX_MESSAGE);
    let request = ClientRequest::new(Uri::parse(&url).unwrap()).subprotocols(&["other", "echo"]);
    let request = compression.config().map_or(request, |config| request.deflate(config));
    let open = async || {
        let (ws, accepted) = connect_with(&request, HandshakeLimits::default(), config).await.unwrap();
        assert_eq!(accepted.subprotocol.as_deref(), Some("echo"));
        compression.check(accepted.deflate);
        ws
    };
    let talk = async {
        let mut ws = open().await;
        let messages = [
            Message::text("hello"),
            Message::text(""),
            Message::text("grüße, € und \u{1F600}"),
            Message::text("x".repeat(200)),
            Message::text("ä".repeat(70_000)),
            Message::binary(Vec::new()),
            Message::binary((0..=255).collect::<Vec<u8>>()),
            Message::binary(vec![0x5A; 70_000]),
            Message::binary(vec![0xA5; 1 << 20]),
        ];
        for message in messages {
            ws.send(message.clone()).await.unwrap();
            assert_eq!(ws.recv().await.unwrap(), Some(message));
        }
        for (part, fin) in [("frag", false), ("", false), ("ment", false), ("ed", true)] {
            ws.send_fragment(ws_proto::Kind::Text, part.as_bytes(), fin).await.unwrap();
        }
        ws.flush().await.unwrap();
        assert_eq!(ws.recv().await.unwrap(), Some(Message::text("fragmented")));
        for n in 0..1000 {
            ws.feed(Message::text(n.to_string())).await.unwrap();
        }
        for n in 0..1000 {
            assert_eq!(ws.recv().await.unwrap(), Some(Message::text(n.to_string())));
        }
        ws.send(Message::Ping("are you there?".into())).await.unwrap();
        assert_eq!(ws.recv().await.unwrap(), Some(Message::Pong("are you there?".into())));
        ws.send(Message::text("!ping")).await.unwrap();
        assert_eq!(ws.recv().await.unwrap(), Some(Message::Ping("from the server".into())));
        assert_eq!(ws.recv().await.unwrap(), Some(Message::text("pong: from the server")));
        ws.close(CloseCode::from(4000), "grüße vom Client").await.unwrap();
        assert!(ws.connection().is_clean());
        assert_eq!(ws.connection().peer_close(), Some(CloseCode::from(4000)));
        assert_eq!(server.line().await, "closed 4000 grüße vom Client");

        let mut ws = open().await;
        ws.send(Message::text("!close")).await.unwrap();
        let close = CloseFrame { code: CloseCode::from(4001), reason: "grüße vom Server".into() };
        assert_eq!(ws.recv().await.unwrap(), Some(Message::Close(close)));
        assert_eq!(ws.recv().await.unwrap(), None);
        assert!(ws.connection().is_clean());
        let line = server.line().await;
        assert!(line.starts_with("closed 4001"), "{line}");

        // Over the limit of the server. It may end before it has read all of it.
        let mut ws = open().await;
        let _ = ws.send(Message::binary(vec![0; MAX_MESSAGE + 1])).await;
        while let Ok(Some(_)) = ws.recv().await {}
        let line = server.line().await;
        assert!(line.starts_with("closed 1009") || line.starts_with("closed 1006"), "{line}");
        // The peer's own reset may have destroyed its Close frame on the way.
        assert!(matches!(ws.connection().peer_close(), Some(CloseCode::MESSAGE_TOO_BIG) | None));
    };
    timeout(LIMIT, talk).await.expect("the conversation hangs");
}
